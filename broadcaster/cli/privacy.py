"""``broadcaster privacy``: a person's data as a file, erase a person, or see what an erasure would take away."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from broadcaster.actions import audit, giving
from broadcaster.actions import privacy as actions
from broadcaster.actions.runtime import Runtime
from broadcaster.cli.context import Context, Id, confirm, show
from broadcaster.cli.setup import write_private
from broadcaster.core.errors import NotFound

_WORDS = {
    "done": "erased",
    "already": "already erased; nothing was changed",
    "waiting": "stopped; the rest is erased as soon as what is on the wire has ended",
}


@click.group()
def privacy() -> None:
    """Give a person their data, or erase them."""


@privacy.command("erase")
@click.argument("contact_id", type=Id(), required=False)
@click.option("--address", help="The person who uses this address, instead of an id.")
@click.option("--yes", is_flag=True, help="Do not ask. Needed where nobody can be asked.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def erase(ctx: click.Context, contact_id: int | None, address: str | None, yes: bool, as_json: bool) -> None:
    """Erase a person for ever: every word of theirs, their keys, what opens their events in the log.

    A keyed hash of each address stays, so that nobody writes to it again unless the person asks for it.
    """
    context: Context = ctx.obj
    runtime = context.runtime()
    person = _one(ctx, runtime, contact_id, address, as_json=as_json)
    if not as_json and not yes:
        show(actions.what_would_go(runtime, person), as_json=False)
    confirm(f"Erase contact {person} for ever?", yes=yes)
    done = actions.erase(runtime, person, actor=context.actor)
    if as_json:
        click.echo(json.dumps(asdict(done)))
    else:
        click.echo(f"contact {done.contact_id}: {_WORDS[done.state]}")


@privacy.command("preview")
@click.argument("contact_id", type=Id(), required=False)
@click.option("--address", help="The person who uses this address, instead of an id.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def preview(ctx: click.Context, contact_id: int | None, address: str | None, as_json: bool) -> None:
    """Count what an erasure would take away; change nothing."""
    context: Context = ctx.obj
    runtime = context.runtime()
    person = _one(ctx, runtime, contact_id, address, as_json=as_json)
    show({"contact_id": person, **actions.what_would_go(runtime, person)}, as_json=as_json)


@privacy.command("export")
@click.argument("contact_id", type=Id(), required=False)
@click.option("--address", help="The person who uses this address, instead of an id.")
@click.option("--request", "request_id", type=Id(), help="The request it answers, instead of a person.")
@click.option("--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="A file to be made.")
@click.option("--reason", default="asked by the person", show_default=True, help="Stands in the log.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def export(
    ctx: click.Context,
    contact_id: int | None,
    address: str | None,
    request_id: int | None,
    output: Path,
    reason: str,
    as_json: bool,
) -> None:
    """Write everything we hold of a person into one JSON file that only its owner can read; logged."""
    context: Context = ctx.obj
    runtime = context.runtime()
    if output.exists():
        raise click.UsageError("this file exists already")
    if request_id is not None:
        made = giving.answer(runtime, request_id, actor=context.actor)
    else:
        person = _one(ctx, runtime, contact_id, address, as_json=as_json)
        made = giving.give(runtime, person, reason=reason, actor=context.actor)
    write_private(output, made.body.decode())
    show({"file": str(output), "rows": made.rows}, as_json=as_json)


def _one(ctx: click.Context, runtime: Runtime, contact_id: int | None, address: str | None, *, as_json: bool) -> int:
    """Return the one person who is meant. Exits 5 with the choices if an address is shared by several."""
    if (contact_id is None) == (address is None):
        raise click.UsageError("give either a contact's id or --address")
    if contact_id is not None:
        return contact_id
    found = audit.people_with(runtime, address or "")
    if not found:
        raise NotFound("nobody uses this address")
    if len(found) > 1:
        choices = ", ".join(str(one) for one in found)
        if as_json:
            click.echo(json.dumps({"error": "ambiguous", "choices": found}))
        click.echo(f"several people use this address: contacts {choices}; say which", err=True)
        ctx.exit(5)
    return found[0]
