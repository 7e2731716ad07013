"""Whether this process can serve: for load balancers and orchestrators. No sign-in, no details."""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue

from broadcaster.core.errors import BroadcasterError
from web.access import public
from web.context import runtime

pages = Blueprint("health", __name__)


@pages.get("/healthz")
@public()
def check() -> ResponseReturnValue:
    """Answer 200 when the database does, else 503."""
    try:
        with runtime().db.reading() as session:
            runtime().db.now(session)
    except BroadcasterError:
        return "unavailable\n", 503, {"Content-Type": "text/plain"}
    return "ok\n", 200, {"Content-Type": "text/plain"}
