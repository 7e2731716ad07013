"""Find an address by what a person of ours types: a channel, and the address as people write it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session

from broadcaster.actions.organisation import setting
from broadcaster.actions.runtime import Runtime
from broadcaster.channels import registry
from broadcaster.channels.contract import Channel
from broadcaster.core.addresses import Kind, masked
from broadcaster.core.errors import InvalidInput, NotFound
from broadcaster.core.event_types import AddressSeen
from broadcaster.storage import contacts, log, optin, people
from broadcaster.storage.people import NewAddress
from broadcaster.storage.tables import Address


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address may be: a channel, and the account that knows it where addresses differ by account.

    ``key`` is what forms and the command line say: ``email``, ``sms``, ``telegram:3``.
    """

    key: str
    channel: str
    account_id: int | None
    account: str = ""


def _serving(channel: str) -> Channel:
    for one in registry.CHANNELS.values():
        if one.capabilities.channel == channel:
            return one
    raise InvalidInput("choose a channel that exists", field="channel", code="unknown_choice")


def places(session: Session) -> list[Place]:
    """Return where addresses can be, global channels first."""
    found = []
    for name in dict.fromkeys(one.capabilities.channel for one in registry.CHANNELS.values()):
        if _serving(name).capabilities.address_scope == "global":
            found.append(Place(name, name, None))
    for row in optin.accounts(session):
        if _serving(row.channel).capabilities.address_scope != "global":
            found.append(Place(f"{row.channel}:{row.id}", row.channel, row.id, row.name))
    return found


def read(session: Session, place: str, typed: str) -> NewAddress:
    """Return the canonical address. Raises InvalidInput for ``channel`` or ``address``."""
    known = {one.key: one for one in places(session)}
    if place not in known:
        raise InvalidInput("choose a channel that exists", field="channel", code="unknown_choice")
    where = known[place]
    channel = _serving(where.channel)
    try:
        value = channel.normalise(typed, region=str(setting(session, "default_region")))
    except InvalidInput as problem:
        raise InvalidInput(problem.message, field="address", code=problem.code) from None
    return NewAddress(where.channel, where.account_id, channel.capabilities.address_kind, value)


def find(runtime: Runtime, place: str, typed: str) -> int:
    """Return the id of a known address. Raises InvalidInput, NotFound."""
    with runtime.db.reading() as session:
        row = people.find_address(session, runtime.keys, read(session, place, typed))
    if row is None or row.status == "erased":
        raise NotFound("We do not know this address.", code="unknown_address")
    return row.id


def ensure(runtime: Runtime, place: str, typed: str, *, by_person: bool, actor: str) -> int:
    """Return the id of an address, made known if it was not.

    *by_person* False refuses an address that must not be written to. Raises InvalidInput, Refused ``suppressed``.
    """
    with runtime.db.transaction(actor) as session:
        now = runtime.db.now(session)
        wanted = read(session, place, typed)
        known = contacts.find_or_create_address(session, runtime.keys, wanted, now=now, by_person=by_person)
        if known.created:
            log.record(session, AddressSeen(address_id=known.id, channel=wanted.channel), at=now)
        return known.id


@dataclass(frozen=True, slots=True)
class Shown:
    """An address for a screen: in full, and masked."""

    id: int
    channel: str
    value: str
    masked: str
    status: str
    suppressed: bool


def show(runtime: Runtime, session: Session, address_ids: list[int]) -> dict[int, Shown]:
    """Return addresses in the clear; one that was erased has no words."""
    rows = optin.addresses(session, address_ids)
    keys = people.person_keys(session, runtime.keys, [row.key_id for row in rows if row.key_id])
    return {row.id: _shown(row, keys.get(row.key_id or 0)) for row in rows}


def _shown(row: Address, key: bytes | None) -> Shown:
    value = people.open_address(key, row.id, row.value_ct) if key is not None and row.value_ct else ""
    return Shown(row.id, row.channel, value, mask(row.channel, value), row.status, row.suppressed)


def mask(channel: str, value: str) -> str:
    """Return an address for eyes that need not know it; empty for an erased one."""
    kind: Kind = "opaque"
    for one in registry.CHANNELS.values():
        if one.capabilities.channel == channel and one.capabilities.address_kind in ("email", "phone"):
            kind = "email" if one.capabilities.address_kind == "email" else "phone"
    return masked(kind, value) if value else ""
