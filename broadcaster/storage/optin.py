"""Questions of double opt-in in SQL, and what asking somebody needs: their address, their language, a sender."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from broadcaster.storage.tables import Account, Address, Contact, ContactAddress, OptInRequest


def asked_since(session: Session, address_id: int, since: datetime) -> bool:
    """Say whether an address was asked after *since* and has not answered."""
    query = select(OptInRequest.id).where(
        OptInRequest.address_id == address_id,
        col(OptInRequest.confirmed_at).is_(None),
        col(OptInRequest.created_at) > since,
    )
    return session.exec(query.limit(1)).first() is not None


def by_token(session: Session, token_sha256: str) -> OptInRequest | None:
    """Return the request behind a link, None if there is none or the person was erased."""
    query = select(OptInRequest).join(Address, col(Address.id) == col(OptInRequest.address_id))
    return session.exec(query.where(OptInRequest.token_sha256 == token_sha256, Address.status != "erased")).first()


def together(session: Session, first: OptInRequest) -> Sequence[OptInRequest]:
    """Return a request and those asked for in the same message."""
    same = (OptInRequest.id == first.id) | (OptInRequest.asked_with == first.id)
    return session.exec(select(OptInRequest).where(same).order_by(col(OptInRequest.id))).all()


def sender_for(session: Session, channel: str, *, account_id: int | None, brand_id: int | None) -> Account | None:
    """Return an account in use: *account_id* where only that one knows the address, else one of the brand.

    A real sender comes before a sandbox: a confirmation that reaches nobody is a person who was never asked.
    """
    query = select(Account).where(Account.channel == channel, Account.state == "active")
    if account_id is not None:
        query = query.where(Account.id == account_id)
    elif brand_id is not None:
        query = query.where(Account.brand_id == brand_id)
    return session.exec(query.order_by(col(Account.provider) == "sandbox", col(Account.id)).limit(1)).first()


def accounts(session: Session) -> Sequence[Account]:
    """Return the accounts that are not switched off."""
    return session.exec(select(Account).where(Account.state != "disabled").order_by(col(Account.id))).all()


def addresses(session: Session, ids: Sequence[int]) -> Sequence[Address]:
    return session.exec(select(Address).where(col(Address.id).in_(ids)).order_by(col(Address.id))).all()


def language_of(session: Session, address_id: int) -> str | None:
    """Return the language of a contact who uses an address, None if nobody told."""
    query = select(Contact.language).join(ContactAddress, col(ContactAddress.contact_id) == col(Contact.id))
    query = query.where(ContactAddress.address_id == address_id, col(Contact.language).is_not(None))
    return session.exec(query.limit(1)).first()
