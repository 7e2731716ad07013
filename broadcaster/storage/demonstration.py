"""Counts of the demonstration, and whether a database is one."""

from __future__ import annotations

import json

from sqlalchemy import text
from sqlmodel import Session

from broadcaster.storage.database import Database
from broadcaster.storage.tables import Setting


def may_be_wiped(database: Database) -> bool:
    """Say whether a database is an earlier demonstration, or holds nobody at all."""
    with database.reading() as session:
        mark = session.get(Setting, "demo")
        if mark is not None and json.loads(mark.value):
            return True
        people = session.connection().execute(text("SELECT count(*) FROM contact")).scalar_one()
        staff = session.connection().execute(text("SELECT count(*) FROM staff")).scalar_one()
        return not people and not staff


def states(session: Session, campaign_id: int) -> dict[str, int]:
    """Return how many deliveries of a campaign are in which state."""
    query = text(
        "SELECT CASE WHEN d.reason IS NOT NULL THEN 'skipped' ELSE s.state END AS state, count(*) FROM delivery d "
        "JOIN run r ON r.id = d.run_id LEFT JOIN step s ON s.run_id = d.run_id AND s.delivery_id = d.id AND s.current "
        "WHERE r.campaign_id = :campaign GROUP BY 1"
    )
    rows = session.connection().execute(query, {"campaign": campaign_id})
    return {row[0]: row[1] for row in rows}


def reasons(session: Session, campaign_id: int) -> dict[str, int]:
    """Return why people of a campaign were not written to."""
    query = text(
        "SELECT coalesce(d.reason, s.reason) AS reason, count(*) FROM delivery d JOIN run r ON r.id = d.run_id "
        "LEFT JOIN step s ON s.run_id = d.run_id AND s.delivery_id = d.id AND s.current "
        "WHERE r.campaign_id = :campaign AND coalesce(d.reason, s.reason) IS NOT NULL GROUP BY 1 ORDER BY 2 DESC"
    )
    return {row[0]: row[1] for row in session.connection().execute(query, {"campaign": campaign_id})}


def audience_size(session: Session) -> int:
    """Return how many contacts there are: the demonstration's audience is everybody."""
    query = text("SELECT count(*) FROM contact WHERE state <> 'erased' AND merged_into IS NULL")
    return int(session.connection().execute(query).scalar_one())


def refused_addresses(session: Session) -> int:
    """Return how many addresses have been closed by their owners' own messages."""
    query = text(
        "SELECT count(DISTINCT address_id) FROM consent_event "
        "WHERE source IN ('keyword', 'one_click', 'preference_page') "
        "AND action IN ('withdrawn', 'objected', 'restricted')"
    )
    return int(session.connection().execute(query).scalar_one())
