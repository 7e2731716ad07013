"""How far accounts have warmed up (``core/warmup``), in the row of their token bucket: one lock for all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import column
from sqlmodel import Session
from sqlmodel.sql.sqltypes import UTCDateTime

from broadcaster.core.warmup import Day
from broadcaster.storage.database import sql

_DAY = "SELECT day_number, day_ends, day_sent FROM rate_bucket WHERE account_id = :account"
_COUNT = sql(
    "UPDATE rate_bucket SET day_number = :number, day_ends = :ends, day_sent = :sent, day_most = :most "
    "WHERE account_id = :account",
    "ends",
)
_UNCOUNT = sql(
    "UPDATE rate_bucket SET day_sent = day_sent - :calls WHERE account_id = :account AND day_ends = :ends", "ends"
)
_FORGET = sql("UPDATE rate_bucket SET day_number = 0, day_ends = NULL, day_sent = 0 WHERE account_id = :account")
_RECKON = sql("UPDATE rate_bucket SET day_most = NULL WHERE account_id = :account")
#: A condition on accounts ``b.account_id``: there is something that holds all their calls until later.
HELD_BACK = """EXISTS (SELECT 1 FROM rate_bucket t WHERE t.account_id = b.account_id
    AND (t.refilled_at > :now OR (t.day_sent >= t.day_most AND t.day_ends > :now)))"""


def last_day(session: Session, account_id: int, *, lock: bool = False) -> Day:
    """Return the last day on which an account sent while warming up; *lock* its row."""
    connection = session.connection()
    end = " FOR UPDATE" if lock and connection.dialect.name == "postgresql" else ""
    statement = sql(_DAY + end).columns(column("day_number"), column("day_ends", UTCDateTime()), column("day_sent"))
    row = connection.execute(statement, {"account": account_id}).first()
    return Day() if row is None else Day(*row)


def count(session: Session, account_id: int, today: Day, days: Sequence[int]) -> None:
    """Write what left today; nothing more is tried once the day is full."""
    values = {"number": today.number, "ends": today.ends, "sent": today.sent, "most": today.most(days)}
    session.connection().execute(_COUNT, {"account": account_id, **values})


def uncount(session: Session, account_id: int, ends: Iterable[datetime | None]) -> None:
    """Take calls that were counted and did not start off their days; *ends*: of each call's day, None where none."""
    for day, calls in Counter(ends).items():
        if day is not None:
            session.connection().execute(_UNCOUNT, {"account": account_id, "ends": day, "calls": calls})


def changed(session: Session, account_id: int, *, begins: bool) -> None:
    """Look at an account's day again after its warm-up was changed; *begins*: from its first day on."""
    values = {"account": account_id}
    if begins:
        session.connection().execute(_FORGET, values)
    session.connection().execute(_RECKON, values)
