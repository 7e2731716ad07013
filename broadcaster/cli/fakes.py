"""``fake-provider``: try the product without an account."""

from __future__ import annotations

import click

from broadcaster.fakes import providers


@click.command()
@click.argument("name", type=click.Choice(list(providers.PROVIDERS)))
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="0: a free one, printed.")
def fake_provider(name: str, port: int) -> None:
    """Run the fake of a provider until interrupted; set its address as the base URL, or server, of an account."""
    providers.run(name, port)
