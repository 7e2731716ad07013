"""The hot path in SQL: read due steps, pass the gate, settle. Plain rows and bulk statements only."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, text
from sqlmodel import Session
from sqlmodel.sql.sqltypes import UTCDateTime

from broadcaster.storage import consent
from broadcaster.storage.database import any_id, array, id_list, sql
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


@dataclass(slots=True)
class GateFacts:
    """What the gate must know of one step; ``blocked`` names a stop of the whole campaign or account."""

    step_id: int
    address_id: int
    attempt: int
    standing: str | None
    wider: str | None
    event_id: int | None
    expires_at: datetime | None
    basis: str | None
    since: datetime | None
    address_status: str
    suppressed: bool
    campaign_state: str
    account_state: str
    not_after: datetime | None
    last_at: datetime | None = None  #: when another message was handed over to the address, if that was just now


_FACTS = """
    SELECT s.id, s.address_id, s.attempt, cs.standing, CASE WHEN cs.standing IS NULL THEN {wider} END AS wider,
        cs.event_id, cs.expires_at, cs.basis, cs.since, a.status, a.suppressed, p.state AS campaign_state,
        k.state AS account_state, r.not_after, {just_now} AS last_at
    FROM step s JOIN address a ON a.id = s.address_id
        JOIN batch b ON b.id = s.batch_id AND b.lease_owner = :owner
        JOIN run r ON r.id = s.run_id JOIN campaign p ON p.id = r.campaign_id JOIN account k ON k.id = s.account_id
        LEFT JOIN {states} cs ON cs.address_id = s.address_id AND cs.purpose_id = s.purpose_id
    WHERE s.id {ids} AND s.state = 'planned'"""


#: A campaign's message to the address, or one outside campaigns.
_JUST_NOW = """(SELECT max(x.gate_at) FROM (
    SELECT o.gate_at FROM step o WHERE o.address_id = s.address_id AND o.id <> s.id AND o.gate_at > :since
    UNION ALL SELECT m.gate_at FROM message m WHERE m.address_id = s.address_id AND m.gate_at > :since) x)"""


def lock_addresses(session: Session, address_ids: Sequence[int], *, alone: bool = False) -> None:
    """Share-lock addresses in id order, so that an opt-out waits for the gate or the gate for it.

    *alone*: another gate waits as well. SQLite's one writer is lock enough.
    """
    if address_ids and session.connection().dialect.name == "postgresql":
        strength = "NO KEY UPDATE" if alone else "SHARE"
        statement = text(f"SELECT id FROM address WHERE id = ANY(CAST(:ids AS bigint[])) ORDER BY id FOR {strength}")
        session.connection().execute(statement, {"ids": array(sorted(address_ids))})


def gate_facts(
    session: Session,
    step_ids: Sequence[int],
    *,
    above: Sequence[int],
    owner: str,
    now: datetime,
    since: datetime | None = None,
) -> list[GateFacts]:
    """Read the facts the gate decides on, after the locks are held; steps not ours or not planned are absent.

    *since*: say what else was handed over to the addresses after that.
    """
    just_now, times = ("NULL", ["now"]) if since is None else (_JUST_NOW, ["now", "since"])
    rule = _FACTS.format(wider=consent.wider(above), ids=any_id(session), states=consent.AT_NOW, just_now=just_now)
    statement = sql(rule, *times).columns(**_FACT_TYPES)
    values = {"ids": id_list(session, step_ids), "owner": owner, "now": now}
    rows = session.connection().execute(statement, values if since is None else {**values, "since": since})
    return [GateFacts(*row) for row in rows.all()]


def _fact_types() -> dict[str, Any]:
    from broadcaster.storage.tables import ConsentStanding, Run

    standing, run = ConsentStanding.__table__.c, Run.__table__.c  # type: ignore[attr-defined]
    times = {"expires_at": standing.expires_at.type, "since": standing.since.type}
    return {**times, "not_after": run.not_after.type, "last_at": run.not_after.type}


_FACT_TYPES = _fact_types()

_KEEP_ATTEMPT = """
    INSERT INTO step_attempt (step_id, attempt, gate_at, settled_at, outcome, provider_code, provider_id,
        consent_event_id, entry_id, commitment, salt)
    SELECT id, attempt, gate_at, settled_at, outcome, provider_code, provider_id, consent_event_id, entry_id,
        commitment, salt
    FROM step WHERE id {ids} AND attempt > 0 AND gate_at IS NOT NULL ON CONFLICT DO NOTHING"""

# ``coalesce`` here and below keeps PostgreSQL from trusting what it believes to know of a column that changes so fast:
# it expects one row in such a state, and reads the whole table for it instead of looking hundreds up by their ids.
_DISPATCH_PG = sql(
    """UPDATE step SET state = 'dispatching', attempt = attempt + 1, gate_at = :now, consent_event_id = v.event,
        variant_id = v.variant, settled_at = NULL, outcome = NULL, provider_code = NULL, entry_id = NULL,
        commitment = NULL, salt = NULL
    FROM unnest(CAST(:ids AS bigint[]), CAST(:events AS bigint[]), CAST(:variants AS bigint[])) AS v(id, event, variant)
    WHERE step.id = v.id AND coalesce(step.state, '') = 'planned' RETURNING step.id""",
    "now",
)
_DISPATCH_SQLITE = sql(
    """UPDATE step SET state = 'dispatching', attempt = attempt + 1, gate_at = :now, consent_event_id = :event,
        variant_id = :variant, settled_at = NULL, outcome = NULL, provider_code = NULL, entry_id = NULL,
        commitment = NULL, salt = NULL
    WHERE id = :id AND state = 'planned'""",
    "now",
)


@dataclass(slots=True)
class Passed:
    """A step the gate lets through, with the consent event that allows it."""

    step_id: int
    event_id: int
    variant_id: int
    repeated: bool


def mark_dispatching(session: Session, passed: Sequence[Passed], *, now: datetime) -> set[int]:
    """Write ahead that these calls may start; earlier attempts move to their history.

    Return the steps that are ours now: another worker may have passed the gate with one in the same instant.
    """
    if not passed:
        return set()
    connection = session.connection()
    repeated = [step.step_id for step in passed if step.repeated]
    if repeated:
        connection.execute(text(_KEEP_ATTEMPT.format(ids=any_id(session))), {"ids": id_list(session, repeated)})
    if connection.dialect.name == "postgresql":
        arrays = {
            "ids": array([step.step_id for step in passed]),
            "events": array([step.event_id for step in passed]),
            "variants": array([step.variant_id for step in passed]),
        }
        return set(connection.execute(_DISPATCH_PG, {**arrays, "now": now}).scalars())
    rows = [{"id": p.step_id, "event": p.event_id, "variant": p.variant_id, "now": now} for p in passed]
    connection.execute(_DISPATCH_SQLITE, rows)
    return {p.step_id for p in passed}  # nobody else can have written since the facts were read


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


@dataclass(slots=True)
class Settled:
    """How one attempt ended. ``due_at`` is set when it will be tried again."""

    step_id: int
    attempt: int
    state: str
    reason: str | None
    due_at: datetime | None
    outcome: str
    provider_code: str | None
    provider_id: str | None
    commitment: bytes
    salt: bytes


#: A result that comes after the lease was lost still tells the truth about its own attempt: unknown becomes known.
_SETTLE_SET = """state = :state, reason = :reason, due_at = coalesce(:due_at, step.due_at), settled_at = :now,
    outcome = :outcome, provider_code = :provider_code, entry_id = :entry,
    provider_id = {v}provider_id, commitment = {v}commitment, salt = {v}salt"""
_SETTLE_WHERE = (
    "step.id = {v}step_id AND coalesce(step.attempt, 0) = {v}attempt "
    "AND coalesce(step.state, '') IN ('dispatching', 'unknown')"
)
_SETTLE_PG = sql(
    f"""UPDATE step SET {_SETTLE_SET.format(v="v.")}
    FROM unnest(CAST(:step_id AS bigint[]), CAST(:attempt AS int[]), CAST(:provider_id AS text[]),
        CAST(:commitment AS bytea[]), CAST(:salt AS bytea[])) AS v(step_id, attempt, provider_id, commitment, salt)
    WHERE {_SETTLE_WHERE.format(v="v.")} RETURNING step.id""",
    "now",
    "due_at",
)
_SETTLE_SQLITE = sql(
    f"UPDATE step SET {_SETTLE_SET.format(v=':')} WHERE {_SETTLE_WHERE.format(v=':')}",
    "now",
    "due_at",
)
_VERDICT_FIELDS = ("state", "reason", "due_at", "outcome", "provider_code")
_STEP_FIELDS = ("step_id", "attempt", "provider_id", "commitment", "salt")
_verdict = operator.attrgetter(*_VERDICT_FIELDS)


def settle(session: Session, settled: Sequence[Settled], *, entry_id: int, now: datetime) -> set[int]:
    """Write how calls ended, in one statement for all that ended alike; return the steps for which it was news."""
    connection = session.connection()
    common = {"entry": entry_id, "now": now}
    if connection.dialect.name == "postgresql":
        return _settle_alike(connection, settled, common)
    rows = [{name: getattr(one, name) for name in _VERDICT_FIELDS + _STEP_FIELDS} | common for one in settled]
    if connection.execute(_SETTLE_SQLITE, rows).rowcount == len(settled):
        return {one.step_id for one in settled}
    ours = text("SELECT id FROM step WHERE entry_id = :entry")
    return set(connection.execute(ours, {"entry": entry_id}).scalars())


def _settle_alike(connection: Connection, settled: Sequence[Settled], common: dict[str, Any]) -> set[int]:
    alike: dict[tuple[Any, ...], list[Settled]] = {}
    for one in settled:
        alike.setdefault(_verdict(one), []).append(one)
    news: set[int] = set()
    for verdict, group in alike.items():
        columns = {name: array([getattr(one, name) for one in group]) for name in _STEP_FIELDS}
        values = dict(zip(_VERDICT_FIELDS, verdict, strict=True)) | columns | common
        news.update(connection.execute(_SETTLE_PG, values).scalars())
    return news


_GIVE_BACK = sql(
    "UPDATE step SET state = 'planned', attempt = attempt - 1 "
    "WHERE id = :id AND attempt = :attempt AND state = 'dispatching' "
    "AND EXISTS (SELECT 1 FROM batch b WHERE b.id = step.batch_id AND b.lease_owner = :owner)"
)


def give_back(session: Session, steps: Sequence[tuple[int, int]], *, owner: str) -> None:
    """Return steps whose permission ran out before the first byte: nothing was sent, they are gated again.

    Only under our own lease: given back before, a step may be on another worker's wire with the same attempt by now.
    """
    if steps:
        rows = [{"id": step, "attempt": attempt, "owner": owner} for step, attempt in steps]
        session.connection().execute(_GIVE_BACK, rows)


_POSTPONE = sql("UPDATE step SET due_at = :due WHERE id = :id AND state = 'planned'", "due")


def postpone(session: Session, steps: Sequence[tuple[int, datetime]]) -> None:
    """Move steps whose sending window has closed meanwhile to the next one."""
    if steps:
        session.connection().execute(_POSTPONE, [{"id": step, "due": due} for step, due in steps])


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
