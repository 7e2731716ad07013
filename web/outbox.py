"""The outbox: what the sandbox would have sent, to be read on screen."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from broadcaster.actions import outbox
from broadcaster.channels import registry
from broadcaster.storage import listings
from web.access import Area, require
from web.context import runtime
from web.language import _l
from web.letter import letter_page
from web.paging import LIMIT, cursor, page

pages = Blueprint("outbox", __name__)

KINDS = {
    "confirmation": _l("Confirmation of an opt-out"),
    "help": _l("Answer to HELP"),
    "doi": _l("Please confirm (double opt-in)"),
    "test": _l("Test"),
    "reply": _l("Reply"),
    "service": _l("Service message"),
}


@pages.get("/outbox")
@require(Area.OUTBOX)
def index() -> ResponseReturnValue:
    found = page(outbox.letters(runtime(), before=cursor(), limit=LIMIT + 1), lambda one: one.id)
    with runtime().db.reading() as session:
        sandbox = any(one.provider == registry.SANDBOX and one.state == "active" for one in listings.accounts(session))
    return render_template("outbox/index.html", page=found, sandbox=sandbox, kinds=KINDS)


@pages.get("/outbox/<id:item_id>")
@require(Area.OUTBOX)
def show(item_id: int) -> ResponseReturnValue:
    return render_template("outbox/show.html", letter=outbox.letter(runtime(), item_id), kinds=KINDS)


@pages.get("/outbox/<id:item_id>/html")
@require(Area.OUTBOX)
def html(item_id: int) -> ResponseReturnValue:
    """Return the HTML alone, for the frame of the reader."""
    return letter_page(outbox.letter(runtime(), item_id).html)
