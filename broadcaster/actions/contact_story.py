"""One contact as a story: may we write to them, for what and why; and everything that was sent or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from broadcaster.actions import optin
from broadcaster.actions.runtime import Runtime
from broadcaster.core import consent as rules
from broadcaster.core.deliveries import Reason
from broadcaster.storage import consent as ledger
from broadcaster.storage import consent_history, contacts, conversations, people
from broadcaster.storage import contact_story as rows
from broadcaster.storage.consent import StandingNow
from broadcaster.storage.tables import Address, Purpose

NEWEST = 100  #: of each kind


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an address may be written to for a purpose: ``reason`` None is yes. ``event_id`` decided it."""

    address_id: int
    reason: Reason | None
    event_id: int | None = None
    since: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PurposeLine:
    purpose: Purpose
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that went out, did not go out, or came in. ``text`` is what somebody wrote, None if it is gone."""

    at: datetime
    what: str  #: ``delivery``, ``inbound`` or another kind of message
    channel: str | None
    state: str | None
    reason: str | None
    receipt: str | None
    campaign_id: int | None = None
    campaign: str = ""
    consent_event_id: int | None = None
    intent: str | None = None
    text: str | None = None


def may_we(runtime: Runtime, contact_id: int) -> list[PurposeLine]:
    """Return for every purpose and address in use whether we may write, as the gate would decide now."""
    with runtime.db.reading() as session:
        now = runtime.db.now(session)
        addresses = [address for _link, address in contacts.links(session, [contact_id])]
        states = {one.id: ledger.standing_at(session, one.id, now=now) for one in addresses}
        paths = ledger.paths(session)
        return [
            PurposeLine(
                purpose,
                tuple(_verdict(one, states[one.id], paths[purpose.id], now) for one in addresses),
            )
            for purpose in consent_history.purposes(session).values()
            if purpose.leaf and purpose.archived_at is None and purpose.key not in optin.ROOTS
        ]


def _verdict(address: Address, states: Mapping[int, StandingNow], path: Sequence[int], now: datetime) -> Verdict:
    own = states.get(path[-1])
    above = next((states[one] for one in path[:-1] if one in states), None)
    reason = rules.refusal(
        None if own is None else own.standing,
        wider=None if above is None else above.standing,
        expires_at=None if own is None else own.expires_at,
        address_status=address.status,
        suppressed=address.suppressed,
        now=now,
    )
    decided = own or above
    if decided is None or reason in (Reason.SUPPRESSED, Reason.ERASED):
        return Verdict(address.id, reason)
    return Verdict(address.id, reason, decided.event_id, decided.since, decided.expires_at)


def happenings(runtime: Runtime, contact_id: int) -> list[Happening]:
    """Return what they got and why not, and what they wrote, newest first. Raises NotFound."""
    with runtime.db.reading() as session:
        contacts.get(session, contact_id)
        ids = [address.id for _link, address in contacts.links(session, [contact_id])]
        found = [_delivery(row) for row in rows.deliveries(session, contact_id, limit=NEWEST)]
        found += _messages(runtime, session, ids)
    return sorted(found, key=lambda one: one.at, reverse=True)


def _delivery(row: Any) -> Happening:
    return Happening(
        at=row.settled_at or row.gate_at or row.created_at,
        what="delivery",
        channel=row.channel,
        state="skipped" if row.skipped else row.state,
        reason=row.skipped or row.reason,
        receipt=row.receipt,
        campaign_id=row.campaign_id,
        campaign=row.campaign,
        consent_event_id=row.consent_event_id,
    )


def _messages(runtime: Runtime, session: Session, address_ids: Sequence[int]) -> list[Happening]:
    found = rows.messages(session, address_ids, limit=NEWEST)
    keys = people.person_keys(session, runtime.keys, [row.key_id for row in found if row.key_id])
    return [
        Happening(
            at=row.created_at,
            what=row.kind,
            channel=row.channel,
            state=row.state,
            reason=None,
            receipt=row.receipt,
            intent=row.intent,
            text=_text(keys.get(row.key_id), row.body_ct),
        )
        for row in found
    ]


def _text(key: bytes | None, sealed: bytes | None) -> str | None:
    if key is None or sealed is None:
        return None
    return str(conversations.open_message(key, bytes(sealed)).get("text", ""))
