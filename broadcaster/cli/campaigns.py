"""``broadcaster campaigns``: from the draft to the report."""

from __future__ import annotations

import sys
import time
from datetime import datetime
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from broadcaster.actions import campaigns as verbs
from broadcaster.actions import forecast, forecast_people, report_person, report_unknown, reports
from broadcaster.actions.calendar import calendar_of
from broadcaster.actions.forecast_result import Forecast
from broadcaster.cli import campaign_tables as tables
from broadcaster.cli.campaign_tables import find
from broadcaster.cli.context import Context, Id, confirm, show
from broadcaster.core.errors import InvalidInput
from broadcaster.core.reason_words import REASONS
from broadcaster.storage.tables import Audience, Campaign, Purpose, Template

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_YES = click.option("--yes", is_flag=True, help="Do not ask.")
_WATCH_SECONDS = 1.0
_UNDER_WAY = ("scheduled", "running", "paused")


@click.group()
def campaigns() -> None:
    """Dry-run, launch, pause, resume, cancel, report."""


@campaigns.command("list")
@AS_JSON
@click.pass_obj
def list_(obj: Context, as_json: bool) -> None:
    """List campaigns, the newest first."""
    with obj.runtime().db.reading() as session:
        rows = [tables.row_of(one) for one in tables.everyone(session, Campaign)]
    tables.print_rows("campaigns", rows[::-1], as_json=as_json)


@campaigns.command("show")
@click.argument("campaign")
@AS_JSON
@click.pass_obj
def show_(obj: Context, campaign: str, as_json: bool) -> None:
    """Show CAMPAIGN (id or name): its parts, its plan, where it stands."""
    with obj.runtime().db.reading() as session:
        row = find(session, Campaign, campaign)
        told = {**tables.row_of(row), "plan": row.plan, "revision": row.revision}
    show({**told, "progress": reports.progress(obj.runtime(), told["id"]).told()}, as_json=as_json)


@campaigns.command("calendar")
@click.option("--month", default="", help="Such as 2026-11; not given: this one.")
@AS_JSON
@click.pass_obj
def calendar(obj: Context, month: str, as_json: bool) -> None:
    """Show what went out in a month and what will, and the public holidays, on the organisation's clocks."""
    tables.print_calendar(calendar_of(obj.runtime(), month), as_json=as_json)


@campaigns.command("create")
@click.option("--name", required=True)
@click.option("--purpose", required=True, help="Key of the purpose people agreed to.")
@click.option("--audience", help="Id or name.")
@click.option("--exclude", help="An audience to leave out.")
@click.option("--template", help="Id or name.")
@click.option("--channel", "channels", multiple=True, metavar="CHANNEL=ACCOUNT", help="In order of preference.")
@click.option("--start", help="Such as 2027-03-05T10:00; not given: as soon as it is launched.")
@click.option("--zone", help="Of --start and --not-after without an offset, such as Europe/Paris.")
@click.option("--local", is_flag=True, help="--start is meant in each recipient's own zone.")
@click.option("--not-after", help="Late messages expire.")
@click.option("--repeat", metavar="RRULE", help="From --start on, such as FREQ=WEEKLY;BYDAY=MO;COUNT=10.")
@click.option("--count-clicks", is_flag=True, help="Links go through a short address; see docs/privacy.md.")
@AS_JSON
@click.pass_obj
def create(obj: Context, /, name: str, purpose: str, channels: tuple[str, ...], as_json: bool, **told: Any) -> None:
    """Draft a campaign."""
    runtime = obj.runtime()
    with runtime.db.reading() as session:
        row = find(session, Purpose, purpose)
        ids = {f"{key}_id": find(session, Audience, told[key]).id for key in ("audience", "exclude") if told[key]}
        if told["template"]:
            ids["template_id"] = find(session, Template, told["template"]).id
        lanes = [tables.lane(session, one) for one in channels]
        brand_id = row.brand_id or tables.only_brand(session)
    schedule = tables.schedule(told["start"], told["zone"], local=told["local"], not_after=told["not_after"])
    schedule |= {"repeat": told["repeat"]}
    plan = {"channels": lanes, "schedule": schedule, "count_clicks": told["count_clicks"]}
    made = verbs.create(runtime, name=name, brand_id=brand_id, purpose_id=row.id, plan=plan, actor=obj.actor, **ids)
    show({"campaign": made}, as_json=as_json)


@campaigns.command("dry-run")
@click.argument("campaign")
@click.option("--people", is_flag=True, help="Person by person.")
@click.option("--reason", type=click.Choice(["will_get", *(one.value for one in REASONS["en"])]), help="With --people.")
@click.option("--channel", default="", help="With --people.")
@click.option("--after", default=0, help="With --people: go on after this contact.")
@click.option("--limit", default=50, show_default=True, help="With --people: rows, at most 500.")
@AS_JSON
@click.pass_obj
def dry_run(obj: Context, /, campaign: str, people: bool, as_json: bool, **options: Any) -> None:
    """Say who would get CAMPAIGN and who would not and why; nothing is written."""
    campaign_id = _id(obj, campaign)
    if people:
        page = forecast_people.people(obj.runtime(), campaign_id, **options)
        tables.print_people(page, as_json=as_json)
        return
    tables.print_forecast(_forecast(obj, campaign_id), as_json=as_json)


def _forecast(obj: Context, campaign_id: int) -> Forecast:
    bar = Progress(
        TextColumn("dry run"), BarColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True
    )
    with bar:
        task = bar.add_task("dry run", total=None)
        return forecast.forecast(
            obj.runtime(), campaign_id, progress=lambda done, total: bar.update(task, completed=done, total=total)
        )


@campaigns.command("launch")
@click.argument("campaign")
@_YES
@AS_JSON
@click.pass_obj
def launch(obj: Context, campaign: str, yes: bool, as_json: bool) -> None:
    """Launch CAMPAIGN, after a look at how many would get it."""
    campaign_id = _id(obj, campaign)
    question = f"Send to {_forecast(obj, campaign_id).will_get} people?" if not yes and sys.stdin.isatty() else ""
    confirm(question, yes=yes)
    forecast.launch(obj.runtime(), campaign_id, actor=obj.actor)
    _moved(obj, campaign_id, as_json)


@campaigns.command("pause")
@click.argument("campaign")
@AS_JSON
@click.pass_obj
def pause(obj: Context, campaign: str, as_json: bool) -> None:
    """Stop sending CAMPAIGN for now; what is on the wire ends."""
    campaign_id = _id(obj, campaign)
    verbs.pause(obj.runtime(), campaign_id, actor=obj.actor)
    _moved(obj, campaign_id, as_json)


@campaigns.command("resume")
@click.argument("campaign")
@AS_JSON
@click.pass_obj
def resume(obj: Context, campaign: str, as_json: bool) -> None:
    """Go on with CAMPAIGN where it was paused; nobody gets it twice."""
    campaign_id = _id(obj, campaign)
    verbs.resume(obj.runtime(), campaign_id, actor=obj.actor)
    _moved(obj, campaign_id, as_json)


@campaigns.command("cancel")
@click.argument("campaign")
@_YES
@AS_JSON
@click.pass_obj
def cancel(obj: Context, campaign: str, yes: bool, as_json: bool) -> None:
    """Stop CAMPAIGN for good; who has not got it is accounted for as cancelled."""
    campaign_id = _id(obj, campaign)
    confirm("Cancel this campaign for good?", yes=yes)
    verbs.cancel(obj.runtime(), campaign_id, actor=obj.actor)
    _moved(obj, campaign_id, as_json)


@campaigns.command("duplicate")
@click.argument("campaign")
@AS_JSON
@click.pass_obj
def duplicate(obj: Context, campaign: str, as_json: bool) -> None:
    """Make a new draft like CAMPAIGN."""
    show({"campaign": verbs.duplicate(obj.runtime(), _id(obj, campaign), actor=obj.actor)}, as_json=as_json)


@campaigns.command("report")
@click.argument("campaign")
@click.option("--run", "run_id", type=Id(), help="Of an earlier run.")
@AS_JSON
@click.pass_obj
def report(obj: Context, campaign: str, run_id: int | None, as_json: bool) -> None:
    """Give the account of CAMPAIGN: states that add up to the audience, reasons, receipts, replies, opt-outs."""
    tables.print_report(reports.report(obj.runtime(), _id(obj, campaign), run_id=run_id), as_json=as_json)


@campaigns.command("explain")
@click.argument("campaign")
@click.argument("contact", type=Id())
@click.option("--language", type=click.Choice(["en", "fr"]), default="en", show_default=True)
@AS_JSON
@click.pass_obj
def explain(obj: Context, campaign: str, contact: int, language: Any, as_json: bool) -> None:
    """Say why CONTACT (an id) gets or got CAMPAIGN, or why not, and by which consent."""
    found = report_person.explain(obj.runtime(), _id(obj, campaign), contact)
    tables.print_explanation(found, language, as_json=as_json)


@campaigns.group("unknown")
def unknown() -> None:
    """Calls whose end nobody knows."""


@unknown.command("list")
@click.argument("campaign")
@click.option("--after", default=0, help="Go on after this step.")
@click.option("--limit", default=50, show_default=True)
@AS_JSON
@click.pass_obj
def unknown_list(obj: Context, campaign: str, after: int, limit: int, as_json: bool) -> None:
    """List the calls of CAMPAIGN that began and were never answered."""
    found = report_unknown.unknown(obj.runtime(), _id(obj, campaign), after=after, limit=limit)
    tables.print_rows("unknown", [tables.told(one) for one in found], as_json=as_json)


@unknown.command("settle")
@click.argument("campaign")
@click.argument("steps", nargs=-1, type=Id())
@click.option("--all", "every", is_flag=True, help="All of them, up to 1000.")
@click.option("--decision", type=click.Choice(report_unknown.DECISIONS), required=True)
@click.option("--confirm", "typed", help="For resend: the campaign's name, since somebody may get it twice.")
@AS_JSON
@click.pass_obj
def unknown_settle(
    obj: Context, campaign: str, steps: tuple[int, ...], every: bool, decision: Any, typed: str | None, as_json: bool
) -> None:
    """Decide what became of STEPS of CAMPAIGN: leave, resend, delivered or lost."""
    runtime = obj.runtime()
    with runtime.db.reading() as session:
        row = find(session, Campaign, campaign)
    known = {one.step_id for one in report_unknown.unknown(runtime, row.id, limit=report_unknown.MOST_STEPS)}
    wanted = sorted(known if every else known & set(steps))
    if not wanted:
        raise InvalidInput("none of these is unknown", field="steps", code="nothing_to_settle")
    if decision == "resend":
        _typed(row.name, typed)
    changed = report_unknown.resolve_unknown(runtime, wanted, decision, actor=obj.actor)
    show({"decision": decision, "steps": changed}, as_json=as_json)


def _typed(name: str, given: str | None) -> None:
    """Have the campaign's name typed before somebody may get it twice."""
    if given is None and sys.stdin.isatty():
        given = click.prompt(f"Some may get it twice. Type the campaign's name to go on ({name})", default="")
    if given != name:
        raise click.UsageError("some may get it twice: say --confirm with the campaign's name (confirmation_needed)")


@campaigns.command("watch")
@click.argument("campaign")
@AS_JSON
@click.pass_obj
def watch(obj: Context, campaign: str, as_json: bool) -> None:
    """Follow CAMPAIGN until it ends; safe to leave. --json prints where it stands now."""
    campaign_id = _id(obj, campaign)
    if as_json:
        show(reports.progress(obj.runtime(), campaign_id).told(), as_json=True)
        return
    words = TextColumn("{task.description}")
    with Progress(words, BarColumn(), TextColumn("{task.completed}/{task.total}"), console=Console(stderr=True)) as bar:
        task = bar.add_task("waiting to start", total=None)
        while (now := reports.progress(obj.runtime(), campaign_id)).campaign_state in (
            "scheduled",
            "running",
            "paused",
        ):
            bar.update(task, description=_line(now), completed=now.audience - now.open, total=now.audience or None)
            time.sleep(_WATCH_SECONDS)
        bar.update(task, description=_line(now), completed=now.audience - now.open, total=now.audience or None)


def _line(now: reports.Progress) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in now.states.items() if count)
    end = "" if now.ends_at is None else f", until about {_clock(now.ends_at)}"
    return f"{now.campaign_state}: {counts or 'nothing yet'} ({now.per_second:g}/s{end})"


def _clock(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M %Z")


def _id(obj: Context, campaign: str) -> int:
    with obj.runtime().db.reading() as session:
        found: int = find(session, Campaign, campaign).id
        return found


def _moved(obj: Context, campaign_id: int, as_json: bool) -> None:
    with obj.runtime().db.reading() as session:
        state = verbs.get(session, campaign_id).state
    show({"campaign": campaign_id, "state": state}, as_json=as_json)
