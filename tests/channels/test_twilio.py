"""SMS through Twilio: codes, signatures over the configured URL, and who answers a STOP."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from broadcaster.channels.contract import AccountConfig, WebhookRequest
from broadcaster.channels.transport import HttpResult
from broadcaster.channels.twilio import Twilio, message_form, read_answer
from broadcaster.channels.twilio_callbacks import CODES, ERRORS, signature
from broadcaster.core.deliveries import Outcome, ReceiptKind
from broadcaster.core.errors import BadSignature, InvalidInput, MessageRejected, Misconfigured
from broadcaster.core.messages import Button, ButtonKind, Inbound, InboundKind, Media, MediaKind, Receipt
from broadcaster.fakes.twilio import ACCOUNT_SID, AUTH_TOKEN, REFUSED, FakeTwilio
from tests.channels.contract import REFERENCE, ChannelContract, outbound, send
from tests.channels.wire import RawServer

PERSON = "+12025550143"
OURS = "+12025550100"
PUBLIC_URL = "https://example.org/hook/sms/1"


def config(base_url: str) -> AccountConfig:
    settings = {"account_sid": ACCOUNT_SID, "sender": OURS}
    secrets = {"auth_token": AUTH_TOKEN}
    return AccountConfig(1, "sms", base_url, settings, secrets, concurrency=8, public_url=PUBLIC_URL)


def callback(
    fields: dict[str, str], *, url: str = PUBLIC_URL, signed: str = "", token: str = AUTH_TOKEN
) -> WebhookRequest:
    items = list(fields.items())
    headers = {"x-twilio-signature": signature(token, signed or url, items)}
    return WebhookRequest("POST", url, headers, urlencode(items).encode())


def inbound(**fields: str) -> dict[str, str]:
    base = {"MessageSid": "SM1", "AccountSid": ACCOUNT_SID, "From": PERSON, "To": OURS, "Body": "hello"}
    return base | {"NumMedia": "0", "SmsStatus": "received"} | fields


def status(word: str, **fields: str) -> dict[str, str]:
    return {"MessageSid": "SM2", "AccountSid": ACCOUNT_SID, "MessageStatus": word, "To": PERSON, "From": OURS} | fields


def only(request: WebhookRequest, **settings: str) -> Any:
    account = config("")
    account = replace(account, settings=dict(account.settings) | settings)
    [event] = Twilio().parse_webhook(account, request)
    return event


class TestContract(ChannelContract):
    channel = Twilio()
    person = PERSON
    secrets = (AUTH_TOKEN,)

    @pytest.fixture
    def fake(self) -> Iterator[FakeTwilio]:
        with FakeTwilio() as fake:
            yield fake

    def account(self, base_url: str) -> AccountConfig:
        return config(base_url)

    def event_request(self, kind: str) -> WebhookRequest:
        fields = {
            "text": inbound(),
            "opt_out": inbound(Body="STOP", OptOutType="STOP"),
            "unknown": {"EventType": "onMessageSomething"},
        }
        return callback(fields[kind])

    def forgeries(self, request: WebhookRequest) -> Iterator[WebhookRequest]:
        yield from super().forgeries(request)
        yield replace(request, body=request.body.replace(b"hello", b"hellp"))
        yield replace(request, body=request.body + b"&Extra=1")
        yield replace(request, body=request.body + b"%20")
        yield replace(request, url=PUBLIC_URL + "?a=b")
        yield replace(request, url=PUBLIC_URL.replace("https", "http"))
        yield callback(inbound(), token="0" * 32)
        yield callback(inbound(), signed="https://attacker.example/hook/sms/1")


@pytest.fixture
def fake() -> Iterator[FakeTwilio]:
    with FakeTwilio() as started:
        yield started


def test_the_signature_vector() -> None:
    items = [("From", "+15550100001"), ("Body", "STOP"), ("MessageSid", "SM1")]
    assert signature("twilio-token", "https://example.org/hook/sms", items) == "7U5K5UBOB+rhNdUGOWVJGZQqw1k="


def test_repeated_fields_are_signed_once_a_value() -> None:
    url = "https://example.org/"
    once = signature("t", url, [("A", "2"), ("A", "1")])
    assert once == signature("t", url, [("A", "1"), ("A", "2"), ("A", "1")])
    assert once == signature("t", url + "A1A2", [])


@pytest.mark.parametrize(
    "url, signed",
    [
        ("https://example.org/hook", "https://example.org:443/hook"),
        ("https://example.org:443/hook", "https://example.org/hook"),
        ("http://example.org/hook?a=b", "http://example.org:80/hook?a=b"),
        ("https://example.org:8443/hook", "https://example.org:8443/hook"),
    ],
)
def test_the_default_port_may_be_said_or_not(url: str, signed: str) -> None:
    assert only(callback(inbound(), url=url, signed=signed)).text == "hello"


def test_another_port_is_another_url() -> None:
    with pytest.raises(BadSignature):
        only(callback(inbound(), url="https://example.org/hook", signed="https://example.org:8443/hook"))


def test_a_json_body_is_signed_by_its_digest() -> None:
    body = json.dumps(inbound()).encode()
    url = f"{PUBLIC_URL}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    request = WebhookRequest("POST", url, {"x-twilio-signature": signature(AUTH_TOKEN, url, [])}, body)
    assert only(request).text == "hello"
    with pytest.raises(BadSignature):
        only(replace(request, body=body + b" "))
    broken = b"["
    url = f"{PUBLIC_URL}?bodySHA256={hashlib.sha256(broken).hexdigest()}"
    with pytest.raises(InvalidInput):
        only(WebhookRequest("POST", url, {"x-twilio-signature": signature(AUTH_TOKEN, url, [])}, broken))


def test_two_tokens_live_while_one_is_replaced() -> None:
    account = replace(config(""), secrets={"auth_token": "new", "auth_token_previous": AUTH_TOKEN})
    assert Twilio().parse_webhook(account, callback(inbound()))


@pytest.mark.parametrize(
    "fields, kind, answered",
    [
        ({"Body": "hello"}, InboundKind.TEXT, False),
        ({"Body": "STOP", "OptOutType": "STOP"}, InboundKind.OPT_OUT, True),
        ({"Body": "arret", "OptOutType": "STOP"}, InboundKind.OPT_OUT, True),
        ({"Body": "START", "OptOutType": "START"}, InboundKind.OPT_IN, True),
        ({"Body": "HELP", "OptOutType": "HELP"}, InboundKind.HELP, True),
        ({"Body": " stop "}, InboundKind.TEXT, True),
        ({"Body": "please stop"}, InboundKind.TEXT, False),
        ({"Body": "x", "OptOutType": "NEW"}, InboundKind.TEXT, False),
        ({"Body": "", "NumMedia": "1"}, InboundKind.MEDIA, False),
        ({"Body": "stop it", "NumMedia": "1"}, InboundKind.TEXT, False),
    ],
)
def test_who_answers_an_inbound(fields: dict[str, str], kind: InboundKind, answered: bool) -> None:
    event = only(callback(inbound(**fields)))
    assert (event.kind, event.answered_by_platform, event.event_key) == (kind, answered, "SM1")


def test_stop_is_ours_to_answer_where_twilios_handling_is_off() -> None:
    assert not only(callback(inbound(Body="STOP")), stop_handling="us").answered_by_platform


@pytest.mark.parametrize("sender", ["", "Bank", OURS, "whatsapp:+12025550143"])
def test_a_sender_who_cannot_be_answered_is_stored_without_meaning(sender: str) -> None:
    event = only(callback(inbound(From=sender)))
    assert (event.kind, event.sender, event.text) == (InboundKind.OTHER, "", "hello")


@pytest.mark.parametrize(
    "word, kind, outcome",
    [
        ("sent", ReceiptKind.SENT, None),
        ("delivered", ReceiptKind.DELIVERED, None),
        ("read", ReceiptKind.READ, None),
        ("undelivered", ReceiptKind.FAILED, Outcome.RECIPIENT_UNREACHABLE),
        ("failed", ReceiptKind.FAILED, Outcome.RECIPIENT_UNREACHABLE),
    ],
)
def test_a_status_becomes_a_receipt(word: str, kind: ReceiptKind, outcome: Outcome | None) -> None:
    event = only(callback(status(word, ErrorCode="30005"), url=f"{PUBLIC_URL}?ref={REFERENCE}"))
    assert isinstance(event, Receipt)
    assert (event.provider_id, event.kind, event.outcome) == ("SM2", kind, outcome)
    assert (event.event_key, event.reference) == (f"SM2:{word}", REFERENCE)


@pytest.mark.parametrize("word", ["queued", "sending", "accepted", "brand-new"])
def test_other_statuses_mean_nothing(word: str) -> None:
    event = only(callback(status(word)))
    assert isinstance(event, Inbound)
    assert (event.kind, event.sender) == (InboundKind.OTHER, "")


@pytest.mark.parametrize("code, outcome", ERRORS.items())
def test_every_code_of_the_table_is_read(code: int, outcome: Outcome) -> None:
    body = json.dumps({"code": code, "message": f"to {PERSON}", "status": 400}).encode()
    result = read_answer(HttpResult(400, True, None, None, body))
    assert result is not None
    assert (result.outcome, result.provider_code) == (outcome, str(code))


def test_a_code_stands_once_in_the_table() -> None:
    """A code listed under two outcomes would silently get the last."""
    assert len(ERRORS) == sum(len(codes) for codes in CODES.values())


@pytest.mark.parametrize("number", REFUSED)
def test_numbers_that_cannot_receive(fake: FakeTwilio, number: str) -> None:
    sender = Twilio().sender(config(fake.url))
    [result] = send(sender, outbound(number))
    assert result.outcome is Outcome.RECIPIENT_UNREACHABLE
    sender.close()


def test_the_form_of_a_message() -> None:
    media = tuple(Media(MediaKind.IMAGE, f"https://example.org/{n}") for n in range(2))
    form = message_form(outbound(PERSON, "hé", media=media), "MG" + "0" * 32, PUBLIC_URL + "?x=1")
    assert form == [
        ("To", PERSON),
        ("MessagingServiceSid", "MG" + "0" * 32),
        ("Body", "hé"),
        ("MediaUrl", "https://example.org/0"),
        ("MediaUrl", "https://example.org/1"),
        ("StatusCallback", f"{PUBLIC_URL}?x=1&ref={REFERENCE}"),
    ]
    assert parse_qsl(urlencode(form)) == form


@pytest.mark.parametrize(
    "more",
    [
        {"buttons": (Button(ButtonKind.REPLY, "Yes", "yes"),)},
        {"media": (Media(MediaKind.IMAGE, "http://example.org/a"),)},
        {"media": (Media(MediaKind.IMAGE, "https://example.org/a"),) * 11},
        {"text": "\ud800"},
    ],
)
def test_what_an_sms_cannot_carry_is_refused(more: dict[str, Any]) -> None:
    sender = Twilio().sender(config(""))
    with pytest.raises(MessageRejected):
        sender.prepare(outbound(PERSON, **more))
    sender.close()


def test_an_api_key_signs_in_instead_of_the_token() -> None:
    account = config("")
    incomplete = replace(account, settings=dict(account.settings) | {"api_key_sid": "SK1"})
    with pytest.raises(Misconfigured) as caught:
        Twilio().sender(incomplete)
    assert "api_key_secret" in str(caught.value)
    broken = replace(account, secrets={"auth_token": "a\r\nX-Evil: 1"})
    with pytest.raises(Misconfigured) as caught:
        Twilio().sender(broken)
    assert "Evil" not in str(caught.value)


def test_an_answer_is_empty_twiml() -> None:
    answer = Twilio().webhook_answer(config(""), [])
    assert (answer.status, answer.content_type.partition(";")[0]) == (200, "text/xml")
    assert answer.body.endswith(b"<Response/>")


def test_the_fake_calls_back_signed_late_twice_and_out_of_order(fake: FakeTwilio) -> None:
    def accept(connection: Any, _count: int) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        return True

    with RawServer(accept) as ours:
        account = replace(config(fake.url), public_url=ours.url + "hook")
        [result] = send(Twilio().sender(account), outbound(PERSON))
        assert result.provider_id
        assert fake.receipts(result.provider_id, "delivered", "sent", "sent") == [200] * 3
        assert fake.say(account.public_url, PERSON, "STOP", optout_type="STOP") == 200
        events = [_parsed(account, ours.url, request) for request in ours.requests]
    kinds = [event.kind for event in events]
    assert kinds == [ReceiptKind.DELIVERED, ReceiptKind.SENT, ReceiptKind.SENT, InboundKind.OPT_OUT]
    assert [event.reference for event in events[:3]] == [REFERENCE] * 3
    assert events[1].event_key == events[2].event_key
    [result] = send(Twilio().sender(account), outbound(PERSON))
    assert result.outcome is Outcome.RECIPIENT_OPTED_OUT


def _parsed(account: AccountConfig, origin: str, raw: bytes) -> Any:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    request = WebhookRequest("POST", origin.rstrip("/") + first.split(" ")[1], headers, body)
    [event] = Twilio().parse_webhook(account, request)
    return event
