"""Once an opt-out is answered, no call to the provider starts: aimed at messages that are on the wire at that moment.

One machine, one clock (``CLOCK_BOOTTIME``): the fake notes the first byte of each request, the test the moment at which
recording a refusal returned. A request that begins later than that is a broken promise.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from broadcaster.actions import consent, dispatch
from broadcaster.actions.runtime import Runtime
from broadcaster.channels.contract import boottime
from broadcaster.core.consent import Action
from broadcaster.fakes.server import Behaviour
from broadcaster.fakes.telegram import FakeTelegram
from tests import factories
from tests.actions.scene import Scene, scene

RACES = 300


class Aiming(FakeTelegram):
    """Answers slowly, and says of whom it has just seen a request."""

    def __init__(self) -> None:
        super().__init__(slow_seconds=0.03)
        self.seen: queue.SimpleQueue[str] = queue.SimpleQueue()

    def behaviour_of(self, magic: Behaviour | None) -> Behaviour:
        return Behaviour.SLOW

    def record(self, *given: object, **more: object) -> None:
        super().record(*given, **more)  # type: ignore[arg-type]
        self.seen.put(self.recorded[-1].to)


@pytest.fixture
def fake() -> Iterator[Aiming]:
    with Aiming() as server:
        yield server


def test_no_call_starts_after_the_answer_to_an_opt_out(runtime: Runtime, fake: Aiming) -> None:
    """Half of the stops are fired at the person whose request the provider sees now, half at whoever comes soon."""
    s = scene(runtime, fake, RACES, concurrency=8)
    s.launch()
    address_of = dict(zip((str(100_000 + n) for n in range(1, RACES + 1)), (a for _, a in s.people), strict=True))
    answered: dict[str, float] = {}
    stopping = threading.Event()

    def stop(person: str) -> None:
        if person not in answered:
            answered[person] = float("inf")
            s.stop(address_of[person])
            answered[person] = boottime()

    def aim() -> None:
        people = sorted(address_of, key=int)
        place = {person: number for number, person in enumerate(people)}
        with ThreadPoolExecutor(3) as pool:
            for number in itertools.count():
                try:
                    person = fake.seen.get(timeout=0.2)
                except queue.Empty:
                    if stopping.is_set():
                        return
                    continue
                ahead = place[person] + (0 if number % 2 else 4 + number % 9)
                pool.submit(stop, people[min(ahead, RACES - 1)])

    aimer = threading.Thread(target=aim)
    aimer.start()
    while s.drain(30.0).handled:
        pass
    stopping.set()
    aimer.join()
    late = [one for one in fake.recorded if one.at > answered.get(one.to, float("inf"))]
    assert late == []
    assert len(answered) > RACES / 4, "the races must have happened"
    assert len({one.to for one in fake.recorded}) == len(fake.recorded)
    states = s.states()
    assert states["accepted"] == len(fake.accepted)
    assert states["accepted"] + states["skipped"] == RACES
    assert s.verified().problems == []


def test_the_answer_waits_until_nothing_refused_is_on_the_wire(
    runtime: Runtime, fake: Aiming, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given the time; how long it takes is the machine's business."""
    monkeypatch.setattr(consent, "BARRIER_SECONDS", 60.0)
    fake.slow_seconds = 0.4
    s = scene(runtime, fake, 1)
    s.launch()
    worker = threading.Thread(target=s.drain)
    worker.start()
    fake.seen.get(timeout=30)
    recorded = s.stop(s.people[0][1])
    assert recorded.in_flight == 0
    assert s.steps()[s.people[0][1]][0] == "accepted", "what the provider had is told as it is"
    worker.join()


def test_the_answer_does_not_wait_for_ever_and_says_what_was_still_under_way(runtime: Runtime, fake: Aiming) -> None:
    fake.slow_seconds = 3.0
    s = scene(runtime, fake, 1)
    s.launch()
    worker = threading.Thread(target=s.drain)
    worker.start()
    fake.seen.get(timeout=30)
    recorded = s.stop(s.people[0][1])
    answered = boottime()
    assert recorded.in_flight == 1
    worker.join()
    assert all(one.at < answered for one in fake.recorded)


def test_a_withdrawal_of_another_purpose_waits_for_nothing(runtime: Runtime, fake: Aiming) -> None:
    fake.slow_seconds = 3.0
    s = scene(runtime, fake, 1)
    s.launch()
    worker = threading.Thread(target=s.drain)
    worker.start()
    fake.seen.get(timeout=30)
    [[service]] = s.rows("SELECT id FROM purpose WHERE key = 'service'")
    act = s.act(Action.WITHDRAWN, s.people[0][1])
    elsewhere = factories.grant(act.address_id, service, act.occurred_at, action=Action.WITHDRAWN)
    assert consent.record(runtime, [elsewhere], actor="person").in_flight == 0
    worker.join()


def test_the_barrier_outlasts_the_permission_of_the_gate() -> None:
    """Even when the wait runs out, nothing may start: G is measured at the sender, W at whoever answers."""
    assert consent.BARRIER_SECONDS > dispatch.GATE_SECONDS


def test_opt_outs_of_many_at_once_do_not_lock_one_another_out(runtime: Runtime, fake: Aiming) -> None:
    """Bulk refusals in opposite orders while the same people's messages pass the gate."""
    s = scene(runtime, fake, 60, concurrency=8)
    s.launch()
    addresses = [address for _, address in s.people]
    failed: list[BaseException] = []

    def refuse(chosen: list[int]) -> None:
        try:
            consent.record(runtime, [s.act(Action.OBJECTED, one) for one in chosen], actor="person")
        except Exception as problem:
            failed.append(problem)

    def send(s: Scene = s) -> None:
        try:
            s.drain()
        except Exception as problem:
            failed.append(problem)

    works = [threading.Thread(target=send) for _ in range(2)]
    works += [threading.Thread(target=refuse, args=(part,)) for part in (addresses[:40], addresses[:20:-1])]
    for work in works:
        work.start()
    for work in works:
        work.join()
    assert failed == []
    assert s.states()["planned"] == s.states()["dispatching"] == 0
