"""Nobody is written to at night, on a Sunday or on a public holiday where they live, whatever clocks do."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadcaster.core import schedule
from broadcaster.core.errors import InvalidInput
from broadcaster.core.schedule import NoTimeZone, Window, local_instant, narrowed, next_moment, window_for, zone_for

FRANCE = window_for("FR")
ZONES = (
    *("Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Indian/Reunion", "America/Guadeloupe"),
    *("Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Pago_Pago", "Africa/Casablanca", "America/St_Johns"),
)


def at(zone: str, text: str) -> datetime:
    """Return a wall-clock time of *zone* as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _next(not_before: datetime, *zones: str, country: str = "FR", window: Window = FRANCE) -> datetime | None:
    return next_moment(not_before, window=window, zones=zones, country=country)


@pytest.mark.parametrize(
    "asked, given_",
    [
        ("2026-11-21T19:59:59", "2026-11-21T19:59:59"),  # Saturday
        ("2026-11-21T20:00:00", "2026-11-23T08:00:00"),  # to Monday
        ("2026-11-22T12:00:00", "2026-11-23T08:00:00"),  # Sunday
        ("2026-11-23T07:59:59.999999", "2026-11-23T08:00:00"),
        ("2026-11-23T08:00:00", "2026-11-23T08:00:00"),
        ("2026-07-14T10:00:00", "2026-07-15T08:00:00"),  # national day
        ("2026-04-06T10:00:00", "2026-04-07T08:00:00"),  # Easter Monday
        ("2026-12-31T20:00:00", "2027-01-02T08:00:00"),  # the new year's calendar is read too
        ("2026-10-24T21:00:00", "2026-10-26T08:00:00"),  # over the end of summer time
        ("2027-03-27T21:00:00", "2027-03-30T08:00:00"),  # over its beginning, and Easter Monday
    ],
)
def test_the_french_window(asked: str, given_: str) -> None:
    assert _next(at("Europe/Paris", asked), "Europe/Paris") == at("Europe/Paris", given_)


def test_a_department_has_holidays_of_its_own() -> None:
    """Alsace-Moselle keeps Good Friday and 26 December."""
    friday = at("Europe/Paris", "2026-04-03T10:00")
    assert _next(friday, "Europe/Paris") == friday
    moselle = next_moment(friday, window=FRANCE, zones=["Europe/Paris"], country="FR", subdivision="57")
    assert moselle == at("Europe/Paris", "2026-04-04T08:00")


@pytest.mark.parametrize(
    "zone, country, opens_utc",
    [("Indian/Reunion", "RE", 4), ("America/Guadeloupe", "GP", 12), ("Europe/Paris", "FR", 7)],
)
def test_overseas_has_its_own_clock(zone: str, country: str, opens_utc: int) -> None:
    moment = _next(datetime(2026, 11, 23, 1, tzinfo=UTC), zone, country=country)
    assert moment == datetime(2026, 11, 23, opens_utc, tzinfo=UTC)


def test_overseas_has_its_own_holidays() -> None:
    """Reunion remembers the abolition of slavery on 20 December; Paris works."""
    day = date(2027, 12, 20)
    assert day in schedule.public_holidays("RE", 2027)
    assert day not in schedule.public_holidays("FR", 2027)


def test_in_doubt_every_zone_must_be_open() -> None:
    zones = zone_for(None, [], "US")
    moment = _next(datetime(2026, 11, 23, tzinfo=UTC), *zones, country="US")
    assert moment == at("America/Adak", "2026-11-23T08:00")
    for zone in zones:
        assert 8 <= moment.astimezone(ZoneInfo(zone)).hour < 20


def test_zones_that_are_never_open_together_give_no_moment() -> None:
    assert _next(datetime(2026, 11, 23, tzinfo=UTC), "Pacific/Kiritimati", "Pacific/Pago_Pago") is not None
    narrow = Window(time(9), time(10))
    assert _next(datetime(2026, 11, 23, tzinfo=UTC), "Europe/Paris", "America/New_York", window=narrow) is None


def test_not_after_is_kept() -> None:
    asked, last = at("Europe/Paris", "2026-11-23T06:00"), at("Europe/Paris", "2026-11-23T08:00")
    kept = next_moment(asked, window=FRANCE, zones=["Europe/Paris"], country="FR", not_after=last)
    assert kept == last
    early = last - timedelta(microseconds=1)
    assert next_moment(asked, window=FRANCE, zones=["Europe/Paris"], country="FR", not_after=early) is None


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(InvalidInput):
        _next(datetime(2026, 11, 23), "Europe/Paris")  # noqa: DTZ001 (the mistake under test)
    with pytest.raises(NoTimeZone):
        _next(datetime(2026, 11, 23, tzinfo=UTC))


INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
CLOCK_CHANGES = st.sampled_from(
    [
        at("Europe/Paris", "2026-10-25T00:00"),
        at("Europe/Paris", "2027-03-28T00:00"),
        at("America/New_York", "2026-11-01T00:00"),
        at("America/New_York", "2027-03-14T00:00"),
        at("Australia/Lord_Howe", "2026-10-04T00:00"),
        at("Australia/Lord_Howe", "2027-04-04T00:00"),
    ]
)
NEAR_CHANGES = st.builds(lambda day, minutes: day + timedelta(minutes=minutes), CLOCK_CHANGES, st.integers(-1500, 1500))
TIMES = st.times().map(lambda moment: moment.replace(microsecond=0, fold=0))


@st.composite
def windows(draw: st.DrawFn) -> Window:
    opens, closes = sorted(draw(st.lists(TIMES, min_size=2, max_size=2, unique=True)))
    days = draw(st.sets(st.integers(0, 6), min_size=1))
    return Window(opens, closes, tuple(sorted(days)), on_public_holidays=draw(st.booleans()))


@settings(max_examples=600, deadline=None)
@given(
    st.one_of(INSTANTS, NEAR_CHANGES),
    st.one_of(st.just(FRANCE), windows()),
    st.lists(st.sampled_from(ZONES), min_size=1, max_size=3),
    st.sampled_from(["FR", "RE", "US", "AU", "XX"]),
)
def test_the_moment_is_open_everywhere_and_not_early(
    asked: datetime, window: Window, zones: list[str], country: str
) -> None:
    """Also on the nights when clocks change."""
    moment = _next(asked, *zones, country=country, window=window)
    if moment is None:
        return
    assert asked <= moment <= asked + schedule.HORIZON
    for zone in zones:
        local = moment.astimezone(ZoneInfo(zone))
        assert window.opens <= local.time() < window.closes
        assert local.weekday() in window.days
        if not window.on_public_holidays:
            assert local.date() not in schedule.public_holidays(country, local.year)


@settings(max_examples=150, deadline=None)
@given(st.one_of(INSTANTS, NEAR_CHANGES), st.lists(st.sampled_from(ZONES), min_size=1, max_size=2))
def test_no_earlier_quarter_of_an_hour_was_open(asked: datetime, zones: list[str]) -> None:
    """The earliest moment, by the slow way: look at the wall clocks every quarter of an hour."""

    def is_open(moment: datetime) -> bool:
        walls = [moment.astimezone(ZoneInfo(zone)) for zone in zones]
        calendar = schedule.public_holidays
        return all(
            8 <= wall.hour < 20 and wall.weekday() < 6 and wall.date() not in calendar("FR", wall.year)
            for wall in walls
        )

    found = _next(asked, *zones)
    quarter, moment = timedelta(minutes=15), asked
    while moment < (found or asked + timedelta(days=6)):
        assert not is_open(moment)
        moment += quarter


@pytest.mark.parametrize(
    "zone, missing, doubled",
    [
        ("Europe/Paris", "2027-03-28T02:30", "2026-10-25T02:30"),
        ("America/New_York", "2027-03-14T02:30", "2026-11-01T01:30"),
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2027-04-04T01:45"),
    ],
)
def test_clock_changes_are_named_not_guessed(zone: str, missing: str, doubled: str) -> None:
    """Row B48: a schedule that does not exist is refused, one that comes twice asks which."""
    gap, fold = datetime.fromisoformat(missing), datetime.fromisoformat(doubled)
    with pytest.raises(InvalidInput) as caught:
        local_instant(gap.date(), gap.time(), zone)
    assert caught.value.code == "local_time_missing"
    with pytest.raises(InvalidInput) as caught:
        local_instant(fold.date(), fold.time(), zone)
    assert caught.value.code == "local_time_ambiguous"
    first, second = (local_instant(fold.date(), fold.time(), zone, fold=which) for which in (0, 1))
    assert first < second
    assert first.astimezone(ZoneInfo(zone)).time() == second.astimezone(ZoneInfo(zone)).time() == fold.time()


@pytest.mark.parametrize(
    "night, opens, closes, first_utc, last_utc",
    [
        ("2027-03-28", time(2, 30), time(9), "01:30", "07:00"),  # opens at a time that is skipped: not before it
        ("2027-03-28", time(1), time(2, 30), "00:00", "00:30"),  # closes at one: not after it
        ("2026-10-25", time(2, 30), time(9), "01:30", "08:00"),  # opens at a time that comes twice: the second
        ("2026-10-25", time(1), time(2, 30), "2026-10-24T23:00", "00:30"),  # closes at one: the first
    ],
)
def test_the_narrower_reading_holds_when_clocks_change(
    night: str, opens: time, closes: time, first_utc: str, last_utc: str
) -> None:
    """A window never opens before its wall-clock time nor stays open after it."""
    window = Window(opens, closes, tuple(range(7)))
    hours = schedule._open_hours(date.fromisoformat(night), ZoneInfo("Europe/Paris"), window, "XX", None)
    wanted = [text if "T" in text else f"{night}T{text}" for text in (first_utc, last_utc)]
    assert hours == tuple(datetime.fromisoformat(text).replace(tzinfo=UTC) for text in wanted)


def test_an_ordinary_local_time_is_one_instant() -> None:
    assert local_instant(date(2026, 7, 1), time(9), "Europe/Paris") == datetime(2026, 7, 1, 7, tzinfo=UTC)


@pytest.mark.parametrize("name", ["Mars/Base", "GMT+25", "", "../etc/passwd", "europe/paris\x00"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    """Row B49: never the server's zone instead."""
    with pytest.raises(InvalidInput) as caught:
        local_instant(date(2026, 7, 1), time(9), name)
    assert caught.value.code == "zone"


@pytest.mark.parametrize(
    "contact_zone, phone_zones, country, expected",
    [
        ("Asia/Tokyo", ["Europe/Paris"], "FR", ["Asia/Tokyo"]),
        (None, ["Europe/Paris"], "US", ["Europe/Paris"]),
        (None, ["Indian/Mayotte", "Indian/Reunion"], "RE", ["Indian/Reunion"]),
        (None, [], "fr", ["Europe/Paris"]),
        (None, ["Etc/Nonsense"], "GP", ["America/Guadeloupe"]),
    ],
)
def test_where_a_person_may_be(
    contact_zone: str | None, phone_zones: list[str], country: str | None, expected: list[str]
) -> None:
    assert zone_for(contact_zone, phone_zones, country) == expected


def test_nowhere_is_refused() -> None:
    with pytest.raises(NoTimeZone):
        zone_for(None, [], None)
    with pytest.raises(NoTimeZone):
        zone_for(None, [], "XX")
    with pytest.raises(InvalidInput):
        zone_for("Mars/Base", ["Europe/Paris"], "FR")


def test_an_organisation_may_widen_but_not_beyond_the_charter() -> None:
    evening = Window(time(8), time(22), source="our policy")
    assert window_for("FR", {"FR": evening}) is evening
    for wider in (Window(time(8), time(22, 1)), Window(time(8), time(20), (6,)), Window(time(7), time(20))):
        with pytest.raises(InvalidInput):
            window_for("FR", {"FR": wider})
    with pytest.raises(InvalidInput):
        window_for("FR", {"FR": Window(time(8), time(20), on_public_holidays=True)})
    assert window_for("BE") == schedule.DEFAULT_WINDOW


def test_every_window_names_its_source() -> None:
    assert all(window.source for window in (*schedule.WINDOWS.values(), *schedule.WIDEST.values()))


@pytest.mark.parametrize("opens, closes, days", [(20, 8, (0,)), (8, 8, (0,)), (8, 20, ()), (8, 20, (7,))])
def test_a_window_that_never_opens_is_refused(opens: int, closes: int, days: tuple[int, ...]) -> None:
    """An empty rule must not mean "always"."""
    with pytest.raises(InvalidInput):
        Window(time(opens), time(closes), days)


@pytest.mark.parametrize(
    "part,opens,closes",
    [("morning", 8, 12), ("afternoon", 12, 17), ("evening", 17, 20), (None, 8, 20), ("night", 8, 20)],
)
def test_a_part_of_the_day_narrows_a_window(part: str | None, opens: int, closes: int) -> None:
    narrow = narrowed(Window(time(8), time(20)), part)
    assert (narrow.opens, narrow.closes) == (time(opens), time(closes))


def test_a_part_of_the_day_outside_the_window_leaves_the_window() -> None:
    window = Window(time(8), time(16))
    assert narrowed(window, "evening") == window
