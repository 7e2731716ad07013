"""Consent as it happened, and as it stood at any moment: every event with the words shown, its source and its proof."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session

from broadcaster.actions import optin, whereabouts
from broadcaster.actions.runtime import Runtime
from broadcaster.core import consent as rules
from broadcaster.core import events
from broadcaster.core.consent import State
from broadcaster.core.errors import IntegrityFailure
from broadcaster.core.keys import open_sealed
from broadcaster.storage import consent as ledger
from broadcaster.storage import consent_history as rows
from broadcaster.storage import contacts, people
from broadcaster.storage.tables import Purpose, Wording


@dataclass(frozen=True, slots=True)
class Entry:
    """One event, readable. ``evidence`` is None once it was erased; ``intact``: it is what the log committed to."""

    id: int
    address_id: int
    channel: str
    masked: str
    purpose: Purpose
    action: str
    actor: str
    source: str
    basis: str
    occurred_at: datetime
    received_at: datetime
    expires_at: datetime | None
    wording: Wording | None
    staff_id: int | None
    import_id: int | None
    step_id: int | None
    ineffective: bool
    position: int | None  #: place in the log; None: not numbered yet
    evidence: Mapping[str, Any] | None = field(repr=False)
    intact: bool = True


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one purpose stood: ``standing`` None is unknown, which is no."""

    purpose: Purpose
    standing: str | None
    since: datetime | None
    event_id: int | None


def of_contact(session: Session, contact_id: int) -> list[int]:
    """Return the addresses in use by a contact. Raises NotFound."""
    contacts.get(session, contact_id)
    return [address.id for _link, address in contacts.links(session, [contact_id])]


def history(runtime: Runtime, address_ids: Sequence[int]) -> list[Entry]:
    """Return everything that happened at these addresses, oldest first."""
    with runtime.db.reading() as session:
        return entries(runtime, session, rows.of_addresses(session, address_ids))


def newest(
    runtime: Runtime, *, before: int | None = None, limit: int = 50, wording_id: int | None = None
) -> list[Entry]:
    """Return the newest events of everybody, or those by one wording, newest first."""
    with runtime.db.reading() as session:
        return entries(runtime, session, rows.newest(session, before=before, limit=limit, wording_id=wording_id))


def entries(runtime: Runtime, session: Session, found: Sequence[Any]) -> list[Entry]:
    """Open rows of the ledger: words, evidence, and whether they are what was committed to."""
    keys = people.person_keys(session, runtime.keys, [row.key_id for row in found if row.key_id])
    purposes = rows.purposes(session)
    wordings = rows.wordings(session, [row.wording_id for row in found if row.wording_id])
    return [_entry(row, keys.get(row.key_id), purposes, wordings.get(row.wording_id)) for row in found]


def _entry(row: Any, key: bytes | None, purposes: Mapping[int, Purpose], wording: Wording | None) -> Entry:
    evidence, intact = _opened(row, key)
    value = people.open_address(key, row.address_id, bytes(row.value_ct)) if key and row.value_ct else ""
    return Entry(
        id=row.id,
        address_id=row.address_id,
        channel=row.channel,
        masked=whereabouts.mask(row.channel, value),
        purpose=purposes[row.purpose_id],
        action=row.action,
        actor=row.actor,
        source=row.source,
        basis=row.basis,
        occurred_at=row.occurred_at,
        received_at=row.received_at,
        expires_at=row.expires_at,
        wording=wording,
        staff_id=row.staff_id,
        import_id=row.import_id,
        step_id=row.step_id,
        ineffective=bool(row.ineffective),
        position=row.position,
        evidence=evidence,
        intact=intact,
    )


def _opened(row: Any, key: bytes | None) -> tuple[Mapping[str, Any] | None, bool]:
    if key is None or row.body_ct is None:
        return None, True
    try:
        body = open_sealed(key, bytes(row.body_ct), b"consent:%d" % row.id)
        events.check_commitment(bytes(row.salt), body, bytes(row.commitment))
    except IntegrityFailure:
        return None, False
    told = json.loads(body).get("evidence")
    return (told if isinstance(told, dict) else {}), True


def state_at(session: Session, address_id: int, moment: datetime) -> dict[int, State]:
    """Return what we knew of an address at *moment*: the events received by then, folded as the gate folds them."""
    found = ledger.events_of(session, [address_id]).get(address_id, [])
    return rules.fold([one for one in found if one.received_at <= moment], paths=ledger.paths(session))


def standings(runtime: Runtime, address_id: int, *, moment: datetime | None = None) -> list[Standing]:
    """Return where every purpose stood at *moment* (now), as the gate would have judged it."""
    with runtime.db.reading() as session:
        at = moment or runtime.db.now(session)
        states, paths = state_at(session, address_id, at), ledger.paths(session)
        known = rows.purposes(session)
    found = []
    for purpose in sorted(known.values(), key=lambda one: (one.kind, one.key)):
        if purpose.key in optin.ROOTS or purpose.archived_at is not None:
            continue
        path = paths[purpose.id]
        state = next((states[one] for one in (purpose.id, *path[:-1]) if one in states), None)
        standing = optin.standing_at(states, path, at)
        told = state if standing is not None else None
        since, event_id = (None, None) if told is None else (told.since, told.event_id)
        found.append(Standing(purpose, standing, since, event_id))
    return found
