"""``fake-provider``: try the product without an account."""

from __future__ import annotations

import importlib

import click

FAKES = ("telegram", "twilio", "mail")


@click.command()
@click.argument("name", type=click.Choice(FAKES))
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="0: a free one, printed.")
def fake_provider(name: str, port: int) -> None:
    """Run the fake of a provider until interrupted; set its address as the base URL of an account."""
    importlib.import_module(f"broadcaster.fakes.{name}").run(name, port)
