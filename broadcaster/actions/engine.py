"""What the engine is doing now, from the rows."""

from __future__ import annotations

from typing import Any

from broadcaster.actions.runtime import Runtime
from broadcaster.storage import engine


def status(runtime: Runtime) -> dict[str, Any]:
    """Return workers alive, campaigns by state, open batches, what is overdue, the size of the log."""
    with runtime.db.reading() as session:
        return engine.status(session, now=runtime.db.now(session))
