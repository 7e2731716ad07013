"""What a page works with: the installation, and who is at the screen."""

from __future__ import annotations

from typing import cast

from flask import current_app, g, session

from broadcaster.actions import sign_in
from broadcaster.actions.runtime import Runtime
from broadcaster.actions.staff import Member

TOKEN = "token"  #: where the signed cookie keeps the browser's session token


def runtime() -> Runtime:
    return cast(Runtime, current_app.extensions["broadcaster"])


def identify() -> Member | None:
    """Look up once per request whose browser this is."""
    if "staff" not in g:
        token = session.get(TOKEN)
        g.staff = sign_in.who(runtime(), token) if isinstance(token, str) else None
    return anybody()


def anybody() -> Member | None:
    """Return who is signed in, None before the gate has looked or on a public page; never asks the database."""
    return cast(Member | None, g.get("staff"))


def me() -> Member:
    """Return who is signed in, on a page that nobody else reaches."""
    person = anybody()
    assert person is not None, "this page is open to everybody"
    return person


def token() -> str:
    """Return the token of this browser's session."""
    return str(session.get(TOKEN, ""))
