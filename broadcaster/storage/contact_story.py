"""What went to and came from a person: deliveries with their one reason, messages outside campaigns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, column
from sqlmodel import Session, col, select

from broadcaster.storage.database import any_id, id_list, sql
from broadcaster.storage.tables import AttributeDefinition, ContactGroup, Delivery, Interest, Message, Step

_DELIVERIES = """
    SELECT d.created_at, c.id AS campaign_id, c.name AS campaign, d.reason AS skipped, s.state, s.reason, s.due_at,
           s.gate_at, s.settled_at, s.receipt, s.consent_event_id, s.address_id, a.channel
    FROM delivery d JOIN run r ON r.id = d.run_id JOIN campaign c ON c.id = r.campaign_id
    LEFT JOIN step s ON s.run_id = d.run_id AND s.delivery_id = d.id AND s.current
    LEFT JOIN address a ON a.id = s.address_id
    WHERE d.contact_id = :contact ORDER BY d.id DESC LIMIT :limit"""
_MESSAGES = """
    SELECT m.id, m.kind, m.state, m.receipt, m.intent, m.created_at, m.address_id, a.channel, a.key_id, m.body_ct
    FROM message m JOIN address a ON a.id = m.address_id
    WHERE m.address_id {ids} AND m.kind <> 'test' ORDER BY m.id DESC LIMIT :limit"""
_TABLES: list[Any] = [Message, Step, Delivery]
_TYPES: dict[str, Any] = {one.name: one.type for table in _TABLES for one in table.__table__.c}


def _columns(*names: str) -> list[Any]:
    return [column(name, _TYPES.get(name)) for name in names]


def deliveries(session: Session, contact_id: int, *, limit: int) -> Sequence[Row[Any]]:
    """Return the campaigns a contact was in the audience of, newest first, with state or reason."""
    names = ("created_at", "campaign_id", "campaign", "skipped", "state", "reason", "due_at", "gate_at", "settled_at")
    result = _columns(*names, "receipt", "consent_event_id", "address_id", "channel")
    values = {"contact": contact_id, "limit": limit}
    return session.connection().execute(sql(_DELIVERIES).columns(*result), values).all()


def messages(session: Session, address_ids: Sequence[int], *, limit: int) -> Sequence[Row[Any]]:
    """Return messages outside campaigns at these addresses, newest first; tests of our own staff are left out."""
    names = ("id", "kind", "state", "receipt", "intent", "created_at", "address_id", "channel", "key_id", "body_ct")
    statement = sql(_MESSAGES.format(ids=any_id(session))).columns(*_columns(*names))
    values = {"ids": id_list(session, address_ids), "limit": limit}
    return session.connection().execute(statement, values).all()


@dataclass(frozen=True, slots=True)
class Choices:
    """What can be said of contacts here: groups, interests and free attributes, with their labels."""

    groups: tuple[tuple[str, str], ...]
    interests: tuple[tuple[str, Mapping[str, str]], ...]
    attributes: tuple[AttributeDefinition, ...]


def choices(session: Session) -> Choices:
    """Return the groups in use, the interests and the attributes."""
    groups = session.exec(
        select(ContactGroup).where(col(ContactGroup.archived_at).is_(None)).order_by(ContactGroup.name)
    )
    interests = session.exec(select(Interest).order_by(Interest.key))
    attributes = session.exec(select(AttributeDefinition).order_by(AttributeDefinition.label))
    return Choices(
        tuple((one.key, one.name) for one in groups),
        tuple((one.key, one.label) for one in interests),
        tuple(attributes),
    )
