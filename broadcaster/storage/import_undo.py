"""Take an import back in SQL, some hundred rows at a time; every statement finds less, or nothing, when repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, text
from sqlmodel import Session, col, select

from broadcaster.core.import_known import keys_of
from broadcaster.storage.database import any_id, id_list
from broadcaster.storage.tables import Contact, PreferenceEvent

#: A contact that something other than its import knows: kept. ``c`` is the contact, ``:job`` the import.
_TIED = """c.merged_into IS NOT NULL OR c.last_contact_at IS NOT NULL OR c.state = 'restricted'
    OR EXISTS (SELECT 1 FROM contact_address x WHERE x.contact_id = c.id AND coalesce(x.import_id, 0) <> :job)
    OR EXISTS (SELECT 1 FROM preference_event x WHERE x.contact_id = c.id AND coalesce(x.import_id, 0) <> :job)
    OR EXISTS (SELECT 1 FROM group_member x WHERE x.contact_id = c.id AND coalesce(x.import_id, 0) <> :job)
    OR EXISTS (SELECT 1 FROM contact_merge x WHERE x.kept_id = c.id OR x.merged_id = c.id)
    OR EXISTS (SELECT 1 FROM delivery x WHERE x.contact_id = c.id)
    OR EXISTS (SELECT 1 FROM conversation x WHERE x.contact_id = c.id)
    OR EXISTS (SELECT 1 FROM audience_member x WHERE x.contact_id = c.id)
    OR EXISTS (SELECT 1 FROM privacy_request x WHERE x.contact_id = c.id)"""

#: An address that something other than its import knows, or that says no: kept. ``a`` is the address.
_HELD = """a.suppressed
    OR EXISTS (SELECT 1 FROM contact_address x WHERE x.address_id = a.id)
    OR EXISTS (SELECT 1 FROM consent_event x WHERE x.address_id = a.id
        AND (coalesce(x.import_id, 0) <> :job OR x.action IN ('withdrawn', 'objected', 'restricted')))
    OR EXISTS (SELECT 1 FROM step x WHERE x.address_id = a.id)
    OR EXISTS (SELECT 1 FROM message x WHERE x.address_id = a.id)
    OR EXISTS (SELECT 1 FROM conversation x WHERE x.address_id = a.id)
    OR EXISTS (SELECT 1 FROM inbox_event x WHERE x.address_id = a.id)
    OR EXISTS (SELECT 1 FROM optin_request x WHERE x.address_id = a.id)"""


def _ids(session: Session, query: str, values: dict[str, Any]) -> list[int]:
    return [row[0] for row in session.connection().execute(text(query), values)]


def _run(session: Session, statement: str, values: dict[str, Any]) -> int:
    return int(session.connection().execute(text(statement), values).rowcount)


def open_grants(session: Session, import_id: int, *, after: bytes, limit: int) -> list[tuple[bytes, int, int, int]]:
    """Return (key, event, address, purpose) of the yeses of an import that are what counts now, in order of keys."""
    first, end = keys_of(import_id)
    query = (
        "SELECT e.key, e.id, e.address_id, e.purpose_id FROM consent_event e JOIN consent_state s "
        "ON s.address_id = e.address_id AND s.purpose_id = e.purpose_id AND s.event_id = e.id "
        "WHERE e.key > :after AND e.key < :end AND e.action = 'granted' AND s.standing = 'granted' "
        "ORDER BY e.key LIMIT :most"
    )
    rows = session.connection().execute(text(query), {"after": max(after, first), "end": end, "most": limit})
    return [(bytes(row[0]), row[1], row[2], row[3]) for row in rows]


def history(session: Session, import_id: int, *, after: int, limit: int) -> list[PreferenceEvent]:
    """Return what an import changed of contacts that it did not make, in order."""
    others = select(Contact.id).where(func.coalesce(Contact.import_id, 0) != import_id)
    query = select(PreferenceEvent).where(PreferenceEvent.import_id == import_id, col(PreferenceEvent.id) > after)
    query = query.where(col(PreferenceEvent.contact_id).in_(others))
    return list(session.exec(query.order_by(col(PreferenceEvent.id)).limit(limit)).all())


def drop_memberships(session: Session, import_id: int, *, limit: int) -> int:
    """Take contacts out of groups the import put them into; return how many."""
    mine = "SELECT group_id, contact_id FROM group_member WHERE import_id = :job LIMIT :most"
    return _run(
        session, f"DELETE FROM group_member WHERE (group_id, contact_id) IN ({mine})", {"job": import_id, "most": limit}
    )


def drop_links(session: Session, import_id: int, *, after: tuple[int, int], limit: int) -> tuple[int, int] | None:
    """Unlink a page of addresses that the import linked and nobody has used; return where the page ended."""
    page = (
        "SELECT l.contact_id, l.address_id FROM contact_address l JOIN address a ON a.id = l.address_id "
        "WHERE l.import_id = :job AND (l.contact_id, l.address_id) > (:contact, :address) "
        "ORDER BY l.contact_id, l.address_id LIMIT :most"
    )
    values = {"job": import_id, "contact": after[0], "address": after[1], "most": limit}
    rows = session.connection().execute(text(page), values).all()
    if not rows:
        return None
    last = (rows[-1][0], rows[-1][1])
    used = (
        "EXISTS (SELECT 1 FROM step s JOIN delivery d ON d.id = s.delivery_id "
        "WHERE s.address_id = contact_address.address_id AND d.contact_id = contact_address.contact_id)"
    )
    statement = (
        "DELETE FROM contact_address WHERE import_id = :job AND merge_id IS NULL "
        "AND (contact_id, address_id) > (:contact, :address) AND (contact_id, address_id) <= (:c2, :a2) "
        f"AND NOT {used}"
    )
    _run(session, statement, {**values, "c2": last[0], "a2": last[1]})
    return last


def untied_contacts(session: Session, import_id: int, *, limit: int) -> list[int]:
    """Return contacts that only this import knows."""
    query = (
        f"SELECT c.id FROM contact c WHERE c.import_id = :job AND c.state <> 'erased' AND NOT ({_TIED}) "
        "ORDER BY c.id LIMIT :most"
    )
    return _ids(session, query, {"job": import_id, "most": limit})


def blank_contacts(session: Session, ids: Sequence[int]) -> None:
    """Leave an empty skeleton of these contacts, and destroy their keys."""
    values = {"ids": id_list(session, ids)}
    keys = _keys_of(session, "contact", values)
    mine = any_id(session)
    for table in ("contact_word", "contact_address", "group_member", "contact_interest", "preference_event"):
        _run(session, f"DELETE FROM {table} WHERE contact_id {mine}", values)
    _run(
        session,
        "UPDATE contact SET state = 'erased', kind = 'consumer', language = NULL, country = NULL, time_zone = NULL, "
        "birth_year = NULL, profession = NULL, preferred_channel = NULL, part_of_day = NULL, rest_days = NULL, "
        f"attributes = '{{}}', name_ct = NULL, note_ct = NULL, external_digest = NULL, "
        f"external_ct = NULL, key_id = NULL WHERE id {mine}",
        values,
    )
    _destroy(session, keys)


def unheld_addresses(session: Session, import_id: int, *, limit: int) -> list[int]:
    """Return addresses that only this import knows and that never said no."""
    query = (
        f"SELECT a.id FROM address a WHERE a.import_id = :job AND a.status <> 'erased' AND NOT ({_HELD}) "
        "ORDER BY a.id LIMIT :most"
    )
    return _ids(session, query, {"job": import_id, "most": limit})


def evidence_of(session: Session, address_ids: Sequence[int]) -> list[int]:
    """Return the consent events of these addresses that can still be opened."""
    query = (
        "SELECT v.event_id FROM consent_evidence v JOIN consent_event e ON e.id = v.event_id "
        f"WHERE e.address_id {any_id(session)} ORDER BY 1"
    )
    return _ids(session, query, {"ids": id_list(session, address_ids)})


def blank_addresses(session: Session, ids: Sequence[int], events: Sequence[int], *, erasure_id: int) -> None:
    """Leave an empty skeleton of these addresses, close their evidence, and destroy their keys."""
    values = {"ids": id_list(session, ids)}
    keys = _keys_of(session, "address", values)
    _run(
        session,
        "INSERT INTO erased_item (kind, item_id, part, erasure_id) SELECT 'consent', v.event_id, 0, :entry "
        f"FROM consent_evidence v WHERE v.event_id {any_id(session)}",
        {"ids": id_list(session, events), "entry": erasure_id},
    )
    gone = f"DELETE FROM consent_evidence WHERE event_id {any_id(session)}"
    _run(session, gone, {"ids": id_list(session, events)})
    _run(
        session,
        "UPDATE address SET status = 'erased', status_reason = '', digest = NULL, value_ct = NULL, key_id = NULL, "
        f"domain = NULL, country = NULL, time_zones = NULL WHERE id {any_id(session)}",
        values,
    )
    _destroy(session, keys)


def _keys_of(session: Session, table: str, values: dict[str, Any]) -> list[int]:
    return _ids(session, f"SELECT key_id FROM {table} WHERE id {any_id(session)} AND key_id IS NOT NULL", values)


def _destroy(session: Session, keys: Sequence[int]) -> None:
    _run(session, f"DELETE FROM person_key WHERE id {any_id(session)}", {"ids": id_list(session, keys)})
