"""No account that warms up sends more in a day than the day allows, whoever works on it."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from broadcaster.actions.runtime import Runtime
from broadcaster.core.schedule import zone
from broadcaster.storage import rates, warmups
from broadcaster.storage.rates import Taken
from broadcaster.storage.tables import Account
from tests.storage import rows

T = datetime(2026, 3, 2, 12, tzinfo=UTC)
ZONE = "Europe/Paris"


def account(runtime: Runtime, *days: int, rate: float | None = None) -> int:
    with runtime.db.engine.begin() as connection:
        number = int(rows.add(connection, "account")["id"])
        connection.execute(
            text("UPDATE account SET rate_per_second = :rate WHERE id = :id"), {"rate": rate, "id": number}
        )
    change(runtime, number, *days)
    return number


def change(runtime: Runtime, number: int, *days: int) -> None:
    with runtime.db.engine.begin() as connection:
        connection.execute(Account.__table__.update().where(text(f"id = {number}")).values(warm_up=list(days)))  # type: ignore[attr-defined]


def take(runtime: Runtime, number: int, want: int, at: datetime) -> Taken:
    with runtime.db.transaction() as session:
        return rates.take(session, rates.limits(session, number), want, now=at, zone_name=ZONE)


def held(runtime: Runtime, number: int, at: datetime) -> bool:
    statement = text(f"SELECT 1 FROM (SELECT {number} AS account_id) b WHERE {warmups.HELD_BACK}")
    with runtime.db.reading() as session:
        return session.connection().execute(statement, {"now": f"{at:%Y-%m-%d %H:%M:%S.%f}"}).first() is not None


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.integers(1, 20), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 9), st.integers(1, 30), st.integers(0, 5)), min_size=3, max_size=15),
    st.one_of(st.none(), st.floats(5, 100)),
)
def test_no_day_sees_more_than_it_allows(
    runtime: Runtime, days: list[int], asked: list[tuple[int, int, int]], rate: float | None
) -> None:
    """Each time some hours later; some of the calls that were granted do not start and are given back."""
    number, at = account(runtime, *days, rate=rate), T
    sent: Counter[object] = Counter()
    for hours, want, back in asked:
        at += timedelta(hours=hours)
        taken = take(runtime, number, want, at)
        back = min(back, taken.tokens)
        with runtime.db.transaction() as session:
            warmups.uncount(session, number, [taken.day_ends] * back)
        if taken.tokens:
            sent[at.astimezone(zone(ZONE)).date()] += taken.tokens - back
    for place, day in enumerate(sorted(sent, key=str)):
        if place < len(days):
            assert sent[day] <= days[place]


def test_workers_together_take_no_more_than_the_day_allows(runtime: Runtime) -> None:
    number, granted = account(runtime, 50, 1000), []

    def work() -> None:
        for _ in range(10):
            granted.append(take(runtime, number, 3, T).tokens)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 50


def test_the_rate_holds_within_the_day(runtime: Runtime) -> None:
    assert take(runtime, account(runtime, 500, rate=10), 100, T).tokens == 10


def test_each_day_on_which_something_left_allows_what_it_says_and_then_nothing_is_held(runtime: Runtime) -> None:
    number = account(runtime, 2, 5)
    found = [take(runtime, number, 9, T + timedelta(days=day)) for day in (0, 0, 3, 4)]
    assert [one.tokens for one in found] == [2, 0, 5, 9]
    assert [one.day_full for one in found] == [True, True, True, False]


def test_a_full_day_holds_the_account_until_midnight(runtime: Runtime) -> None:
    number = account(runtime, 2, 5)
    assert not held(runtime, number, T)
    take(runtime, number, 1, T)
    assert not held(runtime, number, T)
    take(runtime, number, 1, T)
    assert held(runtime, number, T)
    assert held(runtime, number, datetime(2026, 3, 2, 22, 59, 59, tzinfo=UTC))
    assert not held(runtime, number, datetime(2026, 3, 2, 23, 0, tzinfo=UTC))


def test_a_call_that_did_not_start_is_taken_off_its_own_day_only(runtime: Runtime) -> None:
    number = account(runtime, 2, 2)
    yesterday = take(runtime, number, 2, T)
    assert take(runtime, number, 2, T + timedelta(days=1)).tokens == 2
    with runtime.db.transaction() as session:
        warmups.uncount(session, number, [yesterday.day_ends] * 2)
    assert take(runtime, number, 2, T + timedelta(days=1)).tokens == 0


def test_an_account_that_does_not_warm_up_has_no_day(runtime: Runtime) -> None:
    number = account(runtime)
    assert take(runtime, number, 500, T) == Taken(500, take(runtime, number, 1, T).breaker)
