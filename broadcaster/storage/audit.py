"""What an auditor reads: consent events with the words shown and where they stand in the log. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, text
from sqlmodel import Session
from sqlmodel.sql.sqltypes import UTCDateTime

from broadcaster.core.consent import Action, Source
from broadcaster.storage import consent
from broadcaster.storage.database import any_id, id_list

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Filter:
    """Which consent events; None and empty mean all. Times are bounds of ``received_at``: since <= it < until.

    ``contact_id`` reaches whoever was merged with that person. ``digests`` are blind indexes of one address.
    ``purpose_id`` reaches every purpose below it.
    """

    contact_id: int | None = None
    digests: tuple[bytes, ...] | None = None
    purpose_id: int | None = None
    channel: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    action: Action | None = None
    source: Source | None = None


_PERSON = """e.address_id IN (SELECT l.address_id FROM contact_address l WHERE l.contact_id IN (
    WITH RECURSIVE up (id, above) AS (
        SELECT id, merged_into FROM contact WHERE id = :contact
        UNION SELECT c.id, c.merged_into FROM contact c JOIN up ON c.id = up.above),
    same (id) AS (SELECT id FROM up UNION SELECT c.id FROM contact c JOIN same ON c.merged_into = same.id)
    SELECT id FROM same))"""
_RULES = {
    "contact_id": _PERSON,
    "digests": "a.digest IN :digests",
    "purpose_id": "e.purpose_id {purposes}",
    "channel": "a.channel = :channel",
    "since": "e.received_at >= :since",
    "until": "e.received_at < :until",
    "action": "e.action = :action",
    "source": "e.source = :source",
}
_FROM = "FROM consent_event e JOIN address a ON a.id = e.address_id"
_ROWS = """
    SELECT e.id, e.address_id, e.purpose_id, e.action, e.actor, e.source, e.basis, e.clock, e.occurred_at,
        e.received_at, e.expires_at, e.wording_id, e.staff_id, e.import_id, e.step_id, e.ineffective, e.entry_id,
        e.commitment, a.channel, a.status AS address_status, a.value_ct, a.key_id, a.country, k.wrapped, k.wrapping_key,
        v.body_ct, v.salt, i.erasure_id, l.position, l.kind AS entry_kind, l.commitment AS entry_commitment,
        l.created_at AS recorded_at, p.key AS purpose, w.language, w.sha256 AS wording_sha256, w.version,
        w.text AS wording,
        (SELECT max(b.id) FROM consent_event b WHERE b.address_id = e.address_id AND b.purpose_id = e.purpose_id
            AND b.id < e.id) AS supersedes,
        CASE WHEN e.action = 'confirmed' THEN (SELECT max(b.received_at) FROM consent_event b
            WHERE b.address_id = e.address_id AND b.purpose_id = e.purpose_id AND b.action = 'requested'
            AND b.id < e.id) END AS asked_at
    {start}
        JOIN log_entry l ON l.id = e.entry_id JOIN purpose p ON p.id = e.purpose_id
        LEFT JOIN wording w ON w.id = e.wording_id LEFT JOIN consent_evidence v ON v.event_id = e.id
        LEFT JOIN erased_item i ON i.kind = 'consent' AND i.item_id = e.id AND i.part = 0
        LEFT JOIN person_key k ON k.id = a.key_id
    WHERE {rules} AND e.id > :after AND e.id < :before ORDER BY e.id {order} LIMIT :page"""
_TIMES = ("occurred_at", "received_at", "expires_at", "recorded_at", "asked_at")


def page(
    session: Session, wanted: Filter, *, after: int = 0, before: int = 2**62, limit: int = PAGE, newest: bool = False
) -> Sequence[Row[Any]]:
    """Return consent events with after < id < before, oldest first, or the newest ones first."""
    rules, values = _rules(session, wanted)
    statement = _ROWS.format(start=_FROM, rules=rules, order="DESC" if newest else "ASC")
    query = _bound(statement, wanted).columns(**{name: UTCDateTime() for name in _TIMES})
    paging = {"after": after, "before": before, "page": limit}
    return session.connection().execute(query, {**values, **paging}).all()


def everything(session: Session, wanted: Filter, *, before: int) -> Iterator[Row[Any]]:
    """Yield consent events, oldest first, in constant memory."""
    after = 0
    while True:
        rows = page(session, wanted, after=after, before=before, limit=PAGE)
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1].id


def extent(session: Session, wanted: Filter) -> tuple[int, int]:
    """Return (how many events, one more than the newest id)."""
    rules, values = _rules(session, wanted)
    query = _bound(f"SELECT count(*), coalesce(max(e.id), 0) + 1 {_FROM} WHERE {rules}", wanted)
    row = session.connection().execute(query, values).one()
    return int(row[0]), int(row[1])


def _bound(statement: str, wanted: Filter) -> Any:
    query = text(statement)
    times = [bindparam(name, type_=UTCDateTime()) for name in ("since", "until") if getattr(wanted, name) is not None]
    many: list[Any] = [bindparam("digests", expanding=True)] if wanted.digests is not None else []
    return query.bindparams(*times, *many)


def _rules(session: Session, wanted: Filter) -> tuple[str, dict[str, Any]]:
    rules, values = ["1 = 1"], _values(session, wanted)
    for name, rule in _RULES.items():
        if getattr(wanted, name) is not None:
            rules.append(rule.replace("{purposes}", any_id(session, "purposes")))
    return " AND ".join(rules), values


def _values(session: Session, wanted: Filter) -> dict[str, Any]:
    below = [purpose for purpose, path in consent.paths(session).items() if wanted.purpose_id in path]
    values = {
        "contact": wanted.contact_id,
        "digests": None if wanted.digests is None else list(wanted.digests),
        "purposes": None if wanted.purpose_id is None else id_list(session, below),
        "channel": wanted.channel,
        "since": wanted.since,
        "until": wanted.until,
        "action": wanted.action,
        "source": wanted.source,
    }
    return {name: value for name, value in values.items() if value is not None}


def trails(session: Session) -> dict[int, str]:
    """Return each purpose's place in the tree, such as ``marketing/offers``."""
    keys = {row[0]: row[1] for row in session.connection().execute(text("SELECT id, key FROM purpose"))}
    return {one: "/".join(keys[step] for step in path[1:] or path) for one, path in consent.paths(session).items()}


def accounts(session: Session) -> list[tuple[str, int]]:
    """Return (channel, id) of every account: addresses of some channels are known to one account only."""
    rows = session.connection().execute(text("SELECT channel, id FROM account ORDER BY id"))
    return [(row[0], row[1]) for row in rows]
