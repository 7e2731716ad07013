"""What a test send must know: whether an address is the staff member's own, and whether it has refused anything."""

from __future__ import annotations

from sqlalchemy import text
from sqlmodel import Session

_COLLEAGUE = text(
    """SELECT 1 FROM contact c JOIN contact_address mine ON mine.contact_id = c.id AND mine.valid_to IS NULL
        JOIN contact_address other ON other.contact_id = c.id AND other.valid_to IS NULL
    WHERE c.kind = 'internal' AND c.state = 'active' AND mine.address_id = :known AND other.address_id = :wanted
    LIMIT 1"""
)
_REFUSED = text(
    "SELECT 1 FROM consent_state WHERE address_id = :address AND standing IN ('withdrawn', 'objected') LIMIT 1"
)


def of_one_colleague(session: Session, known_id: int, wanted_id: int) -> bool:
    """Say whether both addresses belong to one internal contact."""
    values = {"known": known_id, "wanted": wanted_id}
    return session.connection().execute(_COLLEAGUE, values).first() is not None


def has_refused(session: Session, address_id: int) -> bool:
    """Say whether anything was ever refused at an address and still is."""
    return session.connection().execute(_REFUSED, {"address": address_id}).first() is not None
