"""Steps in SQL: read what is due, close what must not go out, count what is on the wire."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlmodel import Session
from sqlmodel.sql.sqltypes import UTCDateTime

from broadcaster.storage.database import any_id, id_list, sql
from broadcaster.storage.tables.base import Json

_DUE_STEPS = """
    SELECT s.id, s.attempt, s.address_id, a.value_ct, a.key_id AS address_key_id, ak.wrapped AS address_key,
        ak.wrapping_key AS address_wrapping, a.digest, a.domain, a.country AS address_country,
        a.time_zones AS address_zones, c.id AS contact_id, c.kind, c.language, c.country, c.time_zone, c.birth_year,
        c.profession, c.last_contact_at, c.part_of_day, c.rest_days, c.attributes, c.name_ct,
        c.key_id AS contact_key_id, ck.wrapped AS contact_key, ck.wrapping_key AS contact_wrapping
    FROM step s JOIN delivery d ON d.id = s.delivery_id JOIN contact c ON c.id = d.contact_id
        JOIN address a ON a.id = s.address_id
        LEFT JOIN person_key ak ON ak.id = a.key_id LEFT JOIN person_key ck ON ck.id = c.key_id
    WHERE s.batch_id = :batch AND s.state = 'planned' AND s.due_at <= :now ORDER BY s.id"""
_LOAD = sql(_DUE_STEPS, "now").columns(attributes=Json, last_contact_at=UTCDateTime())
#: A statement of its own: a limit may tempt PostgreSQL to walk all steps in the order of their ids.
_LOAD_SOME = sql(f"{_DUE_STEPS} LIMIT :most", "now").columns(attributes=Json, last_contact_at=UTCDateTime())


class LoadedStep(NamedTuple):
    """A due step with all that rendering needs, as selected above; a tuple, because it is read many times."""

    id: int
    attempt: int
    address_id: int
    value_ct: bytes | None
    address_key_id: int
    address_key: bytes | None  #: None when the person was erased
    address_wrapping: str
    digest: bytes
    domain: str | None
    address_country: str | None
    address_zones: str | None
    contact_id: int
    kind: str
    language: str | None
    country: str | None
    time_zone: str | None
    birth_year: int | None
    profession: str | None
    last_contact_at: datetime | None
    part_of_day: str | None
    rest_days: int | None
    attributes: dict[str, Any] | None
    name_ct: bytes | None
    contact_key_id: int
    contact_key: bytes | None
    contact_wrapping: str


def load_steps(session: Session, batch_id: int, *, now: datetime, most: int | None = None) -> list[LoadedStep]:
    """Return the due steps of a batch, at most so many if said, with all that rendering needs."""
    values = {"batch": batch_id, "now": now}
    if most is None:
        rows = session.connection().execute(_LOAD, values)
    else:
        rows = session.connection().execute(_LOAD_SOME, {**values, "most": most})
    return [LoadedStep(*row) for row in rows.all()]


#: When a step was closed; an earlier try of it is committed to with its own time, which stays.
CLOSED_AT = "settled_at = CASE WHEN commitment IS NULL THEN :now ELSE settled_at END"
_SKIP = sql(
    f"UPDATE step SET state = 'skipped', reason = :reason, {CLOSED_AT} WHERE id = :id AND state = 'planned'", "now"
)


def mark_skipped(session: Session, skipped: Sequence[tuple[int, str]], *, now: datetime) -> None:
    """Close steps that must not go out, each with its one reason."""
    if skipped:
        rows = [{"id": step, "reason": reason, "now": now} for step, reason in skipped]
        session.connection().execute(_SKIP, rows)


_IN_FLIGHT = "SELECT count(*) FROM step WHERE address_id {ids} AND state = 'dispatching'"
_MESSAGES_IN_FLIGHT = "SELECT count(*) FROM message WHERE address_id {ids} AND state = 'dispatching' AND kind = 'reply'"


def in_flight(session: Session, address_ids: Sequence[int], purpose_ids: Sequence[int] | None = None) -> int:
    """Count the calls to these addresses that may be on the wire now (of these purposes, if given)."""
    rule = _IN_FLIGHT.format(ids=any_id(session))
    values: dict[str, Any] = {"ids": id_list(session, address_ids)}
    if purpose_ids is not None:
        rule += f" AND purpose_id {any_id(session, 'purposes')}"
        values["purposes"] = id_list(session, purpose_ids)
    return int(session.connection().execute(text(rule), values).scalar_one())


def skip_open(
    session: Session,
    address_ids: Sequence[int],
    purpose_ids: Sequence[int],
    *,
    reason: str,
    now: datetime,
    due_before: datetime | None = None,
) -> int:
    """Close the planned steps of these addresses and purposes at once; the gate would refuse them anyway.

    *due_before*: only those that would go out before the end of a pause.
    """
    in_time = "" if due_before is None else "AND due_at < :before "
    statement = sql(
        f"UPDATE step SET state = 'skipped', reason = :reason, {CLOSED_AT} WHERE address_id {any_id(session)} "
        f"AND purpose_id {any_id(session, 'purposes')} AND state IN ('planned', 'held') {in_time}"
        # a refusal told late, after the person's own later yes, closes nothing
        "AND NOT EXISTS (SELECT 1 FROM consent_state c WHERE c.address_id = step.address_id "
        "AND c.purpose_id = step.purpose_id AND c.standing = 'granted')",
        "now",
        *(["before"] if in_time else []),
    )
    values = {"ids": id_list(session, address_ids), "purposes": id_list(session, purpose_ids), "reason": reason}
    before = {"before": due_before} if in_time else {}
    return int(session.connection().execute(statement, {**values, "now": now, **before}).rowcount)
