"""Everything that can happen to two people and their messages, in any order; and the proof that this would be noticed.

Hypothesis chooses: campaigns, slices of sending whose calls end in every way or in the worker's death, refusals while a
call is on the wire, new consents, leases that run out. The provider is in this process; database, gate, barrier and
accounting are the real ones. The mutants at the end take one guard away each: the machine must find every one.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from broadcaster.actions import consent, gate, lines, settling
from broadcaster.actions.runtime import Runtime
from broadcaster.channels.contract import Finished
from broadcaster.core import deliveries as core
from broadcaster.core.consent import Action
from broadcaster.core.deliveries import Outcome
from broadcaster.core.messages import CallResult, Outbound
from broadcaster.fakes.telegram import FakeTelegram
from broadcaster.storage import batches, deliveries
from broadcaster.storage import gate as gate_rows
from broadcaster.storage.database import Database
from tests import factories
from tests.actions.scene import Scene, chats_in_haste, scene

CAMPAIGNS = 3
#: How a call goes: what the provider does with it, and what happens to the worker or the person meanwhile.
ENDS = ("taken", "taken", "refused for now", "no answer, taken", "no answer, not taken", "dies before", "dies after")
HAPPENS = (*ENDS, "objects, then taken", "objects, then no answer, not taken", "both object, then taken")


class Died(BaseException):
    """The worker was killed: nothing of it may tidy up."""


def _in_haste(connection: Any, _record: object) -> None:
    """Wait for no disk: workers die here, the machine does not."""
    connection.execute("PRAGMA synchronous=OFF")


class Wire:
    """A line to a provider that keeps what it was sent."""

    def __init__(self, machine: Lives) -> None:
        self._machine = machine
        self._ended: list[Finished] = []

    def slots(self) -> int:
        return 4 - len(self._ended)

    def warm(self, connections: int) -> None:
        """There is nothing to open."""

    def prepare(self, outbound: Outbound) -> Outbound:
        return outbound

    def start(self, ref: int, prepared: Outbound, _deadline: float) -> None:
        self._ended.append(Finished(ref, self._machine.on_the_wire(ref, prepared)))

    def finished(self, _timeout: float) -> list[Finished]:
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        """There is nothing to close."""


class Lives(RuleBasedStateMachine):
    """Two people who agreed, and what becomes of them."""

    template: Path
    origin: Runtime
    scene: Scene
    number = 0
    now: Lives  #: the one that is being lived

    def __init__(self) -> None:
        super().__init__()
        Lives.number += 1
        Lives.now = self
        path = self.template.parent / f"{Lives.number}.sqlite3"
        shutil.copy(self.template, path)
        self.runtime = Runtime(
            db=Database(f"sqlite:///{path}"),
            keys=self.origin.keys,
            home=self.template.parent,
            public_url=self.origin.public_url,
        )
        event.listen(self.runtime.db.engine, "connect", _in_haste)
        self.path = path
        self.s = Scene(**{**vars(self.scene), "runtime": self.runtime})
        self.runs = 0
        self.script: list[str] = []
        self.wrongs: list[str] = []  #: raised later: an error at the wire is one more thing that dispatch survives
        self.starts: Counter[tuple[int, str]] = Counter()  #: (step, person) that may have reached the provider
        self.has: Counter[tuple[int, str]] = Counter()  #: what the provider took
        self.answered: set[int] = set()  #: addresses whose refusal we have acknowledged
        self.said: set[int] = set()  #: addresses that refused and still wait for the answer

    # -- what happens

    @precondition(lambda self: self.runs < CAMPAIGNS)
    @rule()
    def a_campaign_is_launched(self) -> None:
        self.runs += 1
        self.s.launch()

    @precondition(lambda self: self.runs)
    @rule(script=st.lists(st.sampled_from(HAPPENS), min_size=1, max_size=5))
    def a_worker_sends(self, script: list[str]) -> None:
        self.script = list(script)
        try:
            self.s.drain(seconds=5)
        except Died:
            pass
        self.script = []
        self._answer()
        assert not self.wrongs

    @precondition(lambda self: self.runs)
    @rule(script=st.lists(st.sampled_from(HAPPENS), min_size=1, max_size=3))
    def workers_die_and_others_take_over(self, script: list[str]) -> None:
        """Rare when left to chance: a death, the end of the lease, the next worker."""
        self.a_worker_sends([*script, "dies after"])
        self.time_passes()
        self.a_worker_sends(script)

    @rule()
    def time_passes(self) -> None:
        self.s.abandon()
        self.s.make_due()

    @rule(who=st.integers(0, 1))
    def a_person_refuses(self, who: int) -> None:
        self._refuse(self.s.people[who][1])
        self._answer()

    @rule(who=st.integers(0, 1))
    def a_person_agrees_again(self, who: int) -> None:
        address = self.s.people[who][1]
        self._record(self.s.act(Action.GRANTED, address))
        self.answered.discard(address)
        self.said.discard(address)

    # -- the two sides of the wire

    def on_the_wire(self, step: int, sent: Outbound) -> CallResult:
        """Take a call as the script says; nobody whose refusal was answered may get one."""
        self._answer()
        values = {factories.address_value("telegram", n): a for n, (_, a) in enumerate(self.s.people, 1)}
        address = values[sent.to]
        if address in self.answered:
            self.wrongs.append("a message started after its refusal was answered")
        happens = self.script.pop(0) if self.script else "taken"
        if happens == "dies before" or self.wrongs:
            raise Died
        if "object" in happens:
            for one in [a for _, a in self.s.people] if happens.startswith("both") else [address]:
                self._refuse(one)
        if "for now" in happens:
            return CallResult(Outcome.TRANSIENT)
        self.starts[step, sent.to] += 1
        if self.starts[step, sent.to] > 1:
            self.wrongs.append("a message that may have arrived was sent again")
        if "not taken" not in happens:
            self.has[step, sent.to] += 1
        if happens == "dies after":
            raise Died
        return CallResult(Outcome.UNKNOWN) if "no answer" in happens else CallResult(Outcome.ACCEPTED, f"m{step}")

    def _refuse(self, address: int) -> None:
        self._record(self.s.act(Action.OBJECTED, address))
        self.said.add(address)

    def _record(self, act: Any) -> None:
        with self.runtime.db.transaction("person") as session:
            consent.record_in(self.runtime, session, [act])

    def _answer(self) -> None:
        """Acknowledge each refusal as soon as nothing of that person is in flight, as ``consent.wait_out`` does."""
        for address in sorted(self.said):
            with self.runtime.db.reading() as session:
                if not deliveries.in_flight(session, [address]):
                    self.said.remove(address)
                    self.answered.add(address)

    # -- the books

    def teardown(self) -> None:
        try:
            while self.s.rows("SELECT 1 FROM step WHERE state IN ('planned', 'dispatching')"):
                self.time_passes()
                self.a_worker_sends([])
            self._check_books()
        finally:
            self.runtime.db.close()
            for file in self.path.parent.glob(f"{self.path.name}*"):
                file.unlink()

    def _check_books(self) -> None:
        left_out = self.s.rows("SELECT count(*) FROM delivery WHERE reason IS NOT NULL")[0][0]
        steps = self.s.rows("SELECT id, state, reason FROM step")
        assert left_out + len(steps) == self.runs * len(self.s.people), "somebody is missing"
        taken = Counter(step for step, _ in self.has.elements())
        for step, state, reason in steps:
            assert state in ("accepted", "unknown", "skipped", "failed"), f"a step ends as {state}"
            assert state in ("accepted", "unknown") or reason, "a step ends without a reason"
            if state == "accepted":
                assert taken[step] == 1, "we say sent, and the provider has nothing"
            if taken[step]:
                assert state in ("accepted", "unknown"), f"the provider has what we call {state}"
        assert self.s.verified().ok


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Make the two people once; each life begins with a copy of them."""
    home = tmp_path_factory.mktemp("lives")
    path = home / "template.sqlite3"
    with factories.installation(f"sqlite:///{path}", home) as runtime, FakeTelegram() as address_only:
        Lives.origin, Lives.template = runtime, path
        Lives.scene = scene(runtime, address_only, 2)
        assert runtime.db.scrub(), "a copy of the file must hold everything"
        yield


@pytest.fixture(autouse=True)
def wire(monkeypatch: pytest.MonkeyPatch, people: None) -> None:
    monkeypatch.setattr(lines, "line", lambda _config, _provider: Wire(Lives.now))
    chats_in_haste(monkeypatch)


def live(examples: int, *phases: Phase) -> None:
    rules = settings(
        max_examples=examples,
        stateful_step_count=20,
        deadline=None,
        database=None,
        phases=phases or tuple(Phase),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Lives, settings=rules)


def test_whatever_happens_no_refusal_is_broken_nobody_gets_it_twice_and_nobody_is_lost() -> None:
    live(40)


def no_look(patch: pytest.MonkeyPatch) -> None:
    """Two guards that hide each other: the gate's question, and closing what is planned when somebody refuses."""
    patch.setattr(gate, "_refusal", lambda _fact, _now: None)
    patch.setattr(deliveries, "skip_open", lambda *_, **__: 0)


def no_barrier(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(deliveries, "in_flight", lambda *_: 0)


def no_write_ahead(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gate_rows, "mark_dispatching", lambda _session, passed, **_: {one.step_id for one in passed})


def doubt_is_tried_again(patch: pytest.MonkeyPatch) -> None:
    judge = core.settle

    def settle(outcome: Outcome, **told: Any) -> Any:
        return judge(Outcome.TRANSIENT if outcome is Outcome.UNKNOWN else outcome, **told)

    patch.setattr(core, "settle", settle)


def doubt_is_success(patch: pytest.MonkeyPatch) -> None:
    judge = core.settle

    def settle(outcome: Outcome, **told: Any) -> Any:
        return judge(Outcome.ACCEPTED if outcome is Outcome.UNKNOWN else outcome, **told)

    patch.setattr(core, "settle", settle)


def the_dead_sent_nothing(patch: pytest.MonkeyPatch) -> None:
    as_it_is = batches.settle_abandoned
    patch.setattr(batches, "settle_abandoned", lambda *told, **named: as_it_is(*told, **{**named, "keyed": True}))


def a_retry_forgets_its_refusal(patch: pytest.MonkeyPatch) -> None:
    """Consent is looked up once per worker and person, as products do that read it while planning."""
    seen: dict[int, Any] = {}
    as_it_is = gate._refusal

    def remembered(fact: gate_rows.GateFacts, now: datetime) -> Any:
        return seen.setdefault(fact.address_id, as_it_is(fact, now))

    patch.setattr(gate, "_refusal", remembered)
    patch.setattr(deliveries, "skip_open", lambda *_, **__: 0)


def no_leaf(patch: pytest.MonkeyPatch) -> None:
    def settled_in_silence(session: Session, *_: Any, **__: Any) -> None:
        session.info["traced"] = True

    patch.setattr(settling, "log", SimpleNamespace(record=settled_in_silence))


MUTANTS = [
    no_look,
    no_barrier,
    no_write_ahead,
    doubt_is_tried_again,
    doubt_is_success,
    the_dead_sent_nothing,
    a_retry_forgets_its_refusal,
    no_leaf,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.__name__)
def test_a_promise_taken_out_is_missed(mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: Any) -> None:
    """The judge is judged: with one guard gone the machine must find somebody wronged."""
    mutant(monkeypatch)
    with pytest.raises((AssertionError, IntegrityError)):  # the tables themselves refuse a hand-over without a yes
        live(300, Phase.generate)
