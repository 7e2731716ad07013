"""An installation with its pages: one process, a real database, nobody signed in."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from flask import Flask

from broadcaster.actions import passwords
from broadcaster.actions.runtime import Runtime
from broadcaster.core import keys
from broadcaster.storage import schema
from broadcaster.storage.database import Database
from tests.web.people import Visitor, add, first
from web.app import create_app


@pytest.fixture(autouse=True)
def _quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash with argon2's smallest parameters: the tests sign in often."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", hasher)
    monkeypatch.setattr(passwords, "_NOBODY", hasher.hash("nobody has this password"))


def opened(url: str, home: Path, ring: keys.KeyRing) -> Runtime:
    return Runtime(db=Database(url), keys=ring, home=home, public_url="http://localhost")


@pytest.fixture(scope="session")
def ring() -> keys.KeyRing:
    return keys.generate(secrets.token_bytes)


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with our schema and nothing in it, made once and copied for each test."""
    path = tmp_path_factory.mktemp("empty") / "test.sqlite3"
    database = Database(f"sqlite:///{path}")
    schema.upgrade(database)
    database.close()
    return path


@pytest.fixture
def runtime(empty_file: Path, tmp_path: Path, ring: keys.KeyRing) -> Iterator[Runtime]:
    """An initialised installation on SQLite."""
    shutil.copy(empty_file, tmp_path)
    made = opened(f"sqlite:///{tmp_path / empty_file.name}", tmp_path, ring)
    yield made
    made.close()


@pytest.fixture
def any_runtime(database_url: str, tmp_path: Path, ring: keys.KeyRing) -> Iterator[Runtime]:
    """An initialised installation, on SQLite and on PostgreSQL."""
    made = opened(database_url, tmp_path, ring)
    schema.upgrade(made.db)
    yield made
    made.close()


@pytest.fixture
def app(runtime: Runtime) -> Flask:
    """The web door of ``runtime``; nobody works there yet."""
    return create_app(runtime)


@pytest.fixture
def staffed(app: Flask, runtime: Runtime) -> dict[str, Visitor]:
    """A signed-in browser for each role."""
    admin = first(runtime)
    visitors = {"admin": Visitor(app).signed_in()}
    for role in ("marketer", "agent", "auditor"):
        add(runtime, f"{role}@example.org", role, by=admin)
        visitors[role] = Visitor(app).signed_in(f"{role}@example.org")
    return visitors
