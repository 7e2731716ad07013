"""The consent ledger in SQL: append events with their evidence, keep the state that follows from them."""

from __future__ import annotations

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, text
from sqlmodel import Session, col, select

from broadcaster.core import consent, events
from broadcaster.core.consent import ConsentEvent, State
from broadcaster.core.event_types import ConsentEvents, milliseconds
from broadcaster.core.events import Json
from broadcaster.core.keys import seal
from broadcaster.storage import log
from broadcaster.storage.database import allocate, any_id, id_list
from broadcaster.storage.tables import ConsentEvidence, ConsentRecord, ConsentStanding, Purpose


@dataclass(frozen=True, slots=True)
class NewConsent:
    """One consent event to be recorded.

    ``key`` makes a repetition of the same fact harmless (up to 32 bytes, unique). ``evidence`` is what proves it:
    address, words matched, form, file and line; it is committed to and encrypted, and can be erased.
    """

    key: bytes
    address_id: int
    purpose_id: int
    action: consent.Action
    actor: consent.Actor
    source: consent.Source
    occurred_at: datetime
    clock: str
    evidence: Mapping[str, Json]
    basis: consent.Basis = consent.Basis.CONSENT
    expires_at: datetime | None = None
    wording_id: int | None = None
    staff_id: int | None = None
    import_id: int | None = None
    step_id: int | None = None
    ineffective: bool = False


def paths(session: Session) -> dict[int, tuple[int, ...]]:
    """Return for each purpose its ancestors including itself, the root first; remembered for the transaction."""
    known: dict[int, tuple[int, ...]] | None = session.info.get("purpose_paths")
    if known is None:
        rows = session.exec(select(Purpose.id, Purpose.parent_id)).all()
        parents: dict[int, int | None] = dict(rows)
        known = {purpose: _path(purpose, parents) for purpose in parents}
        session.info["purpose_paths"] = known
    return known


def _path(purpose: int, parents: Mapping[int, int | None]) -> tuple[int, ...]:
    path = [purpose]
    while (parent := parents.get(path[-1])) is not None:
        path.append(parent)
    return tuple(reversed(path))


def known_keys(session: Session, keys: Iterable[bytes]) -> set[bytes]:
    """Return those of *keys* that are in the ledger already."""
    found: set[bytes] = set()
    wanted = list(keys)
    for start in range(0, len(wanted), 500):
        part = wanted[start : start + 500]
        found.update(session.exec(select(ConsentRecord.key).where(col(ConsentRecord.key).in_(part))).all())
    return found


def append(session: Session, new: Sequence[NewConsent], *, person_keys: Mapping[int, bytes], at: datetime) -> list[int]:
    """Write events, evidence and one log leaf over them all; return their ids in order.

    *person_keys* gives each address's key. The caller has made sure that no key is in the ledger yet, holds the
    addresses' locks, and projects afterwards (``project``).
    """
    if not new:
        return []
    ids = allocate(session, "consent_event", len(new))
    rows: list[dict[str, Any]] = []
    evidence: list[dict[str, Any]] = []
    for event_id, event in zip(ids, new, strict=True):
        body = _committed_bytes(event_id, event, at)
        salt = secrets.token_bytes(events.SALT_BYTES)
        rows.append(_row(event_id, event, at, events.commit(salt, body)))
        sealed = seal(person_keys[event.address_id], body, b"consent:%d" % event_id)
        evidence.append({"event_id": event_id, "body_ct": sealed, "salt": salt})
    digest = hashlib.sha256(b"".join(row["commitment"] for row in rows)).hexdigest()
    entry_id = log.record(session, ConsentEvents(count=len(new), digest=digest), at=at)
    for row in rows:
        row["entry_id"] = entry_id
    session.connection().execute(insert(ConsentRecord), rows)
    session.connection().execute(insert(ConsentEvidence), evidence)
    return ids


def _committed_bytes(event_id: int, event: NewConsent, at: datetime) -> bytes:
    told: dict[str, Json] = {
        "action": event.action.value,
        "actor": event.actor.value,
        "address_id": event.address_id,
        "basis": event.basis.value,
        "event_id": event_id,
        "evidence": dict(event.evidence),
        "expires_at": None if event.expires_at is None else milliseconds(event.expires_at),
        "occurred_at": milliseconds(event.occurred_at),
        "purpose_id": event.purpose_id,
        "received_at": milliseconds(at),
        "source": event.source.value,
        "staff_id": event.staff_id,
        "wording_id": event.wording_id,
    }
    return events.canonical(told)


def _row(event_id: int, event: NewConsent, at: datetime, commitment: bytes) -> dict[str, Any]:
    return {
        "id": event_id,
        "key": event.key,
        "address_id": event.address_id,
        "purpose_id": event.purpose_id,
        "action": event.action.value,
        "actor": event.actor.value,
        "source": event.source.value,
        "basis": event.basis.value,
        "clock": event.clock,
        "occurred_at": consent.effective_time(event.occurred_at, at),
        "received_at": at,
        "expires_at": event.expires_at,
        "wording_id": event.wording_id,
        "staff_id": event.staff_id,
        "import_id": event.import_id,
        "step_id": event.step_id,
        "ineffective": event.ineffective,
        "commitment": commitment,
    }


_EVENT_COLUMNS = (
    "id, key, address_id, purpose_id, action, actor, source, basis, clock, occurred_at, received_at, expires_at"
)


def events_of(session: Session, address_ids: Sequence[int]) -> dict[int, list[ConsentEvent]]:
    """Return the events of each address, as the fold sees them."""
    table: Any = ConsentRecord.__table__  # type: ignore[attr-defined]
    statement = f"SELECT {_EVENT_COLUMNS} FROM consent_event WHERE address_id {any_id(session)} ORDER BY id"
    query = text(statement).columns(*(table.c[name] for name in _EVENT_COLUMNS.split(", ")))
    found: dict[int, list[ConsentEvent]] = defaultdict(list)
    for row in session.connection().execute(query, {"ids": id_list(session, address_ids)}):
        found[row.address_id].append(
            ConsentEvent(
                id=row.id,
                key=bytes(row.key).hex(),
                action=consent.Action(row.action),
                purpose_id=row.purpose_id,
                occurred_at=row.occurred_at,
                received_at=row.received_at,
                clock=row.clock,
                actor=consent.Actor(row.actor),
                source=consent.Source(row.source),
                basis=consent.Basis(row.basis),
                expires_at=row.expires_at,
            )
        )
    return found


def project(session: Session, address_ids: Sequence[int]) -> None:
    """Bring the state of these addresses up to their events."""
    states = {
        address: consent.fold(told, paths=paths(session)) for address, told in events_of(session, address_ids).items()
    }
    forget = text(f"DELETE FROM consent_state WHERE address_id {any_id(session)}")
    session.connection().execute(forget, {"ids": id_list(session, address_ids)})
    write_states(session, states)


def write_states(session: Session, states: Mapping[int, Mapping[int, State]]) -> None:
    """Insert the states of addresses that have none."""
    rows = [
        {
            "address_id": address,
            "purpose_id": state.purpose_id,
            "standing": state.standing.value,
            "event_id": state.event_id,
            "basis": state.basis.value,
            "since": state.since,
            "expires_at": state.expires_at,
        }
        for address, of_address in sorted(states.items())
        for state in of_address.values()
    ]
    if rows:
        session.connection().execute(insert(ConsentStanding), rows)


def rebuild(session: Session, *, page: int = 1000) -> int:
    """Drop the projection and make it anew from the ledger; return the number of addresses."""
    session.connection().execute(text("DELETE FROM consent_state"))
    last, count = 0, 0
    while True:
        query = text("SELECT DISTINCT address_id FROM consent_event WHERE address_id > :last ORDER BY 1 LIMIT :page")
        ids = [row[0] for row in session.connection().execute(query, {"last": last, "page": page})]
        if not ids:
            return count
        project(session, ids)
        last, count = ids[-1], count + len(ids)


def state_of(session: Session, address_id: int) -> dict[int, ConsentStanding]:
    """Return the states of one address by purpose."""
    found = session.exec(select(ConsentStanding).where(ConsentStanding.address_id == address_id)).all()
    return {row.purpose_id: row for row in found}


def refusal_case(above: Sequence[int]) -> str:
    """Return the CASE that names why address ``a`` may not be written to, NULL if it may.

    It is ``core.consent.refusal`` in SQL, over an address ``a`` and its state ``s`` for the purpose (outer joined);
    a property test holds the two equal. *above* are the ids of the purposes above; the parameter ``now`` is the time.
    """
    return f"""CASE WHEN a.status = 'erased' THEN 'erased'
        WHEN a.suppressed THEN 'suppressed'
        WHEN s.standing IS NULL THEN CASE {wider(above)} WHEN 'withdrawn' THEN 'withdrawn'
            WHEN 'objected' THEN 'objected' WHEN 'expired' THEN 'expired' WHEN 'restricted' THEN 'restricted'
            WHEN 'pending' THEN 'pending_confirmation' ELSE 'no_consent' END
        WHEN s.standing = 'pending' THEN 'pending_confirmation'
        WHEN s.standing <> 'granted' THEN s.standing
        WHEN s.expires_at <= :now THEN 'expired'
        WHEN a.status <> 'ok' THEN 'address_invalid' END"""


def wider(above: Sequence[int]) -> str:
    """Return the sub-query for the standing of the nearest-to-root purpose above that has one."""
    nodes = ", ".join(str(int(node)) for node in above) or "0"
    return (
        "(SELECT w.standing FROM consent_state w WHERE w.address_id = a.id "
        f"AND w.purpose_id IN ({nodes}) ORDER BY w.purpose_id LIMIT 1)"
    )


def above(session: Session, purpose_id: int) -> tuple[int, ...]:
    """Return the purposes above *purpose_id*, the root first."""
    return paths(session)[purpose_id][:-1]
