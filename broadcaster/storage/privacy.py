"""Erasure in SQL: whom a request reaches, the request's own row, and closing. Deleting is in ``storage/erasing``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, col, select

from broadcaster.core.event_types import Erased, Suppressed
from broadcaster.core.keys import KeyRing, digest_range
from broadcaster.storage import log, personal
from broadcaster.storage.database import any_id, id_list, sql
from broadcaster.storage.tables import Address, Contact, ContactAddress, PrivacyRequest

#: An answer to erase comes within a month (GDPR art. 12(3)).
#: What began at most this long ago and has no known end may still end: its result would be written after the erasure.
LATE = timedelta(seconds=120)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom an erasure reaches, as ids: the contacts that are this person, the addresses that are theirs alone.

    ``shared`` addresses are also another living contact's: only the link to them goes.
    """

    contacts: tuple[int, ...]
    own: tuple[int, ...]
    shared: tuple[int, ...]
    keys: tuple[int, ...]

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Scope:
        return cls(*(tuple(told[name]) for name in ("contacts", "own", "shared", "keys")))

    def to_json(self) -> dict[str, list[int]]:
        return {name: list(ids) for name, ids in asdict(self).items()}


_SAME_PERSON = """
    WITH RECURSIVE same (id) AS (
        SELECT id FROM contact WHERE id = :top
        UNION SELECT c.id FROM contact c JOIN same ON c.merged_into = same.id)
    SELECT id FROM same ORDER BY id"""
_ADDRESSES = """
    SELECT l.address_id, max(CASE WHEN EXISTS (
        SELECT 1 FROM contact_address o JOIN contact c ON c.id = o.contact_id
        WHERE o.address_id = l.address_id AND NOT (o.contact_id {ids}) AND o.valid_to IS NULL AND c.state <> 'erased')
        THEN 1 ELSE 0 END) AS shared
    FROM contact_address l WHERE l.contact_id {ids} GROUP BY l.address_id ORDER BY l.address_id"""
_KEYS = (
    "SELECT key_id FROM contact WHERE id {contacts} AND key_id IS NOT NULL "
    "UNION SELECT key_id FROM address WHERE id {own} AND key_id IS NOT NULL ORDER BY 1"
)


def person_of(session: Session, contact_id: int, *, lock: bool = False) -> Contact | None:
    """Return the contact that stands for a person: the one others were merged into; None if there is none."""
    row = session.get(Contact, contact_id)
    while row is not None and row.merged_into is not None:
        row = session.get(Contact, row.merged_into)
    if row is not None and lock:
        session.refresh(row, with_for_update=True)
    return row


def scope(session: Session, top: int) -> Scope:
    """Return whom the erasure of the contact *top* reaches now."""
    connection = session.connection()
    contacts = [row[0] for row in connection.execute(text(_SAME_PERSON), {"top": top})]
    found = connection.execute(text(_ADDRESSES.format(ids=any_id(session))), {"ids": id_list(session, contacts)}).all()
    own, shared = [row[0] for row in found if not row[1]], [row[0] for row in found if row[1]]
    statement = _KEYS.format(contacts=any_id(session), own=any_id(session, "own"))
    values = {"ids": id_list(session, contacts), "own": id_list(session, own)}
    keys = [row[0] for row in connection.execute(text(statement), values)]
    return Scope(tuple(contacts), tuple(own), tuple(shared), tuple(keys))


def open_request(session: Session, contact_id: int) -> PrivacyRequest | None:
    """Return the newest request for erasure of a contact, whatever its state."""
    query = select(PrivacyRequest).where(PrivacyRequest.contact_id == contact_id, PrivacyRequest.kind == "erasure")
    return session.exec(query.order_by(col(PrivacyRequest.id).desc())).first()


def unfinished(session: Session) -> Sequence[int]:
    """Return the erasures that were begun and are not done, oldest first."""
    query = select(PrivacyRequest.id).where(PrivacyRequest.kind == "erasure", PrivacyRequest.state == "running")
    return session.exec(query.order_by(col(PrivacyRequest.id))).all()


def lock_request(session: Session, request_id: int) -> PrivacyRequest:
    query = select(PrivacyRequest).where(PrivacyRequest.id == request_id)
    return session.exec(query.with_for_update().execution_options(populate_existing=True)).one()


def lock_addresses(session: Session, scope: Scope) -> None:
    """Take the addresses exclusively, in id order: no gate passes and no refusal is written meanwhile."""
    query = select(Address.id).where(col(Address.id).in_(sorted((*scope.own, *scope.shared)))).order_by(col(Address.id))
    session.exec(query.with_for_update()).all()


def freeze(session: Session, scope: Scope) -> None:
    """Keep these contacts out of everything new. The caller writes the log event."""
    statement = text(f"UPDATE contact SET state = 'restricted' WHERE id {any_id(session)} AND state = 'active'")
    session.connection().execute(statement, {"ids": id_list(session, scope.contacts)})


#: Two look-ups by index; a step on a shared address is this person's if its delivery is.
_THEIRS = """(s.address_id {own} OR (s.run_id, s.delivery_id) IN
    (SELECT d.run_id, d.id FROM delivery d WHERE d.contact_id {contacts}))"""


def theirs(session: Session) -> str:
    """Return the SQL for "step ``s`` is this person's", over the parameters of ``ids_of``."""
    return _THEIRS.format(own=any_id(session, "own"), contacts=any_id(session, "contacts"))


def ids_of(session: Session, scope: Scope) -> dict[str, Any]:
    """Return the ids of a scope as parameters ``contacts``, ``own``, ``keys``."""
    return {name: id_list(session, getattr(scope, name)) for name in ("contacts", "own", "keys")}


_SKIP = (
    "UPDATE step SET state = 'skipped', reason = 'erased', settled_at = :now "
    "WHERE id IN (SELECT s.id FROM step s WHERE {theirs} AND s.state IN ('planned', 'held'))"
)


def skip_planned(session: Session, scope: Scope, *, now: datetime) -> int:
    """Close whatever is still planned for this person, also on an address they share."""
    statement = sql(_SKIP.format(theirs=theirs(session)), "now")
    return int(session.connection().execute(statement, {**ids_of(session, scope), "now": now}).rowcount)


_ON_THE_WIRE = """
    SELECT (SELECT count(*) FROM step s WHERE {theirs}
            AND (s.state = 'dispatching' OR (s.state = 'unknown' AND s.gate_at > :since)))
         + (SELECT count(*) FROM message m WHERE m.address_id {own}
            AND (m.state = 'dispatching' OR (m.state = 'unknown' AND m.gate_at > :since)))"""


def on_the_wire(session: Session, scope: Scope, *, now: datetime) -> int:
    """Count what is being sent to this person, or began so lately that its end may still be written."""
    statement = sql(_ON_THE_WIRE.format(theirs=theirs(session), own=any_id(session, "own")), "since")
    values = ids_of(session, scope)
    return int(session.connection().execute(statement, {**values, "since": now - LATE}).scalar_one())


_SUPPRESS = sql(
    "INSERT INTO suppression (key_id, digest, channel, reason, created_at, expires_at) "
    "VALUES (:key, :digest, :channel, :reason, :now, NULL) "
    "ON CONFLICT (key_id, digest) DO UPDATE SET expires_at = NULL",
    "now",
)


def suppress(session: Session, ring: KeyRing, address_ids: Sequence[int], *, now: datetime) -> int:
    """Remember by keyed hash that these addresses must not be written to again; return how many."""
    rows = session.exec(select(Address).where(col(Address.id).in_(address_ids), col(Address.digest).is_not(None))).all()
    for row in rows:
        add_mark(session, ring, bytes(row.digest or b""), channel=row.channel, now=now)
    log.record(session, Suppressed(verb="added", count=len(rows), reason="erasure"), at=now)
    return len(rows)


def add_mark(
    session: Session, ring: KeyRing, address_digest: bytes, *, channel: str, now: datetime, reason: str = "erasure"
) -> None:
    """Add one suppression entry, from an address's blind index or its first 16 bytes."""
    values = {"key": ring.suppression[0].id, "digest": ring.suppression_digest(address_digest), "channel": channel}
    session.connection().execute(_SUPPRESS, {**values, "reason": reason, "now": now})


@dataclass(frozen=True, slots=True)
class Closed:
    """The erasable halves that an erasure closes, as ids."""

    leaves: Sequence[int]
    consents: Sequence[int]
    steps: Sequence[int]
    digest: str = field(default="")


def digest_of(items: Iterable[tuple[str, int, int]]) -> str:
    """Return the SHA-256 over (kind, id, part) in order: what an erasure event says it has closed."""
    return hashlib.sha256("".join(f"{kind}:{item}:{part}\n" for kind, item, part in sorted(items)).encode()).hexdigest()


_LEAVES = "SELECT entry_id FROM log_payload WHERE key_id {keys}"
_CONSENTS = (
    "SELECT e.id FROM consent_event e JOIN consent_evidence v ON v.event_id = e.id WHERE e.address_id {own} ORDER BY 1"
)
_STEPS = (
    "SELECT s.id FROM step s WHERE {theirs} AND (s.salt IS NOT NULL "
    "OR EXISTS (SELECT 1 FROM step_attempt h WHERE h.step_id = s.id AND h.salt IS NOT NULL)) ORDER BY 1"
)
_MARK = (
    "INSERT INTO erased_item (kind, item_id, part, erasure_id) VALUES (:kind, :item, 0, :erasure) "
    "ON CONFLICT (kind, item_id, part) DO NOTHING"
)


def to_close(session: Session, scope: Scope) -> Closed:
    """Return what of this person can still be opened."""
    values, connection = ids_of(session, scope), session.connection()
    leaves = connection.execute(text(_LEAVES.format(keys=any_id(session, "keys"))), values).scalars().all()
    consents = connection.execute(text(_CONSENTS.format(own=any_id(session, "own"))), values).scalars().all()
    steps = connection.execute(text(_STEPS.format(theirs=theirs(session))), values).scalars().all()
    items = [("leaf", one, 0) for one in leaves] + [("consent", one, 0) for one in consents]
    return Closed(leaves, consents, steps, digest_of(items + [("step", one, 0) for one in steps]))


def close(session: Session, scope: Scope, request: PrivacyRequest, *, now: datetime) -> Closed:
    """Record the erasure and what it closes, and make contacts and addresses opaque. From here on it only goes on."""
    closed = to_close(session, scope)
    event = Erased(
        contact_id=request.contact_id or 0,
        request_id=request.id,
        leaves=len(closed.leaves),
        consents=len(closed.consents),
        steps=len(closed.steps),
        digest=closed.digest,
    )
    entry_id = log.record(session, event, at=now)
    items = [
        {"kind": kind, "item": one, "erasure": entry_id}
        for kind, ids in (("leaf", closed.leaves), ("consent", closed.consents), ("step", closed.steps))
        for one in ids
    ]
    if items:
        session.connection().execute(text(_MARK), items)
    _make_opaque(session, scope, now)
    request.entry_id = entry_id
    return closed


def _make_opaque(session: Session, scope: Scope, now: datetime) -> None:
    """Leave only ids and states, so that nothing new can attach itself to this person."""
    values, connection = ids_of(session, scope), session.connection()
    connection.execute(text(personal.delete("contact_address", f"contact_id {any_id(session, 'contacts')}")), values)
    connection.execute(text(personal.delete("contact_address", f"address_id {any_id(session, 'own')}")), values)
    erased = "'erased'"
    connection.execute(text(personal.blank("address", f"id {any_id(session, 'own')}", status=erased)), values)
    people = personal.blank("contact", f"id {any_id(session, 'contacts')}", state=erased, updated_at=":now")
    connection.execute(sql(people, "now"), {**values, "now": now})


def known_address(session: Session, start: bytes) -> bool:
    """Say whether an address whose blind index begins with *start* is known (it was not erased)."""
    low, high = digest_range(start)
    query = select(Address.id).where(col(Address.digest) >= low, col(Address.digest) <= high)
    return session.exec(query.limit(1)).first() is not None


def contacts_with(session: Session, digests: Sequence[bytes]) -> list[int]:
    """Return the people who use one of these addresses now; of merged contacts the one that stands for them."""
    query = select(ContactAddress.contact_id).join(Address, col(Address.id) == col(ContactAddress.address_id))
    query = query.where(col(Address.digest).in_(digests), col(ContactAddress.valid_to).is_(None))
    people = [person_of(session, contact_id) for contact_id in session.exec(query.distinct()).all()]
    return sorted({person.id for person in people if person is not None and person.state != "erased"})
