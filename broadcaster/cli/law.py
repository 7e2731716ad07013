"""``consent rules``: what the law asks in a country, row by row with its source; rules and roles of one's own."""

from __future__ import annotations

import json
from typing import Any, get_args

import click

from broadcaster.actions import own_law
from broadcaster.actions.law_view import Shown, shown
from broadcaster.cli.context import Context
from broadcaster.core.consent import Basis
from broadcaster.core.law.own import NAMES, Own
from broadcaster.core.law.rows import Part


@click.command("rules")
@click.option("--country", help="Two letters: FR; all, if left out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def rules(obj: Context, country: str | None, as_json: bool) -> None:
    """Show which basis may be recorded for whom, ages, ends, stops, parts, senders, with their sources."""
    found = shown(obj.runtime(), country)
    if as_json:
        click.echo(json.dumps(_told(found), ensure_ascii=False, indent=2))
        return
    click.echo(f"rules {found.version}, {found.country or 'all countries'}")
    for row in found.rows:
        where = f" on {', '.join(row.channels)}" if row.channels else ""
        click.echo(f"{row.place} {row.what}: {row.says}{where}\n    {row.source} ({row.date}, {row.certainty})")
    for country_code, own in found.own.items():
        click.echo(f"{country_code} of our own: {json.dumps(own)}")


def _told(found: Shown) -> dict[str, Any]:
    rows = [
        {
            "place": row.place,
            "what": row.what,
            "says": row.says,
            "channels": list(row.channels),
            "source": row.source,
            "date": row.date.isoformat(),
            "certainty": row.certainty,
        }
        for row in found.rows
    ]
    return {"version": found.version, "country": found.country, "rows": rows, "own": found.own}


@click.command("set-rule")
@click.option("--country", required=True, help="Two letters: FR.")
@click.option("--age", type=int, help="Years below which a person's own consent does not count.")
@click.option("--consent-months", type=int, help="How long a consent holds.")
@click.option("--inactive-months", type=int, help="How long a silence may be.")
@click.option("--without", multiple=True, type=click.Choice(list(Basis)), help="A ground not to rest on.")
@click.option("--part", "parts", multiple=True, type=click.Choice(get_args(Part)), help="What each message must hold.")
@click.option("--sender", "senders", multiple=True, help="A beginning of numbers that carry no marketing: +336.")
@click.option("--stop", "stops", multiple=True, metavar="SCOPE=DAY|off", help="everywhere=2027-01-01, categories=off.")
@click.option("--source", help="On whose word.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def set_rule(obj: Context, /, country: str, stops: tuple[str, ...], as_json: bool, **given: Any) -> None:
    """Ask more than the law in a country; what is not named stays. Less than the law is refused with its row."""
    runtime, code = obj.runtime(), country.upper()
    values = {
        name: list(one) if isinstance(one, tuple) else one for name, one in given.items() if one not in (None, ())
    }
    if stops:
        values["stop"] = {**own_law.own(runtime, code).told().get("stop", {}), **dict(map(_stop, stops))}
    _tell(code, own_law.change(runtime, code, values, actor=obj.actor), as_json=as_json)


def _stop(told: str) -> tuple[str, str | None]:
    scope, equals, day = told.partition("=")
    if not equals:
        raise click.UsageError("write --stop as everywhere=2027-01-01 or categories=off")
    return scope, None if day == "off" else day


@click.command("end-rule")
@click.option("--country", required=True, help="Two letters: FR.")
@click.option("--rule", "names", multiple=True, type=click.Choice(NAMES), help="Which one; all, if left out.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def end_rule(obj: Context, country: str, names: tuple[str, ...], as_json: bool) -> None:
    """End rules of one's own in a country: the law's own rows hold there again."""
    code = country.upper()
    _tell(code, own_law.end(obj.runtime(), code, names or NAMES, actor=obj.actor), as_json=as_json)


@click.command("set-roles")
@click.option("--purpose", required=True, help="A purpose's key.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.argument("roles", nargs=-1)
@click.pass_obj
def set_roles(obj: Context, purpose: str, roles: tuple[str, ...], as_json: bool) -> None:
    """Say which professions a purpose concerns; none: no business interest holds for it."""
    told = own_law.change_roles(obj.runtime(), purpose, roles, actor=obj.actor)
    said = json.dumps({"purpose": purpose, "roles": told}, ensure_ascii=False)
    click.echo(said if as_json else f"{purpose}: {', '.join(told) or 'no roles'}")


def _tell(country: str, own: Own, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"country": country, "own": own.told()}, ensure_ascii=False))
    else:
        click.echo(f"{country}: {json.dumps(own.told(), ensure_ascii=False)}")
