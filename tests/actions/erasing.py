"""An installation with somebody in it about whom everything is known that can be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import text

from broadcaster.actions import accounts, contacts, inbound
from broadcaster.actions.consent import record
from broadcaster.actions.loop import Loop
from broadcaster.actions.runtime import Runtime
from broadcaster.core.deliveries import ReceiptKind
from broadcaster.core.event_types import ContactChanged
from broadcaster.core.messages import Inbound, InboundKind, Receipt
from broadcaster.storage import log
from broadcaster.storage.tables import AttributeDefinition, ContactGroup, Interest
from tests import factories

#: What is planted in plain, because rules need it, and what is encrypted from the start.
PLAIN = ("Xylotomist", "quaggafancier")
HIDDEN = ("wilhelmina.canary@example.net", "Wilhelmina", "Canárydóttir", "KD-4711-canary", "prefers-the-blue-canary")
SAID = "please-feed-my-canary-at-noon"


@dataclass(frozen=True)
class Place:
    brand: int
    purpose: int
    account: int
    person: int  #: contact id of the one who is to be erased
    address: int
    others: list[tuple[int, int]]


def settle(runtime: Runtime, rounds: int = 6) -> None:
    """Let the loop do what is due, as often as something may follow from something."""
    loop = Loop(runtime)
    for _ in range(rounds):
        loop._last.clear()
        loop.step()


def install(runtime: Runtime, *, others: int = 4, send: bool = True) -> Place:
    """Make a person with everything, and some others; send a campaign, let the person answer."""
    brand, purpose, wording = factories.brand_and_purpose(runtime)
    account = factories.account(runtime, brand, "sandbox")
    crowd = factories.contacts(runtime, others, purpose_id=purpose, channel="email", wording_id=wording)
    person, address = _person(runtime, purpose, wording)
    if send:
        factories.campaign(runtime, brand_id=brand, purpose_id=purpose, lanes=[("email", account)])
        settle(runtime)
        _answer(runtime, account, address)
        settle(runtime)
    return Place(brand, purpose, account, person, address, crowd)


def _person(runtime: Runtime, purpose: int, wording: int) -> tuple[int, int]:
    with runtime.db.transaction("cli:test") as session:
        now = runtime.db.now(session)
        session.add(AttributeDefinition(key="hobby", type="text", label="Hobby", created_at=now))
        session.add(Interest(key="birds"))
        session.add(ContactGroup(key="friends", name="Friends"))
        log.record(session, ContactChanged(contact_id=0, verb="prepared"), at=now)
    first = {"first_name": "Before", "last_name": "Canárydóttir", "profession": "Xylotomist", "language": "en"}
    more = {"attributes": {"hobby": "quaggafancier"}, "groups": ["friends"], "interests": ["birds"]}
    person = contacts.create(runtime, {**first, **more}, actor="cli:test")
    later = {"first_name": "Wilhelmina", "external_id": "KD-4711-canary", "note": "prefers-the-blue-canary"}
    contacts.edit(runtime, person, later, seen=None, actor="cli:test")
    address = contacts.add_address(runtime, person, "email", "wilhelmina.canary@example.net", actor="cli:test")
    consent(runtime, address, purpose, wording)
    return person, address


def consent(runtime: Runtime, address: int, purpose: int, wording: int | None = None) -> None:
    with runtime.db.reading() as session:
        now = runtime.db.now(session)
    record(runtime, [factories.grant(address, purpose, now, wording_id=wording)], actor="cli:test")


def _answer(runtime: Runtime, account: int, address: int) -> None:
    """They write, press on a link, and the provider says what became of the message."""
    with runtime.db.reading() as session:
        config = accounts.config(runtime, session, account)
        row = session.connection().execute(
            text("SELECT id, provider_id, run_id FROM step WHERE address_id = :a"), {"a": address}
        )
        step, provider_id, run = row.one()
    now = datetime.now(UTC)
    wrote = Inbound("event-canary-1", InboundKind.TEXT, "wilhelmina.canary@example.net", now, text=SAID)
    told = Receipt("receipt-canary-1", provider_id, ReceiptKind.DELIVERED, now)
    inbound.apply(runtime, config, [wrote, told])
    with runtime.db.transaction("cli:test") as session:
        link = "INSERT INTO tracked_link (id, run_id, url, url_sha256) VALUES (1, :run, 'https://example.org', 'x')"
        session.connection().execute(text(link), {"run": run})
        click = "INSERT INTO click (link_id, step_id, at) VALUES (1, :step, '2026-01-01 00:00:00+00')"
        session.connection().execute(text(click), {"step": step})
