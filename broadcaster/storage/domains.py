"""What each mail domain may still get of an account (``core/domain_rates``), and the batches that wait for it.

A domain is a keyed hash here: a row would outlive the people whose addresses it is made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import column, insert
from sqlmodel import Session
from sqlmodel.sql.sqltypes import UTCDateTime

from broadcaster.core.domain_rates import WINDOW, Bucket
from broadcaster.storage.database import allocate, any_id, id_list, sql
from broadcaster.storage.tables import Batch

#: A condition on a batch ``b``: its domain has had all it may have until later.
HELD_BACK = """EXISTS (SELECT 1 FROM domain_bucket d WHERE d.account_id = b.account_id AND d.domain_key = b.domain_key
    AND d.ready_at > :now)"""

_READ = "SELECT domain_key, tokens, refilled_at FROM domain_bucket WHERE account_id = :account AND domain_key {ids}"
_WRITE = sql(
    "INSERT INTO domain_bucket (account_id, domain_key, per_minute, tokens, refilled_at, ready_at) "
    "VALUES (:account, :key, :most, :tokens, :refilled, :ready) ON CONFLICT (account_id, domain_key) DO UPDATE SET "
    "per_minute = excluded.per_minute, tokens = excluded.tokens, refilled_at = excluded.refilled_at, "
    "ready_at = excluded.ready_at",
    "refilled",
    "ready",
)


def read(session: Session, account_id: int, keys: Iterable[int]) -> dict[int, Bucket]:
    """Return the buckets there are; one that is absent is full. The caller holds the account's (``rates.lock``)."""
    statement = sql(_READ.format(ids=any_id(session))).columns(
        column("domain_key"), column("tokens"), column("refilled_at", UTCDateTime())
    )
    rows = session.connection().execute(statement, {"account": account_id, "ids": id_list(session, sorted(keys))})
    return {key: Bucket(tokens, refilled_at) for key, tokens, refilled_at in rows}


def write(session: Session, account_id: int, buckets: Mapping[int, tuple[Bucket, int]]) -> None:
    """Keep buckets, each with its number of messages a minute."""
    rows = [
        {"key": key, "most": most, "tokens": one.tokens, "refilled": one.refilled_at, "ready": one.ready_at(most)}
        for key, (one, most) in sorted(buckets.items())
    ]
    if rows:
        session.connection().execute(_WRITE, [{"account": account_id, **row} for row in rows])


_WAITING = sql(
    "SELECT per_minute, tokens, refilled_at FROM domain_bucket WHERE account_id = :account AND domain_key = :key"
).columns(column("per_minute"), column("tokens"), column("refilled_at", UTCDateTime()))


def worth_reading(session: Session, account_id: int, domain_key: int, *, now: datetime) -> int | None:
    """Return how many steps that wait for a domain are worth being built, at least one; None: all of them."""
    row = session.connection().execute(_WAITING, {"account": account_id, "key": domain_key}).first()
    return None if row is None else max(int(Bucket(row.tokens, row.refilled_at).at(now, row.per_minute).tokens), 1)


_CHANGED = sql("UPDATE domain_bucket SET ready_at = refilled_at WHERE account_id = :account")


def changed(session: Session, account_id: int) -> None:
    """Let what waits be looked at again: the account's table is another."""
    session.connection().execute(_CHANGED, {"account": account_id})


_FORGET = sql("DELETE FROM domain_bucket WHERE refilled_at < :before", "before")


def forget_full(session: Session, *, now: datetime) -> None:
    """Drop the buckets that have filled up: they say no more than none."""
    session.connection().execute(_FORGET, {"before": now - WINDOW - timedelta(seconds=1)})


class Held(NamedTuple):
    """Steps of one run that wait for one domain."""

    run_id: int
    domain_key: int


_MOVE = "UPDATE step SET batch_id = :batch WHERE id {ids} AND state = 'planned'"


def hold_back(session: Session, account_id: int, held: Mapping[Held, Sequence[int]], *, now: datetime) -> None:
    """Move steps we hold the leases of to batches that wait for their domains, so that nothing else waits with them."""
    if not held:
        return
    connection = session.connection()
    ids = allocate(session, "batch", len(held))
    common = {"account_id": account_id, "due_at": now, "open": True, "abandoned": 0}
    connection.execute(
        insert(Batch), [{"id": id_, **one._asdict(), **common} for id_, one in zip(ids, held, strict=True)]
    )
    for id_, steps in zip(ids, held.values(), strict=True):
        statement = sql(_MOVE.format(ids=any_id(session)))
        connection.execute(statement, {"batch": id_, "ids": id_list(session, steps)})
