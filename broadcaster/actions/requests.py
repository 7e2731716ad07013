"""Requests about a person's data other than erasure: noted with their clock, obeyed where they refuse, answered.

The note is the person's: it is encrypted under their key and goes with them.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from datetime import datetime

from sqlmodel import Session

from broadcaster.actions import consent as consent_actions
from broadcaster.actions.consent import Recorded
from broadcaster.actions.runtime import Runtime
from broadcaster.core import requests as clock
from broadcaster.core.consent import OUR_CLOCK, SKEW, Action, Actor, Source
from broadcaster.core.errors import Conflict, InvalidInput, NotFound
from broadcaster.core.event_types import PrivacyRequestMoved
from broadcaster.core.events import Json
from broadcaster.core.keys import open_sealed, seal
from broadcaster.core.requests import RequestKind
from broadcaster.storage import consent as ledger
from broadcaster.storage import contacts, log
from broadcaster.storage import privacy as rows
from broadcaster.storage.consent import NewConsent
from broadcaster.storage.tables import Contact, PrivacyRequest

NOTE_MOST = 2000
_OLDEST_DAYS = 366
#: What a request refuses by itself -> the act, and the purpose it is about.
_ACTS = {
    RequestKind.OBJECTION: (Action.OBJECTED, "marketing"),
    RequestKind.RESTRICTION: (Action.RESTRICTED, "all"),
    RequestKind.ERASURE: (Action.OBJECTED, "all"),
}


def receive(
    runtime: Runtime,
    contact_id: int,
    kind: str,
    *,
    received_at: datetime,
    note: str = "",
    staff_id: int | None = None,
    shown: Mapping[str, Json] | None = None,
    actor: str,
) -> int:
    """Note a request and return its id; an objection or restriction takes effect on every address before this returns.

    *shown* is what shows that the person asked on our own page. They can ask so to be erased: nothing more is sent,
    and staff erase, or refuse with a reason (GDPR art. 17(3)); asked by staff, ``privacy.erase`` does it at once.
    Raises InvalidInput naming ``kind``, ``date`` or ``note``; NotFound for somebody unknown or erased.
    """
    if kind not in set(RequestKind) - (set() if shown is not None else {RequestKind.ERASURE}):
        raise InvalidInput("choose a kind of request", field="kind", code="unknown_choice")
    with runtime.db.transaction(actor) as session:
        person = _person(session, contact_id)
        now = runtime.db.now(session)
        if received_at > now + SKEW or (now - received_at).days > _OLDEST_DAYS:
            raise InvalidInput("this date cannot be right", field="date", code="date_range")
        request = PrivacyRequest(
            kind=kind,
            contact_id=person.id,
            received_at=received_at,
            due_at=clock.due(received_at),
            staff_id=staff_id,
            progress={},
        )
        session.add(request)
        session.flush()
        _keep_note(runtime, session, request, person, received=note)
        log.record(session, PrivacyRequestMoved(request_id=request.id, verb=f"{kind} received"), at=now)
        recorded = _obey(runtime, session, request, now, shown)
    if recorded is not None:
        consent_actions.wait_out(runtime, recorded)
    return request.id


def extend(runtime: Runtime, request_id: int, *, actor: str) -> None:
    """Give a request two more months. Raises Conflict once it is over, was extended, or its first month is past."""
    with runtime.db.transaction(actor) as session:
        request = _open(session, request_id)
        now = runtime.db.now(session)
        longer = clock.extended(request.received_at)
        if request.due_at >= longer:
            raise Conflict("this request was extended before; it can be once", code="extended_already")
        if request.due_at < now:
            raise Conflict("the person must be told within the first month", code="extended_late")
        request.due_at = longer
        session.add(request)
        log.record(session, PrivacyRequestMoved(request_id=request.id, verb="extended"), at=now)


def finish(runtime: Runtime, request_id: int, *, note: str, refused: bool = False, actor: str) -> None:
    """Close a request with a note on what was done, or why not. Raises InvalidInput without one, Conflict if closed."""
    if not note.strip():
        raise InvalidInput("say what was done", field="note", code="required")
    with runtime.db.transaction(actor) as session:
        request = _open(session, request_id)
        if request.kind == RequestKind.ERASURE and not refused:
            raise Conflict("erase the person, or say why that is refused", code="erase_first")
        now = runtime.db.now(session)
        _keep_note(runtime, session, request, _person(session, request.contact_id or 0), answered=note)
        request.state, request.done_at = "refused" if refused else "done", now
        session.add(request)
        log.record(session, PrivacyRequestMoved(request_id=request.id, verb=request.state), at=now)


def notes(runtime: Runtime, session: Session, request: PrivacyRequest) -> dict[str, str]:
    """Return what was noted: ``received``, ``answered``; nothing of somebody who was erased."""
    person = session.get(Contact, request.contact_id or 0)
    key = None if person is None else contacts.key_of(session, runtime.keys, person)
    if key is None or request.note_ct is None:
        return {}
    told: dict[str, str] = json.loads(open_sealed(key, request.note_ct, b"privacy_request:%d" % request.id))
    return told


def _person(session: Session, contact_id: int) -> Contact:
    person = rows.person_of(session, contact_id, lock=True)
    if person is None or person.state == "erased":
        raise NotFound("There is no such contact.")
    return person


def _open(session: Session, request_id: int) -> PrivacyRequest:
    if session.get(PrivacyRequest, request_id) is None:
        raise NotFound("There is no such request.")
    request = rows.lock_request(session, request_id)
    if request.state != "received":
        raise Conflict("this request is closed, or goes on by itself", code="request_closed")
    return request


def _keep_note(runtime: Runtime, session: Session, request: PrivacyRequest, person: Contact, **said: str) -> None:
    if any(len(one) > NOTE_MOST for one in said.values()):
        raise InvalidInput("at most 2000 characters", field="note", code="too_long")
    told = {**notes(runtime, session, request), **{name: one.strip() for name, one in said.items() if one.strip()}}
    if told:
        key = contacts.key_of(session, runtime.keys, person, make=True)
        assert key is not None, "it was made"
        request.note_ct = seal(key, json.dumps(told, ensure_ascii=False).encode(), b"privacy_request:%d" % request.id)
        session.add(request)


def _obey(
    runtime: Runtime, session: Session, request: PrivacyRequest, now: datetime, shown: Mapping[str, Json] | None
) -> Recorded | None:
    """Record what a request refuses, on every address of the person; an erasure leaves those they share."""
    if RequestKind(request.kind) not in _ACTS:
        return None
    action, purpose = _ACTS[RequestKind(request.kind)]
    person = rows.scope(session, request.contact_id or 0)
    reached = person.own if request.kind == RequestKind.ERASURE else (*person.own, *person.shared)
    acts = [
        NewConsent(
            key=secrets.token_bytes(16),
            address_id=address_id,
            purpose_id=ledger.purpose_id(session, purpose),
            action=action,
            actor=Actor.STAFF if shown is None else Actor.PERSON,
            source=Source.SYSTEM if shown is None else Source.PREFERENCE_PAGE,
            occurred_at=now,
            clock=OUR_CLOCK,
            evidence={**(shown or {}), "privacy_request_id": request.id},
            staff_id=request.staff_id,
        )
        for address_id in sorted(reached)
    ]
    return consent_actions.record_in(runtime, session, acts) if acts else None
