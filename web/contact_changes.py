"""Change contacts: make, edit, give and take addresses, say that two are one person. Consent is never touched here."""

from __future__ import annotations

from typing import Any

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from broadcaster.actions import contact_views, contacts, whereabouts
from broadcaster.actions.contact_views import ContactView
from broadcaster.core.errors import Conflict, InvalidInput, NotFound, Refused
from broadcaster.storage import contact_story as stored
from broadcaster.storage.contact_story import Choices
from web import contact_forms as shapes
from web import vocabulary, words
from web.access import Area, require
from web.contact_forms import ContactForm, MergeForm, NewAddressForm
from web.contacts import name_of, other, page_of, pages
from web.context import me, runtime
from web.forms import Form, FormModel, blank, read
from web.language import _


class Unmerge(FormModel):
    merge_id: int


__all__ = ["pages"]


@pages.get("/contacts/new")
@require(Area.CONTACTS)
def new() -> ResponseReturnValue:
    known = _choices()
    return _form(blank(shapes.model(known.attributes), kind="consumer"), known)


@pages.post("/contacts/new")
@require(Area.CONTACTS)
def create() -> ResponseReturnValue:
    """Make a contact with the addresses given."""
    known = _choices()
    filled = read(shapes.model(known.attributes))
    if filled.data is not None:
        with filled.refusals():
            given = {"email": filled.data.email, "sms": filled.data.sms}
            made = contacts.create(
                runtime(),
                shapes.changes(filled.data, known.attributes),
                actor=_me(),
                addresses={channel: value for channel, value in given.items() if value},
            )
            flash(_("The contact was made. Nobody writes to them before their consent is recorded."), "success")
            return redirect(url_for("contacts.show", contact_id=made), 303)
    shapes.rename(filled)
    return _form(filled, known), 422


@pages.get("/contacts/<id:contact_id>/edit")
@require(Area.CONTACTS)
def edit(contact_id: int) -> ResponseReturnValue:
    known = _choices()
    person = contact_views.view(runtime(), contact_id)
    return _form(shapes.filled(shapes.model(known.attributes), person.fields, person.version), known, person=person)


@pages.post("/contacts/<id:contact_id>/edit")
@require(Area.CONTACTS)
def save(contact_id: int) -> ResponseReturnValue:
    """Change a contact; a form made from an older state is shown again with the difference."""
    known = _choices()
    filled = read(shapes.model(known.attributes))
    status = 422
    if filled.data is not None:
        try:
            told = shapes.changes(filled.data, known.attributes)
            contacts.edit(runtime(), contact_id, told, seen=filled.data.version or "", actor=_me())
            flash(_("Saved."), "success")
            return redirect(url_for("contacts.show", contact_id=contact_id), 303)
        except (InvalidInput, Conflict, Refused) as problem:
            filled.refuse(problem)
            if problem.code == "changed_meanwhile":
                return _stale(contact_id, filled, known), 409
            status = problem.status
    shapes.rename(filled)
    person = contact_views.view(runtime(), contact_id)
    _leave(filled, person)
    return _form(filled, known, person=person), status


def _stale(contact_id: int, filled: Form[ContactForm], known: Choices) -> str:
    """Show what differs, and let the reader decide with the newest state in hand."""
    person = contact_views.view(runtime(), contact_id)
    filled.values["version"] = [person.version]
    _leave(filled, person)
    return _form(filled, known, person=person, differences=shapes.differences(filled, person.fields))


def _leave(form: Form[ContactForm], person: ContactView) -> None:
    """Put what the person set themselves back into a form: it is theirs."""
    for name in person.wishes:
        form.values[name] = [str(person.fields[name] or "")]


def _form(form: Form[ContactForm], known: Choices, **more: Any) -> str:
    return render_template(
        "contacts/form.html",
        **{"form": form, "person": None, "differences": [], "name_of": name_of, **more},
        groups=[(key, name, "") for key, name in known.groups],
        interests=[(key, vocabulary.label(words_, key), "") for key, words_ in known.interests],
        attributes=shapes.attribute_choices(known),
        kinds=list(vocabulary.CONTACT_KINDS.items()),
        channels=list(vocabulary.CHANNELS.items()),
        countries=vocabulary.countries(),
        tongues=vocabulary.tongues(),
    )


@pages.post("/contacts/<id:contact_id>/addresses")
@require(Area.CONTACTS)
def add_address(contact_id: int) -> ResponseReturnValue:
    """Link an address, made known if it was not; its consent is what it was."""
    filled = read(NewAddressForm)
    if filled.data is not None:
        try:
            with runtime().db.reading() as session:
                known = {one.key: one for one in whereabouts.places(session)}
            place = known.get(filled.data.place)
            if place is None:
                raise InvalidInput("Choose one of the list.", field="place", code="unknown_choice")
            where = {"account_id": place.account_id, "actor": _me()}
            contacts.add_address(runtime(), contact_id, place.channel, filled.data.value, **where)  # type: ignore[arg-type]
            flash(_("The address was added. Consent for it is what it was before."), "success")
            return redirect(url_for("contacts.show", contact_id=contact_id), 303)
        except (InvalidInput, Conflict, Refused) as problem:
            if isinstance(problem, InvalidInput) and problem.field != "place":
                problem.field = "value"
            filled.refuse(problem)
    return page_of(contact_id, address_form=filled), 422


@pages.post("/contacts/<id:contact_id>/addresses/<id:address_id>/remove")
@require(Area.CONTACTS)
def remove_address(contact_id: int, address_id: int) -> ResponseReturnValue:
    contacts.remove_address(runtime(), contact_id, address_id, actor=_me())
    flash(_("The address was taken off. What the person said about it stays recorded."), "success")
    return redirect(url_for("contacts.show", contact_id=contact_id), 303)


@pages.get("/contacts/<id:contact_id>/merge")
@require(Area.CONTACTS)
def merge(contact_id: int) -> ResponseReturnValue:
    """Show two contacts side by side before they become one."""
    form: Form[MergeForm] = Form()
    form.values["other"] = [request.args.get("other", "")[:40]]
    first = contact_views.view(runtime(), contact_id)
    try:
        second = other(form.value("other"))
        if second.id == contact_id:
            raise InvalidInput("Choose another contact.", field="other", code="contact_number")
    except (InvalidInput, NotFound):
        form.errors["other"] = _("There is no other contact of this number.")
        return page_of(contact_id, merge_form=form), 422
    return render_template("contacts/merge.html", kept=first, merged=second, name_of=name_of)


@pages.post("/contacts/<id:contact_id>/merge")
@require(Area.CONTACTS)
def do_merge(contact_id: int) -> ResponseReturnValue:
    """Say that two contacts are one person; consent stays with each address."""
    filled = read(MergeForm)
    if filled.data is not None:
        with filled.refusals():
            contacts.merge(runtime(), contact_id, other(filled.data.other).id, actor=_me())
            flash(_("The two are one person now. It can be taken back on this page."), "success")
            return redirect(url_for("contacts.show", contact_id=contact_id), 303)
    return page_of(contact_id, merge_form=filled), 422


@pages.post("/contacts/<id:contact_id>/unmerge")
@require(Area.CONTACTS)
def unmerge(contact_id: int) -> ResponseReturnValue:
    filled = read(Unmerge)
    person = contact_views.view(runtime(), contact_id)
    if filled.data is None or filled.data.merge_id not in {one.id for one in person.merges}:
        raise NotFound("There is no such merge.")
    try:
        contacts.unmerge(runtime(), filled.data.merge_id, actor=_me())
        flash(_("The merge was taken back: both have the addresses they had."), "success")
    except Conflict as problem:
        flash(words.problem(problem), "danger")
    return redirect(url_for("contacts.show", contact_id=contact_id), 303)


def _choices() -> Choices:
    with runtime().db.reading() as session:
        return stored.choices(session)


def _me() -> str:
    return f"staff:{me().id}"
