"""The loop every worker process runs: look at the rows about once a second and do what is due.

Nothing depends on a broker: a doorbell only makes the next look come at once. Each job guards itself by a lease or a
row lock, so any number of loops may run; there is no single scheduler to die.
"""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from broadcaster.actions import (
    campaigns,
    consent_desk,
    dispatch,
    domains,
    messages,
    obeying,
    pausing,
    planning,
    polling,
    privacy,
    receipts,
    sequencer,
)
from broadcaster.actions.imports import pending, uploads
from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import BroadcasterError
from broadcaster.storage import batches, workers
from broadcaster.storage import campaigns as campaign_rows
from broadcaster.storage.database import take_lease

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
_PLAN_SECONDS = 0.5
_DRAIN_SECONDS = 2.0
#: A due account whose doorbell nobody answered for this long is drained by the loop itself.
_PATIENCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Job:
    """One thing the loop does. ``lease_seconds``: only one process at a time does it."""

    name: str
    run: Callable[[Runtime], object]
    every_seconds: float = TICK_SECONDS
    lease_seconds: float = 0.0


JOBS = (
    Job("start", planning.start_due),
    Job("cancel", campaigns.sweep_cancelled),
    Job("finish", planning.finish_runs),
    Job("sequence", sequencer.sequence),
    Job("receipts", receipts.match_parked),
    Job("reviews", obeying.close_overdue_reviews, every_seconds=60.0),
    Job("pauses", pausing.end_pauses, every_seconds=60.0),
    Job("messages", messages.send_due),
    Job("poll", polling.poll_due, every_seconds=2.0, lease_seconds=30.0),
    Job("erasures", privacy.resume_erasures, every_seconds=5.0, lease_seconds=30.0),
    Job("imports", pending.run_pending),
    Job("domains", domains.forget_full, every_seconds=60.0),
    Job("tally", consent_desk.count_days, every_seconds=60.0, lease_seconds=300.0),
    Job("uploads", uploads.forget_orphans, every_seconds=600.0),
    Job("heartbeat", workers.beat, every_seconds=5.0),
)


class Loop:
    """The jobs of one process. ``step`` does one round; ``start`` runs rounds in a thread until ``stop``."""

    def __init__(self, runtime: Runtime, *, doorbell: bool = False) -> None:
        self._runtime = runtime
        self._doorbell = doorbell
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._last: dict[str, float] = {}
        self._waiting: dict[int, float] = {}
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="broadcaster-loop", daemon=True)
        self._thread.start()

    def stop(self, *, seconds: float = 35.0) -> None:
        """End after the job at hand."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def wake(self) -> None:
        """Look now."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            busy = self.step()
            self._wake.wait(0.0 if busy else TICK_SECONDS)
            self._wake.clear()
        self._guarded("leave", lambda: workers.leave(self._runtime))

    def step(self) -> bool:
        """Do one round; return whether there is more to do at once."""
        for job in JOBS:
            self._attempt(job)
        return bool(self._guarded("plan", self._plan)) | bool(self._guarded("drain", self._drain))

    def _attempt(self, job: Job) -> None:
        now = time.monotonic()
        if now - self._last.get(job.name, -1e9) < job.every_seconds * 0.9:
            return
        self._last[job.name] = now
        self._guarded(job.name, lambda: self._with_lease(job))

    def _with_lease(self, job: Job) -> None:
        if job.lease_seconds:
            db = self._runtime.db
            with db.transaction() as session:
                if not take_lease(session, db, f"job:{job.name}", owner=db.owner, seconds=job.lease_seconds):
                    return
        job.run(self._runtime)

    def _guarded(self, name: str, work: Callable[[], object]) -> object:
        """One job's failure must not stop the others; ids and classes go to the log, never words."""
        try:
            return work()
        except BroadcasterError as problem:
            log.warning("job failed", extra={"job": name, "code": problem.code})
        except Exception as problem:
            log.error("job failed", extra={"job": name, "error": type(problem).__name__})
            log.debug("job failed", exc_info=True)
        return None

    def _plan(self) -> bool:
        """Plan unplanned runs for a short while, so that sending and the log go on in between."""
        with self._runtime.db.reading() as session:
            runs = campaign_rows.unplanned_runs(session)
        end = time.monotonic() + _PLAN_SECONDS
        more = [self._guarded("plan", functools.partial(self._plan_run, run_id, end)) for run_id in runs]
        return any(more)

    def _plan_run(self, run_id: int, end: float) -> bool:
        while more := planning.plan_range(self._runtime, run_id):
            if time.monotonic() >= end:
                break
        return more

    def _drain(self) -> bool:
        """Ring for accounts with due work, whoever serves them; drain those of our channels for which nobody comes."""
        with self._runtime.db.reading() as session:
            due = batches.due_accounts(session, now=self._runtime.db.now(session))
        now = time.monotonic()
        self._waiting = {account: self._waiting.get(account, 0.0) for account in due}
        handled = 0
        for account_id, one in due.items():
            since = self._waiting[account_id]
            if self._stopping.is_set():
                break
            if self._doorbell and not since:
                self._runtime.ring(account_id, one.channel)
                self._waiting[account_id] = now
            elif not self._runtime.serves(one.channel):
                continue
            elif self._doorbell and one.attended:
                self._waiting[account_id] = now  # a task that finds work comes back by itself
            elif not self._doorbell or now - since > _PATIENCE_SECONDS:
                handled += bool(self._guarded("drain", functools.partial(self._drain_one, account_id)))
        return handled > 0

    def _drain_one(self, account_id: int) -> bool:
        """One account that cannot send must not keep the others from it."""
        return dispatch.drain(self._runtime, account_id, seconds=_DRAIN_SECONDS).handled > 0
