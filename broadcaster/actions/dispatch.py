"""Send what is due on one account: lease, prepare, gate, start, settle, in a sliding window.

Each exchange is one transaction: it settles what has finished and gates only what can start at once. Connecting and
rendering come before the gate; between the gate and the first byte at most ``GATE_SECONDS`` may pass, by a clock that
counts through suspension. The rule who may be written to is ``core.consent.refusal``, asked inside that transaction.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session

from broadcaster.actions import accounts, consequences, gate, lines, settling
from broadcaster.actions.domains import Pace
from broadcaster.actions.gate import Flight
from broadcaster.actions.organisation import time_zone
from broadcaster.actions.preparing import Item, Preparer
from broadcaster.actions.runtime import Runtime
from broadcaster.channels import registry
from broadcaster.channels.contract import AccountConfig, Finished, Sender, boottime
from broadcaster.core import breaker
from broadcaster.core.breaker import Breaker
from broadcaster.core.deliveries import ACCOUNT_FAULTS, Idempotency, Outcome, Reason
from broadcaster.core.errors import BroadcasterError, Misconfigured
from broadcaster.core.event_types import BreakerMoved
from broadcaster.core.flow import Flow
from broadcaster.storage import batches, deliveries, log, rates, warmups
from broadcaster.storage import gate as gate_rows
from broadcaster.storage import pacing as lately
from broadcaster.storage import settling as settling_rows
from broadcaster.storage.tables import Account

#: G: how long after the gate's last look a call may still start; at most the barrier's wait (``actions/consent``).
GATE_SECONDS = 0.5
_EXTEND_EVERY_SECONDS = 4.0
_WAIT_SECONDS = 0.05
#: Messages built between two looks at the wire.
_LISTEN_EVERY = 32
_SALVAGE_SECONDS = 20.0
_SALVAGE_PAUSE_SECONDS = 0.2

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Drained:
    """What one slice of work came to."""

    outcomes: Counter[str] = field(default_factory=Counter)
    skipped: int = 0

    @property
    def handled(self) -> int:
        return sum(self.outcomes.values()) + self.skipped


def drain(runtime: Runtime, account_id: int, *, seconds: float) -> Drained:
    """Send what is due on an account for about *seconds*, then return; safe to call from many places at once."""
    with runtime.db.reading() as session:
        row = session.get(Account, account_id)
        if row is None or row.state != "active":
            return Drained()
        config = accounts.config(runtime, session, account_id)
        provider, zone_name = row.provider, time_zone(session)
    lane = _Lane(runtime, config, provider=provider, sender=lines.line(config, provider), zone_name=zone_name)
    try:
        return lane.work(until=time.monotonic() + seconds)
    except Exception:
        lines.hang_up(account_id)
        raise


class _Lane:
    """One slice of work on one account."""

    def __init__(
        self, runtime: Runtime, config: AccountConfig, *, provider: str, sender: Sender, zone_name: str
    ) -> None:
        self._runtime = runtime
        self._zone_name = zone_name
        self._config = config
        self._sender = sender
        capabilities = registry.get(provider, config.channel).capabilities
        self._idempotency, self._spacing = capabilities.idempotency, capabilities.recipient_seconds
        self._preparer = Preparer(runtime, config, provider=provider, sender=sender)
        self._owner = f"{runtime.db.owner}-{threading.get_ident()}-{config.id}-{secrets.token_hex(4)}"
        self._queue: deque[Item] = deque()
        self._flights: dict[int, Flight] = {}
        self._ended: list[tuple[Flight, Finished]] = []
        self._skips: list[tuple[Item, Reason]] = []
        self._batches: Counter[int] = Counter()
        self._extended = time.monotonic()
        self._stopped = False
        self._not_before = 0.0
        self._breaker = Breaker()  #: as it stood at the last gate
        self._flow = Flow(sender.slots(), now=time.monotonic())
        self._ends = 0  #: calls that ended since the flow was told
        self.drained = Drained()

    def work(self, *, until: float) -> Drained:
        """Send until *until*; what is on the wire then is waited for."""
        try:
            return self._work(until)
        except Exception:
            self._salvage()
            raise

    def _salvage(self) -> None:
        """The database failed us: wait for what is on the wire, and try for a while to write down how it ended."""
        self._queue.clear()
        while self._flights:
            self._collect()
        end = time.monotonic() + _SALVAGE_SECONDS
        while self._ended:
            try:
                told = [(flight.item, done.result) for flight, done in self._ended]
                consequences.of_results(self._runtime, told)
                with self._runtime.db.transaction() as session:
                    self._settle(session, self._ended, self._runtime.db.now(session))
                self._ended = []
                self._return_rest()
            except BroadcasterError:
                if time.monotonic() > end:
                    return  # their lease runs out, and they count as unknown
                time.sleep(_SALVAGE_PAUSE_SECONDS)

    def _work(self, until: float) -> Drained:
        while True:
            if time.monotonic() < until and not self._stopped:
                self._refill()
            ready = self._ready(until)
            if not (ready or self._flights or self._ended or self._skips):
                if not self._queue or self._stopped or max(time.monotonic(), self._not_before) >= until:
                    break
                time.sleep(_WAIT_SECONDS)
            if ready or self._ended or self._skips or self._lease_is_old():
                self._exchange(ready)
            self._collect()
        self._return_rest()
        return self.drained

    def _refill(self) -> None:
        """Lease further batches while the queue is shorter than the window."""
        while len(self._queue) < max(self._room(), 1):
            with self._runtime.db.transaction() as session:
                now = self._runtime.db.now(session)
                batch = batches.lease_batch(session, account_id=self._config.id, owner=self._owner, now=now)
                if batch is None:
                    return
                keyed = self._idempotency is Idempotency.KEYED
                batches.settle_abandoned(session, batch.id, keyed=keyed, now=now)
                items = self._preparer.load(session, batch, now=now)
                if not items:
                    batches.release_batch(session, batch.id, owner=self._owner)
                    continue
            self._forget_stale(batch.id)
            self._queue.extend(items)
            self._batches[batch.id] += len(items)

    def _forget_stale(self, batch_id: int) -> None:
        """Drop what waits of a batch that we lost and have leased again: all that is due in it was read anew."""
        if batch_id in self._batches:
            kept = [item for item in self._queue if item.batch_id != batch_id]
            self._batches[batch_id] -= len(self._queue) - len(kept)
            self._queue = deque(kept)

    def _room(self) -> int:
        """Return how many more calls may pass the gate now."""
        return self._flow.room(self._sender.slots(), flying=len(self._flights))

    def _ready(self, until: float) -> list[Item]:
        """Build the messages that can start now; one that cannot be built is skipped with its reason."""
        if self._stopped or time.monotonic() < self._not_before or time.monotonic() >= until:
            return []
        ready: list[Item] = []
        room = min(self._room(), len(self._queue))
        if room:
            self._sender.warm(room)
        while self._queue and len(ready) < room:
            item = self._queue.popleft()
            reason = self._prepare(item)
            if reason is None:
                ready.append(item)
            else:
                self._skips.append((item, reason))
            if len(ready) % _LISTEN_EVERY == 0:
                self._listen()
        return ready

    def _prepare(self, item: Item) -> Reason | None:
        """Build one message; whatever goes wrong with it must not hold up those behind it."""
        try:
            return self._preparer.prepare(item)
        except Misconfigured:
            raise  # says nothing against the message
        except Exception as problem:
            logger.error("a message cannot be built", extra={"step": item.step_id, "error": type(problem).__name__})
            return Reason.RENDER_FAILED

    def _exchange(self, ready: list[Item]) -> None:
        """Settle what ended and gate what can start, in one transaction; then start it."""
        ended = list(self._ended)  # more come in meanwhile
        skips, self._skips = self._skips, []
        consequences.of_results(self._runtime, [(flight.item, done.result) for flight, done in ended])
        with self._runtime.db.transaction() as session:
            now = self._runtime.db.now(session)
            # contacts, addresses, steps, as an edit and an opt-out take them: two orders would be a deadlock
            lately.lock_contacts(session, {item.row.contact_id for item in ready if item.limits})
            touched = {item.address_id for item in ready} | {item.address_id for item, _ in skips}
            gate_rows.lock_addresses(session, sorted(touched), alone=bool(self._spacing))
            self._listen()
            self._settle(session, ended, now)
            self._listen()
            deliveries.mark_skipped(session, [(item.step_id, reason.value) for item, reason in skips], now=now)
            gate_clock = boottime()
            allowed = self._gate(session, ready, now) if ready else []
            self._listen()
            self._keep_leases(session, now)
            self._release_finished(session, [f.item for f, _ in ended] + [item for item, _ in skips])
        del self._ended[: len(ended)]
        for flight in allowed:
            self._flights[flight.item.step_id] = flight
            self._sender.start(flight.item.step_id, flight.item.prepared, gate_clock + GATE_SECONDS)
            flight.item.prepared = None

    def _gate(self, session: Session, ready: Sequence[Item], now: datetime) -> list[Flight]:
        """The last look: under the addresses' locks, let through, skip with a reason, or put back.

        Who is over the number of their mail domain is out of our hands, and costs the account nothing.
        """
        limits = rates.limits(session, self._config.id)
        pace = Pace(self._runtime, session, limits, now=now)
        ready, held = pace.split(ready)
        taken = rates.take(session, limits, len(ready), now=now, flying=len(self._flights), zone_name=self._zone_name)
        tokens, self._breaker = taken.tokens, taken.breaker
        for item in reversed(ready[tokens:]):
            self._queue.appendleft(item)
        if tokens < len(ready):
            self._not_before = max(self._not_before, time.monotonic() + _WAIT_SECONDS)
        look = gate.pass_through(session, ready[:tokens], owner=self._owner, now=now, spacing=self._spacing)
        pace.count(flight.item for flight in look.passed)
        warmups.uncount(session, self._config.id, [taken.day_ends] * (tokens - len(look.passed)))
        for flight in look.passed:
            flight.day_ends = taken.day_ends
        self._stopped = self._stopped or look.account_stopped or taken.day_full
        self.drained.skipped += look.refused
        self._forget(session, [*look.gone, *held])
        return look.passed

    def _settle(self, session: Session, ended: Sequence[tuple[Flight, Finished]], now: datetime) -> None:
        late = [flight for flight, done in ended if _not_started(done)]
        settling_rows.give_back(session, [(flight.item.step_id, flight.attempt) for flight in late], owner=self._owner)
        warmups.uncount(session, self._config.id, [flight.day_ends for flight in late])
        self._queue.extendleft(flight.item for flight in late)
        self._flow.gated(too_late=bool(late))
        done = [(flight, one.result) for flight, one in ended if not _not_started(one)]
        if not done:
            return
        settled = settling.write(session, done, self._config.id, self._idempotency, now=now)
        self._preparer.keep_outbox(session, [flight.item for flight, done in ended if _accepted(done)], now=now)
        self.drained.outcomes.update(one.outcome for one in settled)
        throttled = [one.due_at for one in settled if one.outcome == Outcome.THROTTLED and one.due_at is not None]
        if throttled:
            rates.pause(session, self._config.id, until=max(throttled))
            self._not_before = time.monotonic() + (max(throttled) - now).total_seconds()
        self._break(session, [done.result.outcome for _, done in ended], now)
        faults = [one.outcome for one in settled if Outcome(one.outcome) in ACCOUNT_FAULTS]
        if faults:
            accounts.hold(session, self._config.id, faults[0], now=now)
            self._stopped = True

    def _break(self, session: Session, outcomes: Sequence[Outcome], now: datetime) -> None:
        """Leave an account alone that does not answer; writes nothing as long as all is well."""
        if self._breaker == Breaker() and not breaker.troubled(outcomes):
            return
        before, self._breaker = rates.judge(session, self._config.id, outcomes, now=now)
        if self._breaker.openings > before.openings:
            seconds = self._breaker.pause_seconds
            self._not_before = time.monotonic() + seconds
            opened = BreakerMoved(account_id=self._config.id, verb="opened", seconds=int(seconds))
            log.record(session, opened, at=now)
        elif before.trying and not self._breaker.trying:
            log.record(session, BreakerMoved(account_id=self._config.id, verb="closed"), at=now)

    def _collect(self) -> None:
        """Wait until most of what passed the gate has started, and briefly for half of it to end.

        Each exchange costs the same, whatever it carries.
        """
        if not self._flights:
            return
        begun = time.monotonic()
        # what ended before counts for nothing here: a slice that cannot write it down collects all the rest
        seconds, enough = 0.0, len(self._ended) + (len(self._flights) + 1) // 2
        while self._flow.overfull(len(self._flights)) or (seconds < _WAIT_SECONDS and len(self._ended) < enough):
            self._listen(max(_WAIT_SECONDS - seconds, 0.01))
            seconds = time.monotonic() - begun
            if not self._flights:
                break
        self._flow.waited(self._ends, begun=begun, now=time.monotonic(), pause=_WAIT_SECONDS)
        self._ends = 0

    def _listen(self, seconds: float = 0.0) -> None:
        """Take in what has ended, waiting so long for the first; what waits for a slot starts meanwhile.

        Asked again and again while an exchange goes on, or slots would stand empty for as long as that takes.
        """
        for done in self._sender.finished(seconds):
            flight = self._flights.pop(done.ref, None)
            if flight is not None:
                self._ended.append((flight, done))
                self._ends += not _not_started(done)
                self._flow.ended(accepted=_accepted(done))

    def _lease_is_old(self) -> bool:
        return time.monotonic() - self._extended > _EXTEND_EVERY_SECONDS

    def _keep_leases(self, session: Session, now: datetime) -> None:
        if self._lease_is_old():
            batches.extend_leases(session, owner=self._owner, now=now)
            self._extended = time.monotonic()

    def _release_finished(self, session: Session, items: Sequence[Item]) -> None:
        queued = {item.step_id for item in self._queue}
        self._forget(session, [item for item in items if item.step_id not in queued])

    def _forget(self, session: Session, items: Sequence[Item]) -> None:
        """Count items out of their batches, and give a batch back with its last item."""
        for item in items:
            self._batches[item.batch_id] -= 1
            if not self._batches[item.batch_id]:
                del self._batches[item.batch_id]
                batches.release_batch(session, item.batch_id, owner=self._owner)

    def _return_rest(self) -> None:
        if self._batches:
            with self._runtime.db.transaction() as session:
                for batch_id in list(self._batches):
                    batches.release_batch(session, batch_id, owner=self._owner)
        self._queue.clear()
        self._batches.clear()


def _not_started(done: Finished) -> bool:
    return done.result.outcome is Outcome.NOT_STARTED


def _accepted(done: Finished) -> bool:
    return done.result.outcome is Outcome.ACCEPTED


__all__ = ["GATE_SECONDS", "Drained", "drain"]
