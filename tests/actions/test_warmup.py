"""An account that warms up, while campaigns go out on it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from broadcaster.actions import accounts
from broadcaster.actions.runtime import Runtime
from broadcaster.fakes.telegram import FakeTelegram
from broadcaster.storage import batches, engine
from broadcaster.storage.tables import Account
from tests import factories
from tests.actions.scene import Scene, scene


@pytest.fixture
def fake() -> Iterator[FakeTelegram]:
    with FakeTelegram() as server:
        yield server


def let_midnight_pass(s: Scene) -> None:
    s.change("UPDATE rate_bucket SET day_ends = '2020-01-01 00:00:00.000000'")


def change(s: Scene, told: str) -> None:
    accounts.warm_up(s.runtime, s.account, told, actor=factories.ACTOR)


def due(s: Scene) -> bool:
    with s.runtime.db.reading() as session:
        return s.account in batches.due_accounts(session, now=s.runtime.db.now(session))


def test_what_is_over_the_days_allowance_waits_until_the_next_and_nobody_is_lost(
    runtime: Runtime, fake: FakeTelegram
) -> None:
    s = scene(runtime, fake, 20, warm_up="3, 5")
    s.launch()
    assert s.drain().handled == 3
    assert s.states() == {"accepted": 3, "planned": 17}
    assert not due(s)
    assert s.drain().handled == 0
    let_midnight_pass(s)
    assert due(s)
    assert s.drain().handled == 5
    let_midnight_pass(s)
    s.drain()
    assert s.states() == {"accepted": 20}
    assert len(fake.recorded) == 20


def test_workers_together_send_no_more_than_the_day_allows(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake, 60, warm_up="25", concurrency=4)
    s.launch()
    threads = [threading.Thread(target=s.drain) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    s.drain()
    assert len(fake.recorded) == 25
    assert s.states() == {"accepted": 25, "planned": 35}


def test_who_is_refused_at_the_last_look_uses_nothing_up(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake, 10, warm_up="4")
    s.launch()
    s.change("UPDATE address SET suppressed = :yes WHERE id <= :last", yes=True, last=s.people[4][1])
    for _ in range(3):
        s.drain()
    assert s.states() == {"skipped": 5, "accepted": 4, "planned": 1}


def test_an_allowance_changed_during_the_day_is_obeyed_at_once(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake, 20, warm_up="3")
    s.launch()
    s.drain()
    change(s, "7")
    assert due(s)
    assert s.drain().handled == 4
    change(s, "5")
    assert s.drain().handled == 0
    change(s, "")
    assert s.drain().handled == 13


def test_a_warm_up_that_is_set_begins_on_its_first_day_and_one_that_is_changed_goes_on(
    runtime: Runtime, fake: FakeTelegram
) -> None:
    s = scene(runtime, fake, 20, warm_up="1, 2")
    s.launch()
    s.drain()
    let_midnight_pass(s)
    change(s, "1, 3")
    assert s.drain().handled == 3
    change(s, "")
    let_midnight_pass(s)
    change(s, "1, 2")
    assert s.drain().handled == 1


def test_the_status_says_until_when_a_full_day_holds_an_account(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake, 5, warm_up="3")
    s.launch()
    s.drain()
    with runtime.db.reading() as session:
        told = engine.status(session, now=runtime.db.now(session))
        assert session.get_one(Account, s.account).warm_up == [3]
    [account] = told["accounts"]
    assert account["paused_until"] is not None
