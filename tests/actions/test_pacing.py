"""Nobody gets more marketing than the organisation's limit allows, however many campaigns go out at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from broadcaster.actions import catalogue, consent, contacts, dispatch, forecast
from broadcaster.actions.organisation import set_settings
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Action
from broadcaster.fakes.telegram import FakeTelegram
from broadcaster.storage import pacing
from tests import factories
from tests.actions.scene import Scene, chats_in_haste, scene


@pytest.fixture(autouse=True)
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    chats_in_haste(monkeypatch)


@pytest.fixture
def fake() -> Iterator[FakeTelegram]:
    with FakeTelegram() as server:
        yield server


def limit(runtime: Runtime, **frequency: int) -> None:
    set_settings(runtime, {"frequency": frequency}, actor=factories.ACTOR)


def reasons(s: Scene, run: int) -> dict[str | None, int]:
    return dict(s.rows("SELECT reason, count(*) FROM delivery WHERE run_id = :run GROUP BY reason", run=run))


def test_who_has_had_enough_is_refused_in_the_plan_and_in_the_dry_run(runtime: Runtime, fake: FakeTelegram) -> None:
    limit(runtime, messages=2, days=7)
    s = scene(runtime, fake, 3)
    for _ in range(2):
        assert reasons(s, s.launch()) == {None: 3}
        assert s.drain().outcomes == {"accepted": 3}
    draft = factories.campaign(
        runtime, brand_id=s.brand, purpose_id=s.purpose, lanes=[(s.channel, s.account)], launch=False
    )
    assert forecast.forecast(runtime, draft).by_reason == {"frequency_cap": 3}
    assert reasons(s, s.launch()) == {"frequency_cap": 3}


def test_what_lies_further_back_than_the_period_does_not_count(runtime: Runtime, fake: FakeTelegram) -> None:
    limit(runtime, messages=1, days=7)
    s = scene(runtime, fake, 2)
    s.launch()
    s.drain()
    old = f"{datetime.now(UTC) - timedelta(days=7, minutes=1):%Y-%m-%d %H:%M:%S.%f}"
    s.change("UPDATE step SET gate_at = :old WHERE address_id = :id", old=old, id=s.people[0][1])
    assert reasons(s, s.launch()) == {None: 1, "frequency_cap": 1}


def test_hours_between_two_messages_hold_whatever_their_number(runtime: Runtime, fake: FakeTelegram) -> None:
    limit(runtime, hours=12)
    s = scene(runtime, fake, 1)
    s.launch()
    s.drain()
    assert reasons(s, s.launch()) == {"frequency_cap": 1}


@pytest.mark.parametrize("order", [("service", "offers"), ("offers", "service")])
def test_service_messages_neither_count_nor_are_counted(
    runtime: Runtime, fake: FakeTelegram, order: tuple[str, str]
) -> None:
    limit(runtime, messages=1, days=7)
    s = scene(runtime, fake, 1)
    bills = catalogue.create_purpose(
        runtime, key="bills", parent="service", brand_id=s.brand, label={"en": "Bills"}, actor=factories.ACTOR
    )
    purposes = {"service": bills, "offers": s.purpose}
    s.purpose = bills
    consent.record(runtime, [s.act(Action.GRANTED, s.people[0][1])], actor="person")
    for kind in order:
        s.purpose = purposes[kind]
        s.launch()
        assert s.drain().outcomes == {"accepted": 1}


def test_a_limit_set_after_the_plan_holds_at_the_last_look(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake, 3)
    s.launch()
    s.launch()
    limit(runtime, messages=1, days=7)
    assert s.drain().outcomes == {"accepted": 3}
    assert s.rows("SELECT reason, count(*) FROM step WHERE state = 'skipped' GROUP BY reason") == [("frequency_cap", 3)]


def test_two_campaigns_that_race_do_not_exceed_it_together(
    runtime: Runtime, fake: FakeTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit(runtime, messages=1, days=7)
    s = scene(runtime, fake, 5)
    for _ in range(2):
        s.launch()
    both = threading.Barrier(2)
    count = pacing.handed_over

    def counted(*args: Any, **named: Any) -> dict[int, list[datetime]]:
        """Let the other gate count before this one has written, if anything allows it."""
        found = count(*args, **named)
        try:
            both.wait(1.0)
        except threading.BrokenBarrierError:
            pass
        return found

    monkeypatch.setattr(pacing, "handed_over", counted)
    drained: list[dispatch.Drained] = []
    workers = [threading.Thread(target=lambda: drained.append(s.drain(5.0))) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(one.outcomes["accepted"] for one in drained) == 5
    assert s.states() == {"accepted": 5, "skipped": 5}
    assert len({one.to for one in fake.recorded}) == len(fake.recorded) == 5


def rest(s: Scene, place: int, days: int) -> None:
    """The person says on their page that they want fewer messages."""
    contacts.edit(s.runtime, s.people[place][0], {"rest_days": days}, seen=None, actor="person")


def test_who_asked_for_fewer_gets_fewer_and_the_others_all(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake, 3)
    rest(s, 0, 7)
    assert reasons(s, s.launch()) == {None: 3}
    s.drain()
    assert reasons(s, s.launch()) == {None: 2, "frequency_cap": 1}


def test_what_somebody_asks_for_after_the_plan_holds_at_the_last_look(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake, 2)
    s.launch()
    s.launch()
    rest(s, 0, 30)
    assert s.drain().outcomes == {"accepted": 3}
    assert s.rows("SELECT reason, count(*) FROM step WHERE state = 'skipped' GROUP BY reason") == [("frequency_cap", 1)]
