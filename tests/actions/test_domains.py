"""Messages a minute to one mail domain, and the second between two messages to one chat: over all workers, alone."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import column, event
from sqlmodel import Session
from sqlmodel.sql.sqltypes import UTCDateTime

from broadcaster.actions import accounts, campaigns, domains, planning
from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import InvalidInput
from broadcaster.fakes.telegram import FakeTelegram
from broadcaster.storage import batches
from broadcaster.storage.database import Database, sql
from broadcaster.storage.tables import Account
from tests import factories
from tests.actions.scene import Scene, scene
from tests.storage import rows

MINUTE = timedelta(minutes=1)


class Clock:
    """The database's clock, standing still until it is moved."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Clock:
    with runtime.db.reading() as session:
        made = Clock(runtime.db.now(session))
    monkeypatch.setattr(Database, "now", lambda self, session: made.now)
    return made


@pytest.fixture
def fake() -> Iterator[FakeTelegram]:
    with FakeTelegram() as server:
        yield server


def move_half(s: Scene) -> None:
    """Every second person has their mail at Gmail."""
    s.change("UPDATE address SET domain = 'gmail.com' WHERE id % 2 = 0")


def handed_over(s: Scene, domain: str) -> list[datetime]:
    query = (
        "SELECT s.gate_at FROM step s JOIN address a ON a.id = s.address_id "
        "WHERE a.domain = :domain AND s.state = 'accepted' ORDER BY s.gate_at"
    )
    with s.runtime.db.reading() as session:
        typed = sql(query).columns(column("gate_at", UTCDateTime()))
        return list(session.connection().execute(typed, {"domain": domain}).scalars())


def busiest(times: list[datetime]) -> int:
    """Return how many there were in the fullest minute."""
    return max((sum(start <= at < start + MINUTE for at in times) for start in times), default=0)


def due(s: Scene) -> bool:
    with s.runtime.db.reading() as session:
        return bool(batches.due_accounts(session, now=s.runtime.db.now(session)))


def test_who_is_over_waits_alone_and_gets_it_once(runtime: Runtime, clock: Clock) -> None:
    s = scene(runtime, None, 20, domain_rates="gmail.com = 1")
    move_half(s)
    s.launch()
    assert s.drain().outcomes == {"accepted": 11}
    assert len(handed_over(s, "example.net")) == 10
    assert s.states() == {"accepted": 11, "planned": 9}
    assert not due(s), "nobody looks before there is something to do"
    assert s.drain().handled == 0
    for more in range(9):
        clock.move(61)
        assert due(s)
        assert s.drain().outcomes == {"accepted": 1}, more
    assert s.states() == {"accepted": 20}
    assert s.rows("SELECT count(*) FROM batch WHERE open OR lease_owner IS NOT NULL") == [(0,)]
    assert planning.finish_runs(runtime)
    assert s.verified().sends == 20


def test_the_others_have_one_number_each(runtime: Runtime, clock: Clock) -> None:
    s = scene(runtime, None, 12, domain_rates="* = 2, gmail.com = 3")
    s.change("UPDATE address SET domain = 'd' || (id % 3) || '.example'")
    s.change("UPDATE address SET domain = 'gmail.com' WHERE domain = 'd0.example'")
    s.launch()
    s.drain()
    sent = Counter(
        row[0]
        for row in s.rows(
            "SELECT a.domain FROM step s JOIN address a ON a.id = s.address_id WHERE s.state = 'accepted'"
        )
    )
    assert sent == {"gmail.com": 1, "d1.example": 1, "d2.example": 1}, "a minute's number does not leave at once"
    while due(s) or s.states()["planned"]:
        clock.move(5)
        s.drain()
    for domain, most in (("gmail.com", 3), ("d1.example", 2), ("d2.example", 2)):
        times = handed_over(s, domain)
        assert len(times) == 4
        assert busiest(times) <= most


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_minute_sees_more_than_the_number_whenever_two_workers_come(
    runtime: Runtime, clock: Clock, seed: int
) -> None:
    dice = random.Random(seed)
    most = dice.choice([2, 5, 40])
    s = scene(runtime, None, 30, domain_rates=f"gmail.com = {most}", rate_per_second=dice.choice([None, 20.0]))
    move_half(s)
    s.launch()
    left = dice.randint(1, 2)
    for _ in range(400):
        if left and dice.random() < 0.2:
            left -= 1
            s.launch()
        workers = [threading.Thread(target=s.drain, kwargs={"seconds": 0.3}) for _ in range(2)]
        for one in workers:
            one.start()
        for one in workers:
            one.join()
        if not left and not s.states()["planned"]:
            break
        clock.move(dice.choice([0, 0.2, 1, 7, 20, 61]))
    times = handed_over(s, "gmail.com")
    launched = s.rows("SELECT count(*) FROM run")[0][0]
    assert (len(times), s.states()) == (15 * launched, {"accepted": 30 * launched})
    assert busiest(times) <= most


def test_a_table_that_is_taken_away_lets_everybody_go(runtime: Runtime, clock: Clock) -> None:
    s = scene(runtime, None, 20, domain_rates="example.net = 1")
    s.launch()
    assert s.drain().outcomes == {"accepted": 1}
    accounts.limit_domains(runtime, s.account, "", actor=factories.ACTOR)
    clock.move(1)
    while s.drain().handled:
        clock.move(1)
    assert s.states() == {"accepted": 20}


def test_who_waits_for_a_domain_is_asked_again_and_cancelled_with_the_campaign(runtime: Runtime, clock: Clock) -> None:
    s = scene(runtime, None, 6, domain_rates="example.net = 1")
    s.launch()
    s.drain()
    waiting = [address for address, (state, _) in s.steps().items() if state == "planned"]
    s.change("UPDATE address SET suppressed = (1=1) WHERE id = :id", id=waiting[0])
    clock.move(61)
    s.drain()
    assert s.steps()[waiting[0]] == ("skipped", "suppressed")
    campaigns.cancel(runtime, s.campaign, actor=factories.ACTOR)
    campaigns.sweep_cancelled(runtime)
    assert s.states()["planned"] == 0
    assert planning.finish_runs(runtime)


def test_buckets_that_filled_up_are_forgotten_and_name_no_domain(runtime: Runtime, clock: Clock) -> None:
    s = scene(runtime, None, 2, domain_rates="* = 60")
    s.launch()
    s.drain()
    [(key,)] = s.rows("SELECT domain_key FROM domain_bucket")
    assert key == domains.key_of(runtime.keys, "example.net")
    domains.forget_full(runtime)
    assert len(s.rows("SELECT 1 FROM domain_bucket")) == 1
    clock.move(62)
    domains.forget_full(runtime)
    assert s.rows("SELECT 1 FROM domain_bucket") == []


def statements(runtime: Runtime, work: Callable[[], object]) -> Counter[str]:
    """Return the statements of *work*, by their first words."""
    seen: Counter[str] = Counter()

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen[
            "domain_bucket" if "domain_bucket (" in statement or "FROM domain_bucket WHERE" in statement else "all"
        ] += 1

    event.listen(runtime.db.engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(runtime.db.engine, "before_cursor_execute", note)
    return seen


def test_an_account_without_a_table_asks_nothing_about_domains(runtime: Runtime) -> None:
    s = scene(runtime, None, 40)
    s.launch()
    assert statements(runtime, s.drain)["domain_bucket"] == 0
    accounts.limit_domains(runtime, s.account, "gmail.com = 5", actor=factories.ACTOR)
    s.launch()
    assert statements(runtime, s.drain)["domain_bucket"] == 0, "nor one whose table names none of these people"
    assert s.states() == {"accepted": 80}


def test_only_mail_has_domains(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake, 1)
    with pytest.raises(InvalidInput) as refused:
        accounts.limit_domains(runtime, s.account, "gmail.com = 5", actor=factories.ACTOR)
    assert refused.value.code == "domain_rates_mail"
    with runtime.db.reading() as session:
        assert session.get_one(Account, s.account).domain_rates == {}


# one chat


def test_two_messages_to_one_chat_are_a_second_apart(runtime: Runtime, fake: FakeTelegram, clock: Clock) -> None:
    s = scene(runtime, fake, 3)
    s.launch()
    s.launch()
    workers = [threading.Thread(target=s.drain, kwargs={"seconds": 3}) for _ in range(2)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert sorted(Counter(one.to for one in fake.recorded).values()) == [1, 1, 1]
    assert s.states() == {"accepted": 3, "planned": 3}
    clock.move(0.9)
    assert s.drain().handled == 0
    clock.move(0.1)
    assert s.drain().outcomes == {"accepted": 3}
    assert sorted(Counter(one.to for one in fake.recorded).values()) == [2, 2, 2]


def test_an_answer_of_ours_counts_for_the_chat_too(runtime: Runtime, fake: FakeTelegram, clock: Clock) -> None:
    s = scene(runtime, fake, 2)
    s.launch()
    first = s.people[0][1]
    reply(s, first)
    assert s.drain().outcomes == {"accepted": 1}
    assert s.steps()[first][0] == "planned"
    clock.move(1)
    assert s.drain().outcomes == {"accepted": 1}


def reply(s: Scene, address: int) -> None:
    """Something outside campaigns went to an address just now."""
    with s.runtime.db.engine.begin() as connection, Session(bind=connection) as session:
        now = s.runtime.db.now(session)
        rows.add(connection, "message", address_id=address, account_id=s.account, gate_at=now)
