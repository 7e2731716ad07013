"""Telegram: prose for error codes, updates pushed or polled, and a bot that people can block."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from broadcaster.channels.contract import AccountConfig, WebhookRequest
from broadcaster.channels.telegram import Telegram, message_body, read_answer
from broadcaster.channels.telegram_updates import message_key
from broadcaster.channels.transport import HttpResult
from broadcaster.core.deliveries import Outcome
from broadcaster.core.errors import InvalidInput, MessageRejected, Misconfigured, Unavailable
from broadcaster.core.messages import Button, ButtonKind, Inbound, InboundKind, Media, MediaKind
from broadcaster.fakes.telegram import DEACTIVATED, MIGRATED, NOT_STARTED, TOKEN, FakeTelegram
from tests.channels.contract import ChannelContract, outbound, send
from tests.channels.wire import RawServer

PERSON = "771234567"
SECRET = "webhook-secret_1"
PUBLIC_URL = "https://example.org/hook/telegram/1"
BOT_ID = int(TOKEN.partition(":")[0])


def config(base_url: str) -> AccountConfig:
    secrets = {"token": TOKEN, "webhook_secret": SECRET}
    return AccountConfig(1, "telegram", base_url, {}, secrets, concurrency=8, public_url=PUBLIC_URL)


def hook(update: object, secret: str = SECRET) -> WebhookRequest:
    headers = {"x-telegram-bot-api-secret-token": secret}
    return WebhookRequest("POST", PUBLIC_URL, headers, json.dumps(update).encode())


def message(**fields: Any) -> dict[str, Any]:
    base = {
        "message_id": 5,
        "from": {"id": int(PERSON), "is_bot": False, "first_name": "Ann", "language_code": "en"},
        "chat": {"id": int(PERSON), "type": "private"},
        "date": 1700000000,
    }
    return {"update_id": 10, "message": base | fields}


def membership(status: str, user: int = BOT_ID) -> dict[str, Any]:
    change = {
        "chat": {"id": int(PERSON), "type": "private"},
        "from": {"id": int(PERSON)},
        "date": 1700000100,
        "old_chat_member": {"user": {"id": user, "is_bot": True}, "status": "member"},
        "new_chat_member": {"user": {"id": user, "is_bot": True}, "status": status, "until_date": 0},
    }
    return {"update_id": 11, "my_chat_member": change}


def only(update: object) -> Inbound:
    [event] = Telegram().parse_webhook(config(""), hook(update))
    assert isinstance(event, Inbound)
    return event


class TestContract(ChannelContract):
    channel = Telegram()
    person = PERSON
    secrets = (TOKEN, TOKEN.partition(":")[2], SECRET)

    @pytest.fixture
    def fake(self) -> Iterator[FakeTelegram]:
        with FakeTelegram() as fake:
            yield fake

    def account(self, base_url: str) -> AccountConfig:
        return config(base_url)

    def event_request(self, kind: str) -> WebhookRequest:
        updates = {
            "text": message(text="hello"),
            "opt_out": membership("kicked"),
            "unknown": {"update_id": 12, "poll": {"id": "1"}},
        }
        return hook(updates[kind])


@pytest.fixture
def fake() -> Iterator[FakeTelegram]:
    with FakeTelegram() as started:
        yield started


@pytest.mark.parametrize(
    "status, description, outcome",
    [
        (401, "Unauthorized", Outcome.CREDENTIAL),
        (404, "Not Found", Outcome.CREDENTIAL),
        (409, "Conflict: terminated by other getUpdates request", Outcome.CREDENTIAL),
        (403, "Forbidden: bot was blocked by the user", Outcome.RECIPIENT_OPTED_OUT),
        (403, "Forbidden: bot was kicked from the group chat", Outcome.RECIPIENT_OPTED_OUT),
        (403, "bot was blocked by the user", Outcome.RECIPIENT_OPTED_OUT),
        (403, "Forbidden: user is deactivated", Outcome.RECIPIENT_UNREACHABLE),
        (403, "Forbidden: bot can't initiate conversation with a user", Outcome.RECIPIENT_UNREACHABLE),
        (403, "Forbidden: bot is not a member of the channel chat", Outcome.RECIPIENT_UNREACHABLE),
        (403, "Forbidden: the group chat was deleted", Outcome.RECIPIENT_UNREACHABLE),
        (400, "Bad Request: chat not found", Outcome.RECIPIENT_UNREACHABLE),
        (400, "Bad Request: PEER_ID_INVALID", Outcome.RECIPIENT_UNREACHABLE),
        (400, "Bad Request: group chat was upgraded to a supergroup chat", Outcome.RECIPIENT_UNREACHABLE),
        (400, "Bad Request: message is too long", Outcome.MESSAGE_REJECTED),
        (400, "Bad Request: can't parse entities: ...", Outcome.MESSAGE_REJECTED),
        (400, "Bad Request: wrong file identifier/HTTP URL specified", Outcome.MESSAGE_REJECTED),
        (400, "Bad Request: BUTTON_URL_INVALID", Outcome.MESSAGE_REJECTED),
        (413, "Request Entity Too Large", Outcome.MESSAGE_REJECTED),
        (400, "Bad Request: failed to get HTTP URL content", Outcome.TRANSIENT),
        (429, "Too Many Requests: retry after 35", Outcome.THROTTLED),
    ],
)
def test_prose_becomes_one_of_our_words(status: int, description: str, outcome: Outcome) -> None:
    body = {"ok": False, "error_code": status, "description": description, "parameters": {"retry_after": 35}}
    result = read_answer(HttpResult(status, True, None, None, json.dumps(body).encode()))
    assert result is not None
    assert result.outcome is outcome
    assert result.provider_code is not None
    assert description not in result.provider_code, "a code, never prose"


@pytest.mark.parametrize(
    "body",
    [
        {"ok": True},
        {"ok": True, "result": {}},
        {"ok": True, "result": {"message_id": "7", "chat": {"id": 1}}},
        {"ok": True, "result": []},
        {"ok": "yes"},
    ],
)
def test_an_answer_without_an_id_is_of_no_use(body: object) -> None:
    assert read_answer(HttpResult(200, True, None, None, json.dumps(body).encode())) is None


def test_a_stated_wait_is_taken_from_the_body(fake: FakeTelegram) -> None:
    sender = Telegram().sender(config(fake.url))
    [result] = send(sender, outbound("990000003"))
    assert (result.outcome, result.retry_after) == (Outcome.THROTTLED, 2.0)
    sender.close()


@pytest.mark.parametrize("chat_id", [DEACTIVATED, NOT_STARTED, MIGRATED])
def test_people_out_of_reach(fake: FakeTelegram, chat_id: int) -> None:
    sender = Telegram().sender(config(fake.url))
    [result] = send(sender, outbound(str(chat_id)))
    assert result.outcome is Outcome.RECIPIENT_UNREACHABLE
    sender.close()


@pytest.mark.parametrize("kind", list(MediaKind))
def test_media_go_with_a_caption(fake: FakeTelegram, kind: MediaKind) -> None:
    sender = Telegram().sender(config(fake.url))
    [result] = send(sender, outbound(PERSON, "look", media=(Media(kind, "https://example.org/a"),)))
    assert result.outcome is Outcome.ACCEPTED
    assert fake.sent[0]["caption"] == "look"
    sender.close()


REPLY, URL = ButtonKind.REPLY, ButtonKind.URL


def test_buttons_that_mean_their_title_are_a_reply_keyboard() -> None:
    _, body = message_body(outbound(PERSON, buttons=(Button(REPLY, "Yes", "Yes"), Button(REPLY, "No", ""))))
    assert body["reply_markup"]["keyboard"] == [[{"text": "Yes"}], [{"text": "No"}]]


def test_buttons_with_payload_or_link_are_inline(fake: FakeTelegram) -> None:
    buttons = (Button(REPLY, "Yes", "yes-17"), Button(URL, "Read", "https://example.org/"))
    sender = Telegram().sender(config(fake.url))
    [result] = send(sender, outbound(PERSON, buttons=buttons))
    assert result.outcome is Outcome.ACCEPTED
    assert fake.sent[0]["reply_markup"]["inline_keyboard"] == [
        [{"text": "Yes", "callback_data": "yes-17"}],
        [{"text": "Read", "url": "https://example.org/"}],
    ]
    sender.close()


@pytest.mark.parametrize(
    "more",
    [
        {"buttons": (Button(REPLY, "Yes", "x" * 65),)},
        {"buttons": (Button(REPLY, "", "x"),)},
        {"buttons": (Button(URL, "Go", "javascript:alert(1)"),)},
        {"buttons": tuple(Button(REPLY, str(n), str(n)) for n in range(11))},
        {"media": (Media(MediaKind.IMAGE, "http://example.org/a"),)},
        {"media": (Media(MediaKind.IMAGE, "https://example.org/a"),) * 2},
        {"text": "x" * 1025, "media": (Media(MediaKind.IMAGE, "https://example.org/a"),)},
        {"text": "\ud800"},
    ],
)
def test_what_telegram_cannot_carry_is_refused(more: dict[str, Any]) -> None:
    sender = Telegram().sender(config(""))
    with pytest.raises(MessageRejected):
        sender.prepare(outbound(PERSON, **more))
    sender.close()


@pytest.mark.parametrize("address", ["0", "-0", "@ann", "1.5", "９", "12345678901234567890", "9223372036854775808"])
def test_only_chat_ids_are_addresses(address: str) -> None:
    with pytest.raises(InvalidInput):
        Telegram().normalise(address)


def test_start_with_a_payload_is_an_opt_in() -> None:
    event = only(message(text="/start promo42"))
    assert (event.kind, event.payload, event.sender, event.language) == (InboundKind.OPT_IN, "promo42", PERSON, "en")
    assert only(message(text="/start@fake_bot")).kind is InboundKind.OPT_IN


def test_a_start_in_a_group_speaks_for_nobody_else() -> None:
    event = only(message(text="/start x", chat={"id": -100, "type": "supergroup"}))
    assert (event.kind, event.sender) == (InboundKind.TEXT, "-100")


def test_a_messages_id_at_the_provider_does_not_hold_the_address() -> None:
    """It is stored in the open and shown to operators; groups count for themselves."""
    assert message_key(int(PERSON), 5) == "5"
    assert "100123" not in message_key(-100123, 5)
    assert message_key(-100123, 5) != message_key(-100124, 5)


def test_a_command_is_read_as_its_word() -> None:
    """People write /stop here; the keyword engine knows stop."""
    assert only(message(text="/stop")).text == "stop"
    assert only(message(text="/stop@fake_bot please")).text == "stop please"


@pytest.mark.parametrize("status", ["kicked", "left"])
def test_blocking_the_bot_is_an_opt_out(status: str) -> None:
    assert only(membership(status)).kind is InboundKind.OPT_OUT


def test_unblocking_the_bot_is_not_an_opt_in() -> None:
    assert only(membership("member")).kind is InboundKind.OTHER


def test_somebody_elses_membership_means_nothing() -> None:
    assert only(membership("kicked", user=4)).kind is InboundKind.OTHER


def test_a_pressed_button_comes_back_with_title_and_payload() -> None:
    markup = {"inline_keyboard": [[{"text": "Yes", "callback_data": "yes-17"}]]}
    pressed = {"id": "44", "from": {"id": int(PERSON)}, "data": "yes-17"}
    update = {"update_id": 9, "callback_query": pressed | message(reply_markup=markup)}
    event = only(update)
    assert (event.kind, event.text, event.payload, event.sender) == (InboundKind.TEXT, "Yes", "yes-17", PERSON)
    assert event.about == "5"
    answer = Telegram().webhook_answer(config(""), [event])
    assert json.loads(answer.body) == {"method": "answerCallbackQuery", "callback_query_id": "44"}


def test_a_picture_keeps_its_caption() -> None:
    event = only(message(photo=[{"file_id": "a"}], caption="stop"))
    assert (event.kind, event.text) == (InboundKind.MEDIA, "stop")


@pytest.mark.parametrize(
    "update",
    [
        {"update_id": 1},
        {"update_id": 1, "message": "x"},
        {"update_id": 1, "message": {"text": "stop"}},
        {"update_id": 1, "message": {"chat": {"id": True}, "text": "x"}},
        {"update_id": 1, "my_chat_member": {"chat": []}},
        {"update_id": 1, "callback_query": {"message": None, "from": 3}},
        {"update_id": 1, "message": {"chat": {"id": 5}, "from": {"is_bot": True}, "text": "x"}},
    ],
)
def test_a_broken_update_is_stored_without_meaning(update: dict[str, Any]) -> None:
    assert only(update).kind is InboundKind.OTHER


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"a":NaN}', b"[" * 100_000, b'{"a":' * 40 + b"1" + b"}" * 40])
def test_a_signed_body_that_is_no_update_is_invalid(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        Telegram().parse_webhook(config(""), replace(hook({}), body=body))


def test_hostile_text_is_made_storable() -> None:
    assert only(message(text="st\0op \ud800")).text == "stop ?"


def test_two_secrets_live_while_one_is_replaced() -> None:
    account = replace(config(""), secrets={"webhook_secret": "new", "webhook_secret_previous": SECRET})
    assert Telegram().parse_webhook(account, hook(message(text="x")))


def test_polling_hands_out_again_until_the_cursor_is_used(fake: FakeTelegram) -> None:
    account = config(fake.url)
    fake.say(int(PERSON), "one")
    fake.block(int(PERSON))
    events, cursor = Telegram().poll(account, "")
    again, _ = Telegram().poll(account, "")
    assert [event.event_key for event in events] == [event.event_key for event in again]
    assert [event.kind for event in events if isinstance(event, Inbound)] == [InboundKind.TEXT, InboundKind.OPT_OUT]
    assert Telegram().poll(account, cursor) == ([], cursor)
    [result] = send(Telegram().sender(account), outbound(PERSON))
    assert result.outcome is Outcome.RECIPIENT_OPTED_OUT


def test_polling_beside_a_webhook_is_a_mistake_of_ours(fake: FakeTelegram) -> None:
    account = replace(config(fake.url), public_url="https://example.org/hook")
    Telegram().connect_webhook(account)
    with pytest.raises(Misconfigured):
        Telegram().poll(account, "")
    assert Telegram().check(account).ok
    assert not Telegram().check(replace(account, public_url="https://example.org/other")).ok


def test_polling_nobody_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        Telegram().poll(config("http://127.0.0.1:1"), "")


def test_the_fake_pushes_with_the_secret_it_was_given(fake: FakeTelegram) -> None:
    def accept(connection: Any, _count: int) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        return True

    with RawServer(accept) as ours:
        Telegram().connect_webhook(replace(config(fake.url), public_url=ours.url))
        assert fake.press(int(PERSON), "yes-17", title="Yes") == 200
        head, _, body = ours.requests[0].partition(b"\r\n\r\n")
        assert f"X-Telegram-Bot-Api-Secret-Token: {SECRET}".encode() in head
        assert only(json.loads(body)).payload == "yes-17"
