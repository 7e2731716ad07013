"""The rows of ``rules.toml``, read once and checked: each names its place, its source, its date and how sure we are."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from broadcaster.core.consent import Basis

EVERYWHERE = "*"
Place = Annotated[str, Field(pattern=r"^([A-Z]{2}|\*)$")]
Months = Annotated[int, Field(ge=0, le=240)]
Part = Literal["brand", "opt_out", "postal_address"]
Audience = Literal["consumer", "professional", "any"]


class Row(BaseModel):
    """One row. ``channels`` empty: on all."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    place: Place
    channels: tuple[str, ...] = ()
    source: Annotated[str, Field(min_length=3)]
    date: date
    certainty: Literal["read", "known", "contested"]

    def on(self, channel: str) -> bool:
        return not self.channels or channel in self.channels


class BasisRow(Row):
    """A basis that may be recorded, for how many months (0: until it is taken back)."""

    basis: Basis
    audience: Audience = "any"
    months: Months = 0

    def fits(self, kind: str, channel: str) -> bool:
        """Say whether the row is about a contact of this kind; whoever is no professional counts as a consumer."""
        return self.on(channel) and self.audience in ("any", "professional" if kind == "professional" else "consumer")


class AgeRow(Row):
    years: Annotated[int, Field(ge=0, le=25)]


class InactivityRow(Row):
    months: Annotated[int, Field(ge=1, le=240)]


class FooterRow(Row):
    parts: tuple[Part, ...]


class SenderRow(Row):
    """Senders, by how they begin, that may not carry marketing; ``use`` says what may."""

    refused: tuple[str, ...]
    use: str


class StopScope(StrEnum):
    """What a stop closes beyond what it names; several add up, none takes away from another."""

    CHANNEL = "channel"  #: all marketing on the channel it came by: what a bare STOP closes everywhere
    CATEGORIES = "categories"  #: there also every other purpose that rests on consent
    EVERYWHERE = "everywhere"  #: all marketing at every address of theirs


class StopRow(Row):
    """How far a stop reaches that names nothing, from a day on."""

    scope: StopScope
    since: date = Field(alias="from")


class Rules(BaseModel):
    """The whole file. ``groups`` are countries that share rows."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    groups: Mapping[str, str]
    basis: tuple[BasisRow, ...]
    age: tuple[AgeRow, ...]
    inactivity: tuple[InactivityRow, ...]
    footer: tuple[FooterRow, ...]
    sender: tuple[SenderRow, ...]
    stop: tuple[StopRow, ...]

    def members(self, group: str) -> tuple[str, ...]:
        return tuple(self.groups.get(group, "").split())

    def reach(self, country: str | None) -> tuple[str, ...]:
        """Return where a country's rows stand, its own first: ``("FR", "EU", "*")``."""
        groups = [name for name in self.groups if country in self.members(name)]
        return (*([country] if country else []), *groups, EVERYWHERE)


@lru_cache(maxsize=1)
def rules() -> Rules:
    """Return the rows this version was made with."""
    return Rules.model_validate(tomllib.loads((Path(__file__).parent / "rules.toml").read_text("utf-8")))
