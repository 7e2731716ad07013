"""Sign-up forms in SQL."""

from __future__ import annotations

from collections.abc import Sequence

from sqlmodel import Session, col, select

from broadcaster.storage.tables import Account, OwnWord, SignupForm


def every(session: Session) -> Sequence[SignupForm]:
    """Return all forms, those that are open first."""
    order = (col(SignupForm.closed_at).is_not(None), col(SignupForm.name), col(SignupForm.id))
    return session.exec(select(SignupForm).order_by(*order)).all()


def by_key(session: Session, key: str) -> SignupForm | None:
    """Return the open form of a public address."""
    query = select(SignupForm).where(SignupForm.key == key, col(SignupForm.closed_at).is_(None))
    return session.exec(query).first()


def accounts(session: Session, brand_id: int, channels: Sequence[str]) -> Sequence[Account]:
    """Return a brand's real senders in use on these channels."""
    query = select(Account).where(Account.brand_id == brand_id, col(Account.channel).in_(channels))
    query = query.where(Account.state == "active", Account.provider != "sandbox")
    return session.exec(query.order_by(col(Account.channel), col(Account.id))).all()


def join_word(session: Session, channel: str, wording_ids: Sequence[int]) -> str:
    """Return a word that asks for one of these wordings on a channel, nothing if there is none."""
    query = select(OwnWord.written).where(OwnWord.channel == channel, col(OwnWord.wording_id).in_(wording_ids))
    return session.exec(query.order_by(col(OwnWord.id)).limit(1)).first() or ""
