"""The first start: who has the link that ``serve`` prints becomes the first administrator."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from broadcaster.actions import sign_in, staff
from web import auth
from web.access import public
from web.context import runtime
from web.forms import FormModel, Line, Secret, blank, read
from web.language import language

pages = Blueprint("welcome", __name__)


class FirstAdmin(FormModel):
    token: Line
    name: Line
    email: Line
    password: Secret
    time_zone: Line = "UTC"


@pages.get("/welcome")
@public()
def ask() -> ResponseReturnValue:
    """Show the form to who has the link, and to everybody else where to find it."""
    if staff.anybody(runtime()):
        return redirect(url_for("auth.form"))
    token = request.args.get("token", "")
    if not staff.is_setup_token(runtime(), token):
        return render_template("auth/no_token.html", wrong=bool(token)), 403 if token else 200
    return render_template("auth/welcome.html", form=blank(FirstAdmin, token=token))


@pages.post("/welcome")
@public()
def create() -> ResponseReturnValue:
    """Create the first administrator and sign in."""
    if staff.anybody(runtime()):
        abort(404)
    filled = read(FirstAdmin)
    data = filled.data
    if data is not None:
        with filled.refusals():
            zone = data.time_zone if data.time_zone in staff.TIME_ZONES else "UTC"
            made = staff.create_first(
                runtime(),
                data.token,
                email=data.email,
                name=data.name,
                password=data.password,
                language=language(),
                time_zone=zone,
            )
            return auth.begin(sign_in.open_for(runtime(), made), url_for("home.index"))
    filled.values.pop("password", None)
    return render_template("auth/welcome.html", form=filled), 422
