"""Read the reports of mail systems: bounces (RFC 3464, and those that do not follow it), complaints (RFC 5965)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from email import message_from_bytes
from email.message import Message

from flufl.bounce import all_failures

from broadcaster.channels.mail_text import addresses_in, header, parts_of
from broadcaster.channels.smtp_replies import Reply, Stage, classify
from broadcaster.core.deliveries import Outcome, ReceiptKind
from broadcaster.core.messages import ChannelEvent, Inbound, InboundKind, Receipt

RECIPIENTS_MAX = 20  #: of one report; we write to one person at a time

_STATUS = re.compile(r"\s*([245])\.(\d{1,3})\.(\d{1,3})")
_TOKEN = re.compile(r"<mailto:unsub(?:scribe)?\+([A-Za-z0-9._~=-]{1,400})@", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"<([^<>@\s]{1,200})@[^<>@\s]{1,253}>")
_ONLY_HEADERS = ("text/rfc822-headers", "message/rfc822-headers", "message/rfc822", "message/global")
_MAIL_SYSTEMS = ("mailer-daemon", "postmaster", "mail-daemon", "mailerdaemon")


def complaint(message: Message, key: str, occurred_at: datetime) -> list[ChannelEvent] | None:
    """Return what a feedback report says; None if the mail is none.

    ``abuse`` is a complaint, ``opt-out`` a refusal; ``not-spam``, ``auth-failure`` and the rest change nothing.
    """
    fields = _fields(message, "message/feedback-report")
    if not fields:
        return None
    kind = {"abuse": InboundKind.COMPLAINT, "opt-out": InboundKind.OPT_OUT, "opt-out-list": InboundKind.OPT_OUT}.get(
        header(fields[0], "Feedback-Type").strip().lower(), InboundKind.OTHER
    )
    original = _original(message)
    sender = ""
    for name in ("Removal-Recipient", "Original-Rcpt-To"):
        sender = sender or next(addresses_in(header(fields[0], name)), "")
    if not sender and original is not None:
        sender = next(addresses_in(header(original, "To")), "")
    token = _TOKEN.search(header(original, "List-Unsubscribe")) if original is not None else None
    payload = token[1] if token is not None else ""
    return [Inbound(key, kind, sender, occurred_at, payload=payload, about=_reference(original))]


def bounces(message: Message, key: str, occurred_at: datetime, about: str) -> list[ChannelEvent] | None:
    """Return what a delivery report says; None if the mail is none.

    Only ``failed`` with 5.x.x is a definite failure: nobody there (UNREACHABLE), or this mail refused (a receipt).
    """
    blocks = _fields(message, "message/delivery-status")
    if blocks:
        original = _original(message)
        about = _reference(original) or about
        events = list(_failures(blocks, original, key, occurred_at, about))
        return events or [Inbound(key, InboundKind.OTHER, "", occurred_at, about=about)]
    if not _from_a_mail_system(message):
        return None
    _, permanent = all_failures(message)
    found = sorted({address for raw in permanent for address in addresses_in(_as_text(raw))})[:RECIPIENTS_MAX]
    if not found:
        return None
    return [
        Inbound(_numbered(key, place), InboundKind.UNREACHABLE, address, occurred_at, about=about)
        for place, address in enumerate(found)
    ]


def _failures(
    blocks: list[Message], original: Message | None, key: str, occurred_at: datetime, about: str
) -> Iterator[ChannelEvent]:
    place = 0
    for block in blocks[: RECIPIENTS_MAX + 1]:
        status = _STATUS.match(header(block, "Status"))
        if header(block, "Action").strip().lower() != "failed" or status is None or status[1] != "5":
            continue
        enhanced = f"5.{int(status[2])}.{int(status[3])}"
        outcome = classify(Reply(550, enhanced), Stage.RCPT)
        message_id = header(original, "Message-ID").strip() if original is not None else ""
        if outcome is Outcome.RECIPIENT_UNREACHABLE:
            yield Inbound(_numbered(key, place), InboundKind.UNREACHABLE, _whom(block), occurred_at, about=about)
        elif message_id:
            yield Receipt(_numbered(key, place), message_id, ReceiptKind.FAILED, occurred_at, outcome, enhanced, about)
        place += 1


def _whom(block: Message) -> str:
    """Return whom a block is about: as we wrote it if the report says so, else where the mail ended."""
    for name in ("Original-Recipient", "Final-Recipient"):
        found = next(addresses_in(header(block, name).rpartition(";")[2]), "")
        if found:
            return found
    return ""


def _fields(message: Message, kind: str) -> list[Message]:
    """Return the blocks of fields of the first part of that kind."""
    for part in parts_of(message):
        if part.get_content_type() == kind:
            payload = part.get_payload()
            if isinstance(payload, list):
                return [block for block in payload if isinstance(block, Message)]
    return []


def _original(message: Message) -> Message | None:
    """Return the headers of the mail that a report is about."""
    for part in parts_of(message):
        if part is message or part.get_content_type() not in _ONLY_HEADERS:
            continue
        payload = part.get_payload()
        if isinstance(payload, list):
            return next((inner for inner in payload if isinstance(inner, Message)), None)
        octets = part.get_payload(decode=True)
        if isinstance(octets, bytes):
            return message_from_bytes(octets)
    return None


def _reference(original: Message | None) -> str:
    """Return our reference out of the Message-ID of our own mail."""
    match = _MESSAGE_ID.search(header(original, "Message-ID")) if original is not None else None
    return match[1] if match is not None else ""


def _from_a_mail_system(message: Message) -> bool:
    if header(message, "Return-Path").strip() == "<>" or message.get_content_type() == "multipart/report":
        return True
    return header(message, "From").lower().lstrip('"<').startswith(_MAIL_SYSTEMS) or any(
        f"{name}@" in header(message, "From").lower() for name in _MAIL_SYSTEMS
    )


def _as_text(address: bytes | str) -> str:
    return address if isinstance(address, str) else address.decode("utf-8", "replace")


def _numbered(key: str, place: int) -> str:
    return key if place == 0 else f"{key}:{place}"
