"""The gate every request passes: who, which role, and whether the form is one of ours.

Closed by default: a view that nobody marked is refused.
"""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect  # type: ignore[import-untyped]

from broadcaster.actions import staff
from broadcaster.core.errors import Refused
from web.access import SAFE_METHODS, Access, access_to, may
from web.context import identify, runtime

log = logging.getLogger("broadcaster.web")


def install(app: Flask) -> None:
    """Ask before every view. The order matters: role first, so that a refusal does not depend on the form."""
    app.config.update(WTF_CSRF_CHECK_DEFAULT=False, WTF_CSRF_TIME_LIMIT=None, WTF_CSRF_SSL_STRICT=False)
    CSRFProtect(app)
    app.before_request(_gate)


def _gate() -> ResponseReturnValue | None:
    if request.endpoint is None:
        identify()  # no such page: the error handler says so, within the reader's menu
        return None
    access = access_to(current_app, request.endpoint)
    if access is None:
        log.error("view without access rule: %s", request.endpoint)
        raise Refused("This page is closed.", code="closed")
    if access.area is not None:
        refused = _check_person(access)
        if refused is not None:
            return refused
    elif request.endpoint != "static":
        identify()  # a public page greets who is signed in
    if access.csrf and request.method not in SAFE_METHODS:
        _check_origin()
        current_app.extensions["csrf"].protect()
    return None


def _check_person(access: Access) -> ResponseReturnValue | None:
    assert access.area is not None
    person = identify()
    if person is None:
        return _to_sign_in()
    if not may(person.role, access.area, access.wants(request.method)):
        log.warning("access denied: staff=%d endpoint=%s request=%s", person.id, request.endpoint, g.request_id)
        raise Refused("Your role does not allow this.", code="role")
    return None


def _to_sign_in() -> ResponseReturnValue:
    session.pop("token", None)
    if not staff.anybody(runtime()):
        return redirect(url_for("welcome.ask"))
    if request.headers.get("HX-Request"):
        return "", 401, {"HX-Refresh": "true"}
    if request.method not in SAFE_METHODS:
        return redirect(url_for("auth.form"), 303)
    return redirect(url_for("auth.form", next=request.full_path.rstrip("?")))


def _check_origin() -> None:
    """Refuse a form that another site sent, even with a token: the browser says where it stood."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        abort(400, "foreign_origin")
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != request.host:
        abort(400, "foreign_origin")


def local_path(target: str) -> str | None:
    """Return *target* if it is a path on this site, None for everything that could lead elsewhere."""
    parts = urlsplit(target)
    plain = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return target if plain and not parts.scheme and not parts.netloc and "\\" not in target else None
