"""The rules of consent, country by country, with their sources: for whoever sets them and for whoever audits."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from broadcaster.actions import law_view, own_law, staff
from broadcaster.core.errors import InvalidInput
from broadcaster.core.law import rows
from broadcaster.core.law.own import Own, own_rule
from web import events, vocabulary
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
#: An own rule within a list of them.
FACTS = {
    "age": _l("age"),
    "consent_months": _l("months of consent"),
    "inactive_months": _l("months of silence"),
    "without": _l("without"),
    "parts": _l("in each message"),
    "senders": _l("no marketing from"),
    "stop": _l("a stop closes"),
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
    with runtime().db.reading() as session:
        changes = own_law.changes(session)
    return render_template(
        "settings/law.html",
        found=found,
        own={code: facts(own_rule(code, told)) for code, told in found.own.items()},
        sources={code: told.get("source", "") for code, told in found.own.items()},
        changes=changes,
        rule_name=rule_name,
        fact_words=fact_words,
        who=staff_names(changes),
        concerned=own_law.roles(runtime()),
        purpose=vocabulary.purpose,
        countries=vocabulary.countries(),
        place=place,
        says=says,
        what=WHAT,
        certainties=CERTAINTIES,
    )


def place(code: str) -> str:
    if code == rows.EVERYWHERE:
        return _("Everywhere else")
    return _("European Economic Area") if code == "EU" else vocabulary.country(code)


def says(row: law_view.ShownRow) -> str:
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


def facts(told: Own) -> list[str]:
    """Return a country's own rules in the reader's language, one sentence each."""
    found = []
    if told.age is not None:
        found.append(_("Below %(years)s years their own consent does not count.", years=told.age))
    if told.consent_months is not None:
        found.append(_("A consent runs out after %(months)s months.", months=told.consent_months))
    if told.inactive_months is not None:
        found.append(_("After %(months)s months without an act of theirs it has run out.", months=told.inactive_months))
    if told.without:
        found.append(_("Not resting on: %(what)s", what=", ".join(str(BASES[one]) for one in told.without)))
    if told.parts:
        found.append(_("In each message: %(what)s", what=", ".join(str(PARTS[one]) for one in told.parts)))
    if told.senders:
        found.append(_("No marketing from numbers that begin with %(numbers)s.", numbers=", ".join(told.senders)))
    for scope, since in sorted(told.stop.items()):
        what = SCOPES[scope.value]
        if since is None:
            found.append(_("A stop does not close %(what)s yet: the row of the law is off.", what=what))
        else:
            found.append(_("From %(day)s a stop that names nothing closes %(what)s.", day=day(since), what=what))
    return found


def staff_names(changes: list[own_law.Change]) -> dict[str, str]:
    """Return who made these changes, by actor."""
    ids = {int(one.actor.removeprefix("staff:")) for one in changes if one.actor.startswith("staff:")}
    names = staff.names(runtime(), ids)
    return {one.actor: events.actor(one.actor, names) for one in changes}


def rule_name(rule: str) -> str:
    """Return what a change was of: a country, or the roles of a purpose."""
    if rule.startswith(own_law.ROLES_OF):
        return _("Roles: %(purpose)s", purpose=rule.removeprefix(own_law.ROLES_OF))
    return place(rule)


def fact_words(told: Iterable[str]) -> str:
    """Return the facts of a change in the reader's language: ``age 18``."""
    return ", ".join(_fact(*one.partition(" ")) for one in told)


def _fact(name: str, space: str, rest: str) -> str:
    return f"{FACTS[name]} {_values(rest)}" if name in FACTS else f"{name}{space}{rest}"


def _values(told: str) -> str:
    known = {**BASES, **PARTS, **SCOPES, "off": _("off")}
    return ", ".join(" ".join(str(known.get(word, word)) for word in one.split()) for one in told.split(", "))
