"""Which contact uses which address, and merges of contacts: links only, consent stays with the address."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import delete
from sqlmodel import Session, col, select

from broadcaster.core.errors import NotFound
from broadcaster.storage.tables import Contact, ContactAddress, ContactMerge


def link(session: Session, contact_id: int, address_id: int, *, preferred: bool, now: datetime) -> bool:
    """Let a contact use an address; False if they do already."""
    row = session.get(ContactAddress, (contact_id, address_id))
    if row is not None and row.valid_to is None:
        return False
    if row is None:
        row = ContactAddress(contact_id=contact_id, address_id=address_id, created_at=now)
    row.valid_to, row.preferred = None, preferred
    session.add(row)
    session.flush()
    return True


def unlink(session: Session, contact_id: int, address_id: int, *, now: datetime) -> None:
    """End a contact's use of an address. Raises NotFound."""
    row = session.get(ContactAddress, (contact_id, address_id))
    if row is None or row.valid_to is not None:
        raise NotFound("The contact has no such address.")
    row.valid_to = now
    session.add(row)


def get_merge(session: Session, merge_id: int) -> ContactMerge:
    row = session.get(ContactMerge, merge_id)
    if row is None:
        raise NotFound("There is no such merge.")
    return row


def merge_links(session: Session, made: ContactMerge, *, now: datetime) -> None:
    """Give the kept contact the addresses of the merged one, marked so that they can be taken away again."""
    have = {row.address_id for row in session.exec(_links_of(made.kept_id))}
    for row in session.exec(_links_of(made.merged_id)).all():
        if row.valid_to is None and row.address_id not in have:
            added = ContactAddress(contact_id=made.kept_id, address_id=row.address_id, created_at=now)
            added.merge_id = made.id
            session.add(added)
    merged = session.get_one(Contact, made.merged_id)
    merged.merged_into = made.kept_id
    session.add(merged)


def unmerge_links(session: Session, made: ContactMerge, *, now: datetime) -> None:
    """Take away what a merge added."""
    session.connection().execute(delete(ContactAddress).where(col(ContactAddress.merge_id) == made.id))
    merged = session.get_one(Contact, made.merged_id)
    merged.merged_into, made.undone_at = None, now
    session.add(merged)
    session.add(made)


def _links_of(contact_id: int) -> Any:
    return select(ContactAddress).where(ContactAddress.contact_id == contact_id)
