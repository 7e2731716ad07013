"""Gains and losses of consent on days that are over, counted once and kept: what happened on them changes no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

from sqlalchemy import delete, insert
from sqlmodel import Session, col, func, select

from broadcaster.core.schedule import zone as zone_info
from broadcaster.storage.consent_desk import Change
from broadcaster.storage.tables import ConsentRecord, ConsentTallied, ConsentTally


def until(session: Session, zone: str, *, lock: bool = False) -> date | None:
    """Return the first day that is not counted on the clocks of a zone; None if none is."""
    query = select(ConsentTallied)
    row = session.exec(query.with_for_update() if lock else query).first()
    return row.until if row is not None and row.zone == zone else None


def first_day(session: Session, zone: str) -> date | None:
    """Return the day of the first consent event."""
    first = session.exec(select(ConsentRecord.received_at).order_by(col(ConsentRecord.received_at)).limit(1)).first()
    return None if first is None else first.astimezone(zone_info(zone)).date()


def changes(session: Session, first: date, last: date) -> list[Change]:
    """Return what was gained and lost between two counted days, both included."""
    tally = ConsentTally
    cause: Any = (tally.purpose_id, tally.gained, tally.source, tally.campaign_id, tally.rule)
    entities: Any = (*cause, func.sum(tally.count))
    query: Any = select(*entities).where(col(tally.day) >= first, col(tally.day) <= last)
    found: Sequence[Any] = session.exec(query.group_by(*cause)).all()
    return [Change(row[0], row[1], row[2], row[3], row[4], int(row[5])) for row in found]


def keep(session: Session, zone: str, found: Mapping[date, Sequence[Change]], *, afresh: bool) -> None:
    """Keep what was counted, day after day; *afresh* drops what was kept before."""
    if afresh:
        session.connection().execute(delete(ConsentTally))
        session.connection().execute(delete(ConsentTallied))
        session.expire_all()
    rows = [{"day": day, **asdict(one)} for day, some in found.items() for one in some]
    if rows:
        session.connection().execute(insert(ConsentTally), rows)
    mark = session.get(ConsentTallied, 1) or ConsentTallied(zone=zone, until=max(found))
    mark.until = max(found) + timedelta(days=1)
    session.add(mark)
