"""Contacts: find them, and see one whole: consent with its proof, what they got and why not, what they told us."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from broadcaster.actions import contact_story, contact_views, staff, whereabouts
from broadcaster.actions.contact_views import ContactView
from broadcaster.core.errors import InvalidInput
from broadcaster.storage import consent_history
from broadcaster.storage import contact_story as stored
from broadcaster.storage.contact_story import Choices
from web import events, public_words, vocabulary
from web.access import Area, Level, may, require
from web.contact_forms import Finder
from web.context import me, runtime
from web.forms import Form, blank, read
from web.language import _l
from web.paging import Page, cursor
from web.sealed import sealed, unsealed

pages = Blueprint("contacts", __name__)

_WISHES = {
    "rest_days": _l("How often"),
    "part_of_day": _l("Part of the day"),
    "preferred_channel": _l("Preferred channel"),
    "language": _l("Language"),
}
#: Staff have no field for these.
_ALWAYS_THEIRS = frozenset({"rest_days", "part_of_day"})


@pages.get("/contacts")
@require(Area.CONTACTS)
def index() -> ResponseReturnValue:
    """Show contacts, newest first, narrowed by what the address says."""
    known = _choices()
    narrow = {name: request.args.get(name, "")[:100] for name in ("group", "country", "language")}
    token = request.args.get("find", "")
    text = unsealed(token)
    group, country, tongue = narrow.values()
    found = contact_views.search(runtime(), text, cursor=cursor(), group=group, country=country, language=tongue)
    page = Page(found.lines, found.cursor, "before" not in request.args)
    kept = {name: value for name, value in {**narrow, "find": token}.items() if value}
    form = blank(Finder, q=text, **narrow)
    return _list(form, page, kept, known)


@pages.post("/contacts/search")
@require(Area.CONTACTS, level=Level.READ)
def search() -> ResponseReturnValue:
    """Lead to the list with what was asked for, the text encrypted."""
    asked = read(Finder)
    if asked.data is None:
        return _list(asked, Page((), None, True), {}, _choices()), 422
    told = {"find": sealed(asked.data.q), **asked.data.model_dump(exclude={"q"})}
    return redirect(url_for("contacts.index", **{name: value for name, value in told.items() if value}), 303)


def _list(form: Form[Finder], page: Page[Any], kept: dict[str, str], known: Choices) -> str:
    return render_template(
        "contacts/index.html",
        form=form,
        page=page,
        kept=kept,
        groups=known.groups,
        countries=vocabulary.countries(),
        tongues=vocabulary.tongues(),
    )


@pages.get("/contacts/<id:contact_id>")
@require(Area.CONTACTS)
def show(contact_id: int) -> ResponseReturnValue:
    return page_of(contact_id)


def page_of(contact_id: int, **more: Any) -> str:
    """Return the page of a contact; *more* replaces what it shows, such as a form with its mistakes."""
    found = contact_views.view(runtime(), contact_id)
    clear = sees_all()
    with runtime().db.reading() as session:
        places = whereabouts.places(session)
    known = _choices()
    told: dict[str, Any] = {
        "person": found,
        "name": name_of(found),
        "values": {one.id: one.value if clear else whereabouts.mask(one.channel, one.value) for one in found.addresses},
        "clear": clear,
        "lines": contact_story.may_we(runtime(), contact_id),
        "story": contact_story.happenings(runtime(), contact_id),
        "consents": {one.id: one for one in found.consents},
        "evidence": {one.id: shown_evidence(one.evidence) for one in found.consents},
        "purposes": purpose_names(),
        "groups": dict(known.groups),
        "interests": dict(known.interests),
        "attributes": [(one.label, found.fields["attributes"].get(one.key)) for one in known.attributes],
        "places": [(one.key, _place(one)) for one in places],
        "who": _who(found),
        "wishes": _wishes(found),
    }
    return render_template("contacts/show.html", **{**told, **more})


def purpose_names() -> dict[str, str]:
    """Return what purposes are called, by key; inner ones and archived ones too."""
    with runtime().db.reading() as session:
        known = consent_history.purposes(session)
    return {one.key: vocabulary.purpose(one) for one in known.values()}


def sees_all() -> bool:
    """Say whether the reader may see whole addresses, and the technical traces in evidence."""
    return may(me().role, Area.CONTACTS, Level.WRITE)


def name_of(person: ContactView) -> str:
    return " ".join(part for part in (person.fields["first_name"], person.fields["last_name"]) if part)


#: Evidence that says where somebody sat, not what they agreed to.
_TRACES = frozenset({"ip", "ip_address", "user_agent", "remote_addr", "address", "email", "phone"})


def shown_evidence(evidence: dict[str, Any] | None) -> list[tuple[str, str]] | None:
    """Return evidence as lines to read, without what the reader's role need not know; None if it was erased."""
    if evidence is None:
        return None
    shown = []
    for key, value in sorted(evidence.items()):
        hidden = key.casefold() in _TRACES and not sees_all()
        shown.append((key.replace("_", " "), "•••" if hidden else str(value)))
    return shown


def _choices() -> Choices:
    with runtime().db.reading() as session:
        return stored.choices(session)


def _place(one: whereabouts.Place) -> str:
    name = vocabulary.said(vocabulary.CHANNELS, one.channel)
    return f"{name} · {one.account}" if one.account else name


def _wishes(found: ContactView) -> list[tuple[str, str, datetime | None]]:
    """Return what the person set on their own page: its name, its value, since when."""
    return [
        (label, public_words.preference(name, found.fields[name], {}), found.wishes.get(name))
        for name, label in _WISHES.items()
        if found.fields[name] and (name in found.wishes or name in _ALWAYS_THEIRS)
    ]


def _who(found: ContactView) -> dict[str, str]:
    """Return the names of who changed what, by actor."""
    actors = {one.actor for one in found.preferences}
    ids = {int(one[6:]) for one in actors if one.startswith("staff:") and one[6:].isdigit()}
    names = staff.names(runtime(), ids)
    return {one: events.actor(one, names) for one in actors}


def other(number: str) -> ContactView:
    """Return the contact of a number somebody typed. Raises InvalidInput for the field ``other``."""
    text = number.strip().lstrip("#")
    if not (text.isascii() and text.isdigit()) or not 0 < int(text[:19]) < 2**63 or len(text) > 19:
        raise InvalidInput("This is not the number of a contact.", field="other", code="contact_number")
    return contact_views.view(runtime(), int(text))
