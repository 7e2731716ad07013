"""When an account that fails is left alone for a while: opened by failures in a row, tried again with a few calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from broadcaster.core.deliveries import Outcome

#: So many calls in a row that came to nothing open the breaker.
FAILURES = 10
#: So many calls at a time try an account again; one that is answered closes the breaker, one that fails opens it.
TRIAL_CALLS = 3
_FIRST_SECONDS = 30.0
_MOST_SECONDS = 900.0
#: Nobody answered, or nothing of use. Any other outcome is an answer, whatever it says of the recipient.
_TROUBLE = frozenset({Outcome.TRANSIENT, Outcome.UNKNOWN})


@dataclass(frozen=True, slots=True)
class Breaker:
    """Failures in a row, and how often the breaker opened since the last answer."""

    failures: int = 0
    openings: int = 0

    @property
    def trying(self) -> bool:
        """Say whether the account has been left alone and not answered since."""
        return self.openings > 0

    def after(self, outcomes: Iterable[Outcome]) -> Breaker:
        """Return the breaker after calls that ended so, in this order; one more opening stands for all of them."""
        failures, openings = self.failures, self.openings
        for outcome in outcomes:
            if outcome is Outcome.NOT_STARTED:
                continue
            failures, openings = (failures + 1, openings) if outcome in _TROUBLE else (0, 0)
        if failures >= FAILURES or (failures and openings):
            return Breaker(0, openings + 1)
        return Breaker(failures, openings)

    @property
    def pause_seconds(self) -> float:
        """Return how long the account is left alone after this opening: 30 s, doubled each time, at most 15 min."""
        return min(_FIRST_SECONDS * 2.0 ** min(self.openings - 1, 10), _MOST_SECONDS)


def troubled(outcomes: Iterable[Outcome]) -> bool:
    """Say whether any of these is a failure of the account rather than an answer."""
    return any(outcome in _TROUBLE for outcome in outcomes)
