"""The log: write an event with its change, number it later, read it, verify it.

A business transaction calls ``record`` and never waits for anybody: it writes the leaf *unnumbered*. One sequencer,
under a lease, gives numbers, appends to the RFC 6962 tree and signs a checkpoint (``actions/sequencer.py``).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, text
from sqlmodel import Session, col
from sqlmodel import select as select_model

from broadcaster.core import events
from broadcaster.core.event_types import Event
from broadcaster.storage.database import allocate, sql
from broadcaster.storage.tables import Checkpoint, ErasedItem, LogEntry, LogPayload
from broadcaster.storage.tables.ledger import LAW_CHANGED


def record(
    session: Session,
    event: Event,
    *,
    at: datetime,
    key_id: int | None = None,
    body: bytes | None = None,
    entry_id: int | None = None,
) -> int:
    """Write *event* as an unnumbered leaf and return its entry id; the transaction now counts as traced.

    *body* replaces the plain canonical bytes in the payload when they are personal: it is their encryption under the
    person's key *key_id*. The leaf always commits to the plain bytes. *entry_id* is one that ``allocate`` gave.
    """
    actor = str(session.info.get("actor", "system"))
    plain = event.canonical(actor=actor, at=at)
    salt = secrets.token_bytes(events.SALT_BYTES)
    if entry_id is None:
        [entry_id] = allocate(session, "log_entry", 1)
    session.flush()
    entry = {"id": entry_id, "kind": event.kind, "commitment": events.commit(salt, plain), "at": at}
    session.connection().execute(_ENTRY, entry)
    payload = {
        "entry": entry_id,
        "event": type(event).__name__,
        "staff": int(actor[6:]) if actor.startswith("staff:") else None,
        "key": key_id,
        "body": plain if body is None else body,
        "salt": salt,
    }
    session.connection().execute(_PAYLOAD, payload)
    session.info["traced"] = True
    return entry_id


_ENTRY = sql("INSERT INTO log_entry (id, kind, commitment, created_at) VALUES (:id, :kind, :commitment, :at)", "at")
_PAYLOAD = text(
    "INSERT INTO log_payload (entry_id, event, staff_id, key_id, body, salt) "
    "VALUES (:entry, :event, :staff, :key, :body, :salt)"
)


def unnumbered(session: Session, limit: int) -> list[tuple[int, str, bytes]]:
    """Return (id, kind, commitment) of entries without a position, oldest first."""
    query = select(col(LogEntry.id), col(LogEntry.kind), col(LogEntry.commitment))
    query = query.where(col(LogEntry.position).is_(None)).order_by(col(LogEntry.id)).limit(limit)
    return [(row[0], row[1], bytes(row[2])) for row in session.connection().execute(query)]


def number(session: Session, positions: Sequence[tuple[int, int]]) -> None:
    """Give entries their positions: pairs of (entry id, position)."""
    statement = text("UPDATE log_entry SET position = :position WHERE id = :id AND position IS NULL")
    session.connection().execute(statement, [{"id": entry, "position": position} for entry, position in positions])


def head(session: Session) -> Checkpoint | None:
    """Return the newest checkpoint."""
    return session.exec(select_model(Checkpoint).order_by(col(Checkpoint.size).desc()).limit(1)).first()


@dataclass(frozen=True, slots=True)
class Leaf:
    """One numbered leaf with what can still be opened of it."""

    position: int
    entry_id: int
    kind: str
    commitment: bytes
    body: bytes | None
    salt: bytes | None
    key_id: int | None
    erased: bool
    event: str | None


def leaves(session: Session, *, start: int = 0, page: int = 2000) -> Iterator[Leaf]:
    """Yield numbered leaves in order, in constant memory."""
    while True:
        rows = session.connection().execute(_leaf_page(start, page)).all()
        for row in rows:
            yield Leaf(*row)
        if len(rows) < page:
            return
        start = rows[-1][0] + 1


def _leaf_page(start: int, page: int) -> Any:
    query = (
        select(
            col(LogEntry.position),
            col(LogEntry.id),
            col(LogEntry.kind),
            col(LogEntry.commitment),
            col(LogPayload.body),
            col(LogPayload.salt),
            col(LogPayload.key_id),
            col(ErasedItem.item_id).is_not(None),
            col(LogPayload.event),
        )
        .outerjoin(LogPayload, col(LogPayload.entry_id) == col(LogEntry.id))
        .outerjoin(ErasedItem, (col(ErasedItem.kind) == "leaf") & (col(ErasedItem.item_id) == col(LogEntry.id)))
    )
    return query.where(col(LogEntry.position) >= start).order_by(col(LogEntry.position)).limit(page)


def count_unnumbered_before(session: Session, moment: datetime) -> int:
    """Return how many entries older than *moment* have no position yet."""
    query = select(func.count()).select_from(LogEntry)
    query = query.where(col(LogEntry.position).is_(None), col(LogEntry.created_at) < moment)
    return int(session.connection().execute(query).scalar_one())


def activity(session: Session, *, before: int | None = None, limit: int = 50) -> Sequence[Any]:
    """Return the newest plain events (id, position, at, kind, event, staff id, body), newest first."""
    query = select(
        col(LogEntry.id),
        col(LogEntry.position),
        col(LogEntry.created_at),
        col(LogEntry.kind),
        col(LogPayload.event),
        col(LogPayload.staff_id),
        col(LogPayload.body),
        col(LogPayload.key_id),
    ).join(LogPayload, col(LogPayload.entry_id) == col(LogEntry.id))
    if before is not None:
        query = query.where(col(LogEntry.id) < before)
    return session.connection().execute(query.order_by(col(LogEntry.id).desc()).limit(limit)).all()


def law_changes(session: Session, *, limit: int) -> list[tuple[datetime, dict[str, Any]]]:
    """Return the newest changes of the organisation's own law: when, and the event."""
    query = (
        select(col(LogEntry.created_at), col(LogPayload.body))
        .join(LogPayload, col(LogPayload.entry_id) == col(LogEntry.id))
        .where(text(LAW_CHANGED))  # in the words of the index, which are few rows of very many
        .order_by(col(LogPayload.entry_id).desc())
    )
    return [(at, json.loads(body)) for at, body in session.connection().execute(query.limit(limit)).all()]


__all__ = [
    "Leaf",
    "activity",
    "count_unnumbered_before",
    "head",
    "law_changes",
    "leaves",
    "number",
    "record",
    "unnumbered",
]
