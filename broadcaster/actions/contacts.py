"""Contacts: make, change, link to addresses, find, merge. Every change leaves its trace and its history.

Consent is never touched here: it belongs to addresses (``actions/consent.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from broadcaster.actions.runtime import Runtime
from broadcaster.core import contacts as rules
from broadcaster.core.addresses import normalise
from broadcaster.core.consent import Source
from broadcaster.core.errors import Conflict, InvalidInput
from broadcaster.core.event_types import AddressSeen, ContactChanged
from broadcaster.storage import consent_history, contact_views, log
from broadcaster.storage import contact_links as linking
from broadcaster.storage import contacts as rows
from broadcaster.storage.people import NewAddress
from broadcaster.storage.tables import Contact, ContactInterest, ContactMerge, GroupMember

Fields = Mapping[str, object]


def create(
    runtime: Runtime, fields: Fields, *, actor: str, source: str = "staff", addresses: Mapping[str, str] | None = None
) -> int:
    """Make a contact and return the id; *addresses* is channel -> address.

    Raises InvalidInput (field named), Conflict ``external_taken``, Refused ``suppressed``.
    """
    with runtime.db.transaction(actor) as session:
        now = runtime.db.now(session)
        cleaned = rules.clean(fields, rows.attributes(session), now.date())
        row = Contact(created_at=now, updated_at=now)
        session.add(row)
        session.flush()
        _apply(runtime, session, row, cleaned, source=source, remember=False)
        log.record(session, ContactChanged(row.id, "created", tuple(sorted(cleaned))), at=now)
        for channel, value in (addresses or {}).items():
            _link(runtime, session, row, channel, value, account_id=None, region=row.country, preferred=False)
        return row.id


def make_known(session: Session, address_id: int, *, language: str, now: datetime) -> None:
    """Make a contact of somebody who agreed and whom nobody knew, so that a campaign can reach them."""
    if consent_history.contacts_of(session, address_id):
        return
    row = Contact(language=language, created_at=now, updated_at=now)
    session.add(row)
    session.flush()
    linking.link(session, row.id, address_id, preferred=False, now=now)
    log.record(session, ContactChanged(row.id, "created", ("addresses",), address_id), at=now)


def version(row: Contact) -> str:
    """Return what an edit form carries, to notice that somebody else was faster."""
    return row.updated_at.isoformat()


def edit(
    runtime: Runtime, contact_id: int, fields: Fields, *, seen: str | None, actor: str, source: str = "staff"
) -> None:
    """Change the given fields; None takes a value away. *seen* is the ``version`` the form was made from.

    Raises Conflict ``changed_meanwhile`` or ``external_taken``, InvalidInput (``theirs``: the person has set it on
    their own page, and only they change it), NotFound.
    """
    with runtime.db.transaction(actor) as session:
        now = runtime.db.now(session)
        row = rows.get(session, contact_id, lock=True)
        if seen is not None and seen != version(row):
            raise Conflict("Somebody has changed this contact meanwhile.", code="changed_meanwhile")
        cleaned = rules.clean(fields, rows.attributes(session), now.date())
        if source != Source.PREFERENCE_PAGE:
            _leave_wishes(session, row, cleaned)
        changed = _apply(runtime, session, row, cleaned, source=source, remember=True)
        if changed:
            row.updated_at = max(now, row.updated_at + timedelta(microseconds=1))
            session.add(row)
            log.record(session, ContactChanged(row.id, "edited", tuple(sorted(changed))), at=now)


def _leave_wishes(session: Session, row: Contact, cleaned: Mapping[str, Any]) -> None:
    for name in contact_views.wishes(session, row.id):
        if name in cleaned and cleaned[name] != getattr(row, name):
            raise InvalidInput("only the person can change this", field=name, code="theirs")


def _apply(
    runtime: Runtime, session: Session, row: Contact, cleaned: Mapping[str, Any], *, source: str, remember: bool
) -> set[str]:
    """Write what differs and, with *remember*, its history; return the names of the fields that changed."""
    secrets = rows.open_secrets(rows.key_of(session, runtime.keys, row), row)
    groups, interests = rows.keys_in_use(session, row.id)
    before: dict[str, Any] = {name: getattr(row, name) for name in rules.PLAIN_FIELDS}
    before |= {**secrets, "groups": sorted(groups), "interests": sorted(interests), "attributes": dict(row.attributes)}
    after = dict(before)
    for name, value in cleaned.items():
        after[name] = sorted(value) if name in ("groups", "interests") else value
    if "attributes" in cleaned:
        told = {**before["attributes"], **cleaned["attributes"]}
        after["attributes"] = {key: value for key, value in told.items() if value is not None}
    changes = {name: (before[name], after[name]) for name in cleaned if before[name] != after[name]}
    for name in (*rules.PLAIN_FIELDS, "attributes"):
        if name in changes:
            setattr(row, name, after[name])
    if changes.keys() & set(rules.SECRET_FIELDS):
        _check_number(runtime, session, row, after["external_id"])
        rows.put_secrets(session, runtime.keys, row, {name: after[name] for name in rules.SECRET_FIELDS})
    if "groups" in changes:
        rows.set_members(session, row.id, rows.group_ids(session), after["groups"], GroupMember)
    if "interests" in changes:
        rows.set_members(session, row.id, rows.interest_ids(session), after["interests"], ContactInterest)
    session.add(row)
    session.flush()
    if remember:
        now = runtime.db.now(session)
        rows.remember_changes(session, runtime.keys, row, changes, source=source, now=now)
    return set(changes)


def _check_number(runtime: Runtime, session: Session, row: Contact, number: str | None) -> None:
    if number is None:
        return
    digests = rows.external_digests(runtime.keys, number)
    if any(other.id != row.id for other in rows.find(session, runtime.keys, external=digests)):
        message = "Another contact has this customer number."
        raise Conflict(message, code="external_taken")


def add_address(
    runtime: Runtime,
    contact_id: int,
    channel: str,
    value: str,
    *,
    actor: str,
    account_id: int | None = None,
    region: str | None = None,
    preferred: bool = False,
) -> int:
    """Link a contact to an address, made if it was not known; return its id. Consent for it is what it was.

    Raises InvalidInput, Refused ``suppressed``: somebody erased or objecting is not brought back by staff.
    """
    with runtime.db.transaction(actor) as session:
        row = rows.get(session, contact_id, lock=True)
        where = region or row.country
        return _link(runtime, session, row, channel, value, account_id=account_id, region=where, preferred=preferred)


def _link(
    runtime: Runtime,
    session: Session,
    row: Contact,
    channel: str,
    value: str,
    *,
    account_id: int | None,
    region: str | None,
    preferred: bool,
) -> int:
    kind = rules.address_kind(channel)
    try:
        canonical = normalise(kind, value, region=region)
    except InvalidInput as problem:
        problem.field = f"address:{channel}"
        raise
    now = runtime.db.now(session)
    address = NewAddress(channel, account_id, kind, canonical)
    known = rows.find_or_create_address(session, runtime.keys, address, now=now, by_person=False)
    if known.created:
        log.record(session, AddressSeen(known.id, channel), at=now)
    if linking.link(session, row.id, known.id, preferred=preferred, now=now):
        log.record(session, ContactChanged(row.id, "address_added", ("addresses",), known.id), at=now)
    return known.id


def remove_address(runtime: Runtime, contact_id: int, address_id: int, *, actor: str) -> None:
    """End a contact's use of an address; the address and its consent stay. Raises NotFound."""
    with runtime.db.transaction(actor) as session:
        rows.get(session, contact_id, lock=True)
        now = runtime.db.now(session)
        linking.unlink(session, contact_id, address_id, now=now)
        log.record(session, ContactChanged(contact_id, "address_removed", ("addresses",), address_id), at=now)


def merge(runtime: Runtime, kept_id: int, merged_id: int, *, actor: str) -> int:
    """Say that two contacts are one person; return the merge's id. Links only: consent stays with each address.

    Raises Conflict ``merge`` when one of them is merged, erased or restricted, or both are the same.
    """
    with runtime.db.transaction(actor) as session:
        first, second = (rows.get(session, one, lock=True) for one in sorted((kept_id, merged_id)))
        if kept_id == merged_id or any(one.merged_into or one.state != "active" for one in (first, second)):
            raise Conflict("These two cannot be merged.", code="merge")
        now = runtime.db.now(session)
        made = ContactMerge(kept_id=kept_id, merged_id=merged_id, merged_at=now, staff_id=_staff(actor))
        session.add(made)
        session.flush()
        linking.merge_links(session, made, now=now)
        log.record(session, ContactChanged(kept_id, "merged", (), merged_id), at=now)
        return made.id


def unmerge(runtime: Runtime, merge_id: int, *, actor: str) -> None:
    """Take a merge back: both contacts have the addresses they had. Raises NotFound, Conflict ``merge``."""
    with runtime.db.transaction(actor) as session:
        made = linking.get_merge(session, merge_id)
        kept = rows.get(session, made.kept_id, lock=True)
        if made.undone_at is not None or kept.merged_into is not None:
            raise Conflict("This merge was taken back, or merged again, before.", code="merge")
        now = runtime.db.now(session)
        linking.unmerge_links(session, made, now=now)
        log.record(session, ContactChanged(made.kept_id, "unmerged", (), made.merged_id), at=now)


def _staff(actor: str) -> int | None:
    return int(actor.removeprefix("staff:")) if actor.startswith("staff:") else None
