"""One's own profile: name, language, time zone, password, and the browsers that are signed in."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from broadcaster.actions import profile, sign_in, staff
from web.access import Area, require
from web.context import me, runtime, token
from web.forms import Form, FormModel, Line, Secret, blank, read
from web.language import _

pages = Blueprint("profile", __name__)


class About(FormModel):
    name: Line
    language: Line
    time_zone: Line


class NewPassword(FormModel):
    current: Secret
    password: Secret


@pages.get("/profile")
@require(Area.OWN)
def index() -> ResponseReturnValue:
    return _page(_about(), blank(NewPassword))


@pages.post("/profile")
@require(Area.OWN)
def save() -> ResponseReturnValue:
    filled = read(About)
    if filled.data is not None:
        with filled.refusals():
            data = filled.data
            profile.set_profile(runtime(), me().id, name=data.name, language=data.language, time_zone=data.time_zone)
            flash(_("Saved."), "success")
            return redirect(url_for("profile.index"), 303)
    return _page(filled, blank(NewPassword)), 422


@pages.post("/profile/password")
@require(Area.OWN)
def change_password() -> ResponseReturnValue:
    """Change the password; the other browsers are signed out."""
    filled = read(NewPassword)
    if filled.data is not None:
        with filled.refusals():
            data = filled.data
            profile.set_password(runtime(), me().id, current=data.current, new=data.password, keep_token=token())
            flash(_("Your password was changed. Other browsers were signed out."), "success")
            return redirect(url_for("profile.index"), 303)
    filled.values.clear()
    return _page(_about(), filled), 422


@pages.post("/profile/sessions")
@require(Area.OWN)
def end_others() -> ResponseReturnValue:
    sign_in.sign_out_others(runtime(), me().id, keep_token=token())
    flash(_("Other browsers were signed out."), "success")
    return redirect(url_for("profile.index"), 303)


def _about() -> Form[About]:
    person = me()
    return blank(About, name=person.name, language=person.language, time_zone=person.time_zone)


def _page(about: Form[About], password: Form[NewPassword]) -> str:
    sessions = sign_in.open_sessions(runtime(), me().id, token=token())
    zones = [(zone, zone.replace("_", " ")) for zone in sorted(staff.TIME_ZONES) if "/" in zone or zone == "UTC"]
    return render_template("profile.html", about=about, password=password, sessions=sessions, zones=zones)
