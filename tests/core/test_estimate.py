"""The estimated end: rate, warm-up, hours."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

from broadcaster.core import estimate, schedule
from broadcaster.core.estimate import Hours
from broadcaster.core.schedule import Window
from broadcaster.core.warmup import Day

MONDAY = datetime(2026, 11, 2, 10, tzinfo=UTC)
OFFICE = functools.partial(schedule.next_span, window=Window(time(8), time(20)), zones=["UTC"], country="FR")


def end(
    waiting: int,
    *,
    rate: float = 1.0,
    warm_up: Sequence[int] = (),
    last_day: Day | None = None,
    hours: Hours = estimate.always,
) -> datetime:
    day = last_day or Day()
    return estimate.finish({MONDAY: waiting}, rate, hours=hours, warm_up=warm_up, last_day=day, zone_name="UTC")


def test_without_a_warm_up_and_hours_the_rate_says_it() -> None:
    assert end(600, rate=10) == MONDAY + timedelta(minutes=1)


def test_later_people_wait_for_their_time_and_no_longer() -> None:
    due = {MONDAY: 600, MONDAY + timedelta(minutes=5): 60, MONDAY + timedelta(days=1): 1}
    found = estimate.finish(due, 1.0, hours=estimate.always, warm_up=(), last_day=Day(), zone_name="UTC")
    assert found == MONDAY + timedelta(days=1, seconds=1)


def test_what_is_over_a_days_allowance_takes_the_next_days() -> None:
    assert end(50, warm_up=[100]) == MONDAY + timedelta(seconds=50)
    assert end(700, warm_up=[200, 400]) == datetime(2026, 11, 4, 0, 1, 40, tzinfo=UTC)


def test_a_warm_up_goes_on_where_it_is() -> None:
    today = Day(2, datetime(2026, 11, 3, tzinfo=UTC), sent=390)
    assert end(10, warm_up=[200, 400], last_day=today) == MONDAY + timedelta(seconds=10)
    assert end(20, warm_up=[200, 400], last_day=today) == datetime(2026, 11, 3, 0, 0, 10, tzinfo=UTC)


def test_what_does_not_fit_before_the_evening_goes_on_in_the_morning() -> None:
    assert end(36_000 + 60, hours=OFFICE) == datetime(2026, 11, 3, 8, 1, tzinfo=UTC)


def test_a_holiday_and_a_sunday_are_left_out() -> None:
    tuesday_evening = datetime(2026, 11, 10, 20, tzinfo=UTC)
    due = {tuesday_evening - timedelta(minutes=1): 120}
    found = estimate.finish(due, 1.0, hours=OFFICE, warm_up=(), last_day=Day(), zone_name="UTC")
    assert found == datetime(2026, 11, 12, 8, 1, tzinfo=UTC)


def test_the_days_of_a_warm_up_begin_when_the_hours_do() -> None:
    assert end(300, warm_up=[200, 400], hours=OFFICE) == datetime(2026, 11, 3, 8, 1, 40, tzinfo=UTC)


def test_an_end_far_away_is_still_an_end() -> None:
    assert end(10_000_000, rate=0.01, hours=OFFICE) > MONDAY + timedelta(days=365 * 20)
