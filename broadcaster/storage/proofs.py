"""What the verifier reads: consent events and sends with what can still be opened, in constant memory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlmodel import Session, col, select
from sqlmodel.sql.sqltypes import UTCDateTime

from broadcaster.core import proofs
from broadcaster.core.event_types import milliseconds
from broadcaster.storage.tables import Checkpoint

PAGE = 2000


def checkpoints(session: Session) -> Sequence[Checkpoint]:
    """Return every signed head, oldest first."""
    return session.exec(select(Checkpoint).order_by(col(Checkpoint.size))).all()


class ConsentRow(NamedTuple):
    id: int
    commitment: bytes
    key_id: int
    body_ct: bytes | None
    salt: bytes
    erased: bool


_CONSENTS = text("""
    SELECT e.id, e.commitment, coalesce(a.key_id, 0), v.body_ct, v.salt, i.item_id IS NOT NULL
    FROM consent_event e JOIN address a ON a.id = e.address_id
        LEFT JOIN consent_evidence v ON v.event_id = e.id
        LEFT JOIN erased_item i ON i.kind = 'consent' AND i.item_id = e.id
    WHERE e.id > :last ORDER BY e.id LIMIT :page""")


def consents(session: Session) -> Iterator[list[ConsentRow]]:
    """Yield pages of consent events with their evidence."""
    last = 0
    while True:
        rows = session.connection().execute(_CONSENTS, {"last": last, "page": PAGE}).all()
        if not rows:
            return
        yield [ConsentRow(row[0], bytes(row[1]), row[2], row[3], row[4], bool(row[5])) for row in rows]
        last = rows[-1][0]


class SendRow(NamedTuple):
    id: int
    attempt: int
    run_id: int
    account_id: int
    address_id: int
    purpose_id: int
    consent_event_id: int
    gate_at: datetime
    settled_at: datetime
    outcome: str
    provider_id: str | None
    commitment: bytes
    salt: bytes | None
    erased: bool


_SENDS = """
    SELECT s.id, {t}.attempt, s.run_id, s.account_id, s.address_id, s.purpose_id, {t}.consent_event_id, {t}.gate_at,
        {t}.settled_at, {t}.outcome, {t}.provider_id, {t}.commitment, {t}.salt, i.item_id IS NOT NULL
    FROM step s {join}
        LEFT JOIN erased_item i ON i.kind = 'step' AND i.item_id = s.id
    WHERE s.id > :last AND s.id <= :high AND {t}.commitment IS NOT NULL ORDER BY s.id, {t}.attempt"""


def sends(session: Session) -> Iterator[SendRow]:
    """Yield every settled attempt."""
    top = int(session.connection().execute(text("SELECT coalesce(max(id), 0) FROM step")).scalar_one())
    for low in range(0, top, PAGE):
        for t, join in (("s", ""), ("h", "JOIN step_attempt h ON h.step_id = s.id")):
            statement = text(_SENDS.format(t=t, join=join)).columns(gate_at=UTCDateTime(), settled_at=UTCDateTime())
            for row in session.connection().execute(statement, {"last": low, "high": low + PAGE}):
                yield SendRow._make((*row[:11], bytes(row[11]), row[12], bool(row[13])))


def send_bytes(row: SendRow) -> bytes:
    """Return what this attempt must have been committed to."""
    return proofs.send_bytes(
        step_id=row.id,
        attempt=row.attempt,
        run_id=row.run_id,
        account_id=row.account_id,
        address_id=row.address_id,
        purpose_id=row.purpose_id,
        consent_event_id=row.consent_event_id,
        gate_at=milliseconds(row.gate_at),
        settled_at=milliseconds(row.settled_at),
        outcome=row.outcome,
        provider_id=row.provider_id,
    )


@dataclass(frozen=True, slots=True)
class Group:
    """The items one leaf covers, and what the leaf says of them (None once it is erased)."""

    entry_id: int
    told: dict[str, Any] | None
    commitments: tuple[bytes, ...]


_CONSENT_ITEMS = "SELECT entry_id, id AS item, 0 AS part, commitment FROM consent_event"
_SEND_ITEMS = (
    "SELECT entry_id, id AS item, attempt AS part, commitment FROM step WHERE entry_id IS NOT NULL "
    "UNION ALL SELECT entry_id, step_id, attempt, commitment FROM step_attempt WHERE entry_id IS NOT NULL"
)
_GROUPS = (
    "SELECT x.entry_id, x.commitment, p.body FROM ({items}) x LEFT JOIN log_payload p ON p.entry_id = x.entry_id "
    "ORDER BY x.entry_id, x.item, x.part"
)


def consent_groups(session: Session) -> Iterator[Group]:
    return _groups(session, _CONSENT_ITEMS)


def send_groups(session: Session) -> Iterator[Group]:
    return _groups(session, _SEND_ITEMS)


def _groups(session: Session, items: str) -> Iterator[Group]:
    statement = text(_GROUPS.format(items=items)).execution_options(yield_per=PAGE)
    current: int | None = None
    told: dict[str, Any] | None = None
    commitments: list[bytes] = []
    for entry_id, commitment, body in session.connection().execute(statement):
        if entry_id != current:
            if current is not None:
                yield Group(current, told, tuple(commitments))
            current, commitments = entry_id, []
            told = None if body is None else json.loads(body)
        commitments.append(bytes(commitment))
    if current is not None:
        yield Group(current, told, tuple(commitments))
