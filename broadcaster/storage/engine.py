"""Counts that say what the engine is doing now."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, col, select

from broadcaster.storage import log, rates, workers
from broadcaster.storage.database import sql
from broadcaster.storage.tables import Account, RateBucket


def status(session: Session, *, now: datetime) -> dict[str, Any]:
    """Return the counts; ages are in seconds."""
    connection = session.connection()
    campaigns = connection.execute(text("SELECT state, count(*) FROM campaign GROUP BY state")).all()
    oldest = connection.execute(
        sql(
            "SELECT min(b.due_at) AS due FROM batch b JOIN run r ON r.id = b.run_id "
            "JOIN campaign c ON c.id = r.campaign_id WHERE b.open AND b.due_at <= :now AND c.state = 'running'",
            "now",
        ).columns(due=_utc()),
        {"now": now},
    ).scalar_one()
    steps = connection.execute(
        text("SELECT s.state, count(*) FROM step s JOIN batch b ON b.id = s.batch_id WHERE b.open GROUP BY s.state")
    ).all()
    head = log.head(session)
    return {
        "workers": [
            {"name": one.name, "channels": one.channels.split() or ["all"], "since": one.started_at.isoformat()}
            for one in workers.alive(session, now=now)
        ],
        "unserved": workers.unserved(session, now=now),
        "campaigns": {row[0]: row[1] for row in campaigns},
        "steps_in_open_batches": {row[0]: row[1] for row in steps},
        "oldest_due_seconds": None if oldest is None else round((now - oldest).total_seconds(), 1),
        "accounts_resting": [
            {"account": one.account_id, "until": one.until.isoformat(), "times": one.openings}
            for one in rates.resting(session)
        ],
        "accounts": _accounts(session, now),
        "log_size": 0 if head is None else head.size,
        "log_unnumbered": log.count_unnumbered_before(session, now),
    }


_FLYING = text(
    "SELECT b.account_id, count(*) FROM step s JOIN batch b ON b.id = s.batch_id "
    "WHERE b.open AND s.state = 'dispatching' GROUP BY b.account_id"
)
#: Only of what is being sent now: the rows of years are for the reports.
_TROUBLE = text(
    "SELECT b.account_id, s.outcome FROM step s JOIN batch b ON b.id = s.batch_id "
    "WHERE b.open AND s.outcome IS NOT NULL AND s.outcome <> 'accepted' ORDER BY s.settled_at"
)


def _accounts(session: Session, now: datetime) -> list[dict[str, Any]]:
    """Tell of every account in use or on hold: ``last_error`` is the outcome's name, never a provider's words."""
    connection = session.connection()
    flying = {row[0]: int(row[1]) for row in connection.execute(_FLYING)}
    trouble = {row[0]: str(row[1]) for row in connection.execute(_TROUBLE)}
    pauses = {row.account_id: _pause(row, now) for row in session.exec(select(RateBucket))}
    query = select(Account).where(Account.state != "disabled").order_by(col(Account.id))
    return [
        {
            "id": row.id,
            "name": row.name,
            "channel": row.channel,
            "state": row.state,
            "rate_per_second": row.rate_per_second,
            "paused_until": until.isoformat() if (until := pauses.get(row.id)) is not None else None,
            "in_flight": flying.get(row.id, 0),
            "last_error": row.state_reason or trouble.get(row.id),
        }
        for row in session.exec(query)
    ]


def _pause(row: RateBucket, now: datetime) -> datetime | None:
    """Return until when nothing starts on an account: a wait, a rest, or a day of warming up that is full."""
    full = row.day_most is not None and row.day_sent >= row.day_most
    until = max(row.refilled_at, row.day_ends) if full and row.day_ends is not None else row.refilled_at
    return until if until > now else None


def _utc() -> Any:
    from sqlmodel.sql.sqltypes import UTCDateTime

    return UTCDateTime()
