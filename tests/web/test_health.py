"""The page that orchestrators ask."""

from __future__ import annotations

from dataclasses import replace

from flask import Flask

from broadcaster.actions.runtime import Runtime
from broadcaster.storage.database import Database
from tests import servers
from web.app import create_app


def test_it_is_well_when_the_database_answers_under_any_name(app: Flask) -> None:
    answer = app.test_client().get("/healthz", headers={"Host": "10.1.2.3:8000"})
    assert (answer.status_code, answer.text) == (200, "ok\n")


def test_it_is_not_when_the_database_does_not(runtime: Runtime) -> None:
    nowhere = Database(f"postgresql+psycopg://nobody@127.0.0.1:{servers.free_port()}/nothing")
    answer = create_app(replace(runtime, db=nowhere)).test_client().get("/healthz")
    assert (answer.status_code, answer.text) == (503, "unavailable\n")
