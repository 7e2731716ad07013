"""What a contact was sent lately, over all campaigns: asked when a run is planned, and again at the gate."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import column, text
from sqlmodel import Session
from sqlmodel.sql.sqltypes import UTCDateTime

from broadcaster.core.pacing import Limit
from broadcaster.storage.database import any_id, array, id_list, sql

#: Marketing that a provider took or may have taken; a retry of a step that was not taken is planned again.
_HANDED_OVER = """FROM delivery d JOIN step s ON s.run_id = d.run_id AND s.delivery_id = d.id
    JOIN purpose p ON p.id = s.purpose_id
    WHERE p.kind = 'marketing' AND s.state IN ('dispatching', 'accepted', 'unknown') AND s.gate_at > :since"""
_MARK = sql(
    f"""UPDATE plan_chunk SET reason = 'frequency_cap' WHERE reason IS NULL AND due_at = :due
    AND (SELECT count(*) {_HANDED_OVER} AND d.contact_id = plan_chunk.contact_id) >= :most""",
    "due",
    "since",
)
_MARK_RESTING = sql(f"{_MARK.text} AND rest_days = :days", "due", "since")
_RESTS = text("SELECT DISTINCT rest_days FROM plan_chunk WHERE reason IS NULL AND rest_days IS NOT NULL")


def mark_reached(session: Session, limits: Sequence[Limit], due: Collection[datetime]) -> None:
    """Refuse the staged members who will have had enough at their send time; *due*: every such time in the stage.

    *limits* are the organisation's; who asked for fewer messages has one more of their own.
    """
    rests = [int(row[0]) for row in session.connection().execute(_RESTS)]
    for at in due:
        for limit in limits:
            values = {"due": at, "since": at - limit.period, "most": limit.most}
            session.connection().execute(_MARK, values)
        for days in rests:
            values = {"due": at, "since": at - timedelta(days=days), "most": 1, "days": days}
            session.connection().execute(_MARK_RESTING, values)


def lock_contacts(session: Session, contact_ids: Collection[int]) -> None:
    """Let one gate at a time judge a contact, before it locks addresses; SQLite's one writer is lock enough."""
    if contact_ids and session.connection().dialect.name == "postgresql":
        rule = "SELECT id FROM contact WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR NO KEY UPDATE"
        session.connection().execute(text(rule), {"ids": array(sorted(contact_ids))})


def handed_over(session: Session, contact_ids: Sequence[int], *, since: datetime) -> dict[int, list[datetime]]:
    """Return when each contact was last sent marketing; who got none is absent."""
    rule = f"SELECT d.contact_id, s.gate_at {_HANDED_OVER} AND d.contact_id {any_id(session)}"
    statement = sql(rule, "since").columns(column("contact_id"), column("gate_at", UTCDateTime()))
    found: dict[int, list[datetime]] = {}
    for contact, at in session.connection().execute(statement, {"ids": id_list(session, contact_ids), "since": since}):
        found.setdefault(contact, []).append(at)
    return found
