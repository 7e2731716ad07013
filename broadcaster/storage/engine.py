"""Counts that say what the engine is doing now."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from broadcaster.storage import log, rates, workers
from broadcaster.storage.database import sql


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
        "workers": [worker.name for worker in workers.alive(session, now=now)],
        "unserved": workers.unserved(session, now=now),
        "campaigns": {row[0]: row[1] for row in campaigns},
        "steps_in_open_batches": {row[0]: row[1] for row in steps},
        "oldest_due_seconds": None if oldest is None else round((now - oldest).total_seconds(), 1),
        "accounts_resting": [
            {"account": one.account_id, "until": one.until.isoformat(), "times": one.openings}
            for one in rates.resting(session)
        ],
        "log_size": 0 if head is None else head.size,
        "log_unnumbered": log.count_unnumbered_before(session, now),
    }


def _utc() -> Any:
    from sqlmodel.sql.sqltypes import UTCDateTime

    return UTCDateTime()
