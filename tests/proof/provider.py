"""The provider of the proofs: remembers every request of a campaign, and can tell of each while it is under way."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass

from broadcaster.fakes.server import Behaviour, Request
from broadcaster.fakes.twilio import FakeTwilio

#: Our reference in the address of the receipts: a step and its attempt. Replies to people have another.
_REFERENCE = re.compile(rb"ref%3Ds([0-9]+)\.([0-9]+)")


@dataclass(frozen=True, slots=True)
class Sent:
    """One request of a campaign; ``at`` is the boottime clock at its first byte."""

    at: float
    to: str
    step: int
    attempt: int
    accepted: bool
    provider_id: str


class Provider(FakeTwilio):
    """Every message takes a moment, so that there is always something on the wire."""

    def __init__(self, *, pause: float = 0.05) -> None:
        super().__init__(slow_seconds=pause)
        self.sent: list[Sent] = []
        self.seen: Callable[[Sent], None] = lambda _sent: None  #: called before the answer; must not block

    def behaviour_of(self, magic: Behaviour | None) -> Behaviour:
        found = super().behaviour_of(magic)
        return Behaviour.SLOW if found is Behaviour.ACCEPT else found

    def record(self, request: Request, to: str, *, accepted: bool, provider_id: str = "") -> None:
        """Remember a request of a campaign and tell of it."""
        if found := _REFERENCE.search(request.body):
            step, attempt = map(int, found.groups())
            self.sent.append(Sent(request.at, to, step, attempt, accepted, provider_id))
            self.seen(self.sent[-1])

    def repeat_id(self) -> None:
        """Give the next two messages one and the same id."""
        number = next(self._numbers)
        self._numbers = itertools.chain([number, number], self._numbers)  # type: ignore[assignment]
