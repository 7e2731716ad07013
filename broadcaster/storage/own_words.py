"""The organisation's own words in SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlmodel import Session, col, func, select

from broadcaster.storage.tables import Message, OwnWord


def every(session: Session) -> Sequence[OwnWord]:
    """Return all of them, by channel and word."""
    return session.exec(select(OwnWord).order_by(col(OwnWord.channel), col(OwnWord.word))).all()


def find(session: Session, channel: str, words: Collection[str]) -> OwnWord | None:
    """Return the word of a channel that is one of these, folded."""
    query = select(OwnWord).where(OwnWord.channel == channel, col(OwnWord.word).in_(words))
    return session.exec(query.order_by(col(OwnWord.id)).limit(1)).first()


def named(session: Session, channel: str) -> Sequence[OwnWord]:
    """Return the words that name a topic on a channel."""
    return session.exec(select(OwnWord).where(OwnWord.channel == channel, OwnWord.kind == "topic")).all()


def said(session: Session) -> dict[str, int]:
    """Return how many messages each rule of an own word has matched."""
    query = select(Message.rule, func.count()).where(col(Message.rule).like("own.%")).group_by(col(Message.rule))
    return {rule: count for rule, count in session.exec(query).all() if rule is not None}
