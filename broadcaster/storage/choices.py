"""Whose choices a stop link may show: the one person who uses an address alone, and what else is theirs alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, func, select

from broadcaster.storage.tables import Address, Contact, ContactAddress, Interest


def sole_user(session: Session, address_id: int, *, lock: bool = False) -> Contact | None:
    """Return the contact who uses an address, None if nobody does or several do; merged contacts are one."""
    query = select(Contact).join(ContactAddress, col(ContactAddress.contact_id) == col(Contact.id))
    query = query.where(ContactAddress.address_id == address_id, col(ContactAddress.valid_to).is_(None))
    query = query.where(Contact.state != "erased", col(Contact.merged_into).is_(None))
    if lock:
        query = query.with_for_update(of=Contact).execution_options(populate_existing=True)
    found = session.exec(query).all()
    return found[0] if len(found) == 1 else None


def addresses_alone(session: Session, contact_id: int) -> list[Address]:
    """Return the addresses that only this contact uses, oldest first."""
    query = select(Address).join(ContactAddress, col(ContactAddress.address_id) == col(Address.id))
    query = query.where(ContactAddress.contact_id == contact_id, col(ContactAddress.valid_to).is_(None))
    found = session.exec(query.where(Address.status != "erased").order_by(col(Address.id))).all()
    return [address for address in found if sole_user(session, address.id) is not None]


def left_by_others(session: Session, address_ids: Sequence[int]) -> datetime | None:
    """Return when somebody last ceased to use one of these addresses; what is older may be that person's."""
    query = select(func.max(ContactAddress.valid_to)).where(col(ContactAddress.address_id).in_(address_ids))
    return session.exec(query).one()


def interests(session: Session) -> Sequence[Interest]:
    """Return what people can be interested in."""
    return session.exec(select(Interest).order_by(col(Interest.key))).all()
