"""What the engine is doing now, from the rows."""

from __future__ import annotations

from typing import Any

from broadcaster.actions.reports import Progress, progress
from broadcaster.actions.runtime import Runtime
from broadcaster.core.deliveries import State
from broadcaster.storage import engine, listings
from broadcaster.storage.tables import Campaign

_MOST = 50


def status(runtime: Runtime) -> dict[str, Any]:
    """Return the newest campaigns under way, accounts, workers alive, what is overdue, the size of the log."""
    with runtime.db.reading() as session:
        told = engine.status(session, now=runtime.db.now(session))
        rows = listings.campaigns(session, states=("running", "paused", "scheduled"), limit=_MOST)
    return {"under_way": [_told(row, progress(runtime, row.id)) for row in rows], **told}


def _told(row: Campaign, now: Progress) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "state": row.state,
        "planned": now.planned,
        "sent": now.states.get(State.ACCEPTED.value, 0),
        "left": now.open,
        "per_second": now.per_second,
        "ends_at": None if now.ends_at is None else now.ends_at.isoformat(timespec="seconds"),
    }
