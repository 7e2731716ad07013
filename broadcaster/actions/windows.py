"""When a person may be written to, with the organisation's own hours; the rules are ``core/schedule``."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlmodel import Session

from broadcaster.actions.organisation import setting
from broadcaster.core import estimate, schedule
from broadcaster.core.campaigns import Schedule
from broadcaster.core.closed import EVERYWHERE, by_country
from broadcaster.core.deliveries import Reason
from broadcaster.core.errors import InvalidInput
from broadcaster.core.estimate import Hours
from broadcaster.core.schedule import Window
from broadcaster.storage import closed_days


class Place(NamedTuple):
    """What says where a person is, and when they like to hear from us.

    Their own zone, their number's zones (comma-separated), their country; a part of the day.
    """

    zone: str | None
    number_zones: str | None
    country: str | None
    part_of_day: str | None = None

    @classmethod
    def of_key(cls, key: str) -> Place:
        """Read what the plan wrote: ``zone|number's zones|country|part of the day``."""
        return cls(*(part or None for part in key.split("|")))


@functools.lru_cache(maxsize=65536)
def zones_of(place: Place) -> tuple[str, ...]:
    """Return the zones the person may be in. Raises NoTimeZone."""
    numbers = place.number_zones.split(",") if place.number_zones else []
    return tuple(schedule.zone_for(place.zone, numbers, place.country))


@dataclass(frozen=True, eq=False)
class Windows:
    """The hours of one run: those of each country, or none for messages that are no marketing. Equal to itself only."""

    own: Mapping[str, Window]
    closed: Mapping[str, frozenset[date]]  #: the organisation's own days, by country
    apply: bool

    @classmethod
    def load(cls, session: Session, *, marketing: bool) -> Windows:
        """Read the organisation's hours; a demonstration installation has none."""
        own = {country: window_of(country, given) for country, given in setting(session, "windows").items()}
        closed = by_country(closed_days.every(session))
        return cls(own=own, closed=closed, apply=marketing and not setting(session, "demo"))

    def hours(self, place: Place) -> Hours:
        """Return the hours in which people of one place may be written to."""
        if not self.apply:
            return estimate.always
        country, window = self._window(place)
        return functools.partial(schedule.next_span, window=window, zones=zones_of(place), country=country)

    def closed_until(self, place: Place, now: datetime) -> datetime | None:
        """Return when the window opens next if it is closed at *now*; None if it is open (or does not apply)."""
        if not self.apply:
            return None
        moment = self._next(place, now, None)
        if moment is None:
            return now + timedelta(days=1)  # no permitted hour in sight: look again tomorrow
        return None if moment == now else moment

    def due(self, place: Place, plan: Schedule, *, now: datetime) -> datetime | Reason:
        """Return when this person gets the message, or the reason why there is no such time."""
        if not self.apply and not plan.local:
            return max(plan.start or now, now)
        try:
            wanted = max(self._wanted(place, plan) or now, now)
            moment = self._next(place, wanted, plan.not_after) if self.apply else wanted
        except schedule.NoTimeZone:
            return Reason.NO_TIME_ZONE
        return Reason.WINDOW_PASSED if moment is None else moment

    def _next(self, place: Place, wanted: datetime, not_after: datetime | None) -> datetime | None:
        country, window = self._window(place)
        return schedule.next_moment(wanted, window=window, zones=zones_of(place), country=country, not_after=not_after)

    def _window(self, place: Place) -> tuple[str, Window]:
        country = (place.country or "").upper()
        window = schedule.narrowed(schedule.window_for(country, self.own), place.part_of_day)
        return country, replace(window, closed=self.closed.get(country, self.closed[EVERYWHERE]))

    @staticmethod
    def _wanted(place: Place, plan: Schedule) -> datetime | None:
        """Return the start, as wall-clock time in the person's own zone if the plan says so (latest of several)."""
        if not plan.local or plan.start is None:
            return plan.start
        wall = plan.start.astimezone(ZoneInfo(plan.zone))
        return max(_local(wall, zone) for zone in zones_of(place))


def _local(wall: datetime, zone: str) -> datetime:
    """Return the instant of a wall-clock time in *zone*; one that a clock change skips becomes the next that exists."""
    try:
        return schedule.local_instant(wall.date(), wall.time().replace(tzinfo=None), zone, fold=0)
    except InvalidInput:
        return schedule.local_instant(wall.date(), time(min(wall.hour + 1, 23), wall.minute), zone, fold=0)


def window_of(country: str, given: Mapping[str, object]) -> Window:
    """Read one country's hours from a setting. Raises InvalidInput where they are wider than law or charter allow."""
    try:
        opens, closes = time.fromisoformat(str(given["opens"])), time.fromisoformat(str(given["closes"]))
        days = tuple(int(day) for day in given.get("days", schedule.MONDAY_TO_SATURDAY))  # type: ignore[attr-defined]
    except (KeyError, ValueError, TypeError):
        raise InvalidInput("write hours as 08:00 and days as 0 (Monday) to 6", field=country) from None
    window = Window(opens, closes, days, source="the organisation")
    schedule.window_for(country, {country: window})
    return window
