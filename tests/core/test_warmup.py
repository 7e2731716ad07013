"""Warming up: what a person may write, and which day it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.core import warmup
from broadcaster.core.errors import InvalidInput
from broadcaster.core.schedule import zone
from broadcaster.core.warmup import Day

START = datetime(2005, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "told,days",
    [
        ("", []),
        ("  ", []),
        ("200, 400,800", [200, 400, 800]),
        ("50 100\n200;400", [50, 100, 200, 400]),
        ("200 x 1.5 x 4", [200, 300, 450, 675]),
        ("200×1,5×4", [200, 300, 450, 675]),
        ("100 X 2 X 3", [100, 200, 400]),
    ],
)
def test_days_are_listed_or_grow(told: str, days: list[int]) -> None:
    assert warmup.read(told) == days


@pytest.mark.parametrize(
    "wrong",
    [
        "many",
        "200, -1",
        "0",
        "200, 0",
        "1.5",
        "200 x",
        "200 x 1.5",
        "200 x 0.1 x 90",
        "1000 x 99 x 90",
        "١٠",
        "1 " * 91,
    ],
)
def test_what_makes_no_sense_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(InvalidInput) as problem:
        warmup.read(wrong)
    assert (problem.value.field, problem.value.code) == ("warm_up", "warm_up")


def test_a_day_goes_on_until_midnight_in_the_zone() -> None:
    before = Day().at(datetime(2026, 11, 3, 22, 59, tzinfo=UTC), "Europe/Paris").after(5)
    assert (before.number, before.sent) == (1, 5)
    assert before.at(datetime(2026, 11, 3, 22, 59, 59, tzinfo=UTC), "Europe/Paris") == before
    after = before.at(datetime(2026, 11, 3, 23, 0, tzinfo=UTC), "Europe/Paris")
    assert (after.number, after.sent) == (2, 0)


def test_a_day_without_a_message_does_not_count() -> None:
    first = Day().at(datetime(2026, 11, 3, 12, tzinfo=UTC), "UTC").after(5)
    assert first.at(datetime(2026, 11, 23, 12, tzinfo=UTC), "UTC").number == 2


def test_after_its_days_an_account_is_warm() -> None:
    assert [Day(number).most([200, 400]) for number in (1, 2, 3)] == [200, 400, None]


@given(
    st.sampled_from(["Europe/Paris", "America/Havana", "Africa/Cairo", "America/Santiago", "Pacific/Apia", "UTC"]),
    st.integers(0, 25 * 365 * 24 * 3600).map(lambda seconds: START + timedelta(seconds=seconds)),
)
def test_a_day_ends_later_the_next_day_begins_where_it_ends_and_no_day_has_two_ends(where: str, now: datetime) -> None:
    """Also where midnight comes twice, never comes, or a day is left out."""
    today = Day().at(now, where)
    assert today.ends is not None
    assert now < today.ends <= now + timedelta(hours=49)
    assert today.ends.astimezone(zone(where)).date() > now.astimezone(zone(where)).date()
    assert (today.ends - timedelta(seconds=1)).astimezone(zone(where)).date() == now.astimezone(zone(where)).date()
