"""The promises with real worker processes: Celery over Valkey, PostgreSQL or SQLite, killed, or without any broker."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from broadcaster.actions import sequencer
from broadcaster.actions.runtime import Runtime
from broadcaster.fakes.telegram import TOKEN, FakeTelegram
from tests import factories, servers

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 150.0
pytestmark = pytest.mark.timeout(500)
PEOPLE = 400


def environment(runtime: Runtime, broker: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BROADCASTER_")}
    return {
        **clean,
        "PYTHONPATH": str(ROOT),
        "BROADCASTER_HOME": str(runtime.home),
        "BROADCASTER_DATABASE_URL": runtime.db.url.render_as_string(hide_password=False),
        "BROADCASTER_BROKER_URL": broker,
        "BROADCASTER_KEYS": runtime.keys.dump(),
        "BROADCASTER_PUBLIC_URL": runtime.public_url,
    }


@contextmanager
def worker(runtime: Runtime, broker: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `broadcaster worker` with two forked processes, in a process group of its own."""
    command = [sys.executable, "-m", "broadcaster", "worker", "--processes", "2", *words]
    output = (runtime.home / "worker.log").open("ab")
    process = subprocess.Popen(
        command, env=environment(runtime, broker), stdout=output, stderr=output, start_new_session=True
    )
    try:
        yield process
    finally:
        kill(process)
        output.close()


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL a worker's supervisor, its Celery and its children, unless it has ended."""
    if process.poll() is None:
        servers.kill_tree(process.pid)
    process.wait(10)


def wait_for(ready: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not ready():
        assert time.monotonic() < end, f"did not happen in time: {what}"
        time.sleep(0.05)


def state(runtime: Runtime, campaign: int) -> str:
    with runtime.db.reading() as session:
        query = text("SELECT state FROM campaign WHERE id = :id")
        found: str = session.connection().execute(query, {"id": campaign}).scalar_one()
        return found


def states(runtime: Runtime) -> dict[str, int]:
    with runtime.db.reading() as session:
        query = text("SELECT coalesce(d.reason, s.state), count(*) FROM delivery d LEFT JOIN step s "
                     "ON s.delivery_id = d.id AND s.current GROUP BY 1")  # fmt: skip
        return {row[0]: row[1] for row in session.connection().execute(query)}


def prepared(runtime: Runtime, fake: FakeTelegram) -> int:
    """Make people of whom some agreed, an account at the fake, and launch a campaign to all."""
    brand, purpose, _ = factories.brand_and_purpose(runtime)
    settings = {"token": TOKEN, "webhook_secret": "secret-for-tests"}
    account = factories.account(
        runtime, brand, "telegram", base_url=fake.url, settings=settings, concurrency=8, rate_per_second=200.0
    )
    common: dict[str, Any] = {
        "purpose_id": purpose,
        "channel": "telegram",
        "account_id": account,
    }
    factories.contacts(runtime, PEOPLE, **common)
    factories.contacts(runtime, 30, consenting=False, start=PEOPLE + 1, **common)
    return factories.campaign(runtime, brand_id=brand, purpose_id=purpose, lanes=[("telegram", account)])


def enough(fake: FakeTelegram, count: int) -> bool:
    return len(fake.accepted) >= count


def check_books(runtime: Runtime, fake: FakeTelegram, *, kills_in_flight: int = 0) -> None:
    """Nobody twice, nobody lost, nobody without consent, accepted means received, and the log verifies."""
    received = [one.to for one in fake.accepted]
    assert len(received) == len(set(received)), "somebody got it twice"
    found = states(runtime)
    assert sum(found.values()) == PEOPLE + 30
    assert found["no_consent"] == 30
    accepted, unknown = found.get("accepted", 0), found.get("unknown", 0)
    assert accepted + unknown == PEOPLE, found
    assert accepted <= len(received) <= accepted + unknown
    assert unknown <= kills_in_flight
    assert set(received) <= {str(100_000 + n) for n in range(1, PEOPLE + 1)}
    sequencer.sequence(runtime)
    verified = sequencer.verify(runtime)
    assert verified.ok, verified.problems


@pytest.fixture
def durable_postgres(tmp_path: Path) -> Iterator[str]:
    with servers.postgres(durable=True) as server, server.database() as url:
        yield url


def test_a_campaign_finishes_over_celery_and_valkey(postgres_url: str, redis_url: str, tmp_path: Path) -> None:
    with factories.installation(postgres_url, tmp_path) as runtime, FakeTelegram() as fake:
        campaign = prepared(runtime, fake)
        with worker(runtime, redis_url):
            wait_for(lambda: state(runtime, campaign) == "finished", "the campaign")
        check_books(runtime, fake)


def test_a_campaign_finishes_with_the_broker_never_started(database_url: str, tmp_path: Path) -> None:
    with factories.installation(database_url, tmp_path) as runtime, FakeTelegram() as fake:
        campaign = prepared(runtime, fake)
        with worker(runtime, f"redis://127.0.0.1:{servers.free_port()}/0"):
            wait_for(lambda: state(runtime, campaign) == "finished", "the campaign")
        check_books(runtime, fake)


def test_killed_in_the_middle_and_started_again_nobody_gets_it_twice(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    """kill -9 of everything at a third and at two thirds; the rows know where to go on."""
    with factories.installation(database_url, tmp_path) as runtime, FakeTelegram() as fake:
        campaign = prepared(runtime, fake)
        for share in (1, 2):
            with worker(runtime, redis_url) as process:
                wait_for(functools.partial(enough, fake, PEOPLE * share // 3), "some messages")
                kill(process)
        with worker(runtime, redis_url):
            wait_for(lambda: state(runtime, campaign) == "finished", "the campaign")
        check_books(runtime, fake, kills_in_flight=2 * 4 * 40)
