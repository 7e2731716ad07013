"""Fixtures that more than one folder of tests needs. With xdist each worker has servers of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import servers


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
def valkey_server() -> Iterator[servers.Valkey]:
    with servers.valkey() as server:
        yield server


@pytest.fixture
def redis_url(valkey_server: servers.Valkey) -> str:
    """An empty Valkey."""
    valkey_server.flush()
    return valkey_server.url
