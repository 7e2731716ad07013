"""An account that does not answer is left alone, tried again with a few calls, and the others go on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from broadcaster.actions import dispatch
from broadcaster.actions.runtime import Runtime
from broadcaster.core.breaker import FAILURES, TRIAL_CALLS
from broadcaster.fakes.server import Behaviour
from broadcaster.fakes.telegram import TOKEN, FakeTelegram
from broadcaster.storage import batches, engine, rates
from tests import factories
from tests.actions.scene import Scene, scene


@pytest.fixture
def fake() -> Iterator[FakeTelegram]:
    with FakeTelegram() as server:
        yield server


def resting(runtime: Runtime) -> list[tuple[int, int, int]]:
    """Return account, how often it opened, and for how many seconds it is left alone from now."""
    with runtime.db.reading() as session:
        now = runtime.db.now(session)
        return [
            (one.account_id, one.openings, round((one.until - now).total_seconds())) for one in rates.resting(session)
        ]


def let_the_pause_pass(s: Scene) -> None:
    s.change("UPDATE rate_bucket SET refilled_at = '2020-01-01 00:00:00.000000'")


def failing(runtime: Runtime, fake: FakeTelegram, behaviour: Behaviour, count: int = 30) -> Scene:
    s = scene(runtime, fake, count, concurrency=5)
    s.launch()
    fake.script(*[behaviour] * count)
    return s


@pytest.mark.parametrize("behaviour", [Behaviour.ERROR_500, Behaviour.CLOSE])
def test_it_opens_after_so_many_failures_and_nothing_more_is_tried(
    runtime: Runtime, fake: FakeTelegram, behaviour: Behaviour
) -> None:
    s = failing(runtime, fake, behaviour)
    tried = s.drain().outcomes["unknown"]
    assert FAILURES <= tried <= FAILURES + 10  # those that were on the wire with the tenth
    [(account, openings, seconds)] = resting(runtime)
    assert (account, openings) == (s.account, 1)
    assert 20 <= seconds <= 30
    assert s.drain().handled == 0
    assert s.states()["planned"] == 30 - tried
    with runtime.db.reading() as session:
        assert batches.due_accounts(session, now=runtime.db.now(session)) == {}
        [told] = engine.status(session, now=runtime.db.now(session))["accounts_resting"]
    assert (told["account"], told["times"]) == (s.account, 1)


def test_after_the_pause_a_few_calls_try_it_and_a_failure_doubles_the_pause(
    runtime: Runtime, fake: FakeTelegram
) -> None:
    s = failing(runtime, fake, Behaviour.ERROR_500, 60)
    s.drain()
    let_the_pause_pass(s)
    assert s.drain().outcomes["unknown"] <= TRIAL_CALLS
    [(_, openings, seconds)] = resting(runtime)
    assert openings == 2
    assert 50 <= seconds <= 60


def test_one_answer_closes_it_and_the_rest_is_sent(runtime: Runtime, fake: FakeTelegram) -> None:
    s = failing(runtime, fake, Behaviour.ERROR_500)
    tried = s.drain().outcomes["unknown"]
    let_the_pause_pass(s)
    with FakeTelegram() as healed:
        s.change("UPDATE account SET base_url = :url", url=healed.url)
        assert s.drain().outcomes == {"accepted": 30 - tried}
    assert resting(runtime) == []
    assert s.verified().problems == []


def test_the_other_accounts_go_on(runtime: Runtime, fake: FakeTelegram) -> None:
    s = failing(runtime, fake, Behaviour.CLOSE)
    s.drain()
    with FakeTelegram() as other:
        settings = {"token": TOKEN, "webhook_secret": "s3cret"}
        account = factories.account(runtime, s.brand, "telegram", settings=settings, base_url=other.url)
        factories.contacts(runtime, 5, purpose_id=s.purpose, channel="telegram", account_id=account, start=500)
        s.account = account
        s.launch()
        assert dispatch.drain(runtime, account, seconds=20.0).outcomes == {"accepted": 5}
