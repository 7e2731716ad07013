"""Erase a person, so that no byte of them can be read any more and every proof still holds.

The order is that of ``docs/privacy.md``: the request is noted, sending stops, what is on the wire comes to its end, the
addresses are remembered by keyed hash, the erasure is recorded with what it closes, and only then data goes, in short
transactions, each of which may be interrupted and repeated. ``resume_erasures`` carries on where a process was killed.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlmodel import Session

from broadcaster.actions import consent, sequencer
from broadcaster.actions.runtime import Runtime
from broadcaster.core import requests
from broadcaster.core.consent import OUR_CLOCK, Action, Actor, Source
from broadcaster.core.errors import NotFound
from broadcaster.core.event_types import PrivacyRequestMoved, Suppressed
from broadcaster.storage import consent as ledger
from broadcaster.storage import erasing, log, people
from broadcaster.storage import privacy as rows
from broadcaster.storage.consent import NewConsent
from broadcaster.storage.privacy import Scope
from broadcaster.storage.tables import Contact, PrivacyRequest

#: How long a caller waits for messages in flight before the rest is left to ``resume_erasures``.
WAIT_SECONDS = 5.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Erasure:
    """How far an erasure has come. ``state``: ``done``, ``waiting`` (it goes on by itself) or ``already``."""

    request_id: int
    contact_id: int
    state: str
    in_flight: int = 0
    rows: dict[str, int] = field(default_factory=dict)  #: step -> rows it touched


def erase(runtime: Runtime, contact_id: int, *, actor: str, wait_seconds: float = WAIT_SECONDS) -> Erasure:
    """Erase a contact and whoever was merged with them; return ``already`` if that was done before.

    Messages on the wire are waited for, at most *wait_seconds*; then the state is ``waiting`` and the loop goes on.
    Raises NotFound for an unknown contact.
    """
    with runtime.db.transaction(actor) as session:
        person = rows.person_of(session, contact_id, lock=True)
        if person is None:
            raise NotFound("There is no such contact.")
        known = rows.open_request(session, person.id)
        if known is not None and known.state == "done" and person.state == "erased":
            return Erasure(known.id, person.id, "already")
        if known is not None and known.state == "running":
            request_id = known.id
        else:
            asked = known if known is not None and known.state == "received" else None
            request_id = _begin(runtime, session, person, asked)
    return _go_on(runtime, request_id, actor=actor, wait_seconds=wait_seconds)


def what_would_go(runtime: Runtime, contact_id: int) -> dict[str, int]:
    """Count what an erasure would take away, by kind, and change nothing. Raises NotFound for an unknown contact."""
    with runtime.db.reading() as session:
        person = rows.person_of(session, contact_id)
        if person is None:
            raise NotFound("There is no such contact.")
        scope = rows.scope(session, person.id)
        found = erasing.counts(session, scope)
        return {**found, "in_flight": rows.on_the_wire(session, scope, now=runtime.db.now(session))}


def resume_erasures(runtime: Runtime) -> int:
    """Carry on erasures that were interrupted or wait for a message; return how many are done now."""
    with runtime.db.reading() as session:
        waiting = rows.unfinished(session)
    states = [_go_on(runtime, request_id, actor="system", wait_seconds=0).state for request_id in waiting]
    return states.count("done")


def refuse_by_token(runtime: Runtime, token: str) -> bool:
    """Obey the stop link of somebody who was erased: make sure that a keyed hash remembers the refusal.

    Returns whether the token is one of ours; the page answers the same in either case.
    """
    try:
        start = runtime.keys.read_link_token(token).address
    except NotFound:
        return False
    with runtime.db.transaction("person") as session:
        now = runtime.db.now(session)
        if not rows.known_address(session, start) and not people.suppressed(session, runtime.keys, [start], now=now):
            rows.add_mark(session, runtime.keys, start, channel="", now=now, reason="objection")
            log.record(session, Suppressed(verb="added", count=1, reason="stop link"), at=now)
    return True


def _begin(runtime: Runtime, session: Session, person: Contact, asked: PrivacyRequest | None) -> int:
    """Begin what the person asked for, or note it now, and keep them out of everything new."""
    now = runtime.db.now(session)
    actor = str(session.info.get("actor", ""))
    request = asked or PrivacyRequest(
        kind="erasure", contact_id=person.id, received_at=now, due_at=requests.due(now), progress={}
    )
    request.state, request.progress = "running", {"done": [], "rows": {}}
    request.staff_id = int(actor[6:]) if actor.startswith("staff:") else None
    session.add(request)
    session.flush()
    rows.freeze(session, rows.scope(session, person.id))
    log.record(
        session,
        PrivacyRequestMoved(request_id=request.id, verb="erasure begun" if asked else "erasure received"),
        at=now,
    )
    return request.id


class _Waiting(Exception):
    """Something is on the wire, or holds back the scrub; it will go on later."""


@dataclass(slots=True)
class _Work:
    """One erasure in the hands of one process."""

    runtime: Runtime
    request_id: int
    actor: str
    until: float
    in_flight: int = 0


def _go_on(runtime: Runtime, request_id: int, *, actor: str, wait_seconds: float) -> Erasure:
    """Do every step that is not done yet."""
    work = _Work(runtime, request_id, actor, time.monotonic() + wait_seconds)
    state = "done"
    try:
        for name, step in _STEPS.items():
            if name not in _progress(work)["done"]:
                step(work)
    except _Waiting:
        state = "waiting"
    with runtime.db.reading() as session:
        request = session.get_one(PrivacyRequest, request_id)
        counted: Any = request.progress.get("rows", {})
        return Erasure(request_id, request.contact_id or 0, state, work.in_flight, dict(counted))


def _progress(work: _Work) -> dict[str, Any]:
    with work.runtime.db.reading() as session:
        return dict(session.get_one(PrivacyRequest, work.request_id).progress)


def _scope(work: _Work) -> Scope:
    return Scope.from_json(_progress(work)["scope"])


def _note(work: _Work, session: Session, step: str, touched: int = 0, *, done: bool = True, **also: Any) -> None:
    """Write down how far a step has come, in the transaction that did it."""
    request = rows.lock_request(session, work.request_id)
    before: dict[str, Any] = request.progress
    finished = [*before["done"], step] if done and step not in before["done"] else before["done"]
    counted = {**before["rows"], step: before["rows"].get(step, 0) + touched}
    request.progress = {**before, "done": finished, "rows": counted, **also}
    session.add(request)
    log.record(session, PrivacyRequestMoved(work.request_id, f"erasure: {step}"), at=work.runtime.db.now(session))


def _stop(work: _Work) -> None:
    """Object to everything on every address that is this person's alone; wait out what is on the wire."""
    runtime = work.runtime
    with runtime.db.transaction(work.actor) as session:
        request = rows.lock_request(session, work.request_id)
        scope = rows.scope(session, request.contact_id or 0)
        now = runtime.db.now(session)
        purpose_id = ledger.purpose_id(session, "all")
        acts = [_objection(work, address_id, purpose_id, now) for address_id in scope.own]
        recorded = consent.record_in(runtime, session, acts)
        skipped = rows.skip_planned(session, scope, now=now)
        _note(work, session, "stop", recorded.skipped_steps + skipped)
    consent.wait_out(runtime, recorded)


def _objection(work: _Work, address_id: int, purpose_id: int, now: Any) -> NewConsent:
    return NewConsent(
        key=hashlib.sha256(f"erasure:{work.request_id}:{address_id}".encode()).digest(),
        address_id=address_id,
        purpose_id=purpose_id,
        action=Action.OBJECTED,
        actor=Actor.PERSON,
        source=Source.SYSTEM,
        occurred_at=now,
        clock=OUR_CLOCK,
        evidence={"privacy_request_id": work.request_id},
    )


def _close(work: _Work) -> None:
    """Remember the addresses by keyed hash, record the erasure, make the person opaque; one transaction."""
    while not _try_to_close(work):
        if time.monotonic() >= work.until:
            raise _Waiting
        time.sleep(_POLL_SECONDS)


def _try_to_close(work: _Work) -> bool:
    runtime = work.runtime
    with runtime.db.reading() as session:
        contact_id = session.get_one(PrivacyRequest, work.request_id).contact_id or 0
        work.in_flight = _on_the_wire(work, session, rows.scope(session, contact_id))
    if work.in_flight:
        return False
    with runtime.db.transaction(work.actor) as session:
        request = rows.lock_request(session, work.request_id)
        if "close" in request.progress["done"]:  # type: ignore[operator]
            return True
        scope = rows.scope(session, contact_id)
        rows.lock_addresses(session, scope)
        work.in_flight = _on_the_wire(work, session, scope)
        if work.in_flight:
            return False
        now = runtime.db.now(session)
        rows.skip_planned(session, scope, now=now)
        marks = rows.suppress(session, runtime.keys, scope.own, now=now)
        closed = rows.close(session, scope, request, now=now)
        items = len(closed.leaves) + len(closed.consents) + len(closed.steps)
        _note(work, session, "close", items + marks, scope=scope.to_json())
    return True


def _on_the_wire(work: _Work, session: Session, scope: Scope) -> int:
    return rows.on_the_wire(session, scope, now=work.runtime.db.now(session))


def _once(name: str, do: Callable[[Session, Scope], int]) -> Callable[[_Work], None]:
    """Return a step of one transaction."""

    def step(work: _Work) -> None:
        scope = _scope(work)
        with work.runtime.db.transaction(work.actor) as session:
            _note(work, session, name, do(session, scope))

    return step


def _evidence(work: _Work) -> None:
    scope, more = _scope(work), True
    while more:
        with work.runtime.db.transaction(work.actor) as session:
            gone = erasing.evidence(session, scope)
            more = gone >= erasing.CHUNK
            _note(work, session, "evidence", gone, done=not more)


def _in_chunks(
    name: str,
    find: Callable[[Session, Scope], list[int]],
    receipts: Callable[[Session, Sequence[int]], list[int]],
    erase_chunk: Callable[[Session, Sequence[int], Sequence[int]], int],
) -> Callable[[_Work], None]:
    """Return a step that looks for rows while nobody waits, then erases them in short transactions."""

    def step(work: _Work) -> None:
        scope = _scope(work)
        while True:
            with work.runtime.db.reading() as session:
                found = find(session, scope)
                told = receipts(session, found)
            with work.runtime.db.transaction(work.actor) as session:
                _note(work, session, name, erase_chunk(session, found, told), done=not found)
            if not found:
                return

    return step


def _scrub(work: _Work) -> None:
    if not work.runtime.db.scrub():
        raise _Waiting
    runtime = work.runtime
    with runtime.db.transaction(work.actor) as session:
        _note(work, session, "scrub")
        request = rows.lock_request(session, work.request_id)
        request.state, request.done_at = "done", runtime.db.now(session)
        session.add(request)
    sequencer.sequence(runtime)


_STEPS: dict[str, Callable[[_Work], None]] = {
    "stop": _stop,
    "close": _close,
    "evidence": _evidence,
    "sends": _in_chunks("sends", erasing.open_steps, erasing.receipts_of_steps, erasing.sends),
    "messages": _in_chunks("messages", erasing.open_messages, erasing.receipts_of_messages, erasing.messages),
    "mailboxes": _once("mailboxes", erasing.mailboxes),
    "particulars": _once("particulars", erasing.particulars),
    "keys": _once("keys", erasing.keys),
    "scrub": _scrub,
}
