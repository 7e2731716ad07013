"""What staff record of a person's word: a yes with its proof, a no at once, a pause with its reason.

A yes without wording, date and evidence is not recorded. A yes that staff record never lifts a refusal: it stands in
the ledger as ineffective, and ``Told.refusal`` says what stands against it. Only the person lifts a refusal.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session

from broadcaster.actions import consent as consent_actions
from broadcaster.actions import lawful, stopping
from broadcaster.actions.consent import Recorded
from broadcaster.actions.runtime import Runtime
from broadcaster.actions.stopping import Closing
from broadcaster.core import consent as rules
from broadcaster.core.consent import OUR_CLOCK, SKEW, Action, Actor, Basis, Source, Standing
from broadcaster.core.deliveries import Reason
from broadcaster.core.errors import Conflict, InvalidInput, NotFound, Refused
from broadcaster.core.events import Json
from broadcaster.core.law.terms import Offer
from broadcaster.storage import consent as ledger
from broadcaster.storage import consent_history
from broadcaster.storage.consent import NewConsent
from broadcaster.storage.tables import Address, Purpose, Wording

#: Ways in which a person's word reaches staff.
SOURCES = (Source.SHOP, Source.CALL, Source.PAPER, Source.WEB_FORM)
#: ``clock`` of times that staff type in.
STAFF_CLOCK = "staff"
PROOF_MOST = 2000
#: No electronic consent is older; an earlier date is a slip of the keyboard.
OLDEST_YEAR = 1995


@dataclass(frozen=True, slots=True)
class Proof:
    """Where, when and by what a person's word can be shown. *at* is aware; *proof* a text or the address of a file."""

    source: Source
    at: datetime
    proof: str
    staff_id: int | None = None

    def evidence(self) -> dict[str, Json]:
        return {"proof": self.proof.strip(), "recorded_by": "staff"}


@dataclass(frozen=True, slots=True)
class Told:
    """What recording did. *refusal* says why the address still may not be written to, None if it may."""

    recorded: Recorded
    addresses: tuple[int, ...]
    refusal: Reason | None = None
    purposes: tuple[int, ...] = field(default=())


def grant(
    runtime: Runtime,
    *,
    address_id: int,
    purpose_id: int,
    wording_id: int,
    proof: Proof,
    offer: Offer | None = None,
    actor: str,
) -> Told:
    """Record a yes on the purpose's basis. Raises InvalidInput naming the field, Refused ``suppressed``, NotFound.

    *offer*: what a soft opt-in rests on. A basis the law does not have for this person is refused, and so is a purpose
    that asks for a double opt-in (``double_opt_in``): ask the person with ``double_optin.request``.
    """
    with runtime.db.transaction(actor) as session:
        address = address_of(session, address_id)
        purpose, wording = agreed(session, purpose_id, wording_id)
        check_proof(proof, now=runtime.db.now(session))
        if purpose.double_opt_in:
            raise InvalidInput(
                "This purpose asks the person to confirm: send them the question.", field="action", code="double_opt_in"
            )
        basis = Basis(purpose.basis)
        lawful.check_recordable(session, address, purpose, basis=basis, offer=offer)
        if address.suppressed:
            raise Refused("This address must not be written to; only the person can change that.", code="suppressed")
        act = NewConsent(
            key=secrets.token_bytes(16),
            address_id=address.id,
            purpose_id=purpose.id,
            action=Action.GRANTED,
            actor=Actor.STAFF,
            source=proof.source,
            occurred_at=proof.at,
            clock=STAFF_CLOCK,
            evidence={
                **proof.evidence(),
                "wording_sha256": wording.sha256,
                **({} if offer is None else offer.evidence()),
            },
            basis=basis,
            wording_id=wording.id,
            staff_id=proof.staff_id,
        )
        recorded = consent_actions.record_in(runtime, session, [act])
        refused = why_not(session, address, purpose.id, now=runtime.db.now(session))
    return Told(recorded, (address_id,), refused, (purpose_id,))


def refuse(
    runtime: Runtime,
    *,
    address_id: int,
    purpose_id: int | None = None,
    everywhere: bool = False,
    proof: Proof,
    actor: str,
) -> Told:
    """Record a no and wait until nothing it forbids is on the wire.

    With *purpose_id* that purpose is withdrawn; without, all marketing is objected to, and what the law adds.
    *everywhere*: on every address of those who use this one. Raises InvalidInput, NotFound.
    """
    with runtime.db.transaction(actor) as session:
        address = address_of(session, address_id)
        check_proof(proof, now=runtime.db.now(session), needs_text=False)
        refused = purpose_id or ledger.purpose_id(session, "marketing")
        purpose = session.get(Purpose, refused)
        if purpose is None:
            raise NotFound("There is no such purpose.")
        addresses = consent_history.addresses_beside(session, address_id) if everywhere else [address_id]
        closing = Closing(tuple((one, refused) for one in addresses), "chosen")
        if purpose_id is None:
            closing = stopping.widened(session, address, closing.pairs, now=runtime.db.now(session))
        recorded = consent_actions.record_in(runtime, session, _by_staff(session, closing, proof))
        why = why_not(session, address_of(session, address_id), refused, now=runtime.db.now(session))
    consent_actions.wait_out(runtime, recorded)
    return Told(recorded, tuple(sorted({one for one, _ in closing.pairs})), why, (refused,))


def _by_staff(session: Session, closing: Closing, proof: Proof) -> list[NewConsent]:
    return [
        NewConsent(
            key=secrets.token_bytes(16),
            address_id=address_id,
            purpose_id=purpose_id,
            action=stopping.action(session, purpose_id),
            actor=Actor.STAFF,
            source=proof.source,
            occurred_at=proof.at,
            clock=STAFF_CLOCK,
            evidence={**proof.evidence(), **closing.evidence()},
            staff_id=proof.staff_id,
        )
        for address_id, purpose_id in closing.pairs
    ]


def restrict(runtime: Runtime, *, address_id: int, reason: str, staff_id: int | None = None, actor: str) -> Told:
    """Freeze an address for every purpose (art. 18, a dispute, a legal hold). Raises InvalidInput without a reason."""
    return _hold(runtime, Action.RESTRICTED, address_id, reason, staff_id, actor)


def release(runtime: Runtime, *, address_id: int, reason: str, staff_id: int | None = None, actor: str) -> Told:
    """End every restriction of an address; what it refused before still stands. Raises Conflict if there is none."""
    return _hold(runtime, Action.RELEASED, address_id, reason, staff_id, actor)


def _hold(runtime: Runtime, action: Action, address_id: int, reason: str, staff_id: int | None, actor: str) -> Told:
    said = reason.strip()
    if not said or len(said) > PROOF_MOST:
        raise InvalidInput("say why, in at most 2000 characters", field="reason", code="reason_missing")
    with runtime.db.transaction(actor) as session:
        address_of(session, address_id)
        states = ledger.state_of(session, address_id)
        held = any(row.standing == Standing.RESTRICTED for row in states.values())
        if action is Action.RELEASED and not held:
            raise Conflict("This address is not restricted.", code="not_restricted")
        everything = ledger.purpose_id(session, "all")
        act = NewConsent(
            key=secrets.token_bytes(16),
            address_id=address_id,
            purpose_id=everything,
            action=action,
            actor=Actor.STAFF,
            source=Source.SYSTEM,
            occurred_at=runtime.db.now(session),
            clock=OUR_CLOCK,
            evidence={"reason": said},
            staff_id=staff_id,
        )
        recorded = consent_actions.record_in(runtime, session, [act])
    consent_actions.wait_out(runtime, recorded)
    return Told(recorded, (address_id,), None, (everything,))


def address_of(session: Session, address_id: int) -> Address:
    """Return an address that is still somebody's. Raises NotFound."""
    row = session.get(Address, address_id)
    if row is None or row.status == "erased":
        raise NotFound("We do not know this address.", code="unknown_address")
    return row


def agreed(session: Session, purpose_id: int, wording_id: int) -> tuple[Purpose, Wording]:
    """Return what was agreed to. Raises InvalidInput unless the wording is one of this very purpose."""
    purpose = session.get(Purpose, purpose_id)
    if purpose is None or not purpose.leaf or purpose.key in ROOTS or purpose.archived_at is not None:
        raise InvalidInput("choose a purpose people can agree to", field="purpose", code="unknown_choice")
    wording = session.get(Wording, wording_id)
    if wording is None or wording.purpose_id != purpose.id:
        raise InvalidInput("choose the wording the person agreed to", field="wording", code="wording_other")
    return purpose, wording


ROOTS = rules.ROOTS


def check_proof(proof: Proof, *, now: datetime, needs_text: bool = True) -> None:
    """Raise InvalidInput naming what is missing or cannot be: source, date, proof."""
    if proof.source not in SOURCES:
        raise InvalidInput("say how the person told us", field="source", code="unknown_choice")
    if proof.at.tzinfo is None:
        raise InvalidInput("give the date with its time zone", field="date", code="date_no_zone")
    if proof.at > now + SKEW or proof.at.year < OLDEST_YEAR:
        raise InvalidInput("this date cannot be right: it lies ahead, or too far back", field="date", code="date_range")
    if needs_text and not proof.proof.strip():
        raise InvalidInput(
            "a consent needs its proof: what was said or signed, or where it is kept",
            field="proof",
            code="proof_missing",
        )
    if len(proof.proof) > PROOF_MOST:
        raise InvalidInput(
            "at most 2000 characters; keep the file elsewhere and name it here", field="proof", code="proof_long"
        )


def why_not(session: Session, address: Address, purpose_id: int, *, now: datetime) -> Reason | None:
    """Say why an address may not be written to for a purpose at *now*, None if it may."""
    session.flush()
    session.expire_all()
    states = ledger.standing_at(session, address.id, now=now)
    path = ledger.paths(session)[purpose_id][:-1]
    wider = next((states[one].standing for one in path if one in states), None)
    own = states.get(purpose_id)
    return rules.refusal(
        None if own is None else own.standing,
        wider=wider,
        expires_at=None if own is None else own.expires_at,
        address_status=address.status,
        suppressed=address.suppressed,
        now=now,
    )


def rebuild(runtime: Runtime, *, actor: str) -> int:
    """Drop the projection of consent and make it anew from the ledger; return the number of addresses."""
    with runtime.db.transaction(actor) as session:
        return ledger.rebuild(session)


def standing_at(states: Mapping[int, rules.State], path: Sequence[int], moment: datetime) -> str | None:
    """Return where a purpose stood at *moment*: its own state, else the one above it, None if nothing was known."""
    for purpose_id in (path[-1], *path[:-1]):
        state = states.get(purpose_id)
        if state is None or (purpose_id != path[-1] and state.standing is Standing.GRANTED):
            continue
        over = state.expires_at is not None and state.expires_at <= moment
        if over and state.beneath_id is not None:
            return Standing.GRANTED.value
        return Standing.EXPIRED.value if over and state.standing is Standing.GRANTED else state.standing.value
    return None
