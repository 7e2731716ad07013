"""The calendar: on which day a campaign stands, and as what."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from broadcaster.core.calendar import Entry, Known, Month, days
from broadcaster.core.campaigns import Plan
from broadcaster.core.errors import InvalidInput

NOVEMBER = Month(2026, 11)


def known(state: str = "scheduled", at: datetime | None = None, runs: Any = (), **schedule: Any) -> Known:
    plan = Plan.model_validate({"schedule": schedule})
    scheduled_for = None if at is None else plan.planned_at(at)
    changed = datetime(2026, 11, 3, tzinfo=UTC)
    return Known(1, "Spring", state, plan, scheduled_for, changed, tuple(runs))


def utc(day: int, hour: int = 12, *, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def entries(*some: Known, zone: str = "Europe/Paris", month: Month = NOVEMBER) -> dict[date, tuple[Entry, ...]]:
    return {one.day: one.entries for one in days(month, some, zone=zone, countries=()) if one.entries}


def told(*some: Known, **options: Any) -> list[tuple[int, str]]:
    return [(day.day, entry.state) for day, all_ in entries(*some, **options).items() for entry in all_]


def test_a_month_is_read_and_turned() -> None:
    assert Month.read("2026-11") == NOVEMBER
    assert NOVEMBER.moved(2) == Month(2027, 1)
    assert NOVEMBER.moved(-11) == Month(2025, 12)
    assert Month(2000, 1).moved(-1) is None
    assert Month(2199, 12).moved(1) is None
    assert len(Month(2028, 2).days()) == 29


@pytest.mark.parametrize("wrong", ["2026", "2026-13", "2026-1", "1999-12", "9999-01", "2026-11-01", "٢٠٢٦-١١"])
def test_what_is_no_month_is_refused(wrong: str) -> None:
    with pytest.raises(InvalidInput) as problem:
        Month.read(wrong)
    assert problem.value.field == "month"


@pytest.mark.parametrize("zone,day", [("Pacific/Auckland", 11), ("America/New_York", 10), ("UTC", 10)])
def test_a_day_is_one_of_the_organisations_zone(zone: str, day: int) -> None:
    assert told(known(at=utc(10, 23)), zone=zone) == [(day, "scheduled")]


def test_a_run_on_the_edge_stands_in_the_month_it_is_there() -> None:
    edge = known("finished", runs=[(utc(31, 23, month=10), "finished")])
    assert told(edge, zone="Europe/Paris") == [(1, "finished")]
    assert told(edge, zone="UTC") == []


def test_recipient_local_time_stands_on_the_wall_clock_it_was_written_for() -> None:
    [entry] = entries(known(at=utc(9, 20), start=utc(9, 20), zone="Asia/Tokyo", local=True))[date(2026, 11, 10)]
    assert (entry.at.hour, entry.local) == (5, True)


@pytest.mark.parametrize("state,ahead", [("scheduled", "scheduled"), ("running", "scheduled"), ("paused", "paused")])
def test_a_rule_shows_its_past_runs_and_the_dates_to_come(state: str, ahead: str) -> None:
    past = [(utc(2, 9), "finished")]
    weekly = known(state, utc(16, 9), past, start=utc(2, 9, month=3), zone="UTC", repeat="FREQ=WEEKLY")
    assert told(weekly) == [(2, "finished"), (16, ahead), (23, ahead), (30, ahead)]


def test_a_rule_shows_dates_far_ahead_and_none_after_its_last() -> None:
    daily = known(at=utc(1), start=utc(1), zone="UTC", repeat="FREQ=DAILY;COUNT=40")
    assert len(told(daily)) == 30
    assert [day for day, _ in told(daily, month=Month(2026, 12))] == list(range(1, 11))


def test_a_rule_without_a_date_left_shows_only_its_runs() -> None:
    assert told(known("running", None, [(utc(2), "running")], start=utc(2), repeat="FREQ=DAILY;COUNT=1")) == [
        (2, "running")
    ]


def test_a_run_of_a_paused_campaign_is_paused_and_what_ended_stays_as_it_ended() -> None:
    assert told(known("paused", utc(2), [(utc(1), "finished"), (utc(2), "running")])) == [
        (1, "finished"),
        (2, "paused"),
    ]


def test_what_goes_out_as_soon_as_it_can_stands_on_the_day_of_its_launch() -> None:
    assert told(known()) == [(3, "scheduled")]


def test_a_draft_stands_on_its_date_if_it_has_one() -> None:
    assert told(known("draft", start=utc(12), zone="UTC")) == [(12, "draft")]
    weekly = known("draft", start=utc(12), zone="UTC", repeat="FREQ=WEEKLY;COUNT=2")
    assert told(weekly) == [(12, "draft"), (19, "draft")]
    assert told(known("draft")) == []


@pytest.mark.parametrize("state", ["cancelled", "finished"])
def test_what_will_not_go_out_is_not_shown(state: str) -> None:
    assert told(known(state, utc(10))) == []


def test_public_holidays_are_marked_by_country() -> None:
    closed = {one.day.day: one.closed for one in days(NOVEMBER, [], zone="UTC", countries=["FR", "US"]) if one.closed}
    assert closed == {1: ("FR",), 11: ("FR", "US"), 26: ("US",)}
