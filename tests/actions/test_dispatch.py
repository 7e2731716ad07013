"""The last look, and how every end of a call is written down: over a real socket to a provider's fake."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from broadcaster.actions import accounts, campaigns, dispatch, gate, lines, loop, planning
from broadcaster.actions.preparing import Item, Preparer
from broadcaster.actions.runtime import Runtime
from broadcaster.channels import registry
from broadcaster.channels.contract import Finished
from broadcaster.core.deliveries import Outcome, Reason
from broadcaster.core.errors import Unavailable
from broadcaster.core.messages import CallResult, Outbound
from broadcaster.fakes.server import Behaviour
from broadcaster.fakes.telegram import FakeTelegram
from broadcaster.storage import batches, settling
from broadcaster.storage import gate as gate_rows
from tests import factories
from tests.actions.scene import Scene, scene, until

LONG_AGO = "2020-01-01 00:00:00.000000"


@pytest.fixture
def fake() -> Iterator[FakeTelegram]:
    with FakeTelegram() as server:
        yield server


def reached(fake: FakeTelegram) -> list[str]:
    return [one.to for one in fake.recorded]


# the gate


def test_who_agreed_gets_it_once_and_the_log_says_so(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake, 12)
    s.launch()
    drained = s.drain()
    assert drained.outcomes == {"accepted": 12}
    assert sorted(reached(fake)) == sorted(str(100_000 + n) for n in range(1, 13))
    assert s.states() == {"accepted": 12}
    assert s.drain().handled == 0
    assert planning.finish_runs(runtime)
    found = s.verified()
    assert found.problems == []
    assert found.sends == 12


CLOSED = [
    ("UPDATE address SET suppressed = :yes WHERE id = :id", "suppressed"),
    ("UPDATE address SET status = 'invalid' WHERE id = :id", "address_invalid"),
    ("UPDATE address SET status = 'erased' WHERE id = :id", "erased"),
    (f"UPDATE consent_state SET expires_at = '{LONG_AGO}' WHERE address_id = :id", "expired"),
    ("DELETE FROM consent_state WHERE address_id = :id", "no_consent"),
    ("UPDATE consent_state SET standing = 'restricted' WHERE address_id = :id", "restricted"),
    ("UPDATE consent_state SET standing = 'pending' WHERE address_id = :id", "pending_confirmation"),
    ("UPDATE consent_state SET standing = 'withdrawn' WHERE address_id = :id", "withdrawn"),
]


def test_what_has_closed_since_the_plan_is_refused_with_its_reason(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake, len(CLOSED) + 1)
    s.launch()
    for (_, address), (statement, _) in zip(s.people, CLOSED, strict=False):
        values = {"id": address} | ({"yes": True} if ":yes" in statement else {})
        s.change(statement, **values)
    s.drain()
    expected = {a: ("skipped", why) for (_, a), (_, why) in zip(s.people, CLOSED, strict=False)}
    assert s.steps() == expected | {s.people[-1][1]: ("accepted", None)}
    assert reached(fake) == [str(100_000 + len(CLOSED) + 1)]


def test_a_stop_closes_what_is_planned_at_once(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake)
    s.launch()
    address = s.people[1][1]
    assert s.stop(address).skipped_steps == 1
    assert s.steps()[address] == ("skipped", "objected")
    s.drain()
    assert len(reached(fake)) == 2


@pytest.mark.parametrize("verb", ["pause", "cancel"])
def test_nothing_starts_while_a_campaign_is_paused_or_cancelled(
    runtime: Runtime, fake: FakeTelegram, verb: str
) -> None:
    s = scene(runtime, fake)
    s.launch()
    getattr(campaigns, verb)(runtime, s.campaign, actor=factories.ACTOR)
    assert s.drain().handled == 0
    assert reached(fake) == []
    if verb == "pause":
        campaigns.resume(runtime, s.campaign, actor=factories.ACTOR)
        s.drain()
        assert s.states() == {"accepted": 3}
    else:
        assert campaigns.sweep_cancelled(runtime) == 1
        assert set(s.steps().values()) == {("skipped", "cancelled")}
        assert planning.finish_runs(runtime)


def test_a_pause_in_the_middle_is_seen_by_a_worker_that_already_holds_the_batch(
    runtime: Runtime, fake: FakeTelegram
) -> None:
    s = scene(runtime, fake, 8, concurrency=1)
    s.launch()
    fake.script(Behaviour.SLOW)
    worker = threading.Thread(target=s.drain)
    worker.start()
    until(lambda: fake.recorded)
    campaigns.pause(runtime, s.campaign, actor=factories.ACTOR)
    worker.join()
    assert s.states() == {"accepted": 1, "planned": 7}
    assert s.rows("SELECT count(*) FROM batch WHERE open AND lease_owner IS NULL") == [(1,)]


def test_a_rate_changed_in_the_middle_is_obeyed_by_a_worker_that_already_sends(
    runtime: Runtime, fake: FakeTelegram
) -> None:
    s = scene(runtime, fake, 60, rate_per_second=1.0)
    s.launch()
    worker = threading.Thread(target=s.drain)
    worker.start()
    until(lambda: fake.recorded)
    accounts.update(runtime, s.account, settings={}, base_url=fake.url, rate_per_second=None, actor=factories.ACTOR)
    worker.join()
    assert s.states() == {"accepted": 60}


def test_a_campaign_paused_at_its_very_end_finishes_after_it_is_resumed(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake)
    s.launch()
    s.drain()
    campaigns.pause(runtime, s.campaign, actor=factories.ACTOR)
    planning.finish_runs(runtime)
    campaigns.resume(runtime, s.campaign, actor=factories.ACTOR)
    planning.finish_runs(runtime)
    assert s.rows("SELECT state FROM campaign") == [("finished",)]


@pytest.mark.parametrize("state", ["held", "paused", "disabled"])
def test_nothing_starts_on_an_account_that_may_not_send(runtime: Runtime, fake: FakeTelegram, state: str) -> None:
    s = scene(runtime, fake)
    s.launch()
    s.change("UPDATE account SET state = :state", state=state)
    assert s.drain().handled == 0
    assert reached(fake) == []
    accounts.set_state(runtime, s.account, "active", actor=factories.ACTOR)
    s.drain()
    assert s.states() == {"accepted": 3}


def test_what_comes_too_late_for_its_run_is_not_sent(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake)
    s.launch()
    s.change(f"UPDATE run SET not_after = '{LONG_AGO}'")
    s.drain()
    assert set(s.steps().values()) == {("skipped", "window_passed")}


def test_a_person_of_whom_nothing_says_any_more_what_time_it_is_holds_up_nobody(
    runtime: Runtime, fake: FakeTelegram
) -> None:
    """The country was taken out of the contact after the plan; the others' hours are open."""
    s = scene(runtime, fake)
    s.launch()
    s.change("UPDATE setting SET value = 'false' WHERE key = 'demo'")
    s.change("UPDATE contact SET time_zone = 'Nowhere/Land' WHERE id = :id", id=s.people[0][0])
    s.drain()
    states = s.steps()
    assert states[s.people[0][1]] == ("skipped", "no_time_zone")
    assert {states[a][0] for _, a in s.people[1:]} <= {"accepted", "planned"}, "sent, or waiting for their hours"


def test_outside_its_hours_a_message_waits_for_the_next(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake)
    s.launch()
    s.change("UPDATE setting SET value = 'false' WHERE key = 'demo'")
    now = datetime.now(UTC)
    ahead = (3 - now.hour) % 24  # hours east of UTC at which it is three in the morning
    zone = f"Etc/GMT-{ahead}" if ahead <= 14 else f"Etc/GMT+{24 - ahead}"
    s.change("UPDATE contact SET time_zone = :zone", zone=zone)
    s.drain()
    assert fake.recorded == []
    assert s.states() == {"planned": 3}
    assert s.rows("SELECT count(*) FROM batch WHERE open AND due_at > :now", now=str(now)[:26]) == [(1,)]


# ends of a call


ENDS = [
    (Behaviour.ACCEPT, "accepted", None, 1),
    (Behaviour.BLOCKED, "failed", "provider_opt_out", 1),
    (Behaviour.NOBODY, "failed", "unreachable", 1),
    (Behaviour.THROTTLED, "planned", None, 1),
    (Behaviour.RESET, "unknown", None, 1),
    (Behaviour.ERROR_500, "unknown", None, 1),
    (Behaviour.HTML_502, "unknown", None, 1),
    (Behaviour.EMPTY_200, "unknown", None, 1),
    (Behaviour.CREDENTIAL, "planned", None, 1),
]


def test_each_end_of_a_call_has_its_state(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake, 1)
    for number, (behaviour, state, reason, attempts) in enumerate(ENDS):
        s.change("UPDATE account SET state = 'active'")
        s.change("DELETE FROM rate_bucket")
        more = factories.contacts(
            runtime, 1, purpose_id=s.purpose, channel="telegram", account_id=s.account, start=100 + number
        )
        member = {"type": "attribute", "key": "n", "of": "number", "op": "eq", "value": number}
        json = (
            "json_set(attributes, '$.n', :n)"
            if runtime.db.sqlite
            else "jsonb_set(attributes, '{n}', to_jsonb(CAST(:n AS int)))"
        )
        s.change(f"UPDATE contact SET attributes = {json} WHERE id = :id", n=number, id=more[0][0])
        fake.script(behaviour)
        s.launch(rule=member, name=f"C{number}")
        s.drain(3.0)
        address = more[0][1]
        row = s.rows("SELECT state, reason, attempt FROM step WHERE address_id = :a", a=address)
        assert row == [(state, reason, attempts)], behaviour
        s.change("UPDATE step SET state = 'skipped', reason = 'cancelled' WHERE state = 'planned'")
        s.change("UPDATE batch SET open = :no", no=False)


def test_a_block_becomes_a_refusal_of_everything_in_the_ledger(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake, 1)
    s.launch()
    fake.script(Behaviour.BLOCKED)
    s.drain()
    assert s.rows("SELECT action, actor, source FROM consent_event ORDER BY id DESC LIMIT 1") == [
        ("objected", "provider", "provider")
    ]
    s.launch(name="Again")
    assert s.rows("SELECT reason FROM delivery ORDER BY id DESC LIMIT 1") == [("objected",)]
    assert s.verified().problems == []


def test_an_address_where_nobody_is_is_not_tried_again(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake, 1)
    s.launch()
    fake.script(Behaviour.NOBODY)
    s.drain()
    s.launch(name="Again")
    assert s.rows("SELECT reason FROM delivery ORDER BY id DESC LIMIT 1") == [("address_invalid",)]


def test_an_account_whose_credential_is_refused_is_held_and_nothing_is_lost(
    runtime: Runtime, fake: FakeTelegram
) -> None:
    s = scene(runtime, fake, 6, concurrency=1)
    s.launch()
    fake.script(Behaviour.CREDENTIAL)
    s.drain()
    assert s.rows("SELECT state, state_reason FROM account") == [("held", "credential")]
    assert len(fake.recorded) == 1
    assert s.states() == {"planned": 6}
    accounts.set_state(runtime, s.account, "active", actor=factories.ACTOR)
    s.make_due()
    s.drain()
    assert s.states() == {"accepted": 6}
    assert len({one.to for one in fake.accepted}) == len(fake.accepted) == 6
    assert s.verified().problems == []


def test_a_retry_passes_the_gate_again(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake, 1)
    s.launch()
    fake.script(Behaviour.THROTTLED)
    s.drain(1.0)
    assert s.states() == {"planned": 1}
    s.stop(s.people[0][1])
    s.make_due()
    s.drain()
    assert s.steps() == {s.people[0][1]: ("skipped", "objected")}
    assert fake.accepted == []
    assert s.verified().problems == []


def test_the_tries_before_the_last_are_kept_and_proved(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake, 2)
    s.launch()
    fake.script(*[Behaviour.THROTTLED] * 4)
    for _ in range(3):
        s.make_due()
        s.drain(1.0)
    assert s.states() == {"accepted": 2}
    assert s.rows("SELECT count(*) FROM step_attempt") == [(4,)]
    found = s.verified()
    assert found.problems == []
    assert found.sends == 6


def test_a_call_that_did_not_start_in_time_is_gated_again(
    runtime: Runtime, fake: FakeTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a permission that has run out before it is given, nothing may reach the provider."""
    s = scene(runtime, fake, 2)
    s.launch()
    monkeypatch.setattr(dispatch, "GATE_SECONDS", -1.0)
    s.drain(0.5)
    assert fake.recorded == []
    assert s.states() == {"planned": 2}
    assert s.rows("SELECT attempt FROM step") == [(0,), (0,)], "it was no try"
    s.stop(s.people[0][1])
    monkeypatch.undo()
    s.drain()
    assert [state for state, _ in s.steps().values()].count("accepted") == 1
    assert reached(fake) == [str(100_002)]


# workers that die or come back


def take_batch(s: Scene) -> None:
    """Do what a worker does until it has passed the gate, and die there."""
    with s.runtime.db.transaction() as session:
        now = s.runtime.db.now(session)
        batch = batches.lease_batch(session, account_id=s.account, owner="dead", now=now)
        assert batch is not None
        query = text("SELECT id, consent_event_id FROM step WHERE batch_id = :batch")
        found = session.connection().execute(query, {"batch": batch.id}).all()
        passed = [gate_rows.Passed(row[0], row[1], 1, False) for row in found]
        assert gate_rows.mark_dispatching(session, passed, now=now) == {row[0] for row in found}


def test_what_a_dead_worker_had_on_the_wire_is_unknown_and_not_sent_again(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake)
    s.launch()
    take_batch(s)
    assert s.drain(0.2).handled == 0, "its lease still runs"
    s.abandon()
    s.drain()
    assert s.states() == {"unknown": 3}
    assert fake.recorded == []
    assert planning.finish_runs(runtime)


def test_what_another_worker_has_on_the_wire_is_not_given_back(runtime: Runtime) -> None:
    """A worker that could not write for longer than its lease says again that a call had not begun."""
    s = scene(runtime, None, 2)
    s.launch()
    take_batch(s)
    s.change("UPDATE batch SET lease_owner = 'another'")
    calls = s.rows("SELECT id, attempt FROM step WHERE state = 'dispatching'")
    assert calls
    with runtime.db.transaction() as session:
        settling.give_back(session, [(step, attempt) for step, attempt in calls], owner="dead")
    assert s.states() == {"dispatching": len(calls)}
    with runtime.db.transaction() as session:
        settling.give_back(session, [(step, attempt) for step, attempt in calls], owner="another")
    assert s.states() == {"planned": len(calls)}


def test_where_the_provider_honours_our_key_it_is_sent_again(runtime: Runtime) -> None:
    s = scene(runtime, None)
    s.launch()
    take_batch(s)
    s.abandon()
    s.drain()
    assert s.states() == {"accepted": 3}
    assert s.rows("SELECT DISTINCT attempt FROM step") == [(2,)]


def test_a_late_answer_makes_unknown_known_but_never_overwrites_a_later_try(runtime: Runtime) -> None:
    s = scene(runtime, None)
    s.launch()
    take_batch(s)
    s.abandon()
    ids = [row[0] for row in s.rows("SELECT id FROM step ORDER BY id")]
    late = [
        settling.Settled(one, 1, "accepted", None, None, "accepted", None, f"p{one}", b"c" * 32, b"s" * 32)
        for one in ids
    ]
    s.change("UPDATE step SET attempt = 2 WHERE id = :id", id=ids[0])
    s.change("UPDATE step SET state = 'unknown' WHERE id = :id", id=ids[1])
    with runtime.db.transaction() as session:
        news = settling.settle(session, late, entry_id=1, now=runtime.db.now(session))
    assert news == set(ids[1:])
    assert [row[0] for row in s.rows("SELECT state FROM step ORDER BY id")] == ["dispatching", "accepted", "accepted"]


def test_a_leaf_covers_only_what_was_written_under_it(runtime: Runtime, fake: FakeTelegram) -> None:
    """Half of a window comes back after somebody else has settled it: the log must still verify."""
    s = scene(runtime, fake, 2)
    s.launch()
    fake.script(Behaviour.SLOW, Behaviour.SLOW)
    worker = threading.Thread(target=s.drain)
    worker.start()
    until(lambda: len(fake.recorded) == 2)
    first = s.people[0][1]
    s.change("UPDATE step SET state = 'failed', reason = 'lost' WHERE address_id = :id", id=first)
    worker.join()
    assert s.steps() == {first: ("failed", "lost"), s.people[1][1]: ("accepted", None)}
    assert s.verified().problems == []


def test_of_two_workers_in_the_gate_together_one_sends(runtime: Runtime) -> None:
    """The second finds that the step is no longer planned."""
    s = scene(runtime, None, 1)
    s.launch()
    [(step, event)] = s.rows("SELECT id, consent_event_id FROM step")
    passed = [gate_rows.Passed(step, event, 1, False)]
    with runtime.db.transaction() as session:
        assert gate_rows.mark_dispatching(session, passed, now=runtime.db.now(session)) == {step}
    if not runtime.db.sqlite:  # on SQLite the facts are read in the same exclusive transaction
        with runtime.db.transaction() as session:
            assert gate_rows.mark_dispatching(session, passed, now=runtime.db.now(session)) == set()


def test_many_workers_at_once_send_everything_once(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake, 120, concurrency=8)
    s.launch()
    s.change("UPDATE batch SET due_at = due_at")
    workers = [threading.Thread(target=s.drain) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert s.states() == {"accepted": 120}
    assert len({one.to for one in fake.accepted}) == len(fake.accepted) == 120


# one poisoned message, one dead account, a database that goes away


def test_a_batch_that_was_lost_and_leased_again_is_not_sent_twice(
    runtime: Runtime, fake: FakeTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that stalls for longer than its lease may get the same batch again while it still holds its steps."""
    s = scene(runtime, fake, 14, concurrency=4)
    exchange = dispatch._Lane._exchange
    held: list[list[int]] = []

    def stalled(lane: dispatch._Lane, ready: list[Item]) -> None:
        held.append([item.step_id for item in (*ready, *lane._queue)])
        exchange(lane, ready)
        s.abandon()

    monkeypatch.setattr(dispatch._Lane, "_exchange", stalled)
    s.launch()
    s.drain()
    assert sorted(reached(fake)) == sorted(set(reached(fake)))
    assert s.states() == {"accepted": 14}
    assert all(len(set(steps)) == len(steps) for steps in held), "it holds a step twice, once as it was before"


class OneSlot:
    """A line with one slot; each look at it ends what is on the wire and begins the next that waits."""

    def __init__(self) -> None:
        self.begun = 0
        self._waiting: deque[int] = deque()

    def slots(self) -> int:
        return int(not self._waiting)

    def warm(self, connections: int) -> None:
        """There is nothing to open."""

    def prepare(self, outbound: Outbound) -> Outbound:
        return outbound

    def start(self, ref: int, prepared: Outbound, _deadline: float) -> None:
        self.begun += not self._waiting
        self._waiting.append(ref)

    def finished(self, _timeout: float) -> list[Finished]:
        if not self._waiting:
            return []
        done = self._waiting.popleft()
        self.begun += bool(self._waiting)
        return [Finished(done, CallResult(Outcome.ACCEPTED, f"p{done}"))]

    def close(self) -> None:
        """There is nothing to close."""


def test_what_waits_for_a_slot_starts_while_an_exchange_goes_on(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    s, line, meanwhile = scene(runtime, None, 120), OneSlot(), []
    exchange, judged = dispatch._Lane._exchange, dispatch._Lane._gate
    before = 0

    def watched(lane: dispatch._Lane, ready: list[Item]) -> None:
        nonlocal before
        before = line.begun
        exchange(lane, ready)

    def gated(lane: dispatch._Lane, *told: Any) -> list[gate.Flight]:
        meanwhile.append(line.begun - before)
        return judged(lane, *told)

    monkeypatch.setattr(lines, "line", lambda _config, _provider: line)
    monkeypatch.setattr(dispatch._Lane, "_exchange", watched)
    monkeypatch.setattr(dispatch._Lane, "_gate", gated)
    s.launch()
    s.drain()
    assert s.states() == {"accepted": 120}
    assert max(meanwhile) > 0


def test_a_step_passes_the_gate_once_however_often_it_is_shown(runtime: Runtime) -> None:
    s = scene(runtime, None, 1)
    s.launch()
    with runtime.db.transaction() as session:
        now = runtime.db.now(session)
        batch = batches.lease_batch(session, account_id=s.account, owner="me", now=now)
        assert batch is not None
        config = accounts.config(runtime, session, s.account)
        line = registry.get("sandbox").sender(config)
        [item] = Preparer(runtime, config, provider="sandbox", sender=line).load(session, batch, now=now)
        assert item.variant_id == 0
        item.variant_id = s.rows("SELECT min(id) FROM template_variant")[0][0]
        look = gate.pass_through(session, [item, item], owner="me", now=now)
    assert len(look.passed) == 1


def test_a_message_that_cannot_be_opened_does_not_hold_up_those_behind_it(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake)
    s.launch()
    s.change("UPDATE address SET value_ct = :rubbish WHERE id = :id", rubbish=b"\x01rubbish", id=s.people[0][1])
    s.drain()
    assert s.steps()[s.people[0][1]] == ("skipped", "render_failed")
    assert s.states() == {"accepted": 2, "skipped": 1}


def test_a_message_that_ends_every_worker_is_left_out_and_the_others_go(
    runtime: Runtime, fake: FakeTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """As sudden as the end of a process."""

    s = scene(runtime, fake, 30)
    s.launch()
    poisoned, prepare = s.people[7][1], Preparer.prepare

    def deadly(self: Preparer, item: Item) -> Reason | None:
        if item.address_id == poisoned:
            raise Killed
        return prepare(self, item)

    monkeypatch.setattr(Preparer, "prepare", deadly)
    deaths = 0
    for _ in range(10):
        try:
            s.drain()
        except Killed:
            deaths += 1
            s.abandon()
    assert s.steps()[poisoned] == ("skipped", "render_failed")
    assert (deaths, s.states()["skipped"], len(fake.accepted)) == (5, 1, s.states()["accepted"])
    assert s.states()["accepted"] + s.states()["unknown"] == 29


def test_a_message_over_which_workers_died_by_chance_is_not_left_out(
    runtime: Runtime, fake: FakeTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """As sudden as the end of a process."""

    s = scene(runtime, fake, 3)
    s.launch()
    prepare, left = Preparer.prepare, [True] * 4  # two over the batch, two over its first message

    def unlucky(self: Preparer, item: Item) -> Reason | None:
        if left:
            left.pop()
            raise Killed
        return prepare(self, item)

    monkeypatch.setattr(Preparer, "prepare", unlucky)
    for _ in range(4):
        with pytest.raises(Killed):
            s.drain()
        s.abandon()
    s.drain()
    assert s.states() == {"accepted": 3}


def test_a_message_with_a_missing_field_is_skipped_and_says_why(runtime: Runtime, fake: FakeTelegram) -> None:
    s = scene(runtime, fake)
    s.launch(text="Your {{ contact.profession }} offer. Example, STOP to end")
    s.drain()
    assert set(s.steps().values()) == {("skipped", "missing_field")}


def test_an_account_that_cannot_be_opened_does_not_keep_the_others_from_sending(
    runtime: Runtime, fake: FakeTelegram
) -> None:
    """The lower id comes first; its key is gone."""
    s = scene(runtime, fake, 1)
    purpose, brand, good = s.purpose, s.brand, s.account
    other = factories.account(runtime, brand, "sandbox")
    factories.contacts(runtime, 1, purpose_id=purpose, channel="email", start=50)
    lanes = [("telegram", good), ("email", other)]
    factories.campaign(runtime, brand_id=brand, purpose_id=purpose, lanes=lanes)
    [run] = planning.start_due(runtime)
    planning.plan_range(runtime, run)
    s.change("UPDATE account SET secrets_ct = :bad WHERE id = :id", bad=b"x" * 40, id=good)
    loop.Loop(runtime).step()
    assert set(s.rows("SELECT account_id, state FROM step")) == {(good, "planned"), (other, "accepted")}


def test_answers_are_kept_while_the_database_is_away(
    sqlite_url: str, tmp_path: Path, fake: FakeTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody holds the file while answers come in: they are written down afterwards, not lost as unknown."""
    monkeypatch.setattr("broadcaster.storage.database.BUSY_TIMEOUT_MS", 100)
    with factories.installation(sqlite_url, tmp_path) as runtime:
        s = scene(runtime, fake, 5)
        s.launch()
        fake.script(*[Behaviour.SLOW] * 5)
        failed: list[BaseException] = []

        def work() -> None:
            try:
                s.drain()
            except Unavailable as problem:
                failed.append(problem)

        worker = threading.Thread(target=work)
        worker.start()
        until(lambda: len(fake.recorded) == 5)
        with runtime.db.transaction():
            until(lambda: failed or not worker.is_alive() or _waited(worker, 0.8))
        worker.join()
        assert len(failed) == 1, "the slice says that the database did not answer"
        assert s.states() == {"accepted": 5}
        assert s.verified().problems == []


@pytest.mark.timeout(60)
def test_a_slice_that_cannot_write_waits_for_the_answers_still_out(
    runtime: Runtime, fake: FakeTelegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for the last, when most have come in: and then it ends."""
    exchange = dispatch._Lane._exchange

    def failing(lane: dispatch._Lane, ready: list[Item]) -> None:
        if lane._ended:
            raise Unavailable("the database does not answer now")
        exchange(lane, ready)

    monkeypatch.setattr(dispatch._Lane, "_exchange", failing)
    s = scene(runtime, fake, 5)
    s.launch()
    fake.slow_seconds = 1.0
    fake.script(*[Behaviour.ACCEPT] * 4, Behaviour.SLOW)
    with pytest.raises(Unavailable):
        s.drain()
    assert s.states() == {"accepted": 5}


def _waited(worker: threading.Thread, seconds: float) -> bool:
    worker.join(seconds)
    return True
