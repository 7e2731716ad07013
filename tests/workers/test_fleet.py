"""Many workers: one channel each, brought down and started again, stopped in good order, with a broker that fails."""

from __future__ import annotations

import functools
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from broadcaster.actions.runtime import Runtime
from broadcaster.fakes import twilio
from broadcaster.fakes.server import Behaviour
from broadcaster.fakes.telegram import FakeTelegram
from broadcaster.fakes.twilio import FakeTwilio
from broadcaster.storage import workers
from tests import factories, servers
from tests.proof.brokers import rubbish
from tests.workers.test_engine import check_books, enough, prepared, state, wait_for, worker

pytestmark = pytest.mark.timeout(300)


class SlowTelegram(FakeTelegram):
    """Every message takes a moment, so that something is always on the wire."""

    def behaviour_of(self, magic: Behaviour | None) -> Behaviour:
        return Behaviour.SLOW


def finished(runtime: Runtime, campaign: int) -> bool:
    return state(runtime, campaign) == "finished"


def unserved(runtime: Runtime) -> list[str]:
    with runtime.db.reading() as session:
        return workers.unserved(session, now=runtime.db.now(session))


def celery_of(process: subprocess.Popen[bytes]) -> int:
    """Return the process that the supervisor keeps running; 0 while there is none."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0]) if children else 0


@pytest.fixture
def sms() -> Iterator[FakeTwilio]:
    with FakeTwilio() as fake:
        yield fake


def texting(runtime: Runtime, fake: FakeTwilio, count: int) -> int:
    """Make people with a telephone and launch a campaign to everybody; the others have no number."""
    with runtime.db.reading() as session:
        known = session.connection().exec_driver_sql("SELECT brand_id, id FROM purpose WHERE leaf").first()
    brand, purpose = known or factories.brand_and_purpose(runtime)[:2]
    settings = {"account_sid": twilio.ACCOUNT_SID, "sender": "+15550100", "auth_token": twilio.AUTH_TOKEN}
    account = factories.account(runtime, brand, "twilio", base_url=fake.url, settings=settings)
    factories.contacts(runtime, count, purpose_id=purpose, channel="sms", start=5000)
    return factories.campaign(runtime, brand_id=brand, purpose_id=purpose, lanes=[("sms", account)])


@pytest.mark.parametrize("broker", ["there", "never started"])
def test_a_worker_of_one_channel_leaves_the_others_to_theirs(
    broker: str, postgres_url: str, redis_url: str, tmp_path: Path, sms: FakeTwilio
) -> None:
    url = redis_url if broker == "there" else f"redis://127.0.0.1:{servers.free_port()}/0"
    with factories.installation(postgres_url, tmp_path) as runtime, FakeTelegram() as telegram:
        chats, texts = prepared(runtime, telegram), texting(runtime, sms, 50)
        assert unserved(runtime) == ["sms", "telegram"]
        with worker(runtime, url, "--channels", "telegram"):
            wait_for(lambda: finished(runtime, chats), "the campaign on Telegram")
            assert unserved(runtime) == ["sms"]
            assert (sms.recorded, state(runtime, texts)) == ([], "running")
            with worker(runtime, url, "--channels", "sms"):
                wait_for(lambda: finished(runtime, texts), "the campaign by SMS")
                assert unserved(runtime) == []
        assert len(sms.accepted) == 50


def test_each_channel_has_a_queue_of_its_own(
    postgres_url: str, redis_url: str, tmp_path: Path, sms: FakeTwilio
) -> None:
    with factories.installation(postgres_url, tmp_path) as runtime, redis.Redis.from_url(redis_url) as valkey:
        texting(runtime, sms, 5)
        with worker(runtime, redis_url, "--channels", "telegram"):
            wait_for(lambda: valkey.llen("broadcaster.sms") == 2, "a bell of each process, for somebody else to hear")
        with worker(runtime, redis_url):
            wait_for(lambda: len(sms.accepted) == 5 and not valkey.llen("broadcaster.sms"), "somebody to hear it")


def test_celery_is_started_again_by_its_supervisor(postgres_url: str, redis_url: str, tmp_path: Path) -> None:
    with factories.installation(postgres_url, tmp_path) as runtime, SlowTelegram(slow_seconds=0.05) as fake:
        campaign = prepared(runtime, fake)
        with worker(runtime, redis_url) as process:
            wait_for(functools.partial(enough, fake, 40), "some messages")
            first = celery_of(process)
            servers.kill_tree(first)
            wait_for(lambda: celery_of(process) not in (0, first), "another")
            wait_for(lambda: finished(runtime, campaign), "the campaign")
        check_books(runtime, fake, kills_in_flight=2 * 4 * 16)


def test_what_is_no_task_brings_no_worker_down(postgres_url: str, redis_url: str, tmp_path: Path) -> None:
    """Nor is it ever unpickled, and it does not stay."""
    bomb = tmp_path / "unpickled"
    with (
        factories.installation(postgres_url, tmp_path) as runtime,
        redis.Redis.from_url(redis_url) as valkey,
        worker(runtime, redis_url) as process,
    ):
        wait_for(lambda: listed(runtime) == 2, "two processes")
        celery = celery_of(process)
        valkey.lpush("broadcaster", *rubbish(bomb))
        wait_for(lambda: not valkey.llen("broadcaster") and not valkey.hlen("unacked"), "the end of the rubbish")
        assert celery_of(process) == celery
    assert not bomb.exists()


@pytest.mark.parametrize("key", ["broadcaster", "unacked_index", "_kombu.binding.broadcaster"])
def test_a_wrong_type_in_the_broker_brings_no_worker_down(
    key: str, postgres_url: str, redis_url: str, tmp_path: Path
) -> None:
    with factories.installation(postgres_url, tmp_path) as runtime, FakeTelegram() as fake:
        campaign = prepared(runtime, fake)
        with redis.Redis.from_url(redis_url) as valkey, worker(runtime, redis_url) as process:
            valkey.set(key, "rubbish")
            wait_for(lambda: celery_of(process) != 0, "Celery")
            celery = celery_of(process)
            wait_for(lambda: finished(runtime, campaign), "the campaign")
            assert celery_of(process) == celery
        check_books(runtime, fake)


def listed(runtime: Runtime) -> int:
    with runtime.db.reading() as session:
        return int(session.connection().exec_driver_sql("SELECT count(*) FROM worker").scalar_one())


def test_a_stop_in_the_middle_leaves_nothing_unknown(database_url: str, redis_url: str, tmp_path: Path) -> None:
    """SIGTERM: what is on the wire is waited for, and its leases are free for the next at once."""
    with factories.installation(database_url, tmp_path) as runtime, SlowTelegram(slow_seconds=0.2) as fake:
        campaign = prepared(runtime, fake)
        with worker(runtime, redis_url) as process:
            wait_for(functools.partial(enough, fake, 60), "some messages")
            process.terminate()
            assert process.wait(60) == 0
        assert not finished(runtime, campaign), "the stop came too late to prove anything"
        with runtime.db.reading() as session:
            held = session.connection().exec_driver_sql(
                "SELECT (SELECT count(*) FROM batch WHERE lease_owner IS NOT NULL), "
                "(SELECT count(*) FROM step WHERE state IN ('dispatching', 'unknown')), (SELECT count(*) FROM worker)"
            )
            assert held.one() == (0, 0, 0)
        with worker(runtime, redis_url):
            wait_for(lambda: finished(runtime, campaign), "the campaign")
        check_books(runtime, fake)


def test_workers_replaced_one_after_the_other_leave_nothing_unknown(
    postgres_url: str, redis_url: str, tmp_path: Path
) -> None:
    with (
        factories.installation(postgres_url, tmp_path) as runtime,
        SlowTelegram(slow_seconds=0.2) as fake,
        ExitStack() as stack,
    ):
        campaign = prepared(runtime, fake)
        running = [stack.enter_context(worker(runtime, redis_url)) for _ in range(2)]
        for old in running:
            wait_for(functools.partial(enough, fake, len(fake.accepted) + 50), "some messages")
            old.terminate()
            assert old.wait(60) == 0
            stack.enter_context(worker(runtime, redis_url))
        wait_for(lambda: finished(runtime, campaign), "the campaign")
        check_books(runtime, fake)


def test_a_broker_frozen_flushed_and_killed_again_and_again(postgres_url: str, tmp_path: Path) -> None:
    """No message waits for it, none goes twice, and no worker is left without one who does its work."""
    seed = random.SystemRandom().randrange(10**6)
    dice = random.Random(seed)
    with (
        factories.installation(postgres_url, tmp_path) as runtime,
        SlowTelegram(slow_seconds=0.3) as fake,
        servers.valkey() as valkey,
    ):
        campaign = prepared(runtime, fake)
        with worker(runtime, valkey.url) as process:
            wait_for(functools.partial(enough, fake, 10), "the first messages")
            blows = 0
            while not finished(runtime, campaign) and blows < 40:
                blow(valkey, dice)
                blows += 1
                wait_for(functools.partial(enough_or_end, runtime, campaign, fake, len(fake.accepted) + 5), "more")
            wait_for(lambda: finished(runtime, campaign), f"the campaign, seed {seed}")
            assert blows >= 8, f"too few blows to prove anything: {blows}"
            assert process.poll() is None
        check_books(runtime, fake)


def enough_or_end(runtime: Runtime, campaign: int, fake: FakeTelegram, count: int) -> bool:
    return enough(fake, count) or finished(runtime, campaign)


def blow(valkey: servers.Valkey, dice: random.Random) -> None:
    """Freeze the broker, empty it, or kill it; it is back at the end."""
    kind = dice.choice(["frozen", "flushed", "killed"])
    if kind == "flushed":
        valkey.flush()
    elif kind == "killed":
        valkey.kill()
        time.sleep(dice.uniform(0, 1))  # the fault's own length
        valkey.start()
    else:
        os.kill(valkey.daemon.pid, signal.SIGSTOP)
        time.sleep(dice.uniform(1, 3))
        os.kill(valkey.daemon.pid, signal.SIGCONT)
