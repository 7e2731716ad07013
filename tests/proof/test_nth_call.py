"""The database fails at its n-th call, for n = 1, 2, 3 ... until none fails: no step of the main paths is unguarded.

Each statement fails before it is sent; each commit once before it happens and once after, when only its answer is lost.
"""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from broadcaster.actions import planning, privacy
from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import Unavailable
from broadcaster.core.messages import Inbound
from broadcaster.fakes.telegram import FakeTelegram
from broadcaster.fakes.twilio import FakeTwilio
from tests import factories
from tests.actions.scene import scene
from tests.actions.talk import said, standing, tell

PEOPLE = 3


@dataclass
class Fault:
    """One call that fails; ``at`` counts statements and both sides of each commit."""

    at: int
    seen: int = 0
    fired: str = ""

    def call(self, what: str) -> None:
        self.seen += 1
        if self.seen == self.at:
            self.fired = what
            raise OperationalError(what, None, sqlite3.OperationalError("the cable was pulled"))


@contextmanager
def failing(runtime: Runtime, at: int) -> Iterator[Fault]:
    """Let the call number *at* to the database fail."""
    fault, engine = Fault(at), runtime.db.engine
    commit = engine.dialect.do_commit

    def before(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        fault.call(statement)

    def do_commit(connection: Any) -> None:
        fault.call("before a commit")
        commit(connection)
        fault.call("after a commit")

    event.listen(engine, "before_cursor_execute", before)
    engine.dialect.do_commit = do_commit  # type: ignore[assignment, method-assign]
    try:
        yield fault
    finally:
        del engine.dialect.do_commit
        event.remove(engine, "before_cursor_execute", before)


def everywhere(
    runtime: Runtime, work: Callable[[int], object], mend: Callable[[int], object], *, least: int, every: int = 1
) -> None:
    """Do *work* with each of its calls failing in turn; what failed is repeated by *mend*, as its caller would.

    *every*: of long work only each so many-th call, beginning anywhere; a failure names the call.
    """
    for n in itertools.count(random.SystemRandom().randint(1, every), every):
        with failing(runtime, n) as fault:
            try:
                work(n)
            except Unavailable:
                assert fault.fired, "only what was made to fail fails"
        mend(n)
        if not fault.fired:
            assert n > least, "the work became much shorter, or its calls are not counted any more"
            return


def test_a_campaign_is_planned_once_and_whole(runtime: Runtime) -> None:
    s = scene(runtime, None, PEOPLE)

    unplanned = "SELECT id FROM run WHERE planned_at IS NULL"

    def plan() -> None:
        for run in [*planning.start_due(runtime), *(row[0] for row in s.rows(unplanned))]:
            while planning.plan_range(runtime, run):
                pass

    def work(_n: int) -> None:
        lanes = [(s.channel, s.account)]
        s.campaign = 0
        s.campaign = factories.campaign(runtime, brand_id=s.brand, purpose_id=s.purpose, lanes=lanes)
        plan()

    def mend(_n: int) -> None:
        plan()
        if s.campaign:  # the fault may have come before there was one
            told = s.rows(
                "SELECT count(DISTINCT r.id), count(DISTINCT d.contact_id), count(d.id), count(s.id) FROM run r "
                "LEFT JOIN delivery d ON d.run_id = r.id LEFT JOIN step s ON s.delivery_id = d.id "
                "WHERE r.campaign_id = :c",
                c=s.campaign,
            )
            assert told == [(1, PEOPLE, PEOPLE, PEOPLE)]

    everywhere(runtime, work, mend, least=30)


@pytest.fixture
def telegram() -> Iterator[FakeTelegram]:
    with FakeTelegram() as server:
        yield server


def test_a_slice_of_sending_loses_nobody_and_writes_to_nobody_twice(runtime: Runtime, telegram: FakeTelegram) -> None:
    s = scene(runtime, telegram, PEOPLE)

    def mend(n: int) -> None:
        while s.rows("SELECT 1 FROM step WHERE state IN ('planned', 'dispatching')"):
            s.abandon()
            s.make_due()
            s.drain()
        sent = [one.to for one in telegram.recorded]
        ends = s.rows("SELECT state FROM step ORDER BY id")
        telegram.recorded.clear()
        assert len(set(sent)) == len(sent), f"somebody got it twice with fault {n}"
        assert {row[0] for row in ends[-PEOPLE:]} <= {"accepted", "unknown"}
        assert ends[-PEOPLE:].count(("accepted",)) <= len(sent) <= PEOPLE
        assert len(sent) + ends[-PEOPLE:].count(("unknown",)) >= PEOPLE, f"somebody was lost with fault {n}"

    def work(_n: int) -> None:
        s.drain()

    def launched(n: int) -> None:
        mend(n)
        s.launch()

    s.launch()
    everywhere(runtime, work, launched, least=20)


def test_a_stop_is_answered_only_when_it_holds_and_told_again_it_counts_once(runtime: Runtime) -> None:
    with FakeTwilio() as fake:
        s = scene(runtime, fake, 120)
        at = datetime.now(UTC)

        def stop(n: int) -> Inbound:
            return said("STOP", who=n, key=f"stop-{n}", at=at)

        def work(n: int) -> None:
            tell(s, stop(n))
            assert standing(s, n) != "granted", "it was answered and holds not"

        def mend(n: int) -> None:
            tell(s, stop(n))
            address = s.people[n - 1][1]
            assert standing(s, n) not in (None, "granted")
            told = "SELECT count(*) FROM {} WHERE address_id = :a {}"
            objected = s.rows(told.format("consent_event", "AND action = 'objected'"), a=address)
            kept = s.rows(told.format("inbox_event", ""), a=address)
            answers = s.rows(told.format("message", "AND kind = 'confirmation'"), a=address)
            assert (objected, kept, answers) == ([(1,)], [(1,)], [(1,)]), f"fault {n}"

        everywhere(runtime, work, mend, least=20)
        assert s.verified().ok


def test_an_erasure_ends_whole_wherever_it_was_interrupted(runtime: Runtime) -> None:
    s = scene(runtime, None, 400)

    def mend(n: int) -> None:
        contact, address = s.people[n - 1]
        privacy.resume_erasures(runtime)
        privacy.erase(runtime, contact, actor="cli:test")
        assert s.rows("SELECT state FROM contact WHERE id = :c", c=contact) == [("erased",)]
        left = s.rows("SELECT value_ct, digest FROM address WHERE id = :a AND value_ct IS NOT NULL", a=address)
        requests = s.rows("SELECT state FROM privacy_request WHERE contact_id = :c", c=contact)
        assert (left, requests) == ([], [("done",)]), f"fault {n}"

    def work(n: int) -> None:
        privacy.erase(runtime, s.people[n - 1][0], actor="cli:test")

    everywhere(runtime, work, mend, least=30, every=6)
    assert s.verified().ok
    assert s.rows("SELECT count(*) FROM suppression") == s.rows("SELECT count(*) FROM contact WHERE state = 'erased'")
