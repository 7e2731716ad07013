"""A month of campaigns: what went out, what will, day by day in one zone, and the closed days in between."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from broadcaster.core import schedule
from broadcaster.core.campaigns import CampaignState, Plan
from broadcaster.core.closed import Closed, between
from broadcaster.core.errors import InvalidInput

_DAY = timedelta(days=1)
_YEARS = range(2000, 2200)


class Month(NamedTuple):
    """A month of the calendar."""

    year: int
    number: int

    @classmethod
    def read(cls, told: str) -> Month:
        """Read ``2026-11``. Raises InvalidInput ``month``."""
        found = re.fullmatch(r"([0-9]{4})-(0[1-9]|1[0-2])", told)
        if found is None or int(found[1]) not in _YEARS:
            raise InvalidInput("write a month like 2026-11", field="month", code="month")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"

    @property
    def first(self) -> date:
        return date(self.year, self.number, 1)

    def moved(self, months: int) -> Month | None:
        """Return the month so many later or, below nought, earlier; None beyond the years one can ask for."""
        year, number = divmod(self.year * 12 + self.number - 1 + months, 12)
        return Month(year, number + 1) if year in _YEARS else None

    def days(self) -> list[date]:
        found = (self.first + one * _DAY for one in range(31))
        return [day for day in found if day.month == self.number]


@dataclass(frozen=True, slots=True)
class Entry:
    """A run that went out or will. ``local``: at this wall-clock time in each person's own zone."""

    campaign_id: int
    name: str
    state: str
    at: datetime  #: on the clocks of the calendar's zone; of the campaign's own where ``local``
    local: bool
    repeats: bool


@dataclass(frozen=True, slots=True)
class Day:
    """One day; ``closed`` names the countries (ISO 3166) where it is a public holiday, ``own`` our own closed days."""

    day: date
    closed: tuple[str, ...]
    own: tuple[Closed, ...]
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of a campaign, and those of its runs (when, state) that may lie in the month."""

    campaign_id: int
    name: str
    state: str
    plan: Plan
    scheduled_for: datetime | None
    state_changed_at: datetime
    runs: tuple[tuple[datetime, str], ...]


def span(month: Month) -> tuple[datetime, datetime]:
    """Return instants, UTC, between which the whole month lies, on whosever clocks its days are counted."""
    first = datetime.combine(month.first, time(), tzinfo=UTC)
    return first - _DAY, first + 32 * _DAY


def days(
    month: Month, known: Iterable[Known], *, zone: str, countries: Sequence[str], own: Sequence[Closed] = ()
) -> list[Day]:
    """Return the days of a month on the clocks of *zone*.

    *countries*: those whose public holidays are marked; *own*: the organisation's closed days.
    """
    found: dict[date, list[Entry]] = {day: [] for day in month.days()}
    for one in known:
        for entry in _entries(one, month, zone):
            if entry.at.date() in found:
                found[entry.at.date()].append(entry)
    return [
        Day(day, _closed(day, countries), tuple(between(own, day, day)), tuple(sorted(some, key=_order)))
        for day, some in found.items()
    ]


def _order(entry: Entry) -> tuple[datetime, int]:
    return entry.at.replace(tzinfo=None), entry.campaign_id


def _closed(day: date, countries: Sequence[str]) -> tuple[str, ...]:
    return tuple(one for one in countries if day in schedule.public_holidays(one, day.year))


def _entries(one: Known, month: Month, zone: str) -> Iterator[Entry]:
    times = one.plan.schedule
    where = schedule.zone(times.zone if times.local else zone)
    paused = one.state == CampaignState.PAUSED
    to_come = one.state if one.state in (CampaignState.PAUSED, CampaignState.DRAFT) else CampaignState.SCHEDULED
    moments = [(at, one.state if paused and state == CampaignState.RUNNING else state) for at, state in one.runs]
    moments += [(at, to_come) for at in _to_come(one, month)]
    for at, state in moments:
        yield Entry(one.campaign_id, one.name, str(state), at.astimezone(where), times.local, bool(times.repeat))


def _to_come(one: Known, month: Month) -> list[datetime]:
    """Return when a campaign will go out: its next date, and those of its rule up to the end of the month."""
    times = one.plan.schedule
    first = None if one.scheduled_for is None else one.plan.date_of(one.scheduled_for)
    if one.state == CampaignState.DRAFT:
        first = times.start
    elif one.state == CampaignState.SCHEDULED:
        first = first or one.state_changed_at
    elif not times.repeat or one.state not in (CampaignState.RUNNING, CampaignState.PAUSED):
        return []
    if first is None:
        return []
    return [first, *times.following(max(first, span(month)[0]), most=len(month.days()) + 2)]
