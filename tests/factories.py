"""A migrated installation with sensible content, made quickly: for tests and benchmarks."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlmodel import Session

from broadcaster.actions import accounts, campaigns, catalogue, content
from broadcaster.actions.organisation import set_settings
from broadcaster.actions.runtime import Runtime
from broadcaster.core import keys
from broadcaster.core.consent import OUR_CLOCK, Action, Actor, Source
from broadcaster.core.event_types import ContactChanged
from broadcaster.storage import consent as ledger
from broadcaster.storage import log, people, schema
from broadcaster.storage.consent import NewConsent
from broadcaster.storage.database import Database, allocate
from broadcaster.storage.people import NewAddress
from broadcaster.storage.tables import Contact, ContactAddress

ACTOR = "cli:test"
KINDS = {"email": "email", "sms": "phone"}


@contextmanager
def installation(url: str, home: Path, *, windows: bool = False) -> Iterator[Runtime]:
    """Yield a runtime on a freshly migrated database; sending windows are open unless *windows*."""
    database = Database(url)
    schema.upgrade(database)
    ring = keys.generate(secrets.token_bytes)
    runtime = Runtime(db=database, keys=ring, home=home, public_url="https://news.example.org")
    set_settings(runtime, {"name": "Example", "demo": not windows}, actor=ACTOR)
    try:
        yield runtime
    finally:
        database.close()


def brand_and_purpose(runtime: Runtime, *, key: str = "offers") -> tuple[int, int, int]:
    """Return (brand, purpose, wording)."""
    brand = catalogue.create_brand(runtime, key="example", name="Example", contact="hello@example.org", actor=ACTOR)
    purpose = catalogue.create_purpose(
        runtime, key=key, parent="marketing", brand_id=brand, label={"en": "Offers", "fr": "Offres"}, actor=ACTOR
    )
    wording = catalogue.add_wording(
        runtime, purpose_id=purpose, language="en", text="Yes, send me offers.", actor=ACTOR
    )
    return brand, purpose, wording


def address_value(channel: str, n: int) -> str:
    return {"email": f"person{n}@example.net", "sms": f"+3361{n:07d}"}.get(channel, str(100_000 + n))


def contacts(
    runtime: Runtime,
    count: int,
    *,
    purpose_id: int,
    channel: str = "email",
    account_id: int | None = None,
    consenting: bool = True,
    start: int = 1,
    wording_id: int | None = None,
) -> list[tuple[int, int]]:
    """Make *count* contacts with one address each; return (contact id, address id)."""
    made: list[tuple[int, int]] = []
    for low in range(start, start + count, 2000):
        with runtime.db.transaction(ACTOR) as session:
            high = min(low + 2000, start + count)
            made += _chunk(runtime, session, low, high, purpose_id, channel, account_id, consenting, wording_id)
    return made


def _chunk(
    runtime: Runtime,
    session: Session,
    low: int,
    high: int,
    purpose_id: int,
    channel: str,
    account_id: int | None,
    consenting: bool,
    wording_id: int | None,
) -> list[tuple[int, int]]:
    now = runtime.db.now(session)
    ids = allocate(session, "contact", high - low)
    keys_made = people.new_keys(session, runtime.keys, high - low)
    people_rows: list[dict[str, Any]] = []
    for n, contact_id, (key_id, key) in zip(range(low, high), ids, keys_made, strict=True):
        name = people.seal_name(key, contact_id, {"first": f"Ann{n}", "last": "Example"})
        common = {"kind": "consumer", "state": "active", "language": "en", "country": "FR", "attributes": {}}
        people_rows.append(
            {"id": contact_id, **common, "key_id": key_id, "name_ct": name, "created_at": now, "updated_at": now}
        )
    session.connection().execute(insert(Contact), people_rows)
    kind = KINDS.get(channel, "opaque")
    new = [NewAddress(channel, account_id, kind, address_value(channel, n)) for n in range(low, high)]
    addresses = people.create_addresses(session, runtime.keys, new, now=now)
    links = [
        {"contact_id": contact, "address_id": address, "preferred": False, "created_at": now}
        for contact, (address, _) in zip(ids, addresses, strict=True)
    ]
    session.connection().execute(insert(ContactAddress), links)
    log.record(session, ContactChanged(contact_id=ids[0], verb="created"), at=now)
    if consenting:
        acts = [grant(address, purpose_id, now, wording_id=wording_id) for address, _ in addresses]
        ledger.append(session, acts, person_keys=dict(addresses), at=now)
        ledger.project(session, [address for address, _ in addresses])
    return [(contact, address) for contact, (address, _) in zip(ids, addresses, strict=True)]


def grant(address_id: int, purpose_id: int, at: Any, *, wording_id: int | None = None, **changes: Any) -> NewConsent:
    """Return a grant with evidence; *changes* replace its fields."""
    told: dict[str, Any] = {
        "key": secrets.token_bytes(16),
        "address_id": address_id,
        "purpose_id": purpose_id,
        "action": Action.GRANTED,
        "actor": Actor.PERSON,
        "source": Source.WEB_FORM,
        "occurred_at": at,
        "clock": OUR_CLOCK,
        "evidence": {"form": "https://example.org/join"},
        "wording_id": wording_id,
    }
    return NewConsent(**{**told, **changes})


def campaign(
    runtime: Runtime,
    *,
    brand_id: int,
    purpose_id: int,
    lanes: list[tuple[str, int]],
    name: str = "Spring",
    text: str = "Hello {{ contact.first_name }}, STOP to end. Example",
    rule: dict[str, Any] | None = None,
    schedule: dict[str, Any] | None = None,
    launch: bool = True,
) -> int:
    """Make audience, template and campaign over *lanes* (channel, account id) and launch it."""
    tag = secrets.token_hex(4)
    audience = content.save_audience(runtime, name=f"All {tag}", rule=rule or {"type": "everybody"}, actor=ACTOR)
    words: dict[str, Any] = {"text": text, "subject": "News from Example", "html": ""}
    template = content.save_template(
        runtime,
        name=f"Words {tag}",
        brand_id=brand_id,
        variants={(channel, "en"): words for channel, _ in lanes},
        actor=ACTOR,
    )
    made = campaigns.create(
        runtime,
        name=name,
        brand_id=brand_id,
        purpose_id=purpose_id,
        audience_id=audience,
        template_id=template,
        plan={
            "channels": [{"channel": channel, "account_id": account} for channel, account in lanes],
            "schedule": schedule or {},
        },
        actor=ACTOR,
    )
    if launch:
        campaigns.launch(runtime, made, actor=ACTOR)
    return made


def account(runtime: Runtime, brand_id: int, provider: str, **options: Any) -> int:
    """Configure a sender of *provider* under a name of its own."""
    settings = options.pop("settings", {})
    return accounts.create(
        runtime,
        brand_id=brand_id,
        provider=provider,
        name=f"{provider} {secrets.token_hex(3)}",
        settings=settings,
        actor=ACTOR,
        **options,
    )
