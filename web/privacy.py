"""Privacy: requests about people's data, and erasing a person with what would go shown first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from broadcaster.actions import contact_views, privacy, staff
from broadcaster.storage import privacy_requests
from web.access import Area, Level, require
from web.contacts import name_of
from web.context import me, runtime
from web.forms import Form, FormModel, Line, blank, read
from web.language import _
from web.paging import LIMIT, cursor, page
from web.privacy_words import GOES, KEPT, KINDS, STATES, STEPS

pages = Blueprint("privacy", __name__)


class Confirm(FormModel):
    """The contact's own number, typed by hand."""

    number: Line


@pages.get("/privacy")
@require(Area.ERASURE)
def index() -> ResponseReturnValue:
    with runtime().db.reading() as session:
        found = privacy_requests.listing(session, before=cursor(), limit=LIMIT + 1)
    shown = page(found, lambda one: one.id)
    names = staff.names(runtime(), {one.staff_id for one in shown.rows if one.staff_id})
    return render_template("privacy/index.html", page=shown, names=names, kinds=KINDS, states=STATES)


@pages.get("/privacy/<id:request_id>")
@require(Area.ERASURE)
def show(request_id: int) -> ResponseReturnValue:
    """Show how far a request is, what it closed, and what was touched."""
    with runtime().db.reading() as session:
        row = privacy_requests.one(session, request_id)
    done: Any = row.progress.get("done", [])
    rows: Any = row.progress.get("rows", {})
    steps = [(str(words), name in done, int(rows.get(name, 0))) for name, words in STEPS.items()]
    names = staff.names(runtime(), {row.staff_id} if row.staff_id else set())
    return render_template("privacy/show.html", row=row, steps=steps, names=names, kinds=KINDS, states=STATES)


@pages.get("/privacy/erase/<id:contact_id>")
@require(Area.ERASURE, level=Level.WRITE)
def erase(contact_id: int) -> ResponseReturnValue:
    return _preview(contact_id, blank(Confirm))


@pages.post("/privacy/erase/<id:contact_id>")
@require(Area.ERASURE)
def do_erase(contact_id: int) -> ResponseReturnValue:
    """Erase a person whose number was typed; what is on the wire is waited for, at most a few seconds."""
    filled = read(Confirm)
    if filled.data is None or filled.data.number.lstrip("#") != str(contact_id):
        filled.errors.setdefault("number", _("Type the number of this contact."))
        return _preview(contact_id, filled), 422
    told = privacy.erase(runtime(), contact_id, actor=f"staff:{me().id}")
    words = {
        "done": _("The person was erased."),
        "waiting": _("The erasure has begun. It waits for something on the wire and goes on by itself."),
        "already": _("This person had been erased before; nothing was left to do."),
    }
    flash(words[told.state], "success" if told.state == "done" else "info")
    return redirect(url_for("privacy.show", request_id=told.request_id), 303)


def _preview(contact_id: int, form: Form[Confirm]) -> str:
    person = contact_views.view(runtime(), contact_id)
    counts = privacy.what_would_go(runtime(), contact_id)
    goes, stays = _split(counts)
    return render_template("privacy/erase.html", person=person, name=name_of(person), goes=goes, stays=stays, form=form)


def _split(counts: Mapping[str, int]) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return (what goes, what stays or waits), in words."""
    told = [(name, str(GOES.get(name, name.replace("_", " "))), count) for name, count in counts.items() if count]
    return (
        [(words, count) for name, words, count in told if name not in KEPT],
        [(words, count) for name, words, count in told if name in KEPT],
    )
