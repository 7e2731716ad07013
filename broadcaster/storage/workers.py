"""Which worker processes are alive."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timedelta
from typing import Protocol

from sqlmodel import Session, col, select

from broadcaster.storage.database import Database, sql
from broadcaster.storage.tables import Account, Worker


class _Process(Protocol):
    @property
    def db(self) -> Database: ...
    @property
    def channels(self) -> frozenset[str]: ...


_BEAT = sql(
    "INSERT INTO worker (name, started_at, seen_at, channels) VALUES (:name, :now, :now, :channels) "
    "ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, channels = excluded.channels",
    "now",
)
_FORGET = sql("DELETE FROM worker WHERE seen_at < :before", "before")
_LEAVE = sql("DELETE FROM worker WHERE name = :name")


def beat(runtime: _Process) -> None:
    """Say that this process is alive, and forget those silent for an hour."""
    db = runtime.db
    with db.transaction() as session:
        now = db.now(session)
        values = {"name": _own_name(), "now": now, "channels": " ".join(sorted(runtime.channels))}
        session.connection().execute(_BEAT, values)
        session.connection().execute(_FORGET, {"before": now - timedelta(hours=1)})


def leave(runtime: _Process) -> None:
    """Say that this process ends."""
    with runtime.db.transaction() as session:
        session.connection().execute(_LEAVE, {"name": _own_name()})


def _own_name() -> str:
    return f"{platform.node()}:{os.getpid()}"


def alive(session: Session, *, now: datetime) -> list[Worker]:
    """Return the workers seen within the last 15 s."""
    query = select(Worker).where(col(Worker.seen_at) > now - timedelta(seconds=15))
    return list(session.exec(query.order_by(col(Worker.name))).all())


def unserved(session: Session, *, now: datetime) -> list[str]:
    """Return the channels of accounts in use for which no worker is alive."""
    served = [set(worker.channels.split()) for worker in alive(session, now=now)]
    if not all(served):  # somebody serves all
        return []
    used = session.exec(select(Account.channel).where(col(Account.state) == "active").distinct()).all()
    return sorted(set(used).difference(*served))
