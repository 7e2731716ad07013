"""The month in which a request must be answered."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from broadcaster.core import requests


@pytest.mark.parametrize(
    "received, due, extended",
    [
        ((2026, 3, 5), (2026, 4, 5), (2026, 6, 5)),
        ((2026, 1, 31), (2026, 2, 28), (2026, 4, 30)),
        ((2027, 12, 30), (2028, 1, 30), (2028, 3, 30)),
        ((2027, 11, 30), (2027, 12, 30), (2028, 2, 29)),
    ],
)
def test_a_month_is_a_month_of_the_calendar(
    received: tuple[int, int, int], due: tuple[int, int, int], extended: tuple[int, int, int]
) -> None:
    """And a month too short for the day ends it."""
    half_past_nine = time(9, 30, tzinfo=UTC)
    moment, first, last = (datetime.combine(date(*day), half_past_nine) for day in (received, due, extended))
    assert requests.due(moment) == first
    assert requests.extended(moment) == last
