"""How far a stop reaches: rows that begin by themselves, add up, and never take away."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.core.law import stops
from broadcaster.core.law.own import own_rules
from broadcaster.core.law.rows import StopScope


def holding(*countries: str | None, at: datetime, channel: str = "sms", own: dict[str, Any] | None = None) -> list[str]:
    return [str(one) for one in stops.holding(own_rules(own or {}), countries, channel=channel, now=at)]


@pytest.mark.parametrize(
    "at,begun",
    [
        (datetime(2027, 1, 30, 12, tzinfo=UTC), False),
        (datetime(2027, 1, 31, 12, tzinfo=UTC), True),
        (datetime(2027, 2, 1, 12, tzinfo=UTC), True),
    ],
)
def test_revoke_all_begins_in_the_united_states_when_its_waiver_ends(at: datetime, begun: bool) -> None:
    assert holding("US", at=at) == (["US categories from 2027-01-31"] if begun else [])
    assert holding("US", at=at, channel="email") == []
    assert holding("FR", at=at) == []


def test_a_row_that_is_not_settled_can_be_put_at_another_day_or_off() -> None:
    today, later = datetime(2026, 11, 23, 12, tzinfo=UTC), datetime(2027, 6, 1, 12, tzinfo=UTC)
    early = {"US": {"stop": {"categories": "2026-11-01"}}}
    assert holding("US", at=today, own=early) == ["US categories from 2026-11-01 (own)"]
    off = {"US": {"stop": {"categories": None}}}
    assert holding("US", at=later, own=off) == []


@pytest.mark.parametrize("country,hour", [("FR", 23), ("AU", 13)])
def test_a_row_begins_with_the_day_in_the_first_zone_of_the_country(country: str, hour: int) -> None:
    own = {country: {"stop": {"everywhere": "2027-03-01"}}}
    begins = datetime(2027, 2, 28, hour, tzinfo=UTC)
    assert holding(country, at=begins - timedelta(seconds=1), own=own) == []
    assert len(holding(country, at=begins, own=own)) == 1


def test_rows_of_every_country_a_person_may_be_of_add_up_and_all_hold_for_an_unknown_one() -> None:
    own = {one: {"stop": {"everywhere": "2026-01-01"}} for one in ("FR", "DE")}
    at = datetime(2027, 3, 1, tzinfo=UTC)
    assert len(holding("FR", "US", at=at, own=own)) == 2
    assert len(holding(None, at=at, own=own)) == 3
    assert len(holding(None, "GB", at=at, own=own)) == 0


DAYS = st.dates(date(2026, 1, 1), date(2028, 1, 1))
STOPS = st.dictionaries(st.sampled_from([one.value for one in StopScope]), DAYS)


@given(one=STOPS, more=STOPS, at=DAYS)
def test_a_row_more_never_takes_another_away(one: dict[str, date], more: dict[str, date], at: date) -> None:
    def read(told: dict[str, date]) -> dict[str, Any]:
        return {"DE": {"stop": {scope: str(day) for scope, day in told.items()}}}

    now = datetime(at.year, at.month, at.day, 12, tzinfo=UTC)
    narrow, wide = holding("DE", at=now, own=read(one)), holding("DE", at=now, own=read({**more, **one}))
    assert set(narrow) <= set(wide)
