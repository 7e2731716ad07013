"""The calendar of campaigns, on the organisation's clocks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from broadcaster.actions.organisation import setting, time_zone
from broadcaster.actions.runtime import Runtime
from broadcaster.core import calendar, schedule
from broadcaster.core.calendar import Day, Month
from broadcaster.storage import campaigns, closed_days


@dataclass(frozen=True, slots=True)
class Calendar:
    """A month as the organisation sees it, and the day it is there now."""

    month: Month
    zone: str
    today: date
    days: tuple[Day, ...]


def calendar_of(runtime: Runtime, told: str = "") -> Calendar:
    """Return a month, such as ``2026-11``, or this one. Raises InvalidInput ``month``.

    Public holidays are those of the organisation's country and of every country it has given hours of its own.
    """
    with runtime.db.reading() as session:
        zone = time_zone(session)
        today = runtime.db.now(session).astimezone(schedule.zone(zone)).date()
        month = Month.read(told) if told else Month(today.year, today.month)
        countries = dict.fromkeys([setting(session, "default_region"), *sorted(setting(session, "windows"))])
        known = campaigns.between(session, *calendar.span(month))
        own = closed_days.every(session, since=month.first)
        days = calendar.days(month, known, zone=zone, countries=[*countries], own=own)
        return Calendar(month, zone, today, tuple(days))
