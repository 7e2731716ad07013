"""Real worker processes, killed and frozen at random moments: nobody gets it twice, nobody is lost, the sums hold."""

from __future__ import annotations

import functools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from broadcaster.actions import consent
from broadcaster.actions.runtime import Runtime
from broadcaster.channels.contract import boottime
from broadcaster.core.consent import Action
from broadcaster.core.errors import Unavailable
from broadcaster.fakes.server import Behaviour, FakeServer
from broadcaster.fakes.telegram import FakeTelegram
from broadcaster.fakes.twilio import FakeTwilio
from tests import factories
from tests.actions.scene import Scene, scene, until

ROOT = Path(__file__).parents[2]
PEOPLE = 240
SLOTS = 4
IN_FLIGHT = 2 * SLOTS  #: on the wire, and through the gate for the next free slot
SLOW = 0.05


class SlowTelegram(FakeTelegram):
    """Every message takes a moment, so that there is always something on the wire to be killed over."""

    def behaviour_of(self, magic: Behaviour | None) -> Behaviour:
        return Behaviour.SLOW


class SlowTwilio(FakeTwilio):
    def behaviour_of(self, magic: Behaviour | None) -> Behaviour:
        return Behaviour.SLOW


class Workers:
    """Worker processes on one installation."""

    def __init__(self, nursery: subprocess.Popen[str], runtime: Runtime, tmp_path: Path) -> None:
        self._nursery = nursery
        key_file = tmp_path / "keys.json"
        key_file.write_text(runtime.keys.dump())
        self._order = json.dumps([runtime.db.url.render_as_string(hide_password=False), str(key_file)])
        self.running: list[int] = []

    def start(self) -> int:
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(f"{self._order}\n")
        self._nursery.stdin.flush()
        pid = int(self._nursery.stdout.readline())
        self.running.append(pid)
        return pid

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{pid}").exists(), what="its end")
        self.running.remove(pid)


@pytest.fixture(scope="module")
def nursery() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.proof.worker"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


@pytest.fixture
def workers(nursery: subprocess.Popen[str], runtime: Runtime, tmp_path: Path) -> Iterator[Workers]:
    made = Workers(nursery, runtime, tmp_path)
    yield made
    for pid in [*made.running]:
        made.kill(pid)


@pytest.fixture
def fake(runtime: Runtime) -> Iterator[FakeServer]:
    """Each engine meets one provider: Telegram (at most once) on SQLite, Twilio (receipts) on PostgreSQL."""
    with SlowTelegram(slow_seconds=SLOW) if runtime.db.sqlite else SlowTwilio(slow_seconds=SLOW) as server:
        yield server


def refuse(s: Scene, count: int) -> set[int]:
    """Let some people object before anything starts."""
    refusing = {address for _, address in s.people[:count]}
    consent.record(s.runtime, [s.act(Action.OBJECTED, address) for address in refusing], actor="person")
    return refusing


def finished(s: Scene) -> bool:
    return s.rows("SELECT state FROM campaign") == [("finished",)]


def test_workers_killed_at_random_lose_nobody_and_repeat_nobody(
    runtime: Runtime, fake: FakeServer, workers: Workers
) -> None:
    seed = random.SystemRandom().randrange(10**6)
    dice = random.Random(seed)
    s = scene(runtime, fake, PEOPLE, concurrency=SLOTS)
    refusing = refuse(s, 20)
    s.campaign = factories.campaign(runtime, brand_id=s.brand, purpose_id=s.purpose, lanes=[(s.channel, s.account)])
    kills = 0
    workers.start()
    workers.start()
    until(lambda: len(fake.recorded) > 5, what="the first message")
    while kills < 12 and len(fake.recorded) < PEOPLE - 60:
        time.sleep(dice.uniform(0.15, 0.35))  # the moment of the blow is what is random here
        workers.kill(dice.choice(workers.running))
        kills += 1
        s.abandon()  # the lease's 15 s, without the waiting
        workers.start()
        seen = len(fake.recorded)
        until(functools.partial(lambda seen: len(fake.recorded) > seen or finished(s), seen), what="the next message")
    for worker in [*workers.running]:
        workers.kill(worker)
        kills += 1
    s.abandon()
    workers.start()
    until(lambda: finished(s), what="the end")
    check(s, fake, kills=kills, refusing=refusing, seed=seed)


def check(s: Scene, fake: FakeServer, *, kills: int, refusing: set[int], seed: int) -> None:
    told = f"seed {seed}"
    got = Counter(one.to for one in fake.accepted)
    assert max(got.values()) == 1, f"somebody got it twice, {told}"
    members = s.rows("SELECT count(*) FROM delivery")[0][0]
    reasons = s.rows("SELECT reason, count(*) FROM delivery WHERE reason IS NOT NULL GROUP BY reason")
    states = s.states()
    assert members == PEOPLE, f"everybody is accounted for, {told}"
    assert sum(states.values()) + sum(row[1] for row in reasons) == members, told
    assert dict(reasons) == {"objected": len(refusing)}, told
    assert set(states) <= {"accepted", "unknown"}, f"nobody waits for ever, {told}"
    how = s.rows("SELECT outcome, provider_code, settled_at IS NULL, count(*) FROM step GROUP BY 1, 2, 3")
    assert states["unknown"] <= kills * IN_FLIGHT, f"{how}, {kills} kills, {told}"
    assert states["accepted"] <= sum(got.values()) <= states["accepted"] + states["unknown"], told
    ids = {one.provider_id for one in fake.accepted}
    ours = {row[0] for row in s.rows("SELECT provider_id FROM step WHERE state = 'accepted'")}
    assert ours <= ids, f"what we call accepted the provider has, {told}"
    assert not refusing & set(s.steps()), f"nobody who objected has a step, {told}"
    found = s.verified()
    assert found.problems == [], told


def test_a_frozen_worker_starts_nothing_after_the_answer(runtime: Runtime, fake: FakeServer, workers: Workers) -> None:
    """F04: SIGSTOP while sending, opt-outs of those on the wire and of those to come, SIGCONT."""
    s = scene(runtime, fake, 150, concurrency=SLOTS)
    lanes = [(s.channel, s.account)]
    s.campaign = factories.campaign(runtime, brand_id=s.brand, purpose_id=s.purpose, lanes=lanes)
    worker = workers.start()
    answered: dict[str, float] = {}
    values = {address: factories.address_value(s.channel, n) for n, (_, address) in enumerate(s.people, start=1)}
    for batch in range(1, 8):
        until(
            functools.partial(lambda batch: len(fake.recorded) >= batch * 8 or finished(s), batch), what="some messages"
        )
        os.kill(worker, signal.SIGSTOP)
        flying = [row[0] for row in s.rows("SELECT address_id FROM step WHERE state = 'dispatching'")]
        planned = [row[0] for row in s.rows("SELECT address_id FROM step WHERE state = 'planned' ORDER BY id LIMIT 6")]
        try:
            consent.record(runtime, [s.act(Action.OBJECTED, one) for one in flying + planned], actor="person")
            now = boottime()
            answered |= {values[address]: now for address in flying + planned}
        except Unavailable:
            pass  # frozen with a lock in its hands: nobody was answered, so nothing was promised
        finally:
            os.kill(worker, signal.SIGCONT)
    until(lambda: finished(s), what="the end")
    assert answered, "somebody must have been refused in flight"
    assert [one for one in fake.recorded if one.at > answered.get(one.to, float("inf"))] == []
    assert max(Counter(one.to for one in fake.accepted).values()) == 1
    assert set(s.states()) <= {"accepted", "unknown", "skipped"}
    assert s.verified().problems == []
