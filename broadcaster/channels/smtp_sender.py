"""Several kept-alive SMTP connections to one server, in one thread: the Sender of the e-mail channel."""

from __future__ import annotations

import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from broadcaster.channels.contract import Finished, boottime
from broadcaster.channels.smtp_dialogue import Call, Connection, Letter
from broadcaster.channels.smtp_wire import Access, Step
from broadcaster.core.deliveries import Outcome
from broadcaster.core.messages import CallResult, Outbound

RESOLVED_SECONDS = 60.0  #: how long a resolved host name is kept
FAILURE_SECONDS = 5.0  #: how long a failed sign-in answers for the next calls
LOOK_SECONDS = 0.25  #: how often time limits are looked at


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections to keep and how long each may serve."""

    connections: int = 10
    letters_per_connection: int = 1000
    errors_per_connection: int = 50


class SmtpSender:
    """A pool of connections. Not thread-safe.

    ``write`` turns an Outbound into a Letter; it raises MessageRejected.
    """

    def __init__(self, access: Access, port: int, limits: Limits, write: Callable[[Outbound], Letter]) -> None:
        self._access = access
        self._port = port
        self._limits = limits
        self._write = write
        self._selector = selectors.DefaultSelector()
        self._open: dict[int, Connection] = {}
        self._writing: set[int] = set()
        self._idle: list[Connection] = []
        self._pending: deque[Call] = deque()
        self._done: list[Finished] = []
        self._busy = 0
        self._failure: CallResult | None = None
        self._failed_at = 0.0
        self._addresses: list[tuple[int, tuple[object, ...]]] = []
        self._resolved_at = 0.0
        self._turn_of_address = 0
        self._look_at = 0.0

    def __repr__(self) -> str:
        return f"SmtpSender(connections={len(self._open)})"

    # -- the contract

    def slots(self) -> int:
        """Return how many calls may be started: ready connections, or all of them while none is open at all."""
        free = len(self._idle) if self._open else self._limits.connections
        return max(0, free - len(self._pending))

    def warm(self, connections: int) -> None:
        """Have *connections* signed in, waiting for at most the time limit of a connection."""
        until = time.monotonic() + self._access.connect_seconds
        self._pump(0.0)
        self._open_up_to(connections)
        while any(not connection.was_ready for connection in self._open.values()):
            left = until - time.monotonic()
            if left <= 0:
                break
            self._pump(left)

    def prepare(self, outbound: Outbound) -> Letter:
        """Build the letter. Raises MessageRejected."""
        return self._write(outbound)

    def start(self, ref: int, prepared: Any, deadline: float) -> None:
        """Write MAIL FROM now, or as soon as a connection is ready before *deadline*."""
        call = Call(ref, prepared, deadline)
        if not self._idle and self._failing():
            assert self._failure is not None
            self._done.append(Finished(ref, self._failure))
            return
        self._busy += 1
        self._begin_or_wait(call)

    def finished(self, timeout: float) -> Sequence[Finished]:
        """Return calls that ended; does not wait when none is under way."""
        until = time.monotonic() + timeout
        self._pump(0.0)
        while not self._done and self._busy:
            left = until - time.monotonic()
            if left <= 0:
                break
            self._pump(left)
        done, self._done = self._done, []
        return done

    def close(self) -> None:
        """Drop all connections."""
        for connection in list(self._open.values()):
            connection.close()
        self._open.clear()
        self._idle.clear()
        self._pending.clear()
        self._busy = 0
        self._selector.close()

    # -- what check() asks

    def first_ready(self) -> Connection | None:
        """Return a signed-in connection, if there is one."""
        return self._idle[0] if self._idle else None

    @property
    def failure(self) -> CallResult | None:
        """Why the last connection that failed did not become ready."""
        return self._failure

    # -- calls

    def _begin_or_wait(self, call: Call) -> None:
        if self._idle:
            connection = self._idle.pop()
            connection.begin(call)
            self._after(connection)
            return
        if boottime() >= call.deadline:
            self._finish(call, CallResult(Outcome.NOT_STARTED))
            return
        self._pending.append(call)
        opening = sum(not connection.was_ready for connection in self._open.values())
        if opening < len(self._pending):
            self._open_up_to(len(self._open) + 1)

    def _finish(self, call: Call, result: CallResult) -> None:
        self._busy -= 1
        self._done.append(Finished(call.ref, result))

    def _settle(self, connection: Connection, call: Call, result: CallResult) -> None:
        """Report a call, or move it to another line if the server had closed this one before reading anything.

        That is safe: not one reply came, the message itself was never written, and the deadline still holds.
        """
        stale = result.provider_code == "connection_lost" and connection.served > 1 and not connection.answered
        if stale and result.outcome is Outcome.TRANSIENT and not call.retried:
            call.retried = True
            self._begin_or_wait(call)
        else:
            self._finish(call, result)

    def _failing(self) -> bool:
        recent = time.monotonic() - self._failed_at < FAILURE_SECONDS
        return self._failure is not None and recent and not self._open

    def _fail_pending(self) -> None:
        result = self._failure or CallResult(Outcome.TRANSIENT, provider_code="connection_lost")
        while self._pending:
            self._finish(self._pending.popleft(), result)

    # -- connections

    def _open_up_to(self, connections: int) -> None:
        connections = min(connections, self._limits.connections)
        if len(self._open) >= connections or not self._resolve():
            return
        while len(self._open) < connections:
            family, address = self._addresses[self._turn_of_address % len(self._addresses)]
            connection = Connection(self._access, family, address)
            if connection.closed:
                self._note_failure(connection)
                return
            descriptor = connection.descriptor
            self._open[descriptor] = connection
            self._writing.add(descriptor)
            self._selector.register(descriptor, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)

    def _resolve(self) -> bool:
        """Look the host up, at most once a minute; False (and a failure) if it has no address."""
        if self._addresses and time.monotonic() - self._resolved_at < RESOLVED_SECONDS:
            return True
        try:
            found = socket.getaddrinfo(self._access.host, self._port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            found = []
        self._addresses = [(family, address) for family, _, _, _, address in found]
        self._resolved_at = time.monotonic()
        if not self._addresses:
            self._failure = CallResult(Outcome.TRANSIENT, provider_code="host_unknown")
            self._failed_at = time.monotonic()
            self._fail_pending()
        return bool(self._addresses)

    def _note_failure(self, connection: Connection) -> None:
        """Remember why a connection never became ready; the next one tries the host's next address."""
        self._failure = connection.failure
        self._failed_at = time.monotonic()
        self._turn_of_address += 1
        if not self._open:
            self._fail_pending()

    def _after(self, connection: Connection) -> None:
        """Collect what a connection has come to and put it where it belongs."""
        descriptor = connection.descriptor
        ended = connection.collect()
        if connection.closed:
            self._forget(connection, descriptor)
        elif connection.wants_write != (descriptor in self._writing):
            self._watch(connection, descriptor)
        if ended is not None:
            self._settle(connection, *ended)
        if connection.step is Step.IDLE and connection.call is None and connection not in self._idle:
            self._reuse(connection, descriptor)

    def _reuse(self, connection: Connection, descriptor: int) -> None:
        worn = connection.served >= self._limits.letters_per_connection
        if worn or connection.errors >= self._limits.errors_per_connection:
            connection.close()
            self._forget(connection, descriptor)
            self._open_up_to(len(self._open) + 1)
            return
        self._failure = None
        self._idle.append(connection)
        if self._pending:
            self._begin_or_wait(self._pending.popleft())

    def _watch(self, connection: Connection, descriptor: int) -> None:
        events = selectors.EVENT_READ
        if connection.wants_write:
            events |= selectors.EVENT_WRITE
            self._writing.add(descriptor)
        else:
            self._writing.discard(descriptor)
        self._selector.modify(descriptor, events, connection)

    def _forget(self, connection: Connection, descriptor: int) -> None:
        if self._open.pop(descriptor, None) is None:
            return
        self._writing.discard(descriptor)
        self._selector.unregister(descriptor)
        if connection in self._idle:
            self._idle.remove(connection)
        if connection.failure is not None:
            self._note_failure(connection)
        elif self._pending:
            self._open_up_to(len(self._open) + 1)

    def _pump(self, timeout: float) -> None:
        """Handle what the sockets have to say, waiting up to *timeout* seconds for the first."""
        for key, mask in self._selector.select(min(timeout, LOOK_SECONDS)):
            connection: Connection = key.data
            if not connection.closed:
                connection.on_event(readable=bool(mask & selectors.EVENT_READ))
                self._after(connection)
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            for connection in list(self._open.values()):
                connection.on_time(now)
                if connection.closed:
                    self._after(connection)
        if self._pending:
            self._drop_late()

    def _drop_late(self) -> None:
        now = boottime()
        late = [call for call in self._pending if call.deadline <= now]
        for call in late:
            self._pending.remove(call)
            self._finish(call, CallResult(Outcome.NOT_STARTED))
