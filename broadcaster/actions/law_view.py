"""The law as people read it: each row in words with its source, and what the organisation asks beyond it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from broadcaster.actions.organisation import setting
from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import InvalidInput
from broadcaster.core.law import rows as law
from broadcaster.core.law.rows import AgeRow, BasisRow, FooterRow, InactivityRow, Row, Rules, SenderRow, StopRow
from broadcaster.core.schedule import country_zones


@dataclass(frozen=True, slots=True)
class ShownRow:
    """One row. ``what`` is basis, age, inactivity, footer, stop or sender; ``facts`` are its own values."""

    what: str
    place: str
    says: str
    channels: tuple[str, ...]
    source: str
    date: date
    certainty: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shown:
    version: str
    country: str | None
    rows: tuple[ShownRow, ...]
    own: Mapping[str, Any]


def shown(runtime: Runtime, country: str | None = None) -> Shown:
    """Return the rows that count in *country*, nearest first, or all of them. Raises InvalidInput ``country``."""
    told = law.rules()
    wanted = None if country is None else country.upper()
    if wanted is not None and not country_zones(wanted):
        raise InvalidInput("there is no such country", field="country", code="country")
    with runtime.db.reading() as session:
        own = setting(session, "legal")
    reach = None if wanted is None else told.reach(wanted)
    rows = [one for one in _all(told) if reach is None or one.place in reach]
    if reach is not None:
        rows.sort(key=lambda one: (reach.index(one.place), one.what))
    return Shown(told.version, wanted, tuple(rows), {key: one for key, one in own.items() if wanted in (None, key)})


def _all(told: Rules) -> Iterator[ShownRow]:
    rows: Iterable[Row] = (*told.basis, *told.age, *told.inactivity, *told.footer, *told.stop, *told.sender)
    yield from map(shown_row, rows)


def shown_row(row: Row) -> ShownRow:
    """Return one row in words, with its own values."""
    match row:
        case BasisRow():
            end = f", {row.months} months" if row.months else ""
            facts = {"basis": row.basis.value, "audience": row.audience, "months": row.months}
            return _row("basis", row, f"{row.basis.value} for {row.audience}{end}", **facts)
        case AgeRow():
            return _row("age", row, f"below {row.years} one's own consent does not count", years=row.years)
        case InactivityRow():
            return _row("inactivity", row, f"run out after {row.months} months of silence", months=row.months)
        case FooterRow():
            return _row("footer", row, " and ".join(row.parts), parts=row.parts)
        case StopRow():
            scope, since = row.scope.value, row.since
            return _row("stop", row, f"a stop that names nothing closes {scope} from {since}", scope=scope, since=since)
        case SenderRow():
            says = f"no marketing from {', '.join(row.refused)}; {row.use}"
            return _row("sender", row, says, refused=row.refused)
        case _:
            raise AssertionError("each kind of row has its words")


def _row(what: str, row: Row, says: str, **facts: Any) -> ShownRow:
    return ShownRow(what, row.place, says, row.channels, row.source, row.date, row.certainty, facts)
