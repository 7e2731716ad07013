"""Twilio's callbacks and error codes in our words; the signature is checked before anything is read."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qs, parse_qsl, urlsplit

from broadcaster.channels.contract import AccountConfig, WebhookRequest
from broadcaster.channels.payload import clean_text, json_object
from broadcaster.core.deliveries import Outcome, ReceiptKind
from broadcaster.core.errors import BadSignature, InvalidInput
from broadcaster.core.messages import ChannelEvent, Inbound, InboundKind, Receipt

Form = dict[str, str]

_FIELDS_MAX = 300
_NUMBER = re.compile(r"\+[1-9][0-9]{5,14}")
#: What Twilio answers by itself where its default handling is on ("Advanced Opt-Out" says so in OptOutType).
_ANSWERED = frozenset(
    {"STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "CANCEL", "REVOKE", "OPTOUT"}
    | {"START", "YES", "UNSTOP"}
    | {"HELP", "INFO"}
)
_OPT_OUT_TYPES = {"STOP": InboundKind.OPT_OUT, "START": InboundKind.OPT_IN, "HELP": InboundKind.HELP}
_RECEIPTS = {
    "sent": ReceiptKind.SENT,
    "delivered": ReceiptKind.DELIVERED,
    "read": ReceiptKind.READ,
    "undelivered": ReceiptKind.FAILED,
    "failed": ReceiptKind.FAILED,
    "canceled": ReceiptKind.FAILED,
}

#: What Twilio's error codes mean, in the answer to a post and in status callbacks alike.
CODES: dict[Outcome, tuple[int, ...]] = {
    Outcome.RECIPIENT_OPTED_OUT: (21610,),
    Outcome.RECIPIENT_UNREACHABLE: (
        *(21211, 21214, 21217, 21265, 21612, 21614, 30005, 30006, 63003, 63024, 63032, 63033),
    ),
    # 30004 is "blocked" by person, carrier or handset: too vague for a withdrawal
    Outcome.RECIPIENT_TEMPORARILY_UNAVAILABLE: (30003, 30004),
    Outcome.WINDOW_CLOSED: (63016,),
    Outcome.THROTTLED: (14107, 20429, 21611, 30001, 30022, 63017, 63018),
    Outcome.QUOTA_EXHAUSTED: (30023, 30027, 63038),
    Outcome.TRANSIENT: (20500, 20503, 30008, 30017, 30410, 63009, 63010, 63012),
    Outcome.CREDENTIAL: (20003, 20403, 20404, 21606, *range(21701, 21706), 30002, 63001, 63007),
    Outcome.ACCOUNT_RESTRICTED: (21608, 30018, 30032, 30034),
    Outcome.MESSAGE_REJECTED: (
        *(21602, 21617, 21618, 21620, 21623, 21654, 21655, 21656, 30007, 30019, 63005, 63013, 63019),
        *(63021, 63027, 63028, 63034, 63041),
    ),
}
ERRORS: dict[int, Outcome] = {code: outcome for outcome, codes in CODES.items() for code in codes}


def outcome_of(code: object) -> Outcome | None:
    """Return what one of Twilio's error codes means; None if our table does not know it."""
    try:
        return ERRORS.get(int(str(code)))
    except ValueError:
        return None


def signature(token: str, url: str, items: Iterable[tuple[str, str]]) -> str:
    """Return X-Twilio-Signature: HMAC-SHA1 over the URL and the sorted fields, repeated values once."""
    seen: dict[str, set[str]] = {}
    for name, value in items:
        seen.setdefault(name, set()).add(value)
    text = url + "".join(name + value for name in sorted(seen) for value in sorted(seen[name]))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def _with_and_without_port(url: str) -> Iterator[str]:
    """Yield *url* as it is, and with the default port said or left out: Twilio signs either."""
    yield url
    parts = urlsplit(url)
    default = {"https": "443", "http": "80"}.get(parts.scheme, "")
    host, colon, port = parts.netloc.rpartition(":")
    if colon and port == default:
        yield parts._replace(netloc=host).geturl()
    elif not parts.port:
        yield parts._replace(netloc=f"{parts.netloc}:{default}").geturl()


def verified_form(account: AccountConfig, request: WebhookRequest) -> Form:
    """Return the fields of a callback that Twilio signed. Raises BadSignature, InvalidInput."""
    given = request.headers.get("x-twilio-signature", "").encode()
    digest = parse_qs(urlsplit(request.url).query).get("bodySHA256")
    items: list[tuple[str, str]] = []
    if digest:
        if not hmac.compare_digest(hashlib.sha256(request.body).hexdigest().encode(), digest[0].lower().encode()):
            raise BadSignature("the body is not the one that was signed")
    else:
        items = _form_items(request.body)
    tokens = [account.secrets.get(name, "") for name in ("auth_token", "auth_token_previous")]
    expected = [
        signature(token, url, items).encode()
        for token in tokens
        if token
        for url in _with_and_without_port(request.url)
    ]
    if not any(hmac.compare_digest(one, given) for one in expected):
        raise BadSignature("X-Twilio-Signature is missing or wrong")
    return _json_form(request.body) if digest else dict(reversed(items))


def _form_items(body: bytes) -> list[tuple[str, str]]:
    """Return the fields as sent; a body that is no form cannot have been signed as one."""
    try:
        text = body.decode("utf-8")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
    except ValueError:
        raise BadSignature("the body is not a form") from None


def _json_form(body: bytes) -> Form:
    try:
        return {name: str(value) for name, value in json_object(body).items() if isinstance(value, str | int)}
    except ValueError:
        raise InvalidInput("the callback is neither a form nor a JSON object", field="body") from None


def read_callback(account: AccountConfig, request: WebhookRequest, form: Form) -> list[ChannelEvent]:
    """Return the one event of a verified callback; OTHER if it means nothing to us."""
    sid = clean_text(form.get("MessageSid") or form.get("SmsSid", ""))
    status = form.get("MessageStatus", "").lower()
    if not sid:
        body_digest = hashlib.sha256(request.body).hexdigest()
        return [Inbound(f"body:{body_digest}", InboundKind.OTHER, "", datetime.now(UTC))]
    if status:
        return [_receipt(sid, status, form, request.url)]
    return [_inbound(account, sid, form)]


def _receipt(sid: str, status: str, form: Form, url: str) -> ChannelEvent:
    kind = _RECEIPTS.get(status)
    key = f"{sid}:{clean_text(status)[:40]}"
    if kind is None:  # queued, sending ...: the answer to our post has said so
        return Inbound(key, InboundKind.OTHER, "", datetime.now(UTC), about=sid)
    code = form.get("ErrorCode", "")
    failed = kind is ReceiptKind.FAILED
    return Receipt(
        event_key=key,
        provider_id=sid,
        kind=kind,
        occurred_at=datetime.now(UTC),
        outcome=outcome_of(code) if failed else None,
        provider_code=code if failed and code.isascii() and code.isdigit() else None,
        reference=clean_text(parse_qs(urlsplit(url).query).get("ref", [""])[0]),
    )


def _inbound(account: AccountConfig, sid: str, form: Form) -> Inbound:
    text, sender = clean_text(form.get("Body")), form.get("From", "")
    optout = form.get("OptOutType", "").upper()
    kind = InboundKind.TEXT
    if optout in _OPT_OUT_TYPES:
        kind = _OPT_OUT_TYPES[optout]
    elif form.get("NumMedia", "0") not in ("", "0") and not text:
        kind = InboundKind.MEDIA  # with a text it counts as text: a picture may come with a STOP
    if not _NUMBER.fullmatch(sender) or sender == account.settings.get("sender"):
        kind, sender = InboundKind.OTHER, ""  # a name cannot be answered; our own number would answer itself
    by_default = account.settings.get("stop_handling", "twilio") == "twilio" and text.strip().upper() in _ANSWERED
    return Inbound(
        event_key=sid,
        kind=kind,
        sender=sender,
        occurred_at=datetime.now(UTC),
        text=text,
        payload=clean_text(form.get("ButtonPayload")),
        answered_by_platform=bool(optout in _OPT_OUT_TYPES or by_default),
    )
