"""The checker is checked: a provider that got more than the account's rate is told of, one that got it is not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.proof import checker


def trial(rate: float | None, times: list[float]) -> Any:
    return SimpleNamespace(
        rows=lambda _query, **_values: [(rate,)],
        scene=SimpleNamespace(account=1),
        provider=SimpleNamespace(sent=[SimpleNamespace(at=at) for at in times]),
        figures={},
    )


@pytest.mark.parametrize("rate,apart,broken", [(10.0, 0.1, 0), (10.0, 0.08, 1), (None, 0.001, 0)])
def test_more_than_the_rate_is_told(rate: float | None, apart: float, broken: int) -> None:
    t = trial(rate, [5.0 + n * apart for n in range(600)])
    assert len(list(checker._rate(t))) == broken
    assert t.figures["fullest_per_s"] > 0


def test_a_burst_after_idle_seconds_and_the_gates_half_second_are_no_fault() -> None:
    assert list(checker._rate(trial(10.0, [0.0] * 15 + [0.1 * n for n in range(100)]))) == []
