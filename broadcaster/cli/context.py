"""What every verb gets: the settings, the runtime when it needs one, and who acts."""

from __future__ import annotations

import getpass
import json
import sys
from functools import cached_property
from typing import Any

import click

from broadcaster import config
from broadcaster.actions.runtime import Runtime, open_runtime
from broadcaster.config import Settings
from broadcaster.core.errors import NotFound
from broadcaster.core.ids import to_id


class Id(click.ParamType[int]):
    """An id on a command line: whatever else stands there is not found, as in the address of a page."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = to_id(str(value))
        if found is None:
            raise NotFound("there is no such id: ids are whole numbers from 1 on")
        return found


class Context:
    """Made once per command; opens nothing before it is asked."""

    @cached_property
    def settings(self) -> Settings:
        return config.load()

    @cached_property
    def _opened(self) -> Runtime:
        settings = self.settings
        return open_runtime(
            database_url=settings.database,
            keys_text=config.read_keys(settings),
            home=settings.home,
            public_url=settings.public_url,
        )

    def runtime(self) -> Runtime:
        """Return the installation, opened. Raises what ``open_runtime`` raises."""
        return self._opened

    @property
    def actor(self) -> str:
        """Return who acts, for the log: the user of the operating system."""
        try:
            return f"cli:{getpass.getuser()}"
        except (KeyError, OSError):
            return "cli:unknown"


def show(value: dict[str, Any], *, as_json: bool) -> None:
    """Print a result: one JSON object, or a line per value."""
    if as_json:
        click.echo(json.dumps(value, ensure_ascii=False, default=str, indent=2))
        return
    width = max((len(key) for key in value), default=0)
    for key, one in value.items():
        click.echo(f"{key.replace('_', ' '):<{width}}  {_plain(one)}")


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in value.items()) or "none"
    return str(value)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before what cannot be undone; without a terminal, ``--yes`` is needed (exit 2)."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("this cannot be undone: say --yes to go on (confirmation_needed)")
    click.confirm(question, abort=True)
