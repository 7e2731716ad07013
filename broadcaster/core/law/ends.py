"""When consent runs out that comes by the thousand: the law of each place looked up once, then one look per consent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from broadcaster.core.law.rows import EVERYWHERE
from broadcaster.core.law.terms import months_after


@dataclass(frozen=True, slots=True)
class Ends:
    """``months``: (purpose, channel, kind of contact, place) -> how long consent holds; only where it has an end.

    ``places`` are those with terms of their own; all others have those of everywhere else.
    """

    months: Mapping[tuple[int, str, str, str], int] = field(default_factory=dict)
    places: frozenset[str] = frozenset()

    def end(
        self, since: datetime, *, purpose_id: int, channel: str, people: Sequence[tuple[str, str | None]]
    ) -> datetime | None:
        """Return when a consent given *since* runs out for these users of an address (kind, country), None if never."""
        lives = [
            self.months.get((purpose_id, channel, kind, country if country in self.places else EVERYWHERE), 0)
            for kind, country in people
        ]
        shortest = min((life for life in lives if life), default=0)
        return months_after(since, shortest) if shortest else None
