"""Signing in and out, and choosing a password by the link an administrator hands over."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from broadcaster.actions import sign_in, staff
from web.access import Area, public, require
from web.context import TOKEN, anybody, runtime, token
from web.forms import FormModel, Line, Secret, blank, read
from web.gate import local_path
from web.throttle import Throttle

pages = Blueprint("auth", __name__)
DEVICE = "known"
DEVICE_SECONDS = 365 * 86400


class SignIn(FormModel):
    email: Line
    password: Secret
    next: str = ""


class Join(FormModel):
    password: Secret


@pages.get("/sign-in")
@public()
def form() -> ResponseReturnValue:
    """Show the form; who is signed in goes home, and before the set-up everybody goes there."""
    if not staff.anybody(runtime()):
        return redirect(url_for("welcome.ask"))
    if anybody() is not None:
        return redirect(_target(request.args.get("next", "")))
    return render_template("auth/sign_in.html", form=blank(SignIn, next=request.args.get("next", "")))


@pages.post("/sign-in")
@public()
def enter() -> ResponseReturnValue:
    """Check and open a session: a new cookie, whatever the browser brought."""
    _throttle("sign_in").check()
    filled = read(SignIn)
    if filled.data is not None:
        with filled.refusals():
            data, device = filled.data, request.cookies.get(cookie_name(DEVICE), "")
            opened = sign_in.sign_in(runtime(), email=data.email, password=data.password, device=device)
            return begin(opened, _target(data.next))
    filled.values.pop("password", None)
    return render_template("auth/sign_in.html", form=filled), 401 if "" in filled.errors else 422


@pages.post("/sign-out")
@require(Area.OWN)
def leave() -> ResponseReturnValue:
    """End the session on the server, so that a copy of the cookie is worth nothing."""
    sign_in.sign_out(runtime(), token())
    session.clear()
    return redirect(url_for("auth.form"), 303)


@pages.get("/join/<token>")
@public()
def invited(token: str) -> ResponseReturnValue:
    """Show whom the link is for; looking at it uses nothing up."""
    return render_template("auth/join.html", form=blank(Join), person=staff.invited(runtime(), token))


@pages.post("/join/<token>")
@public()
def join(token: str) -> ResponseReturnValue:
    """Set the password and sign in."""
    _throttle("sign_in").check()
    filled = read(Join)
    if filled.data is not None:
        with filled.refusals():
            staff_id = staff.join(runtime(), token, filled.data.password)
            return begin(sign_in.open_for(runtime(), staff_id), url_for("home.index"))
    filled.values.pop("password", None)
    return render_template("auth/join.html", form=filled, person=staff.invited(runtime(), token)), 422


def begin(opened: sign_in.Opened, target: str) -> Response:
    """Give the browser its new session and go to *target*; nothing it brought before stays."""
    if anybody() is not None:
        sign_in.sign_out(runtime(), token())
    session.clear()
    session[TOKEN] = opened.token
    response = make_response(redirect(target, 303))
    response.set_cookie(
        cookie_name(DEVICE),
        opened.device,
        max_age=DEVICE_SECONDS,
        secure=current_app.config["BROADCASTER_HTTPS"],
        httponly=True,
        samesite="Lax",
    )
    return response


def cookie_name(name: str) -> str:
    """Return the cookie's name, bound to this host where the connection is encrypted."""
    return f"__Host-{name}" if current_app.config["BROADCASTER_HTTPS"] else name


def _target(wanted: str) -> str:
    return local_path(wanted) or url_for("home.index")


def _throttle(name: str) -> Throttle:
    throttle = current_app.extensions[f"throttle_{name}"]
    assert isinstance(throttle, Throttle)
    return throttle
