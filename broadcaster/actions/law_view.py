"""The law as people read it: each row in words with its source, and what the organisation asks beyond it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from broadcaster.actions.organisation import setting
from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import InvalidInput
from broadcaster.core.law import rows as law
from broadcaster.core.law.rows import Row, Rules
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
    for basis in told.basis:
        end = f", {basis.months} months" if basis.months else ""
        facts = {"basis": basis.basis.value, "audience": basis.audience, "months": basis.months}
        yield _row("basis", basis, f"{basis.basis.value} for {basis.audience}{end}", **facts)
    for age in told.age:
        yield _row("age", age, f"below {age.years} one's own consent does not count", years=age.years)
    for idle in told.inactivity:
        yield _row("inactivity", idle, f"run out after {idle.months} months of silence", months=idle.months)
    for footer in told.footer:
        yield _row("footer", footer, " and ".join(footer.parts), parts=footer.parts)
    for stop in told.stop:
        scope, since = stop.scope.value, stop.since
        yield _row("stop", stop, f"a stop that names nothing closes {scope} from {since}", scope=scope, since=since)
    for sender in told.sender:
        yield _row(
            "sender", sender, f"no marketing from {', '.join(sender.refused)}; {sender.use}", refused=sender.refused
        )


def _row(what: str, row: Row, says: str, **facts: Any) -> ShownRow:
    return ShownRow(what, row.place, says, row.channels, row.source, row.date, row.certainty, facts)
