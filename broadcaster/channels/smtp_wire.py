"""The line under an SMTP conversation: a non-blocking socket, TLS, replies in and octets out. It never waits."""

from __future__ import annotations

import socket
import ssl
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum, auto

from broadcaster.channels.smtp_replies import ProtocolError, Reply, take_reply

READ_OCTETS = 65536


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach and enter one server. ``tls`` None: no encryption."""

    host: str
    security: str  #: "starttls", "tls" or "none"
    helo: str
    tls: ssl.SSLContext | None = None
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    trusted_line: bool = False  #: the password may travel in clear text: the server is on this machine
    connect_seconds: float = 20.0  #: each step until signed in
    command_seconds: float = 120.0
    final_seconds: float = 600.0  #: for the answer to the final dot (RFC 5321, 4.5.3.2.6)


class Step(Enum):
    """What the connection waits for."""

    CONNECT = auto()
    HANDSHAKE = auto()
    GREETING = auto()
    EHLO = auto()
    STARTTLS = auto()
    LOGIN_USER = auto()
    LOGIN_PASSWORD = auto()
    AUTH = auto()
    IDLE = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    BODY = auto()  #: the message is being written
    FINAL = auto()  #: the final dot is out
    RESET = auto()
    CLOSED = auto()


class Line(ABC):
    """A connection to one server; a subclass holds the conversation. Look at ``step`` after each call of a method."""

    def __init__(self, access: Access, family: int, address: tuple[object, ...]) -> None:
        self.access = access
        self.step = Step.CONNECT
        self.encrypted = False
        self.wants_write = True
        self.expires_at = 0.0  #: by ``time.monotonic()``
        self.socket: socket.socket = socket.socket(family, socket.SOCK_STREAM)
        self.descriptor = self.socket.fileno()  #: stays the same when TLS wraps the socket
        self._secure: ssl.SSLSocket | None = None
        self._in = bytearray()
        self._out = memoryview(b"")
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._limit(access.connect_seconds)
        try:
            self.socket.connect(address)
        except BlockingIOError:
            pass
        except OSError:
            self._lost("connect")

    @abstractmethod
    def _take(self, reply: Reply) -> None:
        """Answer a reply of the server."""

    @abstractmethod
    def _greet(self) -> None:
        """Go on after STARTTLS has made the line secure."""

    @abstractmethod
    def _lost(self, why: str) -> None:
        """Settle what was under way; the line is of no more use. *why* is a code."""

    @property
    def closed(self) -> bool:
        return self.step is Step.CLOSED

    def on_event(self, *, readable: bool) -> None:
        """Move on after the socket became readable or writable."""
        try:
            if self.step is Step.CONNECT:
                self._connected()
            elif self.step is Step.HANDSHAKE:
                self._handshake()
            else:
                if self.wants_write:
                    self._flush()
                if readable and not self.closed:
                    self._read()
        except ssl.SSLCertVerificationError:
            self._lost("tls_certificate")
        except ssl.SSLError:
            self._lost("tls")
        except ProtocolError:
            self._lost("protocol")
        except OSError:
            self._lost("connection_lost")

    def on_time(self, now: float) -> None:
        """End the connection if its step has taken too long; *now* by ``time.monotonic()``."""
        if now >= self.expires_at and self.step not in (Step.IDLE, Step.CLOSED):
            self._lost("timeout")

    def close(self) -> None:
        """Leave, politely where that costs nothing."""
        if self.step is Step.IDLE:
            try:
                self.socket.send(b"QUIT\r\n")
            except OSError:
                pass
        self.drop()

    def drop(self) -> None:
        """Close the line now."""
        self.step = Step.CLOSED
        self.wants_write = False
        self._out = memoryview(b"")
        self._in.clear()
        self.socket.close()

    # -- the line

    def _connected(self) -> None:
        error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise ConnectionError
        self.wants_write = False
        if self.access.security == "tls":
            self._start_tls()
        else:
            self.step = Step.GREETING

    def _start_tls(self) -> None:
        assert self.access.tls is not None
        self._secure = self.access.tls.wrap_socket(
            self.socket, server_hostname=self.access.host, do_handshake_on_connect=False
        )
        self.socket = self._secure
        self.step = Step.HANDSHAKE
        self._handshake()

    def _handshake(self) -> None:
        assert self._secure is not None
        try:
            self._secure.do_handshake()
        except ssl.SSLWantReadError:
            self.wants_write = False
            return
        except ssl.SSLWantWriteError:
            self.wants_write = True
            return
        self.encrypted, self.wants_write = True, False
        self._limit(self.access.connect_seconds)
        if self.access.security == "tls":
            self.step = Step.GREETING
        else:
            self._greet()

    def _write(self, octets: bytes) -> None:
        self._out = memoryview(octets)
        try:
            self._flush()
        except OSError:
            self._lost("connection_lost")

    def _flush(self) -> None:
        while self._out:
            try:
                sent = self.socket.send(self._out)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                self.wants_write = True
                return
            self._out = self._out[sent:]
            if self.step is Step.BODY:
                self._limit(self.access.command_seconds)
        self.wants_write = False
        if self.step is Step.BODY:
            self.step = Step.FINAL
            self._limit(self.access.final_seconds)

    def _read(self) -> None:
        while not self.closed:
            try:
                octets = self.socket.recv(READ_OCTETS)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            if not octets:
                raise ConnectionError
            self._in += octets
            while (reply := take_reply(self._in)) is not None:
                self._take(reply)
            if self._secure is None or self._secure.pending() == 0:
                return

    def _limit(self, seconds: float) -> None:
        self.expires_at = time.monotonic() + seconds
