"""A pause: a person wants nothing of marketing until a day, and then as before.

It is a restriction with an end, in the consent ledger like every other word of theirs, so the gate knows it at once. It
ends with an event as well: when the day comes, or when they say so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

from sqlmodel import Session

from broadcaster.actions import choices
from broadcaster.actions import consent as consent_actions
from broadcaster.actions.choosing import Done
from broadcaster.actions.organisation import time_zone
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import OUR_CLOCK, Action, Actor, Source
from broadcaster.core.events import Json
from broadcaster.core.schedule import local_instant
from broadcaster.storage import consent as ledger
from broadcaster.storage import people
from broadcaster.storage.consent import NewConsent

LONGEST_DAYS = 366


def pause(runtime: Runtime, token: str, until: date | None, *, evidence: Mapping[str, Json]) -> Done | None:
    """Pause all marketing to the addresses behind a link until a day begins where the person is; None ends the pause.

    None where the link does not reach; ``Done.BAD_DATE`` for a day that is over, today, or more than a year away.
    """
    with runtime.db.transaction("person") as session:
        found = choices.reach(runtime, session, token)
        if found is None:
            return None
        now = runtime.db.now(session)
        zone = (found.contact.time_zone if found.contact else None) or time_zone(session)
        end = None if until is None else _begins(until, zone, now)
        if until is not None and end is None:
            return Done.BAD_DATE
        acts = []
        for address in sorted(found.addresses, key=lambda one: one.id):
            people.lock_address(session, address.id)
            acts += _acts(session, token, address.id, end, now, evidence)
        recorded = consent_actions.record_in(runtime, session, acts)
    consent_actions.wait_out(runtime, recorded)
    return Done.RESUMED if until is None else Done.PAUSED


def _begins(day: date, zone: str, now: datetime) -> datetime | None:
    """Return when *day* begins, if that lies ahead and not too far."""
    if not now.date() < day <= now.date() + timedelta(days=LONGEST_DAYS):
        return None
    begins = local_instant(day, time(0), zone, fold=0)
    return begins if begins > now else None


def _acts(
    session: Session, token: str, address_id: int, end: datetime | None, now: datetime, evidence: Mapping[str, Json]
) -> list[NewConsent]:
    """Return what happens at one address: a pause that runs ends, another may begin; the same one said twice is one."""
    running = choices.paused_until(session, address_id, now=now)
    if running == end:
        return []
    actions = ([Action.RELEASED] if running else []) + ([Action.RESTRICTED] if end else [])
    last = max((one.id for one in ledger.events_of(session, [address_id]).get(address_id, [])), default=0)
    return [
        NewConsent(
            key=hashlib.sha256(f"pause:{token}:{action}:{address_id}:{end}:{last}".encode()).digest(),
            address_id=address_id,
            purpose_id=ledger.purpose_id(session, "marketing"),
            action=action,
            actor=Actor.PERSON,
            source=Source.PREFERENCE_PAGE,
            occurred_at=now,
            clock=OUR_CLOCK,
            evidence=evidence,
            expires_at=end if action is Action.RESTRICTED else None,
        )
        for action in actions
    ]


def end_pauses(runtime: Runtime) -> int:
    """End the pauses whose day has come; return at how many addresses."""
    with runtime.db.reading() as session:
        marketing, now = ledger.purpose_id(session, "marketing"), runtime.db.now(session)
        over = ledger.pauses_over(session, now=now)
    if not over:
        return 0
    with runtime.db.transaction() as session:
        now = runtime.db.now(session)
        acts = [
            NewConsent(
                key=hashlib.sha256(f"pause over:{event_id}".encode()).digest(),
                address_id=address_id,
                purpose_id=marketing,
                action=Action.RELEASED,
                actor=Actor.SYSTEM,
                source=Source.SYSTEM,
                occurred_at=now,
                clock=OUR_CLOCK,
                evidence={"reason": "the pause is over"},
            )
            for address_id, event_id in over
        ]
        consent_actions.record_in(runtime, session, acts)
    return len(acts)
