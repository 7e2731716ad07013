"""How calls ended, in SQL: settle what has an end, give back what never began. Bulk statements only."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text
from sqlmodel import Session

from broadcaster.storage.database import array, sql


@dataclass(slots=True)
class Settled:
    """How one attempt ended. ``due_at`` is set when it will be tried again."""

    step_id: int
    attempt: int
    state: str
    reason: str | None
    due_at: datetime | None
    outcome: str
    provider_code: str | None
    provider_id: str | None
    commitment: bytes
    salt: bytes


#: A result that comes after the lease was lost still tells the truth about its own attempt: unknown becomes known.
_SETTLE_SET = """state = :state, reason = :reason, due_at = coalesce(:due_at, step.due_at), settled_at = :now,
    outcome = :outcome, provider_code = :provider_code, entry_id = :entry,
    provider_id = {v}provider_id, commitment = {v}commitment, salt = {v}salt"""
_SETTLE_WHERE = (
    "step.id = {v}step_id AND coalesce(step.attempt, 0) = {v}attempt "
    "AND coalesce(step.state, '') IN ('dispatching', 'unknown')"
)
_SETTLE_PG = sql(
    f"""UPDATE step SET {_SETTLE_SET.format(v="v.")}
    FROM unnest(CAST(:step_id AS bigint[]), CAST(:attempt AS int[]), CAST(:provider_id AS text[]),
        CAST(:commitment AS bytea[]), CAST(:salt AS bytea[])) AS v(step_id, attempt, provider_id, commitment, salt)
    WHERE {_SETTLE_WHERE.format(v="v.")} RETURNING step.id""",
    "now",
    "due_at",
)
_SETTLE_SQLITE = sql(
    f"UPDATE step SET {_SETTLE_SET.format(v=':')} WHERE {_SETTLE_WHERE.format(v=':')}",
    "now",
    "due_at",
)
_VERDICT_FIELDS = ("state", "reason", "due_at", "outcome", "provider_code")
_STEP_FIELDS = ("step_id", "attempt", "provider_id", "commitment", "salt")
_verdict = operator.attrgetter(*_VERDICT_FIELDS)


def settle(session: Session, settled: Sequence[Settled], *, entry_id: int, now: datetime) -> set[int]:
    """Write how calls ended, in one statement for all that ended alike; return the steps for which it was news."""
    connection = session.connection()
    common = {"entry": entry_id, "now": now}
    if connection.dialect.name == "postgresql":
        return _settle_alike(connection, settled, common)
    rows = [{name: getattr(one, name) for name in _VERDICT_FIELDS + _STEP_FIELDS} | common for one in settled]
    if connection.execute(_SETTLE_SQLITE, rows).rowcount == len(settled):
        return {one.step_id for one in settled}
    ours = text("SELECT id FROM step WHERE entry_id = :entry")
    return set(connection.execute(ours, {"entry": entry_id}).scalars())


def _settle_alike(connection: Connection, settled: Sequence[Settled], common: dict[str, Any]) -> set[int]:
    alike: dict[tuple[Any, ...], list[Settled]] = {}
    for one in settled:
        alike.setdefault(_verdict(one), []).append(one)
    news: set[int] = set()
    for verdict, group in alike.items():
        columns = {name: array([getattr(one, name) for one in group]) for name in _STEP_FIELDS}
        values = dict(zip(_VERDICT_FIELDS, verdict, strict=True)) | columns | common
        news.update(connection.execute(_SETTLE_PG, values).scalars())
    return news


_GIVE_BACK = sql(
    "UPDATE step SET state = 'planned', attempt = attempt - 1 "
    "WHERE id = :id AND attempt = :attempt AND state = 'dispatching' "
    "AND EXISTS (SELECT 1 FROM batch b WHERE b.id = step.batch_id AND b.lease_owner = :owner)"
)


def give_back(session: Session, steps: Sequence[tuple[int, int]], *, owner: str) -> None:
    """Return steps whose permission ran out before the first byte: nothing was sent, they are gated again.

    Only under our own lease: given back before, a step may be on another worker's wire with the same attempt by now.
    """
    if steps:
        rows = [{"id": step, "attempt": attempt, "owner": owner} for step, attempt in steps]
        session.connection().execute(_GIVE_BACK, rows)
