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
from web.language import _, _l
from web.paging import LIMIT, cursor, page

pages = Blueprint("privacy", __name__)

KINDS = {
    "access": _l("Access"),
    "portability": _l("Data to take along"),
    "rectification": _l("Correction"),
    "erasure": _l("Erasure"),
    "objection": _l("Objection"),
    "restriction": _l("Restriction"),
}
STATES = {
    "received": (_l("received"), "yellow"),
    "running": (_l("under way"), "blue"),
    "done": (_l("done"), "green"),
    "refused": (_l("refused"), "red"),
}
#: The steps of an erasure, in order.
STEPS = {
    "stop": _l("Everything stopped; what was planned will not go out"),
    "close": _l("Refusal remembered by keyed hash, erasure written into the log"),
    "evidence": _l("Evidence of consent and log contents destroyed"),
    "sends": _l("Traces of campaign messages destroyed"),
    "messages": _l("Messages destroyed"),
    "mailboxes": _l("Messages as received destroyed"),
    "particulars": _l("Name, addresses, fields and history destroyed"),
    "keys": _l("The person's keys destroyed"),
    "scrub": _l("Storage scrubbed"),
}
#: What an erasure takes away, as ``privacy.what_would_go`` counts it.
KEPT = ("shared_addresses_kept", "in_flight", "planned_sends_stopped")
GOES = {
    "contacts": _l("Contacts that are this person"),
    "addresses": _l("Addresses that are theirs alone"),
    "consent_events_closed": _l("Evidence of consent"),
    "sends_closed": _l("Traces of campaign messages"),
    "messages": _l("Messages"),
    "conversations": _l("Conversations"),
    "inbound_events": _l("Messages as received"),
    "outbox_items": _l("Messages in the outbox"),
    "clicks": _l("Clicks"),
    "preferences": _l("Changes of what they told us"),
    "interests": _l("Interests"),
    "groups": _l("Memberships of groups"),
    "lists": _l("Memberships of lists"),
    "shared_addresses_kept": _l("Addresses shared with others: they stay, only the link goes"),
    "in_flight": _l("Messages on the wire: they are waited for"),
    "planned_sends_stopped": _l("Planned messages that will not go out"),
}


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
