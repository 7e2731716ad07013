"""The IMAP side of the fake mail server: as much of RFC 3501 as reading one mailbox needs."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import cast

_ATOM = re.compile(rb'"((?:[^"\\]|\\.)*)"|(\S+)')
_BODY = re.compile(rb"BODY(?:\.PEEK)?\[\](?:<(\d+)\.(\d+)>)?|RFC822(?![.\w])", re.IGNORECASE)
LINE_MAX = 65536


@dataclass(slots=True)
class Mailbox:
    """Mail by uid, from 1."""

    login: tuple[str, str] = field(repr=False)
    mails: dict[int, bytes] = field(default_factory=dict, repr=False)
    validity: int = 1
    next_uid: int = 1
    open: set[ImapSession] = field(default_factory=set, repr=False)

    def add(self, raw: bytes) -> int:
        """Store a mail and return its uid."""
        uid, self.next_uid = self.next_uid, self.next_uid + 1
        self.mails[uid] = raw
        return uid


class ImapSession(asyncio.Protocol):
    """One connection."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox
        self.buffer = bytearray()
        self.known = False
        self.selected = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.mailbox.open.add(self)
        self.transport.write(b"* OK fake IMAP4rev1\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        self.mailbox.open.discard(self)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if len(self.buffer) > LINE_MAX:
            self.transport.abort()
            return
        while (end := self.buffer.find(b"\r\n")) >= 0:
            line = bytes(self.buffer[:end])
            del self.buffer[: end + 2]
            tag, _, rest = line.partition(b" ")
            answer = self.command(rest)
            self.transport.write(tag + b" " + answer + b"\r\n")
            if rest.upper() == b"LOGOUT":
                self.transport.close()

    def command(self, rest: bytes) -> bytes:
        """Carry out one command and return its tagged answer."""
        words = [_word(match) for match in _ATOM.finditer(rest)]
        verb = words[0].upper() if words else b""
        if verb == b"CAPABILITY":
            self.transport.write(b"* CAPABILITY IMAP4rev1\r\n")
        elif verb == b"LOGIN" and len(words) == 3:
            self.known = [word.decode("utf-8", "replace") for word in words[1:]] == list(self.mailbox.login)
            return b"OK welcome" if self.known else b"NO [AUTHENTICATIONFAILED] wrong name or password"
        elif verb == b"LOGOUT":
            self.transport.write(b"* BYE\r\n")
        elif not self.known:
            return b"NO sign in first"
        elif verb in (b"SELECT", b"EXAMINE") and len(words) == 2:
            return self.select(words[1], changeable=verb == b"SELECT")
        elif verb == b"UID" and self.selected and len(words) > 2:
            return self.uid(words[1].upper(), words[2:], rest)
        elif verb not in (b"NOOP", b"CLOSE", b"CHECK"):
            return b"BAD what?"
        return b"OK done"

    def select(self, folder: bytes, *, changeable: bool) -> bytes:
        self.selected = folder.upper() == b"INBOX"
        if not self.selected:
            return b"NO no such folder"
        box = self.mailbox
        self.transport.write(
            f"* FLAGS (\\Seen)\r\n* {len(box.mails)} EXISTS\r\n* 0 RECENT\r\n"
            f"* OK [UIDVALIDITY {box.validity}] ok\r\n* OK [UIDNEXT {box.next_uid}] ok\r\n".encode()
        )
        return b"OK [READ-WRITE] done" if changeable else b"OK [READ-ONLY] done"

    def uid(self, verb: bytes, words: list[bytes], rest: bytes) -> bytes:
        """Carry out UID SEARCH, FETCH and STORE (which changes nothing)."""
        if verb == b"SEARCH":
            wanted = words[1] if words[0].upper() == b"UID" and len(words) > 1 else b"1:*"
            uids = self.numbers(wanted)
            self.transport.write(b"* SEARCH" + b"".join(b" %d" % uid for uid in uids) + b"\r\n")
        elif verb == b"FETCH":
            part = _BODY.search(rest)
            for uid in self.numbers(words[0]):
                self.transport.write(self.fetched(uid, part))
        elif verb != b"STORE":
            return b"BAD what?"
        return b"OK done"

    def numbers(self, wanted: bytes) -> list[int]:
        """Return the uids a set names; ``n:*`` always names the last one (RFC 3501, 6.4.8)."""
        known = sorted(self.mailbox.mails)
        found: set[int] = set()
        for item in wanted.split(b","):
            low, colon, high = item.partition(b":")
            last = known[-1] if known else 0
            first = last if low == b"*" else int(low)
            end = first if not colon else last if high == b"*" else int(high)
            found.update(uid for uid in known if min(first, end) <= uid <= max(first, end))
        return sorted(found)

    def fetched(self, uid: int, part: re.Match[bytes] | None) -> bytes:
        place = sorted(self.mailbox.mails).index(uid) + 1
        if part is None:
            return b"* %d FETCH (UID %d FLAGS ())\r\n" % (place, uid)
        raw, name = self.mailbox.mails[uid], b"BODY[]"
        if part[1] is not None:
            raw, name = raw[int(part[1]) : int(part[1]) + int(part[2])], b"BODY[]<%d>" % int(part[1])
        return b"* %d FETCH (UID %d %s {%d}\r\n%s)\r\n" % (place, uid, name, len(raw), raw)


def _word(match: re.Match[bytes]) -> bytes:
    return match[2] if match[1] is None else re.sub(rb"\\(.)", rb"\1", match[1])
