"""Look at one contact: in clear for those who may, never through the log."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session

from broadcaster.actions.contact_search import ContactLine as ContactLine
from broadcaster.actions.contact_search import Page as Page
from broadcaster.actions.contact_search import address_value
from broadcaster.actions.contact_search import search as search
from broadcaster.actions.contacts import version
from broadcaster.actions.runtime import Runtime
from broadcaster.core import contacts as rules
from broadcaster.core.consent import Standing
from broadcaster.core.keys import open_sealed
from broadcaster.storage import contact_views as reading
from broadcaster.storage import contacts as rows
from broadcaster.storage import people
from broadcaster.storage.tables import Address, Contact, ContactAddress

HISTORY = 200  #: newest events shown


@dataclass(frozen=True, slots=True)
class StandingView:
    """Where consent stands for one purpose, since when, by which event."""

    purpose: str
    standing: str
    basis: str
    since: datetime
    expires_at: datetime | None
    event_id: int


@dataclass(frozen=True, slots=True)
class AddressView:
    id: int
    channel: str
    value: str
    status: str
    suppressed: bool
    preferred: bool
    shared_with: int  #: other contacts
    merge_id: int | None
    standings: tuple[StandingView, ...]


@dataclass(frozen=True, slots=True)
class ConsentView:
    """One consent event; ``evidence`` is None after erasure."""

    id: int
    address_id: int
    purpose: str
    action: str
    actor: str
    source: str
    occurred_at: datetime
    received_at: datetime
    ineffective: bool
    import_id: int | None
    wording: str | None
    wording_version: int | None
    wording_language: str | None
    evidence: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class PreferenceView:
    field: str
    before: Any
    after: Any
    source: str
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class MergeView:
    id: int
    kept_id: int
    merged_id: int
    merged_at: datetime
    undone_at: datetime | None


@dataclass(frozen=True, slots=True)
class ContactView:
    """Everything about one contact. ``fields`` has the names an edit takes; ``version`` goes back with it.

    ``wishes``: the fields that stand as the person set them, and since when.
    """

    id: int
    state: str
    version: str
    merged_into: int | None
    import_id: int | None
    created_at: datetime
    fields: dict[str, Any]
    wishes: dict[str, datetime] = field(default_factory=dict)
    addresses: tuple[AddressView, ...] = ()
    consents: tuple[ConsentView, ...] = ()
    preferences: tuple[PreferenceView, ...] = ()
    merges: tuple[MergeView, ...] = field(default=())

    @property
    def pauses(self) -> tuple[tuple[AddressView, datetime], ...]:
        """Return the addresses at which the person paused marketing, and until when."""
        return tuple(
            (one, stand.expires_at)
            for one in self.addresses
            for stand in one.standings
            if stand.purpose == "marketing" and stand.standing == Standing.RESTRICTED and stand.expires_at
        )


def view(runtime: Runtime, contact_id: int) -> ContactView:
    """Return everything about a contact, in clear. Raises NotFound, also for one who was erased."""
    with runtime.db.reading() as session:
        row = rows.get(session, contact_id)
        links = rows.links(session, [contact_id])
        wanted = [one.key_id for _, one in links if one.key_id]
        keys = people.person_keys(session, runtime.keys, wanted + ([row.key_id] if row.key_id else []))
        ids = [address.id for _, address in links]
        return ContactView(
            id=row.id,
            state=row.state,
            version=version(row),
            merged_into=row.merged_into,
            import_id=row.import_id,
            created_at=row.created_at,
            fields=_fields(session, row, keys),
            wishes=reading.wishes(session, contact_id),
            addresses=_addresses(session, links, keys),
            consents=_consents(session, ids, {one.id: keys.get(one.key_id or 0) for _, one in links}),
            preferences=preferences(session, row, keys.get(row.key_id or 0)),
            merges=tuple(
                MergeView(one.id, one.kept_id, one.merged_id, one.merged_at, one.undone_at)
                for one in reading.merges(session, contact_id)
            ),
        )


def _fields(session: Session, row: Contact, keys: dict[int, bytes]) -> dict[str, Any]:
    groups, interests = rows.keys_in_use(session, row.id)
    plain = {name: getattr(row, name) for name in rules.PLAIN_FIELDS}
    secrets = rows.open_secrets(keys.get(row.key_id or 0), row)
    told = {"attributes": dict(row.attributes), "groups": sorted(groups), "interests": sorted(interests)}
    return {**plain, **secrets, **told}


def _addresses(
    session: Session, links: Sequence[tuple[ContactAddress, Address]], keys: dict[int, bytes]
) -> tuple[AddressView, ...]:
    ids = [address.id for _, address in links]
    shared = reading.sharing(session, ids)
    stands: dict[int, list[StandingView]] = defaultdict(list)
    for one, purpose in reading.standings(session, ids):
        stands[one.address_id].append(
            StandingView(purpose.key, one.standing, one.basis, one.since, one.expires_at, one.event_id)
        )
    return tuple(
        AddressView(
            id=address.id,
            channel=address.channel,
            value=address_value(keys, address),
            status=address.status,
            suppressed=address.suppressed,
            preferred=link.preferred,
            shared_with=shared.get(address.id, 1) - 1,
            merge_id=link.merge_id,
            standings=tuple(stands[address.id]),
        )
        for link, address in links
    )


def _consents(session: Session, ids: Sequence[int], keys: dict[int, bytes | None]) -> tuple[ConsentView, ...]:
    views = []
    for event, purpose, wording, sealed in reading.consent_events(session, ids, limit=HISTORY):
        key = keys.get(event.address_id)
        told = None
        if sealed is not None and key is not None:
            told = json.loads(open_sealed(key, bytes(sealed.body_ct), b"consent:%d" % event.id)).get("evidence")
        views.append(
            ConsentView(
                id=event.id,
                address_id=event.address_id,
                purpose=purpose.key,
                action=event.action,
                actor=event.actor,
                source=event.source,
                occurred_at=event.occurred_at,
                received_at=event.received_at,
                ineffective=event.ineffective,
                import_id=event.import_id,
                wording=wording.text if wording else None,
                wording_version=wording.version if wording else None,
                wording_language=wording.language if wording else None,
                evidence=told,
            )
        )
    return tuple(views)


def preferences(session: Session, row: Contact, key: bytes | None) -> tuple[PreferenceView, ...]:
    """Return what changed about a contact, newest first; *key* is theirs."""
    views = []
    for one in reading.preference_events(session, row.id, limit=HISTORY):
        change = rows.open_change(key, one.id, bytes(one.change_ct)) if key and one.change_ct else {}
        views.append(
            PreferenceView(one.field, change.get("before"), change.get("after"), one.source, one.actor, one.at)
        )
    return tuple(views)
