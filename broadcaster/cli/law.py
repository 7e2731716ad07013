"""``consent rules``: what the law asks in a country, row by row with its source."""

from __future__ import annotations

import json
from typing import Any

import click

from broadcaster.actions.law_view import Shown, shown
from broadcaster.cli.context import Context


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
