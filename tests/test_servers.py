"""The servers that all other tests stand on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
from sqlalchemy import create_engine, text

from tests import servers

ROOT = Path(__file__).parents[1]


def test_database_is_empty_and_takes_rows(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("create table seen (id integer primary key)"))
        connection.execute(text("insert into seen values (1)"))
        assert connection.scalar(text("select count(*) from seen")) == 1
    engine.dispose()


def test_database_is_gone_afterwards(pg_server: servers.Postgres) -> None:
    with pg_server.database() as url:
        pass
    engine = create_engine(url)
    with pytest.raises(Exception, match="does not exist"):
        engine.connect()
    engine.dispose()


def test_template_gives_its_tables(pg_server: servers.Postgres) -> None:
    template = pg_server.create_database()
    engine = create_engine(pg_server.url(template))
    with engine.begin() as connection:
        connection.execute(text("create table made (id integer)"))
    engine.dispose()

    with pg_server.database(template=template) as url:
        engine = create_engine(url)
        with engine.connect() as connection:
            assert connection.scalar(text("select count(*) from made")) == 0
        engine.dispose()
    pg_server.drop_database(template)


def test_valkey_answers(redis_url: str) -> None:
    with redis.from_url(redis_url) as client:
        assert client.set("key", "value")
        assert client.get("key") == b"value"


def test_durable_postgres_keeps_what_it_committed_when_killed() -> None:
    with servers.postgres(durable=True) as server:
        if os.environ.get("BROADCASTER_TEST_PG"):
            pytest.skip("the server belongs to somebody else")
        engine = create_engine(server.url("postgres"))
        with engine.begin() as connection:
            connection.execute(text("create table kept as select 7 as id"))
        engine.dispose()

        server.kill()
        server.start()

        with engine.connect() as connection:
            assert connection.scalar(text("select id from kept")) == 7
            assert connection.scalar(text("show synchronous_commit")) == "on"
        engine.dispose()


def test_server_dies_with_a_killed_owner() -> None:
    script = "from tests import servers\nwith servers.valkey() as server: print(server.daemon.pid, flush=True); input()"
    owner = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    with owner:
        assert owner.stdout is not None
        server = int(owner.stdout.readline())
        os.kill(server, 0)
        owner.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while _runs(server) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(server)


def _runs(pid: int) -> bool:
    """A dead process that nobody has collected does not count."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
