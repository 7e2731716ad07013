"""What a person sees behind the link in every message: what they agreed to, where it stands, what else they told us.

The link proves one address. What several people use shows only itself; whoever is the only one there also sees their
other addresses, masked, and what we know they like. Looking changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session

from broadcaster.actions import consent_history, inbound, optin
from broadcaster.actions.consent_history import Entry
from broadcaster.actions.runtime import Runtime
from broadcaster.actions.whereabouts import mask
from broadcaster.core.consent import Action, Actor, Standing
from broadcaster.storage import catalogue, people
from broadcaster.storage import choices as rows
from broadcaster.storage import consent as ledger
from broadcaster.storage.tables import Address, Contact, Purpose, Wording

#: A customer reads what messages to them are about; ``internal`` ones are not.
KINDS = ("marketing", "service")
HISTORY_MOST = 100


@dataclass(frozen=True, slots=True)
class Choice:
    """One purpose at one address. ``standing`` None: never agreed, which is no.

    ``agreed`` are the words they said yes to, ``offered`` those they can say yes to now.
    """

    purpose: Purpose
    standing: str | None
    since: datetime | None
    agreed: Wording | None
    offered: Wording | None


@dataclass(frozen=True, slots=True)
class Place:
    """One address. ``here``: the one the link was sent to, and so the one it proves."""

    address_id: int
    channel: str
    masked: str
    here: bool
    suppressed: bool
    choices: tuple[Choice, ...]

    @property
    def open(self) -> bool:
        return not self.suppressed and any(one.standing == Standing.GRANTED for one in self.choices)


@dataclass(frozen=True, slots=True)
class Choices:
    """Everything behind one link; ``alone``: only one person uses the address."""

    alone: bool
    paused_until: datetime | None
    places: tuple[Place, ...]
    history: tuple[Entry, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reach:
    """What a link may show and change. ``contact`` None: nobody, or several, use its address."""

    address: Address
    purpose: Purpose
    contact: Contact | None
    addresses: tuple[Address, ...]
    step_id: int  #: the campaign step the link was sent with, 0 if none

    def has(self, address_id: int) -> bool:
        return any(address.id == address_id for address in self.addresses)


def reach(runtime: Runtime, session: Session, token: str, *, lock: bool = False) -> Reach | None:
    """Return what a link reaches, None if it says nothing to us, or the person was erased."""
    found = inbound.by_token(runtime, session, token)
    purpose = None if found is None else session.get(Purpose, found[1])
    if found is None or purpose is None or found[0].status == "erased":
        return None
    address = found[0]
    contact = rows.sole_user(session, address.id, lock=lock)
    others = [] if contact is None else [one for one in rows.addresses_alone(session, contact.id) if one != address]
    return Reach(address, purpose, contact, (address, *others), found[2])


def read(runtime: Runtime, token: str, *, languages: Sequence[str]) -> Choices | None:
    """Return what the page shows, with words in the first of *languages* there is; None for a link of nobody."""
    with runtime.db.reading() as session:
        found = reach(runtime, session, token)
        if found is None:
            return None
        ids = [address.id for address in found.addresses]
        offered = _offered(session, found, languages)
        masked = _masked(runtime, session, found.addresses)
        left = rows.left_by_others(session, ids)
        paused = paused_until(session, found.address.id, now=runtime.db.now(session))
    entries = [one for one in consent_history.history(runtime, ids) if left is None or one.received_at > left]
    by_id = {one.id: one for one in entries}
    places = [
        Place(
            address_id=one.id,
            channel=one.channel,
            masked=masked[one.id],
            here=one.id == found.address.id,
            suppressed=one.suppressed,
            choices=tuple(_choices(consent_history.standings(runtime, one.id), by_id, offered)),
        )
        for one in found.addresses
    ]
    return Choices(
        alone=found.contact is not None,
        paused_until=paused,
        places=tuple(places),
        history=tuple(reversed([one for one in entries if _own(one)][-HISTORY_MOST:])),
    )


def paused_until(session: Session, address_id: int, *, now: datetime) -> datetime | None:
    """Return when the pause of an address ends, None if there is none, or none any more."""
    state = ledger.state_of(session, address_id).get(ledger.purpose_id(session, "marketing"))
    if state is None or state.standing != Standing.RESTRICTED or state.expires_at is None:
        return None
    return state.expires_at if state.expires_at > now else None


def _own(entry: Entry) -> bool:
    """Say whether an event is something the person did, as we know or were told."""
    told = (Action.REQUESTED, Action.GRANTED, Action.CONFIRMED, Action.WITHDRAWN, Action.OBJECTED)
    return entry.actor == Actor.PERSON or entry.action in told


def _choices(
    standings: Sequence[consent_history.Standing], entries: Mapping[int, Entry], offered: Mapping[int, Wording]
) -> list[Choice]:
    """Return what stands at an address, and what of the link's brand one could agree to there."""
    found = []
    for one in standings:
        entry = entries.get(one.event_id or 0)
        wording = offered.get(one.purpose.id)
        if one.purpose.kind in KINDS and (one.standing is not None or wording is not None):
            agreed = None if entry is None else entry.wording
            found.append(Choice(one.purpose, one.standing, one.since, agreed, wording))
    return sorted(found, key=lambda one: one.standing != Standing.GRANTED)


def _offered(session: Session, found: Reach, languages: Sequence[str]) -> dict[int, Wording]:
    """Return the words that can be agreed to on the page, per purpose: the link's brand's, in one language each."""
    newest = newest_wordings(session)
    offered: dict[int, Wording] = {}
    for purpose in catalogue.purposes(session):
        if purpose.kind in KINDS and purpose.key not in optin.ROOTS and purpose.brand_id == found.purpose.brand_id:
            known = {language: wording for (of, language), wording in newest.items() if of == purpose.id}
            chosen = next((known[language] for language in languages if language in known), None)
            wording = chosen or next(iter(known.values()), None)
            if wording is not None:
                offered[purpose.id] = wording
    return offered


def newest_wordings(session: Session) -> dict[tuple[int, str], Wording]:
    """Return the words now in use by purpose and language."""
    return {(one.purpose_id, one.language): one for one in reversed(catalogue.wordings(session))}


def _masked(runtime: Runtime, session: Session, addresses: Sequence[Address]) -> dict[int, str]:
    """Return each address as its owner knows it and nobody else can read it."""
    keys = people.person_keys(session, runtime.keys, [one.key_id for one in addresses if one.key_id])
    opened = {
        one.id: people.open_address(keys[one.key_id], one.id, one.value_ct)
        for one in addresses
        if one.key_id in keys and one.value_ct
    }
    return {one.id: mask(one.channel, opened.get(one.id, "")) for one in addresses}
