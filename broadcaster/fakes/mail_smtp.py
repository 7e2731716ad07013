"""The SMTP side of the fake mail server: strict, pipelining, and obliging: a recipient's local part says how to behave.

========================  =======================================================================
``bounce550``             refused at RCPT TO: nobody of that name
``full452``               refused at RCPT TO: mailbox full
``greylist``              refused the first time, accepted the second
``throttle421``           421 and hangs up
``drop-in-data``          hangs up when the message begins
``reject-content``        refused after the final dot
``drop-after-dot``        taken, and the connection dropped without an answer
``slow``                  taken, and answered late
========================  =======================================================================

Anything behind a ``+`` in the local part is ignored, so that there can be many of each.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

_PATH = re.compile(rb"(FROM|TO):<([^<>\x00-\x20]*)>((?: [!-~]+)*)", re.IGNORECASE)
COMMAND_MAX = 4096

#: Gets sender, recipient and the message with dots undone.
Deliver = Callable[[str, str, bytes], None]


@dataclass(slots=True)
class SmtpRules:
    """How the server behaves; shared by all its connections."""

    deliver: Deliver
    extensions: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")
    size_max: int = 10_000_000
    tls: ssl.SSLContext | None = None  #: offers STARTTLS
    login: tuple[str, str] | None = field(default=None, repr=False)
    mechanisms: str = "PLAIN LOGIN"
    slow_seconds: float = 1.0
    answers: dict[str, bytes] = field(default_factory=dict)  #: what to answer to a verb instead of doing it
    greylisted: set[str] = field(default_factory=set)
    connections: int = 0
    count: Callable[[], str] = str
    open: set[SmtpSession] = field(default_factory=set, repr=False)


class SmtpSession(asyncio.Protocol):
    """One connection."""

    def __init__(self, rules: SmtpRules) -> None:
        self.rules = rules
        self.buffer = bytearray()
        self.encrypted = False
        self.known = rules.login is None
        self.in_data = False
        self.paused = False
        self.asked: list[str] = []
        self.sender: str | None = None
        self.recipients: list[str] = []
        self.tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        again = hasattr(self, "transport")
        self.transport = cast("asyncio.Transport", transport)
        if not again:
            self.rules.connections += 1
            self.rules.open.add(self)
            self.say(self.rules.answers.get("CONNECT", b"220 fake ESMTP"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.rules.open.discard(self)

    def say(self, reply: bytes) -> None:
        self.transport.write(reply + b"\r\n")
        if reply.startswith(b"421"):
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while not self.paused and not self.transport.is_closing():
            if self.in_data:
                if not self.take_message():
                    return
                continue
            end = self.buffer.find(b"\r\n")
            if end < 0:
                if len(self.buffer) > COMMAND_MAX:
                    self.say(b"421 4.7.0 line too long")
                return
            line = bytes(self.buffer[:end])
            del self.buffer[: end + 2]
            self.command(line)

    # -- commands

    def command(self, line: bytes) -> None:
        if self.asked:
            self.login_step(line)
            return
        verb = line[:4].upper().decode("ascii", "replace").rstrip()
        verb = "STARTTLS" if verb == "STAR" else verb
        canned = self.rules.answers.get(verb)
        if canned is not None:
            self.say(canned)
        elif verb == "MAIL":
            self.mail(line[5:])
        elif verb == "RCPT":
            self.rcpt(line[5:])
        elif verb == "DATA":
            self.data()
        else:
            self.rare(verb, line)

    def rare(self, verb: str, line: bytes) -> None:
        if verb in ("EHLO", "HELO"):
            self.hello()
        elif verb == "RSET":
            self.reset()
            self.say(b"250 2.0.0 OK")
        elif verb == "NOOP":
            self.say(b"250 2.0.0 OK")
        elif verb == "QUIT":
            self.say(b"221 2.0.0 bye")
            self.transport.close()
        elif verb == "STARTTLS" and self.rules.tls is not None and not self.encrypted:
            self.start_tls(self.rules.tls)
        elif verb == "AUTH":
            self.auth(line[5:].split())
        elif verb == "XCOU":  # XCOUNT, our own: what has been taken so far
            self.say(b"250 " + self.rules.count().encode())
        else:
            self.say(b"502 5.5.2 what?")

    def hello(self) -> None:
        offers = ["fake", *self.rules.extensions, f"SIZE {self.rules.size_max}"]
        if self.rules.tls is not None and not self.encrypted:
            offers.append("STARTTLS")
        if self.rules.login is not None:
            offers.append(f"AUTH {self.rules.mechanisms}")
        self.say("\r\n".join([*(f"250-{offer}" for offer in offers[:-1]), f"250 {offers[-1]}"]).encode())

    def reset(self) -> None:
        self.sender = None
        self.recipients = []

    def mail(self, rest: bytes) -> None:
        match = _PATH.fullmatch(rest)
        if match is None or match[1].upper() != b"FROM":
            self.say(b"501 5.5.4 syntax")
        elif not self.known:
            self.say(b"530 5.7.0 sign in first")
        elif self.sender is not None:
            self.say(b"503 5.5.1 one at a time")
        else:
            size = re.search(rb" SIZE=(\d{1,18})", match[3].upper())
            if size is not None and int(size[1]) > self.rules.size_max:
                self.say(b"552 5.3.4 too large")
                return
            self.sender = match[2].decode("utf-8", "replace")
            self.say(b"250 2.1.0 OK")

    def rcpt(self, rest: bytes) -> None:
        match = _PATH.fullmatch(rest)
        if match is None or match[1].upper() != b"TO" or b"@" not in match[2]:
            self.say(b"501 5.1.3 syntax")
            return
        if self.sender is None:
            self.say(b"503 5.5.1 MAIL first")
            return
        recipient = match[2].decode("utf-8", "replace")
        refusal = self.refusal(behaviour(recipient), recipient)
        if refusal:
            self.say(refusal)
            return
        self.recipients.append(recipient)
        self.say(b"250 2.1.5 OK")

    def refusal(self, how: str, recipient: str) -> bytes:
        if how == "greylist" and recipient not in self.rules.greylisted:
            self.rules.greylisted.add(recipient)
            return b"450 4.7.1 greylisted, come back"
        return {
            "bounce550": b"550 5.1.1 nobody here of that name",
            "full452": b"452 4.2.2 mailbox full",
            "throttle421": b"421 4.7.0 slow down",
        }.get(how, b"")

    def data(self) -> None:
        if not self.recipients:
            self.say(b"503 5.5.1 RCPT first" if self.sender is None else b"554 5.5.1 no valid recipients")
        elif behaviour(self.recipients[0]) == "drop-in-data":
            self.transport.abort()
        else:
            self.in_data = True
            self.say(b"354 go on")

    # -- the message

    def take_message(self) -> bool:
        """Take a message that is complete; only CRLF . CRLF ends one."""
        if self.buffer.startswith(b".\r\n"):
            raw, length = b"", 3
        else:
            end = self.buffer.find(b"\r\n.\r\n")
            if end < 0:
                return False
            raw, length = bytes(self.buffer[: end + 2]), end + 5
        del self.buffer[:length]
        self.in_data = False
        raw = raw.replace(b"\r\n..", b"\r\n.")
        self.deliver(raw[1:] if raw.startswith(b"..") else raw)
        return True

    def deliver(self, raw: bytes) -> None:
        how = behaviour(self.recipients[0])
        sender, recipients = self.sender or "", self.recipients
        self.reset()
        if how == "reject-content":
            self.say(b"554 5.6.0 not such a text")
            return
        for recipient in recipients:
            self.rules.deliver(sender, recipient, raw)
        if how == "drop-after-dot":
            self.transport.abort()
        elif how == "slow":
            self.paused = True
            asyncio.get_running_loop().call_later(self.rules.slow_seconds, self.answer_late)
        else:
            self.say(b"250 2.0.0 taken")

    def answer_late(self) -> None:
        self.paused = False
        if not self.transport.is_closing():
            self.say(b"250 2.0.0 taken")
            self.data_received(b"")

    # -- TLS and sign-in

    def start_tls(self, context: ssl.SSLContext) -> None:
        self.transport.pause_reading()  # what follows is for the TLS layer to read
        self.say(b"220 2.0.0 go ahead")
        self.paused = True
        task = asyncio.get_running_loop().create_task(self.upgrade(context))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def upgrade(self, context: ssl.SSLContext) -> None:
        self.buffer.clear()
        try:
            transport = await asyncio.get_running_loop().start_tls(self.transport, self, context, server_side=True)
        except (OSError, ssl.SSLError):
            self.transport.abort()
            return
        assert transport is not None
        self.transport = transport
        self.encrypted, self.paused = True, False
        self.reset()
        self.data_received(b"")  # the client may have been faster than this task

    def auth(self, words: list[bytes]) -> None:
        mechanism = words[0].upper().decode("ascii", "replace") if words else ""
        if mechanism not in self.rules.mechanisms.split() or self.rules.login is None:
            self.say(b"504 5.5.4 unknown mechanism")
        elif mechanism == "PLAIN" and len(words) == 2:
            self.check_login(_unbase64(words[1]).split("\0")[1:])
        else:
            self.asked = [mechanism]
            self.say(b"334 " + (b"VXNlcm5hbWU6" if mechanism == "LOGIN" else b""))

    def login_step(self, line: bytes) -> None:
        self.asked.append(_unbase64(line))
        if self.asked[0] == "LOGIN" and len(self.asked) == 2:
            self.say(b"334 UGFzc3dvcmQ6")
            return
        words, self.asked = self.asked, []
        self.check_login(words[1].split("\0")[1:] if words[0] == "PLAIN" else words[1:])

    def check_login(self, given: list[str]) -> None:
        assert self.rules.login is not None
        self.known = given == list(self.rules.login)
        self.say(b"235 2.7.0 welcome" if self.known else b"535 5.7.8 wrong name or password")


def behaviour(recipient: str) -> str:
    """Return the part of an address that says how to behave."""
    return recipient.partition("@")[0].partition("+")[0]


def _unbase64(text: bytes) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8", "replace")
    except binascii.Error:
        return ""
