"""Find a thing by its id or by its name, as people on a command line call it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlmodel import Session, col, select

from broadcaster.core.errors import Conflict, NotFound
from broadcaster.storage.tables import Account, Audience, Brand, Campaign, Purpose, Template

T = TypeVar("T", Account, Audience, Brand, Campaign, Purpose, Template)


def find(session: Session, table: type[T], told: str) -> T:
    """Return the row whose id, key or name is *told*. Raises NotFound, Conflict ``ambiguous`` for several of a name."""
    what = table.__name__.lower()
    if told.isascii() and told.isdigit() and len(told) < 19:
        found = session.get(table, int(told))
        if found is not None:
            return found
    columns: Any = table
    name = columns.key if hasattr(columns, "key") else columns.name
    rows = session.exec(select(table).where(name == told).limit(2)).all()
    if len(rows) > 1:
        raise Conflict(f"several have this name: say the id of the {what}", code="ambiguous")
    if not rows:
        raise NotFound(f"there is no such {what}", code=f"no_{what}")
    return rows[0]


def everyone(session: Session, table: type[T]) -> Sequence[T]:
    """Return all rows that are not archived, by id."""
    query = select(table).order_by(col(table.id))
    archived: Any = getattr(table, "archived_at", None)
    return session.exec(query if archived is None else query.where(archived.is_(None))).all()
