"""Take an import back: nobody stays reachable through it, and what only it made is gone.

A refusal that the import brought stays. May be called again after a kill: each step finds what is left.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlmodel import Session

from broadcaster.actions import consent as consents
from broadcaster.actions.imports import uploads
from broadcaster.actions.imports.judging import CLOCK
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Action, Actor, Source
from broadcaster.core.contacts import PLAIN_FIELDS, SECRET_FIELDS
from broadcaster.core.errors import Conflict
from broadcaster.core.event_types import ImportProgress, ImportTakenBack
from broadcaster.storage import contacts, log, privacy
from broadcaster.storage import import_undo as steps
from broadcaster.storage import imports as rows
from broadcaster.storage.consent import NewConsent
from broadcaster.storage.tables import ContactInterest, PreferenceEvent

PAGE = 500


@dataclass(slots=True)
class Undone:
    """What an undo did, counted."""

    consents: int = 0  #: yeses that no longer count
    fields: int = 0  #: fields of contacts that are what they were
    contacts: int = 0  #: contacts that only the import knew, erased
    addresses: int = 0  #: addresses that only the import knew, erased


def undo(runtime: Runtime, import_id: int, *, actor: str) -> Undone:
    """Take an import back. Raises NotFound, Conflict ``import_running`` while it runs, ``import_undone`` afterwards."""
    with runtime.db.transaction(actor) as session:
        row = rows.lock_job(session, import_id)
        if row.state == "undone":
            raise Conflict("This import was taken back before.", code="import_undone")
        if row.state in ("uploaded", "checked"):
            raise Conflict("This import was never started.", code="import_not_started")
        path, row.path, row.state = row.path, "", "failed"  # a runner that is still about stops at its next chunk
        session.add(row)
        log.record(session, ImportProgress(import_id, "undoing", row=row.cursor), at=runtime.db.now(session))
    uploads.forget(runtime, path)
    done = Undone()
    _expire(runtime, import_id, done, actor)
    _restore(runtime, import_id, done, actor)
    _unlink(runtime, import_id, actor)
    _erase_contacts(runtime, import_id, done, actor)
    _erase_addresses(runtime, import_id, done, actor)
    with runtime.db.transaction(actor) as session:
        row = rows.lock_job(session, import_id)
        row.state = "undone"
        session.add(row)
        log.record(session, ImportProgress(import_id, "undone", row=row.cursor), at=runtime.db.now(session))
    return done


def _expire(runtime: Runtime, import_id: int, done: Undone, actor: str) -> None:
    """First of all: what the import opened is closed."""
    after = b""
    while True:
        with runtime.db.transaction(actor) as session:
            found = steps.open_grants(session, import_id, after=after, limit=PAGE)
            if not found:
                return
            now = runtime.db.now(session)
            acts = [
                NewConsent(
                    key=struct.pack(">6sQ", b"undone", event),
                    address_id=address,
                    purpose_id=purpose,
                    action=Action.EXPIRED,
                    actor=Actor.STAFF,
                    source=Source.IMPORT,
                    occurred_at=now,
                    clock=CLOCK,
                    evidence={"undone_import": import_id},
                    import_id=import_id,
                )
                for _, event, address, purpose in found
            ]
            recorded = consents.record_in(runtime, session, acts)
            after = found[-1][0]
        consents.wait_out(runtime, recorded)
        done.consents += len(found)


def _restore(runtime: Runtime, import_id: int, done: Undone, actor: str) -> None:
    after = 0
    while True:
        with runtime.db.transaction(actor) as session:
            found = steps.history(session, import_id, after=after, limit=PAGE)
            if not found:
                return
            done.fields += sum(_restore_one(runtime, session, one) for one in found)
            after = found[-1].id
            log.record(session, ImportProgress(import_id, "restored"), at=runtime.db.now(session))


def _restore_one(runtime: Runtime, session: Session, event: PreferenceEvent) -> bool:
    """Give a field its former value, unless it has changed since."""
    row = (
        contacts.get(session, event.contact_id, lock=True) if contacts.exists_still(session, event.contact_id) else None
    )
    key = contacts.key_of(session, runtime.keys, row) if row is not None else None
    if row is None or key is None or event.change_ct is None:
        return False
    change = contacts.open_change(key, event.id, bytes(event.change_ct))
    secrets = contacts.open_secrets(key, row)
    interests = sorted(contacts.keys_in_use(session, row.id)[1])
    current: dict[str, Any] = {name: getattr(row, name) for name in (*PLAIN_FIELDS, "attributes")}
    current |= {**secrets, "interests": interests}
    if current.get(event.field) != change["after"]:
        return False
    if event.field in SECRET_FIELDS:
        contacts.put_secrets(session, runtime.keys, row, {**secrets, event.field: change["before"]})
    elif event.field == "interests":
        contacts.set_members(session, row.id, contacts.interest_ids(session), change["before"], ContactInterest)
    else:
        setattr(row, event.field, change["before"])
    now = runtime.db.now(session)
    row.updated_at = max(now, row.updated_at + timedelta(microseconds=1))
    session.add(row)
    session.flush()
    reverse = {event.field: (change["after"], change["before"])}
    contacts.remember_changes(session, runtime.keys, row, reverse, source="undo", now=now)
    return True


def _unlink(runtime: Runtime, import_id: int, actor: str) -> None:
    left = PAGE
    while left == PAGE:
        with runtime.db.transaction(actor) as session:
            left = steps.drop_memberships(session, import_id, limit=PAGE)
            log.record(session, ImportProgress(import_id, "left_groups"), at=runtime.db.now(session))
    after: tuple[int, int] | None = (0, 0)
    while after is not None:
        with runtime.db.transaction(actor) as session:
            after = steps.drop_links(session, import_id, after=after, limit=PAGE)
            log.record(session, ImportProgress(import_id, "unlinked"), at=runtime.db.now(session))


def _erase_contacts(runtime: Runtime, import_id: int, done: Undone, actor: str) -> None:
    while True:
        with runtime.db.transaction(actor) as session:
            ids = steps.untied_contacts(session, import_id, limit=PAGE)
            if not ids:
                return
            steps.blank_contacts(session, ids)
            _told(runtime, session, import_id, contacts=len(ids))
        done.contacts += len(ids)


def _erase_addresses(runtime: Runtime, import_id: int, done: Undone, actor: str) -> None:
    while True:
        with runtime.db.transaction(actor) as session:
            ids = steps.unheld_addresses(session, import_id, limit=PAGE)
            if not ids:
                return
            events = steps.evidence_of(session, ids)
            entry = _told(runtime, session, import_id, addresses=len(ids), events=events)
            steps.blank_addresses(session, ids, events, erasure_id=entry)
        done.addresses += len(ids)


def _told(
    runtime: Runtime,
    session: Session,
    import_id: int,
    *,
    contacts: int = 0,
    addresses: int = 0,
    events: list[int] | None = None,
) -> int:
    closed = events or []
    digest = privacy.digest_of(("consent", one, 0) for one in closed)
    told = ImportTakenBack(import_id, contacts, addresses, len(closed), digest)
    return log.record(session, told, at=runtime.db.now(session))
