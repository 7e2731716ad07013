"""The one HTTP client: many calls at once on kept connections, each ending in evidence.

Built on libcurl's multi interface. A call ends in an ``HttpResult`` that says whether a byte of the request may have
left (``started``), because that, not the exception, decides whether a message may be tried again.

libcurl by itself sends a request a second time when a kept connection closes without an answer. The hook that runs
right before each request is written therefore does two things: it refuses to begin after the gate's deadline, and it
refuses to begin the same call twice.
"""

from __future__ import annotations

import select
import time
from collections import deque
from dataclasses import dataclass

import pycurl

from broadcaster.channels.calls import HttpCall, HttpError, HttpLimits, HttpResult, Line
from broadcaster.channels.contract import boottime

__all__ = ["HttpCall", "HttpError", "HttpFinished", "HttpLimits", "HttpResult", "HttpWindow"]

_SWEEP_SECONDS = 0.25


def _for_curl(events: int) -> int:
    """Translate epoll's words into libcurl's."""
    readable = pycurl.CSELECT_IN if events & (select.EPOLLIN | select.EPOLLPRI) else 0
    writable = pycurl.CSELECT_OUT if events & select.EPOLLOUT else 0
    broken = pycurl.CSELECT_ERR if events & (select.EPOLLERR | select.EPOLLHUP) else 0
    return readable | writable | broken


_ACTIONS = tuple(_for_curl(events) for events in range(64))


@dataclass(slots=True)
class HttpFinished:
    """A call that ended; ``ref`` is what ``start`` was given."""

    ref: int
    result: HttpResult


class HttpWindow:
    """A sliding window of calls in flight. Not thread-safe; one per sender."""

    def __init__(self, concurrency: int, limits: HttpLimits | None = None) -> None:
        self._limits = limits or HttpLimits()
        self._concurrency = concurrency
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        self._multi.setopt(pycurl.M_MAXCONNECTS, concurrency + 4)
        self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, concurrency + 4)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._epoll = select.epoll()
        self._watched: dict[int, int] = {}
        self._timer_at: float | None = None  #: monotonic time at which libcurl wants to be called
        self._swept_at = 0.0
        self._free: list[Line] = []
        self._busy: dict[pycurl.Curl, Line] = {}
        self._calls = 0  #: calls that have not ended, without warm-ups
        self._waiting: deque[tuple[int, HttpCall, float]] = deque()  #: calls started while no slot was free
        self._done: list[HttpFinished] = []
        self._used: dict[int, float] = {}  #: connection id -> monotonic time of its last answer
        self._multiplexed = False  #: the last warm-up spoke HTTP/2

    def slots(self) -> int:
        """Return how many more calls can go out at once; finished calls not yet fetched do not count."""
        return max(self._concurrency - self._calls, 0)

    def warm(self, url: str, connections: int, timeout: float = 2.0) -> None:
        """Have *connections* open and ready, by HEAD requests to *url*, waiting up to *timeout* seconds.

        Needed before a deadline is set: a connection that becomes ready too late is dropped, not kept. Failures are
        silent; they show when a call is started.
        """
        until = time.monotonic() + timeout
        wanted = min(connections, self.slots())
        if url.startswith("https:"):
            self._ask(url, min(wanted, 1), until)  # may turn out to be HTTP/2: then one carries them all
        self._ask(url, wanted, until)

    def _ask(self, url: str, wanted: int, until: float) -> None:
        """Send *wanted* HEAD requests at once unless as many connections are known to be open."""
        since = time.monotonic() - self._limits.idle_seconds / 2
        self._used = {conn: at for conn, at in self._used.items() if at > since}
        if wanted <= 0 or len(self._used) >= (1 if self._multiplexed else wanted):
            return
        call = HttpCall("HEAD", url)
        for _ in range(wanted):
            self._add(None, call, boottime() + self._limits.connect_seconds)
        while len(self._busy) > self._calls - len(self._waiting) and time.monotonic() < until:
            self._turn(until - time.monotonic())

    def start(self, ref: int, call: HttpCall, deadline: float) -> None:
        """Start *call* unless ``boottime()`` has passed *deadline* at its first byte. Never raises.

        The end is reported by ``finished``, also when the call could not begin. Without a free slot it waits for one.
        """
        self._calls += 1
        if self._calls > self._concurrency:
            self._waiting.append((ref, call, deadline))
        else:
            self._begin(ref, call, deadline)

    def _begin(self, ref: int, call: HttpCall, deadline: float) -> None:
        if boottime() > deadline:  # refused by the hook it would take the connection with it
            self._calls -= 1
            self._done.append(HttpFinished(ref, HttpResult(None, False, HttpError.LATE)))
            return
        try:
            self._add(ref, call, deadline)
        except (pycurl.error, KeyError, UnicodeError, ValueError):
            self._calls -= 1
            self._done.append(HttpFinished(ref, HttpResult(None, False, HttpError.ADDRESS)))

    def _begin_waiting(self) -> None:
        """Let the calls that wait take the free slots; those whose time has passed end here."""
        now = boottime()
        while self._waiting:
            ref, call, deadline = self._waiting[0]
            if now <= deadline and self._calls - len(self._waiting) >= self._concurrency:
                return
            self._begin(ref, call, deadline)
            self._waiting.popleft()

    def finished(self, timeout: float) -> list[HttpFinished]:
        """Return calls that ended, waiting up to *timeout* seconds for the first one."""
        until = time.monotonic() + timeout
        self._turn(0.0)
        while not self._done and self._calls:
            left = until - time.monotonic()
            if left <= 0:
                break
            self._turn(left)
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        """Drop all connections; calls under way are not reported any more."""
        for line in [*self._busy.values()]:
            self._multi.remove_handle(line.curl)
            line.curl.close()
        for line in self._free:
            line.curl.close()
        self._busy.clear()
        self._free.clear()
        self._waiting.clear()
        self._calls = 0
        self._multi.close()
        self._epoll.close()

    def _add(self, ref: int | None, call: HttpCall, deadline: float) -> None:
        line = self._free.pop() if self._free else Line(self._limits)
        line.load(ref, call, deadline)
        self._busy[line.curl] = line
        self._multi.add_handle(line.curl)

    def _turn(self, wait: float) -> None:
        """Let libcurl work once, waiting up to *wait* seconds for something to do."""
        now = time.monotonic()
        if self._timer_at is not None:
            wait = min(wait, self._timer_at - now)
        if self._busy:
            wait = min(wait, _SWEEP_SECONDS)
        socket_action = self._multi.socket_action
        for fd, events in self._epoll.poll(max(wait, 0.0), 256):
            if fd in self._watched:
                socket_action(fd, _ACTIONS[events & 63])
        if self._timer_at is not None and self._timer_at <= time.monotonic():
            self._timer_at = None
            socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._collect()
        if self._waiting:
            self._begin_waiting()
        if now - self._swept_at > _SWEEP_SECONDS:
            self._swept_at = now
            self._sweep()

    def _collect(self) -> None:
        while True:
            left, good, bad = self._multi.info_read()
            for curl in good:
                self._end(self._busy[curl], 0)
            for curl, code, _prose in bad:
                self._end(self._busy[curl], code)
            if not left:
                return

    def _end(self, line: Line, code: int) -> None:
        connection = line.curl.getinfo(pycurl.CONN_ID)
        if code:
            self._used.pop(connection, None)
        else:
            self._used[connection] = time.monotonic()
        self._release(line)
        if line.ref is None:
            self._multiplexed = line.curl.getinfo(pycurl.INFO_HTTP_VERSION) >= pycurl.CURL_HTTP_VERSION_2_0
        else:
            self._calls -= 1
            self._done.append(HttpFinished(line.ref, line.result(code)))

    def _release(self, line: Line) -> None:
        self._multi.remove_handle(line.curl)
        del self._busy[line.curl]
        self._free.append(line)

    def _sweep(self) -> None:
        """End calls without a first byte in time; libcurl has a limit for the whole only."""
        before = boottime() - self._limits.first_byte_seconds
        for line in [*self._busy.values()]:
            if line.begun_at and line.begun_at < before and not line.head.tell():
                self._end(line, pycurl.E_OPERATION_TIMEDOUT)

    def _watch(self, what: int, fd: int, _multi: object, _data: object) -> None:
        if what == pycurl.POLL_REMOVE:
            self._watched.pop(fd, None)
            try:
                self._epoll.unregister(fd)
            except OSError:
                pass  # closed already: the kernel has forgotten it
            return
        mask = (select.EPOLLIN if what & pycurl.POLL_IN else 0) | (select.EPOLLOUT if what & pycurl.POLL_OUT else 0)
        if fd in self._watched:
            self._epoll.modify(fd, mask)
        else:
            self._epoll.register(fd, mask)
        self._watched[fd] = mask

    def _set_timer(self, milliseconds: int) -> None:
        self._timer_at = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000
