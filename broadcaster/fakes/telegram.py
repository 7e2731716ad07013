"""A Telegram Bot API that refuses what the real one refuses, with its statuses and words.

Magic chat ids (any other is an ordinary person) are in ``MAGIC``. Inbound: ``say``, ``press``, ``block``, ``unblock``;
each update is pushed to the webhook if one is set, else kept for getUpdates.
"""

from __future__ import annotations

import hmac
import itertools
import json
import re
import threading
import time
from typing import Any

from broadcaster.fakes.server import ACCEPTS, Behaviour, FakeServer, Reply, Request, post
from broadcaster.fakes.telegram_rules import PARTS, RefusedError, chat_id_of, check_content, error, parameters

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"  # the example of Telegram's documentation
MAGIC: dict[int, Behaviour] = {
    990000001: Behaviour.BLOCKED,
    990000002: Behaviour.NOBODY,
    990000003: Behaviour.THROTTLED,
    990000004: Behaviour.SLOW,
    990000005: Behaviour.HANG,
    990000006: Behaviour.RESET,
    990000007: Behaviour.CLOSE,
    990000008: Behaviour.ERROR_500,
    990000009: Behaviour.HTML_502,
    990000010: Behaviour.EMPTY_200,
    990000011: Behaviour.GARBAGE_200,
    990000012: Behaviour.HUGE_200,
    990000013: Behaviour.CREDENTIAL,
}
DEACTIVATED, NOT_STARTED, MIGRATED = 990000021, 990000022, 990000023
_REFUSALS: dict[int, tuple[int, str]] = {
    DEACTIVATED: (403, "Forbidden: user is deactivated"),
    NOT_STARTED: (403, "Forbidden: bot can't initiate conversation with a user"),
    MIGRATED: (400, "Bad Request: group chat was upgraded to a supergroup chat"),
}
_SECRET = re.compile(r"[A-Za-z0-9_-]{0,256}")
_RETRY_AFTER_SECONDS = 2


def _ok(result: object) -> Reply:
    return Reply(200, json.dumps({"ok": True, "result": result}).encode())


class FakeTelegram(FakeServer):
    """One bot, everybody has started it."""

    def __init__(
        self, port: int = 0, *, token: str = TOKEN, per_second: float = 0.0, slow_seconds: float = 0.2
    ) -> None:
        super().__init__(port, slow_seconds=slow_seconds)
        self.token = token
        self.bot_id = int(token.partition(":")[0])
        self.per_second = per_second  #: 0: no limit
        self.sent: list[dict[str, Any]] = []  #: what people see, newest last
        self.answered_callbacks: list[str] = []
        self.webhook: dict[str, Any] = {}
        self._updates: list[dict[str, Any]] = []
        self._blocked: set[int] = set()
        self._numbers = itertools.count(1)
        self._tokens, self._refilled_at = per_second, time.monotonic()
        self._lock = threading.Lock()

    # what the API answers

    def reply_to(self, request: Request) -> Reply:
        """Answer one method call."""
        found = re.fullmatch(r"/bot([0-9]+:[A-Za-z0-9_-]+)/([A-Za-z]+)", request.path)
        if not found:
            return error(404, "Not Found")
        if not hmac.compare_digest(found[1], self.token):
            return error(401, "Unauthorized")
        try:
            return self._call(found[2], request)
        except RefusedError as refused:
            return refused.reply

    def _call(self, method: str, request: Request) -> Reply:
        fields = parameters(request)
        if method == "sendMessage" or method in PARTS:
            return self._send(method, fields, request)
        match method.lower():
            case "getme":
                return _ok({"id": self.bot_id, "is_bot": True, "first_name": "Fake", "username": "fake_bot"})
            case "getwebhookinfo":
                public = {key: value for key, value in self.webhook.items() if key != "secret_token"}
                return _ok({"url": "", "has_custom_certificate": False, "pending_update_count": 0} | public)
            case "setwebhook":
                return self._set_webhook(fields)
            case "deletewebhook":
                self.webhook = {}
                return _ok(True)
            case "getupdates":
                return self._get_updates(fields)
            case "answercallbackquery":
                self.answered_callbacks.append(str(fields.get("callback_query_id")))
                return _ok(True)
            case _:
                return error(404, "Not Found: method not found")

    def _send(self, method: str, fields: dict[str, Any], request: Request) -> Reply:
        chat_id = chat_id_of(fields)
        to = str(chat_id)
        try:
            check_content(method, fields)
            behaviour = self.behaviour_of(Behaviour.BLOCKED if chat_id in self._blocked else MAGIC.get(chat_id))
            self._check_recipient(chat_id, behaviour)
        except RefusedError:
            self.record(request, to, accepted=False)
            raise
        number = next(self._numbers)
        accepted = behaviour in ACCEPTS
        self.record(request, to, accepted=accepted, provider_id=str(number))
        if accepted:
            self.sent.append({"message_id": number, **fields})
        message = {"message_id": number, "chat": {"id": chat_id, "type": "private"}, "date": int(time.time())}
        answer = _ok(message | {"text": fields.get("text", "")})
        return Reply(answer.status, answer.body, behaviour=behaviour)

    def _check_recipient(self, chat_id: int, behaviour: Behaviour) -> None:
        if chat_id in _REFUSALS:
            code, description = _REFUSALS[chat_id]
            extra = {"migrate_to_chat_id": -1001234567890} if chat_id == MIGRATED else {}
            raise RefusedError(code, description, **extra)
        if behaviour is Behaviour.CREDENTIAL:
            raise RefusedError(401, "Unauthorized")
        if behaviour is Behaviour.BLOCKED:
            raise RefusedError(403, "Forbidden: bot was blocked by the user")
        if behaviour is Behaviour.NOBODY:
            raise RefusedError(400, "Bad Request: chat not found")
        if behaviour is Behaviour.THROTTLED or not self._has_token():
            wait = _RETRY_AFTER_SECONDS
            raise RefusedError(429, f"Too Many Requests: retry after {wait}", retry_after=wait)

    def _has_token(self) -> bool:
        if not self.per_second:
            return True
        now = time.monotonic()
        self._tokens = min(self.per_second, self._tokens + (now - self._refilled_at) * self.per_second)
        self._refilled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _set_webhook(self, fields: dict[str, Any]) -> Reply:
        url, secret = str(fields.get("url", "")), str(fields.get("secret_token", ""))
        if not _SECRET.fullmatch(secret):
            return error(400, "Bad Request: secret token contains unallowed characters")
        if url and not url.startswith(("https://", "http://127.0.0.1")):  # the real one takes https only
            return error(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        self.webhook = {"url": url, "secret_token": secret} if url else {}
        if url and isinstance(fields.get("allowed_updates"), list):
            self.webhook["allowed_updates"] = fields["allowed_updates"]
        return _ok(True)

    def _get_updates(self, fields: dict[str, Any]) -> Reply:
        if self.webhook:
            return error(
                409,
                "Conflict: can't use getUpdates method while webhook is active;"
                " use deleteWebhook to delete the webhook first",
            )
        offset, limit = int(fields.get("offset") or 0), int(fields.get("limit") or 100)
        with self._lock:
            self._updates = [one for one in self._updates if one["update_id"] >= offset]
            return _ok(self._updates[: min(max(limit, 1), 100)])

    # what people do

    def say(self, chat_id: int, text: str, *, language: str = "en") -> int:
        """Let a person write; return the webhook's status, 0 if the update waits for getUpdates."""
        return self.update({"message": self._message(chat_id, language) | {"text": text}})

    def press(self, chat_id: int, data: str, *, title: str = "") -> int:
        """Let a person press an inline button."""
        markup = {"inline_keyboard": [[{"text": title, "callback_data": data}]]}
        message = self._message(chat_id, "en") | {"reply_markup": markup}
        query = {"id": f"q{next(self._numbers)}", "from": {"id": chat_id}, "message": message, "data": data}
        return self.update({"callback_query": query})

    def block(self, chat_id: int) -> int:
        """Let a person block the bot; sending to them is refused from now on."""
        self._blocked.add(chat_id)
        return self._membership(chat_id, "member", "kicked")

    def unblock(self, chat_id: int) -> int:
        """Let a person unblock the bot."""
        self._blocked.discard(chat_id)
        return self._membership(chat_id, "kicked", "member")

    def _membership(self, chat_id: int, before: str, after: str) -> int:
        bot = {"id": self.bot_id, "is_bot": True, "first_name": "Fake"}
        change = {
            "chat": {"id": chat_id, "type": "private"},
            "from": {"id": chat_id, "is_bot": False},
            "date": int(time.time()),
            "old_chat_member": {"user": bot, "status": before},
            "new_chat_member": {"user": bot, "status": after, "until_date": 0},
        }
        return self.update({"my_chat_member": change})

    def _message(self, chat_id: int, language: str) -> dict[str, Any]:
        return {
            "message_id": next(self._numbers),
            "from": {"id": chat_id, "is_bot": False, "first_name": "Ann", "language_code": language},
            "chat": {"id": chat_id, "type": "private"},
            "date": int(time.time()),
        }

    def update(self, content: dict[str, Any]) -> int:
        """Deliver an update as Telegram would."""
        update = {"update_id": next(self._numbers)} | content
        if not self.webhook:
            with self._lock:
                self._updates.append(update)
            return 0
        return self.push(self.webhook["url"], update, self.webhook["secret_token"])

    def push(self, url: str, update: dict[str, Any], secret: str) -> int:
        """Post *update* to *url* with *secret*, once more if called once more."""
        headers = {"Content-Type": "application/json", "X-Telegram-Bot-Api-Secret-Token": secret}
        return post(url, json.dumps(update).encode(), headers)


def run(port: int) -> None:
    """Serve until interrupted."""
    FakeTelegram(port).run_forever()
