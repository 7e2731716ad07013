"""Campaigns and runs in SQL: what is due, what is unplanned, what is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter

from sqlmodel import Session, col, func, select

from broadcaster.core.calendar import Known
from broadcaster.core.campaigns import CampaignState, Plan
from broadcaster.storage.tables import Batch, Campaign, Contact, Run

_TO_COME = (CampaignState.DRAFT, CampaignState.SCHEDULED, CampaignState.RUNNING, CampaignState.PAUSED)


def locked(session: Session, campaign_id: int) -> Campaign | None:
    """Return a campaign under an exclusive lock."""
    return session.exec(select(Campaign).where(Campaign.id == campaign_id).with_for_update()).first()


def due(session: Session, now: datetime) -> Sequence[Campaign]:
    """Return, locked, the scheduled campaigns whose time has come and nobody else is starting."""
    query = select(Campaign).where(
        Campaign.state == CampaignState.SCHEDULED,
        (col(Campaign.scheduled_for).is_(None)) | (col(Campaign.scheduled_for) <= now),
    )
    return session.exec(query.with_for_update(skip_locked=True)).all()


def run_count(session: Session, campaign_id: int) -> int:
    return session.exec(select(func.count()).select_from(Run).where(Run.campaign_id == campaign_id)).one()


def last_contact_id(session: Session) -> int:
    return session.exec(select(func.coalesce(func.max(Contact.id), 0))).one()


def unplanned_runs(session: Session) -> list[int]:
    """Return the runs whose audience is not planned to its end; a paused campaign waits, a cancelled one goes on."""
    query = select(Run.id).join(Campaign, col(Campaign.id) == col(Run.campaign_id))
    query = query.where(col(Run.planned_at).is_(None), col(Campaign.state).in_(("running", "cancelled")))
    return list(session.exec(query.order_by(col(Run.id))).all())


def lock_run(session: Session, run_id: int) -> Run | None:
    """Return a run under an exclusive lock, None if another process has it."""
    return session.exec(select(Run).where(Run.id == run_id).with_for_update(skip_locked=True)).first()


def settled_runs(session: Session) -> Sequence[Run]:
    """Return, locked, the running runs that are planned to their end and have nothing open."""
    open_batch = select(Batch.id).where(Batch.run_id == Run.id, col(Batch.open)).exists()
    query = select(Run).where(Run.state == "running", col(Run.planned_at).is_not(None), ~open_batch)
    return session.exec(query.with_for_update(skip_locked=True)).all()


def batches_of_cancelled(session: Session, *, now: datetime, most: int) -> list[int]:
    """Return, locked, open batches of cancelled campaigns that nobody holds."""
    query = (
        select(Batch.id)
        .join(Run, col(Run.id) == col(Batch.run_id))
        .join(Campaign, col(Campaign.id) == col(Run.campaign_id))
        .where(col(Batch.open), Campaign.state == CampaignState.CANCELLED)
        .where((col(Batch.lease_until).is_(None)) | (col(Batch.lease_until) < now))
    )
    return list(session.exec(query.limit(most).with_for_update(of=Batch, skip_locked=True)).all())


def between(session: Session, start: datetime, end: datetime) -> list[Known]:
    """Return, in one query, the campaigns with a run between two instants, and all that may go out some day."""
    joined = (col(Run.campaign_id) == Campaign.id) & (col(Run.not_before) >= start) & (col(Run.not_before) < end)
    query = select(Campaign, Run.not_before, Run.state).outerjoin(Run, joined)
    query = query.where(
        col(Run.id).is_not(None) | col(Campaign.state).in_(_TO_COME), col(Campaign.archived_at).is_(None)
    )
    ordered = session.exec(query.order_by(col(Campaign.id), col(Run.ordinal)))
    rows: list[tuple[Campaign, datetime | None, str]] = list(ordered)  # no run: an outer join
    return [
        Known(
            campaign_id=row.id,
            name=row.name,
            state=row.state,
            plan=Plan.model_validate(row.plan),
            scheduled_for=row.scheduled_for,
            state_changed_at=row.state_changed_at,
            runs=tuple((at, state) for _, at, state in some if at is not None),
        )
        for row, some in ((row, list(some)) for row, some in groupby(rows, key=itemgetter(0)))
    ]
