"""Consent of everybody, counted: totals at a moment, gains and losses, what runs out, what waits for a decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlmodel import Session, col, select

from broadcaster.core.consent import GRANTS, REFUSALS, Action
from broadcaster.storage.database import sql
from broadcaster.storage.tables import Conversation, Message

Totals = Counter[tuple[int, str]]  #: (purpose, standing) -> addresses


@dataclass(frozen=True, slots=True)
class Change:
    """So many addresses opened or lost to one purpose, for one cause."""

    purpose_id: int
    gained: bool
    source: str
    campaign_id: int | None
    rule: str | None
    count: int


_UNCHANGED = sql(
    """SELECT s.purpose_id,
        CASE WHEN s.standing = 'granted' AND s.expires_at <= :at THEN 'expired' ELSE s.standing END, count(*)
    FROM consent_state s
    WHERE NOT EXISTS (SELECT 1 FROM consent_event e WHERE e.address_id = s.address_id AND e.received_at > :at)
    GROUP BY 1, 2""",
    "at",
)


def totals_unchanged(session: Session, at: datetime) -> Totals:
    """Count where those addresses stand to whom nothing has happened since *at*: they stood there then."""
    found = session.connection().execute(_UNCHANGED, {"at": at})
    return Counter({(row[0], row[1]): row[2] for row in found})


_CHANGED = sql(
    """SELECT DISTINCT e.address_id FROM consent_event e
    WHERE e.received_at > :at AND e.address_id > :last
        AND EXISTS (SELECT 1 FROM consent_event b WHERE b.address_id = e.address_id AND b.received_at <= :at)
    ORDER BY 1 LIMIT :page""",
    "at",
)


def changed_since(session: Session, at: datetime, *, page: int = 5000) -> Iterator[list[int]]:
    """Yield, page by page, the addresses that have events both before and after *at*."""
    last = 0
    while True:
        found = session.connection().execute(_CHANGED, {"at": at, "last": last, "page": page})
        ids = [row[0] for row in found]
        if not ids:
            return
        yield ids
        last = ids[-1]


_YES = ", ".join(f"'{one.value}'" for one in sorted(GRANTS))
_NO = ", ".join(f"'{one.value}'" for one in sorted({*REFUSALS, Action.EXPIRED}))
#: Every leaf an event speaks of, and whether a yes stood there before. Holds are neither a yes nor a no.
_CHANGES = f"""
    WITH node (leaf, node) AS ({{nodes}}),
    change AS (
        SELECT n.leaf, e.id, e.source, e.step_id, e.action IN ({_YES}) AS yes,
            COALESCE((SELECT b.action IN ({_YES}) FROM consent_event b
                WHERE b.address_id = e.address_id AND b.id < e.id AND NOT b.ineffective
                    AND (b.purpose_id = n.leaf AND b.action IN ({_YES})
                        OR b.action IN ({_NO}) AND b.purpose_id IN (SELECT o.node FROM node o WHERE o.leaf = n.leaf))
                ORDER BY b.id DESC LIMIT 1), (1 = 0)) AS stood
        FROM consent_event e JOIN node n ON n.node = e.purpose_id AND (n.leaf = n.node OR e.action IN ({_NO}))
        WHERE e.received_at >= :opens AND e.received_at < :closes
            AND NOT e.ineffective AND e.action IN ({_YES}, {_NO})
    )
    SELECT c.leaf, c.yes, c.source, r.campaign_id, v.rule, count(*)
    FROM change c LEFT JOIN consent_evidence v ON v.event_id = c.id
        LEFT JOIN step s ON s.id = c.step_id LEFT JOIN run r ON r.id = s.run_id
    WHERE c.yes <> c.stood
    GROUP BY 1, 2, 3, 4, 5"""
_RAN_OUT = sql(
    """SELECT purpose_id, count(*) FROM consent_state
    WHERE standing = 'granted' AND expires_at >= :opens AND expires_at < :closes AND expires_at <= :now
    GROUP BY 1""",
    "opens",
    "closes",
    "now",
)


def changes(
    session: Session, opens: datetime, closes: datetime, *, leaves: Mapping[int, Sequence[int]]
) -> list[Change]:
    """Return who opened and who was lost from *opens* until before *closes*; *leaves* gives each leaf's path.

    A yes counts where none stood, a no where a yes stood.
    """
    nodes = " UNION ALL ".join(f"SELECT {leaf:d}, {node:d}" for leaf, path in leaves.items() for node in path)
    if not nodes:
        return []
    times = {"opens": opens, "closes": closes}
    found = session.connection().execute(sql(_CHANGES.format(nodes=nodes), *times), times)
    return [Change(row[0], bool(row[1]), *row[2:]) for row in found]


def ran_out(session: Session, opens: datetime, closes: datetime, *, now: datetime) -> list[Change]:
    """Return the consents that ran out by their date and still stand so; their source is ``expired``."""
    over = session.connection().execute(_RAN_OUT, {"opens": opens, "closes": closes, "now": now})
    return [Change(row[0], False, "expired", None, None, row[1]) for row in over]


@dataclass(frozen=True, slots=True)
class Ending:
    """So many consents to one purpose that run out within ``days`` (and not within the shorter spans)."""

    purpose_id: int
    days: int
    count: int


def ending(session: Session, now: datetime, *, within: Sequence[int]) -> list[Ending]:
    """Count the consents still valid that run out within each number of days, shortest span first."""
    found, begin = [], now
    for days in within:
        end = now + timedelta(days=days)
        rows = session.connection().execute(_ENDING, {"opens": begin, "closes": end})
        found += [Ending(row[0], days, row[1]) for row in rows]
        begin = end
    return found


_ENDING = sql(
    """SELECT purpose_id, count(*) FROM consent_state
    WHERE standing = 'granted' AND expires_at > :opens AND expires_at <= :closes GROUP BY 1""",
    "opens",
    "closes",
)


def by_action(session: Session, wording_id: int) -> dict[str, int]:
    """Count what happened by these words."""
    query = text("SELECT action, count(*) FROM consent_event WHERE wording_id = :wording GROUP BY 1 ORDER BY 1")
    return {row[0]: row[1] for row in session.connection().execute(query, {"wording": wording_id})}


def waiting(session: Session, *, most: int = 200) -> Sequence[Conversation]:
    """Return the conversations that wait for somebody's decision, the nearest deadline first."""
    query = select(Conversation).where(col(Conversation.needs_review)).order_by(col(Conversation.review_by))
    return session.exec(query.limit(most)).all()


def unclear(session: Session, conversation_ids: Sequence[int]) -> dict[int, Message]:
    """Return the newest message of each conversation that nobody could be sure of."""
    query = select(Message).where(
        col(Message.conversation_id).in_(conversation_ids), col(Message.intent).in_(("unsure", "rights"))
    )
    rows = session.exec(query.order_by(col(Message.id))).all()
    return {row.conversation_id: row for row in rows if row.conversation_id is not None}


def lock_waiting(session: Session, conversation_id: int) -> Conversation | None:
    """Take a conversation that waits for a decision; None if it does not, or somebody else has it."""
    query = select(Conversation).where(Conversation.id == conversation_id, col(Conversation.needs_review))
    locked = query.with_for_update(skip_locked=True).execution_options(populate_existing=True)
    return session.exec(locked).first()


def waits(session: Session, address_id: int) -> bool:
    """Say whether any conversation of an address waits for a decision."""
    query = select(Conversation.id).where(Conversation.address_id == address_id, col(Conversation.needs_review))
    return session.exec(query.limit(1)).first() is not None
