"""How often one person may be written to: limits over all campaigns, counted in what was handed to a provider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from broadcaster.core.errors import InvalidInput

#: The widest each part of the setting may be.
BOUNDS: Mapping[str, int] = {"messages": 1000, "days": 365, "hours": 24 * 31}


@dataclass(frozen=True, slots=True)
class Limit:
    """At most *most* messages within any *period*."""

    most: int
    period: timedelta


def limits(setting: Mapping[str, int]) -> tuple[Limit, ...]:
    """Read the setting: at most ``messages`` in ``days``, and ``hours`` between two; 0 or absent is no limit.

    Raises InvalidInput naming the part that makes no sense.
    """
    for name, value in setting.items():
        if name not in BOUNDS or not 0 <= value <= BOUNDS[name]:
            raise InvalidInput("a limit lies between 0 and a year", field=name, code="frequency")
    messages, days, hours = (setting.get(name, 0) for name in ("messages", "days", "hours"))
    if bool(messages) != bool(days):
        missing = "days" if messages else "messages"
        raise InvalidInput("say how many messages and in how many days", field=missing, code="frequency_incomplete")
    found = [Limit(messages, timedelta(days=days))] if messages else []
    return (*found, Limit(1, timedelta(hours=hours))) if hours else tuple(found)


def with_rest(limits: tuple[Limit, ...], rest_days: int | None) -> tuple[Limit, ...]:
    """Return the organisation's limits and the person's own: at most one message in *rest_days*."""
    return limits if rest_days is None else (*limits, Limit(1, timedelta(days=rest_days)))


def reached(limits: Sequence[Limit], handed_over: Sequence[datetime], *, now: datetime) -> bool:
    """Say whether one more message *now* would be too many after those *handed_over* at these times."""
    return any(sum(at > now - limit.period for at in handed_over) >= limit.most for limit in limits)


def longest(limits: Sequence[Limit]) -> timedelta:
    """Return how far back the limits look."""
    return max(limit.period for limit in limits)
