"""What became of a run, in SQL: states while it goes out, the whole account afterwards, one person's story."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlmodel import Session, col, select

from broadcaster.storage.database import any_id, id_list, sql
from broadcaster.storage.tables import Campaign, Run, Step

_when: Any = Step.__table__.c.due_at.type  # type: ignore[attr-defined]


def runs(session: Session, campaign_id: int) -> list[Run]:
    """Return a campaign's runs, the newest first."""
    query = select(Run).where(Run.campaign_id == campaign_id).order_by(col(Run.ordinal).desc())
    return list(session.exec(query).all())


_STATES = sql(
    """SELECT s.state, count(*), sum(CASE WHEN s.settled_at > :since AND s.state <> 'skipped' THEN 1 ELSE 0 END)
        FROM step s WHERE s.run_id = :run AND s.current GROUP BY s.state
    UNION ALL SELECT 'skipped', count(*), 0 FROM delivery WHERE run_id = :run AND reason IS NOT NULL""",
    "since",
)
_OPEN = text("SELECT min(due_at) AS first, max(due_at) AS last FROM batch WHERE run_id = :run AND open").columns(
    first=_when, last=_when
)


@dataclass(frozen=True, slots=True)
class Counts:
    """States of a run's deliveries so far; *settled* counts those handed over since a moment."""

    states: dict[str, int]
    settled: int
    first_due: datetime | None
    last_due: datetime | None


def counts(session: Session, run_id: int, *, since: datetime) -> Counts:
    """Count a run by state, and look when what is open falls due."""
    states: dict[str, int] = {}
    settled = 0
    for state, count, lately in session.connection().execute(_STATES, {"run": run_id, "since": since}):
        states[state] = states.get(state, 0) + int(count)
        settled += int(lately or 0)
    first, last = session.connection().execute(_OPEN, {"run": run_id}).one()
    return Counts({state: count for state, count in states.items() if count}, settled, first, last)


_RATES = text(
    "SELECT k.id, k.provider, k.rate_per_second FROM account k WHERE k.id IN "
    "(SELECT DISTINCT account_id FROM batch WHERE run_id = :run AND open)"
)


def open_accounts(session: Session, run_id: int) -> list[tuple[int, str, float | None]]:
    """Return (account, provider, rate per second) of the accounts that still have something to send."""
    return [tuple(row) for row in session.connection().execute(_RATES, {"run": run_id})]


@dataclass(frozen=True, slots=True)
class Group:
    """How many deliveries are alike; ``channel`` is empty for those that never had a step."""

    channel: str
    country: str
    state: str
    reason: str
    receipt: str
    deliveries: int
    replied: int
    clicked: int


_STEPS = text(
    """SELECT k.channel, coalesce(c.country, a.country, ''), s.state, coalesce(s.reason, ''), coalesce(s.receipt, ''),
        count(*), count(s.replied_at), count(s.clicked_at)
    FROM step s JOIN account k ON k.id = s.account_id JOIN delivery d ON d.id = s.delivery_id AND d.reason IS NULL
        JOIN contact c ON c.id = d.contact_id JOIN address a ON a.id = s.address_id
    WHERE s.run_id = :run AND s.current GROUP BY 1, 2, 3, 4, 5"""
)
_REFUSED = text(
    """SELECT '', coalesce(c.country, ''), 'skipped', d.reason, '', count(*), 0, 0
    FROM delivery d JOIN contact c ON c.id = d.contact_id
    WHERE d.run_id = :run AND d.reason IS NOT NULL GROUP BY 2, 4"""
)
_AUDIENCE = text("SELECT count(*) FROM delivery WHERE run_id = :run")


def groups(session: Session, run_id: int) -> list[Group]:
    """Return a run's deliveries by everything the report tells."""
    connection = session.connection()
    found = [*connection.execute(_STEPS, {"run": run_id}), *connection.execute(_REFUSED, {"run": run_id})]
    return [Group(*row) for row in found]


def audience(session: Session, run_id: int) -> int:
    """Count a run's deliveries by themselves, to hold the sum of their states against."""
    return int(session.connection().execute(_AUDIENCE, {"run": run_id}).scalar_one())


_MEMBERS = text(
    """SELECT * FROM (
        SELECT d.contact_id, s.address_id, k.channel, s.settled_at, coalesce(d.reason, s.reason) AS reason,
            CASE WHEN d.reason IS NULL THEN s.state ELSE 'skipped' END AS state
        FROM delivery d
            LEFT JOIN step s ON s.run_id = d.run_id AND s.delivery_id = d.id AND s.current AND d.reason IS NULL
            LEFT JOIN account k ON k.id = s.account_id
        WHERE d.run_id = :run AND d.contact_id > :after) AS one
    WHERE (:state = '' OR state = :state) AND (:reason = '' OR reason = :reason) ORDER BY contact_id LIMIT :limit"""
).columns(settled_at=_when)


def members(session: Session, run_id: int, *, state: str, reason: str, after: int, limit: int) -> Sequence[Row[Any]]:
    """Return a run's people by contact, those of one *state* and *reason* where they are given."""
    values = {"run": run_id, "state": state, "reason": reason, "after": after, "limit": limit}
    return session.connection().execute(_MEMBERS, values).all()


_OPT_OUTS = text(
    """SELECT count(*) FROM (
        SELECT e.address_id FROM consent_event e JOIN step s ON s.id = e.step_id
        WHERE e.step_id IS NOT NULL AND e.action IN ('withdrawn', 'objected') AND s.run_id = :run
        UNION SELECT m.address_id FROM message m JOIN step s ON s.id = m.answers_step_id
        WHERE m.answers_step_id IS NOT NULL AND m.intent = 'opt_out' AND s.run_id = :run) AS left_us"""
)


def opt_outs(session: Session, run_id: int) -> int:
    """Count the addresses that refused by, or in answer to, a message of this run."""
    return int(session.connection().execute(_OPT_OUTS, {"run": run_id}).scalar_one())


_DELIVERY = text("SELECT id, reason, created_at FROM delivery WHERE run_id = :run AND contact_id = :contact").columns(
    created_at=_when
)
_HISTORY = text(
    """SELECT s.id, s.ordinal, s.current, s.state, s.reason, s.due_at, s.attempt, s.consent_event_id, s.gate_at,
        s.settled_at, s.outcome, s.provider_code, s.receipt, s.receipt_at, s.address_id, k.channel, k.name AS account
    FROM step s JOIN account k ON k.id = s.account_id WHERE s.run_id = :run AND s.delivery_id = :delivery
    ORDER BY s.ordinal"""
).columns(due_at=_when, gate_at=_when, settled_at=_when, receipt_at=_when)
_ATTEMPTS = """SELECT step_id, attempt, gate_at, settled_at, outcome, provider_code, consent_event_id FROM step_attempt
    WHERE step_id {ids} ORDER BY step_id, attempt"""


def delivery(session: Session, run_id: int, contact_id: int) -> Row[Any] | None:
    """Return (id, reason, created_at) of one person's delivery."""
    return session.connection().execute(_DELIVERY, {"run": run_id, "contact": contact_id}).first()


def steps(session: Session, run_id: int, delivery_id: int) -> Sequence[Row[Any]]:
    """Return a delivery's steps in order."""
    return session.connection().execute(_HISTORY, {"run": run_id, "delivery": delivery_id}).all()


def attempts(session: Session, step_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Return the earlier attempts of steps."""
    statement = text(_ATTEMPTS.format(ids=any_id(session))).columns(gate_at=_when, settled_at=_when)
    return session.connection().execute(statement, {"ids": id_list(session, step_ids)}).all()


_EVENT = """SELECT e.id, e.address_id, e.action, e.source, e.occurred_at, w.text, w.language, w.version
    FROM consent_event e LEFT JOIN wording w ON w.id = e.wording_id WHERE {rule}"""
_BY_ID = text(_EVENT.format(rule="e.id = :event")).columns(occurred_at=_when)


def consent_event(session: Session, event_id: int) -> Row[Any] | None:
    """Return a consent event with the wording the person was shown."""
    return session.connection().execute(_BY_ID, {"event": event_id}).first()


def deciding_event(
    session: Session, contact_id: int, *, purposes: Sequence[int], actions: Sequence[str], before: datetime
) -> Row[Any] | None:
    """Return the last event of these *actions* on any address of a contact, known *before* a moment."""
    rule = f"""e.address_id IN (SELECT address_id FROM contact_address WHERE contact_id = :contact)
        AND e.purpose_id {any_id(session)} AND e.received_at <= :before AND NOT e.ineffective
        AND e.action IN ({", ".join(f"'{one}'" for one in actions)}) ORDER BY e.occurred_at DESC, e.id DESC LIMIT 1"""
    statement = sql(_EVENT.format(rule=rule), "before").columns(occurred_at=_when)
    values = {"contact": contact_id, "ids": id_list(session, purposes), "before": before}
    return session.connection().execute(statement, values).first()


_UNKNOWN = text(
    """SELECT s.id, d.contact_id, s.address_id, k.channel, s.gate_at, s.provider_code, s.attempt
    FROM step s JOIN run r ON r.id = s.run_id JOIN delivery d ON d.id = s.delivery_id
        JOIN account k ON k.id = s.account_id
    WHERE r.campaign_id = :campaign AND s.state = 'unknown' AND s.id > :after ORDER BY s.id LIMIT :limit"""
).columns(gate_at=_when)


def unknown(session: Session, campaign_id: int, *, after: int, limit: int) -> Sequence[Row[Any]]:
    """Return a campaign's steps whose outcome nobody knows, by id."""
    values = {"campaign": campaign_id, "after": after, "limit": limit}
    return session.connection().execute(_UNKNOWN, values).all()


def lock_unknown(session: Session, step_ids: Sequence[int]) -> Sequence[Row[Any]]:
    """Lock those of the steps that are still unknown; return (id, run_id, batch_id)."""
    lock = "FOR UPDATE" if session.connection().dialect.name == "postgresql" else ""
    statement = text(
        f"SELECT id, run_id, batch_id FROM step WHERE id {any_id(session)} AND state = 'unknown' ORDER BY id {lock}"
    )
    return session.connection().execute(statement, {"ids": id_list(session, step_ids)}).all()


def settle_unknown(
    session: Session, step_ids: Sequence[int], *, state: str, reason: str | None, due_at: datetime | None
) -> None:
    """Give steps the state a person decided on; what was committed to of the attempt stays as it is."""
    statement = sql(
        "UPDATE step SET state = :state, reason = :reason, due_at = coalesce(:due, due_at) "
        f"WHERE id {any_id(session)} AND state = 'unknown'",
        "due",
    )
    values = {"state": state, "reason": reason, "due": due_at, "ids": id_list(session, step_ids)}
    session.connection().execute(statement, values)


def reopen_batches(session: Session, batch_ids: Sequence[int], *, now: datetime) -> None:
    """Make batches due again, so that a worker looks at what is planned in them."""
    statement = sql(
        f"UPDATE batch SET open = :yes, due_at = CASE WHEN open AND due_at < :now THEN due_at ELSE :now END "
        f"WHERE id {any_id(session)}",
        "now",
    )
    values = {"yes": True, "now": now, "ids": id_list(session, sorted(set(batch_ids)))}
    session.connection().execute(statement, values)


def campaign_of(session: Session, run_id: int) -> tuple[Run, Campaign]:
    """Return a run and its campaign, both locked."""
    run = session.exec(select(Run).where(Run.id == run_id).with_for_update()).one()
    return run, session.exec(select(Campaign).where(Campaign.id == run.campaign_id).with_for_update()).one()
