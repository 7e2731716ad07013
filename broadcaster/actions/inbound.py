"""What people and providers tell us: verified, stored once, and a refusal obeyed before we answer.

Five roads lead here: the person's text, a provider's event, a bounce or complaint, our own pages, and polled mailboxes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session

from broadcaster.actions import accounts, obeying, receipts
from broadcaster.actions import consent as consent_actions
from broadcaster.actions.consent import Recorded
from broadcaster.actions.rendering import read_link_scope, step_of
from broadcaster.actions.runtime import Runtime
from broadcaster.actions.told import Told
from broadcaster.channels import registry
from broadcaster.channels.contract import AccountConfig, WebhookAnswer, WebhookRequest
from broadcaster.core.errors import InvalidInput, NotFound
from broadcaster.core.event_types import AddressSeen, Changed
from broadcaster.core.keys import digest_range
from broadcaster.core.messages import ChannelEvent, Inbound, InboundKind, Receipt
from broadcaster.storage import consent, consent_history, conversations, log, people
from broadcaster.storage.database import is_race
from broadcaster.storage.people import NewAddress
from broadcaster.storage.tables import Address, Step

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
    """Apply events of one account, each once, each in its own transaction, and wait out what refusals forbid.

    One that fails holds up none of the others; its error is raised at the end, so that it is told again.
    """
    recorded: list[Recorded] = []
    failed: list[Exception] = []
    for event in events:
        try:
            done = _apply_one(runtime, config, event)
        except Exception as problem:
            failed.append(problem)
        else:
            recorded += [] if done is None else [done]
    for one in recorded:
        consent_actions.wait_out(runtime, one)
    if failed:
        raise failed[0]
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
            return receipts.keep(runtime, session, config, event, now)
        address, step_id = _who(runtime, session, config, event, now)
        if address is not None:
            own = people.lock_addresses(session, consent_history.addresses_beside(session, address.id))
            address = next(row for row in own if row.id == address.id)  # one word at a time from each person
        stored = conversations.store_once(
            session,
            account_id=config.id,
            event_key=event.event_key,
            kind=event.kind.value,
            address_id=None if address is None else address.id,
            body=None if address is None else _sealed_digest(runtime, session, address, event),
            now=now,
        )
        if stored is None:
            _note_contradiction(runtime, session, config, event, now)
        if address is None:
            return None
        if stored is None:
            return _answered_again(session, address, event)
        told = Told(runtime, session, config, event, address, step_id, now)
        return obeying.HANDLERS[event.kind](told)


def _digest(event: Inbound) -> str:
    return hashlib.sha256(json.dumps([event.kind, event.sender, event.text, event.payload]).encode()).hexdigest()


def _sealed_digest(runtime: Runtime, session: Session, address: Address, event: Inbound) -> bytes | None:
    if address.key_id is None:
        return None
    key = people.person_keys(session, runtime.keys, [address.key_id])[address.key_id]
    return conversations.seal_message(key, {"sha256": _digest(event)})


def _note_contradiction(
    runtime: Runtime, session: Session, config: AccountConfig, event: Inbound, now: datetime
) -> None:
    """Say in the log, once, that an event came again with other words; what it said first stays what counts."""
    kept = conversations.kept_event(session, account_id=config.id, event_key=event.event_key)
    if kept is None:
        return
    event_id, key_id, sealed = kept
    key = people.person_keys(session, runtime.keys, [key_id]).get(key_id)
    if key is None or conversations.open_message(key, sealed)["sha256"] == _digest(event):
        return
    conversations.forget_body(session, event_id)
    log.record(session, Changed(what="account", id=config.id, verb="contradicted"), at=now)


def _answered_again(session: Session, address: Address, event: Inbound) -> Recorded | None:
    """An event that was here before: if it may have been a refusal, its answer too waits for what is on the wire."""
    if event.kind not in _MAY_REFUSE:
        return None
    recorded = Recorded(repeated=1)
    for address_id in consent_history.addresses_beside(session, address.id):
        recorded.closed[address_id].update(consent.paths(session))
    return recorded


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
