"""Which worker processes are alive."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timedelta
from typing import Protocol

from sqlmodel import Session, col, select

from broadcaster.storage.database import Database, sql
from broadcaster.storage.tables import Worker


class _HasDatabase(Protocol):
    @property
    def db(self) -> Database: ...


_BEAT = sql(
    "INSERT INTO worker (name, started_at, seen_at, doing) VALUES (:name, :now, :now, '') "
    "ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at",
    "now",
)
_FORGET = sql("DELETE FROM worker WHERE seen_at < :before", "before")


def beat(runtime: _HasDatabase) -> None:
    """Say that this process is alive, and forget those silent for an hour."""
    db = runtime.db
    with db.transaction() as session:
        now = db.now(session)
        name = f"{platform.node()}:{os.getpid()}"
        session.connection().execute(_BEAT, {"name": name, "now": now})
        session.connection().execute(_FORGET, {"before": now - timedelta(hours=1)})


def alive(session: Session, *, now: datetime) -> list[Worker]:
    """Return the workers seen within the last 15 s."""
    query = select(Worker).where(col(Worker.seen_at) > now - timedelta(seconds=15))
    return list(session.exec(query.order_by(col(Worker.name))).all())
