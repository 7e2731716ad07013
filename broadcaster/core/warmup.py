"""Warming an account up: how many messages it may send on each of its first days, until it sends as fast as it may.

Only days on which something is sent count: an account that rests does not warm up meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from broadcaster.core import schedule
from broadcaster.core.errors import InvalidInput

MOST_DAYS = 90
MOST_MESSAGES = 10_000_000
_NUMBER = re.compile(r"[1-9][0-9]{0,7}")
_GROWTH = re.compile(
    r"([1-9][0-9]{0,7})\s*[x×]\s*([0-9]{1,2}(?:[.,][0-9]{1,3})?)\s*[x×]\s*([1-9][0-9]?)", re.IGNORECASE
)


def read(told: str) -> list[int]:
    """Read ``200, 400, 800``, a number for each day, or ``200 x 1.5 x 14``: the first day, the growth, the days.

    Nothing is no warm-up. Raises InvalidInput ``warm_up``.
    """
    grown = _GROWTH.fullmatch(told.strip())
    if grown is not None:
        first, growth, count = int(grown[1]), float(grown[2].replace(",", ".")), int(grown[3])
        days = [int(min(first * growth**day, MOST_MESSAGES + 1)) for day in range(count)]
    else:
        numbers = [one for one in re.split(r"[\s,;]+", told.strip()) if one]
        days = [int(one) if _NUMBER.fullmatch(one) else 0 for one in numbers]
    if len(days) > MOST_DAYS or not all(1 <= one <= MOST_MESSAGES for one in days):
        raise InvalidInput(
            "write a number for each day, such as 200, 400, 800, or 200 x 1.5 x 14", field="warm_up", code="warm_up"
        )
    return days


@dataclass(frozen=True, slots=True)
class Day:
    """A day of an account that warms up: its number from 1, when it ends, how many messages have left in it."""

    number: int = 0
    ends: datetime | None = None
    sent: int = 0

    def at(self, now: datetime, zone: str) -> Day:
        """Return the day it is *now*: this one, or the next on which something is sent."""
        if self.ends is not None and now < self.ends:
            return self
        return Day(self.number + 1, schedule.day_end(now, zone))

    def most(self, days: Sequence[int]) -> int | None:
        """Return how many messages may leave in it; None once the account is warm."""
        return days[self.number - 1] if self.number <= len(days) else None

    def after(self, messages: int) -> Day:
        return replace(self, sent=self.sent + messages)
