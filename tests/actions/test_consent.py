"""Recording what people said: once, at once, and lifted by nobody but them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from broadcaster.actions import consent
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Action, Actor, Source
from broadcaster.core.event_types import Suppressed
from broadcaster.storage import log
from broadcaster.storage.tables import Address, Suppression
from tests import factories
from tests.actions.scene import Scene, scene


@pytest.fixture
def s(runtime: Runtime) -> Scene:
    return scene(runtime, None, 2)


def standing(s: Scene, address: int) -> str | None:
    found = s.rows(
        "SELECT standing FROM consent_state WHERE address_id = :a AND purpose_id = :p", a=address, p=s.purpose
    )
    return found[0][0] if found else None


def test_a_fact_told_twice_is_recorded_once(s: Scene) -> None:
    act = s.act(Action.OBJECTED, s.people[0][1])
    first = consent.record(s.runtime, [act, act], actor="person")
    again = consent.record(s.runtime, [act], actor="person")
    assert (len(first.event_ids), len(again.event_ids)) == (1, 0)
    assert (first.repeated, again.repeated) == (1, 1)


def test_a_fact_told_by_many_at_once_is_recorded_once(s: Scene) -> None:
    act = s.act(Action.OBJECTED, s.people[0][1])
    told: list[consent.Recorded] = []
    threads = [
        threading.Thread(target=lambda: told.append(consent.record(s.runtime, [act], actor="person"))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(one.event_ids) for one in told) == [0, 0, 0, 0, 1]
    assert s.rows("SELECT count(*) FROM consent_event WHERE action = 'objected'") == [(1,)]


def test_whoever_repeats_a_refusal_also_waits_for_what_is_on_the_wire(s: Scene) -> None:
    act = s.act(Action.OBJECTED, s.people[0][1])
    consent.record(s.runtime, [act], actor="person")
    again = consent.record(s.runtime, [act], actor="person")
    assert s.purpose in again.closed[act.address_id]


@pytest.mark.parametrize(
    "actor,source",
    [
        (Actor.STAFF, Source.IMPORT),
        (Actor.STAFF, Source.CALL),
        (Actor.SYSTEM, Source.API),
        (Actor.PERSON, Source.PAPER),
        (Actor.PERSON, Source.IMPORT),
    ],
)
def test_a_yes_that_is_not_the_persons_own_is_kept_and_changes_nothing(s: Scene, actor: Actor, source: Source) -> None:
    address = s.people[0][1]
    s.stop(address)
    late = s.act(Action.GRANTED, address, actor=actor, source=source)
    recorded = consent.record(s.runtime, [late], actor="staff")
    assert recorded.ineffective == 1
    assert standing(s, address) == "objected"
    assert s.rows("SELECT ineffective FROM consent_event ORDER BY id DESC LIMIT 1")[0][0]


def test_the_persons_own_later_yes_opens_again(s: Scene) -> None:
    address = s.people[0][1]
    s.stop(address)
    assert consent.record(s.runtime, [s.act(Action.GRANTED, address)], actor="person").ineffective == 0
    assert standing(s, address) == "granted"


def test_a_yes_and_a_stop_told_together_are_judged_together(s: Scene) -> None:
    address, now = s.people[0][1], datetime.now(UTC)
    told = [s.act(Action.OBJECTED, address, at=now), s.act(Action.GRANTED, address, at=now)]
    for order in (told, told[::-1]):
        consent.record(s.runtime, order, actor="person")
        assert standing(s, address) == "objected"


def test_a_stop_told_late_after_the_persons_own_yes_closes_nothing(s: Scene) -> None:
    address, now = s.people[0][1], datetime.now(UTC)
    consent.record(s.runtime, [s.act(Action.GRANTED, address, at=now)], actor="person")
    s.launch()
    recorded = s.stop(address, at=now - timedelta(days=1), clock="account:9", source=Source.KEYWORD)
    assert standing(s, address) == "granted"
    assert recorded.skipped_steps == 0
    assert s.states() == {"planned": 2}


def test_a_stop_counts_on_the_address(s: Scene) -> None:
    address = s.people[0][1]
    before = s.rows("SELECT stop_epoch FROM address WHERE id = :a", a=address)[0][0]
    s.stop(address)
    assert s.rows("SELECT stop_epoch FROM address WHERE id = :a", a=address) == [(before + 1,)]


def test_a_withdrawal_of_one_purpose_closes_only_its_steps(s: Scene) -> None:
    s.launch()
    [[other]] = s.rows("SELECT id FROM purpose WHERE key = 'service'")
    act = s.act(Action.WITHDRAWN, s.people[0][1])
    elsewhere = factories.grant(s.people[1][1], other, datetime.now(UTC), action=Action.WITHDRAWN)
    assert consent.record(s.runtime, [act, elsewhere], actor="person").skipped_steps == 1
    assert s.states() == {"planned": 1, "skipped": 1}


def suppress(s: Scene, address: int) -> None:
    with s.runtime.db.transaction() as session:
        row = session.get_one(Address, address)
        [mark] = s.runtime.keys.suppression_marks([row.digest or b""])
        now = s.runtime.db.now(session)
        session.add(
            Suppression(key_id=mark.key_id, digest=mark.digest, channel=row.channel, reason="list", created_at=now)
        )
        row.suppressed = True
        session.add(row)
        log.record(session, Suppressed(verb="added", count=1, reason="list"), at=now)


NOT_OWN = [
    {"actor": Actor.STAFF, "source": Source.IMPORT},
    {"actor": Actor.PERSON, "source": Source.IMPORT},
    {"actor": Actor.PERSON, "source": Source.CALL},
    {"actor": Actor.SYSTEM, "source": Source.API},
]


@pytest.mark.parametrize("how", NOT_OWN)
def test_a_suppression_is_not_lifted_by_what_others_say(s: Scene, how: dict[str, Any]) -> None:
    address = s.people[0][1]
    suppress(s, address)
    consent.record(s.runtime, [s.act(Action.GRANTED, address, **how)], actor="staff")
    assert s.rows("SELECT count(*) FROM suppression") == [(1,)]
    assert s.rows("SELECT suppressed FROM address WHERE id = :a", a=address)[0][0]


def test_a_suppression_is_not_lifted_by_an_older_yes(s: Scene) -> None:
    address = s.people[0][1]
    suppress(s, address)
    old = s.act(Action.GRANTED, address, at=datetime.now(UTC) - timedelta(days=30))
    consent.record(s.runtime, [old], actor="person")
    assert s.rows("SELECT count(*) FROM suppression") == [(1,)]


def test_a_suppression_is_lifted_by_the_persons_own_later_yes(s: Scene) -> None:
    address = s.people[0][1]
    suppress(s, address)
    consent.record(s.runtime, [s.act(Action.GRANTED, address)], actor="person")
    assert s.rows("SELECT count(*) FROM suppression") == [(0,)]
    assert not s.rows("SELECT suppressed FROM address WHERE id = :a", a=address)[0][0]
    assert s.verified().problems == []
