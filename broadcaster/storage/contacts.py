"""Contacts in SQL: their encrypted fields, the words they are found by, their addresses, groups and merges."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, exists, insert
from sqlmodel import Session, col, select

from broadcaster.core.contacts import Attribute
from broadcaster.core.errors import NotFound, Refused
from broadcaster.core.finding import address_scope, external_digest, word_hash, word_hashes, words_of
from broadcaster.core.finding import external_digests as external_digests
from broadcaster.core.keys import KeyRing, open_sealed, seal
from broadcaster.core.sealing import seal_external as seal_external
from broadcaster.core.sealing import seal_note as seal_note
from broadcaster.storage import people
from broadcaster.storage.database import allocate
from broadcaster.storage.people import NewAddress
from broadcaster.storage.tables import (
    Address,
    AttributeDefinition,
    Contact,
    ContactAddress,
    ContactGroup,
    ContactInterest,
    ContactWord,
    GroupMember,
    Interest,
    PreferenceEvent,
)


def open_secrets(key: bytes | None, row: Any) -> dict[str, str | None]:
    """Return the encrypted fields of a contact (id, name_ct, note_ct, external_ct) in clear, None where empty."""
    name = people.open_name(key, row.id, bytes(row.name_ct)) if key and row.name_ct else {}
    note = open_sealed(key, bytes(row.note_ct), b"note:%d" % row.id).decode() if key and row.note_ct else None
    number = open_sealed(key, bytes(row.external_ct), b"external:%d" % row.id) if key and row.external_ct else None
    return {
        "first_name": name.get("first") or None,
        "last_name": name.get("last") or None,
        "note": note,
        "external_id": number.decode() if number is not None else None,
    }


def seal_change(key: bytes, event_id: int, before: Any, after: Any) -> bytes:
    """Encrypt one entry of the preference history."""
    told = json.dumps({"before": before, "after": after}, ensure_ascii=False, separators=(",", ":"))
    return seal(key, told.encode(), b"preference:%d" % event_id)


def open_change(key: bytes, event_id: int, sealed: bytes) -> dict[str, Any]:
    """Return ``{"before": ..., "after": ...}``."""
    found: dict[str, Any] = json.loads(open_sealed(key, sealed, b"preference:%d" % event_id))
    return found


def attributes(session: Session) -> dict[str, Attribute]:
    """Return the free attributes that are defined, by key."""
    rows = session.exec(select(AttributeDefinition).order_by(AttributeDefinition.key)).all()
    return {row.key: Attribute(row.key, row.type, tuple(row.choices.get("values", ()))) for row in rows}


def group_ids(session: Session) -> dict[str, int]:
    """Return the groups in use, key -> id."""
    rows = session.exec(select(ContactGroup.key, ContactGroup.id).where(col(ContactGroup.archived_at).is_(None)))
    return dict(rows.all())


def interest_ids(session: Session) -> dict[str, int]:
    return dict(session.exec(select(Interest.key, Interest.id)).all())


def get(session: Session, contact_id: int, *, lock: bool = False) -> Contact:
    """Return a contact. Raises NotFound, also for one who was erased."""
    query = select(Contact).where(Contact.id == contact_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    row = session.exec(query).first()
    if row is None or row.state == "erased":
        raise NotFound("There is no such contact.")
    return row


def exists_still(session: Session, contact_id: int) -> bool:
    """Say whether there is such a contact, not erased."""
    return (
        session.exec(select(Contact.id).where(Contact.id == contact_id, Contact.state != "erased")).first() is not None
    )


def key_of(session: Session, ring: KeyRing, row: Contact, *, make: bool = False) -> bytes | None:
    """Return a contact's key; with *make* give them one if they have none yet."""
    if row.key_id is None and make:
        (row.key_id, key), *_ = people.new_keys(session, ring, 1)
        session.add(row)
        return key
    return None if row.key_id is None else people.person_keys(session, ring, [row.key_id]).get(row.key_id)


def put_secrets(session: Session, ring: KeyRing, row: Contact, secrets: Mapping[str, str | None]) -> None:
    """Write a contact's encrypted fields and the words they are found by."""
    key = key_of(session, ring, row, make=True)
    assert key is not None, "made if missing"
    name = {"first": secrets.get("first_name") or "", "last": secrets.get("last_name") or ""}
    row.name_ct = people.seal_name(key, row.id, name) if any(name.values()) else None
    note, number = secrets.get("note"), secrets.get("external_id")
    row.note_ct = seal_note(key, row.id, note) if note else None
    row.external_ct = seal_external(key, row.id, number) if number else None
    row.external_digest = external_digest(ring, number) if number else None
    session.add(row)
    session.connection().execute(delete(ContactWord).where(col(ContactWord.contact_id) == row.id))
    words = {word_hash(ring, word) for word in words_of(secrets)}
    if words:
        rows = [{"word": word, "contact_id": row.id} for word in sorted(words)]
        session.connection().execute(insert(ContactWord), rows)


def remember_changes(
    session: Session, ring: KeyRing, row: Contact, changes: Mapping[str, tuple[Any, Any]], *, source: str, now: datetime
) -> None:
    """Add to the preference history: field -> (before, after)."""
    if not changes:
        return
    key = key_of(session, ring, row, make=True)
    assert key is not None, "made if missing"
    actor = str(session.info.get("actor", "system"))
    ids = allocate(session, "preference_event", len(changes))
    rows = [
        {
            "id": event_id,
            "contact_id": row.id,
            "field": name,
            "change_ct": seal_change(key, event_id, before, after),
            "source": source,
            "actor": actor,
            "import_id": None,
            "at": now,
        }
        for event_id, (name, (before, after)) in zip(ids, changes.items(), strict=True)
    ]
    session.connection().execute(insert(PreferenceEvent), rows)


@dataclass(frozen=True, slots=True)
class KnownAddress:
    id: int
    created: bool


def find_or_create_address(
    session: Session,
    ring: KeyRing,
    address: NewAddress,
    *,
    now: datetime,
    by_person: bool,
    import_id: int | None = None,
) -> KnownAddress:
    """Return the address, made if it was not known. The caller writes the log event when ``created``.

    *by_person*: they themself wrote to us from it. Otherwise an address that a suppression entry forbids is refused:
    raises Refused ``suppressed``.
    """
    known = people.find_address(session, ring, address)
    if known is not None:
        return KnownAddress(known.id, created=False)
    digests = ring.blind_indexes(address_scope(address.channel, address.account_id), address.value)
    barred = people.suppressed(session, ring, digests, now=now)
    if barred and not by_person:
        raise Refused("This address must not be written to; only the person can change that.", code="suppressed")
    made = people.create_addresses(
        session, ring, [address], now=now, import_id=import_id, suppressed_digests=digests[:1] if barred else ()
    )
    return KnownAddress(made[0][0], created=True)


def keys_in_use(session: Session, contact_id: int) -> tuple[set[str], set[str]]:
    """Return (group keys, interest keys) of a contact."""
    groups = select(ContactGroup.key).join(GroupMember, col(GroupMember.group_id) == col(ContactGroup.id))
    interests = select(Interest.key).join(ContactInterest, col(ContactInterest.interest_id) == col(Interest.id))
    return (
        set(session.exec(groups.where(GroupMember.contact_id == contact_id)).all()),
        set(session.exec(interests.where(ContactInterest.contact_id == contact_id)).all()),
    )


def set_members(session: Session, contact_id: int, ids: Mapping[str, int], wanted: Iterable[str], table: Any) -> None:
    """Make *wanted* (keys of *ids*) the groups, or the interests, of a contact. Raises NotFound for an unknown key."""
    wanted = list(wanted)
    unknown = [key for key in wanted if key not in ids]
    if unknown:
        raise NotFound("There is no such group or interest.", code="unknown_group")
    place = "group_id" if table is GroupMember else "interest_id"
    mine = col(table.contact_id) == contact_id
    session.connection().execute(delete(table).where(mine, col(getattr(table, place)).in_(list(ids.values()))))
    rows = [{"contact_id": contact_id, place: ids[key]} for key in wanted]
    if rows:
        session.connection().execute(insert(table), rows)


def links(session: Session, contact_ids: Sequence[int]) -> Sequence[tuple[ContactAddress, Address]]:
    """Return the addresses in use by these contacts, oldest first."""
    query = select(ContactAddress, Address).join(Address, col(Address.id) == col(ContactAddress.address_id))
    query = query.where(col(ContactAddress.contact_id).in_(contact_ids), col(ContactAddress.valid_to).is_(None))
    return session.exec(query.order_by(col(ContactAddress.contact_id), col(ContactAddress.address_id))).all()


def find(
    session: Session,
    ring: KeyRing,
    *,
    digests: Sequence[bytes] = (),
    external: Sequence[bytes] = (),
    words: Sequence[str] = (),
    plain: Mapping[str, str] | None = None,
    group_id: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> Sequence[Contact]:
    """Return contacts that fit every criterion given, newest first; erased and merged ones never."""
    query = select(Contact).where(Contact.state != "erased", col(Contact.merged_into).is_(None))
    if digests:
        query = query.where(_uses(digests))
    if external:
        query = query.where(col(Contact.external_digest).in_(external))
    for word in words:
        hit = and_(col(ContactWord.contact_id) == col(Contact.id), col(ContactWord.word).in_(word_hashes(ring, word)))
        query = query.where(exists().where(hit))
    for name, value in (plain or {}).items():
        query = query.where(getattr(Contact, name) == value)
    if group_id is not None:
        member = and_(col(GroupMember.contact_id) == col(Contact.id), col(GroupMember.group_id) == group_id)
        query = query.where(exists().where(member))
    if before is not None:
        query = query.where(col(Contact.id) < before)
    return session.exec(query.order_by(col(Contact.id).desc()).limit(limit)).all()


def _uses(digests: Sequence[bytes]) -> Any:
    known = select(ContactAddress.contact_id).join(Address, col(Address.id) == col(ContactAddress.address_id))
    known = known.where(col(Address.digest).in_(digests), col(ContactAddress.valid_to).is_(None))
    return col(Contact.id).in_(known)
