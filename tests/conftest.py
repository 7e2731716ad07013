"""Fixtures that more than one folder of tests needs. With xdist each worker has servers of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from broadcaster.actions.runtime import Runtime
from broadcaster.storage import schema
from broadcaster.storage.database import Database
from tests import factories, servers


@pytest.fixture(scope="session")
def pg_server() -> Iterator[servers.Postgres]:
    with servers.postgres() as server:
        yield server


@pytest.fixture
def postgres_url(pg_server: servers.Postgres) -> Iterator[str]:
    """An empty PostgreSQL database of this test's own."""
    with pg_server.database() as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An SQLite file of this test's own, not made yet."""
    return f"sqlite:///{tmp_path / 'test.sqlite3'}"


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Runs the test on both engines; only the one in use is started."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.sqlite3"
    database = Database(f"sqlite:///{path}")
    schema.upgrade(database)
    database.close()
    return path


@pytest.fixture(scope="session")
def _postgres_template(pg_server: servers.Postgres) -> str:
    name = pg_server.create_database()
    database = Database(pg_server.url(name))
    schema.upgrade(database)
    database.close()
    return name


@pytest.fixture(params=["sqlite", "postgres"])
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Runs the test on both engines with the tables in place: a copy is made faster than a migration runs."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("_sqlite_template"), tmp_path / "test.sqlite3")
        yield f"sqlite:///{tmp_path / 'test.sqlite3'}"
        return
    server: servers.Postgres = request.getfixturevalue("pg_server")
    with server.database(template=request.getfixturevalue("_postgres_template")) as url:
        yield url


@pytest.fixture
def runtime(migrated_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """An installation whose sending windows are open, on each engine in turn."""
    with factories.installation(migrated_url, tmp_path) as made:
        yield made


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[servers.Valkey]:
    with servers.valkey() as server:
        yield server


@pytest.fixture
def redis_url(valkey_server: servers.Valkey) -> str:
    """An empty Valkey."""
    valkey_server.flush()
    return valkey_server.url
