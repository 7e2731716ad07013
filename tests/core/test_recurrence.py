"""A recurring campaign keeps its wall-clock time through clock changes, and misses and doubles no date."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.core.errors import InvalidInput
from broadcaster.core.recurrence import check, dates, following
from broadcaster.core.schedule import local_instant
from tests.core.test_schedule import ZONES, at

PARIS = "Europe/Paris"


def of(rule: str, start: str, count: int) -> list[str]:
    """Return the first dates as wall-clock times of Paris."""
    found = islice(dates(check(rule), start=at(PARIS, start), zone_name=PARIS), count)
    return [f"{one.astimezone(ZoneInfo(PARIS)):%Y-%m-%dT%H:%M}" for one in found]


def test_days_weeks_and_months() -> None:
    assert of("FREQ=DAILY;INTERVAL=2", "2026-11-23T10:00", 2) == ["2026-11-23T10:00", "2026-11-25T10:00"]
    assert of("FREQ=WEEKLY;BYDAY=MO,TH", "2026-11-23T10:00", 3)[1:] == ["2026-11-26T10:00", "2026-11-30T10:00"]
    assert of("FREQ=MONTHLY;BYDAY=1TU", "2026-11-23T10:00", 1) == ["2026-12-01T10:00"]
    assert of("FREQ=MONTHLY;BYMONTHDAY=31", "2026-11-23T10:00", 2) == ["2026-12-31T10:00", "2027-01-31T10:00"]
    assert of("FREQ=MONTHLY;BYMONTHDAY=-1", "2027-02-01T10:00", 1) == ["2027-02-28T10:00"]


def test_it_ends_with_its_count_or_with_its_last_day() -> None:
    assert len(of("FREQ=DAILY;COUNT=3", "2026-11-23T10:00", 9)) == 3
    assert of("FREQ=DAILY;UNTIL=20261124", "2026-11-23T10:00", 9)[-1] == "2026-11-24T10:00"


def test_a_rule_without_any_date_ends() -> None:
    assert of("FREQ=WEEKLY;BYDAY=MO;UNTIL=20200101", "2026-11-23T10:00", 9) == []


@pytest.mark.parametrize(
    "rule",
    [
        *("", "FREQ=HOURLY", "FREQ=YEARLY", "FREQ=DAILY;BYHOUR=3", "FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=1001"),
        *(
            "FREQ=DAILY;INTERVAL=-1",
            "FREQ=WEEKLY;BYDAY=XX",
            "FREQ=DAILY;COUNT=2;UNTIL=20270101",
            "FREQ=DAILY;FREQ=DAILY",
        ),
        *("FREQ=DAILY;UNTIL=20270101T000000Z", "FREQ=MONTHLY;BYMONTHDAY=32", "nonsense", "FREQ=DAILY\nCOUNT=2"),
    ],
)
def test_other_rules_are_refused(rule: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check(rule)
    assert refused.value.code == "recurrence"


@given(
    st.sampled_from(ZONES),
    st.dates(date(2025, 1, 1), date(2027, 12, 31)),
    st.times(),
    st.integers(2, 400),
)
def test_every_day_comes_once_at_its_wall_clock_time_whatever_clocks_do(
    zone: str, day: date, clock: time, count: int
) -> None:
    clock = clock.replace(microsecond=0)
    start = datetime.combine(day, clock, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    start_wall = start.astimezone(ZoneInfo(zone))
    found = list(dates(check(f"FREQ=DAILY;COUNT={count}"), start=start, zone_name=zone))
    assert len(found) == count
    for number, instant in enumerate(found):
        wanted = start_wall.date() + timedelta(days=number)
        try:
            assert instant == local_instant(wanted, start_wall.time(), zone, fold=0)
        except InvalidInput:  # clocks skip it: the same day, a little later on the wall
            shown = instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
            assert timedelta(0) < shown - datetime.combine(wanted, start_wall.time()) <= timedelta(hours=1)


def test_the_next_dates_come_after_the_moment_asked_about() -> None:
    start = at(PARIS, "2026-11-23T10:00")
    found = following("FREQ=DAILY", start=start, zone_name=PARIS, after=start + timedelta(days=3), most=2)
    assert found == [start + timedelta(days=4), start + timedelta(days=5)]
