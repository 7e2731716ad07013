"""One consent event as it is committed to, sealed and stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache

from broadcaster.core import consent, events
from broadcaster.core.consent import State
from broadcaster.core.event_types import milliseconds
from broadcaster.core.events import Json
from broadcaster.core.keys import seal
from broadcaster.core.sealing import Values, stored


@dataclass(slots=True)
class NewConsent:
    """One consent event to be recorded.

    ``key`` makes a repetition of the same fact harmless (up to 32 bytes, unique). ``evidence`` is what proves it:
    address, words matched, form, file and line; it is committed to and encrypted, and can be erased.
    """

    key: bytes
    address_id: int
    purpose_id: int
    action: consent.Action
    actor: consent.Actor
    source: consent.Source
    occurred_at: datetime
    clock: str
    evidence: Mapping[str, Json]
    basis: consent.Basis = consent.Basis.CONSENT
    expires_at: datetime | None = None
    wording_id: int | None = None
    staff_id: int | None = None
    import_id: int | None = None
    step_id: int | None = None
    ineffective: bool = False


@lru_cache(maxsize=256)
def _words(*told: StrEnum) -> tuple[str, ...]:
    """Return the plain words: an enum's ``value`` costs a call of a Python function each time."""
    return tuple(one.value for one in told)


def committed_bytes(event_id: int, event: NewConsent, at: datetime) -> bytes:
    """Return what the ledger commits to: the event, its evidence and when we received it."""
    action, actor, source, basis = _words(event.action, event.actor, event.source, event.basis)
    told: dict[str, Json] = {
        "action": action,
        "actor": actor,
        "address_id": event.address_id,
        "basis": basis,
        "event_id": event_id,
        "evidence": dict(event.evidence),
        "expires_at": None if event.expires_at is None else milliseconds(event.expires_at),
        "occurred_at": milliseconds(event.occurred_at),
        "purpose_id": event.purpose_id,
        "received_at": milliseconds(at),
        "source": source,
        "staff_id": event.staff_id,
        "wording_id": event.wording_id,
    }
    return events.canonical(told)


def consent_rows(
    event_id: int, event: NewConsent, *, at: datetime, key: bytes, salt: bytes, entry_id: int
) -> tuple[Values, Values]:
    """Return the skeleton and the evidence of an event; *key* is the address's, *entry_id* the leaf that covers it."""
    body = committed_bytes(event_id, event, at)
    skeleton = (
        event_id,
        event.key,
        event.address_id,
        event.purpose_id,
        *_words(event.action, event.actor, event.source, event.basis),
        event.clock,
        stored(consent.effective_time(event.occurred_at, at)),
        stored(at),
        stored(event.expires_at),
        event.wording_id,
        event.staff_id,
        event.import_id,
        event.step_id,
        event.ineffective,
        entry_id,
        events.commit(salt, body),
    )
    rule = str(event.evidence.get("rule") or "") or None
    return skeleton, (event_id, seal(key, body, b"consent:%d" % event_id), salt, rule)


def state_row(address_id: int, state: State, event_id: int) -> Values:
    """Return the row of where consent stands by the event *event_id*."""
    since, until = stored(state.since), stored(state.expires_at)
    standing, basis = _words(state.standing, state.basis)
    return (address_id, state.purpose_id, standing, event_id, basis, since, until, state.beneath_id)
