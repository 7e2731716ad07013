"""What a dry run found, and how it adds up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from broadcaster.core.closed import Closed
from broadcaster.core.templates_lint import Problem


@dataclass(frozen=True, slots=True)
class Split:
    """Of some people, how many will get it and how many will not."""

    will_get: int
    will_not: int


@dataclass(frozen=True, slots=True)
class Load:
    """What one account has to send. Money is in millionths of the currency, at the usual and at the greatest length."""

    account_id: int
    name: str
    channel: str
    messages: int
    parts: int
    cost_micros: int
    cost_most_micros: int
    rate_per_second: float
    first_at: datetime
    last_at: datetime
    finish_at: datetime


@dataclass(frozen=True, slots=True)
class Missing:
    """A merge field that some people lack in the words they would get."""

    field: str
    channel: str
    language: str
    people: int


@dataclass(frozen=True, slots=True)
class Fallback:
    """People whose language the template does not speak on their channel."""

    channel: str
    wanted: str
    used: str
    people: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a campaign would come to if it were planned now. ``will_get + will_not == audience``, by every table too.

    ``by_reason`` tells why not, one reason per person; ``closed`` which of our own closed days lie in its way. ``""``
    stands for a country, channel or language not known.
    """

    campaign_id: int
    made_at: datetime
    audience: int
    will_get: int
    will_not: int
    by_reason: Mapping[str, int]
    by_channel: Mapping[str, Split]
    by_country: Mapping[str, Split]
    accounts: tuple[Load, ...]
    missing: tuple[Missing, ...]
    fallbacks: tuple[Fallback, ...]
    currency: str
    cost_micros: int
    cost_most_micros: int
    first_at: datetime | None
    last_at: datetime | None
    finish_at: datetime | None
    closed: tuple[Closed, ...]
    problems: tuple[Problem, ...]

    @property
    def blocked(self) -> bool:
        """Say whether something must be repaired before it can be launched."""
        return any(one.blocking for one in self.problems)

    def told(self) -> dict[str, Any]:
        """Return it as plain JSON, times in ISO 8601."""
        return {**plain(asdict(self)), "blocked": self.blocked}


def plain(value: Any) -> Any:
    """Return *value* as JSON holds it."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def splits(will: Counter[str], wont: Counter[str]) -> dict[str, Split]:
    """Return both counts by key, the largest first."""
    keys = sorted(will | wont, key=lambda key: (-(will[key] + wont[key]), key))
    return {key: Split(will[key], wont[key]) for key in keys}
