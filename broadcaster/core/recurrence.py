"""The dates of a recurring campaign: an RRULE (RFC 5545) of days, weeks or months, on the wall clock of one zone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice

from dateutil import rrule

from broadcaster.core.errors import InvalidInput
from broadcaster.core.schedule import zone

_PARTS = frozenset({"FREQ", "INTERVAL", "BYDAY", "BYMONTHDAY", "COUNT", "UNTIL"})
_FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY"})
_DAY = r"-?([1-9]|[12][0-9]|3[01])"
_NUMBERS = {
    "INTERVAL": re.compile(r"[1-9][0-9]{0,2}"),
    "COUNT": re.compile(r"[1-9][0-9]{0,2}|1000"),
    "BYMONTHDAY": re.compile(f"{_DAY}(,{_DAY})*"),
}
#: A rule that names no day within so many dates of its calendar names none at all.
_PATIENCE = timedelta(days=366 * 5)


@lru_cache(maxsize=1024)
def check(rule: str) -> str:
    """Return a rule such as ``FREQ=WEEKLY;BYDAY=MO,TH;COUNT=10``, in capitals; a last day counts until its end.

    ``UNTIL`` is wall-clock time in the campaign's zone. Raises InvalidInput ``recurrence``.
    """
    parts = [part.partition("=") for part in rule.strip().upper().removeprefix("RRULE:").split(";")]
    told = {name: value for name, _, value in parts}
    wrong = len(told) != len(parts) or set(told) - _PARTS or told.get("FREQ") not in _FREQUENCIES
    wrong = wrong or {"COUNT", "UNTIL"} <= set(told) or told.get("UNTIL", "").endswith("Z")
    wrong = wrong or not all(pattern.fullmatch(told[name]) for name, pattern in _NUMBERS.items() if name in told)
    if len(told.get("UNTIL", "")) == len("20261231"):
        told["UNTIL"] += "T235959"
    checked = ";".join(f"{name}={value}" for name, value in told.items())
    try:
        if wrong:
            raise ValueError
        rrule.rrulestr(checked, dtstart=datetime(2026, 1, 1))  # noqa: DTZ001  wall-clock time
    except (ValueError, TypeError, KeyError, IndexError):
        raise InvalidInput(
            "repeat by day, week or month, such as FREQ=WEEKLY;BYDAY=MO;COUNT=10", field="repeat", code="recurrence"
        ) from None
    return checked


def dates(rule: str, *, start: datetime, zone_name: str) -> Iterator[datetime]:
    """Yield the instants of a rule from *start* on, in UTC, each later than the one before.

    The wall clock of *start* holds all year. A time that clocks skip becomes the same time read as if they had not
    been put forward yet, an hour later on the wall; of one that comes twice the first is meant.
    """
    where = zone(zone_name)
    first = start.astimezone(where).replace(tzinfo=None, fold=0, microsecond=0)
    patience, before = first + _PATIENCE, None
    for wall in rrule.rrulestr(rule, dtstart=first):
        if wall > patience:
            return
        instant = wall.replace(tzinfo=where).astimezone(UTC)
        if before is None or instant > before:
            before = instant
            yield instant


def following(rule: str, *, start: datetime, zone_name: str, after: datetime, most: int) -> list[datetime]:
    """Return the next dates later than *after*, at most *most*; a rule is followed for five years."""
    return list(islice((one for one in dates(rule, start=start, zone_name=zone_name) if one > after), most))
