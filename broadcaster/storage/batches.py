"""Batches in SQL: leased by a worker, renewed, given back, closed; what is due and who works on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlmodel import Session

from broadcaster.storage import domains, warmups
from broadcaster.storage.database import sql
from broadcaster.storage.deliveries import CLOSED_AT

LEASE_SECONDS = 15.0
#: After so many workers have died over a batch its steps are built one at a time.
_CAREFUL_AFTER = 2
#: So many more must die over one and the same step before it is to blame: workers are killed for other reasons too.
_DEATHS_OVER_A_STEP = 3

#: A condition on a batch ``b``: there is something that holds all of it until later.
_HELD_BACK = f"({warmups.HELD_BACK} OR {domains.HELD_BACK})"

_DUE_BATCH = """
    SELECT b.id FROM batch b JOIN run r ON r.id = b.run_id JOIN campaign c ON c.id = r.campaign_id
    WHERE b.open AND b.due_at <= :now AND b.account_id = :account
      AND (b.lease_until IS NULL OR b.lease_until < :now) AND r.state = 'running' AND c.state = 'running'
      AND NOT {held_back}
    ORDER BY b.due_at, b.id LIMIT 1 {skip}"""

_LEASE_BATCH = """
    UPDATE batch SET lease_owner = :owner, lease_until = :until,
        abandoned = abandoned + CASE WHEN lease_owner IS NULL THEN 0 ELSE 1 END
    WHERE id = ({due}) RETURNING id, run_id, account_id, abandoned, domain_key"""


@dataclass(frozen=True, slots=True)
class LeasedBatch:
    id: int
    run_id: int
    account_id: int
    abandoned: int
    domain_key: int | None = None  #: what it waits for

    @property
    def careful(self) -> bool:
        """Say whether one of its messages may be what ends the workers that build it."""
        return self.abandoned >= _CAREFUL_AFTER


def lease_batch(session: Session, *, account_id: int, owner: str, now: datetime) -> LeasedBatch | None:
    """Lease the next due batch of an account, None if there is none; *now* is the database's time."""
    skip = "FOR UPDATE OF b SKIP LOCKED" if session.connection().dialect.name == "postgresql" else ""
    statement = sql(_LEASE_BATCH.format(due=_DUE_BATCH.format(skip=skip, held_back=_HELD_BACK)), "now", "until")
    values = {"now": now, "until": now + timedelta(seconds=LEASE_SECONDS), "owner": owner, "account": account_id}
    row = session.connection().execute(statement, values).first()
    return None if row is None else LeasedBatch(*row)


_EXTEND = sql("UPDATE batch SET lease_until = :until WHERE lease_owner = :owner AND open", "until")


def extend_leases(session: Session, *, owner: str, now: datetime) -> None:
    """Renew every lease of *owner*."""
    session.connection().execute(_EXTEND, {"owner": owner, "until": now + timedelta(seconds=LEASE_SECONDS)})


#: What was left ``dispatching`` by somebody whose lease ran out: nobody knows how it ended (design, section 3.3).
_ABANDONED = sql(
    "UPDATE step SET state = CAST(:state AS TEXT), outcome = 'unknown', "
    "due_at = CASE WHEN CAST(:state AS TEXT) = 'planned' THEN :now ELSE due_at END "
    "WHERE batch_id = :batch AND state = 'dispatching'",
    "now",
)


def settle_abandoned(session: Session, batch_id: int, *, keyed: bool, now: datetime) -> int:
    """Settle calls of a worker that died: try again where the provider honours our key, otherwise unknown."""
    values = {"batch": batch_id, "state": "planned" if keyed else "unknown", "now": now}
    return int(session.connection().execute(_ABANDONED, values).rowcount)


_SUSPECT = sql(
    "UPDATE batch SET abandoned = CASE WHEN suspect_id = :step THEN abandoned ELSE :careful END, suspect_id = :step "
    "WHERE id = :batch"
)


def suspect(session: Session, batch_id: int, step_id: int) -> None:
    """Note the one step that is about to be built; the deaths over another do not count."""
    values = {"batch": batch_id, "step": step_id, "careful": _CAREFUL_AFTER}
    session.connection().execute(_SUSPECT, values)


_SKIP_SUSPECT = sql(
    f"UPDATE step SET state = 'skipped', reason = 'render_failed', {CLOSED_AT} "
    "WHERE id = (SELECT suspect_id FROM batch WHERE id = :batch AND abandoned >= :deaths) AND state = 'planned'",
    "now",
)


def skip_suspect(session: Session, batch_id: int, *, now: datetime) -> int:
    """Close the step that one worker after the other died over; return how many that are."""
    values = {"batch": batch_id, "deaths": _CAREFUL_AFTER + _DEATHS_OVER_A_STEP, "now": now}
    return int(session.connection().execute(_SKIP_SUSPECT, values).rowcount)


_RELEASE = sql(
    """UPDATE batch SET lease_owner = NULL, lease_until = NULL, suspect_id = NULL,
        open = EXISTS (SELECT 1 FROM step s WHERE s.batch_id = batch.id
            AND s.state IN ('planned', 'held', 'dispatching')),
        due_at = coalesce((SELECT min(s.due_at) FROM step s WHERE s.batch_id = batch.id
            AND s.state IN ('planned', 'held', 'dispatching')), due_at)
    WHERE id = :batch AND lease_owner = :owner"""
)


def release_batch(session: Session, batch_id: int, *, owner: str) -> None:
    """Give a batch back: closed if nothing in it is open, otherwise due when its next step is."""
    session.connection().execute(_RELEASE, {"batch": batch_id, "owner": owner})


_CANCEL = sql(
    f"UPDATE step SET state = 'skipped', reason = 'cancelled', {CLOSED_AT} "
    "WHERE batch_id = :batch AND state IN ('planned', 'held')",
    "now",
)
_ABANDON_CANCELLED = sql(
    "UPDATE step SET state = 'unknown', outcome = 'unknown' WHERE batch_id = :batch AND state = 'dispatching'"
)
_CLOSE = sql("UPDATE batch SET open = :no, lease_owner = NULL, lease_until = NULL WHERE id = :batch")


def cancel_batch(session: Session, batch_id: int, *, now: datetime) -> None:
    """Close a batch nobody holds: what was planned is cancelled, what was on the wire is unknown."""
    session.connection().execute(_CANCEL, {"batch": batch_id, "now": now})
    session.connection().execute(_ABANDON_CANCELLED, {"batch": batch_id})
    session.connection().execute(_CLOSE, {"batch": batch_id, "no": False})


_DUE_ACCOUNTS = sql(
    f"""SELECT DISTINCT b.account_id, k.channel, EXISTS (SELECT 1 FROM batch held WHERE held.open
        AND held.account_id = b.account_id AND held.lease_until >= :now) AS attended
    FROM batch b JOIN run r ON r.id = b.run_id JOIN campaign c ON c.id = r.campaign_id
        JOIN account k ON k.id = b.account_id
    WHERE b.open AND b.due_at <= :now AND (b.lease_until IS NULL OR b.lease_until < :now)
      AND r.state = 'running' AND c.state = 'running' AND k.state = 'active'
      AND NOT {_HELD_BACK}""",
    "now",
)


class DueAccount(NamedTuple):
    """An account with a due batch nobody holds. ``attended``: somebody works on another of its batches."""

    channel: str
    attended: bool


def due_accounts(session: Session, *, now: datetime) -> dict[int, DueAccount]:
    """Return the accounts that have a due batch nobody holds."""
    return {
        row[0]: DueAccount(row[1], bool(row[2])) for row in session.connection().execute(_DUE_ACCOUNTS, {"now": now})
    }
