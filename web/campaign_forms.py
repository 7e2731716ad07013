"""The form of a campaign, and the plan it means."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from broadcaster.actions.catalogue import purposes
from broadcaster.core import recurrence, schedule
from broadcaster.core.campaigns import Plan
from broadcaster.core.errors import InvalidInput
from broadcaster.storage import listings
from broadcaster.storage.tables import Account, Campaign
from web import account_words, vocabulary
from web.context import me, runtime
from web.forms import Form, FormModel, Line, blank

WAYS = ("way_1", "way_2", "way_3", "way_4")
Choices = list[tuple[str, str]]


class CampaignForm(FormModel):
    """``way_1`` … are accounts in the order in which each person is tried."""

    revision: int
    name: Line
    brand: int
    purpose: int
    audience: int | None = None
    exclude: int | None = None
    template: int | None = None
    way_1: int | None = None
    way_2: int | None = None
    way_3: int | None = None
    way_4: int | None = None
    when: Literal["now", "at", "local"] = "now"
    start: Line | None = None
    fold: Literal["0", "1"] | None = None
    zone: Line | None = None
    not_after: Line | None = None
    repeat: Line | None = None
    count_clicks: bool = False


class NewCampaign(FormModel):
    name: Line
    brand: int | None = None
    purpose: int


@dataclass(frozen=True, slots=True)
class Offers:
    """What can be chosen, as (value, label)."""

    brands: Choices
    purposes: Choices
    audiences: Choices
    templates: Choices
    accounts: Choices
    spoken: dict[str, str]  #: template -> the channels it speaks

    def purpose_choices(self) -> list[tuple[str, str, str]]:
        """Return the purposes as boxes to tick."""
        return [(value, label, "") for value, label in self.purposes]

    def check(self, **chosen: int | None) -> None:
        """Refuse a choice that was not offered. Raises InvalidInput naming the field."""
        known = {"brand": self.brands, "purpose": self.purposes, "template": self.templates}
        known |= {"audience": self.audiences, "exclude": self.audiences}
        for field, value in chosen.items():
            if value is not None and str(value) not in {one for one, _ in known.get(field, self.accounts)}:
                raise InvalidInput("choose one of the list", field=field, code="unknown_choice")


def offers() -> Offers:
    """Read what can be chosen."""
    with runtime().db.reading() as session:
        templates = listings.templates(session)
        spoken = listings.places(session, templates)
        accounts = [one for one in listings.accounts(session) if one.state != "disabled"]
        return Offers(
            brands=[(str(one.id), one.name) for one in listings.brands(session)],
            purposes=[(str(one.id), vocabulary.purpose(one)) for one in purposes(session)],
            audiences=[(str(one.id), one.name) for one in listings.audiences(session)],
            templates=[(str(one.id), one.name) for one in templates],
            accounts=[(str(one.id), _account(one)) for one in accounts],
            spoken={
                str(one): ", ".join(dict.fromkeys(account_words.channel(channel) for channel, _ in places))
                for one, places in spoken.items()
            },
        )


def _account(row: Account) -> str:
    state = "" if row.state == "active" else f" ({account_words.STATES[row.state][0]})"
    return f"{account_words.channel(row.channel)} · {row.name}{state}"


def of_row(row: Campaign) -> Form[CampaignForm]:
    """Return the form of a stored campaign."""
    plan: dict[str, Any] = row.plan or {}
    times: dict[str, Any] = plan.get("schedule", {})
    zone = times.get("zone") or me().time_zone
    begin: dict[str, Any] = dict.fromkeys(WAYS)
    begin |= {name: one["account_id"] for name, one in zip(WAYS, plan.get("channels", ()), strict=False)}
    start = times.get("start")
    begin |= {
        "revision": row.revision,
        "name": row.name,
        "brand": row.brand_id,
        "purpose": row.purpose_id,
        "audience": row.audience_id,
        "exclude": row.exclude_id,
        "template": row.template_id,
        "when": "now" if not start else "local" if times.get("local") else "at",
        "start": _wall(start, zone),
        "zone": zone,
        "not_after": _wall(times.get("not_after"), zone),
        "repeat": times.get("repeat"),
        "count_clicks": plan.get("count_clicks") or None,
    }
    return blank(CampaignForm, **begin)


def next_dates(row: Campaign, now: datetime) -> list[datetime]:
    """Return the next five dates of a stored campaign that repeats."""
    if not (row.plan or {}).get("schedule", {}).get("repeat") or not row.plan["channels"]:
        return []
    return Plan.model_validate(row.plan).schedule.ahead(now, most=5)


def _wall(moment: str | None, zone: str) -> str:
    if not moment:
        return ""
    return f"{datetime.fromisoformat(moment).astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M}"


def plan_of(data: CampaignForm, now: datetime) -> dict[str, Any]:
    """Return the plan a form means; a draft may have no sender yet. Raises InvalidInput naming the field."""
    channels = _channels(data)
    if data.zone is None and (data.when != "now" or data.not_after):
        raise InvalidInput("say in which time zone", field="zone", code="required")
    zone = data.zone or me().time_zone
    schedule.zone(zone)
    start = None if data.when == "now" else _instant(data.start, zone, data.fold, "start")
    if data.when != "now" and start is None:
        raise InvalidInput("say when", field="start", code="required")
    until = _instant(data.not_after, zone, "1", "not_after")
    if data.repeat and start is None:
        raise InvalidInput("what repeats needs a start", field="start", code="required")
    repeat = recurrence.check(data.repeat) if data.repeat else None
    _check_times(start, None if repeat else until, now, local=data.when == "local" or repeat is not None)
    times = {"start": start, "zone": zone, "local": data.when == "local", "not_after": until, "repeat": repeat}
    return {"channels": channels, "schedule": times, "count_clicks": data.count_clicks}


def _channels(data: CampaignForm) -> list[dict[str, Any]]:
    chosen = [(name, getattr(data, name)) for name in WAYS if getattr(data, name) is not None]
    found: list[dict[str, Any]] = []
    with runtime().db.reading() as session:
        for name, account_id in chosen:
            row = listings.find(session, Account, account_id)
            if row.channel in {one["channel"] for one in found}:
                raise InvalidInput("each channel once", field=name, code="channel_twice")
            found.append({"channel": row.channel, "account_id": row.id})
    return found


def _instant(told: str | None, zone: str, fold: str | None, field: str) -> datetime | None:
    """Return the instant of a wall-clock time; one that does not exist or comes twice is refused by name."""
    if not told:
        return None
    try:
        wall = datetime.fromisoformat(told)
    except ValueError:
        raise InvalidInput("this is not a date and time", field=field, code="moment") from None
    if wall.tzinfo is not None or not 1990 < wall.year < 2200:
        raise InvalidInput("this is not a date and time", field=field, code="moment")
    try:
        return schedule.local_instant(wall.date(), wall.time(), zone, fold=None if fold is None else int(fold))
    except InvalidInput as problem:
        raise InvalidInput(problem.message, field=field, code=problem.code) from None


def _check_times(start: datetime | None, until: datetime | None, now: datetime, *, local: bool) -> None:
    for field, moment in (("start", None if local else start), ("not_after", until)):
        if moment is not None and moment < now:
            raise InvalidInput("in the past", field=field, code="in_the_past")
    if start is not None and start.year > now.year + 2:
        raise InvalidInput("too far away", field="start", code="too_far")
    if start is not None and until is not None and until <= start:
        raise InvalidInput("“not after” must be later than the start", field="not_after", code="order")


def changes_of(data: CampaignForm, plan: dict[str, Any]) -> dict[str, Any]:
    """Return what ``campaigns.update`` is told."""
    return {
        "name": data.name,
        "brand_id": data.brand,
        "purpose_id": data.purpose,
        "audience_id": data.audience,
        "exclude_id": data.exclude,
        "template_id": data.template,
        "plan": plan,
    }


def differences(mine: Form[CampaignForm], theirs: Form[CampaignForm], offered: Offers) -> list[tuple[str, str, str]]:
    """Return (field, mine, theirs) of what differs, choices by their names."""
    lists = {"brand": offered.brands, "purpose": offered.purposes, "template": offered.templates}
    lists |= {"audience": offered.audiences, "exclude": offered.audiences} | dict.fromkeys(WAYS, offered.accounts)
    found = []
    for name in CampaignForm.model_fields:
        pair = [dict(lists.get(name, [])).get(one.value(name), one.value(name)) for one in (mine, theirs)]
        if name not in ("revision", "fold") and pair[0] != pair[1]:
            found.append((name, pair[0] or "–", pair[1] or "–"))
    return found
