"""Decode headers and text of a mail from anybody, in any charset, right or wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message

from inscriptis import get_text  # type: ignore[import-untyped]

from broadcaster.core.addresses import normalise_email
from broadcaster.core.errors import InvalidInput

HEADER_MAX = 8_192  #: characters of one header that are looked at
HEADERS_MAX = 20  #: of one name
TEXT_MAX = 250_000  #: characters handed on; more than is kept, so that a cut is seen (``inbound_max``)
HTML_MAX = 200_000  #: characters read
PARTS_MAX = 100

_ANY_ADDRESS = re.compile(r"[^\s<>\"(),:;\[\]\\@]{1,64}@[^\s<>\"(),:;\[\]\\@]{1,253}")
_ANGLED = re.compile(r"<([^<>\s]{3,320})>")


def header(message: Message, name: str) -> str:
    """Return the first header of that name, decoded and cut, or ""."""
    return next(headers(message, name), "")


def headers(message: Message, name: str) -> Iterator[str]:
    """Yield the headers of that name, decoded and cut."""
    for value in (message.get_all(name) or [])[:HEADERS_MAX]:
        yield _decoded(str(value)[:HEADER_MAX])


def _decoded(value: str) -> str:
    value = value.replace("\r", "").replace("\n", "")
    if "=?" not in value:
        return _repaired(value)
    try:
        parts = decode_header(value)
    except (HeaderParseError, ValueError):
        return _repaired(value)
    return "".join(part if isinstance(part, str) else decoded(part, charset or "ascii") for part, charset in parts)


def _repaired(value: str) -> str:
    """Return raw octets in a header as the text they most probably are."""
    return decoded(value.encode("utf-8", "surrogateescape"), "utf-8")


def decoded(octets: bytes, charset: str) -> str:
    """Return *octets* as text: by their charset, else UTF-8, else Latin-1, which always works."""
    for name in (charset, "utf-8"):
        try:
            text = octets.decode(name)
        except (LookupError, ValueError, UnicodeError):
            continue
        if isinstance(text, str):  # "hex" and its like are codecs too
            return text
    return octets.decode("latin-1")


def addresses_in(value: str) -> Iterator[str]:
    """Yield the canonical addresses in a header or report field; what is none is left out."""
    angled = _ANGLED.findall(value)
    for found in angled or _ANY_ADDRESS.findall(value)[:HEADERS_MAX]:
        try:
            yield normalise_email(found)
        except InvalidInput:
            continue


def parts_of(message: Message) -> Iterator[Message]:
    """Yield the leaves of a mail in order, not those of mails inside it."""
    waiting: list[Message] = [message]
    for _ in range(PARTS_MAX):
        if not waiting:
            return
        part = waiting.pop(0)
        payload = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(payload, list):
            waiting[:0] = [inner for inner in payload if isinstance(inner, Message)]
        else:
            yield part


def body_text(message: Message) -> str:
    """Return the text of a mail, quoted history included: its plain parts, else its HTML as text."""
    plain: list[str] = []
    html: list[str] = []
    for part in parts_of(message):
        kind = part.get_content_type()
        if kind in ("text/plain", "text/html") and part.get_content_disposition() != "attachment":
            (plain if kind == "text/plain" else html).append(_part_text(part))
    text = "\n".join(plain)
    if not text.strip() and html:
        text = str(get_text("\n".join(html)[:HTML_MAX]))
    return text.replace("\r\n", "\n").replace("\x00", "")[:TEXT_MAX]


def _part_text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    octets = payload if isinstance(payload, bytes) else b""
    return decoded(octets, part.get_content_charset() or "utf-8")
