"""Privacy: requests about people's data, and erasing a person with what would go shown first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from pydantic import StringConstraints

from broadcaster.actions import contact_views, giving, privacy, requests, staff
from broadcaster.core import requests as clock
from broadcaster.storage import privacy_requests
from web.access import Area, Level, require
from web.consent_forms import moment_of
from web.contacts import name_of
from web.context import me, runtime
from web.forms import Form, FormModel, Line, blank, read
from web.language import _, number
from web.paging import LIMIT, cursor, page
from web.privacy_words import ABOUT, ASKED, GOES, KEPT, KINDS, STATES, STEPS

pages = Blueprint("privacy", __name__)


class Asked(FormModel):
    kind: Line
    date: Line
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=requests.NOTE_MOST)] = ""


class Answered(FormModel):
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=requests.NOTE_MOST)]
    refused: bool = False


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
    return render_template(
        "privacy/index.html", page=shown, names=names, kinds=KINDS, states=STATES, now=datetime.now(UTC)
    )


@pages.get("/privacy/<id:request_id>")
@require(Area.ERASURE)
def show(request_id: int) -> ResponseReturnValue:
    """Show how far a request is, what it closed, and what was touched."""
    return _shown(request_id, blank(Answered))


@pages.get("/privacy/new/<id:contact_id>")
@require(Area.ERASURE, level=Level.WRITE)
def new(contact_id: int) -> ResponseReturnValue:
    return _new(contact_id, blank(Asked, kind="access", date=datetime.now(ZoneInfo(me().time_zone)).date().isoformat()))


@pages.post("/privacy/new/<id:contact_id>")
@require(Area.ERASURE)
def receive(contact_id: int) -> ResponseReturnValue:
    """Note what a person asked; an objection or restriction has taken effect when this answers."""
    filled = read(Asked)
    data = filled.data
    if data is not None:
        with filled.refusals():
            made = requests.receive(
                runtime(),
                contact_id,
                data.kind,
                received_at=moment_of(data.date, me().time_zone),
                note=data.note,
                staff_id=me().id,
                actor=staff.actor(me().id),
            )
            flash(_("Noted. The clock runs."), "success")
            return redirect(url_for("privacy.show", request_id=made), 303)
    return _new(contact_id, filled), 422


@pages.post("/privacy/<id:request_id>/extend")
@require(Area.ERASURE)
def extend(request_id: int) -> ResponseReturnValue:
    requests.extend(runtime(), request_id, actor=staff.actor(me().id))
    flash(_("Two more months. Tell the person, and why, if you have not."), "success")
    return redirect(url_for("privacy.show", request_id=request_id), 303)


@pages.post("/privacy/<id:request_id>/finish")
@require(Area.ERASURE)
def finish(request_id: int) -> ResponseReturnValue:
    """Close a request with a note."""
    filled = read(Answered)
    data = filled.data
    if data is None:
        return _shown(request_id, filled), 422
    requests.finish(runtime(), request_id, note=data.note, refused=data.refused, actor=staff.actor(me().id))
    flash(_("Closed."), "success")
    return redirect(url_for("privacy.show", request_id=request_id), 303)


@pages.post("/privacy/<id:request_id>/package")
@require(Area.ERASURE)
def package(request_id: int) -> ResponseReturnValue:
    """Build the file that a request asks for and give it to the reader, who gives it to the person."""
    made = giving.answer(runtime(), request_id, actor=staff.actor(me().id))
    answer = Response(made.body, mimetype="application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="request-{request_id}.json"'
    return answer


def _new(contact_id: int, form: Form[Asked]) -> str:
    person = contact_views.view(runtime(), contact_id)
    kinds = [(name, words, ABOUT[name]) for name, words in ASKED.items()]
    return render_template("privacy/new.html", person=person, name=name_of(person), kinds=kinds, form=form)


def _shown(request_id: int, form: Form[Answered]) -> str:
    with runtime().db.reading() as session:
        row = privacy_requests.one(session, request_id)
        notes = requests.notes(runtime(), session, row)
    done: Any = row.progress.get("done", [])
    rows: Any = row.progress.get("rows", {})
    steps = [(str(words), name in done, int(rows.get(name, 0))) for name, words in STEPS.items()]
    names = staff.names(runtime(), {row.staff_id} if row.staff_id else set())
    built: Any = row.progress.get("package")
    if built and form.data is None and not form.values:
        form.values["note"] = [_("Their data was handed over as a file of %(rows)s rows.", rows=number(built["rows"]))]
    extendable = clock.extended(row.received_at) > row.due_at >= datetime.now(UTC)
    return render_template(
        "privacy/show.html",
        row=row,
        steps=steps,
        names=names,
        kinds=KINDS,
        states=STATES,
        notes=notes,
        form=form,
        extendable=extendable,
        gives=row.kind in giving.KINDS and row.state != "refused",
        built=built and datetime.fromisoformat(built["at"]),
        late=row.done_at is None and row.due_at < datetime.now(UTC),
    )


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
