"""Sender accounts in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select

from broadcaster.storage.tables import Account


def name_taken(session: Session, name: str) -> bool:
    return session.exec(select(Account.id).where(Account.name == name)).first() is not None


def by_webhook_key(session: Session, key: str) -> Account | None:
    return session.exec(select(Account).where(Account.webhook_key == key)).first()


def in_states(session: Session, states: Sequence[str]) -> list[Account]:
    return list(session.exec(select(Account).where(col(Account.state).in_(states))).all())
