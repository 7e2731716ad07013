"""The gate in SQL: lock the addresses, read the facts, write ahead what may start. Bulk statements only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from broadcaster.storage import consent
from broadcaster.storage.database import any_id, array, id_list, sql


@dataclass(slots=True)
class GateFacts:
    """What the gate must know of one step."""

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


_POSTPONE = sql("UPDATE step SET due_at = :due WHERE id = :id AND state = 'planned'", "due")


def postpone(session: Session, steps: Sequence[tuple[int, datetime]]) -> None:
    """Move steps whose sending window has closed meanwhile to the next one."""
    if steps:
        session.connection().execute(_POSTPONE, [{"id": step, "due": due} for step, due in steps])
