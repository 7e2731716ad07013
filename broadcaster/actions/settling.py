"""Write how calls ended: the verdict of each, and one leaf of the log over all of them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import attrgetter

from sqlmodel import Session

from broadcaster.actions.gate import Flight
from broadcaster.core import deliveries, events, proofs
from broadcaster.core.deliveries import Idempotency
from broadcaster.core.event_types import WindowSettled, milliseconds
from broadcaster.core.messages import CallResult
from broadcaster.storage import log
from broadcaster.storage import settling as rows
from broadcaster.storage.database import allocate
from broadcaster.storage.settling import Settled


def write(
    session: Session,
    ended: Sequence[tuple[Flight, CallResult]],
    account_id: int,
    idempotency: Idempotency,
    *,
    now: datetime,
) -> list[Settled]:
    """Settle calls that were begun, at least one; return what became of each."""
    now_ms = milliseconds(now)
    settled = [_settled(flight, result, account_id, idempotency, now, now_ms) for flight, result in ended]
    settled.sort(key=attrgetter("step_id"))
    [entry_id] = allocate(session, "log_entry", 1)
    news = rows.settle(session, settled, entry_id=entry_id, now=now)
    if news:  # the leaf covers what was written, and nothing that came too late
        digest = hashlib.sha256(b"".join(one.commitment for one in settled if one.step_id in news)).hexdigest()
        log.record(session, WindowSettled(count=len(news), digest=digest), at=now, entry_id=entry_id)
    return settled


def _settled(
    flight: Flight, result: CallResult, account_id: int, idempotency: Idempotency, now: datetime, now_ms: int
) -> Settled:
    verdict = deliveries.settle(
        result.outcome, attempt=flight.attempt, retry_after=result.retry_after, idempotency=idempotency
    )
    wait = verdict.retry_after_seconds
    salt = secrets.token_bytes(events.SALT_BYTES)
    item = flight.item
    body = proofs.send_bytes(
        step_id=item.step_id,
        attempt=flight.attempt,
        run_id=item.run_id,
        account_id=account_id,
        address_id=item.address_id,
        purpose_id=item.purpose_id,
        consent_event_id=flight.event_id,
        gate_at=flight.gate_ms,
        settled_at=now_ms,
        outcome=result.outcome.value,
        provider_id=result.provider_id,
    )
    return Settled(
        step_id=item.step_id,
        attempt=flight.attempt,
        state=verdict.state.value,
        reason=None if verdict.reason is None else verdict.reason.value,
        due_at=None if wait is None else now + timedelta(seconds=wait),
        outcome=result.outcome.value,
        provider_code=result.provider_code,
        provider_id=result.provider_id,
        commitment=events.commit(salt, body),
        salt=salt,
    )
