"""How campaigns, dry runs and reports are read from and printed to a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click
from sqlmodel import Session

from broadcaster.actions.calendar import Calendar
from broadcaster.actions.forecast_people import Page
from broadcaster.actions.forecast_result import Forecast, plain
from broadcaster.actions.report_person import Explanation
from broadcaster.actions.reports import Report
from broadcaster.cli.context import show
from broadcaster.core import schedule as schedules
from broadcaster.core.closed import EVERYWHERE, Closed
from broadcaster.core.errors import InvalidInput
from broadcaster.core.reason_words import Language, why
from broadcaster.storage.named import everyone, find
from broadcaster.storage.tables import Account, Brand, Campaign

__all__ = ["everyone", "find", "lane", "only_brand", "print_json", "print_rows", "row_of", "schedule", "told"]


def lane(session: Session, told: str) -> dict[str, Any]:
    """Read ``CHANNEL=ACCOUNT``."""
    channel, equals, account = told.partition("=")
    if not equals:
        raise InvalidInput("write CHANNEL=ACCOUNT, such as email=3", field="channel", code="channel")
    return {"channel": channel.strip(), "account_id": find(session, Account, account.strip()).id}


def only_brand(session: Session) -> int:
    """Return the brand of a purpose that has none of its own, if there is but one."""
    brands = everyone(session, Brand)
    if len(brands) != 1:
        raise InvalidInput("this purpose belongs to no brand", field="purpose", code="brand")
    found: int = brands[0].id
    return found


def schedule(start: str | None, zone: str | None, *, local: bool, not_after: str | None) -> dict[str, Any]:
    """Read times as they are written; without an offset they are in *zone*, and there is no zone we would guess."""
    if zone is None and (local or any(_is_wall(told) for told in (start, not_after))):
        raise InvalidInput("say in which time zone, such as Europe/Paris", field="zone", code="required")
    zone = schedules.zone(zone or "UTC").key
    times = {"start": start, "not_after": not_after}
    read = {name: None if told is None else _moment(told, zone, name) for name, told in times.items()}
    return {**read, "zone": zone, "local": local}


def _is_wall(told: str | None) -> bool:
    """Tell a time that is meant on the clocks of some zone; what is no time at all is refused by ``_moment``."""
    try:
        return told is not None and datetime.fromisoformat(told).tzinfo is None
    except ValueError:
        return False


def _moment(told: str, zone: str, field: str) -> str:
    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        raise InvalidInput("write a time like 2027-03-05T10:00", field=field, code="time") from None
    if at.tzinfo is None:
        at = schedules.local_instant(at.date(), at.time(), zone)
    return at.astimezone(ZoneInfo(zone)).isoformat()


def row_of(row: Campaign) -> dict[str, Any]:
    """Return the line of a campaign in a list."""
    names = ("id", "name", "state", "purpose_id", "audience_id", "exclude_id", "template_id", "scheduled_for")
    told: dict[str, Any] = plain({name: getattr(row, name) for name in names})
    return told


def told(one: Any) -> dict[str, Any]:
    """Return a result as plain JSON."""
    found: dict[str, Any] = plain(asdict(one))
    return found


def print_json(value: Mapping[str, Any]) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_rows(what: str, rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print a list: one JSON object, or a line each with its columns under one another."""
    if as_json:
        print_json({what: list(rows)})
        return
    if not rows:
        click.echo(f"no {what}")
        return
    names = list(rows[0])
    cells = [names, *([("" if row[name] is None else str(row[name])) for name in names] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(names))]
    for line in cells:
        click.echo("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def print_calendar(found: Calendar, *, as_json: bool) -> None:
    """Print the days of a month on which there is something."""
    days = [told(one) for one in found.days if one.entries or one.closed or one.own]
    if as_json:
        print_json({"month": str(found.month), "zone": found.zone, "days": days})
        return
    click.echo(f"{found.month}, {found.zone}" + ("" if days else ": nothing"))
    for one in found.days:
        if one.closed:
            click.echo(f"{one.day}  public holiday in {', '.join(one.closed)}")
        for own_day in one.own:
            click.echo(f"{one.day}  {closed_words(own_day)}")
        for entry in one.entries:
            own = ", in each person's own time" if entry.local else ""
            click.echo(f"{one.day}  {entry.at:%H:%M}  {entry.state:<9}  {entry.campaign_id}  {entry.name}{own}")


def closed_words(one: Closed) -> str:
    """Say which of our own closed days it is."""
    return f"closed{'' if one.country == EVERYWHERE else f' in {one.country}'}: {one.label}"


def print_people(page: Page, *, as_json: bool) -> None:
    rows = [told(row) for row in page.rows]
    if as_json:
        print_json({"people": rows, "after": page.after})
        return
    print_rows("people", rows, as_json=False)
    if page.after is not None:
        click.echo(f"more: --after {page.after}")


def print_forecast(found: Forecast, *, as_json: bool) -> None:
    """Print the totals of a dry run, what is in the way first."""
    if as_json:
        print_json(found.told())
        return
    for problem in found.problems:
        click.echo(f"{'in the way' if problem.blocking else 'look at'}: {problem.field}: {problem.message}")
    click.echo(f"{found.audience} people: {found.will_get} will get it, {found.will_not} will not")
    for reason, people in found.by_reason.items():
        click.echo(f"  {people:>9}  {reason}: {why(reason, 'en')}")
    for title, table in (("channel", found.by_channel), ("country", found.by_country)):
        shown = ", ".join(f"{key or 'none'} {one.will_get}" for key, one in table.items() if one.will_get)
        click.echo(f"by {title}: {shown or 'nobody'}")
    for one in found.missing:
        click.echo(f"missing {one.field} ({one.channel}, {one.language}): {one.people}")
    for other in found.fallbacks:
        click.echo(f"{other.people} who speak {other.wanted} get it in {other.used} ({other.channel})")
    if found.cost_micros:
        money = f"{found.cost_micros / 1e6:.2f} to {found.cost_most_micros / 1e6:.2f} {found.currency}"
        click.echo(f"cost: {money}")
    if found.first_at is not None and found.finish_at is not None:
        click.echo(f"from {found.first_at:%Y-%m-%d %H:%M} to about {found.finish_at:%Y-%m-%d %H:%M} UTC")
    for away in found.closed:
        click.echo(f"{away.first} to {away.last}: {closed_words(away)}")


def print_report(found: Report, *, as_json: bool) -> None:
    """Print the account of a run."""
    if as_json:
        print_json(found.told())
        return
    click.echo(found.check.sentence(found.states) + ("" if found.check.holds else "  (does not add up)"))
    show(
        {
            "state": found.state,
            "reasons": dict(found.reasons),
            "receipts": dict(found.receipts),
            "replies": found.replies,
            "opt_outs": found.opt_outs,
        },
        as_json=False,
    )
    for title, table in (("channel", found.by_channel), ("country", found.by_country)):
        for key, states in table.items():
            counts = ", ".join(f"{count} {state}" for state, count in states.items())
            click.echo(f"{title} {key or 'none'}: {counts}")


def print_explanation(found: Explanation, language: Language, *, as_json: bool) -> None:
    """Print one person's story."""
    if as_json:
        print_json(found.told())
        return
    click.echo(found.sentence(language))
    if found.consent is not None:
        one = found.consent
        click.echo(f"consent event {one.event_id}: {one.action} by {one.source}, {one.occurred_at:%Y-%m-%d %H:%M} UTC")
        if one.wording:
            click.echo(f"they were shown (version {one.wording_version}, {one.wording_language}): {one.wording}")
    for each in found.tries:
        at = "" if each.gate_at is None else f"{each.gate_at:%Y-%m-%d %H:%M:%S} UTC"
        click.echo(
            f"try {each.attempt} on {each.channel} to {each.address} by {each.account}: {at} {each.outcome or ''}"
        )
    if found.receipt is not None:
        click.echo(f"receipt: {found.receipt}")
