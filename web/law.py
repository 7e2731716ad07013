"""The rules of consent, country by country, with their sources: for whoever sets them and for whoever audits."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from broadcaster.actions import law_view
from broadcaster.core.errors import InvalidInput
from broadcaster.core.law import rows
from web import vocabulary
from web.access import Area, require
from web.context import runtime
from web.language import _, _l, day

pages = Blueprint("law", __name__)
BASES = {
    "consent": _l("consent"),
    "soft_opt_in": _l("soft opt-in after a sale"),
    "b2b_interest": _l("business interest"),
    "contract": _l("contract"),
}
AUDIENCES = {"consumer": _l("consumers"), "professional": _l("professionals"), "any": _l("everybody")}
PARTS = {
    "brand": _l("who writes"),
    "opt_out": _l("how to stop"),
    "postal_address": _l("the postal address"),
}
CERTAINTIES = {
    "read": (_l("read in the source"), "green"),
    "known": (_l("known, not read again"), "yellow"),
    "contested": (_l("contested: ask counsel"), "red"),
}
SCOPES = {
    "channel": _l("all marketing on its channel"),
    "categories": _l("all that rests on consent on its channel"),
    "everywhere": _l("all marketing on every channel"),
}
WHAT = {
    "basis": _l("What one may rest on"),
    "age": _l("Age"),
    "inactivity": _l("Silence"),
    "footer": _l("In each message"),
    "stop": _l("Reach of a stop"),
    "sender": _l("Senders"),
}


@pages.get("/settings/law")
@require(Area.SETTINGS)
def index() -> ResponseReturnValue:
    """Show the rows of a country, or all."""
    asked = request.args.get("country", "")[:2].upper()
    try:
        found = law_view.shown(runtime(), asked or None)
    except InvalidInput:
        found = law_view.shown(runtime())
    return render_template(
        "settings/law.html",
        found=found,
        countries=vocabulary.countries(),
        place=_place,
        says=_says,
        what=WHAT,
        certainties=CERTAINTIES,
    )


def _place(place: str) -> str:
    if place == rows.EVERYWHERE:
        return _("Everywhere else")
    return _("European Economic Area") if place == "EU" else vocabulary.country(place)


def _says(row: law_view.ShownRow) -> str:
    """Return a row in the reader's language."""
    facts = row.facts
    match row.what:
        case "basis":
            told = _("%(basis)s, for %(who)s", basis=BASES[facts["basis"]], who=AUDIENCES[facts["audience"]])
            return told + (", " + _("for %(months)s months", months=facts["months"]) if facts["months"] else "")
        case "age":
            return _("Below %(years)s years their own consent does not count.", years=facts["years"])
        case "inactivity":
            return _("After %(months)s months without an act of theirs it has run out.", months=facts["months"])
        case "footer":
            return ", ".join(str(PARTS[one]) for one in facts["parts"])
        case "stop":
            return _(
                "From %(day)s a stop that names nothing closes %(what)s.",
                day=day(facts["since"]),
                what=SCOPES[facts["scope"]],
            )
        case _:
            return _("No marketing from numbers that begin with %(numbers)s.", numbers=", ".join(facts["refused"]))
