"""``broadcaster audiences``: save and count."""

from __future__ import annotations

from typing import IO

import click

from broadcaster.actions import content, forecast_people
from broadcaster.cli.campaign_tables import everyone, find, print_json, print_rows, told
from broadcaster.cli.context import Context, show
from broadcaster.core.audience_words import describe
from broadcaster.core.audiences import parse_rule
from broadcaster.storage.tables import Audience, Purpose

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def audiences() -> None:
    """Save and count audiences."""


@audiences.command("list")
@_AS_JSON
@click.pass_obj
def list_(obj: Context, as_json: bool) -> None:
    """List audiences with what they mean."""
    with obj.runtime().db.reading() as session:
        found = everyone(session, Audience)
    rows = [{"id": row.id, "name": row.name, "means": describe(parse_rule(row.rule), "en")} for row in found]
    print_rows("audiences", rows, as_json=as_json)


@audiences.command("save")
@click.option("--name", required=True)
@click.option("--rule", required=True, type=click.File(encoding="utf-8"), metavar="FILE", help="JSON; - for input.")
@click.option("--audience", help="Change this one (id or name).")
@_AS_JSON
@click.pass_obj
def save(obj: Context, name: str, rule: IO[str], audience: str | None, as_json: bool) -> None:
    """Save the rule in FILE as an audience."""
    runtime = obj.runtime()
    known = None
    if audience is not None:
        with runtime.db.reading() as session:
            known = find(session, Audience, audience).id
    made = content.save_audience(runtime, name=name, rule=rule.read(), audience_id=known, actor=obj.actor)
    show({"audience": made}, as_json=as_json)


@audiences.command("show")
@click.argument("audience")
@_AS_JSON
@click.pass_obj
def show_(obj: Context, audience: str, as_json: bool) -> None:
    """Show AUDIENCE (id or name): its rule, in words too."""
    with obj.runtime().db.reading() as session:
        row = find(session, Audience, audience)
    rule = parse_rule(row.rule)
    means = {"en": describe(rule, "en"), "fr": describe(rule, "fr")}
    show({"id": row.id, "name": row.name, "rule": row.rule, "means": means}, as_json=as_json)


@audiences.command("count")
@click.argument("audience", required=False)
@click.option("--rule", type=click.File(encoding="utf-8"), metavar="FILE", help="A rule that is not saved.")
@click.option("--purpose", help="Also say who agreed to this purpose (its key).")
@click.option("--exact", is_flag=True, help="Look at every address, also of a large audience.")
@_AS_JSON
@click.pass_obj
def count(
    obj: Context,
    audience: str | None,
    rule: IO[str] | None,
    purpose: str | None,
    exact: bool,
    as_json: bool,
) -> None:
    """Count AUDIENCE (id or name) or a rule: how many, on which channels, a few of them masked."""
    if (audience is None) == (rule is None):
        raise click.UsageError("say an audience, or --rule FILE")
    runtime = obj.runtime()
    with runtime.db.reading() as session:
        wanted = rule.read() if rule is not None else find(session, Audience, audience or "").rule
        purpose_id = None if purpose is None else find(session, Purpose, purpose).id
    found = forecast_people.audience_count(runtime, wanted, purpose_id=purpose_id, exact=exact)
    if as_json:
        print_json(told(found))
        return
    click.echo(f"{found.count} contacts")
    for one in found.channels:
        agreed = "" if one.consenting is None else f", {one.consenting} agreed"
        click.echo(f"  {'about ' if found.estimated else ''}{one.contacts} on {one.channel}{agreed}")
