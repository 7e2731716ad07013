"""Planning in SQL: who is in the audience, which address, which reason; one range of contact ids at a time.

A range is staged in a temporary table, given its send times, then becomes deliveries, batches and steps by a handful of
set-based statements. Candidates are judged by the same CASE in the plan, the dry run and the counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from sqlalchemy import (
    CTE,
    BigInteger,
    Column,
    ColumnElement,
    MetaData,
    String,
    Table,
    and_,
    case,
    column,
    func,
    insert,
    literal_column,
    text,
)
from sqlalchemy.sql import Select, select
from sqlmodel import Session
from sqlmodel.sql.sqltypes import UTCDateTime

from broadcaster.core.law.terms import Law
from broadcaster.storage import consent
from broadcaster.storage import law as legal
from broadcaster.storage.database import allocate, sql
from broadcaster.storage.tables import Batch, Contact

BATCH_STEPS = 500

#: No index: each would be written three times for a row that is read four times, always with all the others.
_CREATE = """CREATE TEMPORARY TABLE IF NOT EXISTS plan_chunk (
    contact_id BIGINT, address_id BIGINT, account_id BIGINT, channel TEXT, event_id BIGINT,
    zone_key TEXT, country TEXT, rest_days BIGINT, paused_until {time}, reason TEXT, due_at {time})"""
STAGE = Table(
    "plan_chunk",
    MetaData(),
    *(Column(name, BigInteger) for name in ("contact_id", "address_id", "account_id", "event_id", "rest_days")),
    *(Column(name, String) for name in ("channel", "zone_key", "country", "reason")),
    *(Column(name, UTCDateTime()) for name in ("paused_until", "due_at")),
)


#: The query that gives each member of a range its address or its reason.
Choice: TypeAlias = Select[Any]


@dataclass(frozen=True, slots=True)
class Lane:
    """One channel of a campaign, in order of preference, with the account that sends on it."""

    rank: int
    channel: str
    account_id: int
    usable: bool


def open_stage(session: Session) -> None:
    """Make the staging table of this connection, empty."""
    connection = session.connection()
    postgres = connection.dialect.name == "postgresql"
    connection.execute(text(_CREATE.format(time="TIMESTAMPTZ" if postgres else "DATETIME")))
    # nobody vacuums a temporary table: rows deleted there would slow down every later range
    connection.execute(text("TRUNCATE plan_chunk" if postgres else "DELETE FROM plan_chunk"))


#: Candidates: every usable (contact, address) of a range on the campaign's channels, with the reason against it.
_CANDIDATES = """
    SELECT ca.contact_id, a.id AS address_id, lane.account_id, lane.channel, lane.rank AS lane_rank, ca.preferred,
        s.event_id, s.basis, s.since, s.paused_until, a.time_zones, a.country,
        CASE WHEN NOT lane.usable THEN 'no_account' ELSE {refusal} END AS reason
    FROM contact_address ca JOIN address a ON a.id = ca.address_id
        JOIN ({lanes}) lane ON lane.channel = a.channel
            AND (a.account_id IS NULL OR a.account_id = lane.account_id)
        LEFT JOIN {states} s ON s.address_id = a.id AND s.purpose_id = :purpose
    WHERE ca.contact_id > :low AND ca.contact_id <= :high AND ca.valid_to IS NULL"""

_CANDIDATE_COLUMNS = [
    "contact_id",
    "address_id",
    "account_id",
    "channel",
    "lane_rank",
    "preferred",
    "event_id",
    "basis",
    "since",
    "paused_until",
    "time_zones",
    "country",
    "reason",
]
CHOICE_COLUMNS = (
    *("contact_id", "address_id", "account_id", "channel", "event_id", "zone_key", "country", "rest_days"),
    "paused_until",
    "reason",
)


def choose(
    rule: ColumnElement[bool],
    exclude: ColumnElement[bool] | None,
    *,
    lanes: Sequence[Lane],
    purpose_id: int,
    above: Sequence[int],
    law: Law,
    now: datetime,
) -> Choice:
    """Return the query that gives each member of a range its address, or the one reason against it.

    One row per member: an allowed candidate before a refused one, one that is not paused before one that is, the
    preferred channel first, then the campaign's order. Whether a pause is over by then is asked of the send time
    (``mark_paused``). Parameters ``low`` and ``high`` bound the contact ids (low < id <= high).
    """
    member = _members(rule, exclude)
    values: dict[str, Any] = {f"channel{n}": lane.channel for n, lane in enumerate(lanes)}
    refusal = consent.refusal_case(above)
    statement = _CANDIDATES.format(refusal=refusal, lanes=_lanes(lanes), states=consent.AFTER_PAUSES)
    bound = sql(statement, "now").bindparams(**values, purpose=purpose_id, now=now)
    types = {"since": UTCDateTime(), "paused_until": UTCDateTime()}
    k = bound.columns(*(column(name, types.get(name)) for name in _CANDIDATE_COLUMNS)).cte("candidate")
    m = member.c
    country = func.coalesce(m.country, k.c.country)
    against = case((k.c.reason.is_not(None), k.c.reason), else_=_unlawful(law, m, k, country, lanes, now))
    zone = func.coalesce(m.time_zone, "") + "|" + func.coalesce(k.c.time_zones, "") + "|"
    order = (
        case((and_(against.is_(None), k.c.address_id.is_not(None)), 0), else_=1),
        case((k.c.paused_until.is_(None), 0), else_=1),
        case((k.c.channel == m.preferred_channel, 0), else_=1),
        k.c.lane_rank,
        case((k.c.preferred, 0), else_=1),
        k.c.address_id,
    )
    reason = case(
        (m.state == "restricted", "restricted"),
        (m.excluded == 1, "excluded"),
        (k.c.address_id.is_(None), "no_address"),
        else_=against,
    )
    ranked = (
        select(
            m.id.label("contact_id"),
            *(k.c[name] for name in ("address_id", "account_id", "channel", "event_id")),
            (zone + func.coalesce(country, "") + "|" + func.coalesce(m.part_of_day, "")).label("zone_key"),
            country.label("country"),
            m.rest_days.label("rest_days"),
            k.c.paused_until,
            reason.label("reason"),
            func.row_number().over(partition_by=m.id, order_by=order).label("place"),
        )
        .select_from(member.outerjoin(k, k.c.contact_id == m.id))
        .subquery("ranked")
    )
    return select(*(ranked.c[name] for name in CHOICE_COLUMNS)).where(ranked.c.place == 1)


def _unlawful(
    law: Law, m: Any, k: Any, country: ColumnElement[Any], lanes: Sequence[Lane], now: datetime
) -> ColumnElement[Any]:
    columns = legal.Columns(
        kind=m.kind,
        country=country,
        birth_year=m.birth_year,
        profession=m.profession,
        last_contact_at=m.last_contact_at,
        channel=k.c.channel,
        basis=k.c.basis,
        since=k.c.since,
    )
    return legal.refusal(law, columns, channels=sorted({lane.channel for lane in lanes}), now=now)


def _members(rule: ColumnElement[bool], exclude: ColumnElement[bool] | None) -> CTE:
    contact = Contact.__table__.c  # type: ignore[attr-defined]
    excluded: ColumnElement[int] = literal_column("0") if exclude is None else case((exclude, 1), else_=0)
    names = ("id", "state", "time_zone", "country", "preferred_channel", "part_of_day", "rest_days")
    asked = ("kind", "birth_year", "profession", "last_contact_at")  # by the law
    query = select(*(contact[name] for name in (*names, *asked)), excluded.label("excluded"))
    in_range = text("contact.id > :low AND contact.id <= :high")
    return query.where(in_range, contact.state != "erased", contact.merged_into.is_(None), rule).cte("member")


def _lanes(lanes: Sequence[Lane]) -> str:
    rows = [
        f"SELECT {int(lane.rank)} AS rank, CAST(:channel{n} AS TEXT) AS channel, {int(lane.account_id)} AS account_id, "
        f"{'(1=1)' if lane.usable else '(1=0)'} AS usable"
        for n, lane in enumerate(lanes)
    ]
    return " UNION ALL ".join(rows)


def stage(session: Session, choice: Choice, *, low: int, high: int) -> int:
    """Fill the stage with the choices of one range; return how many members it has."""
    open_stage(session)
    statement = insert(STAGE).from_select(list(CHOICE_COLUMNS), choice)
    return int(session.connection().execute(statement, {"low": low, "high": high}).rowcount)


def override(session: Session, reason: str) -> None:
    """Give every staged member the same reason (a cancelled run still accounts for everybody)."""
    session.connection().execute(text("UPDATE plan_chunk SET reason = :reason"), {"reason": reason})


#: Of the members of a range that share an address, all but the first.
LATER_SHARERS = """contact_id NOT IN (
    SELECT min(o.contact_id) FROM plan_chunk o WHERE o.reason IS NULL GROUP BY o.address_id)"""
#: A look-up for each address, by address before run. PostgreSQL's statistics know nothing of a new run: with EXISTS, or
#: where it may look by run, it reads all steps of the run again for each range or each row, as it expects hardly any.
_DUPLICATES = text(f"""
    UPDATE plan_chunk SET reason = 'duplicate_address' WHERE reason IS NULL AND (
        (SELECT s.run_id FROM step s WHERE s.address_id = plan_chunk.address_id
            AND (s.address_id, s.run_id) >= (plan_chunk.address_id, :run)
            AND (s.address_id, s.run_id) <= (plan_chunk.address_id, :run)) IS NOT NULL
        OR {LATER_SHARERS})""")


def mark_duplicates(session: Session, run_id: int) -> None:
    """One message per address and run: of contacts that share one, the first gets it."""
    session.connection().execute(_DUPLICATES, {"run": run_id})


def zone_keys(session: Session) -> list[str]:
    """Return the distinct places (``actions.windows.Place``) of those to be written to."""
    query = text("SELECT DISTINCT zone_key FROM plan_chunk WHERE reason IS NULL")
    return [row[0] for row in session.connection().execute(query)]


def set_due(session: Session, due: Mapping[str, datetime | str]) -> None:
    """Give each place its send time, or the reason why there is none."""
    timed = sql("UPDATE plan_chunk SET due_at = :due WHERE zone_key = :key AND reason IS NULL", "due")
    refused = text("UPDATE plan_chunk SET reason = :due WHERE zone_key = :key AND reason IS NULL")
    for key, value in due.items():
        statement = refused if isinstance(value, str) else timed
        session.connection().execute(statement, {"key": key, "due": value})


_MARK_PAUSED = text("UPDATE plan_chunk SET reason = 'restricted' WHERE reason IS NULL AND paused_until > due_at")


def mark_paused(session: Session) -> None:
    """Refuse the staged members whose pause is not over at their send time."""
    session.connection().execute(_MARK_PAUSED)


_DELIVERIES = sql(
    """INSERT INTO delivery (run_id, contact_id, reason, created_at)
    SELECT :run, contact_id, reason, :now FROM plan_chunk ORDER BY contact_id""",
    "now",
)
_GROUPS = text(
    "SELECT account_id, due_at, count(*) FROM plan_chunk WHERE reason IS NULL GROUP BY account_id, due_at ORDER BY 2, 1"
)
#: One look-up a row, not a join: PostgreSQL's statistics know nothing of a new run, and of the few deliveries that it
#: then expects it would read all of the run's again for each row.
_STEPS = sql(
    f"""INSERT INTO step (run_id, delivery_id, batch_id, account_id, address_id, purpose_id, ordinal, current, state,
        due_at, attempt, consent_event_id)
    SELECT :run, (SELECT d.id FROM delivery d WHERE d.run_id = :run AND d.contact_id = c.contact_id),
        :first + (place - 1) / {BATCH_STEPS}, c.account_id, c.address_id, :purpose, 1, :yes, 'planned',
        c.due_at, 0, c.event_id
    FROM (SELECT contact_id, account_id, address_id, event_id, due_at, row_number() OVER (ORDER BY contact_id) AS place
        FROM plan_chunk WHERE reason IS NULL AND account_id = :account AND due_at = :due) c
    ORDER BY c.place""",
    "due",
)


def write(session: Session, *, run_id: int, purpose_id: int, now: datetime) -> int:
    """Turn the stage into deliveries, batches and steps; return how many steps were planned."""
    connection = session.connection()
    connection.execute(_DELIVERIES, {"run": run_id, "now": now})
    groups = connection.execute(
        _GROUPS.columns(column("account_id"), column("due_at", UTCDateTime()), column("n"))
    ).all()
    planned = 0
    for account_id, due_at, count in groups:
        ids = allocate(session, "batch", -(-count // BATCH_STEPS))
        common = {"run_id": run_id, "account_id": account_id, "due_at": due_at, "open": True, "abandoned": 0}
        connection.execute(insert(Batch), [{"id": one, **common} for one in ids])
        values = {"run": run_id, "first": ids[0], "purpose": purpose_id, "yes": True, "account": account_id}
        connection.execute(_STEPS, {**values, "due": due_at})
        planned += count
    return planned


def advance(session: Session, run_id: int, *, watermark: int, planned_at: datetime | None) -> None:
    """Move a run's watermark; *planned_at* is set when the whole audience is planned."""
    statement = sql("UPDATE run SET watermark = :watermark, planned_at = :at WHERE id = :run", "at")
    session.connection().execute(statement, {"run": run_id, "watermark": watermark, "at": planned_at})


def next_bound(session: Session, *, low: int, high: int, width: int) -> int:
    """Return the id that ends a range of about *width* contacts after *low*, at most *high*."""
    query = text("SELECT id FROM contact WHERE id > :low AND id <= :high ORDER BY id LIMIT 1 OFFSET :width")
    row = session.connection().execute(query, {"low": low, "high": high, "width": width - 1}).first()
    return high if row is None else int(row[0])
