"""Token buckets and breakers in SQL: one per account, shared by all workers, alive without a broker."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection, column
from sqlmodel import Session
from sqlmodel.sql.sqltypes import UTCDateTime

from broadcaster.core.breaker import TRIAL_CALLS, Breaker
from broadcaster.core.deliveries import Outcome
from broadcaster.storage.database import sql

#: A bucket holds at most this many seconds of its rate, so that an idle account does not blast.
BURST_SECONDS = 1.0

_ENSURE = sql(
    "INSERT INTO rate_bucket (account_id, tokens, refilled_at, failures, openings) "
    "VALUES (:account, :tokens, :now, 0, 0) "
    "ON CONFLICT (account_id) DO NOTHING",
    "now",
)
#: The rate is read each time, so that a change is obeyed by the next call of every worker.
_LIMITS = sql(
    "SELECT k.rate_per_second, t.refilled_at, t.failures, t.openings "
    "FROM account k LEFT JOIN rate_bucket t ON t.account_id = k.id WHERE k.id = :account"
).columns(column("rate_per_second"), column("refilled_at", UTCDateTime()), column("failures"), column("openings"))
_TOKENS = "SELECT tokens, refilled_at FROM rate_bucket WHERE account_id = :account"
_WRITE = sql("UPDATE rate_bucket SET tokens = :tokens, refilled_at = :now WHERE account_id = :account", "now")


class Taken(NamedTuple):
    """How many calls may start now, and the account's breaker."""

    tokens: int
    breaker: Breaker


def take(session: Session, account_id: int, want: int, *, now: datetime, flying: int = 0) -> Taken:
    """Take up to *want* tokens of an account; none while it is paused.

    An account that is tried again after failures gets a few calls only; *flying*: how many of ours it has already.
    """
    connection = session.connection()
    rate, refilled_at, failures, openings = connection.execute(_LIMITS, {"account": account_id}).one()
    breaker = Breaker(failures or 0, openings or 0)
    if refilled_at is not None and refilled_at > now:
        return Taken(0, breaker)
    if breaker.trying:
        want = min(want, max(TRIAL_CALLS - flying, 0))
    if rate is None or not want:
        return Taken(want, breaker)
    return Taken(_from_bucket(connection, account_id, want, rate=rate, now=now, new=refilled_at is None), breaker)


def _from_bucket(connection: Connection, account_id: int, want: int, *, rate: float, now: datetime, new: bool) -> int:
    capacity = max(1.0, rate * BURST_SECONDS)
    if new:
        connection.execute(_ENSURE, {"account": account_id, "tokens": capacity, "now": now})
    lock = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    statement = sql(_TOKENS + lock).columns(column("tokens"), column("refilled_at", UTCDateTime()))
    tokens, refilled_at = connection.execute(statement, {"account": account_id}).one()
    if refilled_at > now:
        return 0
    tokens = min(capacity, tokens + (now - refilled_at).total_seconds() * rate)
    granted = min(want, int(tokens))
    connection.execute(_WRITE, {"account": account_id, "tokens": tokens - granted, "now": now})
    return granted


_PAUSE = sql(
    "INSERT INTO rate_bucket (account_id, tokens, refilled_at, failures, openings) VALUES (:account, 0, :until, 0, 0) "
    "ON CONFLICT (account_id) DO UPDATE SET tokens = 0, refilled_at = "
    "CASE WHEN excluded.refilled_at > rate_bucket.refilled_at THEN excluded.refilled_at ELSE rate_bucket.refilled_at "
    "END",
    "until",
)


def pause(session: Session, account_id: int, *, until: datetime) -> None:
    """Let nothing start on an account before *until*: the provider asked us to wait."""
    session.connection().execute(_PAUSE, {"account": account_id, "until": until})


_STATE = "SELECT refilled_at, failures, openings FROM rate_bucket WHERE account_id = :account"
_BREAK = sql("UPDATE rate_bucket SET failures = :failures, openings = :openings WHERE account_id = :account")


def judge(session: Session, account_id: int, outcomes: Sequence[Outcome], *, now: datetime) -> tuple[Breaker, Breaker]:
    """Let calls that ended count for or against an account, and pause it if its breaker opens; return before, after.

    Failures of calls that were on the wire when it opened are no news.
    """
    connection = session.connection()
    connection.execute(_ENSURE, {"account": account_id, "tokens": 0.0, "now": now})
    lock = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    statement = sql(_STATE + lock).columns(column("refilled_at", UTCDateTime()), column("failures"), column("openings"))
    paused_until, *known = connection.execute(statement, {"account": account_id}).one()
    before = Breaker(*known)
    after = before.after(outcomes)
    if after.openings > before.openings and before.trying and paused_until > now:
        return before, before
    if after != before:
        values = {"account": account_id, "failures": after.failures, "openings": after.openings}
        connection.execute(_BREAK, values)
    if after.openings > before.openings:
        pause(session, account_id, until=now + timedelta(seconds=after.pause_seconds))
    return before, after


_RESTING = sql(
    "SELECT account_id, refilled_at, openings FROM rate_bucket WHERE openings > 0 ORDER BY account_id"
).columns(column("account_id"), column("until", UTCDateTime()), column("openings"))


class Resting(NamedTuple):
    """An account that does not answer: when it is tried again, and how often in a row it was left alone."""

    account_id: int
    until: datetime
    openings: int


def resting(session: Session) -> list[Resting]:
    """Return the accounts whose breaker is open or being tried."""
    return [Resting(*row) for row in session.connection().execute(_RESTING)]
