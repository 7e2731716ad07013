"""The organisation's own closed days: on them it sends no marketing to a country, as on a public holiday there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from broadcaster.core.errors import InvalidInput

EVERYWHERE = "*"
LONGEST = 366  #: days closed at once
AHEAD = timedelta(days=5 * 366)
LABEL_MOST = 80
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Closed:
    """Days, both ends included, on which nothing goes to a country (ISO 3166) or ``EVERYWHERE``, and why."""

    country: str
    first: date
    last: date
    label: str

    def days(self) -> list[date]:
        return [self.first + n * _DAY for n in range((self.last - self.first).days + 1)]


def checked(asked: Closed, *, today: date) -> Closed:
    """Return what may be added. Raises InvalidInput naming the field."""
    label = " ".join(asked.label.split())
    if not label or len(label) > LABEL_MOST:
        raise InvalidInput(f"between 1 and {LABEL_MOST} characters", field="label", code="label_length")
    if asked.last < asked.first:
        raise InvalidInput("the last day is not before the first", field="last", code="closed_range")
    if asked.last < today:
        raise InvalidInput("these days are over", field="first", code="closed_past")
    if asked.last - asked.first >= LONGEST * _DAY or asked.last > today + AHEAD:
        raise InvalidInput("at most a year at once, and five years ahead", field="last", code="closed_too_far")
    return replace(asked, label=label)


def by_country(closed: Iterable[Closed]) -> dict[str, frozenset[date]]:
    """Return the days of each country that has some; those closed everywhere are in all, and under ``EVERYWHERE``."""
    found: dict[str, set[date]] = defaultdict(set)
    for one in closed:
        found[one.country].update(one.days())
    everywhere = found[EVERYWHERE]
    return {country: frozenset(days | everywhere) for country, days in found.items()}


def joined(closed: Iterable[Closed]) -> list[Closed]:
    """Return days that follow one another in one country under one name as one, the earliest first."""
    found: list[Closed] = []
    for one in sorted(closed, key=lambda some: (some.country, some.first)):
        before = found[-1] if found else None
        if before is not None and (before.country, before.label, before.last + _DAY) == (
            one.country,
            one.label,
            one.first,
        ):
            found[-1] = replace(before, last=one.last)
        else:
            found.append(one)
    return sorted(found, key=lambda some: (some.first, some.country))


def between(closed: Sequence[Closed], first: date, last: date) -> list[Closed]:
    """Return what lies, even in part, between two days."""
    return [one for one in closed if one.first <= last and one.last >= first]
