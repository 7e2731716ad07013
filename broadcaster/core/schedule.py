"""When a person may be written to: sending windows per country, in the person's own time.

Everything goes in and comes out in UTC, aware. A window is open only where it is open in every zone the person may be
in. At a clock change the narrower reading holds: a window never opens before its wall-clock time nor closes after it.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from types import MappingProxyType
from zoneinfo import ZoneInfo

import holidays

from broadcaster.core.errors import InvalidInput

HORIZON = timedelta(days=60)  #: no opening within this is no opening
_DAY = timedelta(days=1)
MONDAY_TO_SATURDAY = (0, 1, 2, 3, 4, 5)
HOLIDAY_SOURCE = f"python-holidays {version('holidays')}"  #: on whose word public holidays rest


class NoTimeZone(InvalidInput):
    """Neither the contact, nor the number, nor the country says what time it is there."""

    code = "no_time_zone"


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of a day, local time, in which marketing may be sent: from *opens*, until just before *closes*.

    ``days`` counts Monday as 0. ``closed``: the organisation's own days, on top of public holidays. ``source`` says on
    whose word the hours rest.
    """

    opens: time
    closes: time
    days: tuple[int, ...] = MONDAY_TO_SATURDAY
    on_public_holidays: bool = False
    source: str = ""
    closed: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        if self.opens >= self.closes or self.opens.tzinfo is not None or self.closes.tzinfo is not None:
            raise InvalidInput("A window opens before it closes, on the same local day.", code="window_invalid")
        if not self.days or not set(self.days) <= set(range(7)):
            raise InvalidInput("A window needs days from 0 (Monday) to 6 (Sunday).", code="window_invalid")


#: For every country without a row of its own.
DEFAULT_WINDOW = Window(time(8), time(20), source="the French custom, applied everywhere")
#: Parts of a day in which a person may like to hear from us.
PARTS: Mapping[str, tuple[time, time]] = MappingProxyType(
    {"morning": (time(0), time(12)), "afternoon": (time(12), time(17)), "evening": (time(17), time(23, 59))}
)
#: What is used unless the organisation says otherwise.
WINDOWS: Mapping[str, Window] = MappingProxyType(
    {
        "FR": Window(
            time(8),
            time(20),
            source="custom of French operators and vendors; no statute for SMS was found",
        ),
    }
)
#: The widest an organisation may choose; countries without a row are not bounded here.
WIDEST: Mapping[str, Window] = MappingProxyType(
    {"FR": Window(time(8), time(22), source="af2m charter, in force 1 September 2024: working days, 8-22 h")}
)


def window_for(country: str, own: Mapping[str, Window] = MappingProxyType({})) -> Window:
    """Return the window for *country* (ISO 3166 alpha-2): the organisation's *own*, else the usual one.

    Raises ``InvalidInput`` ``window_too_wide`` if the own window is wider than ``WIDEST`` allows.
    """
    chosen = own.get(country)
    if chosen is None:
        return WINDOWS.get(country, DEFAULT_WINDOW)
    widest = WIDEST.get(country)
    if widest is not None and not _within(chosen, widest):
        raise InvalidInput(f"This window is wider than allowed in {country}: {widest.source}.", code="window_too_wide")
    return chosen


def narrowed(window: Window, part: str | None) -> Window:
    """Return the hours of *window* in the part of the day a person prefers; the whole of it where there are none."""
    opens, closes = PARTS.get(part or "", (window.opens, window.closes))
    opens, closes = max(opens, window.opens), min(closes, window.closes)
    return replace(window, opens=opens, closes=closes) if opens < closes else window


def _within(inner: Window, outer: Window) -> bool:
    return (
        inner.opens >= outer.opens
        and inner.closes <= outer.closes
        and set(inner.days) <= set(outer.days)
        and (outer.on_public_holidays or not inner.on_public_holidays)
    )


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """Return the zone called *name*, such as ``Europe/Paris``; raises ``InvalidInput`` ``zone`` if there is none."""
    if name not in _zone_names():
        raise InvalidInput("There is no such time zone; write it like Europe/Paris.", code="zone", field="zone")
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def _zones_by_country() -> dict[str, tuple[str, ...]]:
    """Read the list of zones per country that comes with the time zone data (``zone.tab``)."""
    found: dict[str, tuple[str, ...]] = {}
    for line in files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            country, _, name = line.split("\t")[:3]
            found[country] = (*found.get(country, ()), name)
    return found


def country_zones(country: str) -> tuple[str, ...]:
    """Return all zones of *country* (ISO 3166 alpha-2, any case); empty if it is not one."""
    return _zones_by_country().get(country.upper(), ())


def zone_for(contact_zone: str | None, phone_zones: Sequence[str], country: str | None) -> list[str]:
    """Return the zones the person may be in: the contact's, else the number's, else all of the country.

    A number's zones are narrowed to those of the country where they overlap: a mobile number often says only the
    numbering plan. Raises ``NoTimeZone`` if nothing is known, ``InvalidInput`` ``zone`` for a zone that does not exist.
    """
    if contact_zone:
        return [zone(contact_zone).key]
    of_country = country_zones(country) if country else ()
    of_number = [name for name in phone_zones if name in _zone_names()]
    found = [name for name in of_number if name in of_country] or of_number or list(of_country)
    if not found:
        raise NoTimeZone("Nothing says what time it is for this person: no zone, no number, no country.")
    return found


def local_instant(day: date, at: time, zone_name: str, *, fold: int | None = None) -> datetime:
    """Return the instant, in UTC, at which clocks in the zone show *at* on *day*.

    Raises ``InvalidInput``: ``local_time_missing`` if clocks skip it, ``local_time_ambiguous`` if they show it twice
    and *fold* (0 the first, 1 the second time) does not choose, ``zone`` for an unknown zone.
    """
    first, second = _instants(day, at, zone(zone_name))
    if first > second:
        raise InvalidInput(
            "This time does not exist on that day: clocks are put forward. Choose another.", code="local_time_missing"
        )
    if first < second and fold is None:
        raise InvalidInput(
            "This time comes twice on that day: clocks are put back. Say whether you mean the first or the second.",
            code="local_time_ambiguous",
        )
    return second if fold == 1 else first


def day_end(now: datetime, zone_name: str) -> datetime:
    """Return the instant, UTC, at which the day that it is *now* in a zone has ended for good."""
    where = zone(zone_name)
    return max(_instants(now.astimezone(where).date() + _DAY, time(), where))


def _instants(day: date, at: time, where: ZoneInfo) -> tuple[datetime, datetime]:
    """Return both readings of a wall-clock time: equal as a rule, the first later if skipped, earlier if doubled."""
    wall = datetime.combine(day, at.replace(tzinfo=None), tzinfo=where)
    return wall.replace(fold=0).astimezone(UTC), wall.replace(fold=1).astimezone(UTC)


@lru_cache(maxsize=4096)
def public_holidays(country: str, year: int, subdivision: str | None = None) -> frozenset[date]:
    """Return the public holidays of *country*; none if no calendar is known, the nation's if the part is unknown."""
    return frozenset(holiday_names(country, year, subdivision=subdivision))


def holiday_names(
    country: str, year: int, *, subdivision: str | None = None, language: str | None = None
) -> dict[date, str]:
    """Return the names of the public holidays of *country* by day, in *language* where the calendar speaks it."""
    calendars = holidays.list_supported_countries(include_aliases=False)
    if country not in calendars:
        return {}
    part = subdivision if subdivision in calendars[country] else None
    speaks = holidays.country_holidays(country).supported_languages if language else ()
    spoken = next((one for one in speaks if one.partition("_")[0] == language), None)
    return dict(holidays.country_holidays(country, subdiv=part, years=year, language=spoken))


Span = tuple[datetime, datetime]  #: open from the first instant until just before the second, UTC


def _open_hours(day: date, where: ZoneInfo, window: Window, country: str, subdivision: str | None) -> Span | None:
    """Return when *window* is open on the local *day*, or ``None``."""
    if day.weekday() not in window.days or day in window.closed:
        return None
    if not window.on_public_holidays and day in public_holidays(country, day.year, subdivision):
        return None
    opens, closes = max(_instants(day, window.opens, where)), min(_instants(day, window.closes, where))
    return (opens, closes) if opens < closes else None


def _common(left: Iterable[Span], right: Sequence[Span]) -> list[Span]:
    pairs = ((max(a, c), min(b, d)) for a, b in left for c, d in right)
    return [(start, end) for start, end in pairs if start < end]


@lru_cache(maxsize=16384)
def window_spans(
    day: date, zones: tuple[str, ...], window: Window, country: str, subdivision: str | None = None
) -> tuple[Span, ...]:
    """Return when, on the UTC *day*, the window is open in all *zones*, in order.

    Cached, because a million recipients share a handful of zones.
    """
    midnight = datetime.combine(day, time(), tzinfo=UTC)
    spans: list[Span] = [(midnight, midnight + _DAY)]
    for name in zones:
        local_days = (day - _DAY, day, day + _DAY)  # no zone is further than a day from UTC
        hours = [_open_hours(local, zone(name), window, country, subdivision) for local in local_days]
        spans = _common(spans, [span for span in hours if span is not None])
    return tuple(sorted(spans))


def next_moment(
    not_before: datetime,
    *,
    window: Window,
    zones: Sequence[str],
    country: str,
    not_after: datetime | None = None,
    subdivision: str | None = None,
) -> datetime | None:
    """Return the earliest instant from *not_before* on, UTC, at which *window* is open in all *zones*.

    ``None`` if there is none up to *not_after* (inclusive) or within ``HORIZON``. *subdivision* (ISO 3166-2, without
    the country) refines the public holidays. Raises ``NoTimeZone`` without zones, ``InvalidInput`` for a naive time.
    """
    if not zones:
        raise NoTimeZone("Nothing says what time it is for this person.")
    if not_before.tzinfo is None or (not_after is not None and not_after.tzinfo is None):
        raise InvalidInput("A time needs a zone.", code="zone")
    asked = not_before.astimezone(UTC)
    latest = asked + HORIZON if not_after is None else min(not_after.astimezone(UTC), asked + HORIZON)
    span = _next_span(asked, latest, tuple(zones), window=window, country=country, subdivision=subdivision)
    moment = None if span is None else max(span[0], asked)
    return None if moment is None or moment > latest else moment


def next_span(at: datetime, *, window: Window, zones: Sequence[str], country: str) -> Span | None:
    """Return when *window* is open at or next after an instant, in all *zones*; None if not within ``HORIZON``."""
    return _next_span(at, at + HORIZON, tuple(zones), window=window, country=country, subdivision=None)


def _next_span(
    asked: datetime, latest: datetime, zones: tuple[str, ...], *, window: Window, country: str, subdivision: str | None
) -> Span | None:
    day = asked.date()
    while day <= latest.date():
        for span in window_spans(day, zones, window, country, subdivision):
            if span[1] > asked:
                return span
        day += _DAY
    return None
