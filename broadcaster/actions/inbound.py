"""What people and providers tell us: verified, stored once, and a refusal obeyed before we answer.

Five roads lead here: the person's text, a provider's event, a bounce or complaint, our own pages, and polled mailboxes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlmodel import Session

from broadcaster.actions import accounts, consequences, messages
from broadcaster.actions import consent as consent_actions
from broadcaster.actions.consent import Recorded
from broadcaster.actions.rendering import attempt_of, read_link_scope, step_of
from broadcaster.actions.runtime import Runtime
from broadcaster.channels import registry
from broadcaster.channels.contract import AccountConfig, WebhookAnswer, WebhookRequest
from broadcaster.core import keywords
from broadcaster.core.consent import OUR_CLOCK, REFUSALS, Action, Actor, ConsentEvent, Source, Standing, State, fold
from broadcaster.core.deliveries import Outcome
from broadcaster.core.errors import InvalidInput, NotFound
from broadcaster.core.event_types import AddressSeen
from broadcaster.core.keys import digest_range
from broadcaster.core.keywords import Intent
from broadcaster.core.messages import ChannelEvent, Inbound, InboundKind, Receipt
from broadcaster.core.replies import ReplyKind
from broadcaster.storage import consent, conversations, log, people
from broadcaster.storage.consent import NewConsent
from broadcaster.storage.database import is_race
from broadcaster.storage.people import NewAddress
from broadcaster.storage.tables import Address, Conversation, Message, OptInRequest, Step

#: An unclear message pauses marketing; if nobody decides in this time, it counts as a refusal.
REVIEW = timedelta(hours=72)
#: YES counts only against a question asked on this address within this time.
OPEN_QUESTION = timedelta(hours=48)
_TRIES = 3
_MAY_REFUSE = frozenset({InboundKind.TEXT, InboundKind.MEDIA, InboundKind.OPT_OUT, InboundKind.COMPLAINT})


def receive(runtime: Runtime, webhook_key: str, request: WebhookRequest) -> WebhookAnswer:
    """Verify, store and apply a provider's call, then say what to answer; a refusal has taken effect by then.

    Raises NotFound for an unknown address of ours, BadSignature before the body is looked at.
    """
    with runtime.db.reading() as session:
        account = accounts.by_webhook_key(session, webhook_key)
        config = accounts.config(runtime, session, account.id)
    channel = registry.get(account.provider)
    try:
        events = channel.parse_webhook(config, request)
    except InvalidInput:
        return WebhookAnswer()  # signed but not understood: asking the provider to repeat it would not help
    apply(runtime, config, events)
    return channel.webhook_answer(config, events)


def apply(runtime: Runtime, config: AccountConfig, events: Sequence[ChannelEvent]) -> list[Recorded]:
    """Apply events of one account, each once, each in its own transaction, and wait out what refusals forbid."""
    done = [_apply_one(runtime, config, event) for event in events]
    recorded = [one for one in done if one is not None]
    for one in recorded:
        consent_actions.wait_out(runtime, one)
    return recorded


def _apply_one(runtime: Runtime, config: AccountConfig, event: ChannelEvent) -> Recorded | None:
    """Apply one event; if its person or conversation was made by somebody else meanwhile, once more with them."""
    for _ in range(_TRIES - 1):
        try:
            return _try_one(runtime, config, event)
        except Exception as problem:
            if not is_race(problem):
                raise
    return _try_one(runtime, config, event)


def _try_one(runtime: Runtime, config: AccountConfig, event: ChannelEvent) -> Recorded | None:
    with runtime.db.transaction(f"provider:{config.id}") as session:
        now = runtime.db.now(session)
        if isinstance(event, Receipt):
            _receipt(runtime, session, config, event, now)
            return None
        address, step_id = _who(runtime, session, config, event, now)
        if address is not None:
            address = people.lock_address(session, address.id)  # one word at a time from each person
        stored = conversations.store_once(
            session,
            account_id=config.id,
            event_key=event.event_key,
            kind=event.kind.value,
            address_id=None if address is None else address.id,
            now=now,
        )
        if address is None:
            return None
        if stored is None:
            return _answered_again(session, address, event)
        told = _Told(runtime, session, config, event, address, step_id, now)
        return _HANDLERS[event.kind](told)


def _answered_again(session: Session, address: Address, event: Inbound) -> Recorded | None:
    """An event that was here before: if it may have been a refusal, its answer too waits for what is on the wire."""
    if event.kind not in _MAY_REFUSE:
        return None
    marketing = consent.purpose_id(session, "marketing")
    recorded = Recorded(repeated=1)
    recorded.closed[address.id].update(one for one, path in consent.paths(session).items() if marketing in path)
    return recorded


@dataclass(frozen=True, slots=True)
class _Told:
    """One event with everything that is known about it."""

    runtime: Runtime
    session: Session
    config: AccountConfig
    event: Inbound
    address: Address
    step_id: int | None
    now: datetime

    def act(self, action: Action, purpose_id: int, *, actor: Actor, source: Source, rule: str = "") -> NewConsent:
        """Return the consent event that this inbound event is."""
        fact = f"inbound:{self.config.id}:{self.event.event_key}:{purpose_id}:{action.value}"
        return NewConsent(
            key=hashlib.sha256(fact.encode()).digest(),
            address_id=self.address.id,
            purpose_id=purpose_id,
            action=action,
            actor=actor,
            source=source,
            occurred_at=self._when(action),
            clock=f"account:{self.config.id}",
            evidence={
                "words": self.event.text[:2000],
                "payload": self.event.payload[:200],
                "rule": rule,
                "detector": keywords.VERSION,
                "event_key": self.event.event_key,
            },
            step_id=self.step_id,
        )

    def _when(self, action: Action) -> datetime:
        """A refusal dated by the person's own machine counts from its receipt: a slow clock must not undo it."""
        trusted = registry.capabilities_of(self.config.channel).trusted_clock
        return self.now if not trusted and action in consent_actions.CLOSING else self.event.occurred_at

    def record(self, *acts: NewConsent) -> Recorded:
        return consent_actions.record_in(self.runtime, self.session, acts)

    def marketing(self) -> int:
        return consent.purpose_id(self.session, "marketing")


def _who(
    runtime: Runtime, session: Session, config: AccountConfig, event: Inbound, now: datetime
) -> tuple[Address | None, int | None]:
    """Find whom an event is about: by the sender, else by the message it answers. An unknown sender becomes known."""
    step = _step_about(session, config, event.about)
    if event.payload and event.kind is InboundKind.OPT_OUT and not event.sender:
        found = by_token(runtime, session, event.payload)
        if found is not None:
            return found[0], found[2] or (step.id if step else None)
    if event.sender:
        return ensure_address(runtime, session, config, event.sender, now=now), step.id if step else None
    if step is not None:
        address = session.get_one(Address, step.address_id)
        return (None, None) if address.status == "erased" else (address, step.id)
    return None, None


def _step_about(session: Session, config: AccountConfig, about: str) -> Step | None:
    if not about:
        return None
    ours = step_of(about)
    if ours is not None:
        return session.get(Step, ours)
    return conversations.step_by_provider_id(session, config.id, about)


def ensure_address(runtime: Runtime, session: Session, config: AccountConfig, value: str, *, now: datetime) -> Address:
    """Return the address of somebody who wrote to us; an unknown one is made, so that a STOP has where to stand."""
    facts = registry.capabilities_of(config.channel)
    account_id = None if facts.address_scope == "global" else config.id
    wanted = NewAddress(config.channel, account_id, facts.address_kind, value)
    found = people.find_address(session, runtime.keys, wanted)
    if found is not None:
        return found
    barred = people.suppressed(session, runtime.keys, [people.digest_of(runtime.keys, wanted)], now=now)
    made = people.create_addresses(session, runtime.keys, [wanted], now=now, suppressed_digests=barred)
    log.record(session, AddressSeen(address_id=made[0][0], channel=config.channel), at=now)
    return session.get_one(Address, made[0][0])


def by_token(runtime: Runtime, session: Session, token: str) -> tuple[Address, int, int] | None:
    """Return (address, purpose id, step id) of a stop link, None if it is not ours or the person was erased."""
    try:
        link = runtime.keys.read_link_token(token)
        purpose_id, step_id = read_link_scope(link.scope)
    except (NotFound, ValueError):
        return None
    low, high = digest_range(link.address)
    found = people.by_digest_between(session, low, high)
    return None if found is None else (found, purpose_id, step_id)


def _text(told: _Told) -> Recorded | None:
    """A person wrote: decide what they want, do it, answer once, keep the message."""
    question = _open_question(told)
    decision = keywords.classify(told.event.text, open_question=question is not None)
    kept = messages.keep_inbound(told, intent=decision.intent.value, rule=decision.rule)
    if decision.intent is Intent.OPT_OUT:
        recorded = told.record(_refusal(told, Action.OBJECTED, decision.rule))
        _answer(told, kept, ReplyKind.STOPPED)
        return recorded
    if decision.intent in (Intent.UNSURE, Intent.RIGHTS):
        messages.ask_a_person(told.session, kept, by=told.now + REVIEW)
        return told.record(_refusal(told, Action.RESTRICTED, decision.rule))
    if decision.intent is Intent.OPT_IN:
        return _opt_in(told, kept, question, decision.rule)
    if decision.intent is Intent.HELP:
        _answer(told, kept, ReplyKind.HELP)
    return None


def _refusal(told: _Told, action: Action, rule: str) -> NewConsent:
    return told.act(action, told.marketing(), actor=Actor.PERSON, source=Source.KEYWORD, rule=rule)


def _open_question(told: _Told) -> OptInRequest | None:
    return conversations.open_question(
        told.session, told.address.id, now=told.now, asked_after=told.now - OPEN_QUESTION
    )


def _opt_in(told: _Told, kept: Message, question: OptInRequest | None, rule: str) -> Recorded | None:
    """Confirm what was asked; otherwise reopen what was open before the person's own stop, nothing more."""
    if question is not None:
        question.confirmed_at = told.now
        told.session.add(question)
        acts = [told.act(Action.CONFIRMED, question.purpose_id, actor=Actor.PERSON, source=Source.KEYWORD, rule=rule)]
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


def _open_before(told: _Told) -> list[State]:
    """Return what stood open before the person closed it, however often they said so; a consent that ran out stays so.

    An unclear message that paused everything is closed over in the same way.
    """
    events = consent.events_of(told.session, [told.address.id]).get(told.address.id, [])
    paths = consent.paths(told.session)
    said = sorted((event for event in events if _closes(event)), key=lambda e: (e.occurred_at, e.id), reverse=True)
    for stop in said:
        before = [event for event in events if event.occurred_at <= stop.occurred_at and not _after(event, stop)]
        states = fold(before, paths=paths).values()
        found = [state for state in states if state.standing is Standing.GRANTED]
        if found:
            return [state for state in found if state.expires_at is None or state.expires_at > told.now]
    return []


def _closes(event: ConsentEvent) -> bool:
    unclear = event.action is Action.RESTRICTED and event.source is Source.KEYWORD
    return event.action in REFUSALS or unclear


def _after(event: ConsentEvent, stop: ConsentEvent) -> bool:
    """Say whether *event* belongs to the same closing as *stop* or comes after it."""
    return _closes(event) and (event.occurred_at, event.id) >= (stop.occurred_at, stop.id)


def _answer(told: _Told, kept: Message, kind: ReplyKind) -> None:
    if not told.event.answered_by_platform:
        messages.queue_answer(told, kept, kind)


def _platform_stop(told: _Told) -> Recorded:
    if told.event.text:
        messages.keep_inbound(told, intent=Intent.OPT_OUT.value, rule="platform")
    actor = Actor.PERSON if told.event.text or told.event.payload else Actor.PROVIDER
    return told.record(
        told.act(Action.OBJECTED, told.marketing(), actor=actor, source=Source.PROVIDER, rule="platform")
    )


def _platform_start(told: _Told) -> Recorded | None:
    kept = messages.keep_inbound(told, intent=Intent.OPT_IN.value, rule="platform")
    if not told.event.answered_by_platform:
        return None  # pressing Start makes an address known; agreeing to a wording is another act
    return _opt_in(told, kept, None, "platform")


def _complaint(told: _Told) -> Recorded:
    return told.record(told.act(Action.OBJECTED, told.marketing(), actor=Actor.PERSON, source=Source.COMPLAINT))


def _help(told: _Told) -> None:
    kept = messages.keep_inbound(told, intent=Intent.HELP.value, rule="platform")
    _answer(told, kept, ReplyKind.HELP)


def _dead(told: _Told) -> None:
    consequences.mark_invalid(told.runtime, told.session, told.address.id, told.event.payload or "bounce")


def _media(told: _Told) -> Recorded | None:
    if told.event.text:
        return _text(told)
    messages.keep_inbound(told, intent=Intent.NONE.value, rule="media")
    return None


def _other(_told: _Told) -> None:
    """Stored once, no meaning."""


_HANDLERS = {
    InboundKind.TEXT: _text,
    InboundKind.MEDIA: _media,
    InboundKind.OPT_OUT: _platform_stop,
    InboundKind.OPT_IN: _platform_start,
    InboundKind.COMPLAINT: _complaint,
    InboundKind.HELP: _help,
    InboundKind.UNREACHABLE: _dead,
    InboundKind.OTHER: _other,
}


def _receipt(runtime: Runtime, session: Session, config: AccountConfig, event: Receipt, now: datetime) -> None:
    """Keep a receipt, match what is known; one that says blocked is a refusal, one that says dead marks the address."""
    attempt = attempt_of(event.reference)
    values = {
        "account": config.id,
        "key": event.event_key,
        "provider_id": event.provider_id,
        "kind": event.kind.value,
        "outcome": None if event.outcome is None else event.outcome.value,
        "code": event.provider_code,
        "occurred": event.occurred_at,
        "now": now,
        "step": None if attempt is None else attempt[0],
        "attempt": None if attempt is None else attempt[1],
    }
    conversations.store_receipt(session, values)
    settle_receipts(runtime, session)


def settle_receipts(runtime: Runtime, session: Session) -> None:
    """Match parked receipts and draw the consequences of failed ones."""
    session.flush()
    for step_id, receipt in conversations.match_receipts(session):
        step = session.get_one(Step, step_id)
        if receipt.outcome == Outcome.RECIPIENT_OPTED_OUT:
            act = consequences.block(runtime, session, step.id, step.address_id, receipt.provider_code)
            consent_actions.record_in(runtime, session, [act])
        elif receipt.outcome == Outcome.RECIPIENT_UNREACHABLE:
            consequences.mark_invalid(runtime, session, step.address_id, receipt.provider_code or "receipt")


def match_parked(runtime: Runtime) -> None:
    """Try again to match receipts that came before their message was settled."""
    with runtime.db.reading() as session:
        if not conversations.any_parked(session):
            return
    with runtime.db.transaction("provider") as session:
        settle_receipts(runtime, session)


def close_overdue_reviews(runtime: Runtime) -> int:
    """Doubt means no: an unclear message that nobody judged in time counts as a refusal. Return how many."""
    with runtime.db.transaction() as session:
        now = runtime.db.now(session)
        overdue = conversations.overdue_reviews(session, now=now)
        acts = []
        for thread in overdue:
            thread.needs_review = False
            session.add(thread)
            acts.append(_not_judged(session, thread, now))
        recorded = consent_actions.record_in(runtime, session, acts) if acts else Recorded()
    consent_actions.wait_out(runtime, recorded)
    return len(acts)


def _not_judged(session: Session, thread: Conversation, now: datetime) -> NewConsent:
    return NewConsent(
        key=hashlib.sha256(f"review:{thread.id}:{thread.review_by}".encode()).digest(),
        address_id=thread.address_id,
        purpose_id=consent.purpose_id(session, "marketing"),
        action=Action.WITHDRAWN,
        actor=Actor.SYSTEM,
        source=Source.SYSTEM,
        occurred_at=now,
        clock=OUR_CLOCK,
        evidence={"reason": "nobody judged an unclear message in time"},
    )
