"""What the verifier reads: consent events and sends with what can still be opened, in constant memory."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlmodel import Session, col, select
from sqlmodel.sql.sqltypes import UTCDateTime

from broadcaster.core import proofs
from broadcaster.core.consent import Basis, Standing, State, fold
from broadcaster.core.event_types import milliseconds
from broadcaster.storage import consent
from broadcaster.storage.database import any_id, id_list
from broadcaster.storage.tables import Checkpoint, ConsentStanding

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
    told: dict[str, Any]  #: what the row itself says, in the words of the committed bytes


_CONSENTS = text("""
    SELECT e.id, e.commitment, coalesce(a.key_id, 0), v.body_ct, v.salt, i.item_id IS NOT NULL AS erased,
        e.address_id, e.purpose_id, e.action, e.actor, e.source, e.basis, e.staff_id, e.wording_id, e.occurred_at,
        e.received_at, e.expires_at
    FROM consent_event e JOIN address a ON a.id = e.address_id
        LEFT JOIN consent_evidence v ON v.event_id = e.id
        LEFT JOIN erased_item i ON i.kind = 'consent' AND i.item_id = e.id
    WHERE e.id > :last ORDER BY e.id LIMIT :page""").columns(
    occurred_at=UTCDateTime(), received_at=UTCDateTime(), expires_at=UTCDateTime()
)


def consents(session: Session) -> Iterator[list[ConsentRow]]:
    """Yield pages of consent events with their evidence."""
    last = 0
    while True:
        rows = session.connection().execute(_CONSENTS, {"last": last, "page": PAGE}).all()
        if not rows:
            return
        yield [ConsentRow(row.id, bytes(row.commitment), row[2], row.body_ct, row.salt, *_told(row)) for row in rows]
        last = rows[-1].id


_SAME_WORDS = ("address_id", "purpose_id", "action", "actor", "source", "basis", "staff_id", "wording_id")


def _told(row: Any) -> tuple[bool, dict[str, Any]]:
    told = {name: getattr(row, name) for name in _SAME_WORDS}
    for name in ("occurred_at", "received_at", "expires_at"):
        moment = getattr(row, name)
        told[name] = None if moment is None else milliseconds(moment)
    return bool(row.erased), {**told, "event_id": row.id}


def says_the_same(told: dict[str, Any], body: bytes) -> bool:
    """Say whether a consent event's row is what was committed to; a claim of the future counts as its receipt."""
    committed = json.loads(body)
    committed["occurred_at"] = min(committed["occurred_at"], committed["received_at"])
    return all(committed.get(name) == value for name, value in told.items())


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
    """The items one leaf covers, its kind (None: there is no such leaf), and what it says (None once it is erased)."""

    entry_id: int
    kind: str | None
    told: dict[str, Any] | None
    commitments: tuple[bytes, ...]


_CONSENT_ITEMS = "SELECT entry_id, id AS item, 0 AS part, commitment FROM consent_event"
_SEND_ITEMS = (
    "SELECT entry_id, id AS item, attempt AS part, commitment FROM step WHERE entry_id IS NOT NULL "
    "UNION ALL SELECT entry_id, step_id, attempt, commitment FROM step_attempt WHERE entry_id IS NOT NULL"
)
_GROUPS = (
    "SELECT x.entry_id, x.commitment, e.kind, p.body FROM ({items}) x LEFT JOIN log_entry e ON e.id = x.entry_id "
    "LEFT JOIN log_payload p ON p.entry_id = x.entry_id ORDER BY x.entry_id, x.item, x.part"
)


def consent_groups(session: Session) -> Iterator[Group]:
    return _groups(session, _CONSENT_ITEMS)


def send_groups(session: Session) -> Iterator[Group]:
    return _groups(session, _SEND_ITEMS)


def _groups(session: Session, items: str) -> Iterator[Group]:
    statement = text(_GROUPS.format(items=items)).execution_options(yield_per=PAGE)
    current: int | None = None
    kind: str | None = None
    told: dict[str, Any] | None = None
    commitments: list[bytes] = []
    for entry_id, commitment, leaf, body in session.connection().execute(statement):
        if entry_id != current:
            if current is not None:
                yield Group(current, kind, told, tuple(commitments))
            current, kind, commitments = entry_id, leaf, []
            told = _read(body)
        commitments.append(bytes(commitment or b""))  # one that was taken away fails the digest
    if current is not None:
        yield Group(current, kind, told, tuple(commitments))


_UNCOVERED = (
    "SELECT entry_id FROM log_payload WHERE event = :event EXCEPT SELECT entry_id FROM ({items}) x ORDER BY 1 LIMIT 100"
)


def leaves_without_consents(session: Session) -> Sequence[int]:
    """Return entries that speak of consent events of which there are none (at most 100)."""
    query = text(_UNCOVERED.format(items=_CONSENT_ITEMS))
    return session.connection().execute(query, {"event": "ConsentEvents"}).scalars().all()


def leaves_without_sends(session: Session) -> Sequence[int]:
    """Return entries that speak of sends of which there are none (at most 100)."""
    query = text(_UNCOVERED.format(items=_SEND_ITEMS))
    return session.connection().execute(query, {"event": "WindowSettled"}).scalars().all()


@dataclass(frozen=True, slots=True)
class ErasureGroup:
    """What stands under one erasure, and what the erasure's own event says (None if it cannot be read)."""

    entry_id: int
    kind: str
    told: dict[str, Any] | None
    items: tuple[tuple[str, int, int], ...]


_ERASURES = text(
    "SELECT i.erasure_id, l.kind AS entry_kind, p.body, i.kind, i.item_id, i.part FROM erased_item i "
    "JOIN log_entry l ON l.id = i.erasure_id LEFT JOIN log_payload p ON p.entry_id = i.erasure_id "
    "ORDER BY i.erasure_id, i.kind, i.item_id, i.part"
)


def erasures(session: Session) -> Iterator[ErasureGroup]:
    """Yield every erasure with the items it is said to cover."""
    rows = session.connection().execute(_ERASURES.execution_options(yield_per=PAGE))
    for entry_id, group in groupby(rows, key=lambda row: row.erasure_id):
        found = list(group)
        body = found[0].body
        items = tuple((row.kind, row.item_id, row.part) for row in found)
        yield ErasureGroup(entry_id, found[0].entry_kind, _read(body), items)


def _read(body: bytes | None) -> dict[str, Any] | None:
    """Return what a plain payload says; nothing at all if somebody has changed it."""
    try:
        found = None if body is None else json.loads(body)
    except ValueError:
        return {}
    return found if found is None or isinstance(found, dict) else {}


_ADDRESSES = text(
    "SELECT address_id FROM consent_event WHERE address_id > :last "
    "UNION SELECT address_id FROM consent_state WHERE address_id > :last ORDER BY 1 LIMIT :page"
)


def wrong_states(session: Session) -> Iterator[int]:
    """Yield the addresses whose state is not what their events add up to."""
    last = 0
    while ids := list(session.connection().execute(_ADDRESSES, {"last": last, "page": PAGE}).scalars()):
        told = consent.events_of(session, ids)
        stored = _stored_states(session, ids)
        for address_id in ids:
            if stored[address_id] != fold(told[address_id], paths=consent.paths(session)):
                yield address_id
        last = ids[-1]


def _stored_states(session: Session, address_ids: Sequence[int]) -> dict[int, dict[int, State]]:
    """Return the stored states of many addresses, by address and purpose."""
    table: Any = ConsentStanding.__table__  # type: ignore[attr-defined]
    found: dict[int, dict[int, State]] = defaultdict(dict)
    query = text(f"SELECT * FROM consent_state WHERE address_id {any_id(session)}").columns(*table.c)
    for row in session.connection().execute(query, {"ids": id_list(session, address_ids)}):
        standing, basis = Standing(row.standing), Basis(row.basis)
        state = State(row.purpose_id, standing, row.event_id, row.since, basis, row.expires_at, row.beneath_id)
        found[row.address_id][row.purpose_id] = state
    return found
