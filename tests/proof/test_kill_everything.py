"""The power fails in the middle of a campaign: workers, pages, database and broker die at once, and all start again."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from broadcaster.actions import accounts
from broadcaster.fakes.twilio import FakeTwilio
from tests import factories, servers
from tests.actions.scene import Scene, scene, until
from tests.proof.site import Site
from tests.proof.test_kill import SlowTwilio

PEOPLE, STRANGERS, STOPPERS = 300, 20, 12
SLOTS = 4
PAUSE, LINGER = 0.05, 2.0  # seconds the provider takes
PER_SECOND = 40.0
pytestmark = pytest.mark.timeout(300)

#: Everybody's one end: why nothing was tried, or why it was left out later, or what became of it.
ENDS = """
    SELECT coalesce(d.reason, CASE WHEN s.state = 'skipped' THEN s.reason ELSE s.state END), count(*)
    FROM delivery d LEFT JOIN step s ON s.delivery_id = d.id AND s.current GROUP BY 1
"""
WITHOUT_CONSENT = """
    SELECT count(*) FROM step s LEFT JOIN consent_event e ON e.id = s.consent_event_id
    WHERE s.state IN ('accepted', 'unknown') AND coalesce(e.action, '') <> 'granted'
"""


@pytest.fixture(params=["one process on SQLite", "PostgreSQL, Valkey, pages and workers"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        if "SQLite" in request.param:
            made = Site(tmp_path, f"sqlite:///{tmp_path / 'test.sqlite3'}")
        else:
            postgres = stack.enter_context(servers.postgres(durable=True))
            url = postgres.url(postgres.create_database())
            made = Site(tmp_path, url, postgres=postgres, valkey=stack.enter_context(servers.valkey()))
        stack.callback(made.stop)
        yield made


@pytest.fixture
def fake() -> Iterator[FakeTwilio]:
    with SlowTwilio(slow_seconds=PAUSE, receipts_to_all=True) as server:
        yield server


def prepared(site: Site, fake: FakeTwilio) -> tuple[Scene, str]:
    """Make an installation, people of whom some never agreed, and a campaign to all; return where STOP is heard."""
    with factories.installation(site.database_url, site.home) as runtime:
        site.ring = runtime.keys.dump()
        runtime = replace(runtime, public_url=site.public_url)
        s = scene(runtime, fake, PEOPLE, concurrency=SLOTS, rate_per_second=PER_SECOND)
        common: dict[str, Any] = {"purpose_id": s.purpose, "channel": s.channel, "consenting": False}
        factories.contacts(runtime, STRANGERS, start=PEOPLE + 1, **common)
        lanes = [(s.channel, s.account)]
        s.campaign = factories.campaign(runtime, brand_id=s.brand, purpose_id=s.purpose, lanes=lanes)
        with runtime.db.reading() as session:
            hook = accounts.config(runtime, session, s.account).public_url
    return s, hook


def campaign_messages(fake: FakeTwilio) -> list[tuple[str, float]]:
    """Return (recipient, time) of every request for the campaign; a confirmation of STOP is none of them."""
    ours = {sid for sid, message in [*fake.messages.items()] if "ref=s" in message.callback}
    return [(one.to, one.at) for one in [*fake.recorded] if one.provider_id in ours]


def stop(fake: FakeTwilio, hook: str, numbers: list[str]) -> dict[str, float]:
    """Let people say STOP; return when each was answered."""
    answered = {}
    for number in numbers:
        assert fake.say(hook, number, "STOP") == 200
        answered[number] = time.clock_gettime(time.CLOCK_BOOTTIME)
    fake.opted_out.clear()  # only our own memory keeps them from being written to again
    return answered


def waiting(s: Scene) -> list[str]:
    """Return numbers whose turn comes last."""
    last = s.rows("SELECT address_id FROM step WHERE state = 'planned' ORDER BY id DESC LIMIT :n", n=STOPPERS)
    numbers = {address: factories.address_value(s.channel, n) for n, (_, address) in enumerate(s.people, start=1)}
    return [numbers[row[0]] for row in last]


def test_everything_killed_in_the_middle_of_a_campaign_and_started_again(site: Site, fake: FakeTwilio) -> None:
    """It finishes; nobody twice, nobody lost, nobody against their will, and the log verifies."""
    seed = random.SystemRandom().randrange(10**6)
    s, hook = prepared(site, fake)
    site.start()
    until(lambda: len(fake.recorded) > 20, what="the first message")
    fake.slow_seconds = LINGER  # a busy machine answers STOP slowly: the campaign must not be over by then
    with site.opened() as runtime:
        answered = stop(fake, hook, waiting(replace(s, runtime=runtime)))
    fake.slow_seconds = PAUSE
    middle = random.Random(seed).randrange(60, 200)
    until(lambda: len(fake.recorded) > middle, what="the middle")
    fake.slow_seconds = LINGER  # and the blow meets requests under way
    site.power_off()
    fake.slow_seconds = PAUSE
    before = len(campaign_messages(fake))
    assert before < PEOPLE - STOPPERS, "the blow came too late to prove anything"
    site.power_on()
    with site.opened() as runtime:
        s = replace(s, runtime=runtime)
        until(lambda: s.rows("SELECT state FROM campaign") == [("finished",)], what="the end")
        check(s, fake, answered=answered, told=f"seed {seed}, killed at {before}")
    verified = site.command("log", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def check(s: Scene, fake: FakeTwilio, *, answered: dict[str, float], told: str) -> None:
    sent = campaign_messages(fake)
    got = Counter(to for to, _ in sent)
    assert max(got.values()) == 1, f"somebody got it twice, {told}"
    ends = Counter(dict(s.rows(ENDS)))
    told = f"{dict(ends)}, {len(sent)} received, {told}"
    assert set(ends) <= {"accepted", "unknown", "no_consent", "objected"}, f"nobody waits for ever, {told}"
    assert ends.total() == PEOPLE + STRANGERS, f"everybody is accounted for, {told}"
    assert (ends["no_consent"], ends["objected"]) == (STRANGERS, len(answered)), told
    assert ends["accepted"] <= len(sent) <= ends["accepted"] + ends["unknown"], told
    assert not [to for to, at in sent if at > answered.get(to, float("inf"))], f"after the answer to STOP, {told}"
    agreed = {factories.address_value(s.channel, n) for n in range(1, PEOPLE + 1)}
    assert set(got) <= agreed, f"nobody without consent, {told}"
    assert s.rows(WITHOUT_CONSENT) == [(0,)], f"every message has its consent event, {told}"
