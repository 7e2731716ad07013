"""Telegram's updates in our words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from broadcaster.channels.payload import clean_text, mapping, moment
from broadcaster.core.messages import ChannelEvent, Inbound, InboundKind

_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,64})(?:@[A-Za-z0-9_]{1,64})?(?:\s+(.*))?", re.DOTALL)
_MEDIA = frozenset(
    {"photo", "video", "voice", "audio", "document", "sticker", "animation", "video_note", "location", "contact"}
)
_GONE = frozenset({"kicked", "left"})


def message_key(chat_id: int, message_id: int) -> str:
    """Return what identifies a message of this bot, without the chat id: that is an address.

    In private chats a bot's messages are numbered across all of them, in a group on its own.
    """
    if chat_id > 0:
        return str(message_id)
    return f"{hashlib.sha256(str(chat_id).encode()).hexdigest()[:16]}:{message_id}"


def read_updates(updates: Sequence[object], bot_id: int) -> list[ChannelEvent]:
    """Return one event for each update, OTHER for those we do not understand; those without an id are left out."""
    return list(_read(updates, bot_id))


def _read(updates: Sequence[object], bot_id: int) -> Iterator[ChannelEvent]:
    for update in updates:
        fields = mapping(update)
        number = fields.get("update_id")
        if isinstance(number, bool) or not isinstance(number, int):
            continue
        key = f"update:{number}"
        try:
            event = _event(key, fields, bot_id)
        except (ValueError, TypeError, KeyError, OverflowError):
            event = None
        yield event or _other(key)


def _event(key: str, update: dict[str, Any], bot_id: int) -> ChannelEvent | None:
    if message := mapping(update.get("message")) or mapping(update.get("edited_message")):
        return _message(key, message)
    if pressed := mapping(update.get("callback_query")):
        return _pressed(pressed)
    if member := mapping(update.get("my_chat_member")):
        return _member(key, member, bot_id)
    return None


def _message(key: str, message: dict[str, Any]) -> Inbound | None:
    sender, author = _chat_id(message), mapping(message.get("from"))
    if not sender or author.get("is_bot") is True:
        return None  # never answer a bot: two of them would talk for ever
    kind, payload = InboundKind.OTHER, ""
    text = clean_text(message.get("text")) or clean_text(message.get("caption"))
    if isinstance(message.get("text"), str):
        kind = InboundKind.TEXT
        if command := _COMMAND.fullmatch(text):
            word, rest = command[1], command[2] or ""
            if word.lower() == "start" and mapping(message["chat"]).get("type") == "private":
                kind, payload = InboundKind.OPT_IN, rest.strip()
            else:
                text = f"{word} {rest}".strip()  # the slash is Telegram's: "/stop" means "stop"
    elif _MEDIA & message.keys():
        kind = InboundKind.MEDIA
    return Inbound(
        event_key=key,
        kind=kind,
        sender=sender,
        occurred_at=moment(message.get("date")),
        text=text,
        payload=payload,
        about=_about(mapping(message.get("reply_to_message"))),
        language=clean_text(author.get("language_code"))[:35],
    )


def _pressed(pressed: dict[str, Any]) -> Inbound | None:
    message, author = mapping(pressed.get("message")), mapping(pressed.get("from"))
    sender = _chat_id(message) or _number(author.get("id"))
    query = clean_text(pressed.get("id"))
    if not sender or not query:
        return None
    data = clean_text(pressed.get("data"))
    return Inbound(
        event_key=f"callback:{query}",  # answering the press needs this id
        kind=InboundKind.TEXT,
        sender=sender,
        occurred_at=moment(None),
        text=_title(message, data),
        payload=data,
        about=_about(message),
        language=clean_text(author.get("language_code"))[:35],
    )


def _title(message: dict[str, Any], data: str) -> str:
    """Return what stood on the pressed button, as if the person had written it."""
    rows = mapping(message.get("reply_markup")).get("inline_keyboard")
    for row in rows if isinstance(rows, list) else []:
        for button in row if isinstance(row, list) else []:
            if mapping(button).get("callback_data") == data:
                return clean_text(button.get("text"))
    return ""


def _member(key: str, member: dict[str, Any], bot_id: int) -> Inbound | None:
    """Read a change of our own membership: blocked or thrown out is an opt-out, coming back is not an opt-in."""
    now = mapping(member.get("new_chat_member"))
    about_us = mapping(now.get("user")).get("id")
    sender, status = _chat_id(member), now.get("status")
    if not sender or (bot_id and isinstance(about_us, int) and about_us != bot_id):
        return None
    kind = InboundKind.OPT_OUT if status in _GONE else InboundKind.OTHER
    return Inbound(
        event_key=key,
        kind=kind,
        sender=sender,
        occurred_at=moment(member.get("date")),
        payload=clean_text(status),
        language=clean_text(mapping(member.get("from")).get("language_code"))[:35],
    )


def _other(key: str) -> Inbound:
    return Inbound(event_key=key, kind=InboundKind.OTHER, sender="", occurred_at=moment(None))


def _chat_id(fields: dict[str, Any]) -> str:
    return _number(mapping(fields.get("chat")).get("id"))


def _number(value: object) -> str:
    is_id = isinstance(value, int) and not isinstance(value, bool) and value != 0 and -(2**63) <= value < 2**63
    return str(value) if is_id else ""


def _about(message: dict[str, Any]) -> str:
    chat, number = _chat_id(message), _number(message.get("message_id"))
    return message_key(int(chat), int(number)) if chat and number else ""
