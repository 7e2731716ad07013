"""A span of days cut into months or weeks, as the clocks of one zone count them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from broadcaster.core.calendar import Month
from broadcaster.core.errors import InvalidInput
from broadcaster.core.schedule import zone

Step = Literal["month", "week"]
MOST_PERIODS = 120


@dataclass(frozen=True, slots=True)
class Period:
    """Days from *first* to *last*, and the instants, UTC, around them: from *opens*, until before *closes*."""

    first: date
    last: date
    opens: datetime
    closes: datetime


def periods(first: date, last: date, *, by: Step, zone_name: str) -> list[Period]:
    """Cut the days from *first* to *last* into calendar months, or weeks from Monday; the ends may be shorter.

    Raises InvalidInput ``period`` if they are in the wrong order or too many.
    """
    if first > last:
        raise InvalidInput("the last day lies before the first", field="to", code="period")
    found: list[Period] = []
    begin = first
    while begin <= last:
        if len(found) == MOST_PERIODS:
            raise InvalidInput(f"at most {MOST_PERIODS} periods", field="from", code="period")
        following = _next(begin, by)
        found.append(
            Period(begin, min(following - _DAY, last), *_instants(begin, min(following, last + _DAY), zone_name))
        )
        begin = following
    return found


_DAY = timedelta(days=1)


def _next(day: date, by: Step) -> date:
    if by == "week":
        return day + timedelta(days=7 - day.weekday())
    following = Month(day.year, day.month).moved(1)
    return date.max if following is None else following.first


def _instants(first: date, following: date, zone_name: str) -> tuple[datetime, datetime]:
    where = zone(zone_name)
    begin, end = (datetime.combine(day, time(), tzinfo=where) for day in (first, following))
    return begin.astimezone(UTC), end.astimezone(UTC)
