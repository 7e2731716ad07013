"""Build e-mail messages fast: the standard library writes a skeleton once, each recipient fills it.

``EmailMessage`` costs about a millisecond a message, filling a skeleton a few dozen microseconds. What is filled in is
ASCII throughout (quoted-printable, base64, RFC 2047 words), so that no relay has to rewrite it and break a signature;
the one exception is a recipient whose local part is not ASCII (RFC 6532, needs SMTPUTF8).

Nothing can add a header or end one early: control characters in any header value are refused.
"""

from __future__ import annotations

import re
import secrets
from binascii import b2a_base64, b2a_qp
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from functools import lru_cache
from typing import Literal

from broadcaster.core.errors import MessageRejected
from broadcaster.core.messages import Outbound

SUBJECT_MAX = 998  #: characters
LINE_MAX = 998  #: octets without CRLF (RFC 5322, 2.1.1)
ENCODED_WORD_OCTETS = 39  #: base64 of so many, with its frame, fits behind "Subject: " in 76 columns (RFC 2047, 2)

#: C0, DEL, NEL and the Unicode line separators: everything some mail software takes for the end of a line.
_CONTROL = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]")
_ADDRESS = re.compile(r"[^\x00-\x20\x7f-\xa0\u2028\u2029<>()\[\],;:\\\"@]{1,64}@[A-Za-z0-9.-]{1,253}")
_REFERENCE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_=+-]|\.(?!\.)){0,118}[A-Za-z0-9_=+-]|[A-Za-z0-9]")
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,75}")
_LINE_END = re.compile(r"\r\n|\r|\n")
_PLAIN_SUBJECT_MAX = 66  #: characters; longer ones are folded as encoded words

#: Written by us, or never to be written: a caller's header may not be one of these.
_OURS = frozenset(
    {"from", "to", "cc", "bcc", "sender", "reply-to", "subject", "date", "message-id", "mime-version"}
    | {"return-path", "received", "dkim-signature"}
)

Encoding = Literal["7bit", "quoted-printable", "base64"]
_PLAIN_OCTETS = bytes(range(0x20, 0x7F)) + b"\t\n"
_TEXT_MARK = "@@text@@"
_HTML_MARK = "@@html@@"


@dataclass(frozen=True, slots=True)
class Shape:
    """Which parts a message has and how each is encoded; None: the part is absent."""

    text: Encoding | None
    html: Encoding | None


@dataclass(frozen=True, slots=True)
class Skeleton:
    """The constant bytes of a message: before the first part, between two parts, after the last."""

    head: bytes
    between: bytes
    tail: bytes


@dataclass(frozen=True, slots=True)
class Letterhead:
    """Who the mail is from. ``message_domain`` stands in Message-ID."""

    from_address: str = field(repr=False)
    from_name: str = field(default="", repr=False)
    reply_to: str = field(default="", repr=False)

    @property
    def message_domain(self) -> str:
        return self.from_address.rpartition("@")[2]


def require_address(address: str) -> None:
    """Raise MessageRejected unless *address* can stand in a header and in an SMTP command as it is."""
    if _ADDRESS.fullmatch(address) is None:
        raise MessageRejected("The address cannot be written into a mail.", code="address_unusable")
    try:
        address.encode()
    except UnicodeEncodeError:
        raise MessageRejected("The address cannot be encoded.", code="address_unusable") from None


def require_header_value(value: str) -> None:
    """Raise MessageRejected if *value* holds a line break or another control character (X28)."""
    if _CONTROL.search(value) is not None:
        raise MessageRejected("A header cannot contain line breaks or control characters.", code="control_character")


def message_id(reference: str, domain: str) -> str:
    """Return our Message-ID for *reference*. Raises MessageRejected if it could not stand there."""
    if _REFERENCE.fullmatch(reference) is None:
        raise MessageRejected("The reference cannot stand in a Message-ID.", code="reference_unusable")
    return f"<{reference}@{domain}>"


def encoded_words(value: str) -> str:
    """Return *value* as RFC 2047 encoded words, folded, never cutting a character. Raises MessageRejected."""
    words: list[str] = []
    chunk = b""
    for character in value:
        octets = _utf8(character)
        if len(chunk) + len(octets) > ENCODED_WORD_OCTETS:
            words.append(_word(chunk))
            chunk = b""
        chunk += octets
    words.append(_word(chunk))
    return "\r\n ".join(words)


def _word(octets: bytes) -> str:
    return f"=?utf-8?b?{b2a_base64(octets, newline=False).decode('ascii')}?="


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise MessageRejected("The text contains a character that cannot be encoded.", code="unencodable") from None


@lru_cache(maxsize=1024)
def subject_value(subject: str) -> str:
    """Return the header value of *subject*. Raises MessageRejected: control characters, over 998 characters."""
    require_header_value(subject)
    if len(subject) > SUBJECT_MAX:
        raise MessageRejected(f"The subject is longer than {SUBJECT_MAX} characters.", code="subject_too_long")
    if subject.isascii() and len(subject) <= _PLAIN_SUBJECT_MAX and "=?" not in subject and subject == subject.strip():
        return subject
    return encoded_words(subject)


def _extra_value(value: str) -> str:
    """Return a caller's header value, folded between list items; a non-ASCII phrase before ``<`` is encoded."""
    require_header_value(value)
    if not value.isascii():
        phrase, opening, rest = value.partition(" <")
        if not rest.isascii():
            raise MessageRejected("A header holds characters that mail cannot carry there.", code="header_not_ascii")
        value = encoded_words(phrase) + opening + rest
    if len(value) > 76:
        value = value.replace(">, <", ">,\r\n <")
    if max(map(len, value.split("\r\n"))) > LINE_MAX - 80:
        raise MessageRejected("A header line is too long.", code="header_too_long")
    return value


def _require_extra_name(name: str) -> str:
    """Return *name* in lower case. Raises MessageRejected for a header that is not a caller's to set."""
    lowered = name.lower()
    if _HEADER_NAME.fullmatch(name) is None or lowered in _OURS or lowered.startswith("content-"):
        raise MessageRejected("This header cannot be set on a message.", code="header_not_allowed")
    return lowered


def extra_headers(headers: Sequence[tuple[str, str]]) -> str:
    """Return the caller's headers as lines, each once. Raises MessageRejected."""
    seen: set[str] = set()
    lines: list[str] = []
    for name, value in headers:
        lowered = _require_extra_name(name)
        if lowered in seen:
            raise MessageRejected("A header is set twice.", code="header_twice")
        seen.add(lowered)
        lines.append(f"{name}: {_extra_value(value)}\r\n")
    return "".join(lines)


@lru_cache(maxsize=8)
def _date_of(second: int) -> str:
    return format_datetime(datetime.fromtimestamp(second, UTC))


def canonical_lines(text: str) -> str:
    """Return *text* with every line ending LF, the last line included."""
    if "\r" in text:
        text = _LINE_END.sub("\n", text)
    return text if text.endswith("\n") else text + "\n"


def _encoding(text: str) -> Encoding:
    """Return the plainest encoding that carries *text* through any relay unchanged, else the shortest."""
    octets = _utf8(text)
    if not octets.translate(None, _PLAIN_OCTETS) and max(map(len, octets.split(b"\n"))) <= LINE_MAX:
        return "7bit"
    # quoted-printable triples what is not ASCII, base64 adds a third to everything
    return "base64" if (len(octets) - len(text)) * 10 > len(octets) else "quoted-printable"


@lru_cache(maxsize=1024)
def _quoted(line: str) -> bytes:
    """Return one line in quoted-printable; most lines of a campaign are the same for everybody, so it is kept."""
    return b2a_qp(line.encode()).replace(b"=\n", b"=\r\n")  # a soft break; "=" itself never stands alone


def _encoded(text: str, encoding: Encoding) -> bytes:
    if encoding == "7bit":
        return text.encode("ascii").replace(b"\n", b"\r\n")
    if encoding == "quoted-printable":
        return b"\r\n".join(map(_quoted, text.split("\n")))
    line = b2a_base64(text.replace("\n", "\r\n").encode(), newline=False)
    return b"\r\n".join([line[start : start + 76] for start in range(0, len(line), 76)]) + b"\r\n"


@lru_cache(maxsize=256)
def skeleton(letterhead: Letterhead, shape: Shape) -> Skeleton:
    """Let the standard library write a message of this shape once, and cut it where the parts go."""
    message = EmailMessage(policy.SMTP)
    user, _, domain = letterhead.from_address.rpartition("@")
    message["From"] = Address(letterhead.from_name, user, domain)
    if letterhead.reply_to:
        user, _, domain = letterhead.reply_to.rpartition("@")
        message["Reply-To"] = Address("", user, domain)
    if shape.text is not None:
        message.set_content(_TEXT_MARK, cte=shape.text)
    if shape.html is not None and shape.text is not None:
        message.add_alternative(_HTML_MARK, subtype="html", cte=shape.html)
        # "=_" occurs in neither quoted-printable nor base64 (RFC 2045, 6.7); plain text cannot guess the rest
        message.set_boundary("=_" + secrets.token_hex(12))
    elif shape.html is not None:
        message.set_content(_HTML_MARK, subtype="html", cte=shape.html)
    marks = [
        _encoded(mark + "\n", encoding)
        for mark, encoding in ((_TEXT_MARK, shape.text), (_HTML_MARK, shape.html))
        if encoding is not None
    ]
    head, _, rest = message.as_bytes().partition(marks[0])
    if len(marks) == 1:
        return Skeleton(head, b"", rest)
    between, _, tail = rest.partition(marks[1])
    return Skeleton(head, between, tail)


def build(letterhead: Letterhead, outbound: Outbound, now: float) -> bytes:
    """Return the message as bytes with CRLF line ends; *now* is in seconds since 1970.

    Raises MessageRejected: header injection, an address or reference that cannot be written, no text at all.
    """
    require_address(outbound.to)
    html = outbound.html if outbound.html.strip() else ""
    text = outbound.text if outbound.text.strip() else ""
    if not html and not text:
        raise MessageRejected("The message is empty.", code="empty")
    headers = (
        f"To: {outbound.to}\r\nSubject: {subject_value(outbound.subject)}\r\nDate: {_date_of(int(now))}\r\n"
        f"Message-ID: {message_id(outbound.reference, letterhead.message_domain)}\r\n{extra_headers(outbound.headers)}"
    ).encode()
    parts = [canonical_lines(part) for part in (text, html) if part]
    encodings = [_encoding(part) for part in parts]
    shape = Shape(encodings[0] if text else None, encodings[-1] if html else None)
    frame = skeleton(letterhead, shape)
    first = _encoded(parts[0], encodings[0])
    if len(parts) == 1:
        return b"".join((headers, frame.head, first, frame.tail))
    return b"".join((headers, frame.head, first, frame.between, _encoded(parts[1], encodings[1]), frame.tail))
