"""The sandbox outbox in SQL: what would have been sent, sealed, with the keys that open it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session, col, select

from broadcaster.storage.tables import Account, Address, Campaign, Message, OutboxItem, PersonKey, Run, Step


@dataclass(frozen=True, slots=True)
class Sealed:
    """One message as it lies there. ``campaign`` None: outside campaigns; then ``kind`` says what it was."""

    id: int
    step_id: int | None
    account: str
    campaign_id: int | None
    campaign: str | None
    kind: str | None
    at: datetime
    body: bytes
    key_id: int
    wrapping_key: str
    wrapped: bytes


def items(session: Session, *, before: int | None = None, limit: int = 50, only: int | None = None) -> Sequence[Sealed]:
    """Return the newest messages that can still be opened; *only* one of them if its id is given."""
    entities: Any = (OutboxItem, Account.name, Campaign.id, Campaign.name, Message.kind, PersonKey)
    query: Any = (
        select(*entities)
        .join(Account, col(Account.id) == col(OutboxItem.account_id))
        .join(Address, col(Address.id) == col(OutboxItem.address_id))
        .join(PersonKey, col(PersonKey.id) == col(Address.key_id))
        .outerjoin(Step, col(Step.id) == col(OutboxItem.step_id))
        .outerjoin(Run, col(Run.id) == col(Step.run_id))
        .outerjoin(Campaign, col(Campaign.id) == col(Run.campaign_id))
        .outerjoin(Message, col(Message.id) == col(OutboxItem.message_id))
    )
    if only is not None:
        query = query.where(OutboxItem.id == only)
    if before is not None:
        query = query.where(col(OutboxItem.id) < before)
    found = session.exec(query.order_by(col(OutboxItem.id).desc()).limit(limit)).all()
    return [
        Sealed(one.id, one.step_id, account, campaign_id, name, kind, one.created_at, one.body_ct, key.id,
               key.wrapping_key, key.wrapped)
        for one, account, campaign_id, name, kind, key in found
    ]  # fmt: skip


def add(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Keep what the sandbox took, in one statement."""
    session.connection().execute(insert(OutboxItem), list(rows))
