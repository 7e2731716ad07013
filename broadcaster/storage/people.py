"""Keys of persons, addresses and contacts in SQL."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, col, select

from broadcaster.core.finding import address_scope as address_scope
from broadcaster.core.keys import KEY_BYTES, KeyRing
from broadcaster.core.sealing import COLUMNS, address_row, key_row, stored
from broadcaster.core.sealing import NewAddress as NewAddress
from broadcaster.core.sealing import facts as facts
from broadcaster.core.sealing import open_address as open_address
from broadcaster.core.sealing import open_name as open_name
from broadcaster.core.sealing import seal_address as seal_address
from broadcaster.core.sealing import seal_name as seal_name
from broadcaster.storage import bulk
from broadcaster.storage.database import allocate, any_id, id_list
from broadcaster.storage.tables import Address, Contact, ContactAddress, Suppression


def new_keys(session: Session, ring: KeyRing, count: int) -> list[tuple[int, bytes]]:
    """Make keys for *count* contacts or addresses; return (id, key)."""
    made = [(key_id, secrets.token_bytes(KEY_BYTES)) for key_id in allocate(session, "person_key", count)]
    rows = [key_row(ring, key_id, key) for key_id, key in made]
    bulk.insert_rows(session, "person_key", COLUMNS["person_key"], rows)
    return made


def person_keys(session: Session, ring: KeyRing, key_ids: Iterable[int]) -> dict[int, bytes]:
    """Return the keys that still exist, by id."""
    query = text(f"SELECT id, wrapping_key, wrapped FROM person_key WHERE id {any_id(session)}")
    rows = session.connection().execute(query, {"ids": id_list(session, sorted(set(key_ids)))})
    return {row[0]: ring.unwrap(bytes(row[2]), row[1], b"%d" % row[0]) for row in rows}


def unwrap(ring: KeyRing, key_id: int, wrapping_key: str, wrapped: bytes) -> bytes:
    """Return one person's key from its columns."""
    return ring.unwrap(wrapped, wrapping_key, b"%d" % key_id)


def digest_of(ring: KeyRing, address: NewAddress) -> bytes:
    return ring.blind_index(address_scope(address.channel, address.account_id), address.value)


def find_address(session: Session, ring: KeyRing, address: NewAddress) -> Address | None:
    """Return the address if it is known (under any index key)."""
    digests = ring.blind_indexes(address_scope(address.channel, address.account_id), address.value)
    return session.exec(select(Address).where(col(Address.digest).in_(digests))).first()


def suppressed(session: Session, ring: KeyRing, digests: Sequence[bytes], *, now: datetime) -> set[bytes]:
    """Return those address digests that a suppression entry forbids."""
    if not digests or session.exec(select(Suppression.id).limit(1)).first() is None:
        return set()
    marks = {mark.digest: digest for digest in digests for mark in ring.suppression_marks([digest])}
    found: set[bytes] = set()
    wanted = list(marks)
    for start in range(0, len(wanted), 500):
        query = select(Suppression.digest, Suppression.expires_at)
        query = query.where(col(Suppression.digest).in_(wanted[start : start + 500]))
        rows = session.exec(query).all()
        found |= {marks[bytes(mark)] for mark, expires_at in rows if expires_at is None or expires_at > now}
    return found


def create_addresses(
    session: Session,
    ring: KeyRing,
    new: Sequence[NewAddress],
    *,
    now: datetime,
    import_id: int | None = None,
    suppressed_digests: Iterable[bytes] = (),
) -> list[tuple[int, bytes]]:
    """Insert addresses that are not known yet; return (id, key) in order. The caller writes the log event."""
    ids = allocate(session, "address", len(new))
    keys = new_keys(session, ring, len(new))
    barred, at = set(suppressed_digests), stored(now)
    rows = []
    for address_id, key, address in zip(ids, keys, new, strict=True):
        digest = digest_of(ring, address)
        told: dict[str, Any] = {"digest": digest, "at": at, "suppressed": digest in barred, "import_id": import_id}
        rows.append(address_row(address, address_id, key, **told))
    bulk.insert_rows(session, "address", COLUMNS["address"], rows)
    return [(address_id, key) for address_id, (_, key) in zip(ids, keys, strict=True)]


def lock_address(session: Session, address_id: int) -> Address:
    """Take an address exclusively (an opt-out, an erasure); senders' share locks are waited for."""
    query = select(Address).where(Address.id == address_id)
    return session.exec(query.with_for_update().execution_options(populate_existing=True)).one()


def lock_addresses(session: Session, address_ids: Iterable[int]) -> Sequence[Address]:
    """Take addresses exclusively, in id order; senders hold them shared."""
    query = select(Address).where(col(Address.id).in_(sorted(address_ids))).order_by(col(Address.id))
    return session.exec(query.with_for_update().execution_options(populate_existing=True)).all()


def share_address(session: Session, address_id: int) -> Address:
    """Hold an address as a sender does: an opt-out waits for us, or we for it."""
    return session.exec(select(Address).where(Address.id == address_id).with_for_update(read=True)).one()


def bump_stop_epochs(session: Session, address_ids: Sequence[int]) -> None:
    """Count a refusal on each address."""
    statement = text(f"UPDATE address SET stop_epoch = stop_epoch + 1 WHERE id {any_id(session)}")
    session.connection().execute(statement, {"ids": id_list(session, address_ids)})


def lift_suppressions(session: Session, digests: Sequence[bytes], *, before: datetime) -> bool:
    """Delete the suppression entries with these marks, unless one was made at *before* or later: then False."""
    entries = session.exec(select(Suppression).where(col(Suppression.digest).in_(digests))).all()
    if any(entry.created_at >= before for entry in entries):
        return False
    for entry in entries:
        session.delete(entry)
    return True


def by_digest_between(session: Session, low: bytes, high: bytes) -> Address | None:
    """Return the address whose digest begins as a link says."""
    return session.exec(select(Address).where(col(Address.digest) >= low, col(Address.digest) <= high)).first()


def language_of(session: Session, address_id: int) -> str | None:
    """Return the language of a contact who uses an address."""
    query = select(Contact.language).join(ContactAddress, col(ContactAddress.contact_id) == col(Contact.id))
    query = query.where(ContactAddress.address_id == address_id, col(Contact.language).is_not(None))
    return session.exec(query.limit(1)).first()
