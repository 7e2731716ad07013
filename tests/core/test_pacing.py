"""How often one person may be written to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from broadcaster.core.errors import InvalidInput
from broadcaster.core.pacing import limits, reached

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_without_a_setting_there_is_no_limit() -> None:
    assert limits({}) == limits({"messages": 0, "days": 0, "hours": 0}) == ()


@pytest.mark.parametrize(
    "ages,full",
    [([], False), ([DAY], False), ([DAY, 2 * DAY], True), ([DAY, 7 * DAY], False), ([timedelta(hours=5)], True)],
)
def test_a_message_more_is_too_many_once_a_limit_is_reached_within_its_period(
    ages: list[timedelta], full: bool
) -> None:
    rules = limits({"messages": 2, "days": 7, "hours": 6})
    assert reached(rules, [NOW - age for age in ages], now=NOW) is full


@pytest.mark.parametrize(
    "given,field",
    [({"messages": 3}, "days"), ({"days": 3}, "messages"), ({"hours": -1}, "hours"), ({"weeks": 1}, "weeks")],
)
def test_half_a_limit_is_refused_at_its_field(given: dict[str, int], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        limits(given)
    assert refused.value.field == field
