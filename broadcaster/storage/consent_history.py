"""The consent ledger as people read it: every event with its purpose, wording and sealed evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, column
from sqlmodel import Session, col, select

from broadcaster.storage.database import any_id, id_list, sql
from broadcaster.storage.tables import Brand, ConsentRecord, ContactAddress, Purpose, Wording

_COLUMNS = """
    e.id, e.address_id, e.purpose_id, e.action, e.actor, e.source, e.basis, e.clock, e.occurred_at, e.received_at,
    e.expires_at, e.wording_id, e.staff_id, e.import_id, e.step_id, e.ineffective, e.entry_id, e.commitment,
    v.body_ct, v.salt, l.position, a.channel, a.key_id, a.value_ct, a.status"""
_FROM = """
    FROM consent_event e
    JOIN address a ON a.id = e.address_id
    JOIN log_entry l ON l.id = e.entry_id
    LEFT JOIN consent_evidence v ON v.event_id = e.id"""
_TABLE: Any = ConsentRecord.__table__  # type: ignore[attr-defined]
#: Names and types by position: a text statement knows neither booleans nor times by itself.
_RESULT = [
    column(name, _TABLE.c[name].type if name in _TABLE.c else None)
    for name in (part.strip().rpartition(".")[2] for part in _COLUMNS.split(","))
]


def of_addresses(
    session: Session, address_ids: Sequence[int], *, received_until: datetime | None = None
) -> Sequence[Row[Any]]:
    """Return the events of these addresses as they happened, oldest first."""
    rule = f"e.address_id {any_id(session)}" + (" AND e.received_at <= :until" if received_until else "")
    values: dict[str, Any] = {"ids": id_list(session, address_ids)}
    if received_until is not None:
        values["until"] = received_until
    return _rows(session, f"WHERE {rule} ORDER BY e.occurred_at, e.id", values)


def newest(
    session: Session, *, before: int | None = None, limit: int = 50, wording_id: int | None = None
) -> Sequence[Row[Any]]:
    """Return the newest events of everybody, or those by one wording, newest first."""
    values: dict[str, Any] = {"before": before if before is not None else 2**62, "limit": limit}
    rule = "e.id < :before"
    if wording_id is not None:
        rule, values["wording"] = f"{rule} AND e.wording_id = :wording", wording_id
    return _rows(session, f"WHERE {rule} ORDER BY e.id DESC LIMIT :limit", values)


def _rows(session: Session, rest: str, values: dict[str, Any]) -> Sequence[Row[Any]]:
    times = [name for name in ("until",) if name in values]
    statement = sql(f"SELECT {_COLUMNS} {_FROM} {rest}", *times).columns(*_RESULT)
    return session.connection().execute(statement, values).all()


def purposes(session: Session) -> dict[int, Purpose]:
    """Return every purpose by id, also inner nodes and archived ones."""
    return {row.id: row for row in session.exec(select(Purpose).order_by(col(Purpose.id))).all()}


def wordings(session: Session, ids: Sequence[int]) -> dict[int, Wording]:
    """Return these wordings by id."""
    query = select(Wording).where(col(Wording.id).in_(sorted(set(ids))))
    return {row.id: row for row in session.exec(query).all()} if ids else {}


def addresses_beside(session: Session, address_id: int) -> list[int]:
    """Return every address in use by those who use this one, itself included."""
    who = select(ContactAddress.contact_id).where(
        ContactAddress.address_id == address_id, col(ContactAddress.valid_to).is_(None)
    )
    query = select(ContactAddress.address_id).where(
        col(ContactAddress.contact_id).in_(who), col(ContactAddress.valid_to).is_(None)
    )
    return sorted({address_id, *session.exec(query).all()})


def contacts_of(session: Session, address_id: int) -> list[int]:
    """Return the contacts that use an address."""
    query = select(ContactAddress.contact_id).where(
        ContactAddress.address_id == address_id, col(ContactAddress.valid_to).is_(None)
    )
    return sorted(session.exec(query).all())


def brands(session: Session) -> list[Brand]:
    """Return the brands in use, oldest first."""
    return list(session.exec(select(Brand).where(col(Brand.archived_at).is_(None)).order_by(col(Brand.id))).all())
