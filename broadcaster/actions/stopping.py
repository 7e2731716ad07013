"""What a stop closes that names nothing: what its road closes by itself, and what the law of the people there adds."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from broadcaster.actions.organisation import own_law
from broadcaster.core.consent import ROOTS, Action, Basis
from broadcaster.core.events import Json
from broadcaster.core.law import stops
from broadcaster.core.law.rows import StopScope
from broadcaster.storage import consent as ledger
from broadcaster.storage import consent_history
from broadcaster.storage import law as rows
from broadcaster.storage.tables import Address

Pair = tuple[int, int]  #: (address, purpose)


@dataclass(frozen=True, slots=True)
class Closing:
    """What a stop closes. ``rule`` names what decided that, for the evidence."""

    pairs: tuple[Pair, ...]
    rule: str
    everywhere: bool = False

    def evidence(self) -> dict[str, Json]:
        return {"scope_rule": self.rule}


def widened(
    session: Session,
    address: Address,
    pairs: Iterable[Pair],
    *,
    now: datetime,
    scopes: Collection[StopScope] = frozenset(StopScope),
) -> Closing:
    """Return *pairs* with what the rows add that hold *now* for whoever uses the address; never fewer.

    *scopes*: those that may add something, where the person said how far. A country is the contact's and the number's.
    """
    pairs = set(pairs)
    people = rows.people_of(session, [address.id]).get(address.id, ())
    countries = {address.country, *(one.country for one in people)}
    found = stops.holding(own_law(session), countries, channel=address.channel, now=now)
    holding = [rule for rule in found if rule.scope in scopes]
    here = {one for one, _ in pairs}
    for scope in {rule.scope for rule in holding}:
        pairs |= _added(session, address, here, scope)
    told = "; ".join(str(rule) for rule in holding) or "default"
    return Closing(tuple(sorted(pairs)), told, any(rule.scope is StopScope.EVERYWHERE for rule in holding))


def _added(session: Session, address: Address, here: Collection[int], scope: StopScope) -> set[Pair]:
    marketing = ledger.purpose_id(session, "marketing")
    if scope is StopScope.EVERYWHERE:
        return {(one, marketing) for one in consent_history.addresses_beside(session, address.id)}
    purposes = [marketing] if scope is StopScope.CHANNEL else [marketing, *_by_consent(session, marketing)]
    return {(one, purpose) for one in here for purpose in purposes}


def _by_consent(session: Session, marketing: int) -> list[int]:
    """Return the purposes outside marketing that rest on consent; what a contract needs goes on."""
    paths = ledger.paths(session)
    return [
        one.id
        for one in consent_history.purposes(session).values()
        if one.leaf and one.basis == Basis.CONSENT and marketing not in paths[one.id]
    ]


def action(session: Session, purpose_id: int) -> Action:
    """Return what a refusal of a purpose is: of a whole group (all marketing) an objection, of one a withdrawal."""
    groups = {ledger.purpose_id(session, key) for key in ROOTS}
    return Action.OBJECTED if purpose_id in groups else Action.WITHDRAWN
