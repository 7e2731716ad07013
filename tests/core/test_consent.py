"""Consent as a fold over facts: whatever order they come in, doubt means no and only the person says yes again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadcaster.core.consent import (
    GRANTS,
    OUR_CLOCK,
    RECONSENT_SOURCES,
    REFUSALS,
    SKEW,
    Action,
    Actor,
    Basis,
    ConsentEvent,
    Source,
    Standing,
    State,
    effective_time,
    fold,
    ineffective,
    refusal,
)
from broadcaster.core.deliveries import Reason

T = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ALL, MARKETING, OFFERS, NEWS = 1, 2, 5, 6
PATHS = {ALL: (ALL,), MARKETING: (ALL, MARKETING), OFFERS: (ALL, MARKETING, OFFERS), NEWS: (ALL, MARKETING, NEWS)}
PHONE = "account:1"
_ids = itertools.count(1)


def event(action: Action, minutes: float = 0, **changes: Any) -> ConsentEvent:
    """Something the person did on *minutes* after T, told to us at once by the clock of an account."""
    at = T + timedelta(minutes=minutes)
    number = next(_ids)
    made = ConsentEvent(number, f"k{number}", action, OFFERS, at, at, PHONE, Actor.PERSON, Source.KEYWORD)
    return replace(made, **changes)


def standing(*events: ConsentEvent, purpose: int = OFFERS) -> Standing | None:
    state = fold(events, paths=PATHS).get(purpose)
    return None if state is None else state.standing


def essence(states: dict[int, State]) -> dict[int, tuple[Any, ...]]:
    return {purpose: (s.standing, s.event_id, s.since, s.basis, s.expires_at) for purpose, s in states.items()}


# what one act comes to


def test_nothing_known_is_no_state() -> None:
    assert fold([], paths=PATHS) == {}


@pytest.mark.parametrize(
    "action,expected",
    [
        (Action.REQUESTED, Standing.PENDING),
        (Action.GRANTED, Standing.GRANTED),
        (Action.CONFIRMED, Standing.GRANTED),
        (Action.WITHDRAWN, Standing.WITHDRAWN),
        (Action.OBJECTED, Standing.OBJECTED),
        (Action.EXPIRED, Standing.EXPIRED),
        (Action.RESTRICTED, Standing.RESTRICTED),
        (Action.RELEASED, None),
    ],
)
def test_one_act_has_one_meaning(action: Action, expected: Standing | None) -> None:
    assert standing(event(action)) is expected


def test_a_double_opt_in_opens_only_with_its_confirmation() -> None:
    asked, yes = event(Action.REQUESTED), event(Action.CONFIRMED, 1)
    assert standing(asked) is Standing.PENDING
    assert standing(asked, yes) is Standing.GRANTED


def test_asking_again_does_not_close_what_is_open() -> None:
    assert standing(event(Action.GRANTED), event(Action.REQUESTED, 1)) is Standing.GRANTED


def test_asking_does_not_soften_a_refusal() -> None:
    assert standing(event(Action.WITHDRAWN), event(Action.REQUESTED, 1)) is Standing.WITHDRAWN


def test_the_state_names_the_event_that_decided_it() -> None:
    yes = event(Action.GRANTED, expires_at=T + timedelta(days=9), basis=Basis.SOFT_OPT_IN)
    state = fold([yes], paths=PATHS)[OFFERS]
    assert (state.event_id, state.since, state.basis, state.expires_at) == (yes.id, T, yes.basis, yes.expires_at)


# a refusal stays


@pytest.mark.parametrize("stop", sorted(REFUSALS))
@pytest.mark.parametrize("actor,source", [(a, s) for a in Actor for s in Source])
def test_only_the_person_by_their_own_way_says_yes_again(stop: Action, actor: Actor, source: Source) -> None:
    """Import, API, shop, call, paper, staff, system and provider never lift a refusal, however late they come."""
    again = event(Action.GRANTED, 60 * 24 * 365, actor=actor, source=source)
    own = actor is Actor.PERSON and source in RECONSENT_SOURCES
    assert (standing(event(stop), again) is Standing.GRANTED) is own


def test_what_never_lifts_is_what_a_machine_or_a_colleague_says() -> None:
    """Adding a source here is a decision about people, not about code."""
    assert {Source.IMPORT, Source.API, Source.CALL, Source.SHOP, Source.PAPER, Source.SYSTEM}.isdisjoint(
        RECONSENT_SOURCES
    )


def test_every_refusal_must_be_lifted_not_only_the_last() -> None:
    """A yes that is surely later than one stop but not than another opens nothing."""
    by_mail = event(Action.WITHDRAWN, -10, clock="account:2")
    by_phone = event(Action.OBJECTED, 0)
    yes = event(Action.GRANTED, 1, clock="account:2")
    assert standing(by_mail, by_phone, yes) is Standing.OBJECTED


def test_a_lifted_refusal_does_not_come_back_with_a_later_import() -> None:
    told = [event(Action.OBJECTED), event(Action.GRANTED, 10), event(Action.GRANTED, 20, source=Source.IMPORT)]
    assert standing(*told) is Standing.GRANTED


def test_a_confirmation_after_a_stop_reopens() -> None:
    told = [event(Action.OBJECTED), event(Action.REQUESTED, 5), event(Action.CONFIRMED, 6, source=Source.WEB_FORM)]
    assert standing(*told) is Standing.GRANTED


# START and STOP within a second (T-C7)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_stop_start_stop_within_a_second_is_closed_in_every_order_of_arrival(order: tuple[int, ...]) -> None:
    told = [event(Action.OBJECTED), event(Action.GRANTED), event(Action.OBJECTED)]
    assert standing(event(Action.GRANTED, -60), *(told[n] for n in order)) is Standing.OBJECTED


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_start_later_on_the_same_clock_opens_in_every_order_of_arrival(order: tuple[int, ...]) -> None:
    told = [event(Action.OBJECTED), event(Action.OBJECTED), event(Action.GRANTED, 1 / 60)]
    assert standing(*(told[n] for n in order)) is Standing.GRANTED


@pytest.mark.parametrize("apart,opens", [(SKEW, False), (SKEW + timedelta(seconds=1), True)])
def test_two_clocks_must_be_further_apart_than_their_skew(apart: timedelta, opens: bool) -> None:
    yes = event(Action.GRANTED, clock="account:2", occurred_at=T + apart, received_at=T + apart)
    assert (standing(event(Action.OBJECTED), yes) is Standing.GRANTED) is opens


def test_our_own_clock_after_we_had_the_stop_is_certain() -> None:
    """The page is submitted seconds after we received the stop: no skew can turn that round."""
    stop = event(Action.OBJECTED, received_at=T + timedelta(seconds=30))
    yes = event(Action.GRANTED, 1, clock=OUR_CLOCK, source=Source.WEB_FORM)
    assert standing(stop, yes) is Standing.GRANTED


def test_our_own_clock_before_we_had_the_stop_is_in_doubt() -> None:
    stop = event(Action.OBJECTED, received_at=T + timedelta(seconds=90))
    yes = event(Action.GRANTED, 1, clock=OUR_CLOCK, source=Source.WEB_FORM)
    assert standing(stop, yes) is Standing.OBJECTED


@given(st.integers(-10_000, 10_000))
def test_a_claimed_time_never_lies_in_the_future_of_its_receipt(seconds: int) -> None:
    claimed = T + timedelta(seconds=seconds)
    assert effective_time(claimed, T) == min(claimed, T)
    assert effective_time(None, T) == T


# expiry


def test_an_expiry_closes_and_fresh_evidence_opens() -> None:
    gone = event(Action.EXPIRED, 10, actor=Actor.SYSTEM, source=Source.SYSTEM)
    assert standing(event(Action.GRANTED), gone) is Standing.EXPIRED
    fresh = event(Action.GRANTED, 20, source=Source.IMPORT, actor=Actor.STAFF)
    assert standing(event(Action.GRANTED), gone, fresh) is Standing.GRANTED


def test_an_older_yes_told_late_does_not_outlive_an_expiry() -> None:
    gone = event(Action.EXPIRED, 10, clock=OUR_CLOCK)
    assert standing(gone, event(Action.GRANTED, 11)) is Standing.EXPIRED


def test_a_question_in_between_does_not_make_an_expiry_forgotten() -> None:
    gone = event(Action.EXPIRED, 10, clock=OUR_CLOCK)
    told = [gone, event(Action.REQUESTED, 10.5), event(Action.GRANTED, 11)]
    assert standing(*told) in (Standing.EXPIRED, Standing.PENDING)


def test_an_expiry_counts_although_a_refusal_stood_at_the_time() -> None:
    """The number changed hands after the stop: a yes that may be the former holder's lifts the stop, not the expiry."""
    stop = event(Action.OBJECTED)
    gone = event(Action.EXPIRED, 10, clock=OUR_CLOCK, actor=Actor.SYSTEM)
    assert standing(stop, gone, event(Action.GRANTED, 11)) is not Standing.GRANTED


def test_a_refusal_is_still_called_a_refusal_after_an_expiry() -> None:
    assert standing(event(Action.OBJECTED), event(Action.EXPIRED, 10)) is Standing.OBJECTED


# restriction and release


def test_a_restriction_hides_a_yes_until_it_is_released() -> None:
    yes, frozen = event(Action.GRANTED), event(Action.RESTRICTED, 10)
    assert standing(yes, frozen) is Standing.RESTRICTED
    assert standing(yes, frozen, event(Action.RELEASED, 20, actor=Actor.STAFF)) is Standing.GRANTED


def test_a_release_does_not_lift_a_refusal() -> None:
    told = [event(Action.OBJECTED), event(Action.RESTRICTED, 10), event(Action.RELEASED, 20, actor=Actor.STAFF)]
    assert standing(*told) is Standing.OBJECTED


def test_a_release_before_the_restriction_releases_nothing() -> None:
    told = [event(Action.GRANTED), event(Action.RELEASED, 10), event(Action.RESTRICTED, 10)]
    assert standing(*told) is Standing.RESTRICTED


@pytest.mark.parametrize(
    "actor,minutes,expected",
    [
        (Actor.PERSON, 20, Standing.GRANTED),
        (Actor.SYSTEM, 20, Standing.RESTRICTED),
        (Actor.SYSTEM, 60, Standing.GRANTED),
        (Actor.STAFF, 60, Standing.RESTRICTED),
    ],
)
def test_a_pause_is_ended_by_the_person_or_by_its_day(actor: Actor, minutes: float, expected: Standing) -> None:
    pause = event(Action.RESTRICTED, 10, expires_at=T + timedelta(minutes=60))
    assert standing(event(Action.GRANTED), pause, event(Action.RELEASED, minutes, actor=actor)) is expected


_told = st.tuples(
    st.sampled_from([Action.GRANTED, Action.CONFIRMED, Action.WITHDRAWN, Action.OBJECTED, Action.EXPIRED]),
    st.sampled_from([OFFERS, OFFERS, MARKETING]),
)
_pause = st.tuples(st.just(Action.RESTRICTED), st.sampled_from([OFFERS, MARKETING]))


@settings(max_examples=300)
@given(acts=st.lists(st.tuples(_told | _pause, st.integers(0, 500), st.integers(1, 400)), min_size=1, max_size=8))
def test_the_yes_beneath_a_pause_is_what_stands_once_it_is_released(
    acts: list[tuple[tuple[Action, int], int, int]],
) -> None:
    told = [
        event(
            action,
            minutes,
            purpose_id=OFFERS if action in GRANTS else purpose,
            expires_at=T + timedelta(minutes=minutes + lasts) if action is Action.RESTRICTED else None,
            clock=OUR_CLOCK,
            source=Source.PREFERENCE_PAGE,
        )
        for (action, purpose), minutes, lasts in acts
    ]
    over = event(Action.RELEASED, 1000, purpose_id=MARKETING, actor=Actor.SYSTEM, clock=OUR_CLOCK)
    released = fold([*told, over], paths=PATHS).get(OFFERS)
    paused = fold(told, paths=PATHS).get(OFFERS)
    if paused is not None and paused.standing is Standing.RESTRICTED:
        yes = released is not None and released.standing is Standing.GRANTED
        assert paused.beneath_id == (released.event_id if released is not None and yes else None)
        ends = [one.expires_at for one in told if one.action is Action.RESTRICTED and one.expires_at is not None]
        assert paused.expires_at == max(ends), "it is over when the last of them is"
    elif paused is not None:
        assert paused.beneath_id is None


def test_a_hold_of_ours_beside_a_pause_has_no_end() -> None:
    hold = event(Action.RESTRICTED, 10, actor=Actor.STAFF, source=Source.CALL)
    pause = event(Action.RESTRICTED, 20, expires_at=T + timedelta(minutes=60))
    state = fold([event(Action.GRANTED), hold, pause], paths=PATHS)[OFFERS]
    assert (state.event_id, state.expires_at, state.beneath_id) == (hold.id, None, None)


@pytest.mark.parametrize("actor", [Actor.PERSON, Actor.SYSTEM])
def test_a_hold_of_ours_is_not_ended_by_the_person_or_the_clock(actor: Actor) -> None:
    told = [event(Action.GRANTED), event(Action.RESTRICTED, 10), event(Action.RELEASED, 20, actor=actor)]
    assert standing(*told) is Standing.RESTRICTED


def test_an_imported_yes_does_not_end_a_restriction() -> None:
    told = [event(Action.RESTRICTED), event(Action.GRANTED, 10, actor=Actor.STAFF, source=Source.IMPORT)]
    assert standing(*told) is Standing.RESTRICTED


def test_a_clear_yes_ends_the_review_of_an_unclear_message() -> None:
    told = [event(Action.GRANTED), event(Action.RESTRICTED, 10), event(Action.GRANTED, 20)]
    assert standing(*told) is Standing.GRANTED


def test_a_persons_yes_does_not_end_a_legal_hold() -> None:
    hold = event(Action.RESTRICTED, 10, actor=Actor.STAFF, source=Source.CALL)
    assert standing(event(Action.GRANTED), hold, event(Action.GRANTED, 20)) is Standing.RESTRICTED


def test_an_unclear_message_during_a_legal_hold_does_not_let_a_yes_end_the_hold() -> None:
    hold = event(Action.RESTRICTED, 10, actor=Actor.STAFF, source=Source.CALL)
    unclear = event(Action.RESTRICTED, 15)
    assert standing(event(Action.GRANTED), hold, unclear, event(Action.GRANTED, 20)) is Standing.RESTRICTED


# the tree


def test_a_refusal_at_an_inner_node_binds_every_leaf_below() -> None:
    yes = event(Action.GRANTED)
    assert standing(yes, event(Action.OBJECTED, 10, purpose_id=MARKETING)) is Standing.OBJECTED
    assert standing(yes, event(Action.OBJECTED, 10, purpose_id=ALL)) is Standing.OBJECTED


def test_a_refusal_of_one_leaf_leaves_its_sister_open() -> None:
    told = [event(Action.GRANTED), event(Action.GRANTED, purpose_id=NEWS), event(Action.WITHDRAWN, 10)]
    assert standing(*told) is Standing.WITHDRAWN
    assert standing(*told, purpose=NEWS) is Standing.GRANTED


def test_a_yes_to_a_leaf_after_a_stop_reopens_that_leaf_only() -> None:
    told = [
        event(Action.GRANTED),
        event(Action.GRANTED, purpose_id=NEWS),
        event(Action.OBJECTED, 10, purpose_id=MARKETING),
        event(Action.GRANTED, 20),
    ]
    assert standing(*told) is Standing.GRANTED
    assert standing(*told, purpose=NEWS) is Standing.OBJECTED
    assert standing(*told, purpose=MARKETING) is Standing.OBJECTED


@pytest.mark.parametrize("action", sorted(GRANTS))
def test_a_leaf_is_never_opened_by_a_yes_to_its_parent(action: Action) -> None:
    """Also not a leaf that is added later: the parent's yes named other words."""
    told = [event(action, purpose_id=MARKETING)]
    assert standing(*told) is None
    assert why(None, wider=standing(*told, purpose=MARKETING)) is Reason.NO_CONSENT


def test_a_refusal_at_an_inner_node_binds_a_leaf_added_later() -> None:
    stop = event(Action.OBJECTED, purpose_id=MARKETING)
    states = fold([stop], paths={**PATHS, 99: (ALL, MARKETING, 99)})
    assert 99 not in states
    assert why(None, wider=states[MARKETING].standing) is Reason.OBJECTED


# histories (T-C2)

clocks = st.sampled_from([OUR_CLOCK, PHONE, "account:2"])


@st.composite
def histories(draw: st.DrawFn) -> list[ConsentEvent]:
    told = []
    for number in range(draw(st.integers(1, 9))):
        at = T + timedelta(seconds=draw(st.sampled_from([0, 1, 30, 299, 300, 301, 900, 5000])))
        lag = timedelta(seconds=draw(st.sampled_from([0, 1, 299, 600, 86400])))
        told.append(
            ConsentEvent(
                id=number + 1,
                key=f"k{number}",
                action=draw(st.sampled_from(Action)),
                purpose_id=draw(st.sampled_from([ALL, MARKETING, OFFERS, OFFERS, OFFERS, NEWS])),
                occurred_at=at,
                received_at=at + lag,
                clock=draw(clocks),
                actor=draw(st.sampled_from(Actor)),
                source=draw(st.sampled_from(Source)),
            )
        )
    return told


@settings(max_examples=250, deadline=None)
@given(histories(), st.randoms(use_true_random=False), st.data())
def test_the_state_depends_on_what_happened_not_on_how_often_or_in_which_order_it_was_told(
    told: list[ConsentEvent], shuffler: Any, data: st.DataObject
) -> None:
    expected = essence(fold(told, paths=PATHS))
    again = [*told, *data.draw(st.lists(st.sampled_from(told), max_size=5))]
    for _ in range(5):
        shuffler.shuffle(again)
        assert essence(fold(again, paths=PATHS)) == expected


@settings(max_examples=250, deadline=None)
@given(histories())
def test_after_a_refusal_nothing_is_open_without_a_later_own_act(told: list[ConsentEvent]) -> None:
    for purpose, state in fold(told, paths=PATHS).items():
        if state.standing is not Standing.GRANTED:
            continue
        for stop in (e for e in told if e.action in REFUSALS and e.purpose_id in PATHS[purpose]):
            own = [
                e
                for e in told
                if e.action in GRANTS and e.purpose_id == purpose and e.actor is Actor.PERSON
                if e.source in RECONSENT_SOURCES and e.occurred_at > stop.occurred_at
            ]
            assert own, "open after a stop, and the person never said yes again"


@settings(max_examples=250, deadline=None)
@given(histories(), clocks, st.integers(-300, 300))
def test_clocks_that_differ_by_less_than_the_skew_never_open_what_the_person_closed_last(
    told: list[ConsentEvent], clock: str, error: int
) -> None:
    """The stop is the person's last act of all; the clock that dates it may be wrong by up to the skew."""
    last = max(e.received_at for e in told)
    stop = ConsentEvent(
        id=99,
        key="stop",
        action=Action.OBJECTED,
        purpose_id=MARKETING,
        occurred_at=effective_time(last + timedelta(seconds=1 + error), last + timedelta(seconds=302)),
        received_at=last + timedelta(seconds=302),
        clock=clock,
        actor=Actor.PERSON,
        source=Source.KEYWORD,
    )
    if any(e.clock == clock and e.occurred_at >= stop.occurred_at for e in told):
        return  # one clock does not run backwards
    states = fold([*told, stop], paths=PATHS)
    assert all(s.standing is not Standing.GRANTED for p, s in states.items() if MARKETING in PATHS[p])


@settings(max_examples=200, deadline=None)
@given(histories(), st.sampled_from([a for a in Actor if a is not Actor.PERSON]), st.sampled_from(Source))
def test_nobody_else_opens_what_a_person_has_closed(told: list[ConsentEvent], actor: Actor, source: Source) -> None:
    before = fold(told, paths=PATHS).get(OFFERS)
    late = event(Action.GRANTED, 60 * 24 * 30, actor=actor, source=source)
    after = fold([*told, late], paths=PATHS)[OFFERS]
    if before is not None and before.standing in (Standing.WITHDRAWN, Standing.OBJECTED, Standing.RESTRICTED):
        assert after.standing is before.standing


@settings(max_examples=200, deadline=None)
@given(histories())
def test_a_grant_is_ineffective_exactly_if_it_leaves_the_purpose_closed(told: list[ConsentEvent]) -> None:
    for late in told:
        rest = [e for e in told if e is not late]
        state = fold(told, paths=PATHS).get(late.purpose_id)
        closed = state is None or state.standing is not Standing.GRANTED
        assert ineffective(late, rest, paths=PATHS) is (late.action in GRANTS and closed)


# the gate's words


def why(known: str | None, *, wider: str | None = None, **changes: Any) -> Reason | None:
    facts: dict[str, Any] = {"expires_at": None, "address_status": "ok", "suppressed": False, "now": T}
    return refusal(known, wider=wider, **{**facts, **changes})


def test_unknown_is_no() -> None:
    assert why(None) is Reason.NO_CONSENT


@pytest.mark.parametrize("known", [None, *Standing])
@pytest.mark.parametrize("wider", [None, *Standing])
def test_only_a_yes_to_this_very_purpose_lets_a_message_through(known: str | None, wider: str | None) -> None:
    assert (why(known, wider=wider) is None) is (known == Standing.GRANTED)


def test_a_consent_ends_at_its_instant() -> None:
    assert why("granted", expires_at=T) is Reason.EXPIRED
    assert why("granted", expires_at=T + timedelta(microseconds=1)) is None


def _ranked() -> Sequence[tuple[dict[str, Any], Reason]]:
    return [
        ({"address_status": "erased", "suppressed": True}, Reason.ERASED),
        ({"suppressed": True}, Reason.SUPPRESSED),
        ({"address_status": "invalid"}, Reason.ADDRESS_INVALID),
    ]


@pytest.mark.parametrize("facts,expected", _ranked())
def test_the_strongest_reason_is_the_one_given(facts: dict[str, Any], expected: Reason) -> None:
    assert why("granted", **facts) is expected
