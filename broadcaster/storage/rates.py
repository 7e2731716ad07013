"""Token buckets in SQL: one per account, shared by all workers, alive without a broker."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import column
from sqlmodel import Session
from sqlmodel.sql.sqltypes import UTCDateTime

from broadcaster.storage.database import sql

#: A bucket holds at most this many seconds of its rate, so that an idle account does not blast.
BURST_SECONDS = 1.0

_ENSURE = sql(
    "INSERT INTO rate_bucket (account_id, tokens, refilled_at) VALUES (:account, :tokens, :now) "
    "ON CONFLICT (account_id) DO NOTHING",
    "now",
)
#: The rate is read each time, so that a change is obeyed by the next call of every worker.
_LIMITS = sql(
    "SELECT k.rate_per_second, t.refilled_at FROM account k LEFT JOIN rate_bucket t ON t.account_id = k.id "
    "WHERE k.id = :account"
).columns(column("rate_per_second"), column("refilled_at", UTCDateTime()))
_TOKENS = "SELECT tokens, refilled_at FROM rate_bucket WHERE account_id = :account"
_WRITE = sql("UPDATE rate_bucket SET tokens = :tokens, refilled_at = :now WHERE account_id = :account", "now")


def take(session: Session, account_id: int, want: int, *, now: datetime) -> int:
    """Take up to *want* tokens of an account and return how many calls may start; none while it is paused."""
    if not want:
        return want
    connection = session.connection()
    rate, refilled_at = connection.execute(_LIMITS, {"account": account_id}).one()
    if refilled_at is not None and refilled_at > now:
        return 0
    if rate is None:
        return want
    capacity = max(1.0, rate * BURST_SECONDS)
    if refilled_at is None:
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
    "INSERT INTO rate_bucket (account_id, tokens, refilled_at) VALUES (:account, 0, :until) "
    "ON CONFLICT (account_id) DO UPDATE SET tokens = 0, refilled_at = "
    "CASE WHEN excluded.refilled_at > rate_bucket.refilled_at THEN excluded.refilled_at ELSE rate_bucket.refilled_at "
    "END",
    "until",
)


def pause(session: Session, account_id: int, *, until: datetime) -> None:
    """Let nothing start on an account before *until*: the provider asked us to wait."""
    session.connection().execute(_PAUSE, {"account": account_id, "until": until})
