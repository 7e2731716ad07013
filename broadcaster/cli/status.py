"""``status``: what the engine is doing now."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from broadcaster.actions import engine
from broadcaster.cli.context import Context, show

_WATCH_SECONDS = 2.0
_TABLES = ("under_way", "accounts", "workers")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--watch", is_flag=True, help="Look again every two seconds, until interrupted.")
@click.pass_obj
def status(obj: Context, as_json: bool, watch: bool) -> None:
    """Say what the engine is doing now: campaigns, accounts, workers, what is due, the log."""
    if as_json and watch:
        raise click.UsageError("--json prints once: leave out --watch")
    while True:
        told = engine.status(obj.runtime())
        if watch:
            click.clear()
        if as_json:
            show(told, as_json=True)
        else:
            _print(told)
        if not watch:
            return
        time.sleep(_WATCH_SECONDS)


def _print(told: Mapping[str, Any]) -> None:
    for name in _TABLES:
        click.echo(f"{name.replace('_', ' ')}:")
        click.echo("\n".join(_table(told[name])) or "  none")
    if told["unserved"]:
        click.echo(f"NO WORKER SENDS ON: {', '.join(told['unserved'])}")
    show({key: value for key, value in told.items() if key not in {*_TABLES, "unserved"}}, as_json=False)


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return aligned lines, the names of the columns first."""
    if not rows:
        return []
    lines = [[key.replace("_", " ") for key in rows[0]], *([_cell(one) for one in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [[f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)] for line in lines]
    return [("  " + "  ".join(line)).rstrip() for line in padded]


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "-" if value is None or value == "" else str(value)
