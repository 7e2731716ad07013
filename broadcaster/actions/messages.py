"""Messages outside campaigns: confirmations, HELP, double opt-in questions, test sends. Each has exactly one permit."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from broadcaster.actions import accounts, outbox
from broadcaster.actions.organisation import setting
from broadcaster.actions.runtime import Runtime
from broadcaster.actions.told import Told
from broadcaster.channels import registry
from broadcaster.channels.contract import Sender, boottime
from broadcaster.core import deliveries
from broadcaster.core.deliveries import Idempotency, Outcome, State
from broadcaster.core.errors import MessageRejected
from broadcaster.core.event_types import Changed, MessageSettled
from broadcaster.core.messages import Button, ButtonKind, CallResult, Media, MediaKind, Outbound
from broadcaster.core.replies import ReplyKind, Word, reply
from broadcaster.storage import conversations, log, people
from broadcaster.storage.tables import (
    Account,
    Address,
    Brand,
    Conversation,
    Message,
    OptInRequest,
    OutboxItem,
    Step,
)

#: A confirmation comes within five minutes or not at all (47 CFR 64.1200(a)(12)).
CONFIRM_WITHIN = timedelta(minutes=5)
_GATE_SECONDS = 0.5
_ANSWER_SECONDS = 60.0
_MOST = 50

logger = logging.getLogger(__name__)


def keep_inbound(told: Told, *, intent: str, rule: str) -> Message:
    """Keep what a person wrote in their conversation, linked to the campaign message it answers."""
    session, now = told.session, told.now
    thread = conversations.conversation(session, address_id=told.address.id, account_id=told.config.id, now=now)
    step = _answered_step(told)
    row = Message(
        conversation_id=thread.id,
        address_id=told.address.id,
        account_id=told.config.id,
        kind="inbound",
        body_ct=seal_for(
            told.runtime, session, told.address, {"text": told.words, "payload": told.event.payload[:2000]}
        ),
        intent=intent,
        rule=rule,
        answers_step_id=None if step is None else step.id,
        created_at=now,
    )
    session.add(row)
    if step is not None and step.replied_at is None:
        step.replied_at = now
        session.add(step)
    session.flush()
    return row


def _answered_step(told: Told) -> Step | None:
    """Return the campaign step a message answers: the one it names, else the last one accepted for this address."""
    if told.step_id is not None:
        return told.session.get(Step, told.step_id)
    return conversations.last_step_to(told.session, told.address.id)


def seal_for(runtime: Runtime, session: Session, address: Address, told: dict[str, Any]) -> bytes | None:
    """Encrypt words under an address's key; None once the key is gone."""
    keys = people.person_keys(session, runtime.keys, [address.key_id or 0])
    return conversations.seal_message(keys[address.key_id], told) if address.key_id in keys else None


def ask_a_person(session: Session, kept: Message, *, by: datetime) -> None:
    """Put a conversation before a person of ours, with a deadline."""
    thread = session.get_one(Conversation, kept.conversation_id)
    thread.needs_review, thread.review_by = True, by
    session.add(thread)


def queue_answer(told: Told, kept: Message, kind: ReplyKind, **names: Word) -> None:
    """Queue the one confirmation or HELP answer to a message; the database refuses a second one."""
    brand = told.session.get_one(Brand, told.session.get_one(Account, told.config.id).brand_id)
    language = _language(told.session, told.address, told.event.language)
    words = reply(kind, language, brand=brand.name, contact=brand.contact or brand.website, **names)
    _queue(told, kept, "help" if kind is ReplyKind.HELP else "confirmation", words, subject=brand.name)


def queue_own_answer(told: Told, kept: Message, words: str) -> None:
    """Queue what the organisation answers to a word of its own."""
    brand = told.session.get_one(Brand, told.session.get_one(Account, told.config.id).brand_id)
    _queue(told, kept, "confirmation", words, subject=brand.name)


def _queue(told: Told, kept: Message, kind: str, words: str, *, subject: str) -> None:
    text = {"text": words, "subject": subject}
    row = Message(
        conversation_id=kept.conversation_id,
        address_id=told.address.id,
        account_id=told.config.id,
        kind=kind,
        body_ct=seal_for(told.runtime, told.session, told.address, text),
        answers_id=kept.id,
        state=State.PLANNED.value,
        due_at=told.now,
        expires_at=told.now + CONFIRM_WITHIN,
        created_at=told.now,
    )
    told.session.add(row)
    told.session.flush()


def _language(session: Session, address: Address, told: str) -> str:
    return people.language_of(session, address.id) or told or str(setting(session, "default_language"))


def queue_test(
    runtime: Runtime, session: Session, *, address_id: int, account_id: int, staff_id: int, words: Mapping[str, Any]
) -> int:
    """Queue a test of a template to a staff member's own address; it never counts as a delivery.

    *words* are ``text``, ``subject``, ``html``, and ``media`` and ``buttons`` as triples of text.
    """
    now = runtime.db.now(session)
    address = session.get_one(Address, address_id)
    marked = {**words, "subject": f"[Test] {words['subject']}".strip()}
    row = Message(
        address_id=address_id,
        account_id=account_id,
        kind="test",
        body_ct=seal_for(runtime, session, address, marked),
        test_staff_id=staff_id,
        state=State.PLANNED.value,
        due_at=now,
        expires_at=now + timedelta(hours=1),
        created_at=now,
    )
    session.add(row)
    session.flush()
    log.record(session, Changed(what="message", id=row.id, verb="test queued"), at=now)
    return row.id


def send_due(runtime: Runtime) -> int:
    """Send the messages that are due, one by one; return how many were handled."""
    with runtime.db.reading() as session:
        if not conversations.any_due(session, now=runtime.db.now(session)):
            return 0
    with runtime.db.transaction() as session:
        now = runtime.db.now(session)
        conversations.settle_abandoned(session, now=now)
        ids = conversations.lease_messages(session, now=now, most=_MOST)
    senders: dict[int, Sender] = {}
    try:
        for message_id in ids:
            try:
                _send(runtime, message_id, senders)
            except Exception as problem:  # one account's trouble must not keep the others' confirmations waiting
                logger.error("a message failed", extra={"message_id": message_id, "error": type(problem).__name__})
    finally:
        for sender in senders.values():
            sender.close()
    return len(ids)


def _send(runtime: Runtime, message_id: int, senders: dict[int, Sender]) -> None:
    """Look once more, write ahead, send, settle."""
    with runtime.db.transaction() as session:
        row = conversations.lock_message(session, message_id)
        now = runtime.db.now(session)
        if row.state != State.PLANNED:
            return
        address = people.share_address(session, row.address_id)
        account = session.get_one(Account, row.account_id)
        gone = address.status == "erased" or row.body_ct is None or account.state != "active"
        if gone or (row.expires_at is not None and row.expires_at < now) or not _permitted(session, row):
            row.state, row.outcome = State.SKIPPED.value, "expired"
            session.add(row)
            return
        outbound = _outbound(runtime, session, row, address)
        if row.account_id not in senders:
            config = accounts.config(runtime, session, row.account_id)
            senders[row.account_id] = registry.get(account.provider).sender(config)
        gate = boottime()
        row.state, row.gate_at, row.attempt = State.DISPATCHING.value, now, row.attempt + 1
        session.add(row)
    result = _call(senders[row.account_id], message_id, outbound, gate + _GATE_SECONDS)
    with runtime.db.transaction() as session:
        _settle(runtime, session, message_id, result, outbound, sandbox=account.provider == registry.SANDBOX)


def _permitted(session: Session, row: Message) -> bool:
    """Say whether the permit still stands: an open double opt-in may have been answered or closed meanwhile."""
    if row.optin_request_id is None:
        return True
    return session.get_one(OptInRequest, row.optin_request_id).confirmed_at is None


def _outbound(runtime: Runtime, session: Session, row: Message, address: Address) -> Outbound:
    key = people.person_keys(session, runtime.keys, [address.key_id or 0])[address.key_id or 0]
    told = conversations.open_message(key, row.body_ct or b"")
    return Outbound(
        to=people.open_address(key, address.id, address.value_ct or b""),
        reference=f"m{row.id}.{row.attempt + 1}",
        text=str(told.get("text", "")),
        subject=str(told.get("subject", "")),
        html=str(told.get("html", "")),
        media=tuple(Media(MediaKind(kind), url, name) for kind, url, name in told.get("media", ())),
        buttons=tuple(Button(ButtonKind(kind), title, value) for kind, title, value in told.get("buttons", ())),
    )


def _call(sender: Sender, ref: int, outbound: Outbound, deadline: float) -> CallResult:
    try:
        prepared = sender.prepare(outbound)
    except MessageRejected:
        return CallResult(Outcome.MESSAGE_REJECTED)
    sender.start(ref, prepared, deadline)
    end = boottime() + _ANSWER_SECONDS
    while boottime() < end:
        for done in sender.finished(0.2):
            if done.ref == ref:
                return done.result
    return CallResult(Outcome.UNKNOWN)


def _settle(
    runtime: Runtime, session: Session, message_id: int, result: CallResult, outbound: Outbound, *, sandbox: bool
) -> None:
    row = session.get_one(Message, message_id)
    now = runtime.db.now(session)
    verdict = deliveries.settle(
        result.outcome, attempt=row.attempt, retry_after=result.retry_after, idempotency=Idempotency.NONE
    )
    row.state, row.outcome, row.provider_code = verdict.state.value, result.outcome.value, result.provider_code
    row.provider_id, row.lease_until = result.provider_id, None
    if verdict.retry_after_seconds is not None:
        row.due_at = now + timedelta(seconds=verdict.retry_after_seconds)
    session.add(row)
    if sandbox and verdict.state is State.ACCEPTED:
        address = session.get_one(Address, row.address_id)
        body = seal_for(runtime, session, address, outbox.told(outbound))
        if body is not None:
            common = {"account_id": row.account_id, "address_id": row.address_id}
            session.add(OutboxItem(**common, message_id=row.id, body_ct=body, created_at=now))
    log.record(
        session,
        MessageSettled(message_id=row.id, message_kind=row.kind, permit=_permit(row), outcome=result.outcome.value),
        at=now,
    )


def _permit(row: Message) -> str:
    named = {
        "consent_event": row.consent_event_id,
        "answers": row.answers_id,
        "optin_request": row.optin_request_id,
        "staff_test": row.test_staff_id,
    }
    return next(f"{name}:{value}" for name, value in named.items() if value is not None)
