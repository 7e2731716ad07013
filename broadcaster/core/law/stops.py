"""How far a stop reaches that names nothing: the rows that hold for the people behind an address, at a moment."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from broadcaster.core.law.own import Own, movable, shipped_stops
from broadcaster.core.law.rows import StopScope, rules
from broadcaster.core.schedule import country_zones

#: Where a day begins first on earth: for a country whose zones are not known, in doubt earlier.
_FIRST_ZONE = "Etc/GMT-14"


@dataclass(frozen=True, slots=True, order=True)
class StopRule:
    """A row that holds. ``own``: by the organisation's choice."""

    place: str
    scope: StopScope
    since: date
    own: bool = False

    def __str__(self) -> str:
        """Return the row as evidence names it."""
        return f"{self.place} {self.scope.value} from {self.since}{' (own)' if self.own else ''}"


def holding(
    own: Mapping[str, Own], countries: Collection[str | None], *, channel: str, now: datetime
) -> tuple[StopRule, ...]:
    """Return the rows that hold at *now* for people of these countries, all of them: they add up.

    A row begins when its day begins in the first zone of the country. Where no country is known, every row holds.
    """
    known = {one for one in countries if one} or {*own, *(row.place for row in rules().stop)}
    found = {
        rule
        for country in known
        for rule in _of(country, own.get(country, Own()), channel)
        if rule.since <= _today(country, now)
    }
    return tuple(sorted(found))


def _of(country: str, own: Own, channel: str) -> Iterator[StopRule]:
    for row in shipped_stops(country):
        if row.on(channel) and not (row.scope in own.stop and movable(row)):
            yield StopRule(row.place, row.scope, row.since)
    for scope, since in own.stop.items():
        if since is not None:
            yield StopRule(country, scope, since, own=True)


def _today(country: str, now: datetime) -> date:
    zones = country_zones(country) or (_FIRST_ZONE,)
    return max(now.astimezone(ZoneInfo(zone)).date() for zone in zones)
