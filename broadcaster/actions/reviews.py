"""Unclear messages: marketing to the address is on hold until somebody of ours has read them and decided."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from sqlmodel import Session

from broadcaster.actions import consent as consent_actions
from broadcaster.actions import stopping, whereabouts
from broadcaster.actions.consent import Recorded
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import OUR_CLOCK, Action, Actor, Source
from broadcaster.core.errors import Conflict, InvalidInput
from broadcaster.storage import consent as ledger
from broadcaster.storage import consent_desk as rows
from broadcaster.storage import conversations, people
from broadcaster.storage.consent import NewConsent
from broadcaster.storage.tables import Address, Conversation, Message

Decision = Literal["stop", "go_on"]
REASON_MOST = 2000


@dataclass(frozen=True, slots=True)
class Waiting:
    """An unclear message. At *deadline* it counts as a refusal unless somebody has decided; ``words`` may be erased."""

    conversation_id: int
    address_id: int
    channel: str
    masked: str
    intent: str
    rule: str
    said_at: datetime
    deadline: datetime | None
    words: str = field(repr=False)


def waiting(runtime: Runtime) -> list[Waiting]:
    """Return what waits for a decision, the nearest deadline first."""
    with runtime.db.reading() as session:
        threads = rows.waiting(session)
        said = rows.unclear(session, [one.id for one in threads])
        shown = whereabouts.show(runtime, session, [one.address_id for one in threads])
        keys = _keys(runtime, session, [one.address_id for one in threads])
        return [
            Waiting(
                conversation_id=one.id,
                address_id=one.address_id,
                channel=shown[one.address_id].channel,
                masked=shown[one.address_id].masked,
                intent=(said[one.id].intent or "") if one.id in said else "",
                rule=(said[one.id].rule or "") if one.id in said else "",
                said_at=said[one.id].created_at if one.id in said else one.last_at,
                deadline=one.review_by,
                words=_words(said.get(one.id), keys.get(one.address_id)),
            )
            for one in threads
        ]


def _keys(runtime: Runtime, session: Session, address_ids: list[int]) -> dict[int, bytes]:
    found = [session.get_one(Address, one) for one in set(address_ids)]
    keys = people.person_keys(session, runtime.keys, [one.key_id for one in found if one.key_id])
    return {one.id: keys[one.key_id] for one in found if one.key_id in keys}


def _words(message: Message | None, key: bytes | None) -> str:
    if message is None or key is None or message.body_ct is None:
        return ""
    return str(conversations.open_message(key, message.body_ct).get("text", ""))


def decide(
    runtime: Runtime, conversation_id: int, decision: Decision, *, reason: str, staff_id: int | None = None, actor: str
) -> Recorded:
    """End the review: *stop* closes all marketing to the address, *go_on* ends the hold and restores what stood.

    Whatever else holds the address stays. Raises Conflict ``not_waiting`` if somebody decided first, InvalidInput
    without a reason.
    """
    said = reason.strip()
    if not said or len(said) > REASON_MOST:
        raise InvalidInput("say why, in at most 2000 characters", field="reason", code="reason_missing")
    with runtime.db.transaction(actor) as session:
        thread = _taken(session, conversation_id)
        thread.needs_review, thread.review_by = False, None
        session.add(thread)
        session.flush()
        if decision == "go_on" and rows.waits(session, thread.address_id):
            return Recorded()  # they wrote to another account as well: the hold stays until that is read
        now = runtime.db.now(session)
        acts = [
            replace(act, evidence={"reason": said, **act.evidence}, staff_id=staff_id)
            for act in _acts(session, session.get_one(Address, thread.address_id), decision, now)
        ]
        recorded = consent_actions.record_in(runtime, session, acts)
    consent_actions.wait_out(runtime, recorded)
    return recorded


def _acts(session: Session, address: Address, decision: Decision, now: datetime) -> list[NewConsent]:
    marketing = ledger.purpose_id(session, "marketing")
    if decision == "go_on":
        return [_act(address.id, marketing, Action.RELEASED, now)]
    closing = stopping.widened(session, address, [(address.id, marketing)], now=now)
    return [
        replace(_act(one, purpose, stopping.action(session, purpose), now), evidence=closing.evidence())
        for one, purpose in closing.pairs
    ]


def _act(address_id: int, purpose_id: int, action: Action, now: datetime) -> NewConsent:
    return NewConsent(
        key=secrets.token_bytes(16),
        address_id=address_id,
        purpose_id=purpose_id,
        action=action,
        actor=Actor.STAFF,
        source=Source.KEYWORD,
        occurred_at=now,
        clock=OUR_CLOCK,
        evidence={},
    )


def _taken(session: Session, conversation_id: int) -> Conversation:
    """Lock the address, as whoever writes to us does, then the conversation, unless its deadline is being kept now."""
    known = session.get(Conversation, conversation_id)
    if known is not None:
        people.lock_address(session, known.address_id)
        found = rows.lock_waiting(session, conversation_id)
        if found is not None:
            return found
    raise Conflict("Nobody needs to decide about this any more.", code="not_waiting")
