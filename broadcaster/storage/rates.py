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
from broadcaster.storage import warmups
from broadcaster.storage.database import sql
from broadcaster.storage.tables.base import Json

#: A bucket holds at most this many seconds of its rate, so that an idle account does not blast.
BURST_SECONDS = 1.0

_NEW = "INSERT INTO rate_bucket (account_id, tokens, refilled_at, failures, openings, day_number, day_sent)"
_ENSURE = sql(f"{_NEW} VALUES (:account, :tokens, :now, 0, 0, 0, 0) ON CONFLICT (account_id) DO NOTHING", "now")
_LIMITS = sql(
    "SELECT k.rate_per_second, k.warm_up, k.domain_rates, t.refilled_at, t.failures, t.openings "
    "FROM account k LEFT JOIN rate_bucket t ON t.account_id = k.id WHERE k.id = :account"
).columns(
    column("rate_per_second"),
    column("warm_up", Json),
    column("domain_rates", Json),
    column("refilled_at", UTCDateTime()),
    column("failures"),
    column("openings"),
)
_TOKENS = "SELECT tokens, refilled_at FROM rate_bucket WHERE account_id = :account"
_WRITE = sql("UPDATE rate_bucket SET tokens = :tokens, refilled_at = :now WHERE account_id = :account", "now")


class Limits(NamedTuple):
    """What holds an account back, as it reads now."""

    account_id: int
    rate_per_second: float | None
    warm_up: list[int]
    domain_rates: dict[str, int]
    refilled_at: datetime | None  #: None: nothing was ever counted; in the future: nothing starts before
    failures: int | None
    openings: int | None


class Taken(NamedTuple):
    """How many calls may start now, and the account's breaker.

    ``day_ends``: of the day of warming up for which they count; ``day_full``: nothing more may start in it.
    """

    tokens: int
    breaker: Breaker
    day_ends: datetime | None = None
    day_full: bool = False


def limits(session: Session, account_id: int) -> Limits:
    """Read what holds an account back; read each time, so that a change is obeyed at once."""
    return Limits(account_id, *session.connection().execute(_LIMITS, {"account": account_id}).one())


def lock(session: Session, limits: Limits, *, now: datetime) -> None:
    """Let one gate at a time count the account's calls."""
    connection = session.connection()
    values = {"account": limits.account_id, "tokens": _capacity(limits.rate_per_second or 0), "now": now}
    connection.execute(_ENSURE, values)
    if connection.dialect.name == "postgresql":
        connection.execute(sql(_TOKENS + " FOR UPDATE"), {"account": limits.account_id})


def take(
    session: Session, limits: Limits, want: int, *, now: datetime, flying: int = 0, zone_name: str = "UTC"
) -> Taken:
    """Take up to *want* tokens of an account; none while it is paused.

    An account that is tried again after failures gets a few calls only; *flying*: how many of ours it has already.
    One that warms up gets what is left of its day, which ends at midnight in *zone_name*.
    """
    connection = session.connection()
    account_id, rate, warm_up, _, refilled_at, failures, openings = limits
    breaker = Breaker(failures or 0, openings or 0)
    if refilled_at is not None and refilled_at > now:
        return Taken(0, breaker)
    if breaker.trying:
        want = min(want, max(TRIAL_CALLS - flying, 0))
    if not want or (rate is None and not warm_up):
        return Taken(want, breaker)
    if refilled_at is None:
        connection.execute(_ENSURE, {"account": account_id, "tokens": _capacity(rate or 0), "now": now})
    if not warm_up:
        assert rate is not None, "one of the two holds it back"
        return Taken(_from_bucket(connection, account_id, want, rate=rate, now=now), breaker)
    today = warmups.last_day(session, account_id, lock=True).at(now, zone_name)
    most = today.most(warm_up)
    want = want if most is None else min(want, max(most - today.sent, 0))
    granted = want if rate is None else _from_bucket(connection, account_id, want, rate=rate, now=now)
    if most is None:
        return Taken(granted, breaker)
    today = today.after(granted)
    warmups.count(session, account_id, today, warm_up)
    return Taken(granted, breaker, today.ends, today.sent >= most)


def _capacity(rate: float) -> float:
    return max(1.0, rate * BURST_SECONDS)


def _from_bucket(connection: Connection, account_id: int, want: int, *, rate: float, now: datetime) -> int:
    lock = " FOR UPDATE" if connection.dialect.name == "postgresql" else ""
    statement = sql(_TOKENS + lock).columns(column("tokens"), column("refilled_at", UTCDateTime()))
    tokens, refilled_at = connection.execute(statement, {"account": account_id}).one()
    if refilled_at > now:
        return 0
    tokens = min(_capacity(rate), tokens + (now - refilled_at).total_seconds() * rate)
    granted = min(want, int(tokens))
    connection.execute(_WRITE, {"account": account_id, "tokens": tokens - granted, "now": now})
    return granted


_PAUSE = sql(
    f"{_NEW} VALUES (:account, 0, :until, 0, 0, 0, 0) "
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
