"""Telegram bots: one HTTP call a message, answers in prose, updates pushed or polled.

Facts: ``docs/channels.md``; the error table follows the texts of the public server (tdlib/telegram-bot-api).
Telegram has no idempotency key and no receipts: a call without an answer stays unknown.
"""

from __future__ import annotations

import hmac
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import orjson

from broadcaster.channels.contract import (
    AccountConfig,
    Capabilities,
    CheckResult,
    Field,
    WebhookAnswer,
    WebhookRequest,
)
from broadcaster.channels.evidence import HttpSender, request_once
from broadcaster.channels.payload import header_safe, json_object, mapping
from broadcaster.channels.telegram_updates import message_key, read_updates
from broadcaster.channels.transport import HttpCall, HttpLimits, HttpResult
from broadcaster.core.deliveries import Outcome
from broadcaster.core.errors import BadSignature, InvalidInput, MessageRejected, Misconfigured, Unavailable
from broadcaster.core.messages import Button, ButtonKind, CallResult, ChannelEvent, MediaKind, Outbound

BASE_URL = "https://api.telegram.org"
UPDATES = ("message", "edited_message", "callback_query", "my_chat_member")
CAPTION_MAX = 1024
PAYLOAD_MAX_BYTES = 64
_HEADERS = ("Content-Type: application/json",)
_POLL = 100  #: updates in one answer
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
_CHAT_ID = re.compile(r"-?[1-9][0-9]{0,18}")
_METHODS = {
    MediaKind.IMAGE: ("sendPhoto", "photo"),
    MediaKind.VIDEO: ("sendVideo", "video"),
    MediaKind.AUDIO: ("sendAudio", "audio"),
    MediaKind.DOCUMENT: ("sendDocument", "document"),
}

_OPTED_OUT, _UNREACHABLE = Outcome.RECIPIENT_OPTED_OUT, Outcome.RECIPIENT_UNREACHABLE
#: (status, start of the description in lower case without its prefix, outcome, our short name for operators)
ERRORS: tuple[tuple[int, str, Outcome, str], ...] = (
    (401, "", Outcome.CREDENTIAL, "token"),
    (404, "", Outcome.CREDENTIAL, "token"),
    (409, "", Outcome.CREDENTIAL, "conflict"),
    (403, "bot was blocked by the user", _OPTED_OUT, "blocked"),
    (403, "bot was kicked", _OPTED_OUT, "kicked"),
    (403, "", _UNREACHABLE, "forbidden"),  # deactivated, not started, not a member, a bot, a deleted group
    (400, "group chat was upgraded to a supergroup chat", _UNREACHABLE, "migrated"),
    (400, "chat not found", _UNREACHABLE, "chat_not_found"),
    (400, "private chat not found", _UNREACHABLE, "chat_not_found"),
    (400, "user not found", _UNREACHABLE, "user_not_found"),
    (400, "peer_id_invalid", _UNREACHABLE, "peer_id_invalid"),
    (400, "failed to get http url content", Outcome.TRANSIENT, "media_not_fetched"),
    (400, "wrong type of the web page content", Outcome.TRANSIENT, "media_not_fetched"),
    (400, "", Outcome.MESSAGE_REJECTED, "bad_request"),
    (413, "", Outcome.MESSAGE_REJECTED, "too_large"),
    (429, "", Outcome.THROTTLED, "too_many_requests"),
)
_PREFIX = re.compile(r"(?:bad request|forbidden|unauthorized|not found|conflict|too many requests):\s*")


def read_answer(result: HttpResult) -> CallResult | None:
    """Map an answer of a send method to our words. Raises ValueError if it cannot be read."""
    answer = json_object(result.body)
    if answer.get("ok") is True:
        sent = mapping(answer.get("result"))
        message_id, chat_id = sent.get("message_id"), mapping(sent.get("chat")).get("id")
        if result.status != 200 or not isinstance(message_id, int) or not isinstance(chat_id, int):
            return None
        return CallResult(Outcome.ACCEPTED, message_key(chat_id, message_id))
    description = answer.get("description")
    if answer.get("ok") is not False or not isinstance(description, str):
        return None
    said = _PREFIX.sub("", description.lower(), count=1)
    for status, start, outcome, name in ERRORS:
        if result.status == status and said.startswith(start):
            wait = mapping(answer.get("parameters")).get("retry_after")
            seconds = float(wait) if isinstance(wait, int | float) else None
            return CallResult(outcome, provider_code=f"{status}:{name}", retry_after=seconds)
    return None


class Telegram:
    """Telegram through a bot: people must press Start first."""

    capabilities = Capabilities(
        channel="telegram",
        address_kind="opaque",
        address_scope="account",
        text_max=4096,
        media=frozenset(MediaKind),
        buttons_max=10,
        button_title_max=64,
        user_must_start=True,
        polls=True,
        webhook=True,
        rate_per_second=25.0,  # about 30 over all chats, less room for replies
        recipient_seconds=1.0,
    )
    fields: Sequence[Field] = (
        Field("token", "Bot token", secret=True, help="From @BotFather: digits, a colon, letters."),
        Field("username", "Bot's name", required=False, help="for links to the bot: t.me/..."),
        Field("webhook_secret", "Webhook secret", secret=True, required=False, help="1-256 of A-Z a-z 0-9 _ -"),
        Field("webhook_secret_previous", "Previous webhook secret", secret=True, required=False),
    )

    def normalise(self, address: str, *, region: str | None = None) -> str:
        """Return the chat id, a 64-bit integer other than 0, as digits. Raises InvalidInput."""
        canonical = address.strip()
        if not _CHAT_ID.fullmatch(canonical) or not -(2**63) <= int(canonical) < 2**63:
            raise InvalidInput("A Telegram address is a chat id: a whole number other than 0.", field="address")
        return canonical

    def sender(self, account: AccountConfig) -> HttpSender:
        """Return an open line to the bot's account. Raises Misconfigured."""
        base = _method_url(account, "")

        def build(outbound: Outbound) -> HttpCall:
            method, body = message_body(outbound)
            return HttpCall("POST", base + method, _HEADERS, orjson.dumps(body))

        host = (account.base_url or BASE_URL).rstrip("/") + "/"
        return HttpSender(build=build, read=read_answer, warm_url=host, concurrency=account.concurrency)

    def check(self, account: AccountConfig) -> CheckResult:
        """Ask who we are and whether updates will reach us."""
        try:
            me = _ask(account, "getMe")
            hook = _ask(account, "getWebhookInfo")
        except (Misconfigured, Unavailable) as error:
            return CheckResult(False, problems=(error.message,))
        problems = tuple(_webhook_problems(account, hook))
        return CheckResult(not problems, f"@{me.get('username', '?')}", problems)

    def connect_webhook(self, account: AccountConfig) -> None:
        """Tell Telegram where to send updates. Raises Misconfigured, Unavailable."""
        secret = account.secrets.get("webhook_secret", "")
        if not _SECRET.fullmatch(secret):
            raise Misconfigured("the webhook secret must be 1-256 of A-Z a-z 0-9 _ -")
        _ask(account, "setWebhook", url=account.public_url, secret_token=secret, allowed_updates=UPDATES)

    def parse_webhook(self, account: AccountConfig, request: WebhookRequest) -> Sequence[ChannelEvent]:
        """Compare the secret in constant time, then read the update. Raises BadSignature, InvalidInput."""
        given = request.headers.get("x-telegram-bot-api-secret-token", "").encode()
        known = [account.secrets.get(name, "") for name in ("webhook_secret", "webhook_secret_previous")]
        if not any(hmac.compare_digest(given, secret.encode()) for secret in known if secret):
            raise BadSignature("the secret token of the webhook is missing or wrong")
        try:
            return read_updates([json_object(request.body)], _bot_id(account))
        except ValueError:
            raise InvalidInput("the update is not a JSON object", field="body") from None

    def webhook_answer(self, account: AccountConfig, events: Sequence[ChannelEvent]) -> WebhookAnswer:
        """Stop the button's spinner in the answer itself, where a button was pressed; otherwise say nothing."""
        for event in events:
            origin, _, key = event.event_key.partition(":")
            if origin == "callback":
                call = {"method": "answerCallbackQuery", "callback_query_id": key}
                return WebhookAnswer(200, json.dumps(call).encode(), "application/json")
        return WebhookAnswer()

    def poll(self, account: AccountConfig, cursor: str) -> tuple[Sequence[ChannelEvent], str]:
        """Fetch updates after *cursor*; asking with it confirms the earlier ones. Raises Misconfigured, Unavailable."""
        offset = int(cursor) if cursor.isascii() and cursor.isdigit() else 0
        updates = _ask(account, "getUpdates", offset=offset, limit=_POLL, timeout=0, allowed_updates=UPDATES)
        found = updates.get("list")
        if not isinstance(found, list):
            raise Unavailable("Telegram's answer was not a list of updates")
        ids = [one["update_id"] for one in found if isinstance(one, dict) and isinstance(one.get("update_id"), int)]
        return read_updates(found, _bot_id(account)), str(max([offset, *(last + 1 for last in ids)]))


def message_body(outbound: Outbound) -> tuple[str, dict[str, Any]]:
    """Return the method and its parameters. Raises MessageRejected for what Telegram cannot carry."""
    body: dict[str, Any] = {"chat_id": int(outbound.to)}
    if len(outbound.media) > 1:
        raise MessageRejected("Telegram takes one attachment a message")
    limit = CAPTION_MAX if outbound.media else Telegram.capabilities.text_max
    if len(outbound.text) > limit:
        raise MessageRejected(f"the text has more than {limit} characters")
    if outbound.media:
        [media] = outbound.media
        if not media.url.startswith("https://"):
            raise MessageRejected("attachments need an https address")
        method, name = _METHODS[media.kind]
        body |= {name: media.url} | ({"caption": outbound.text} if outbound.text else {})
    else:
        if not outbound.text.strip():
            raise MessageRejected("the message is empty")
        method = "sendMessage"
        body["text"] = outbound.text
    if outbound.buttons:
        body["reply_markup"] = _keyboard(outbound.buttons)
    return method, body


def _keyboard(buttons: Sequence[Button]) -> dict[str, Any]:
    """Return a reply keyboard if pressing means writing the title, else inline buttons with payload or link."""
    limits = Telegram.capabilities
    if len(buttons) > limits.buttons_max:
        raise MessageRejected(f"there are more than {limits.buttons_max} buttons")
    for button in buttons:
        if not button.title.strip() or len(button.title) > limits.button_title_max:
            raise MessageRejected(f"a button's title has 1 to {limits.button_title_max} characters")
        if button.kind is ButtonKind.REPLY and len(button.value.encode()) > PAYLOAD_MAX_BYTES:
            raise MessageRejected(f"a button's payload has more than {PAYLOAD_MAX_BYTES} bytes")
        if button.kind is ButtonKind.URL and not button.value.startswith(("https://", "http://")):
            raise MessageRejected("a button's link must be an http address")
    if all(button.kind is ButtonKind.REPLY and button.value in ("", button.title) for button in buttons):
        rows = [[{"text": button.title}] for button in buttons]
        return {"keyboard": rows, "one_time_keyboard": True, "resize_keyboard": True}
    return {"inline_keyboard": [[_inline(button)] for button in buttons]}


def _inline(button: Button) -> dict[str, str]:
    name = "url" if button.kind is ButtonKind.URL else "callback_data"
    return {"text": button.title, name: button.value or button.title}


def _bot_id(account: AccountConfig) -> int:
    digits = account.secrets.get("token", "").partition(":")[0]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def _method_url(account: AccountConfig, method: str) -> str:
    token = header_safe(account.secrets.get("token", ""), "token")
    return f"{(account.base_url or BASE_URL).rstrip('/')}/bot{quote(token, safe=':')}/{method}"


def _ask(account: AccountConfig, method: str, **parameters: object) -> Mapping[str, Any]:
    """Call an admin method; a list as result comes back under ``list``. Raises Misconfigured, Unavailable."""
    call = HttpCall("POST", _method_url(account, method), _HEADERS, json.dumps(parameters).encode())
    answered = request_once(call, HttpLimits(body_max=4 << 20))
    try:
        answer = json_object(answered.body)
    except ValueError:
        answer = {}
    if answered.status == 200 and answered.error is None and answer.get("ok") is True:
        found = answer.get("result")
        return found if isinstance(found, dict) else {"list": found}
    if answered.status in (401, 404):
        raise Misconfigured("Telegram does not know this bot token")
    if answered.status == 409:
        raise Misconfigured("a webhook is set for this bot: updates are pushed and cannot be polled")
    if answered.status == 400:
        raise Misconfigured(f"Telegram refused the parameters of {method}")
    raise Unavailable(f"Telegram did not answer {method} ({answered.status or answered.error})")


def _webhook_problems(account: AccountConfig, hook: Mapping[str, Any]) -> list[str]:
    url, allowed = hook.get("url") or "", hook.get("allowed_updates")
    if not url:
        return []  # polled
    problems = []
    if url != account.public_url:
        problems.append("Telegram sends updates to another address than the configured one")
    if isinstance(allowed, list) and not set(UPDATES) <= set(allowed):
        problems.append("the webhook does not deliver all updates we need (blocked bots would go unnoticed)")
    if hook.get("last_error_date"):
        problems.append("Telegram's last call of the webhook failed")
    return problems
