"""Token buckets in SQL: one per account, shared by all workers, alive without a broker."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session

from broadcaster.storage.database import sql

#: A bucket holds at most this many seconds of its rate, so that an idle account does not blast.
BURST_SECONDS = 1.0

_ENSURE = sql(
    "INSERT INTO rate_bucket (account_id, tokens, refilled_at) VALUES (:account, :tokens, :now) "
    "ON CONFLICT (account_id) DO NOTHING",
    "now",
)
_PAUSED = sql("SELECT 1 FROM rate_bucket WHERE account_id = :account AND refilled_at > :now", "now")
_WRITE = sql("UPDATE rate_bucket SET tokens = :tokens, refilled_at = :now WHERE account_id = :account", "now")


def take(session: Session, account_id: int, want: int, *, rate: float | None, now: datetime) -> int:
    """Take up to *want* tokens and return how many may start; *rate* is per second, None: all, unless paused."""
    if not want:
        return want
    connection = session.connection()
    if rate is None:
        return 0 if connection.execute(_PAUSED, {"account": account_id, "now": now}).first() else want
    capacity = max(1.0, rate * BURST_SECONDS)
    connection.execute(_ENSURE, {"account": account_id, "tokens": capacity, "now": now})
    lock = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    statement = sql(f"SELECT tokens, refilled_at FROM rate_bucket WHERE account_id = :account{lock}")
    tokens, refilled_at = connection.execute(statement.columns(**_types()), {"account": account_id}).one()
    if refilled_at > now:
        return 0
    tokens = min(capacity, tokens + (now - refilled_at).total_seconds() * rate)
    granted = min(want, int(tokens))
    connection.execute(_WRITE, {"account": account_id, "tokens": tokens - granted, "now": now})
    return granted


def _types() -> dict[str, Any]:
    from broadcaster.storage.tables import RateBucket

    columns = RateBucket.__table__.c  # type: ignore[attr-defined]
    return {"tokens": columns.tokens.type, "refilled_at": columns.refilled_at.type}


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
