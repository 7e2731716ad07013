"""What people ask for, done: a refusal closes, a yes opens what the person may open, doubt pauses and asks us."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

from sqlmodel import Session

from broadcaster.actions import consent as consent_actions
from broadcaster.actions import (
    consequences,
    contacts,
    double_optin,
    joining,
    messages,
    quoting,
    reaching,
    signups,
    stopping,
)
from broadcaster.actions.consent import Recorded
from broadcaster.actions.own_words import rule_of
from broadcaster.actions.reaching import Reach
from broadcaster.actions.runtime import Runtime
from broadcaster.actions.stopping import Closing
from broadcaster.actions.told import Told
from broadcaster.core import keywords
from broadcaster.core.consent import OUR_CLOCK, REFUSALS, Action, Actor, ConsentEvent, Source, Standing, State, fold
from broadcaster.core.keywords import Decision, Intent
from broadcaster.core.messages import InboundKind
from broadcaster.core.replies import ReplyKind, Word
from broadcaster.storage import consent, conversations, optin
from broadcaster.storage.consent import NewConsent
from broadcaster.storage.tables import Address, Conversation, Message, OptInRequest

#: An unclear message pauses marketing; if nobody decides in this time, it counts as a refusal.
REVIEW = timedelta(hours=72)
#: YES counts only against a question asked on this address within this time.
OPEN_QUESTION = timedelta(hours=48)


def _text(told: Told) -> Recorded | None:
    """A person wrote: decide what they want, do it, answer once, keep the message."""
    question = _open_question(told)
    topics = reaching.topics(told.session, told.config.channel)
    recent = quoting.recent(told)
    decision = keywords.classify(told.event.text, recent=recent, open_question=question is not None, topics=topics)
    if len(told.words) < len(told.event.text) and not decision.closes:
        decision = Decision(Intent.UNSURE, "too_long")  # what was not read may say no
    word = joining.word_of(told) if decision.intent is Intent.NONE else None
    rule = rule_of(word) if word is not None else decision.rule
    kept = messages.keep_inbound(told, intent=decision.intent.value, rule=rule)
    told = replace(told, step_id=kept.answers_step_id)
    if word is not None:
        joining.follow(told, kept, word)
        return None
    if decision.intent is Intent.OPT_OUT:
        return _refused(told, kept, decision, reaching.reach(told, decision, topics))
    if decision.intent in (Intent.UNSURE, Intent.RIGHTS):
        return _in_doubt(told, kept, decision)
    if decision.intent is Intent.OPT_IN:
        return _opt_in(told, kept, question, decision.rule)
    if decision.intent is Intent.HELP:
        _answer(told, kept, ReplyKind.HELP)
    return None


def _refused(told: Told, kept: Message, decision: Decision, reach: Reach) -> Recorded:
    if not reach.closing.pairs:  # they named a channel on which we do not know them: a person has to look
        return _in_doubt(told, kept, decision)
    acts = _acts(told, reach.closing, source=Source.KEYWORD, rule=decision.rule, scope=decision.scope.value)
    recorded = told.record(*acts)
    _answer(told, kept, reach.reply, **reach.names)
    return recorded


def _acts(
    told: Told, closing: Closing, *, source: Source, actor: Actor = Actor.PERSON, **evidence: str
) -> list[NewConsent]:
    """Return the consent events that a stop is, each with the rule of how far it reaches."""
    return [
        told.act(
            stopping.action(told.session, purpose_id),
            purpose_id,
            actor=actor,
            source=source,
            address_id=address_id,
            scope_rule=closing.rule,
            **evidence,
        )
        for address_id, purpose_id in closing.pairs
    ]


def _bare(told: Told) -> Closing:
    """Return what a stop without any words closes."""
    return stopping.widened(told.session, told.address, [(told.address.id, told.marketing())], now=told.now)


def _in_doubt(told: Told, kept: Message, decision: Decision) -> Recorded:
    """Pause at once, and have somebody of ours look, with a deadline."""
    messages.ask_a_person(told.session, kept, by=told.now + REVIEW)
    pause = told.act(Action.RESTRICTED, told.marketing(), actor=Actor.PERSON, source=Source.KEYWORD, rule=decision.rule)
    return told.record(pause)


def _open_question(told: Told) -> OptInRequest | None:
    return conversations.open_question(
        told.session, told.address.id, now=told.now, asked_after=told.now - OPEN_QUESTION
    )


def _opt_in(told: Told, kept: Message, question: OptInRequest | None, rule: str) -> Recorded | None:
    """Confirm what was asked; otherwise reopen what was open before the person's own stop, nothing more."""
    if question is not None:
        acts = _confirm(told, question, rule)
    else:
        acts = [
            replace(
                told.act(Action.GRANTED, state.purpose_id, actor=Actor.PERSON, source=Source.KEYWORD, rule=rule),
                basis=state.basis,
                expires_at=state.expires_at,
            )
            for state in _open_before(told)
        ]
    if not acts:
        return None
    recorded = told.record(*acts)
    if recorded.event_ids and not recorded.ineffective:
        _answer(told, kept, ReplyKind.STARTED)
    return recorded


def _confirm(told: Told, question: OptInRequest, rule: str) -> list[NewConsent]:
    acts = []
    for one in optin.together(told.session, question):
        one.confirmed_at = told.now
        told.session.add(one)
        said = told.act(Action.CONFIRMED, one.purpose_id, actor=Actor.PERSON, source=Source.KEYWORD, rule=rule)
        acts.append(replace(said, wording_id=one.wording_id))
    language = double_optin.agreed_in(told.session, question)[1].language
    contacts.make_known(told.session, told.address.id, language=language, now=told.now)
    return acts


def _open_before(told: Told) -> list[State]:
    """Return what stood open before the person closed it, however often they said so; a consent that ran out stays so.

    An unclear message that paused everything is closed over in the same way.
    """
    events = consent.events_of(told.session, [told.address.id]).get(told.address.id, [])
    paths = consent.paths(told.session)
    now_open = {one for one, state in fold(events, paths=paths).items() if state.standing is Standing.GRANTED}
    said = sorted((event for event in events if _closes(event)), key=lambda e: (e.occurred_at, e.id), reverse=True)
    for stop in said:
        before = [event for event in events if event.occurred_at <= stop.occurred_at and not _after(event, stop)]
        states = fold(before, paths=paths).values()
        found = [one for one in states if one.standing is Standing.GRANTED and one.purpose_id not in now_open]
        if found:
            return [state for state in found if state.expires_at is None or state.expires_at > told.now]
    return []


def _closes(event: ConsentEvent) -> bool:
    unclear = event.action is Action.RESTRICTED and event.source is Source.KEYWORD
    return event.action in REFUSALS or unclear


def _after(event: ConsentEvent, stop: ConsentEvent) -> bool:
    """Say whether *event* belongs to the same closing as *stop* (read with it) or comes after it."""
    together = event.received_at == stop.received_at
    return _closes(event) and (together or (event.occurred_at, event.id) >= (stop.occurred_at, stop.id))


def _answer(told: Told, kept: Message, kind: ReplyKind, **names: Word) -> None:
    if not told.event.answered_by_platform:
        messages.queue_answer(told, kept, kind, **names)


def _platform_stop(told: Told) -> Recorded:
    if told.event.text:
        messages.keep_inbound(told, intent=Intent.OPT_OUT.value, rule="platform")
    actor = Actor.PERSON if told.event.text or told.event.payload else Actor.PROVIDER
    return told.record(*_acts(told, _bare(told), actor=actor, source=Source.PROVIDER, rule="platform"))


def _platform_start(told: Told) -> Recorded | None:
    kept = messages.keep_inbound(told, intent=Intent.OPT_IN.value, rule="platform")
    if not told.event.answered_by_platform:
        signups.start(told, kept)  # pressing Start makes an address known; agreeing to a wording is another act
        return None
    return _opt_in(told, kept, None, "platform")


def _complaint(told: Told) -> Recorded:
    return told.record(*_acts(told, _bare(told), source=Source.COMPLAINT))


def _help(told: Told) -> None:
    kept = messages.keep_inbound(told, intent=Intent.HELP.value, rule="platform")
    _answer(told, kept, ReplyKind.HELP)


def _dead(told: Told) -> None:
    consequences.mark_invalid(told.runtime, told.session, told.address.id, told.event.payload or "bounce")


def _media(told: Told) -> Recorded | None:
    if told.event.text:
        return _text(told)
    messages.keep_inbound(told, intent=Intent.NONE.value, rule="media")
    return None


def _other(_told: Told) -> None:
    """Stored once, no meaning."""


HANDLERS = {
    InboundKind.TEXT: _text,
    InboundKind.MEDIA: _media,
    InboundKind.OPT_OUT: _platform_stop,
    InboundKind.OPT_IN: _platform_start,
    InboundKind.COMPLAINT: _complaint,
    InboundKind.HELP: _help,
    InboundKind.UNREACHABLE: _dead,
    InboundKind.OTHER: _other,
}


def close_overdue_reviews(runtime: Runtime) -> int:
    """Doubt means no: an unclear message that nobody judged in time counts as a refusal. Return how many."""
    with runtime.db.transaction() as session:
        now = runtime.db.now(session)
        overdue = conversations.overdue_reviews(session, now=now)
        acts = []
        for thread in overdue:
            thread.needs_review = False
            session.add(thread)
            acts += _not_judged(session, thread, now)
        recorded = consent_actions.record_in(runtime, session, acts) if acts else Recorded()
    consent_actions.wait_out(runtime, recorded)
    return len(overdue)


def _not_judged(session: Session, thread: Conversation, now: datetime) -> list[NewConsent]:
    address = session.get_one(Address, thread.address_id)
    closing = stopping.widened(session, address, [(address.id, consent.purpose_id(session, "marketing"))], now=now)
    return [
        NewConsent(
            key=hashlib.sha256(f"review:{thread.id}:{thread.review_by}:{address_id}:{purpose_id}".encode()).digest(),
            address_id=address_id,
            purpose_id=purpose_id,
            action=Action.WITHDRAWN,
            actor=Actor.SYSTEM,
            source=Source.SYSTEM,
            occurred_at=now,
            clock=OUR_CLOCK,
            evidence={"reason": "nobody judged an unclear message in time", **closing.evidence()},
        )
        for address_id, purpose_id in closing.pairs
    ]
