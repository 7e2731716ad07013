"""The organisation's own closed days over real rows: plan, last look, dry run and calendar obey them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest

from broadcaster.actions import closed_days, forecast
from broadcaster.actions.calendar import calendar_of
from broadcaster.actions.runtime import Runtime
from broadcaster.actions.windows import Place, Windows
from broadcaster.core.calendar import Month
from broadcaster.core.campaigns import Schedule
from broadcaster.core.closed import EVERYWHERE, Closed
from broadcaster.core.errors import Conflict, InvalidInput, NotFound
from broadcaster.core.schedule import local_instant, zone
from tests import factories
from tests.actions.scene import scene
from tests.factories import ACTOR

PARIS = "Europe/Paris"


@pytest.fixture
def runtime(database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    with factories.installation(database_url, tmp_path, windows=True) as made:
        yield made


@pytest.fixture
def today(runtime: Runtime) -> date:
    with runtime.db.reading() as session:
        return runtime.db.now(session).astimezone(zone(PARIS)).date()


def close(runtime: Runtime, first: date, last: date, country: str = EVERYWHERE, label: str = "Works holiday") -> int:
    return closed_days.add(runtime, Closed(country, first, last, label), actor=ACTOR)


def tuesday(today: date) -> date:
    """Return a Tuesday ahead that is no public holiday in France or Belgium, nor is the day after."""
    return next(
        day
        for day in (today + timedelta(n) for n in range(7, 60))
        if day.weekday() == 1
        and not {day.month * 100 + day.day, day.month * 100 + day.day + 1}
        & {101, 501, 508, 714, 721, 815, 1101, 1111, 1225, 1231}
        and day.month not in (4, 5, 6)  # those that move with Easter
    )


def due(runtime: Runtime, day: date, country: str) -> date:
    """Return the day on which somebody there gets what starts at ten on *day*."""
    with runtime.db.reading() as session:
        windows = Windows.load(session, marketing=True)
    start = local_instant(day, time(10), PARIS)
    moment = windows.due(Place(PARIS, None, country), Schedule(start=start, zone=PARIS), now=start)
    assert isinstance(moment, datetime)
    return moment.astimezone(zone(PARIS)).date()


def test_who_is_due_on_a_closed_day_is_due_on_the_next_open_one_and_other_countries_are_not_moved(
    runtime: Runtime, today: date
) -> None:
    day = tuesday(today)
    assert due(runtime, day, "FR") == day
    assert close(runtime, day, day, "FR") == 1
    assert (due(runtime, day, "FR"), due(runtime, day, "BE")) == (day + timedelta(1), day)
    close(runtime, day, day)
    assert due(runtime, day, "BE") == day + timedelta(1)
    closed_days.remove(runtime, EVERYWHERE, day, day, actor=ACTOR)
    closed_days.remove(runtime, "FR", day, day, actor=ACTOR)
    assert due(runtime, day, "FR") == day


def test_the_last_look_holds_what_was_planned_before_the_day_was_closed(runtime: Runtime, today: date) -> None:
    s = scene(runtime, None)
    s.launch()
    last = today + timedelta(20)
    close(runtime, today - timedelta(1), last)
    s.make_due()
    s.drain()
    assert s.states() == {"planned": 3}
    with runtime.db.reading() as session:
        moments = session.connection().exec_driver_sql("SELECT due_at FROM step").scalars().all()
    days = {datetime.fromisoformat(str(one)).date() for one in moments}
    assert min(days) > last


def test_the_dry_run_names_the_closed_days_in_its_way_and_ends_after_them(runtime: Runtime, today: date) -> None:
    s = scene(runtime, None)
    lanes = [(s.channel, s.account)]
    made = factories.campaign(runtime, brand_id=s.brand, purpose_id=s.purpose, lanes=lanes, launch=False)
    ahead = Closed(EVERYWHERE, today, today + timedelta(9), "Works holiday")
    closed_days.add(runtime, ahead, actor=ACTOR)
    close(runtime, today, today, "BE")
    told = forecast.forecast(runtime, made)
    assert told.closed == (ahead,)
    assert told.first_at is not None
    assert told.first_at.astimezone(zone(PARIS)).date() > ahead.last
    assert told.told()["closed"][0]["label"] == "Works holiday"


def test_the_calendar_shows_each_closed_day(runtime: Runtime, today: date) -> None:
    day = tuesday(today)
    close(runtime, day, day, "CH", "Inventory")
    month = calendar_of(runtime, str(Month(day.year, day.month)))
    assert [(one.day, one.own) for one in month.days if one.own] == [(day, (Closed("CH", day, day, "Inventory"),))]


def test_a_day_closed_already_keeps_its_name_and_all_of_them_is_a_conflict(runtime: Runtime, today: date) -> None:
    close(runtime, today, today, label="Inventory")
    assert close(runtime, today, today + timedelta(2)) == 2
    assert [(one.first, one.label) for one in closed_days.coming(runtime)] == [
        (today, "Inventory"),
        (today + timedelta(1), "Works holiday"),
    ]
    with pytest.raises(Conflict):
        close(runtime, today, today + timedelta(1))


def test_a_day_that_is_not_closed_cannot_be_opened_nor_a_country_that_is_none_closed(
    runtime: Runtime, today: date
) -> None:
    with pytest.raises(NotFound):
        closed_days.remove(runtime, "FR", today, today, actor=ACTOR)
    with pytest.raises(InvalidInput):
        close(runtime, today, today, "QQ")


def test_each_change_is_in_the_log_with_its_days_and_who_did_it(runtime: Runtime, today: date) -> None:
    close(runtime, today, today, "FR")
    closed_days.remove(runtime, "FR", today, today, actor=ACTOR)
    with runtime.db.reading() as session:
        rows = session.connection().exec_driver_sql("SELECT body FROM log_payload WHERE event = 'Changed'").scalars()
        told = [str(bytes(one), "utf-8") if not isinstance(one, str) else one for one in rows.all()]
    found = [one for one in told if "closed_day" in one]
    assert ["added" in found[0], "removed" in found[1]] == [True, True]
    assert all(today.isoformat() in one and "FR" in one for one in found)
