"""Staff: who works here, in which role; people get in by a link of their own."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from broadcaster.actions import staff
from broadcaster.core.errors import Conflict, Refused
from web import words
from web.access import Area, require
from web.context import me, runtime
from web.forms import FormModel, Line, blank, read
from web.language import _

pages = Blueprint("staff", __name__)


class NewMember(FormModel):
    name: Line
    email: Line
    role: Line


class Role(FormModel):
    role: Line


@pages.get("/staff")
@require(Area.STAFF)
def index() -> ResponseReturnValue:
    return render_template("staff/index.html", people=staff.everyone(runtime()))


@pages.get("/staff/new")
@require(Area.STAFF)
def new() -> ResponseReturnValue:
    return render_template("staff/new.html", form=blank(NewMember, role="marketer"))


@pages.post("/staff/new")
@require(Area.STAFF)
def create() -> ResponseReturnValue:
    """Add a person and show the link to hand over."""
    filled = read(NewMember)
    if filled.data is not None:
        with filled.refusals():
            data = filled.data
            made = staff.create(
                runtime(),
                email=data.email,
                name=data.name,
                role=data.role,
                by=me().id,
                language=me().language,
                time_zone=me().time_zone,
            )
            return _link(made)
    return render_template("staff/new.html", form=filled), 422


@pages.get("/staff/<id:staff_id>")
@require(Area.STAFF)
def show(staff_id: int) -> ResponseReturnValue:
    person = staff.find(runtime(), staff_id)
    return render_template("staff/show.html", person=person, form=blank(Role, role=person.role))


@pages.post("/staff/<id:staff_id>/link")
@require(Area.STAFF)
def link(staff_id: int) -> ResponseReturnValue:
    """Make a new link: for who has lost it, or their password."""
    return _link(staff_id)


@pages.post("/staff/<id:staff_id>/role")
@require(Area.STAFF)
def role(staff_id: int) -> ResponseReturnValue:
    filled = read(Role)
    if filled.data is not None:
        with filled.refusals():
            staff.change_role(runtime(), staff_id, filled.data.role, by=me().id)
            flash(_("The role was changed; the person has to sign in again."), "success")
            return redirect(url_for("staff.show", staff_id=staff_id), 303)
    person = staff.find(runtime(), staff_id)
    return render_template("staff/show.html", person=person, form=filled), 422


@pages.post("/staff/<id:staff_id>/off")
@require(Area.STAFF)
def switch_off(staff_id: int) -> ResponseReturnValue:
    return _switch(staff_id, active=False)


@pages.post("/staff/<id:staff_id>/on")
@require(Area.STAFF)
def switch_on(staff_id: int) -> ResponseReturnValue:
    return _switch(staff_id, active=True)


def _switch(staff_id: int, *, active: bool) -> ResponseReturnValue:
    try:
        staff.set_active(runtime(), staff_id, active, by=me().id)
        told = _("This person can sign in again.") if active else _("This person was signed out everywhere.")
        flash(told, "success")
    except (Conflict, Refused) as problem:
        flash(words.problem(problem), "danger")
    return redirect(url_for("staff.show", staff_id=staff_id), 303)


def _link(staff_id: int) -> ResponseReturnValue:
    """Show the link once, in the answer itself: it stands in no address, log or history."""
    address = staff.invite(runtime(), staff_id, by=me().id)
    return render_template("staff/link.html", person=staff.find(runtime(), staff_id), address=address)
