"""Consent: what can happen to it, what the events add up to, and why a message may not go out.

Consent belongs to an address and a purpose. Events are facts with a time; the state is a fold over the *set* of events,
so the order in which they reach us does not matter. Unknown means no. Only a later act of the person lifts a refusal.
Sources of the rules: GDPR art. 4(11), 7, 21; CPCE L34-5; 47 CFR 64.1200(a)(10); precedence as in ``docs/consent.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from broadcaster.core.deliveries import Reason


class Action(StrEnum):
    """One thing that happened to consent."""

    REQUESTED = "requested"  #: double opt-in asked for; opens nothing yet
    GRANTED = "granted"  #: accepted single opt-in, with evidence
    CONFIRMED = "confirmed"  #: the person confirmed a double opt-in
    WITHDRAWN = "withdrawn"  #: the person took it back
    OBJECTED = "objected"  #: art. 21, a bare STOP, a complaint, a block
    EXPIRED = "expired"  #: ran out, or the number changed hands
    RESTRICTED = "restricted"  #: frozen: review of an unclear message, art. 18, legal hold; until a day: a pause
    RELEASED = "released"  #: a person of ours ended a restriction, with a reason; a pause came to its end


class Actor(StrEnum):
    PERSON = "person"
    STAFF = "staff"
    SYSTEM = "system"
    PROVIDER = "provider"


class Source(StrEnum):
    WEB_FORM = "web_form"
    KEYWORD = "keyword"
    ONE_CLICK = "one_click"
    PREFERENCE_PAGE = "preference_page"
    IMPORT = "import"
    API = "api"
    CALL = "call"
    SHOP = "shop"
    PAPER = "paper"
    COMPLAINT = "complaint"
    PROVIDER = "provider"
    BOUNCE = "bounce"
    SYSTEM = "system"


class Basis(StrEnum):
    """The legal ground a purpose rests on for a person."""

    CONSENT = "consent"
    SOFT_OPT_IN = "soft_opt_in"
    B2B_INTEREST = "b2b_interest"
    CONTRACT = "contract"


class Standing(StrEnum):
    """What the events add up to for (address, purpose)."""

    PENDING = "pending"
    GRANTED = "granted"
    WITHDRAWN = "withdrawn"
    OBJECTED = "objected"
    EXPIRED = "expired"
    RESTRICTED = "restricted"


#: Keys of the purposes that only group others; every installation has them.
ROOTS = frozenset({"all", "marketing", "service", "internal"})
GRANTS = frozenset({Action.GRANTED, Action.CONFIRMED})
_ENDING = GRANTS | {Action.RESTRICTED}  #: what may end by itself
REFUSALS = frozenset({Action.WITHDRAWN, Action.OBJECTED})
#: Ways in which a person's own act reaches us; nothing else lifts a refusal (design, section 3.4).
RECONSENT_SOURCES = frozenset(
    {Source.WEB_FORM, Source.KEYWORD, Source.PREFERENCE_PAGE, Source.ONE_CLICK, Source.PROVIDER}
)
#: Two clocks may differ by this much; within it the stricter event wins (``docs/consent.md``).
SKEW = timedelta(minutes=5)
#: ``clock`` of an event whose time was read here, at the moment it happened.
OUR_CLOCK = "here"

_STANDING = {
    Action.REQUESTED: Standing.PENDING,
    Action.GRANTED: Standing.GRANTED,
    Action.CONFIRMED: Standing.GRANTED,
    Action.WITHDRAWN: Standing.WITHDRAWN,
    Action.OBJECTED: Standing.OBJECTED,
    Action.EXPIRED: Standing.EXPIRED,
    Action.RESTRICTED: Standing.RESTRICTED,
}
#: Order of events with the same time: the restrictive ones come last and so have the last word.
_STRICTNESS = {
    Action.RELEASED: 0,
    Action.REQUESTED: 1,
    Action.GRANTED: 2,
    Action.CONFIRMED: 3,
    Action.EXPIRED: 4,
    Action.RESTRICTED: 5,
    Action.WITHDRAWN: 6,
    Action.OBJECTED: 7,
}


@dataclass(slots=True)
class ConsentEvent:
    """One event as the fold sees it.

    ``key`` is the idempotency key: the same fact told twice has the same key. ``clock`` names whose clock
    ``occurred_at`` is by: ``OUR_CLOCK`` or the provider's account. ``purpose_id`` may be an inner node for a refusal
    (it then binds every leaf below, also leaves added later); a grant opens exactly the leaf it names.
    """

    id: int
    key: str
    action: Action
    purpose_id: int
    occurred_at: datetime
    received_at: datetime
    clock: str
    actor: Actor
    source: Source
    basis: Basis = Basis.CONSENT
    expires_at: datetime | None = None


@dataclass(slots=True)
class State:
    """Where consent stands for one (address, purpose), and the event that decided it.

    ``beneath_id``: of a pause, the yes that holds again from its end (``expires_at``) on; None where there is none.
    """

    purpose_id: int
    standing: Standing
    event_id: int
    since: datetime
    basis: Basis
    expires_at: datetime | None
    beneath_id: int | None = None


def effective_time(claimed: datetime | None, received: datetime) -> datetime:
    """Return when an event counts as having happened: as claimed, but never in the future of its receipt."""
    return received if claimed is None else min(claimed, received)


def certainly_later(event: ConsentEvent, other: ConsentEvent) -> bool:
    """Say whether *event* happened after *other* beyond doubt.

    Certain are: two readings of one clock; an act read by our own clock after we had already received the other;
    anything further apart than ``SKEW``.
    """
    if event.clock == other.clock:
        return event.occurred_at > other.occurred_at
    if event.clock == OUR_CLOCK and event.occurred_at > other.received_at:
        return True
    return event.occurred_at > other.occurred_at + SKEW


def lifts(grant: ConsentEvent, refusal: ConsentEvent) -> bool:
    """Say whether *grant* ends *refusal*: a later act of the person, by a way that can only be theirs."""
    own_act = grant.actor is Actor.PERSON and grant.source in RECONSENT_SOURCES
    return own_act and certainly_later(grant, refusal)


def fold(events: Iterable[ConsentEvent], *, paths: Mapping[int, Sequence[int]]) -> dict[int, State]:
    """Return the state of every purpose the events of ONE address speak of; an absent purpose is unknown, which is no.

    *paths* gives each purpose's ancestors including itself. The result depends only on the set of events: not on their
    order, nor on how often one is told.
    """
    distinct = list(events)
    if len(distinct) == 1:  # as nearly always in an import
        [event] = distinct
        if event.action in GRANTS:  # nothing stands that it would have to lift
            return {event.purpose_id: _state(event.purpose_id, event)}
        state = _fold_one(event.purpose_id, distinct, paths)
        return {} if state is None else {event.purpose_id: state}
    if distinct:
        distinct = list({event.key: event for event in sorted(distinct, key=lambda e: -e.id)}.values())
    ordered = sorted(distinct, key=lambda e: (e.occurred_at, _STRICTNESS[e.action], e.key))
    states = {}
    for purpose_id in sorted({event.purpose_id for event in ordered}):
        path = paths.get(purpose_id, (purpose_id,))
        relevant = [e for e in ordered if e.purpose_id == purpose_id or (_binds_below(e) and e.purpose_id in path)]
        state = _fold_one(purpose_id, relevant, paths)
        if state is not None:
            states[purpose_id] = state
    return states


def _binds_below(event: ConsentEvent) -> bool:
    return event.action not in GRANTS and event.action is not Action.REQUESTED


@dataclass(slots=True)
class _Standing:
    state: State | None = None
    refusals: tuple[ConsentEvent, ...] = ()
    expiries: tuple[ConsentEvent, ...] = ()  #: since the last effective yes
    restrictions: tuple[ConsentEvent, ...] = ()  #: a legal hold and a review may stand side by side


def _fold_one(purpose_id: int, ordered: Sequence[ConsentEvent], paths: Mapping[int, Sequence[int]]) -> State | None:
    now = _Standing()
    for event in ordered:
        if event.action is Action.RELEASED:
            now.restrictions = tuple(held for held in now.restrictions if not _releases(event, held, paths))
        else:
            _apply(now, event, purpose_id)
    if now.restrictions and (now.state is None or now.state.standing is not Standing.OBJECTED):
        return _held(purpose_id, now)
    return now.state


def _held(purpose_id: int, now: _Standing) -> State:
    """Return the state by the hold that ends last; what is ours to end ends after every pause."""
    held = max(now.restrictions, key=lambda one: (one.expires_at is None, one.expires_at or one.occurred_at))
    state = _state(purpose_id, held)
    if held.expires_at is not None and now.state is not None and now.state.standing is Standing.GRANTED:
        state.beneath_id = now.state.event_id
    return state


def _apply(now: _Standing, event: ConsentEvent, purpose_id: int) -> None:
    if event.action is Action.RESTRICTED:
        now.restrictions = (*now.restrictions, event)
    elif event.action in REFUSALS:
        now.refusals = (*now.refusals, event)
        now.state = _state(purpose_id, event)
    elif event.action is Action.EXPIRED:
        now.expiries = (*now.expiries, event)
        if not now.refusals:
            now.state = _state(purpose_id, event)
    elif _may_open(now, event):
        if event.action is Action.REQUESTED and now.state is not None and now.state.standing is Standing.GRANTED:
            return
        if event.action in GRANTS:
            now.refusals, now.expiries = (), ()
            now.restrictions = tuple(held for held in now.restrictions if not _settles_review(event, held))
        now.state = _state(purpose_id, event)


def _releases(event: ConsentEvent, held: ConsentEvent, paths: Mapping[int, Sequence[int]]) -> bool:
    """Say whether a release ends a hold: later, and not a narrower one (a hold of everything stays).

    A pause is ended by the person, or by the clock once it is over; every other hold is ours to end.
    """
    if held.expires_at is None:
        ends = event.actor is Actor.STAFF
    else:
        ends = event.actor is Actor.PERSON or (event.actor is Actor.SYSTEM and held.expires_at <= event.occurred_at)
    wide_enough = event.purpose_id in paths.get(held.purpose_id, (held.purpose_id,))
    return ends and wide_enough and certainly_later(event, held)


def _may_open(now: _Standing, event: ConsentEvent) -> bool:
    if event.action is Action.REQUESTED:
        return not now.refusals
    if any(not lifts(event, refusal) for refusal in now.refusals):
        return False
    return all(certainly_later(event, expiry) for expiry in now.expiries)


def _settles_review(grant: ConsentEvent, held: ConsentEvent) -> bool:
    """A person's own clear yes also settles the review of an unclear message; a legal hold is not theirs to end."""
    return held.source is Source.KEYWORD and lifts(grant, held)


def _state(purpose_id: int, event: ConsentEvent) -> State:
    return State(
        purpose_id=purpose_id,
        standing=_STANDING[event.action],
        event_id=event.id,
        since=event.occurred_at,
        basis=event.basis,
        expires_at=event.expires_at if event.action in _ENDING else None,
    )


def ineffective(event: ConsentEvent, events: Iterable[ConsentEvent], *, paths: Mapping[int, Sequence[int]]) -> bool:
    """Say whether a grant changed nothing because a refusal stands (an import of somebody who said stop)."""
    if event.action not in GRANTS:
        return False
    state = fold([*events, event], paths=paths).get(event.purpose_id)
    return state is None or state.standing is not Standing.GRANTED


_REFUSAL_REASON = {
    Standing.PENDING: Reason.PENDING_CONFIRMATION,
    Standing.WITHDRAWN: Reason.WITHDRAWN,
    Standing.OBJECTED: Reason.OBJECTED,
    Standing.EXPIRED: Reason.EXPIRED,
    Standing.RESTRICTED: Reason.RESTRICTED,
}


def refusal(
    standing: str | None,
    *,
    wider: str | None,
    expires_at: datetime | None,
    address_status: str,
    suppressed: bool,
    now: datetime,
) -> Reason | None:
    """Say why this address may not be written to for this purpose at *now*, or None if it may.

    *standing* is the state of the very purpose, *wider* that of the tree above it (an objection to all marketing);
    None means unknown, and unknown means no.
    """
    if address_status == "erased":
        return Reason.ERASED
    if suppressed:
        return Reason.SUPPRESSED
    if standing is None:
        return Reason.NO_CONSENT if wider is None else _REFUSAL_REASON.get(Standing(wider), Reason.NO_CONSENT)
    if standing == Standing.EXPIRED and address_status != "ok":
        return Reason.ADDRESS_INVALID  # it expired because nobody is there
    if standing != Standing.GRANTED:
        return _REFUSAL_REASON[Standing(standing)]
    if expires_at is not None and expires_at <= now:
        return Reason.EXPIRED
    if address_status != "ok":
        return Reason.ADDRESS_INVALID
    return None


def with_id(event: ConsentEvent, event_id: int) -> ConsentEvent:
    """Return the event under the id the ledger gave it."""
    return replace(event, id=event_id)
