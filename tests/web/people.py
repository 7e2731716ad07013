"""People of ours for the tests, and a way to let time pass."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from html import unescape
from typing import Any

from flask import Flask
from sqlalchemy import bindparam, text
from sqlmodel.sql.sqltypes import UTCDateTime
from werkzeug.test import TestResponse

from broadcaster.actions import staff
from broadcaster.actions.runtime import Runtime

ADMIN = "ada@example.org"
PASSWORD = "a calm grey heron"


def first(runtime: Runtime) -> int:
    """Create the first administrator."""
    token = staff.setup_token(runtime)
    assert token is not None
    return staff.create_first(runtime, token, email=ADMIN, name="Ada Admin", password=PASSWORD)


def add(runtime: Runtime, email: str, role: str, *, by: int) -> int:
    """Add somebody who has chosen PASSWORD."""
    made = staff.create(runtime, email=email, name=f"The {role}", role=role, by=by)
    return staff.join(runtime, staff.invite(runtime, made, by=by).rpartition("/")[2], PASSWORD)


def wind_back(runtime: Runtime, table: str, column: str, by: timedelta) -> None:
    """Move a time in every row of *table* into the past."""
    read = text(f"SELECT {column} FROM {table}").columns(**{column: UTCDateTime()})
    write = text(f"UPDATE {table} SET {column} = :moved WHERE {column} = :was").bindparams(
        bindparam("moved", type_=UTCDateTime()), bindparam("was", type_=UTCDateTime())
    )
    with runtime.db.engine.connect() as connection:
        found: list[datetime] = [row[0] for row in connection.execute(read) if row[0] is not None]
        for moment in found:
            connection.execute(write, {"moved": moment - by, "was": moment})
        connection.commit()


class Visitor:
    """A browser: keeps cookies, and sends a form with the token that was in the page."""

    def __init__(self, app: Flask, *, language: str = "en") -> None:
        self.client = app.test_client()
        self.headers = {"Accept-Language": language}

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.open(path, **options)

    def open(self, path: str, **options: Any) -> TestResponse:
        """Send anything, without a token; the whole answer is read."""
        headers = self.headers | options.pop("headers", {})
        return self.client.open(path, headers=headers, buffered=True, **options)

    def post(self, path: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """Send a form with this browser's token, found in *page* or in one that everybody has."""
        form = {"csrf_token": self.csrf(options.pop("page", "/profile"))} | (data or {})
        return self.open(path, method="POST", data=form, **options)

    def csrf(self, *pages: str) -> str:
        for page in (*pages, "/profile", "/sign-in"):
            found = re.search(r'name="csrf_token" value="([^"]+)"', self.get(page).text)
            if found:
                return unescape(found[1])
        return ""

    def signed_in(self, email: str = ADMIN, password: str = PASSWORD) -> Visitor:
        assert self.post("/sign-in", {"email": email, "password": password}).status_code == 303
        return self
