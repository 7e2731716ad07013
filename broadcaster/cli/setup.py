"""``init``."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import click

from broadcaster import config
from broadcaster.cli.context import Context
from broadcaster.config import Settings
from broadcaster.core import keys
from broadcaster.storage import schema
from broadcaster.storage.database import Database


@click.command()
@click.pass_obj
def init(obj: Context) -> None:
    """Make keys and database, or bring the database up to this version. Safe to run again."""
    prepare(obj.settings)
    click.echo(f"Ready. Keys: {obj.settings.keys_file} (keep a copy apart from the database). Next: broadcaster serve")


def prepare(settings: Settings) -> None:
    """Make the home folder and the keys unless they exist, and migrate the database."""
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not config.read_keys(settings):
        write_private(settings.keys_file, keys.generate(secrets.token_bytes).dump())
    database = Database(settings.database)
    try:
        schema.upgrade(database)
    finally:
        database.close()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read; refuses to overwrite."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
