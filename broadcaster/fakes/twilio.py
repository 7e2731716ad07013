"""A Twilio Messages API that refuses what the real one refuses, with its statuses and codes.

Magic numbers are in ``MAGIC``: Twilio's own test numbers, and ours for accidents. ``say`` sends an inbound message,
``receipts`` the status callbacks of a message, in any order and as often as asked.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from broadcaster.fakes.server import ACCEPTS, Behaviour, FakeServer, Reply, Request, post

ACCOUNT_SID = "AC" + "0123456789abcdef" * 2
AUTH_TOKEN = "fedcba9876543210" * 2
MAGIC: dict[str, Behaviour] = {
    "+15005550004": Behaviour.BLOCKED,  # Twilio's own: blacklisted
    "+15005550001": Behaviour.NOBODY,  # Twilio's own: not a number
    "+15005551003": Behaviour.THROTTLED,
    "+15005551004": Behaviour.SLOW,
    "+15005551005": Behaviour.HANG,
    "+15005551006": Behaviour.RESET,
    "+15005551007": Behaviour.CLOSE,
    "+15005551008": Behaviour.ERROR_500,
    "+15005551009": Behaviour.HTML_502,
    "+15005551010": Behaviour.EMPTY_200,
    "+15005551011": Behaviour.GARBAGE_200,
    "+15005551012": Behaviour.HUGE_200,
    "+15005551013": Behaviour.CREDENTIAL,
}
#: Numbers that are refused with another code.
REFUSED: dict[str, tuple[int, int, str]] = {
    "+15005550002": (400, 21612, "cannot route to this number"),
    "+15005550009": (400, 21614, "not a mobile number"),
}
DEFAULT_RECEIPTS = ("sent", "delivered")
_NUMBER = re.compile(r"\+[1-9][0-9]{5,14}")
_SENDER = re.compile(r"\+[1-9][0-9]{5,14}|[A-Za-z0-9 ]{1,11}|[0-9]{3,8}")


@dataclass(frozen=True, slots=True)
class Message:
    """One message the provider has taken."""

    sid: str
    to: str
    sender: str
    text: str = field(repr=False)
    media: tuple[str, ...]
    callback: str


def sign(token: str, url: str, items: Sequence[tuple[str, str]]) -> str:
    """Return X-Twilio-Signature; written apart from the channel's own, so that each checks the other."""
    names = sorted({name for name, _ in items})
    pieces = [url]
    for name in names:
        pieces += [name + value for value in sorted({value for key, value in items if key == name})]
    return base64.b64encode(hmac.new(token.encode(), "".join(pieces).encode(), hashlib.sha1).digest()).decode()


def _error(status: int, code: int, message: str) -> Reply:
    more = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": message, "more_info": more, "status": status}
    return Reply(status, json.dumps(body).encode())


class FakeTwilio(FakeServer):
    """One account. With *receipts_to_all* every message is followed by its default receipts, as in life."""

    def __init__(
        self,
        port: int = 0,
        *,
        account_sid: str = ACCOUNT_SID,
        auth_token: str = AUTH_TOKEN,
        receipts_to_all: bool = False,
        slow_seconds: float = 0.2,
    ) -> None:
        super().__init__(port, slow_seconds=slow_seconds)
        self.account_sid = account_sid
        self.auth_token = auth_token
        self.messages: dict[str, Message] = {}
        self.opted_out: set[str] = set()
        self._receipts_to_all = receipts_to_all
        self._numbers = itertools.count(1)

    def reply_to(self, request: Request) -> Reply:
        """Answer one request."""
        root = f"/2010-04-01/Accounts/{self.account_sid}"
        if not self._signed_in(request):
            return _error(401, 20003, "Authenticate")
        if request.method == "GET" and request.path == f"{root}.json":
            return Reply(200, json.dumps({"sid": self.account_sid, "status": "active", "type": "Full"}).encode())
        if request.path != f"{root}/Messages.json":
            return _error(404, 20404, "The requested resource was not found")
        if request.method != "POST":
            return _error(405, 20004, "Method not allowed")
        return self._create(request)

    def _signed_in(self, request: Request) -> bool:
        given = request.headers.get("authorization", "")
        pair = f"{self.account_sid}:{self.auth_token}".encode()
        return hmac.compare_digest(given.encode(), b"Basic " + base64.b64encode(pair))

    def _create(self, request: Request) -> Reply:
        items = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
        form = dict(items)
        media = tuple(value for name, value in items if name == "MediaUrl")
        to = form.get("To", "")
        refusal = _content_refusal(request, form, media) or self._recipient_refusal(to)
        if refusal:
            self.record(request, to, accepted=False)
            return refusal
        behaviour = self.behaviour_of(MAGIC.get(to))
        if refusal := _behaviour_refusal(behaviour, to):
            self.record(request, to, accepted=False)
            return refusal
        return self._take(request, form, media, behaviour)

    def _recipient_refusal(self, to: str) -> Reply | None:
        if to in REFUSED:
            return _error(*REFUSED[to])
        if to in self.opted_out:
            return _error(400, 21610, "Attempt to send to unsubscribed recipient")
        return None

    def _take(self, request: Request, form: dict[str, str], media: tuple[str, ...], behaviour: Behaviour) -> Reply:
        sid = f"SM{next(self._numbers):032x}"
        accepted = behaviour in ACCEPTS
        sender = form.get("From") or form["MessagingServiceSid"]
        message = Message(sid, form["To"], sender, form.get("Body", ""), media, form.get("StatusCallback", ""))
        self.record(request, message.to, accepted=accepted, provider_id=sid)
        if accepted:
            self.messages[sid] = message
            if self._receipts_to_all and message.callback:
                threading.Thread(target=self._quietly_report, args=(sid,), daemon=True).start()
        shown = {"sid": sid, "status": "queued", "error_code": None, "error_message": None, "num_segments": "1"}
        body = shown | {"direction": "outbound-api", "to": message.to, "from": sender, "body": message.text}
        return Reply(201, json.dumps(body).encode(), behaviour=behaviour)

    def _quietly_report(self, sid: str) -> None:
        try:
            self.receipts(sid)
        except OSError:
            pass  # nobody listens at the callback's address

    def receipts(self, sid: str, *statuses: str, error_code: int | None = None) -> list[int]:
        """Post status callbacks of a message, in the order given; return what was answered."""
        message = self.messages[sid]
        answers = []
        for status in statuses or DEFAULT_RECEIPTS:
            items = [("MessageSid", sid), ("SmsSid", sid), ("AccountSid", self.account_sid), ("MessageStatus", status)]
            items += [("SmsStatus", status), ("To", message.to), ("From", message.sender)]
            if error_code is not None and status in ("failed", "undelivered"):
                items.append(("ErrorCode", str(error_code)))
            answers.append(self.call_back(message.callback, items))
        return answers

    def say(
        self, url: str, sender: str, text: str, *, to: str = "+15550100", optout_type: str = "", sid: str = ""
    ) -> int:
        """Post an inbound message; STOP and START also change whether we can write to the sender."""
        word = (optout_type or text).strip().upper()
        if word == "STOP":
            self.opted_out.add(sender)
        elif word == "START":
            self.opted_out.discard(sender)
        items = [("MessageSid", sid or f"SM{next(self._numbers):032x}"), ("AccountSid", self.account_sid)]
        items += [("From", sender), ("To", to), ("Body", text), ("NumMedia", "0"), ("SmsStatus", "received")]
        if optout_type:
            items.append(("OptOutType", optout_type))
        return self.call_back(url, items)

    def call_back(self, url: str, items: Sequence[tuple[str, str]]) -> int:
        """Post a signed form."""
        headers = {
            "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
            "X-Twilio-Signature": sign(self.auth_token, url, items),
        }
        return post(url, urlencode(items).encode(), headers)


def _content_refusal(request: Request, form: dict[str, str], media: tuple[str, ...]) -> Reply | None:
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        return _error(415, 20415, "Unsupported media type")
    if not form.get("To"):
        return _error(400, 21604, "A 'To' phone number is required.")
    if not _NUMBER.fullmatch(form["To"]):
        return _error(400, 21211, "Invalid 'To' Phone Number")
    if not form.get("From") and not form.get("MessagingServiceSid"):
        return _error(400, 21603, "A 'From' phone number is required.")
    if form.get("From") and not _SENDER.fullmatch(form["From"]):
        return _error(400, 21212, "Invalid 'From' Number")
    if not form.get("Body", "").strip() and not media:
        return _error(400, 21602, "Message body is required.")
    if len(form.get("Body", "")) > 1600:
        return _error(400, 21617, "The concatenated message body exceeds the 1600 character limit")
    if len(media) > 10 or not all(url.startswith(("https://", "http://")) for url in media):
        return _error(400, 21620, "Invalid media URL(s)")
    callback = form.get("StatusCallback", "https://")
    return None if callback.startswith(("https://", "http://")) else _error(400, 21609, "Invalid 'StatusCallback' URL")


def _behaviour_refusal(behaviour: Behaviour, to: str) -> Reply | None:
    match behaviour:
        case Behaviour.CREDENTIAL:
            return _error(401, 20003, "Authenticate")
        case Behaviour.BLOCKED:
            return _error(400, 21610, "Attempt to send to unsubscribed recipient")
        case Behaviour.NOBODY:
            return _error(400, 21211, f"The 'To' number {to} is not a valid phone number.")
        case Behaviour.THROTTLED:
            return _error(429, 20429, "Too Many Requests")
        case _:
            return None


def run(port: int) -> None:
    """Serve until interrupted."""
    FakeTwilio(port, receipts_to_all=True).run_forever()
