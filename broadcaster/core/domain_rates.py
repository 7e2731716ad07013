"""How many messages a minute an account may send to the people of one mail domain: their provider counts us, too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from broadcaster.core.errors import InvalidInput

#: Stands for every domain that has no line of its own, each by itself.
ANY = "*"
MOST_A_MINUTE = 600_000
MOST_DOMAINS = 200
WINDOW = timedelta(minutes=1)
#: A bucket holds at most what two seconds bring: a worker that looks every second misses nothing, nobody gets a blast.
_BURST_SECONDS = 2
#: Who found too little looks again when this much is there: a few messages are worth a look, one is not.
_WORTH_SECONDS = 0.5
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_LINE = re.compile(rf"(?P<domain>\*|({_LABEL}\.)+{_LABEL})\s*[=:]\s*(?P<most>[1-9][0-9]{{0,5}})")


def read(told: str) -> dict[str, int]:
    """Read ``gmail.com = 600, * = 1000``: messages a minute by domain, ``*`` each other one; a line or comma apart.

    A domain that is not ASCII is written as mail servers do (``xn--…``). Nothing is no limit. Raises InvalidInput
    ``domain_rates``.
    """
    lines = [one.strip().lower() for one in re.split(r"[,;\n]", told) if one.strip()]
    found = {line["domain"]: int(line["most"]) for line in map(_LINE.fullmatch, lines) if line is not None}
    if len(found) != len(lines) or len(found) > MOST_DOMAINS or max(found.values(), default=1) > MOST_A_MINUTE:
        message = "write a domain and messages a minute, such as gmail.com = 600; * is any other domain"
        raise InvalidInput(message, field="domain_rates", code="domain_rates")
    return found


def written(table: Mapping[str, int]) -> str:
    """Return a table as ``read`` takes it, a line for each domain, that of the others last."""
    return "\n".join(f"{domain} = {table[domain]}" for domain in sorted(table, key=lambda one: (one == ANY, one)))


def per_minute(table: Mapping[str, int], domain: str | None) -> int | None:
    """Return how many messages a minute may go to *domain*, None if nothing limits them."""
    return None if domain is None else table.get(domain, table.get(ANY))


@dataclass(frozen=True, slots=True)
class Bucket:
    """What one domain may still get: in no span of a minute more than its number, however it is asked."""

    tokens: float
    refilled_at: datetime

    @classmethod
    def full(cls, most: int, now: datetime) -> Bucket:
        return cls(_holds(most), now)

    def at(self, now: datetime, most: int) -> Bucket:
        """Return it as it is *now*; a clock that went back brings nothing."""
        elapsed = max((now - self.refilled_at).total_seconds(), 0.0)
        return Bucket(min(_holds(most), self.tokens + elapsed * _brings(most)), max(now, self.refilled_at))

    def after(self, messages: int) -> Bucket:
        return Bucket(self.tokens - messages, self.refilled_at)

    def ready_at(self, most: int) -> datetime:
        """Return when it is worth another look."""
        if self.tokens >= 1.0:
            return self.refilled_at
        worth = min(max(1.0, _brings(most) * _WORTH_SECONDS), _holds(most))
        # the clocks count microseconds: a fraction of one too early would find a hair less than a message
        return self.refilled_at + timedelta(seconds=(worth - self.tokens) / _brings(most), microseconds=1)


def _holds(most: int) -> float:
    return float(max(1, most * _BURST_SECONDS // 60))


def _brings(most: int) -> float:
    """Return messages a second: what is left of the number when a full bucket has been emptied at once."""
    return (most - _holds(most) + 1) / WINDOW.total_seconds()
