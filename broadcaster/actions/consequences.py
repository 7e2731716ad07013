"""What a provider's answer means beyond the one message: a block is a refusal, a dead address is marked.

Done before the step is settled, so that a crash in between leaves an unknown outcome and never a lost refusal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

from sqlmodel import Session

from broadcaster.actions import consent as consent_actions
from broadcaster.actions import stopping
from broadcaster.actions.consent import Recorded
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import OUR_CLOCK, Action, Actor, Source
from broadcaster.core.deliveries import Outcome
from broadcaster.core.event_types import Changed
from broadcaster.core.messages import CallResult
from broadcaster.storage import consent, log
from broadcaster.storage.consent import NewConsent
from broadcaster.storage.tables import Address


class Sent(Protocol):
    """What is needed of a step."""

    step_id: int
    address_id: int


def of_results(runtime: Runtime, results: Sequence[tuple[Sent, CallResult]]) -> None:
    """Record blocks as refusals and mark addresses that do not work."""
    blocked = [(sent, result) for sent, result in results if result.outcome is Outcome.RECIPIENT_OPTED_OUT]
    dead = [(sent, result) for sent, result in results if result.outcome is Outcome.RECIPIENT_UNREACHABLE]
    if not blocked and not dead:
        return
    with runtime.db.transaction("provider") as session:
        if blocked:
            acts = [
                act
                for sent, result in blocked
                for act in block(runtime, session, sent.step_id, sent.address_id, result.provider_code)
            ]
            consent_actions.record_in(runtime, session, acts)
        for sent, result in sorted(dead, key=lambda pair: pair[0].address_id):
            mark_invalid(runtime, session, sent.address_id, result.provider_code or "unreachable")


def block(runtime: Runtime, session: Session, step_id: int, address_id: int, code: str | None) -> list[NewConsent]:
    """Return the refusal that a provider's "blocked" or "opted out" is."""
    now, marketing = runtime.db.now(session), consent.purpose_id(session, "marketing")
    closing = stopping.widened(session, session.get_one(Address, address_id), [(address_id, marketing)], now=now)
    return [
        NewConsent(
            key=hashlib.sha256(f"step:{step_id}:blocked:{closed}:{purpose_id}".encode()).digest(),
            address_id=closed,
            purpose_id=purpose_id,
            action=stopping.action(session, purpose_id),
            actor=Actor.PROVIDER,
            source=Source.PROVIDER,
            occurred_at=now,
            clock=OUR_CLOCK,
            evidence={"provider_code": code, "step_id": step_id, **closing.evidence()},
            step_id=step_id if closed == address_id else None,
        )
        for closed, purpose_id in closing.pairs
    ]


def mark_invalid(runtime: Runtime, session: Session, address_id: int, code: str) -> Recorded | None:
    """Note that nobody is at an address: nothing more is tried there, and no consent stands for whoever comes next.

    Returns None if that had been noted before.
    """
    row = session.get_one(Address, address_id)
    if row.status != "ok":
        return None
    now = runtime.db.now(session)
    row.status, row.status_reason = "invalid", code[:60]
    session.add(row)
    log.record(session, Changed(what="address", id=address_id, verb="invalid"), at=now)
    gone = NewConsent(
        key=hashlib.sha256(f"address:{address_id}:gone:{row.stop_epoch}".encode()).digest(),
        address_id=address_id,
        purpose_id=consent.purpose_id(session, "all"),
        action=Action.EXPIRED,
        actor=Actor.PROVIDER,
        source=Source.BOUNCE,
        occurred_at=now,
        clock=OUR_CLOCK,
        evidence={"provider_code": code[:60]},
    )
    return consent_actions.record_in(runtime, session, [gone])
