"""Read a mail that came in and say what it means: an answer, a bounce, a complaint, an unsubscription, or nothing.

Whatever arrives is hostile until shown otherwise: sizes, depth and counts are bounded, and reading never raises. A mail
that cannot be read becomes an event of kind OTHER, so that it is stored and not lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from email.utils import parsedate_to_datetime
from hashlib import sha256

from broadcaster.channels import mail_reports
from broadcaster.channels.mail_text import addresses_in, body_text, header, headers
from broadcaster.core.messages import ChannelEvent, Inbound, InboundKind

MAIL_OCTETS_MAX = 1_000_000
MULTIPARTS_MAX = 32  #: nested or not; real mail has a handful, and the parser's work grows with their square
HEADER_OCTETS_MAX = 200_000

_REFERENCE = re.compile(r"<([^<>@\s]{1,200})@([^<>@\s]{1,253})>")
_BOUNCE = re.compile(r"bounces?\+([^@\s]{1,200})@", re.IGNORECASE)
_UNSUBSCRIBE = re.compile(r"unsub(?:scribe)?\+([A-Za-z0-9._~=-]{1,400})@", re.IGNORECASE)
_RECIPIENT_HEADERS = ("To", "Cc", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To")


def read_mail(raw: bytes, *, received: datetime | None = None) -> list[ChannelEvent]:
    """Return what a mail tells us; never raises. *received* bounds the Date header, which anybody can write."""
    now = received or datetime.now(UTC)
    raw = raw[:MAIL_OCTETS_MAX]
    try:
        return _read(raw, now)
    except Exception:
        return [Inbound(_digest(raw), InboundKind.OTHER, "", now)]


def _read(raw: bytes, now: datetime) -> list[ChannelEvent]:
    lowered = raw.lower()
    end = re.search(rb"\r?\n\r?\n", raw[: HEADER_OCTETS_MAX + 4])
    if end is None and len(raw) > HEADER_OCTETS_MAX:
        return [Inbound(_digest(raw), InboundKind.OTHER, "", now)]
    too_deep = lowered.count(b"multipart/") > MULTIPARTS_MAX or lowered.count(b"message/") > MULTIPARTS_MAX
    message = BytesParser(policy=compat32).parsebytes(raw, headersonly=too_deep)
    key = _key(message, raw)
    about, occurred_at = _about(message), _date(message, now)
    if too_deep:
        return [Inbound(key, InboundKind.OTHER, _sender(message), occurred_at, about=about)]
    found = mail_reports.complaint(message, key, occurred_at) or mail_reports.bounces(message, key, occurred_at, about)
    if found is not None:
        return list(found)
    return [_letter(message, key, occurred_at, about)]


def _letter(message: Message, key: str, occurred_at: datetime, about: str) -> Inbound:
    """Return what a mail that is no report means."""
    sender = _sender(message)
    token = _token(message)
    if token:
        return Inbound(key, InboundKind.OPT_OUT, sender, occurred_at, payload=token, about=about)
    if _automatic(message):
        return Inbound(key, InboundKind.OTHER, sender, occurred_at, about=about)
    text = body_text(message)
    if not text.strip():
        text = header(message, "Subject")  # "STOP" as the subject of an empty mail
    return Inbound(key, InboundKind.TEXT, sender, occurred_at, text=text, about=about)


def _automatic(message: Message) -> bool:
    """Return whether nobody wrote this (RFC 3834, and what older software does)."""
    submitted = header(message, "Auto-Submitted").partition(";")[0].strip().lower()
    if submitted not in ("", "no") or header(message, "Return-Path").strip() == "<>":
        return True
    if header(message, "Precedence").strip().lower() in ("auto_reply", "bulk", "junk"):
        return True
    return any(name in message for name in ("X-Autoreply", "X-Autorespond"))


def _sender(message: Message) -> str:
    return next(addresses_in(header(message, "From")), "")


def _recipients(message: Message) -> Iterator[str]:
    for name in _RECIPIENT_HEADERS:
        yield from headers(message, name)


def _token(message: Message) -> str:
    """Return the token of the unsubscribe address this mail went to, or "" (RFC 2369, mailto)."""
    for value in _recipients(message):
        match = _UNSUBSCRIBE.search(value)
        if match is not None:
            return match[1]
    return ""


def _about(message: Message) -> str:
    """Return our reference of the mail this one is about: from VERP, In-Reply-To, else the last of References."""
    for value in _recipients(message):
        match = _BOUNCE.search(value)
        if match is not None:
            return match[1]
    for name in ("In-Reply-To", "References"):
        found = _REFERENCE.findall(header(message, name))
        if found:
            return str(found[-1][0])
    return ""


def _key(message: Message, raw: bytes) -> str:
    """Return a key for this mail: its Message-ID with its sender, hashed, since anybody can choose an id."""
    identity = header(message, "Message-ID").strip()
    if not identity:
        return _digest(raw)
    return "mail:" + sha256(f"{identity}\n{_sender(message)}".encode("utf-8", "replace")).hexdigest()


def _digest(raw: bytes) -> str:
    return "mail:" + sha256(raw).hexdigest()


def _date(message: Message, now: datetime) -> datetime:
    """Return when it was written: the Date header, if it is neither in the future nor older than a week."""
    try:
        date = parsedate_to_datetime(header(message, "Date"))
        date = date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return now
    return date if now - timedelta(days=7) <= date <= now else now
