"""A small, fast HTTP server for provider fakes: strict about requests, badly behaved on demand.

    with FakeTelegram() as fake: fake.url

Recipients drive behaviour (each fake lists its magic addresses); ``fake.script(...)`` does so for the next requests
whatever their recipient. Every request that names a recipient is recorded.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self
from urllib.parse import urlsplit

_REASONS = {200: "OK", 201: "Created", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}
_HEAD_MAX, _BODY_MAX = 65536, 1 << 20


class Behaviour(StrEnum):
    """What a fake does with the next message; the first group are the provider's own refusals."""

    ACCEPT = "accept"
    BLOCKED = "blocked"
    NOBODY = "nobody"  #: no such recipient
    THROTTLED = "throttled"
    CREDENTIAL = "credential"  #: as if the credential had been revoked
    SLOW = "slow"  #: accepts after a while
    HANG = "hang"  #: accepts, never answers
    RESET = "reset"  #: accepts, then resets the connection
    CLOSE = "close"  #: reads the request, closes the connection without an answer
    ERROR_500 = "error_500"  #: accepts, then fails
    HTML_502 = "html_502"  #: a proxy answers; the provider never saw it
    EMPTY_200 = "empty_200"
    GARBAGE_200 = "garbage_200"
    HUGE_200 = "huge_200"  #: a body without end, slowly


#: Behaviours after which the provider has the message, whether or not the caller can know.
ACCEPTS = frozenset(Behaviour) - {
    *(Behaviour.BLOCKED, Behaviour.NOBODY, Behaviour.THROTTLED, Behaviour.CREDENTIAL, Behaviour.HTML_502),
}


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came; ``at`` is the boottime clock at its first byte."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    at: float

    @property
    def path(self) -> str:
        return urlsplit(self.target).path


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer, and how: ``behaviour`` may replace the answer by an accident."""

    status: int
    body: bytes = b""
    headers: tuple[str, ...] = ()
    content_type: str = "application/json"
    behaviour: Behaviour = Behaviour.ACCEPT


@dataclass(frozen=True, slots=True)
class Recorded:
    """One message that reached the fake; ``accepted``: the provider has it, whatever it answered."""

    at: float
    to: str
    body_sha256: str
    accepted: bool
    provider_id: str = ""


class FakeServer:
    """Serves on 127.0.0.1 in a thread of its own; a fake overrides ``reply_to``."""

    def __init__(self, port: int = 0, *, slow_seconds: float = 0.2, host: str = "127.0.0.1") -> None:
        self.port = port
        self.host = host
        self.slow_seconds = slow_seconds
        self.retry_after = ""  #: sent with every 429, sense or nonsense
        self.requests = 0  #: of any kind but HEAD, also those refused
        self.recorded: list[Recorded] = []
        self._script: deque[Behaviour] = deque()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, daemon=True, name=type(self).__name__)
        self._ready = threading.Event()
        self._open: set[_Connection] = set()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def accepted(self) -> list[Recorded]:
        """Return what the provider has taken."""
        return [one for one in self.recorded if one.accepted]

    def script(self, *behaviours: Behaviour) -> None:
        """Treat the next messages so, whatever their recipient."""
        self._script.extend(behaviours)

    def behaviour_of(self, magic: Behaviour | None) -> Behaviour:
        """Return what to do now: the script first, then the recipient's magic."""
        return self._script.popleft() if self._script else (magic or Behaviour.ACCEPT)

    def reply_to(self, request: Request) -> Reply:
        """Answer a request; runs in the server's thread and must not block."""
        raise NotImplementedError

    def record(self, request: Request, to: str, *, accepted: bool, provider_id: str = "") -> None:
        """Remember a message that reached us."""
        digest = hashlib.sha256(request.body).hexdigest()
        self.recorded.append(Recorded(request.at, to, digest, accepted, provider_id))

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(10):
            raise OSError(f"cannot listen on port {self.port}")
        return self

    def __exit__(self, *_exc: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def run_forever(self) -> None:
        """Serve until interrupted, saying first where."""
        with self:
            sys.stdout.write(f"{self.url}\n")
            sys.stdout.flush()
            self._thread.join()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        starting = self._loop.create_server(lambda: _Connection(self), self.host, self.port, backlog=1024)
        server = self._loop.run_until_complete(starting)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._hang_up())
            server.close()
            self._loop.run_until_complete(self._hang_up())
            self._loop.close()

    async def _hang_up(self) -> None:
        """Close every connection, also those being accepted just now; closing takes a few rounds of the loop."""
        quiet = 0
        while quiet < 5:
            busy = self._open or len(asyncio.all_tasks()) > 1
            quiet = 0 if busy else quiet + 1
            for connection in [*self._open]:
                connection.transport.abort()
            await asyncio.sleep(0.001)


class _Connection(asyncio.Protocol):
    """One kept connection: HTTP/1.1 with Content-Length, one request at a time."""

    transport: asyncio.Transport

    def __init__(self, fake: FakeServer) -> None:
        self._fake = fake
        self._buffer = b""
        self._at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._fake._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        asyncio.get_running_loop().call_soon(self._fake._open.discard, self)  # the socket is closed after this call

    def data_received(self, data: bytes) -> None:
        if not self._buffer:
            self._at = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            if not self._take(end):
                return
        if len(self._buffer) > _HEAD_MAX:
            self.transport.abort()

    def _take(self, end: int) -> bool:
        """Answer the request whose head ends at *end*; False if its body is not complete."""
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        method, _, rest = first.partition(" ")
        length = int(headers.get("content-length") or 0)
        if length > _BODY_MAX:
            self.transport.abort()
            return False
        if len(self._buffer) < end + 4 + length:
            return False
        body = self._buffer[end + 4 : end + 4 + length]
        self._buffer = self._buffer[end + 4 + length :]
        self._answer(Request(method, rest.partition(" ")[0], headers, body, self._at))
        return True

    def _answer(self, request: Request) -> None:
        if request.method == "HEAD":  # somebody warms a connection
            self._write(Reply(200))
            return
        self._fake.requests += 1
        reply = self._fake.reply_to(request)
        if reply.status == 429 and self._fake.retry_after:
            reply = replace(reply, headers=(f"Retry-After: {self._fake.retry_after}",))
        match reply.behaviour:
            case Behaviour.HANG:
                return
            case Behaviour.RESET:
                linger = struct.pack("ii", 1, 0)  # close with RST, not FIN
                self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.transport.abort()
            case Behaviour.CLOSE:
                self.transport.close()
            case Behaviour.SLOW:
                asyncio.get_running_loop().call_later(self._fake.slow_seconds, self._write, reply)
            case Behaviour.HUGE_200:
                self._write(Reply(200, b"x" * (4 << 20)))
            case _:
                self._write(_accident(reply))

    def _write(self, reply: Reply) -> None:
        head = [f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Status')}", *reply.headers]
        head += [f"Content-Type: {reply.content_type}", f"Content-Length: {len(reply.body)}", "", ""]
        self.transport.write("\r\n".join(head).encode("latin-1") + reply.body)


def _accident(reply: Reply) -> Reply:
    """Return *reply*, or what an unwell provider answers in its place."""
    page = b"<html><body><h1>%s</h1></body></html>"
    match reply.behaviour:
        case Behaviour.ERROR_500:
            return Reply(500, page % b"500 Internal Server Error", content_type="text/html")
        case Behaviour.HTML_502:
            return Reply(502, page % b"502 Bad Gateway", content_type="text/html")
        case Behaviour.EMPTY_200:
            return Reply(200)
        case Behaviour.GARBAGE_200:
            return Reply(200, b'{"ok": tru\xff')
        case _:
            return reply


def post(url: str, body: bytes, headers: Mapping[str, str], *, method: str = "POST", timeout: float = 10.0) -> int:
    """Call a webhook as the provider would, and return the status it answered."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=timeout)
    try:
        connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()
