"""The organisation's own words: add, remove, list. Whose message they are is decided in ``actions/joining``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from broadcaster.actions.optin import agreed
from broadcaster.actions.runtime import Runtime
from broadcaster.channels import registry
from broadcaster.core.errors import Conflict, InvalidInput, NotFound
from broadcaster.core.event_types import Changed
from broadcaster.core.keywords.own import WordKind, checked
from broadcaster.storage import log
from broadcaster.storage import own_words as rows
from broadcaster.storage.tables import Campaign, OwnWord, Purpose, Wording

ANSWER_MOST = 300


@dataclass(frozen=True, slots=True)
class NewWord:
    """A word to add. A join word needs *wording_id*, a topic *purpose_id*, a contest its *answer*."""

    channel: str
    written: str
    kind: WordKind
    purpose_id: int | None = None
    wording_id: int | None = None
    campaign_id: int | None = None
    answer: str = ""


def rule_of(word: OwnWord) -> str:
    """Return the rule under which a message that matched *word* is kept."""
    return f"own.{word.kind}.{word.id}"


def channels() -> list[str]:
    """Return the channels on which people can write to us."""
    return sorted(one.capabilities.channel for name, one in registry.CHANNELS.items() if name != registry.SANDBOX)


def every(runtime: Runtime) -> list[tuple[OwnWord, int]]:
    """Return each word and how many messages were it."""
    with runtime.db.reading() as session:
        counts = rows.said(session)
        return [(word, counts.get(rule_of(word), 0)) for word in rows.every(session)]


def add(runtime: Runtime, new: NewWord, *, actor: str) -> int:
    """Add a word to a channel.

    Raises InvalidInput naming the field (``word_taken``: it means something already), Conflict ``word_twice``.
    """
    if new.channel not in channels():
        raise InvalidInput("choose a channel", field="channel", code="unknown_choice")
    word = checked(new.written)
    with runtime.db.transaction(actor) as session:
        if rows.find(session, new.channel, [word]) is not None:
            raise Conflict("This channel has this word already.", code="word_twice")
        now = runtime.db.now(session)
        row = OwnWord(
            channel=new.channel,
            word=word,
            written=new.written.strip(),
            kind=new.kind.value,
            **_leads_to(session, new),
            created_at=now,
        )
        session.add(row)
        session.flush()
        log.record(session, Changed(what="own_word", id=row.id, verb="created", fields=(new.kind.value,)), at=now)
        return row.id


def _leads_to(session: Session, new: NewWord) -> dict[str, Any]:
    """Return what the word leads to: only what its kind needs."""
    if new.campaign_id is not None and session.get(Campaign, new.campaign_id) is None:
        raise InvalidInput("choose a campaign", field="campaign", code="unknown_choice")
    found: dict[str, Any] = {"campaign_id": new.campaign_id}
    if new.kind is WordKind.CONTEST:
        return {**found, "answer": _answer(new.answer)}
    if new.kind is WordKind.JOIN:
        wording = session.get(Wording, new.wording_id) if new.wording_id else None
        if wording is None:
            raise InvalidInput("choose the words people agree to", field="wording", code="unknown_choice")
        purpose, _ = agreed(session, wording.purpose_id, wording.id)
        return {**found, "purpose_id": purpose.id, "wording_id": wording.id}
    named = session.get(Purpose, new.purpose_id) if new.purpose_id else None
    if named is None or not named.leaf:
        raise InvalidInput("choose a purpose people can agree to", field="purpose", code="purpose")
    return {**found, "purpose_id": named.id}


def _answer(said: str) -> str:
    text = " ".join(said.split())
    if not text or len(text) > ANSWER_MOST:
        raise InvalidInput("between 1 and 300 characters", field="answer", code="length")
    return text


def remove(runtime: Runtime, word_id: int, *, actor: str) -> None:
    """Take a word away; what people agreed to through it stays. Raises NotFound."""
    with runtime.db.transaction(actor) as session:
        row = session.get(OwnWord, word_id)
        if row is None:
            raise NotFound("there is no such word")
        session.delete(row)
        event = Changed(what="own_word", id=word_id, verb="removed", fields=(row.kind,))
        log.record(session, event, at=runtime.db.now(session))
