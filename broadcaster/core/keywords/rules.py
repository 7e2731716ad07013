"""The shape of one language's sentence rules."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rules:
    """Patterns by name; see ``grammar`` for how each table is used."""

    code: str
    ignore: tuple[str, ...]
    stop: dict[str, str]
    rights: dict[str, str]
    doubt: dict[str, str]
    join: dict[str, str]
    help: dict[str, str]
