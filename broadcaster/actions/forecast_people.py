"""The dry run person by person, and the counts that are shown while an audience is edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlmodel import Session

from broadcaster.actions import campaigns
from broadcaster.actions.forecast import Draft
from broadcaster.actions.runtime import Runtime
from broadcaster.core.addresses import masked
from broadcaster.core.audiences import parse_rule
from broadcaster.core.contacts import address_kind
from broadcaster.core.deliveries import Reason
from broadcaster.core.errors import IntegrityFailure, InvalidInput
from broadcaster.storage import audience_counts, audiences, contacts
from broadcaster.storage import forecast as rows
from broadcaster.storage import people as keys
from broadcaster.storage.audience_counts import Reach
from broadcaster.storage.forecast import Staged

WILL_GET = "will_get"  #: as a filter: those for whom no reason stands against it
MOST_ROWS = 500
_WIDTH = 2000
#: A page looks at so many contacts at most; where few fit the filter it comes back short, with where to go on.
_LOOKED_AT = 40_000
_AT_SENDING = frozenset({Reason.MISSING_FIELD, Reason.NO_TEMPLATE})


@dataclass(frozen=True, slots=True)
class Row:
    """One person: the channel and time they get it, or the one reason why not. ``address`` is masked."""

    contact_id: int
    channel: str
    address: str
    reason: str | None
    due_at: datetime | None
    language: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Some people in the order of their ids; ``after`` is where to go on, None at the end."""

    rows: tuple[Row, ...]
    after: int | None


def people(
    runtime: Runtime,
    campaign_id: int,
    *,
    after: int = 0,
    limit: int = 50,
    reason: str | None = None,
    channel: str = "",
) -> Page:
    """Return the next people of a dry run; *reason* is a ``Reason``, or ``will_get``.

    Raises InvalidInput for a limit outside 1 to 500 or a reason that does not exist, Conflict once it has started.
    """
    if not 1 <= limit <= MOST_ROWS or after < 0:
        raise InvalidInput(f"ask for 1 to {MOST_ROWS} rows", field="limit", code="paging")
    if reason is not None and reason not in (WILL_GET, *Reason):
        raise InvalidInput("there is no such reason", field="reason", code="unknown_choice")
    with runtime.db.reading() as session:
        draft = Draft.load(runtime, session, campaigns.get(session, campaign_id))
        if draft is None:
            return Page((), None)
        found, low = _search(session, draft, after, limit, reason, channel)
        shown = _shown(runtime, session, draft, found[:limit])
    if len(found) > limit:
        low = found[limit - 1].contact_id
    return Page(tuple(shown), None if low >= draft.last_id else low)


def one(runtime: Runtime, session: Session, draft: Draft, contact_id: int) -> Row | None:
    """Return one person of a dry run, None if they are not in the audience."""
    _stage(session, draft, contact_id - 1, 1)
    found = [row for row in rows.rows(session, draft.judge.fields) if row.contact_id == contact_id]
    return _shown(runtime, session, draft, found)[0] if found else None


def _search(
    session: Session, draft: Draft, after: int, limit: int, reason: str | None, channel: str
) -> tuple[list[Staged], int]:
    found: list[Staged] = []
    low, looked = after, 0
    width = min(_WIDTH, limit) if reason is None and not channel else _WIDTH
    while low < draft.last_id and len(found) < limit and looked < _LOOKED_AT:
        low = _stage(session, draft, low, width)
        looked += width
        planned = reason == WILL_GET or reason in _AT_SENDING
        plain = reason if reason is not None and not planned else None
        part = rows.rows(session, draft.judge.fields, reason=plain, planned=planned, channel=channel)
        found += [
            row for row in part if reason is None or _reason(draft, row) == (None if reason == WILL_GET else reason)
        ]
    return found, low


def _stage(session: Session, draft: Draft, low: int, width: int) -> int:
    """Stage a range with its duplicates, also those of contacts before it; return where it ends."""
    high = draft.fill(session, low=low, width=width)
    sharers = rows.earlier_sharers(session, low=low)
    if sharers:
        taken = [address for address, others in sharers.items() if _taken(session, draft, address, others)]
        draft.fill(session, low=low, width=width)
        rows.open_shared_in_stage(session)
        rows.take(session, taken)
    else:
        rows.open_shared_in_stage(session)
    rows.mark_duplicates(session)
    return high


def _taken(session: Session, draft: Draft, address_id: int, others: Sequence[int]) -> bool:
    """Say whether a contact before the range gets its message at this address."""
    for contact_id in others:
        draft.fill(session, low=contact_id - 1, width=1)
        for row in rows.rows(session, (), planned=True):
            if row.contact_id == contact_id and row.address_id == address_id:
                return True
    return False


def _reason(draft: Draft, row: Staged) -> str | None:
    if row.reason is not None or row.channel is None:
        return row.reason
    reason = draft.judge.fit(row.channel, row.language, row.present).reason
    return None if reason is None else reason.value


def _shown(runtime: Runtime, session: Session, draft: Draft, found: Sequence[Staged]) -> list[Row]:
    known = masked_addresses(runtime, session, [row.address_id for row in found if row.address_id is not None])
    shown = []
    for row in found:
        fit = None if row.reason or row.channel is None else draft.judge.fit(row.channel, row.language, row.present)
        reason = _reason(draft, row)
        shown.append(
            Row(
                contact_id=row.contact_id,
                channel=row.channel or "",
                address=known.get(row.address_id or 0, ""),
                reason=reason,
                due_at=row.due_at if reason is None else None,
                language=(row.language or "") if fit is None else fit.used,
                missing=() if fit is None else fit.missing,
            )
        )
    return shown


def masked_addresses(runtime: Runtime, session: Session, address_ids: Sequence[int]) -> dict[int, str]:
    """Return addresses as a screen may show them, by id; those of erased people are absent."""
    found = {}
    for address_id, channel, value_ct, key_id, wrapping, wrapped in rows.sealed_addresses(session, address_ids):
        key = keys.unwrap(runtime.keys, key_id, wrapping, bytes(wrapped))
        found[address_id] = masked(address_kind(channel), keys.open_address(key, address_id, bytes(value_ct)))
    return found


@dataclass(frozen=True, slots=True)
class Member:
    """One contact of a sample: a first name's initial, and masked addresses by channel."""

    contact_id: int
    initial: str = field(repr=False)
    kind: str
    language: str
    country: str
    addresses: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class AudienceCount:
    """How many a rule selects, and how they can be reached; ``estimated``: the channels are extrapolated."""

    count: int
    channels: tuple[Reach, ...]
    estimated: bool
    sample: tuple[Member, ...]


def audience_count(
    runtime: Runtime, rule: Mapping[str, Any] | str, *, purpose_id: int | None = None, exact: bool = False
) -> AudienceCount:
    """Count an audience while it is edited: exactly, its channels by a sample where it is large unless *exact*.

    With a purpose it also says whose address agreed to it. Raises InvalidInput for a rule that is empty or wrong.
    """
    parsed = parse_rule(rule)
    with runtime.db.reading() as session:
        now = runtime.db.now(session)
        chosen = audiences.where(session, parsed, now=now)
        total = audience_counts.count(session, chosen)
        share = 1.0 if exact or not total else min(1.0, audience_counts.SAMPLE_CONTACTS / total)
        share = 1.0 if share > 0.5 else share
        channels = audience_counts.reach(session, chosen, purpose_id=purpose_id, share=share, now=now)
        members = audience_counts.sample(session, chosen, limit=10)
        return AudienceCount(total, tuple(channels), share < 1, tuple(_members(runtime, session, members)))


def _members(runtime: Runtime, session: Session, found: Sequence[Any]) -> list[Member]:
    ids = [row.id for row in found]
    addresses: dict[int, dict[str, int]] = {}
    for link, address in contacts.links(session, ids) if ids else ():
        addresses.setdefault(link.contact_id, {}).setdefault(address.channel, address.id)
    wanted = [one for of_contact in addresses.values() for one in of_contact.values()]
    known = masked_addresses(runtime, session, wanted)
    return [
        Member(
            contact_id=row.id,
            initial=_initial(runtime, session, row.id),
            kind=row.kind,
            language=row.language or "",
            country=row.country or "",
            addresses={name: known.get(one, "") for name, one in addresses.get(row.id, {}).items()},
        )
        for row in found
    ]


def _initial(runtime: Runtime, session: Session, contact_id: int) -> str:
    row = contacts.get(session, contact_id)
    try:
        name = contacts.open_secrets(contacts.key_of(session, runtime.keys, row), row)["first_name"]
    except IntegrityFailure:
        return ""
    return f"{name[0]}." if name else ""
