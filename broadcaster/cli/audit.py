"""``broadcaster audit`` and ``broadcaster log``: export the consent log, verify the log. Nothing is changed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import click

from broadcaster.actions import audit as actions
from broadcaster.actions import sequencer
from broadcaster.actions.audit import Format, Reader
from broadcaster.cli.context import Context, Id, show
from broadcaster.core.consent import Action, Source
from broadcaster.core.errors import Conflict, NotFound, Unavailable
from broadcaster.storage import log as log_rows
from broadcaster.storage.audit import Filter

_DAY = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


@click.group()
def audit() -> None:
    """Export the consent log."""


@audit.command("export")
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="csv", show_default=True)
@click.option("--contact", type=Id(), help="Only this person, by id.")
@click.option("--address", help="Only this address.")
@click.option("--purpose", help="Only this purpose and those below it, by key.")
@click.option("--channel", help="Only this channel.")
@click.option("--action", type=click.Choice([one.value for one in Action]), help="Only this kind of event.")
@click.option("--source", type=click.Choice([one.value for one in Source]), help="Only events that came this way.")
@click.option("--since", type=click.DateTime(_DAY), help="Received at or after this time, UTC.")
@click.option("--until", type=click.DateTime(_DAY), help="Received before this time, UTC.")
@click.option("--unmasked", is_flag=True, help="Show addresses and evidence; needs --reason.")
@click.option("--reason", default="", help="Why addresses must be readable; kept in the log.")
@click.option("--bom", is_flag=True, help="Begin a CSV with a byte order mark, for spreadsheets that need it.")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="A new file; else the screen.")
@click.pass_obj
def export(
    context: Context,
    form: Format,
    contact: int | None,
    address: str | None,
    purpose: str | None,
    channel: str | None,
    action: str | None,
    source: str | None,
    since: datetime | None,
    until: datetime | None,
    unmasked: bool,
    reason: str,
    bom: bool,
    output: Path | None,
) -> None:
    """Write the consent log as CSV or JSON Lines, oldest event first, with the wording each person was shown.

    The export is noted in the log. An existing file is never overwritten.
    """
    runtime = context.runtime()
    wanted = Filter(
        contact_id=contact,
        digests=None if address is None else actions.digests_of(runtime, address),
        purpose_id=None if purpose is None else actions.purpose_id(runtime, purpose),
        channel=channel,
        since=_utc(since),
        until=_utc(until),
        action=None if action is None else Action(action),
        source=None if source is None else Source(source),
    )
    reader = Reader(context.actor, unmasked=unmasked, reason=reason)
    with _written(output) as file:
        for line in actions.export(runtime, wanted, reader, form=form, bom=bom):
            file.write(line)


def _utc(moment: datetime | None) -> datetime | None:
    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=UTC)


@contextmanager
def _written(output: Path | None) -> Iterator[IO[str]]:
    """Yield a file that appears under its name only when it is whole.

    Raises Conflict if the name is taken, NotFound without its folder, Unavailable if it cannot be written.
    """
    if output is None:
        yield sys.stdout
        return
    if output.exists():
        raise Conflict("that file exists; choose another name", code="file_exists")
    part = output.with_name(f".{output.name}.{os.getpid()}.part")
    try:
        with open(part, "x", encoding="utf-8", newline="", opener=_private) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.link(part, output)  # unlike a rename it refuses a name that was taken meanwhile
    except FileNotFoundError:
        raise NotFound("there is no such folder") from None
    except FileExistsError:
        raise Conflict("that file exists; choose another name", code="file_exists") from None
    except OSError as problem:
        raise Unavailable(f"the file cannot be written: {problem.strerror}", code="not_written") from None
    finally:
        part.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@click.group()
def log() -> None:
    """Verify the log."""


@log.command("verify")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def verify(ctx: click.Context, as_json: bool) -> None:
    """Walk the whole log: every leaf, what stands under it, the tree, its signatures. Exit 8 if anything is wrong."""
    context: Context = ctx.obj
    found = sequencer.verify(context.runtime())
    told = {"ok": found.ok, **asdict(found)}
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False))
    else:
        problems = told.pop("problems")
        show(told, as_json=False)
        for problem in problems:
            click.echo(f"problem: {problem}", err=True)
    if not found.ok:
        ctx.exit(8)


@log.command("head")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def head(context: Context, as_json: bool) -> None:
    """Print the newest signed head of the log (a C2SP checkpoint); keep it elsewhere to prove later what was there."""
    runtime = context.runtime()
    with runtime.db.reading() as session:
        newest = log_rows.head(session)
    if newest is None:
        raise NotFound("the log has no signed head yet", code="no_head")
    told = {"size": newest.size, "root": newest.root.hex(), "note": newest.note}
    if as_json:
        show({**told, "keys": sequencer.verifier_keys(runtime)}, as_json=True)
    else:
        click.echo(newest.note, nl=False)
