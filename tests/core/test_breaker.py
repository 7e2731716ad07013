"""When an account that fails is left alone."""

from __future__ import annotations

import pytest

from broadcaster.core.breaker import FAILURES, Breaker
from broadcaster.core.deliveries import Outcome

FAILED = (Outcome.TRANSIENT, Outcome.UNKNOWN)


@pytest.mark.parametrize("outcome", FAILED)
def test_it_opens_with_so_many_failures_in_a_row_over_any_number_of_windows(outcome: Outcome) -> None:
    breaker = Breaker()
    for _ in range(FAILURES - 1):
        breaker = breaker.after([outcome])
        assert not breaker.trying
    assert breaker.after([outcome]).trying


@pytest.mark.parametrize("answer", sorted(set(Outcome) - {*FAILED, Outcome.NOT_STARTED}))
def test_any_answer_closes_it_whatever_it_says_of_the_recipient(answer: Outcome) -> None:
    assert Breaker(FAILURES - 1, 0).after([answer, Outcome.UNKNOWN]) == Breaker(1, 0)
    assert Breaker(0, 3).after([answer]) == Breaker()


def test_a_call_that_never_began_says_nothing() -> None:
    assert Breaker(4, 2).after([Outcome.NOT_STARTED]) == Breaker(0, 3)
    assert Breaker(4, 0).after([Outcome.NOT_STARTED]) == Breaker(4, 0)


def test_a_window_of_failures_opens_it_once() -> None:
    assert Breaker().after([Outcome.UNKNOWN] * 100) == Breaker(0, 1)


def test_each_failed_trial_doubles_the_pause_up_to_a_quarter_of_an_hour() -> None:
    breaker, pauses = Breaker().after([Outcome.UNKNOWN] * FAILURES), []
    for _ in range(7):
        pauses.append(breaker.pause_seconds)
        breaker = breaker.after([Outcome.TRANSIENT])
    assert pauses == [30, 60, 120, 240, 480, 900, 900]
