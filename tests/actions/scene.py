"""A campaign ready to go through a real provider fake over HTTP, and what came of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from broadcaster.actions import consent, dispatch, planning, sequencer
from broadcaster.actions.runtime import Runtime
from broadcaster.channels import registry
from broadcaster.core.consent import OUR_CLOCK, Action, Actor, Source
from broadcaster.fakes import twilio
from broadcaster.fakes.server import FakeServer
from broadcaster.fakes.telegram import TOKEN, FakeTelegram
from broadcaster.fakes.twilio import FakeTwilio
from broadcaster.storage.consent import NewConsent
from tests import factories

PATIENCE = 60.0


@dataclass
class Scene:
    """One brand, one purpose, one account, its people and their campaign."""

    runtime: Runtime
    brand: int
    purpose: int
    account: int
    channel: str
    people: list[tuple[int, int]]  #: (contact id, address id)
    campaign: int = 0

    def launch(self, **options: Any) -> int:
        """Launch a campaign to everybody and plan it; return its run."""
        lanes = [(self.channel, self.account)]
        self.campaign = factories.campaign(
            self.runtime, brand_id=self.brand, purpose_id=self.purpose, lanes=lanes, **options
        )
        [run] = planning.start_due(self.runtime)
        while planning.plan_range(self.runtime, run):
            pass
        return run

    def drain(self, seconds: float = 20.0) -> dispatch.Drained:
        return dispatch.drain(self.runtime, self.account, seconds=seconds)

    def stop(self, address: int, *, at: datetime | None = None, **changes: Any) -> consent.Recorded:
        """Let a person object to everything on an address."""
        return consent.record(self.runtime, [self.act(Action.OBJECTED, address, at=at, **changes)], actor="person")

    def act(self, action: Action, address: int, *, at: datetime | None = None, **changes: Any) -> NewConsent:
        purpose = self.purpose
        if action in (Action.OBJECTED, Action.RESTRICTED):
            [[purpose]] = self.rows("SELECT id FROM purpose WHERE key = 'marketing'")
        told = {"source": Source.PREFERENCE_PAGE, "actor": Actor.PERSON, "clock": OUR_CLOCK, **changes}
        return factories.grant(address, purpose, at or datetime.now(UTC), **{"action": action, **told})

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        with self.runtime.db.reading() as session:
            return [tuple(row) for row in session.connection().execute(text(query), values)]

    def change(self, statement: str, **values: Any) -> None:
        """Change rows behind the product's back."""
        with self.runtime.db.engine.begin() as connection:
            connection.execute(text(statement), values)

    def steps(self) -> dict[int, tuple[str, str | None]]:
        """Return (state, reason) of each address's step."""
        return {row[0]: (row[1], row[2]) for row in self.rows("SELECT address_id, state, reason FROM step")}

    def states(self) -> Counter[str]:
        return Counter(row[0] for row in self.rows("SELECT state FROM step"))

    def make_due(self) -> None:
        """Let the time come for everything that waits."""
        self.change("UPDATE step SET due_at = '2020-01-01 00:00:00.000000' WHERE state = 'planned'")
        self.change("UPDATE batch SET due_at = '2020-01-01 00:00:00.000000'")
        self.change("DELETE FROM rate_bucket")

    def abandon(self) -> None:
        """Let the leases of a worker that died run out."""
        self.change("UPDATE batch SET lease_until = '2020-01-01 00:00:00.000000' WHERE lease_owner IS NOT NULL")

    def verified(self) -> sequencer.Verification:
        sequencer.sequence(self.runtime)
        return sequencer.verify(self.runtime)


def scene(runtime: Runtime, fake: FakeServer | None, count: int = 3, **options: Any) -> Scene:
    """Make *count* consenting people on the channel of *fake*; without one, the sandbox."""
    brand, purpose, wording = factories.brand_and_purpose(runtime)
    provider, channel, settings = "sandbox", "email", {}
    if isinstance(fake, FakeTelegram):
        provider, channel, settings = "telegram", "telegram", {"token": TOKEN, "webhook_secret": "s3cret"}
    elif isinstance(fake, FakeTwilio):
        provider, channel = "twilio", "sms"
        settings = {"account_sid": twilio.ACCOUNT_SID, "sender": "+15550100", "auth_token": twilio.AUTH_TOKEN}
    consenting = options.pop("consenting", True)
    base = {} if fake is None else {"base_url": fake.url}
    account = factories.account(runtime, brand, provider, settings=settings, **base, **options)
    scoped = channel in ("telegram",)
    people = factories.contacts(
        runtime,
        count,
        purpose_id=purpose,
        channel=channel,
        account_id=account if scoped else None,
        consenting=consenting,
        wording_id=wording,
    )
    return Scene(runtime, brand, purpose, account, channel, people)


def chats_in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let messages to one chat follow each other at once, where that is not what is tried."""
    told = replace(registry.get("telegram").capabilities, recipient_seconds=0.0)
    monkeypatch.setattr(registry.get("telegram"), "capabilities", told)


def until(happened: Callable[[], object], *, what: str = "it") -> None:
    """Wait for something another thread or process does; fail loudly if it never comes."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, f"{what} never happened"
        time.sleep(0.002)
