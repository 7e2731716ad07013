"""A campaign's states and its plan: channels in order, schedule, windows."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from broadcaster.core import recurrence
from broadcaster.core.errors import Conflict, InvalidInput

#: Where a day begins first, ahead of UTC: a recipient-local campaign is planned that much earlier.
EARLIEST_ZONE = timedelta(hours=14)


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
    CampaignState.RUNNING: frozenset(
        {CampaignState.PAUSED, CampaignState.FINISHED, CampaignState.CANCELLED, CampaignState.SCHEDULED}
    ),  # scheduled again: until the next date of a rule
    CampaignState.PAUSED: frozenset({CampaignState.RUNNING, CampaignState.CANCELLED}),
    CampaignState.FINISHED: frozenset({CampaignState.RUNNING}),  # only to send again what ended unknown
    CampaignState.CANCELLED: frozenset(),
}
EDITABLE = frozenset({CampaignState.DRAFT})


def require_move(before: str, after: CampaignState, *, only_from: CampaignState | None = None) -> None:
    """Raise Conflict unless a campaign may go from *before* to *after*, and, if named, comes from *only_from*."""
    if after not in MOVES[CampaignState(before)] or only_from not in (None, before):
        raise Conflict(f"a campaign that is {before} cannot become {after.value}", code=f"campaign_{before}")


class ChannelChoice(BaseModel):
    """One channel of a campaign and the account that sends on it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel: str = Field(min_length=1, max_length=30)
    account_id: int = Field(gt=0)


class Schedule(BaseModel):
    """When a campaign goes out.

    ``start`` None: as soon as it is launched. With ``local`` the wall-clock time of ``start`` in ``zone`` is meant in
    each recipient's own zone. Nothing is sent after ``not_after``: late messages expire. ``repeat`` is a rule of
    ``core/recurrence``: a run for each of its dates from ``start`` on, ``not_after`` moving along.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: AwareDatetime | None = None
    zone: str = "UTC"
    local: bool = False
    not_after: AwareDatetime | None = None
    repeat: str | None = None

    @field_validator("repeat")
    @classmethod
    def _known_rule(cls, value: str | None) -> str | None:
        try:
            return None if not value else recurrence.check(value)
        except InvalidInput as problem:
            raise ValueError(problem.message) from problem

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
        if self.repeat and self.start is None:
            raise ValueError("what repeats needs a start")
        if self.start is not None and self.not_after is not None and self.not_after <= self.start:
            raise ValueError("'not after' must be later than the start")
        return self

    def following(self, after: datetime, *, most: int = 1) -> list[datetime]:
        """Return the next dates later than *after*; none for a schedule that does not repeat."""
        if self.start is None or not self.repeat:
            return []
        return recurrence.following(self.repeat, start=self.start, zone_name=self.zone, after=after, most=most)

    def ahead(self, now: datetime, *, most: int = 1) -> list[datetime]:
        """Return the next dates of a rule that has not begun, or from *now* on."""
        return self.following(now if self.start is None else max(self.start - timedelta(seconds=1), now), most=most)

    def on(self, date: datetime) -> Schedule:
        """Return the schedule of one date of a rule."""
        if self.start is None or not self.repeat:
            return self
        not_after = None if self.not_after is None else self.not_after + (date - self.start)
        return self.model_copy(update={"start": date, "not_after": not_after, "repeat": None})


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

    def planned_at(self, date: datetime) -> datetime:
        """Return when the run of *date* is planned: earlier, where a day begins first."""
        return date - EARLIEST_ZONE if self.schedule.local else date

    def date_of(self, planned_at: datetime) -> datetime:
        """Return the date whose run is planned at this time."""
        return planned_at + (planned_at - self.planned_at(planned_at))

    def on(self, date: datetime) -> Plan:
        """Return the plan of one date of a rule."""
        return self.model_copy(update={"schedule": self.schedule.on(date)})
