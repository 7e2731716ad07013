"""How many calls a lane lets through the gate: never more than it can start, fewer once some came too late."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from broadcaster.core.flow import Flow

PAUSE = 0.05


def steady(flow: Flow, slots: int, *, pace: int, waits: int = 40) -> None:
    """Let *pace* calls end in each second, all accepted, for some waits of a tenth of a second."""
    for n in range(waits):
        flow.room(0, flying=slots)
        for _ in range(pace // 10):
            flow.ended(accepted=True)
        flow.waited(pace // 10, begun=n / 10, now=(n + 1) / 10, pause=PAUSE)


def test_at_first_no_more_pass_than_there_are_slots() -> None:
    assert Flow(10, now=0.0).room(10, flying=0) == 10
    assert Flow(10, now=0.0).room(4, flying=6) == 4


def test_once_the_pace_is_known_as_many_wait_as_will_soon_start() -> None:
    flow = Flow(10, now=0.0)
    steady(flow, 10, pace=200)
    assert flow.room(10, flying=0) == 10 + 29  # 0.15 s of 200 a second, as far as 40 waits have told


def test_one_that_is_not_accepted_takes_back_what_few_slots_were_given_beyond_their_number() -> None:
    flow = Flow(10, now=0.0)
    steady(flow, 10, pace=200)
    flow.ended(accepted=False)
    assert flow.room(10, flying=0) == 10 + 10


def test_calls_that_come_too_late_halve_what_may_be_open_and_it_grows_back() -> None:
    flow = Flow(100, now=0.0)
    steady(flow, 100, pace=5000)
    before = flow.room(100, flying=0)
    for _ in range(3):
        flow.gated(too_late=True)
    cut = flow.room(100, flying=0)
    assert cut < before / 2
    for _ in range(100):
        flow.gated(too_late=False)
    assert flow.room(100, flying=0) == before


def test_a_lane_never_closes_for_good() -> None:
    flow = Flow(1, now=0.0)
    for _ in range(50):
        flow.gated(too_late=True)
    assert flow.room(1, flying=0) == 1


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300), st.booleans(), st.integers(0, 500)), max_size=60))
def test_room_is_never_negative_and_bounded_by_the_slots(told: list[tuple[int, int, bool, int]]) -> None:
    flow = Flow(8, now=0.0)
    for n, (free, flying, late, ended) in enumerate(told):
        room = flow.room(free, flying=flying)
        capacity = free + flying if free else None
        assert room >= 0
        assert capacity is None or room + flying <= max(capacity + max(capacity, 64), flying)
        flow.gated(too_late=late)
        flow.waited(ended, begun=float(n), now=n + 0.1, pause=PAUSE)


def test_a_part_of_what_waits_is_left_for_the_slots_that_come_free_during_an_exchange() -> None:
    flow = Flow(256, now=0.0)
    steady(flow, 256, pace=1280)
    ahead = flow.room(256, flying=0) - 256
    assert ahead == 191
    assert flow.overfull(256 + ahead // 4 + 1)
    assert not flow.overfull(256 + ahead // 4)
