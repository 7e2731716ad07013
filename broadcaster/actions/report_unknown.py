"""Calls whose end nobody knows: show them, and let a person decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlmodel import Session

from broadcaster.actions import campaigns, forecast_people
from broadcaster.actions.runtime import Runtime
from broadcaster.core.campaigns import CampaignState, require_move
from broadcaster.core.deliveries import Reason, State
from broadcaster.core.errors import Conflict, InvalidInput
from broadcaster.core.event_types import CampaignMoved, UnknownResolved
from broadcaster.storage import log
from broadcaster.storage import reports as rows

Decision = Literal["leave", "resend", "delivered", "lost"]
DECISIONS: tuple[Decision, ...] = ("leave", "resend", "delivered", "lost")
MOST_STEPS = 1000
_MEANS: dict[Decision, tuple[State, Reason | None]] = {
    "resend": (State.PLANNED, None),
    "delivered": (State.ACCEPTED, None),
    "lost": (State.FAILED, Reason.LOST),
}


@dataclass(frozen=True, slots=True)
class Unknown:
    """One call that began and whose end nobody knows."""

    step_id: int
    contact_id: int
    channel: str
    address: str
    gate_at: datetime
    provider_code: str | None
    attempt: int


def unknown(runtime: Runtime, campaign_id: int, *, after: int = 0, limit: int = 50) -> list[Unknown]:
    """Return the unknown calls of a campaign after step *after*, at most *limit* (1 to 1000)."""
    if not 1 <= limit <= MOST_STEPS or after < 0:
        raise InvalidInput(f"ask for 1 to {MOST_STEPS} rows", field="limit", code="paging")
    with runtime.db.reading() as session:
        campaigns.get(session, campaign_id)
        found = rows.unknown(session, campaign_id, after=after, limit=limit)
        known = forecast_people.masked_addresses(runtime, session, [row.address_id for row in found])
        return [
            Unknown(
                step_id=row.id,
                contact_id=row.contact_id,
                channel=row.channel,
                address=known.get(row.address_id, ""),
                gate_at=row.gate_at,
                provider_code=row.provider_code,
                attempt=row.attempt,
            )
            for row in found
        ]


def resolve_unknown(runtime: Runtime, step_ids: Sequence[int], decision: Decision, *, actor: str) -> int:
    """Apply a person's decision to unknown calls; return how many it changed (those settled meanwhile are left).

    ``resend`` may reach somebody twice: the door asks for a typed confirmation. The gate still asks for consent.
    Raises InvalidInput for no or too many steps, Conflict where a cancelled campaign would have to send again.
    """
    if decision not in DECISIONS:
        raise InvalidInput("decide leave, resend, delivered or lost", field="decision", code="unknown_choice")
    if not 1 <= len(set(step_ids)) <= MOST_STEPS:
        raise InvalidInput(f"choose 1 to {MOST_STEPS} messages", field="steps", code="paging")
    with runtime.db.transaction(actor) as session:
        now = runtime.db.now(session)
        found = rows.lock_unknown(session, sorted(set(step_ids)))
        for run_id in sorted({row.run_id for row in found}):
            mine = [row for row in found if row.run_id == run_id]
            if decision == "resend":
                _reopen(session, run_id, now)
            _apply(session, run_id, [row.id for row in mine], decision, now)
            if decision == "resend":
                rows.reopen_batches(session, [row.batch_id for row in mine], now=now)
    if decision == "resend":
        runtime.ring(0)
    return len(found)


def _apply(session: Session, run_id: int, step_ids: list[int], decision: Decision, now: datetime) -> None:
    if decision in _MEANS:
        state, reason = _MEANS[decision]
        due = now if state is State.PLANNED else None
        rows.settle_unknown(
            session, step_ids, state=state.value, reason=None if reason is None else reason.value, due_at=due
        )
    log.record(session, UnknownResolved(run_id=run_id, decision=decision, step_ids=tuple(step_ids)), at=now)


def _reopen(session: Session, run_id: int, now: datetime) -> None:
    """Let a finished campaign run again for what is sent again; a paused one stays paused."""
    run, campaign = rows.campaign_of(session, run_id)
    if campaign.state == CampaignState.CANCELLED:
        raise Conflict("a cancelled campaign sends nothing again", code="campaign_cancelled")
    if campaign.state == CampaignState.FINISHED:
        require_move(campaign.state, CampaignState.RUNNING)
        campaign.state, campaign.state_changed_at = CampaignState.RUNNING.value, now
        session.add(campaign)
        log.record(session, CampaignMoved(campaign_id=campaign.id, verb="reopened", run_id=run_id), at=now)
    run.state, run.finished_at = "running", None
    session.add(run)
    session.flush()
