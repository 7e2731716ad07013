"""Requests about people's data, to be read; what an erasure does stands in ``storage/privacy``."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select

from broadcaster.core.errors import NotFound
from broadcaster.storage.tables import PrivacyRequest


def listing(session: Session, *, before: int | None = None, limit: int = 50) -> Sequence[PrivacyRequest]:
    """Return requests, newest first."""
    query = select(PrivacyRequest)
    if before is not None:
        query = query.where(col(PrivacyRequest.id) < before)
    return session.exec(query.order_by(col(PrivacyRequest.id).desc()).limit(limit)).all()


def one(session: Session, request_id: int) -> PrivacyRequest:
    """Return a request. Raises NotFound."""
    row = session.get(PrivacyRequest, request_id)
    if row is None:
        raise NotFound("There is no such request.")
    return row


def of_contact(session: Session, contact_id: int) -> Sequence[PrivacyRequest]:
    """Return the requests of a contact, newest first."""
    query = select(PrivacyRequest).where(PrivacyRequest.contact_id == contact_id)
    return session.exec(query.order_by(col(PrivacyRequest.id).desc())).all()
