"""Imports in SQL: jobs, what a chunk of rows meets in the database, and writing a chunk by bulk statements."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, or_, text, update
from sqlmodel import Session, col, select

from broadcaster.core.errors import NotFound
from broadcaster.core.import_known import Known, KnownContact
from broadcaster.core.imports import Catalogue, PurposeFacts
from broadcaster.core.keys import KeyRing
from broadcaster.core.sealing import COLUMNS, CONTACT_FIELDS, Values, stored
from broadcaster.storage import bulk, contacts, people
from broadcaster.storage.database import allocate, any_id, id_list
from broadcaster.storage.tables import Contact, ImportJob, ImportMapping, ImportReject, Purpose, Wording


def catalogue(session: Session) -> Catalogue:
    """Return what a file may refer to."""
    wordings: dict[int, dict[tuple[int, str], int]] = defaultdict(dict)
    for row in session.exec(select(Wording.id, Wording.purpose_id, Wording.version, Wording.language)).all():
        wordings[row[1]][row[2], row[3]] = row[0]
    purposes = session.exec(select(Purpose).where(col(Purpose.archived_at).is_(None))).all()
    return Catalogue(
        attributes=contacts.attributes(session),
        purposes={row.key: PurposeFacts(row.id, row.leaf, dict(wordings[row.id])) for row in purposes},
        groups=contacts.group_ids(session),
        interests=contacts.interest_ids(session),
    )


def lock_job(session: Session, import_id: int) -> ImportJob:
    """Return an import, held until the transaction ends. Raises NotFound."""
    query = select(ImportJob).where(ImportJob.id == import_id)
    row = session.exec(query.with_for_update().execution_options(populate_existing=True)).first()
    if row is None:
        raise NotFound("There is no such import.")
    return row


def look_up(session: Session, ring: KeyRing, hashes: Sequence[bytes], *, numbers: bool, now: datetime) -> Known:
    """Return what is known of these hashes; one look for a whole chunk. *numbers*: some are of customer numbers."""
    known = Known()
    query = "SELECT digest, id, suppressed FROM address WHERE digest IN"
    for row in bulk.in_chunks(session, query, hashes):
        known.addresses[bytes(row[0])] = (row[1], bool(row[2]))
    unknown = [one for one in hashes if one not in known.addresses]
    known.barred = people.suppressed(session, ring, unknown, now=now)
    wanted: set[int] = set()
    if known.addresses:
        _load_users(session, known, [found[0] for found in known.addresses.values()])
        wanted |= {contact for users in known.users.values() for contact in users}
    query = "SELECT external_digest, id FROM contact WHERE state <> 'erased' AND external_digest IN"
    for row in bulk.in_chunks(session, query, hashes if numbers else ()):
        known.externals[bytes(row[0])] = row[1]
        wanted.add(row[1])
    if wanted:
        _load_contacts(session, ring, known, sorted(wanted))
    return known


def _load_users(session: Session, known: Known, address_ids: Sequence[int]) -> None:
    query = text(
        "SELECT ca.address_id, ca.contact_id, ca.valid_to FROM contact_address ca "
        "JOIN contact c ON c.id = ca.contact_id "
        f"WHERE ca.address_id {any_id(session)} AND c.merged_into IS NULL AND c.state <> 'erased' ORDER BY 1, 2"
    )
    for address, contact, closed in session.connection().execute(query, {"ids": id_list(session, address_ids)}):
        if closed is None:
            known.users[address].append(contact)
        else:
            known.closed.add((contact, address))


_COLUMNS = (
    "c.id, c.state, c.kind, c.language, c.country, c.time_zone, c.birth_year, c.profession, c.preferred_channel, "
    "c.attributes, c.name_ct, c.note_ct, c.external_ct, c.key_id, c.import_id, k.wrapping_key, k.wrapped"
)


def _load_contacts(session: Session, ring: KeyRing, known: Known, ids: Sequence[int]) -> None:
    parameters = {"ids": id_list(session, ids)}
    query = f"SELECT {_COLUMNS} FROM contact c LEFT JOIN person_key k ON k.id = c.key_id WHERE c.id {any_id(session)}"
    for row in session.connection().execute(text(query), parameters):
        key = None if row.wrapped is None else people.unwrap(ring, row.key_id, row.wrapping_key, bytes(row.wrapped))
        fields: dict[str, Any] = dict(zip(CONTACT_FIELDS, row[2:9], strict=True))
        fields |= contacts.open_secrets(key, row)
        stored = row.attributes
        fields["attributes"] = json.loads(stored) if isinstance(stored, str) else dict(stored)
        known.contacts[row.id] = KnownContact(row.id, row.state != "active", row.import_id, row.key_id, fields, key)
    for table, name, place in (
        ("group_member", "contact_group", "group"),
        ("contact_interest", "interest", "interest"),
    ):
        query = (
            f"SELECT m.contact_id, g.key FROM {table} m JOIN {name} g ON g.id = m.{place}_id "
            f"WHERE m.contact_id {any_id(session)}"
        )
        for contact, key in session.connection().execute(text(query), parameters):
            (known.contacts[contact].groups if place == "group" else known.contacts[contact].interests).add(key)


def update_plain(session: Session, changes: Sequence[tuple[int, dict[str, Any]]], *, now: datetime) -> None:
    """Write plain fields of contacts: pairs of (contact id, field -> value)."""
    by_fields: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for contact_id, values in changes:
        names = tuple(sorted(values))
        by_fields[names].append({**{f"v_{name}": values[name] for name in names}, "pk": contact_id, "now": now})
    table: Any = Contact.__table__  # type: ignore[attr-defined]
    for names, rows in by_fields.items():
        values = {name: bindparam(f"v_{name}", type_=table.c[name].type) for name in names}
        statement = update(table).where(table.c.id == bindparam("pk"))
        statement = statement.values(**values, updated_at=bindparam("now", type_=table.c.updated_at.type))
        session.connection().execute(statement, rows)


def insert_history(
    session: Session,
    ring: KeyRing,
    told: Sequence[tuple[KnownContact, str, Any, Any]],
    *,
    import_id: int,
    now: datetime,
) -> None:
    """Add to the preference history: (contact, field, before, after). Every contact has a key by now."""
    ids = allocate(session, "preference_event", len(told))
    actor = str(session.info.get("actor", "system"))
    at = stored(now)
    rows = []
    for event_id, (known, name, before, after) in zip(ids, told, strict=True):
        assert known.key is not None, "given one before"
        sealed = contacts.seal_change(known.key, event_id, before, after)
        rows.append((event_id, known.id, name, sealed, "import", actor, import_id, at))
    columns = ("id", "contact_id", "field", "change_ct", "source", "actor", "import_id", "at")
    bulk.insert_rows(session, "preference_event", columns, rows)


def insert(session: Session, tables: Mapping[str, Sequence[Values]]) -> None:
    """Insert rows by table, in the order of ``core.sealing.COLUMNS``. The caller writes the log event."""
    for table, columns in COLUMNS.items():
        bulk.insert_rows(session, table, columns, tables.get(table, ()))


def insert_rejects(session: Session, import_id: int, rejects: Iterable[tuple[int, str, str, bool]]) -> None:
    """Keep what was not taken: (line, field, code, refused), each once."""
    rows = [(import_id, *one) for one in dict.fromkeys(rejects)]
    bulk.insert_rows(session, "import_reject", ("import_id", "line", "field", "code", "refused"), rows)


def job(session: Session, import_id: int) -> ImportJob:
    """Return an import. Raises NotFound."""
    row = session.get(ImportJob, import_id)
    if row is None:
        raise NotFound("There is no such import.")
    return row


def kept_paths(session: Session) -> set[str]:
    """Return the paths of the files that imports still need."""
    return set(session.exec(select(ImportJob.path).where(ImportJob.path != "")).all())


def staff_of(actor: str) -> int | None:
    """Return the staff id in an actor such as ``staff:7``."""
    return int(actor.removeprefix("staff:")) if actor.startswith("staff:") else None


def jobs(session: Session, *, before: int | None, limit: int) -> Sequence[ImportJob]:
    """Return imports, newest first."""
    query = select(ImportJob)
    if before is not None:
        query = query.where(col(ImportJob.id) < before)
    return session.exec(query.order_by(col(ImportJob.id).desc()).limit(limit)).all()


def running_jobs(session: Session) -> list[tuple[int, str]]:
    """Return (id, actor) of imports that were started and have not ended, oldest first."""
    query = select(ImportJob.id, ImportJob.staff_id).where(ImportJob.state == "running").order_by(col(ImportJob.id))
    return [(row[0], "system" if row[1] is None else f"staff:{row[1]}") for row in session.exec(query).all()]


def reject_page(session: Session, import_id: int, *, after: tuple[int, int], limit: int) -> Sequence[ImportReject]:
    """Return what was not taken, after (line, id)."""
    line, last = after
    later = or_(col(ImportReject.line) > line, and_(col(ImportReject.line) == line, col(ImportReject.id) > last))
    query = select(ImportReject).where(ImportReject.import_id == import_id, later)
    return session.exec(query.order_by(col(ImportReject.line), col(ImportReject.id)).limit(limit)).all()


def put_mapping(session: Session, name: str, told: dict[str, Any], *, now: datetime) -> int:
    row = session.exec(select(ImportMapping).where(ImportMapping.name == name)).first()
    if row is None:
        row = ImportMapping(name=name, mapping=told, created_at=now)
    row.mapping = told
    session.add(row)
    session.flush()
    return row.id


def saved_mappings(session: Session) -> Sequence[ImportMapping]:
    return session.exec(select(ImportMapping).order_by(ImportMapping.name)).all()
