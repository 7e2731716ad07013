"""What a person does behind a stop link: no sign-in, no cookie, one press. Looking changes nothing.

A link that was altered, is none of ours, or belongs to somebody who was erased is answered in the same neutral way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session

from broadcaster.actions import consent as consent_actions
from broadcaster.actions import inbound, privacy, stopping
from broadcaster.actions.consent import Recorded
from broadcaster.actions.organisation import setting, time_zone
from broadcaster.actions.runtime import Runtime
from broadcaster.actions.stopping import Closing, Pair
from broadcaster.actions.whereabouts import mask
from broadcaster.core.consent import GRANTS, OUR_CLOCK, REFUSALS, SKEW, Actor, ConsentEvent, Source
from broadcaster.core.events import Json
from broadcaster.storage import choices as choice_rows
from broadcaster.storage import consent as ledger
from broadcaster.storage import consent_history, optin, people
from broadcaster.storage.consent import NewConsent
from broadcaster.storage.tables import Address, Brand, Purpose, Step


class Scope(StrEnum):
    """How much a person stops."""

    PURPOSE = "purpose"  #: what the message was about, at this address
    CHANNEL = "channel"  #: all marketing at this address
    EVERYTHING = "everything"  #: all marketing, at every address of theirs


@dataclass(frozen=True, slots=True)
class StopPage:
    """What the page behind a stop link shows. ``language``: the contact's own, None if we do not know it.

    ``masked`` is enough to tell one's own address, never the address. ``marketing`` False: a service message.
    """

    brand: str
    contact: str  #: how the brand is reached
    purpose: Mapping[str, str]
    channel: str
    masked: str
    language: str | None
    marketing: bool
    zone: str  #: on whose clock days begin: the person's, else the organisation's
    stopped: frozenset[Scope] = field(default=frozenset())


def read(runtime: Runtime, token: str) -> StopPage | None:
    """Return what a stop link is about, None if nothing can be said of it."""
    with runtime.db.reading() as session:
        found = inbound.by_token(runtime, session, token)
        if found is None:
            return None
        address, purpose_id, _step = found
        purpose = session.get(Purpose, purpose_id)
        if purpose is None or address.status == "erased":
            return None
        contact = choice_rows.sole_user(session, address.id)
        brand = None if purpose.brand_id is None else session.get(Brand, purpose.brand_id)
        return StopPage(
            brand=brand.name if brand else str(setting(session, "name")),
            contact=(brand.contact or brand.website) if brand else "",
            purpose=dict(purpose.label),
            channel=address.channel,
            masked=_masked(runtime, session, address),
            language=optin.language_of(session, address.id),
            marketing=purpose.kind == "marketing",
            zone=(contact.time_zone if contact else None) or time_zone(session),
            stopped=_stopped(session, address.id, purpose_id),
        )


def _masked(runtime: Runtime, session: Session, address: Address) -> str:
    key = people.person_keys(session, runtime.keys, [address.key_id or 0]).get(address.key_id or 0)
    return mask(address.channel, people.open_address(key, address.id, address.value_ct or b"")) if key else ""


def _stopped(session: Session, address_id: int, purpose_id: int) -> frozenset[Scope]:
    """Say what is stopped at this address already."""
    states = ledger.state_of(session, address_id)
    path = ledger.paths(session)[purpose_id]
    refused = {one for one in path if one in states and states[one].standing in {str(action) for action in REFUSALS}}
    marketing = ledger.purpose_id(session, "marketing")
    found = {Scope.PURPOSE} if refused else set()
    return frozenset(found | ({Scope.CHANNEL} if marketing in refused else set()))


def unsubscribe(
    runtime: Runtime, token: str, scope: Scope, *, source: Source, evidence: Mapping[str, Json]
) -> Recorded | None:
    """Record a person's stop and wait until nothing it forbids is on the wire; None if the link says nothing to us.

    *source* is ``one_click`` (RFC 8058) or ``preference_page``. Pressing twice is pressing once. The link
    of somebody who was erased still stops: a keyed hash remembers it.
    """
    recorded = _unsubscribe(runtime, token, scope, source=source, evidence=evidence)
    if recorded is None:
        privacy.refuse_by_token(runtime, token)
    return recorded


def _unsubscribe(
    runtime: Runtime, token: str, scope: Scope, *, source: Source, evidence: Mapping[str, Json]
) -> Recorded | None:
    with runtime.db.transaction("person") as session:
        found = inbound.by_token(runtime, session, token)
        purpose = None if found is None else session.get(Purpose, found[1])
        if found is None or purpose is None or found[0].status == "erased":
            return None
        address, _purpose_id, step_id = found
        refused = purpose.id if scope is Scope.PURPOSE else ledger.purpose_id(session, "marketing")
        addresses = [address.id]
        if scope is Scope.EVERYTHING:
            addresses = consent_history.addresses_beside(session, address.id)
        closing = Closing(tuple((one, refused) for one in addresses), "chosen")
        if source is Source.ONE_CLICK:  # a page lets people say how far; one click does not
            closing = stopping.widened(session, address, closing.pairs, now=runtime.db.now(session))
        steps = {address.id: credited(session, step_id, address.id)}
        told = {**evidence, "scope": scope.value, **closing.evidence()}
        recorded = stop_in(runtime, session, closing.pairs, Stop(token, source, told, steps))
    consent_actions.wait_out(runtime, recorded)
    return recorded


@dataclass(frozen=True, slots=True)
class Stop:
    """A person's no behind a link, and what shows it."""

    token: str
    source: Source
    evidence: Mapping[str, Json]
    steps: Mapping[int, int | None] = field(default_factory=dict)  #: address -> the campaign step it answers


def stop_in(runtime: Runtime, session: Session, pairs: Sequence[Pair], stop: Stop) -> Recorded:
    """Record a no to these purposes, or groups of them, at these addresses; the caller waits it out after its commit.

    Said twice is said once.
    """
    told = _lock_and_read(session, sorted({one for one, _ in pairs}))
    now = runtime.db.now(session)
    paths = ledger.paths(session)
    acts = [
        NewConsent(
            key=_key(stop, address_id, purpose_id, told.get(address_id, ())),
            address_id=address_id,
            purpose_id=purpose_id,
            action=stopping.action(session, purpose_id),
            actor=Actor.PERSON,
            source=stop.source,
            occurred_at=now,
            clock=OUR_CLOCK,
            evidence=stop.evidence,
            step_id=stop.steps.get(address_id),
        )
        for address_id, purpose_id in pairs
        if not _just_refused(told.get(address_id, ()), paths[purpose_id], now)
    ]
    recorded = consent_actions.record_in(runtime, session, acts) if acts else Recorded()
    recorded.repeated += len(pairs) - len(acts)
    for address_id, purpose_id in pairs:  # whoever presses again waits for the same
        recorded.closed[address_id].update(one for one, above in paths.items() if purpose_id in above)
    return recorded


def _lock_and_read(session: Session, address_ids: Sequence[int]) -> dict[int, list[ConsentEvent]]:
    """Take the addresses exclusively, in id order, and return what happened to their consent."""
    for address_id in sorted(address_ids):
        people.lock_address(session, address_id)
    return ledger.events_of(session, address_ids)


def _just_refused(told: Sequence[ConsentEvent], path: Sequence[int], now: datetime) -> bool:
    """Say whether this very refusal stands already, so recently that no yes can have come between."""
    refusals = [one for one in told if one.action in REFUSALS and one.purpose_id in path and one.clock == OUR_CLOCK]
    if not refusals:
        return False
    last = max(refusals, key=lambda one: one.id)
    return now - last.occurred_at < SKEW and not any(one.id > last.id and one.action in GRANTS for one in told)


def _key(stop: Stop, address_id: int, purpose_id: int, told: Sequence[ConsentEvent]) -> bytes:
    """Return what makes this press one fact: the link, how much, and what had happened before."""
    last = max((one.id for one in told), default=0)
    return hashlib.sha256(f"link:{stop.token}:{purpose_id}:{address_id}:{last}".encode()).digest()


def credited(session: Session, step_id: int, address_id: int) -> int | None:
    """Return the campaign step a stop answers: the one the link was sent with, if it was sent to this address."""
    step = session.get(Step, step_id) if step_id else None
    return step.id if step is not None and step.address_id == address_id else None
