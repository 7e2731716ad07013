"""A span of days cut into months or weeks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from broadcaster.core.errors import InvalidInput
from broadcaster.core.periods import MOST_PERIODS, periods


def test_months_are_those_of_the_calendar_and_the_ends_may_be_shorter() -> None:
    found = periods(date(2026, 1, 20), date(2026, 3, 5), by="month", zone_name="Europe/Paris")
    assert [(one.first, one.last) for one in found] == [
        (date(2026, 1, 20), date(2026, 1, 31)),
        (date(2026, 2, 1), date(2026, 2, 28)),
        (date(2026, 3, 1), date(2026, 3, 5)),
    ]
    assert found[1].opens == datetime(2026, 1, 31, 23, tzinfo=UTC)
    assert found[-1].closes == datetime(2026, 3, 5, 23, tzinfo=UTC)


def test_weeks_begin_on_monday() -> None:
    found = periods(date(2026, 11, 18), date(2026, 11, 30), by="week", zone_name="UTC")
    assert [one.first for one in found] == [date(2026, 11, 18), date(2026, 11, 23), date(2026, 11, 30)]


def test_periods_leave_no_instant_out_across_a_clock_change() -> None:
    found = periods(date(2026, 10, 20), date(2026, 11, 1), by="week", zone_name="Europe/Paris")
    assert [one.closes for one in found[:-1]] == [one.opens for one in found[1:]]
    assert sum((one.closes - one.opens for one in found), timedelta()) == timedelta(days=13, hours=1)


@pytest.mark.parametrize("last", [date(2026, 1, 1), date(2040, 1, 1)])
def test_days_in_the_wrong_order_or_too_many_periods_are_refused(last: date) -> None:
    with pytest.raises(InvalidInput) as refused:
        periods(date(2026, 1, 2), last, by="month", zone_name="UTC")
    assert refused.value.code == "period"
    assert MOST_PERIODS < 14 * 12
