"""Read SMTP replies and say what they mean in our words (RFC 5321, 3463, 7372; ``docs/channels.md``).

Only codes leave this file: the prose of a reply may quote the address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from broadcaster.core.deliveries import Outcome
from broadcaster.core.messages import CallResult

LINE_MAX = 4096  #: octets; RFC 5321 allows 512, some servers write more
REPLY_MAX = 65536  #: octets of one reply

_LINE = re.compile(rb"([2-5]\d\d)([ -]?)([^\r\n]*)")
_ENHANCED = re.compile(rb"([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)")


class Stage(StrEnum):
    """What a reply answers."""

    SIGN_IN = "sign_in"  #: greeting, EHLO, STARTTLS, AUTH
    MAIL = "mail"  #: the sender
    RCPT = "rcpt"  #: the recipient
    DATA = "data"  #: DATA and the message itself


class ProtocolError(Exception):
    """The server does not speak SMTP."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: its code, its enhanced code ("5.1.1" or ""), and its lines without codes."""

    code: int
    enhanced: str
    lines: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return f"Reply({self.label!r})"

    @property
    def label(self) -> str:
        """Return the codes alone."""
        return f"{self.code} {self.enhanced}".rstrip()


def take_reply(buffer: bytearray) -> Reply | None:
    """Cut the first complete reply off *buffer*; None if it is not complete yet. Raises ProtocolError."""
    end = buffer.find(b"\n")
    if 3 < end <= LINE_MAX and buffer[3] == 0x20:
        line = bytes(buffer[:end])
        del buffer[: end + 1]
        return _single(line)
    return _take_lines(buffer)


@lru_cache(maxsize=64)
def _single(line: bytes) -> Reply:
    """Read a reply of one line; servers say the same few over and over. Its prose is not kept."""
    match = _LINE.fullmatch(line.rstrip(b"\r"))
    if match is None:
        raise ProtocolError("a reply is not SMTP")
    return _reply(match, [])


def _take_lines(buffer: bytearray) -> Reply | None:
    start = 0
    lines: list[bytes] = []
    while True:
        end = buffer.find(b"\n", start)
        if end < 0:
            if len(buffer) - start > LINE_MAX or len(buffer) > REPLY_MAX:
                raise ProtocolError("a reply is too long")
            return None
        match = _LINE.fullmatch(bytes(buffer[start:end]).rstrip(b"\r"))
        if match is None or end - start > LINE_MAX or end > REPLY_MAX:
            raise ProtocolError("a reply is not SMTP")
        lines.append(match[3])
        start = end + 1
        if match[2] != b"-":
            break
    del buffer[:start]
    return _reply(match, lines)


def _reply(last: re.Match[bytes], lines: list[bytes]) -> Reply:
    """Put a reply together; the enhanced code stands in every line, or in the first or last only."""
    found = _ENHANCED.match(last[3]) or (_ENHANCED.match(lines[0]) if lines else None)
    enhanced = found[0].decode("ascii") if found is not None and found[1] == last[1][:1] else ""
    return Reply(int(last[1]), enhanced, tuple(lines))


_THROTTLED = frozenset({"4.7.0", "4.7.28", "4.7.32", "4.4.5", "4.3.2", "4.5.3"})
_FULL = frozenset({"4.2.1", "4.2.2", "5.2.2"})
_NOBODY = frozenset({"5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.4"})
_SIGN_IN_CODES = frozenset({530, 534, 535, 538})
_SIGN_IN_ENHANCED = frozenset({"5.7.8", "5.7.9", "5.7.11"})
#: The mail's authentication failed (RFC 7372): the account's DNS records are wrong, not the message.
_MAIL_AUTHENTICATION = frozenset(f"5.7.{detail}" for detail in range(20, 28))


def _temporary(reply: Reply) -> Outcome:
    if reply.code == 421 or reply.enhanced in _THROTTLED:
        return Outcome.THROTTLED
    if reply.enhanced in _FULL:
        return Outcome.RECIPIENT_TEMPORARILY_UNAVAILABLE
    return Outcome.TRANSIENT


def _account_blocked(enhanced: str) -> bool:
    """Return whether the code condemns our address or our DNS: Microsoft's 5.7.5xx to 5.7.7xx, RFC 7372."""
    return enhanced in _MAIL_AUTHENTICATION or re.fullmatch(r"5\.7\.[567]\d\d", enhanced) is not None


def _without_enhanced(code: int, stage: Stage) -> Outcome:
    if stage is Stage.RCPT:
        if code in (550, 551, 553, 556, 521):
            return Outcome.RECIPIENT_UNREACHABLE
        return Outcome.RECIPIENT_TEMPORARILY_UNAVAILABLE if code == 552 else Outcome.MESSAGE_REJECTED
    if stage is Stage.MAIL:
        return Outcome.MESSAGE_REJECTED if code == 552 else Outcome.ACCOUNT_RESTRICTED
    return Outcome.ACCOUNT_RESTRICTED if stage is Stage.SIGN_IN else Outcome.MESSAGE_REJECTED


def _permanent(reply: Reply, stage: Stage) -> Outcome:
    """Refine a 5xx by its enhanced code.

    5.7.1 stands for block lists, policy and spam alike. At MAIL FROM it is about us; later it is taken to be about this
    one message: one recipient's policy must not be able to stop a whole account.
    """
    if reply.code in _SIGN_IN_CODES or reply.enhanced in _SIGN_IN_ENHANCED:
        return Outcome.CREDENTIAL
    if not reply.enhanced or reply.enhanced in ("5.0.0", "5.5.0"):
        return _without_enhanced(reply.code, stage)
    if _account_blocked(reply.enhanced):
        return Outcome.ACCOUNT_RESTRICTED
    if stage in (Stage.SIGN_IN, Stage.MAIL):
        refused = reply.enhanced.startswith(("5.3.4", "5.5.", "5.6."))
        return Outcome.MESSAGE_REJECTED if refused and stage is Stage.MAIL else Outcome.ACCOUNT_RESTRICTED
    if reply.enhanced in _NOBODY:
        return Outcome.RECIPIENT_UNREACHABLE
    if reply.enhanced in _FULL:
        return Outcome.RECIPIENT_TEMPORARILY_UNAVAILABLE
    return Outcome.MESSAGE_REJECTED


def classify(reply: Reply, stage: Stage) -> Outcome:
    """Return what a refusal means; 2xx is ACCEPTED."""
    if reply.code < 300:
        return Outcome.ACCEPTED
    if reply.code < 400:
        return Outcome.TRANSIENT  # out of place: nothing was taken
    if reply.code < 500:
        return _temporary(reply)
    return _permanent(reply, stage)


def refusal(reply: Reply, stage: Stage) -> CallResult:
    """Return the result of a call that *reply* ended before its message was taken, whatever the reply says."""
    outcome = classify(reply, stage)
    return CallResult(Outcome.TRANSIENT if outcome is Outcome.ACCEPTED else outcome, provider_code=reply.label)
