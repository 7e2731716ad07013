"""An installation with its pages: one process, a real database, nobody signed in."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from broadcaster.actions import passwords
from broadcaster.actions.runtime import Runtime
from broadcaster.core import keys
from broadcaster.storage import schema
from broadcaster.storage.database import Database


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash with argon2's smallest parameters: the tests sign in often."""
    hasher = passwords.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", hasher)
    monkeypatch.setattr(passwords, "_NOBODY", hasher.hash("nobody has this password"))


def open_runtime(url: str, home: Path) -> Runtime:
    database = Database(url)
    schema.upgrade(database)
    return Runtime(db=database, keys=keys.generate(secrets.token_bytes), home=home, public_url="http://localhost")


@pytest.fixture
def runtime(sqlite_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """An initialised installation on SQLite."""
    made = open_runtime(sqlite_url, tmp_path)
    yield made
    made.close()


@pytest.fixture
def any_runtime(database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """An initialised installation, on SQLite and on PostgreSQL."""
    made = open_runtime(database_url, tmp_path)
    yield made
    made.close()
