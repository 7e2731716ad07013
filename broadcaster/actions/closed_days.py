"""The organisation's own closed days: add, remove, list; ``actions/windows`` and the calendar obey them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from sqlmodel import Session

from broadcaster.actions.organisation import time_zone
from broadcaster.actions.runtime import Runtime
from broadcaster.core import schedule
from broadcaster.core.closed import EVERYWHERE, Closed, checked
from broadcaster.core.errors import Conflict, InvalidInput, NotFound
from broadcaster.core.event_types import Changed
from broadcaster.storage import closed_days as rows
from broadcaster.storage import log
from broadcaster.storage.tables import ClosedDay


@dataclass(frozen=True, slots=True)
class Holiday:
    """A public holiday of a country, by the calendar that comes with the program."""

    day: date
    name: str


def coming(runtime: Runtime) -> list[Closed]:
    """Return the closed days that are not over where the organisation is."""
    with runtime.db.reading() as session:
        return rows.every(session, since=_today(runtime, session))


def holidays(runtime: Runtime, country: str, *, language: str) -> list[Holiday]:
    """Return the public holidays of a country in the year from today; none where no calendar is known."""
    with runtime.db.reading() as session:
        today = _today(runtime, session)
    found = {
        day: name
        for year in (today.year, today.year + 1)
        for day, name in schedule.holiday_names(country, year, language=language).items()
    }
    return [Holiday(day, found[day]) for day in sorted(found) if today <= day < today + timedelta(days=365)]


def add(runtime: Runtime, asked: Closed, *, actor: str) -> int:
    """Close days and return how many; a day that is closed already keeps its name.

    Raises InvalidInput naming the field, Conflict ``closed_already`` where nothing is left to close.
    """
    if asked.country != EVERYWHERE and not schedule.country_zones(asked.country):
        raise InvalidInput("there is no such country", field="country", code="country")
    with runtime.db.transaction(actor) as session:
        new = checked(asked, today=_today(runtime, session))
        known = {row.day for row in rows.rows_of(session, new.country, new.first, new.last)}
        days = [day for day in new.days() if day not in known]
        if not days:
            raise Conflict("These days are closed already.", code="closed_already")
        session.add_all(ClosedDay(country=new.country, day=day, label=new.label) for day in days)
        _record(runtime, session, new, "added")
        return len(days)


def remove(runtime: Runtime, country: str, first: date, last: date, *, actor: str) -> int:
    """Open days again and return how many. Raises NotFound if none of them was closed."""
    with runtime.db.transaction(actor) as session:
        found = rows.rows_of(session, country, first, last)
        if not found:
            raise NotFound("none of these days is closed")
        for row in found:
            session.delete(row)
        _record(runtime, session, Closed(country, first, last, found[0].label), "removed")
        return len(found)


def _record(runtime: Runtime, session: Session, what: Closed, verb: str) -> None:
    told = (what.country, what.first.isoformat(), what.last.isoformat())
    log.record(session, Changed(what="closed_day", id="", verb=verb, fields=told), at=runtime.db.now(session))


def _today(runtime: Runtime, session: Session) -> date:
    return runtime.db.now(session).astimezone(schedule.zone(time_zone(session))).date()
