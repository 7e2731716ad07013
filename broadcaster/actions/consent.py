"""Record what happened to consent, and obey it: the ledger, the state, the steps that are planned or on the wire.

A refusal takes the address exclusively, writes the event, closes what is planned, commits, and then waits until
nothing it refuses is ``dispatching`` (the drain barrier). Only then may the caller answer; ``docs/reliability.md`` has
the bound.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlmodel import Session

from broadcaster.actions import lawful
from broadcaster.actions.runtime import Runtime
from broadcaster.core import consent
from broadcaster.core.consent import Action, ConsentEvent
from broadcaster.core.deliveries import Reason
from broadcaster.core.event_types import Suppressed
from broadcaster.storage import consent as ledger
from broadcaster.storage import deliveries, log, people
from broadcaster.storage.consent import NewConsent
from broadcaster.storage.tables import Address

#: How long an opt-out waits for what is on the wire; at least the gate's G (``actions/dispatch.py``), so that even when
#: the wait runs out no call can *start* after the answer.
BARRIER_SECONDS = 0.8
_POLL_SECONDS = 0.005

CLOSING = frozenset({Action.WITHDRAWN, Action.OBJECTED, Action.EXPIRED, Action.RESTRICTED})
_REASON = {
    Action.WITHDRAWN: Reason.WITHDRAWN,
    Action.OBJECTED: Reason.OBJECTED,
    Action.EXPIRED: Reason.EXPIRED,
    Action.RESTRICTED: Reason.RESTRICTED,
}


@dataclass(slots=True)
class Recorded:
    """What recording did. ``in_flight`` counts calls that were still under way when the barrier gave up."""

    event_ids: list[int] = field(default_factory=list)
    repeated: int = 0
    ineffective: int = 0
    skipped_steps: int = 0
    in_flight: int = 0
    closed: dict[int, set[int]] = field(default_factory=lambda: defaultdict(set))  #: address -> purposes refused


def record(runtime: Runtime, acts: Sequence[NewConsent], *, actor: str) -> Recorded:
    """Record consent events, commit, and wait out what a refusal forbids."""
    with runtime.db.transaction(actor) as session:
        recorded = record_in(runtime, session, acts)
    wait_out(runtime, recorded)
    return recorded


def record_in(runtime: Runtime, session: Session, acts: Sequence[NewConsent]) -> Recorded:
    """Record consent events within a transaction; the caller calls ``wait_out`` after its commit.

    The same fact told twice is recorded once. A grant that a refusal outlives is recorded as ineffective.
    """
    recorded = Recorded()
    addresses = _lock(session, {act.address_id for act in acts})
    acts = [act for act in acts if addresses[act.address_id].status != "erased"]  # nobody is left to say anything
    for act in acts:  # whoever repeats a refusal is answered only when the first one may be
        if act.action in CLOSING:
            recorded.closed[act.address_id].update(_below(session, act.purpose_id))
    fresh = _not_yet_told(session, acts)
    recorded.repeated = len(acts) - len(fresh)
    if not fresh:
        return recorded
    now = runtime.db.now(session)
    keys = people.person_keys(session, runtime.keys, [row.key_id for row in addresses.values() if row.key_id])
    by_address = {row.id: keys[row.key_id] for row in addresses.values() if row.key_id in keys}
    fresh = lawful.with_ends(session, fresh, addresses)
    judged = _judge(session, [_with_address(act, addresses, by_address) for act in fresh], now)
    recorded.ineffective = sum(act.ineffective for act in judged)
    recorded.event_ids = ledger.append(session, judged, person_keys=by_address, at=now)
    ledger.project(session, sorted(addresses))
    _lift_suppression(runtime, session, judged, addresses, by_address, now)
    _close(session, judged, recorded, now)
    return recorded


def _lock(session: Session, address_ids: Iterable[int]) -> dict[int, Address]:
    """Take the addresses exclusively, in id order; senders hold them shared."""
    return {row.id: row for row in people.lock_addresses(session, address_ids)}


def _not_yet_told(session: Session, acts: Sequence[NewConsent]) -> list[NewConsent]:
    known = ledger.known_keys(session, [act.key for act in acts])
    return list({act.key: act for act in reversed(acts) if act.key not in known}.values())[::-1]


def _with_address(act: NewConsent, addresses: Mapping[int, Address], keys: Mapping[int, bytes]) -> NewConsent:
    row = addresses[act.address_id]
    value = people.open_address(keys[row.id], row.id, row.value_ct or b"")
    return replace(act, evidence={**act.evidence, "address": value, "channel": row.channel})


def _judge(session: Session, acts: Sequence[NewConsent], now: datetime) -> list[NewConsent]:
    told = ledger.events_of(session, sorted({act.address_id for act in acts}))
    paths = ledger.paths(session)
    judged = []
    for place, act in enumerate(acts):
        event = _as_event(act, now, -place - 1)
        judged.append(replace(act, ineffective=consent.ineffective(event, told[act.address_id], paths=paths)))
        told[act.address_id].append(event)
    return judged


def _as_event(act: NewConsent, now: datetime, event_id: int) -> ConsentEvent:
    return ConsentEvent(
        id=event_id,
        key=act.key.hex(),
        action=act.action,
        purpose_id=act.purpose_id,
        occurred_at=consent.effective_time(act.occurred_at, now),
        received_at=now,
        clock=act.clock,
        actor=act.actor,
        source=act.source,
        basis=act.basis,
        expires_at=act.expires_at,
    )


def _lift_suppression(
    runtime: Runtime,
    session: Session,
    acts: Sequence[NewConsent],
    addresses: Mapping[int, Address],
    keys: Mapping[int, bytes],
    now: datetime,
) -> None:
    """A person's own later yes ends the suppression of their address; nothing else does."""
    said: dict[int, datetime] = {}
    for act in acts:
        own = act.actor is consent.Actor.PERSON and act.source in consent.RECONSENT_SOURCES
        if own and act.action in consent.GRANTS and not act.ineffective and addresses[act.address_id].suppressed:
            said[act.address_id] = max(act.occurred_at, said.get(act.address_id, act.occurred_at))
    for address_id, at in said.items():
        row = addresses[address_id]
        marks = [mark.digest for mark in runtime.keys.suppression_marks(_digests(runtime, row, keys[address_id]))]
        if not people.lift_suppressions(session, marks, before=at):
            continue  # that yes is older than the suppression
        row.suppressed = False
        session.add(row)
        log.record(session, Suppressed(verb="lifted", count=1, reason="own act"), at=now)


def _digests(runtime: Runtime, row: Address, key: bytes) -> tuple[bytes, ...]:
    """Return all under which an address may have been suppressed: as it is stored, and by every index key we hold."""
    value = people.open_address(key, row.id, row.value_ct or b"")
    scope = people.address_scope(row.channel, row.account_id)
    return (row.digest or b"", *runtime.keys.blind_indexes(scope, value))


def _close(session: Session, acts: Sequence[NewConsent], recorded: Recorded, now: datetime) -> None:
    """Bump the stop epoch and close the planned steps that the refusals forbid."""
    closing = [act for act in acts if act.action in CLOSING]
    for act in closing:
        below = _below(session, act.purpose_id)
        recorded.skipped_steps += deliveries.skip_open(
            session,
            [act.address_id],
            below,
            reason=_REASON[act.action].value,
            now=now,
            due_before=act.expires_at if act.action is Action.RESTRICTED else None,
        )
    if closing:
        people.bump_stop_epochs(session, sorted({act.address_id for act in closing}))


def _below(session: Session, purpose_id: int) -> list[int]:
    """Return a purpose and all those that a refusal of it binds."""
    return [purpose for purpose, path in ledger.paths(session).items() if purpose_id in path]


def wait_out(runtime: Runtime, recorded: Recorded) -> None:
    """Wait, at most ``BARRIER_SECONDS``, until nothing that was refused is on the wire."""
    if not recorded.closed:
        return
    end = time.monotonic() + BARRIER_SECONDS
    addresses = sorted(recorded.closed)
    purposes = sorted(set().union(*recorded.closed.values()))
    while True:
        with runtime.db.reading() as session:
            recorded.in_flight = deliveries.in_flight(session, addresses, purposes)
        if not recorded.in_flight or time.monotonic() >= end:
            return
        time.sleep(_POLL_SECONDS)
