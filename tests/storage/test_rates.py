"""Token buckets shared by all workers: never more than the rate allows, nothing while the provider asks us to wait."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from broadcaster.actions.runtime import Runtime
from broadcaster.storage import rates
from broadcaster.storage.tables import RateBucket
from tests.storage import rows

T = datetime(2026, 3, 2, 12, tzinfo=UTC)


def account(runtime: Runtime) -> int:
    with runtime.db.engine.begin() as connection:
        return int(rows.add(connection, "account")["id"])


def take(runtime: Runtime, number: int, want: int, at: float, *, rate: float | None) -> int:
    with runtime.db.engine.begin() as connection:
        connection.execute(
            text("UPDATE account SET rate_per_second = :rate WHERE id = :id"), {"rate": rate, "id": number}
        )
    with runtime.db.transaction() as session:
        return rates.take(session, rates.limits(session, number), want, now=T + timedelta(seconds=at)).tokens


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.floats(0.2, 100),
    st.lists(st.tuples(st.floats(0, 3), st.integers(0, 60)), min_size=1, max_size=12),
)
def test_no_span_of_time_sees_more_than_a_burst_and_the_rate(
    runtime: Runtime, rate: float, asked: list[tuple[float, int]]
) -> None:
    number, at = account(runtime), 0.0
    granted: list[tuple[float, int]] = []
    for pause, want in asked:
        at += pause
        granted.append((at, take(runtime, number, want, at, rate=rate)))
        assert granted[-1][1] <= want
    burst = max(1.0, rate * rates.BURST_SECONDS)
    for first, (start, _) in enumerate(granted):
        total = 0
        for end, count in granted[first:]:
            total += count
            assert total <= burst + (end - start) * rate + 1e-6


def test_what_is_asked_for_slowly_is_granted_in_full(runtime: Runtime) -> None:
    number = account(runtime)
    assert [take(runtime, number, 1, at * 4.0, rate=0.25) for at in range(5)] == [1] * 5


def test_without_a_rate_everything_is_granted(runtime: Runtime) -> None:
    assert take(runtime, account(runtime), 500, 0, rate=None) == 500


def test_nothing_starts_before_the_pause_ends_and_then_no_burst(runtime: Runtime) -> None:
    number = account(runtime)
    with runtime.db.transaction() as session:
        rates.pause(session, number, until=T + timedelta(seconds=30))
    assert take(runtime, number, 5, 29.9, rate=10) == 0
    assert take(runtime, number, 5, 30.1, rate=10) == 1


def test_a_pause_also_holds_an_account_without_a_rate(runtime: Runtime) -> None:
    number = account(runtime)
    with runtime.db.transaction() as session:
        rates.pause(session, number, until=T + timedelta(seconds=30))
    assert take(runtime, number, 5, 29.9, rate=None) == 0
    assert take(runtime, number, 5, 30.1, rate=None) == 5


def test_a_shorter_pause_does_not_end_a_longer_one(runtime: Runtime) -> None:
    """Two workers are throttled at once; the provider told one of them to wait longer."""
    number = account(runtime)
    with runtime.db.transaction() as session:
        rates.pause(session, number, until=T + timedelta(seconds=60))
        rates.pause(session, number, until=T + timedelta(seconds=2))
    assert take(runtime, number, 5, 30, rate=10) == 0


def test_two_accounts_do_not_share_a_bucket(runtime: Runtime) -> None:
    one, other = account(runtime), None
    with runtime.db.engine.begin() as connection:
        other = int(rows.add(connection, "account")["id"])
    assert take(runtime, one, 10, 0, rate=10) == 10
    assert take(runtime, other, 10, 0, rate=10) == 10
    assert take(runtime, one, 10, 0, rate=10) == 0


def test_workers_together_take_no_more_than_there_is(runtime: Runtime) -> None:
    number, granted = account(runtime), []

    def work() -> None:
        for _ in range(10):
            granted.append(take(runtime, number, 3, 0, rate=50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 50
    with runtime.db.reading() as session:
        assert session.get_one(RateBucket, number).tokens < 1
