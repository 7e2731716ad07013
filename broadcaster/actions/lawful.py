"""What may be recorded for whom, and until when it holds, by the law of the people behind an address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sqlmodel import Session

from broadcaster.actions.organisation import law, own_law
from broadcaster.channels.contract import AccountConfig
from broadcaster.core.consent import GRANTS, Basis
from broadcaster.core.errors import InvalidInput
from broadcaster.core.law import senders, terms
from broadcaster.core.law.ends import Ends
from broadcaster.core.law.senders import Barred
from broadcaster.core.law.terms import Law, Offer, Person, months_after
from broadcaster.storage import consent_history
from broadcaster.storage import law as rows
from broadcaster.storage.consent import NewConsent
from broadcaster.storage.tables import Account, Address, Purpose


def check_recordable(
    session: Session, address: Address, purpose: Purpose, *, basis: Basis, offer: Offer | None
) -> None:
    """Raise InvalidInput unless *basis* may be recorded for everybody who uses the address."""
    known = law(session, purpose=purpose.key, marketing=purpose.kind == "marketing")
    for person in _people(session, [address])[address.id]:
        terms.check_recordable(known, person, channel=address.channel, basis=basis, offer=offer)


def with_ends(session: Session, acts: list[NewConsent], addresses: Mapping[int, Address]) -> list[NewConsent]:
    """Give each grant that names no end the one its country's row asks, by what it rests on.

    A row changed later moves none of these; the last look reads the row itself.
    """
    open_ended = {act.address_id for act in acts if act.action in GRANTS and act.expires_at is None}
    if not open_ended:
        return acts
    purposes = consent_history.purposes(session)
    people = _people(session, [addresses[one] for one in sorted(open_ended)])
    laws: dict[int, Law] = {}
    found = []
    for act in acts:
        if act.action in GRANTS and act.expires_at is None:
            purpose = purposes[act.purpose_id]
            known = laws.setdefault(
                act.purpose_id, law(session, purpose=purpose.key, marketing=purpose.kind == "marketing")
            )
            act = _with_end(act, known, people[act.address_id], addresses[act.address_id].channel)
        found.append(act)
    return found


def ends(session: Session, asked: Iterable[tuple[int, str]]) -> Ends:
    """Return when consent runs out that a file tells, for these (purpose, channel): what ``with_ends`` would record."""
    purposes = consent_history.purposes(session)
    months: dict[tuple[int, str, str, str], int] = {}
    places: frozenset[str] = frozenset()
    for purpose_id, channel in asked:
        purpose = purposes[purpose_id]
        known = law(session, purpose=purpose.key, marketing=purpose.kind == "marketing")
        places = frozenset(known.places)
        for place, terms_there in known.places.items() if known.applies else ():
            for kind in ("consumer", "professional"):
                life = terms_there.life(Basis.CONSENT, kind=kind, channel=channel)
                if life:
                    months[purpose_id, channel, kind, place] = life
    return Ends(months, places)


def _with_end(act: NewConsent, known: Law, people: Sequence[Person], channel: str) -> NewConsent:
    lives = [known.of(one.country).life(act.basis, kind=one.kind, channel=channel) for one in people]
    months = min((one for one in lives if one), default=0) if known.applies else 0
    return replace(act, expires_at=months_after(act.occurred_at, months)) if months else act


def check_sender(session: Session, account: Account, purpose: Purpose) -> None:
    """Raise InvalidInput ``sender_class``, naming row and source, if the sender may not carry such messages."""
    found = barred_sender(session, account, purpose)
    if found is not None:
        raise InvalidInput(f"the sender {account.name!r}: {found}", field="plan.channels", code="sender_class")


def barred_sender(session: Session, account: Account | AccountConfig, purpose: Purpose | None = None) -> Barred | None:
    """Return why an account may not carry a purpose's messages (marketing, if none is named), None if it may."""
    sender = str(account.settings.get("sender", ""))
    if not sender or (purpose is not None and purpose.kind != "marketing"):
        return None
    return senders.barred(own_law(session), channel=account.channel, sender=sender)


def _people(session: Session, addresses: Sequence[Address]) -> dict[int, list[Person]]:
    """Return who uses each address, by what the law asks of them; an address of nobody counts as a consumer's."""
    found = rows.people_of(session, [one.id for one in addresses])
    return {
        one.id: [replace(each, country=each.country or one.country) for each in found.get(one.id, ())]
        or [Person("consumer", one.country)]
        for one in addresses
    }
