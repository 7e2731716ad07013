"""Double opt-in: one question, without advertising; a yes counts when the person presses the button behind the link.

The question's permit is the open request. At most one request is open per address and day, so that nobody can use us to
write to a stranger again and again.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session

from broadcaster.actions import consent as consent_actions
from broadcaster.actions import contacts, messages
from broadcaster.actions.consent import Recorded
from broadcaster.actions.optin import address_of, agreed, why_not
from broadcaster.actions.organisation import setting
from broadcaster.actions.runtime import Runtime
from broadcaster.core.asking import question
from broadcaster.core.consent import OUR_CLOCK, Action, Actor, Basis, Source
from broadcaster.core.deliveries import Reason, State
from broadcaster.core.errors import Conflict, Refused
from broadcaster.core.events import Json
from broadcaster.storage import optin as storage
from broadcaster.storage import people
from broadcaster.storage.consent import NewConsent
from broadcaster.storage.tables import Account, Address, Brand, Message, OptInRequest, Purpose, Wording

#: How long the link works, how often one address may be asked, and until when the question may go out.
OPEN = timedelta(days=7)
ONE_IN = timedelta(hours=24)
SEND_WITHIN = timedelta(hours=24)
_REFUSED = frozenset({Reason.WITHDRAWN, Reason.OBJECTED, Reason.RESTRICTED, Reason.SUPPRESSED})


@dataclass(frozen=True, slots=True)
class Asked:
    """An open request; *token* stands in the message only, the database has its hash."""

    request_id: int
    message_id: int
    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Question:
    """What the page behind the link shows. ``state``: ``open``, ``expired`` or ``done``."""

    state: str
    brand: str
    asks: tuple[tuple[Mapping[str, str], str], ...]  #: (a purpose's name by language, the exact words)
    language: str
    channel: str


@dataclass(frozen=True, slots=True)
class Asking:
    """Who wants an address asked, and by what it shows. *by_person*: the person themselves."""

    source: Source
    evidence: Mapping[str, Json]
    by_person: bool = True
    staff_id: int | None = None


_Wanted = list[tuple[Purpose, Wording]]


def request(
    runtime: Runtime,
    *,
    address_id: int,
    purpose_id: int,
    wording_id: int,
    source: Source,
    evidence: Mapping[str, Json],
    by_person: bool,
    staff_id: int | None = None,
    actor: str,
) -> Asked:
    """Ask an address to confirm: record the request, queue the one message.

    *by_person*: the person asked for it in a form of ours. Staff cannot have somebody asked who has refused (Refused
    ``refusal_stands``). Raises Conflict ``asked_already`` within a day, ``no_account`` without a sender; InvalidInput.
    """
    with runtime.db.transaction(actor) as session:
        agreed(session, purpose_id, wording_id)
        who = Asking(source, evidence, by_person, staff_id)
        made = request_in(runtime, session, address_id=address_id, wording_ids=[wording_id], who=who)
    runtime.ring(0)
    return made


def request_in(
    runtime: Runtime,
    session: Session,
    *,
    address_id: int,
    wording_ids: Sequence[int],
    who: Asking,
    account_id: int | None = None,
) -> Asked:
    """Do the same within a transaction, for several wordings in one message; *account_id* is who was written to."""
    address = people.lock_address(session, address_of(session, address_id).id)
    wordings = [session.get_one(Wording, wording_id) for wording_id in wording_ids]
    asked_for = [agreed(session, wording.purpose_id, wording.id) for wording in wordings]
    now = runtime.db.now(session)
    asked_for = _may_ask(session, address, asked_for, by_person=who.by_person, now=now)
    account = session.get_one(Account, account_id) if account_id else _account_for(session, address, asked_for[0][0])
    token = secrets.token_urlsafe(24)
    first = _open_request(session, address, asked_for[0][1], token, now)
    rest = [
        _open_request(session, address, wording, secrets.token_urlsafe(24), now, first.id)
        for _purpose, wording in asked_for[1:]
    ]
    acts = [
        NewConsent(
            key=hashlib.sha256(f"optin:{asked.id}:requested".encode()).digest(),
            address_id=address.id,
            purpose_id=purpose.id,
            action=Action.REQUESTED,
            actor=Actor.PERSON if who.by_person else Actor.STAFF,
            source=who.source,
            occurred_at=now,
            clock=OUR_CLOCK,
            evidence={**who.evidence, "request_id": asked.id, "wording_sha256": wording.sha256},
            basis=Basis.CONSENT,  # whatever else the purpose rests on: they say yes to the words
            wording_id=wording.id,
            staff_id=who.staff_id,
        )
        for asked, (purpose, wording) in zip([first, *rest], asked_for, strict=True)
    ]
    consent_actions.record_in(runtime, session, acts)
    message = _queue_question(runtime, session, first, [wording for _, wording in asked_for], account, token, now)
    return Asked(first.id, message.id, token, first.expires_at)


def _may_ask(session: Session, address: Address, asked_for: _Wanted, *, by_person: bool, now: datetime) -> _Wanted:
    """Return what is not agreed to yet. Raises Conflict or Refused if nothing may be asked."""
    refused = [why_not(session, address, purpose.id, now=now) for purpose, _wording in asked_for]
    if all(reason is None for reason in refused):
        raise Conflict("This address has agreed already.", code="granted_already")
    if not by_person and _REFUSED.intersection(reason for reason in refused if reason is not None):
        raise Refused("This person has said no; only they can change that.", code="refusal_stands")
    if storage.asked_since(session, address.id, now - ONE_IN):
        raise Conflict("This address was asked within the last day.", code="asked_already")
    return [one for one, reason in zip(asked_for, refused, strict=True) if reason is not None]


def _account_for(session: Session, address: Address, purpose: Purpose) -> Account:
    """Return the sender to ask by: the one that knows the address, else one of the purpose's brand."""
    found = storage.sender_for(session, address.channel, account_id=address.account_id, brand_id=purpose.brand_id)
    if found is None:
        raise Conflict("There is no sender in use for this channel and brand.", code="no_account")
    return found


def _open_request(
    session: Session, address: Address, wording: Wording, token: str, now: datetime, first_id: int | None = None
) -> OptInRequest:
    row = OptInRequest(
        asked_with=first_id,
        address_id=address.id,
        purpose_id=wording.purpose_id,
        wording_id=wording.id,
        token_sha256=_hash(token),
        created_at=now,
        expires_at=now + OPEN,
    )
    session.add(row)
    session.flush()
    return row


def _queue_question(
    runtime: Runtime,
    session: Session,
    asked: OptInRequest,
    wordings: Sequence[Wording],
    account: Account,
    token: str,
    now: datetime,
) -> Message:
    link = f"{runtime.public_url}/c/{token}"
    brand = session.get_one(Brand, account.brand_id)
    texts = [wording.text for wording in wordings]
    subject, words = question(wordings[0].language, brand=brand.name, wordings=texts, link=link)
    address = session.get_one(Address, asked.address_id)
    row = Message(
        address_id=address.id,
        account_id=account.id,
        kind="doi",
        body_ct=messages.seal_for(runtime, session, address, {"text": words, "subject": subject}),
        optin_request_id=asked.id,
        state=State.PLANNED.value,
        due_at=now,
        expires_at=now + SEND_WITHIN,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row


def read(runtime: Runtime, token: str) -> Question | None:
    """Return what a confirmation link asks, None if it is none of ours; looking changes nothing."""
    with runtime.db.reading() as session:
        asked = _find(session, token)
        if asked is None:
            return None
        now = runtime.db.now(session)
        wanted = [agreed_in(session, one) for one in storage.together(session, asked)]
        purpose, wording = wanted[0]
        brand = None if purpose.brand_id is None else session.get_one(Brand, purpose.brand_id)
        done = asked.confirmed_at is not None
        return Question(
            state="done" if done else "expired" if asked.expires_at <= now else "open",
            brand=brand.name if brand else str(setting(session, "name")),
            asks=tuple((dict(purpose.label), wording.text) for purpose, wording in wanted),
            language=wording.language,
            channel=session.get_one(Address, asked.address_id).channel,
        )


def agreed_in(session: Session, asked: OptInRequest) -> tuple[Purpose, Wording]:
    """Return what a request asks for."""
    return session.get_one(Purpose, asked.purpose_id), session.get_one(Wording, asked.wording_id)


def confirm(runtime: Runtime, token: str, *, evidence: Mapping[str, Json]) -> Recorded | None:
    """Record the person's yes; None if the link is none of ours, or too old. Saying yes twice is saying it once."""
    with runtime.db.transaction("person") as session:
        found = _find(session, token)
        if found is None:
            return None
        people.lock_address(session, found.address_id)
        session.refresh(found)
        now = runtime.db.now(session)
        if found.confirmed_at is not None:
            return Recorded(repeated=1)
        if found.expires_at <= now:
            return None
        acts = []
        for one in storage.together(session, found):
            one.confirmed_at = now
            session.add(one)
            purpose, wording = agreed_in(session, one)
            acts.append(_confirmation(one, purpose, wording, evidence, now))
        contacts.make_known(session, found.address_id, language=wording.language, now=now)
        return consent_actions.record_in(runtime, session, acts)


def _confirmation(
    asked: OptInRequest, purpose: Purpose, wording: Wording, evidence: Mapping[str, Json], now: datetime
) -> NewConsent:
    return NewConsent(
        key=hashlib.sha256(f"optin:{asked.id}:confirmed".encode()).digest(),
        address_id=asked.address_id,
        purpose_id=purpose.id,
        action=Action.CONFIRMED,
        actor=Actor.PERSON,
        source=Source.WEB_FORM,
        occurred_at=now,
        clock=OUR_CLOCK,
        evidence={**evidence, "request_id": asked.id, "wording_sha256": wording.sha256},
        basis=Basis.CONSENT,  # whatever else the purpose rests on: they say yes to the words
        wording_id=wording.id,
    )


def ask_again(runtime: Runtime, token: str, *, evidence: Mapping[str, Json]) -> None:
    """Send the question of an expired link once more. Raises Conflict within a day of the last one."""
    with runtime.db.reading() as session:
        found = _find(session, token)
        now = runtime.db.now(session)
    if found is None or found.confirmed_at is not None or found.expires_at > now:
        return
    with runtime.db.transaction("person") as session:
        wordings = [one.wording_id for one in storage.together(session, found)]
        who = Asking(Source.WEB_FORM, evidence)
        request_in(runtime, session, address_id=found.address_id, wording_ids=wordings, who=who)
    runtime.ring(0)


def _find(session: Session, token: str) -> OptInRequest | None:
    if not token or len(token) > 100:
        return None
    return storage.by_token(session, _hash(token))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
