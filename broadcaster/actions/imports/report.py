"""What an import did or would do, in numbers, and what it did not take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


@dataclass(slots=True)
class Report:
    """What an import would do, or did. Rows are created, changed, unchanged, repeated or refused."""

    rows: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    repeated: int = 0  #: a further row about somebody this file created
    refused: int = 0
    addresses: int = 0
    fields: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    consent: Counter[str] = field(default_factory=Counter)

    def add(self, other: Report, times: int = 1) -> None:
        """Count what *other* counts as well; with *times* -1 no longer."""
        for name in self.__slots__:
            mine, its = getattr(self, name), getattr(other, name)
            if isinstance(mine, Counter):
                setattr(self, name, mine + its if times > 0 else mine - its)
            else:
                setattr(self, name, mine + times * its)

    def as_json(self) -> dict[str, Any]:
        return {name: dict(v) if isinstance(v := getattr(self, name), Counter) else v for name in self.__slots__}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Report:
        values: dict[str, Any] = {name: told[name] for name in cls.__slots__ if name in told}
        counted = {name: Counter(one) if isinstance(one, dict) else one for name, one in values.items()}
        return cls(**counted)  # type: ignore[arg-type]


class Reject(NamedTuple):
    """Something of a row that was not taken; ``refused``: the whole row."""

    line: int
    field: str
    code: str
    refused: bool
