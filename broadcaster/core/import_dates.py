"""The dates people write in files; never guessed where they may mean two days."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

_SLASHED = re.compile(r"(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?")


@lru_cache(maxsize=65536)
def parse_moment(text: str, yes: bool, zone: ZoneInfo, order: str | None) -> datetime | None:
    """Return the moment *text* names, aware; None if it names none, or either of two.

    A day without a time is read the strict way: a yes at its first moment, a no at its last.
    """
    match = _SLASHED.fullmatch(text)
    try:
        found = _from_slashes(match, order) if match else _from_iso(text)
    except (ValueError, OverflowError):
        return None
    if isinstance(found, datetime):
        return (found if found.tzinfo is not None else found.replace(tzinfo=zone)).astimezone(UTC)
    if found is None:
        return None
    last = time(23, 59, 59)
    return datetime.combine(found, time() if yes else last, tzinfo=zone).astimezone(UTC)


def _from_iso(text: str) -> datetime | date | None:
    if len(text) < 10 or text[4:5] != "-":
        return None  # a number is what a spreadsheet made of a date
    return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)


def _from_slashes(match: re.Match[str], order: str | None) -> datetime | date | None:
    first, second, year = int(match[1]), int(match[2]), int(match[3])
    if order is None:
        if first <= 12 and second <= 12 and first != second:
            return None
        order = "dmy" if first > 12 or first == second else "mdy"
    day = date(year, second, first) if order == "dmy" else date(year, first, second)
    if match[4] is None:
        return day
    return datetime.combine(day, time(int(match[4]), int(match[5]), int(match[6] or 0)))
