"""A campaign's states and its plan: channels in order, schedule, windows."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from broadcaster.core.errors import Conflict


class CampaignState(StrEnum):
    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"


MOVES: dict[CampaignState, frozenset[CampaignState]] = {
    CampaignState.DRAFT: frozenset({CampaignState.SCHEDULED, CampaignState.CANCELLED}),
    CampaignState.SCHEDULED: frozenset({CampaignState.RUNNING, CampaignState.DRAFT, CampaignState.CANCELLED}),
    CampaignState.RUNNING: frozenset({CampaignState.PAUSED, CampaignState.FINISHED, CampaignState.CANCELLED}),
    CampaignState.PAUSED: frozenset({CampaignState.RUNNING, CampaignState.CANCELLED}),
    CampaignState.FINISHED: frozenset({CampaignState.RUNNING}),  # only to send again what ended unknown
    CampaignState.CANCELLED: frozenset(),
}
EDITABLE = frozenset({CampaignState.DRAFT})


def require_move(before: str, after: CampaignState) -> None:
    """Raise Conflict unless a campaign may go from *before* to *after*."""
    if after not in MOVES[CampaignState(before)]:
        raise Conflict(f"a campaign that is {before} cannot become {after.value}", code=f"campaign_{before}")


class ChannelChoice(BaseModel):
    """One channel of a campaign and the account that sends on it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel: str = Field(min_length=1, max_length=30)
    account_id: int = Field(gt=0)


class Schedule(BaseModel):
    """When a campaign goes out.

    ``start`` None: as soon as it is launched. With ``local`` the wall-clock time of ``start`` in ``zone`` is meant in
    each recipient's own zone. Nothing is sent after ``not_after``: late messages expire.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: AwareDatetime | None = None
    zone: str = "UTC"
    local: bool = False
    not_after: AwareDatetime | None = None

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as problem:
            raise ValueError("not a time zone; use a name like Europe/Paris") from problem
        return value

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.local and self.start is None:
            raise ValueError("a recipient-local schedule needs a start")
        if self.start is not None and self.not_after is not None and self.not_after <= self.start:
            raise ValueError("'not after' must be later than the start")
        return self


class Plan(BaseModel):
    """How a campaign goes out: which channels in which order, when, and whether clicks on its links are counted.

    A draft may have no channel yet; a launch needs one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    channels: Annotated[tuple[ChannelChoice, ...], Field(max_length=20)] = ()
    schedule: Schedule = Schedule()
    count_clicks: bool = False

    @model_validator(mode="after")
    def _each_channel_once(self) -> Self:
        names = [choice.channel for choice in self.channels]
        if len(set(names)) != len(names):
            raise ValueError("each channel can be listed once")
        return self

    def due(self) -> datetime | None:
        return self.schedule.start
