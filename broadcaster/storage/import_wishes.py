"""What somebody asked for about an import and a worker has yet to do: a dry run, an undo. It stands in the row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import String, cast
from sqlmodel import Session, col, select

from broadcaster.storage.tables import ImportJob

_WAITS = ("uploaded", "finished", "failed")


def waiting(session: Session) -> list[int]:
    """Return the imports that somebody wants something of, oldest first."""
    query = select(ImportJob).where(
        col(ImportJob.state).in_(_WAITS), cast(ImportJob.options, String).like('%"wanted"%')
    )
    return [row.id for row in session.exec(query.order_by(col(ImportJob.id))).all() if wish(row) is not None]


def wish(row: ImportJob) -> str | None:
    """Return what is wanted of an import: ``check``, ``undo`` or nothing."""
    for name in ("check", "undo"):
        if part(row, name).get("state") == "wanted":
            return name
    return None


def part(row: ImportJob, name: str) -> dict[str, Any]:
    """Return what is noted under *name*, empty if nothing is."""
    told = row.options.get(name)
    return dict(told) if isinstance(told, dict) else {}


def note(session: Session, row: ImportJob, name: str, values: Mapping[str, Any]) -> None:
    """Note *values* under *name* beside what is there."""
    row.options = {**row.options, name: {**part(row, name), **values}}
    session.add(row)
