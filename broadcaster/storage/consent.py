"""The consent ledger in SQL: append events with their evidence, keep the state that follows from them."""

from __future__ import annotations

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlmodel import Session, col, select
from sqlmodel.sql.sqltypes import UTCDateTime

from broadcaster.core import consent, events
from broadcaster.core.consent import ConsentEvent, State
from broadcaster.core.consent_rows import NewConsent as NewConsent
from broadcaster.core.consent_rows import consent_rows, state_row
from broadcaster.core.errors import NotFound
from broadcaster.core.event_types import ConsentEvents
from broadcaster.core.sealing import COLUMNS, Values
from broadcaster.storage import bulk, log
from broadcaster.storage.database import allocate, any_id, id_list, sql
from broadcaster.storage.tables import ConsentRecord, ConsentStanding, Purpose


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
    [entry_id] = allocate(session, "log_entry", 1)
    rows = [
        consent_rows(
            event_id,
            event,
            at=at,
            key=person_keys[event.address_id],
            salt=secrets.token_bytes(events.SALT_BYTES),
            entry_id=entry_id,
        )
        for event_id, event in zip(ids, new, strict=True)
    ]
    record_leaf(session, [skeleton for skeleton, _ in rows], at=at)
    bulk.insert_rows(session, "consent_event", COLUMNS["consent_event"], [skeleton for skeleton, _ in rows])
    bulk.insert_rows(session, "consent_evidence", COLUMNS["consent_evidence"], [evidence for _, evidence in rows])
    return list(ids)


def record_leaf(session: Session, skeletons: Sequence[Values], *, at: datetime) -> None:
    """Write the one leaf that stands over these new events; its id is in them."""
    if skeletons:
        digest = hashlib.sha256(b"".join([row[_COMMITMENT] for row in skeletons])).hexdigest()
        log.record(session, ConsentEvents(len(skeletons), digest), at=at, entry_id=skeletons[0][_ENTRY])


_ENTRY, _COMMITMENT = (COLUMNS["consent_event"].index(name) for name in ("entry_id", "commitment"))


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
        state_row(address, state, state.event_id)
        for address, of_address in sorted(states.items())
        for state in of_address.values()
    ]
    bulk.insert_rows(session, "consent_state", COLUMNS["consent_state"], rows)


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


#: The states of consent, where pauses that end by then count as over: what holds again is the yes beneath. Sub-queries,
#: for hardly any row has one, and a join would let the engines think of reading all events.
_BY_THEN = """(SELECT address_id, purpose_id,
    CASE WHEN {over} THEN 'granted' ELSE standing END AS standing,
    CASE WHEN {over} THEN beneath_id ELSE event_id END AS event_id,
    CASE WHEN {over} THEN (SELECT y.basis FROM consent_event y WHERE y.id = beneath_id) ELSE basis END AS basis,
    CASE WHEN {over} THEN (SELECT y.occurred_at FROM consent_event y WHERE y.id = beneath_id) ELSE since END AS since,
    CASE WHEN {over} THEN (SELECT y.expires_at FROM consent_event y WHERE y.id = beneath_id) ELSE expires_at
        END AS expires_at,
    CASE WHEN {over} THEN expires_at END AS paused_until
    FROM consent_state)"""
#: As it is at the parameter ``now``.
AT_NOW = _BY_THEN.format(over="beneath_id IS NOT NULL AND expires_at <= :now")
#: As it is once every pause is over, with the end of each: who plans ahead compares it with the time of sending.
AFTER_PAUSES = _BY_THEN.format(over="beneath_id IS NOT NULL")


class StandingNow(NamedTuple):
    """What stands at a moment, pauses that are over left out."""

    purpose_id: int
    standing: str
    event_id: int
    since: datetime
    expires_at: datetime | None


_STANDING_NOW = sql(
    f"SELECT purpose_id, standing, event_id, since, expires_at FROM {AT_NOW} s WHERE address_id = :address", "now"
).columns(since=UTCDateTime(), expires_at=UTCDateTime())


def standing_at(session: Session, address_id: int, *, now: datetime) -> dict[int, StandingNow]:
    """Return what stands at one address *now*, by purpose."""
    found = session.connection().execute(_STANDING_NOW, {"address": address_id, "now": now})
    return {row[0]: StandingNow(*row) for row in found}


def pauses_over(session: Session, *, now: datetime, limit: int = 500) -> list[tuple[int, int]]:
    """Return (address, event) of the pauses that have come to their end and were not released yet."""
    state = ConsentStanding
    query = select(state.address_id, state.event_id).where(state.standing == "restricted", col(state.expires_at) <= now)
    return list(session.exec(query.distinct().order_by(col(state.address_id)).limit(limit)).all())


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
        WHEN s.standing = 'expired' AND a.status <> 'ok' THEN 'address_invalid'
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


def is_marketing(session: Session, purpose_id: int) -> bool:
    """Say whether a purpose is marketing, and so bound to sending windows and a way out."""
    return session.get_one(Purpose, purpose_id).kind == "marketing"


def purpose_id(session: Session, key: str) -> int:
    """Return the id of a purpose by its key. Raises NotFound."""
    known: dict[str, int] = session.info.setdefault("purpose_keys", {})
    if key not in known:
        found = session.exec(select(Purpose.id).where(Purpose.key == key)).first()
        if found is None:
            raise NotFound(f"there is no purpose {key!r}")
        known[key] = found
    return known[key]
