"""The month in which a request must be answered."""

from __future__ import annotations

from datetime import UTC, datetime

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
    received: tuple[int, ...], due: tuple[int, ...], extended: tuple[int, ...]
) -> None:
    """And a month too short for the day ends it."""
    moment = datetime(*received, 9, 30, tzinfo=UTC)  # type: ignore[arg-type,misc]
    assert requests.due(moment) == datetime(*due, 9, 30, tzinfo=UTC)  # type: ignore[arg-type,misc]
    assert requests.extended(moment) == datetime(*extended, 9, 30, tzinfo=UTC)  # type: ignore[arg-type,misc]
