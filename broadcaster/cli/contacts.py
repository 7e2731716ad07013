"""``broadcaster contacts``: import, take back, find and show."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from broadcaster.actions import contact_views
from broadcaster.actions.imports import files, jobs, records
from broadcaster.actions.imports import undo as undoing
from broadcaster.actions.imports.report import Reject
from broadcaster.actions.runtime import Runtime
from broadcaster.cli.context import Context, Id, confirm, show
from broadcaster.core.errors import InvalidInput
from broadcaster.core.import_codes import explain
from broadcaster.core.import_columns import Cell, ConsentRule, Mapping, read_mapping

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def contacts() -> None:
    """Import, find and show contacts."""


@contacts.command("import")
@click.argument("file", required=False)
@click.option("--mapping", "mapping_file", type=click.Path(path_type=Path), help="A JSON file that says what is what.")
@click.option("--saved", help="Use the saved mapping of this name.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--resume", type=Id(), metavar="ID", help="Go on with an import that was interrupted.")
@click.option("--delimiter", help="What separates columns; found out if not given.")
@click.option("--encoding", help="How the file is written; found out if not given.")
@click.option("--purpose", help="The purpose that consent in the file is for.")
@click.option("--wording", help="The wording they agreed to: a version, 3/fr, or id:12.")
@click.option("--source", help="Where they agreed, if the file has no column for it.")
@click.option("--date-column", help="The column with the date of consent.")
@click.option("--consent-column", help="The column that says yes or no.")
@click.option("--evidence-column", help="The column with the proof of consent.")
@click.option("--region", help="The country of telephone numbers without +.")
@_AS_JSON
@click.pass_obj
def import_(obj: Context, /, file: str | None, as_json: bool, resume: int | None, dry_run: bool, **told: Any) -> None:
    """Import FILE (CSV or XLSX; - for standard input)."""
    runtime = obj.runtime()
    if resume is not None:
        _finish(runtime, obj, resume, as_json)
    elif file is None:
        raise click.UsageError("say which file to import, or --resume ID")
    elif dry_run:
        if file == "-":
            raise click.UsageError("a dry run needs a file")
        _try_out(runtime, Path(file), told, as_json)
    else:
        import_id = _take(runtime, obj, file, told)
        _finish(runtime, obj, import_id, as_json)


def _take(runtime: Runtime, obj: Context, file: str, told: dict[str, Any]) -> int:
    source: IO[bytes] | Path = sys.stdin.buffer if file == "-" else Path(file)
    import_id = jobs.upload(runtime, source, name=Path(file).name, actor=obj.actor)
    try:
        path = jobs.path_of(runtime, import_id)
        found = files.inspect(path, delimiter=told["delimiter"], encoding=told["encoding"])
        jobs.start(runtime, import_id, found, _mapping(runtime, path, told), actor=obj.actor)
    except BaseException:
        jobs.discard(runtime, import_id, actor=obj.actor)
        raise
    return import_id


def _finish(runtime: Runtime, obj: Context, import_id: int, as_json: bool) -> None:
    with _progress() as watch:
        report = records.finish(runtime, import_id, actor=obj.actor, watch=watch)
    show({"import_id": import_id, **report.as_json()}, as_json=as_json)


def _try_out(runtime: Runtime, path: Path, told: dict[str, Any], as_json: bool) -> None:
    found = files.inspect(path, delimiter=told["delimiter"], encoding=told["encoding"])
    with _progress() as watch:
        dry = jobs.dry_run(runtime, path, found, _mapping(runtime, path, told), watch=watch)
    shown = [_shown(one) for one in dry.rejects]
    result = {"dry_run": True, **dry.report.as_json()}
    show({**result, "not_taken": shown} if as_json else result, as_json=as_json)
    if not as_json:
        for one in shown[:20]:
            click.echo(f"line {one['line']}: {one['field']}: {one['message']}", err=True)


def _shown(one: Reject) -> dict[str, Any]:
    return {**one._asdict(), "message": explain(one.code)}


def _mapping(runtime: Runtime, path: Path, told: dict[str, Any]) -> Mapping:
    """Return the mapping that was given, or the one the header suggests with what the options add."""
    if told["mapping_file"] is not None:
        try:
            return read_mapping(json.loads(told["mapping_file"].read_text(encoding="utf-8")))
        except (OSError, ValueError) as problem:
            raise InvalidInput(f"The mapping cannot be read: {problem}", code="mapping", field="mapping") from None
    if told["saved"] is not None:
        for _, name, mapping in records.mappings(runtime):
            if name == told["saved"]:
                return mapping
        raise InvalidInput("There is no saved mapping of that name.", code="mapping", field="saved")
    seen = jobs.preview(path, purpose=told["purpose"], delimiter=told["delimiter"], encoding=told["encoding"])
    rule = _with_options(seen.consent or ConsentRule(purpose=told["purpose"] or "-"), told)
    consents = [rule.model_dump()] if told["purpose"] else []
    return read_mapping({"columns": seen.columns, "consents": consents, "region": told["region"]})


def _with_options(rule: ConsentRule, told: dict[str, Any]) -> ConsentRule:
    changes: dict[str, Cell] = {}
    for part, option in (("date", "date_column"), ("answer", "consent_column"), ("evidence", "evidence_column")):
        if told[option]:
            changes[part] = Cell(column=told[option])
    for part in ("wording", "source"):
        if told[part]:
            changes[part] = Cell(value=told[part])
    return rule.model_copy(update=changes)


@contextmanager
def _progress() -> Iterator[jobs.Watch]:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.completed:>9.0f} / {task.total:.0f} rows"),
        BarColumn(),
        TextColumn("{task.fields[rate]}"),
    )
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("import", total=1, rate="")

        def watch(now: jobs.Progress) -> None:
            bar.update(task, completed=now.done, total=max(now.total, 1), rate=f"{now.rate:.0f} rows/s")

        yield watch


@contacts.command("imports")
@_AS_JSON
@click.pass_obj
def imports(obj: Context, as_json: bool) -> None:
    """List imports, newest first."""
    found = records.listing(obj.runtime())
    if as_json:
        shown = [{**asdict(one), "report": one.report.as_json()} for one in found]
        show({"imports": shown}, as_json=True)
        return
    for one in found:
        total = one.rows_total if one.rows_total is not None else "?"
        click.echo(f"{one.id:>6}  {one.state:<9} {one.rows_done}/{total}  {one.created_at:%Y-%m-%d %H:%M}  {one.name}")


@contacts.command("undo")
@click.argument("import_id", type=Id())
@click.option("--yes", is_flag=True, help="Do not ask.")
@_AS_JSON
@click.pass_obj
def undo(obj: Context, import_id: int, yes: bool, as_json: bool) -> None:
    """Take an import back: nobody stays reachable through it."""
    confirm(f"Take back import {import_id}?", yes=yes)
    done = undoing.undo(obj.runtime(), import_id, actor=obj.actor)
    show({"import_id": import_id, **asdict(done)}, as_json=as_json)


@contacts.command("rejects")
@click.argument("import_id", type=Id())
@click.option("--output", type=click.Path(path_type=Path), help="Where to write; standard output if not given.")
@click.pass_obj
def rejects(obj: Context, import_id: int, output: Path | None) -> None:
    """Write what an import did not take, and why, as CSV. Values of people are not in it."""
    told = records.rejects(obj.runtime(), import_id)
    if output is None:
        records.write_rejects(told, sys.stdout)
        return
    try:
        with output.open("x", newline="", encoding="utf-8") as file:
            count = records.write_rejects(told, file)
    except OSError as problem:
        raise InvalidInput(f"{output}: {problem.strerror}", code="output", field="output") from None
    click.echo(f"{count} lines in {output}", err=True)


@contacts.command("find")
@click.argument("text", default="")
@click.option("--group", default="")
@click.option("--country", default="")
@click.option("--language", default="")
@click.option("--limit", default=50, show_default=True)
@click.option("--after", type=Id(), help="The cursor of the page before.")
@_AS_JSON
@click.pass_obj
def find(obj: Context, /, text: str, limit: int, after: int | None, as_json: bool, **narrow: str) -> None:
    """Find contacts by a whole address, a customer number, or words of a name."""
    page = contact_views.search(obj.runtime(), text, cursor=after, limit=limit, **narrow)
    if as_json:
        show({"contacts": [asdict(one) for one in page.lines], "cursor": page.cursor}, as_json=True)
        return
    if not page.lines:
        click.echo("nobody was found", err=True)
    for one in page.lines:
        click.echo(
            f"{one.id:>8}  {one.name:<30} {one.country or '--'} {one.language or '--'}  {', '.join(one.addresses)}"
        )


@contacts.command("show")
@click.argument("contact_id", type=Id())
@_AS_JSON
@click.pass_obj
def show_(obj: Context, contact_id: int, as_json: bool) -> None:
    """Show everything about one contact, in clear."""
    view = contact_views.view(obj.runtime(), contact_id)
    if as_json:
        show(asdict(view), as_json=True)
        return
    show({"id": view.id, "state": view.state, **view.fields}, as_json=False)
    for address in view.addresses:
        states = ", ".join(f"{one.purpose} {one.standing} since {one.since:%Y-%m-%d}" for one in address.standings)
        click.echo(f"{address.channel:>12}  {address.value}  {states or 'no consent'}")
    for event in view.consents:
        effect = " (no effect)" if event.ineffective else ""
        click.echo(f"{event.occurred_at:%Y-%m-%d %H:%M}  {event.purpose} {event.action} by {event.source}{effect}")
