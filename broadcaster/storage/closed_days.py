"""The organisation's own closed days in SQL: a row per country and day."""

from __future__ import annotations

from datetime import date

from sqlmodel import Session, col, select

from broadcaster.core.closed import Closed, joined
from broadcaster.storage.tables import ClosedDay


def every(session: Session, *, since: date = date.min) -> list[Closed]:
    """Return the closed days from *since* on, joined, the earliest first."""
    rows = session.exec(select(ClosedDay).where(ClosedDay.day >= since)).all()
    return joined(Closed(row.country, row.day, row.day, row.label) for row in rows)


def rows_of(session: Session, country: str, first: date, last: date) -> list[ClosedDay]:
    """Return the rows of a country between two days, both included."""
    query = select(ClosedDay).where(ClosedDay.country == country)
    return [*session.exec(query.where(ClosedDay.day >= first, ClosedDay.day <= last).order_by(col(ClosedDay.day)))]
