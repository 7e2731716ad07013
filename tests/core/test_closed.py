"""Closed days: what may be closed, and how days become spans and sets."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from broadcaster.core.closed import AHEAD, EVERYWHERE, Closed, by_country, checked, joined
from broadcaster.core.errors import InvalidInput

TODAY = date(2026, 11, 23)


def days(country: str, first: int, last: int, label: str = "Works holiday") -> Closed:
    return Closed(country, TODAY + timedelta(first), TODAY + timedelta(last), label)


@pytest.mark.parametrize(
    "asked, field",
    [
        (days("FR", 3, 2), "last"),
        (days("FR", -3, -1), "first"),
        (days("FR", 0, 366), "last"),
        (days("FR", AHEAD.days, AHEAD.days + 1), "last"),
        (days("FR", 0, 0, " "), "label"),
        (days("FR", 0, 0, "x" * 81), "label"),
    ],
)
def test_what_cannot_be_closed_names_its_field(asked: Closed, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        checked(asked, today=TODAY)
    assert refused.value.field == field


def test_a_year_from_today_can_be_closed_and_a_label_is_one_line() -> None:
    assert checked(days("FR", -1, 364, " Long\n leave "), today=TODAY) == days("FR", -1, 364, "Long leave")


def test_only_days_that_follow_one_another_in_one_country_under_one_name_are_joined() -> None:
    single = [days("FR", n, n) for n in (0, 1, 2, 5)] + [days("FR", 3, 3, "Inventory"), days("DE", 1, 1)]
    assert joined(reversed(single)) == [
        days("FR", 0, 2),
        days("DE", 1, 1),
        days("FR", 3, 3, "Inventory"),
        days("FR", 5, 5),
    ]


def test_what_is_closed_everywhere_is_closed_in_each_country() -> None:
    found = by_country([days(EVERYWHERE, 0, 0), days("FR", 1, 1)])
    assert found == {EVERYWHERE: {TODAY}, "FR": {TODAY, TODAY + timedelta(1)}}
    assert by_country(()) == {EVERYWHERE: frozenset()}
