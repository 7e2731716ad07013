"""Templates: what to say on each channel in each language, with a live preview; every save is a new version."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from broadcaster.actions import content, previews
from broadcaster.actions.organisation import setting
from broadcaster.actions.staff import actor
from broadcaster.core.errors import Conflict, InvalidInput, Refused
from broadcaster.storage import listings
from broadcaster.storage.tables import Template
from web import template_forms as forms
from web import template_view as view
from web import words
from web.access import Area, require
from web.context import me, runtime
from web.forms import Form, blank, read
from web.language import _
from web.template_forms import About, Test, Variant

pages = Blueprint("templates", __name__)


@pages.get("/templates")
@require(Area.TEMPLATES)
def index() -> ResponseReturnValue:
    with runtime().db.reading() as session:
        rows = listings.templates(session)
        places = listings.places(session, rows)
    return render_template("templates/index.html", rows=rows, places=places)


@pages.get("/templates/new")
@require(Area.TEMPLATES)
def new() -> ResponseReturnValue:
    """Ask for the channel, then show the editor for it."""
    channel = request.args.get("channel", "")
    if not channel:
        return render_template("templates/choose.html", channels=view.channels())
    forms.facts(channel)
    with runtime().db.reading() as session:
        language = str(setting(session, "default_language"))
    return view.editor(blank(Variant, channel=channel, language=language))


@pages.post("/templates/new")
@require(Area.TEMPLATES)
def create() -> ResponseReturnValue:
    filled = read(Variant)
    data = filled.data
    if data is not None:
        try:
            forms.facts(data.channel)
            made = content.save_template(
                runtime(),
                name=data.name or "",
                brand_id=view.brand(data.brand),
                variants={(data.channel, data.language): _said_something(data.content())},
                default_language=data.language,
                actor=actor(me().id),
            )
            flash(_("Saved."), "success")
            return _to(made, data.channel, data.language)
        except InvalidInput as problem:
            forms.refuse(filled, problem)
        except (Conflict, Refused) as problem:
            filled.refuse(problem)
    return view.editor(filled), 422


@pages.get("/templates/<id:template_id>")
@require(Area.TEMPLATES)
def show(template_id: int) -> ResponseReturnValue:
    """Show one variant of the newest version, or of an older one to read."""
    row = find(template_id)
    version = _version(row)
    variants = _variants(template_id, version)
    place = (request.args.get("channel", ""), request.args.get("language", ""))
    if place == ("", ""):
        place = next(iter(variants))
    if place in variants:
        told = variants[place]
    elif version == row.version and request.args.get("channel"):
        forms.facts(place[0])
        told = {}
    else:
        abort(404)
    form = forms.of_content(told, channel=place[0], language=place[1] or row.default_language, seen=row.version)
    return view.editor(form, row=row, variants=variants, version=version)


@pages.post("/templates/<id:template_id>/save")
@require(Area.TEMPLATES)
def save(template_id: int) -> ResponseReturnValue:
    """Save one variant; the others are carried over into the new version."""
    row = find(template_id)
    filled = read(Variant)
    data, status = filled.data, 422
    variants = _variants(template_id, row.version)
    if data is not None:
        place = (data.channel, data.language)
        try:
            forms.facts(data.channel)
            told = variants | {place: _said_something(data.content())}
            _save(row, told, seen=data.seen)
            flash(_("Saved as version %(version)s.", version=row.version + 1), "success")
            return _to(template_id, data.channel, data.language)
        except InvalidInput as problem:
            forms.refuse(filled, problem)
        except (Conflict, Refused) as problem:
            filled.refuse(problem)
            status = problem.status
            if problem.code == "changed_meanwhile":
                filled.values["seen"] = [str(row.version)]
    return view.editor(filled, row=row, variants=variants, version=row.version), status


@pages.post("/templates/<id:template_id>/about")
@require(Area.TEMPLATES)
def about(template_id: int) -> ResponseReturnValue:
    """Rename a template, or change its brand or default language."""
    row = find(template_id)
    filled = read(About)
    data = filled.data
    variants = _variants(template_id, row.version)
    if data is not None:
        with filled.refusals():
            if data.default_language not in {language for _channel, language in variants}:
                raise InvalidInput(
                    "write it in this language first", field="default_language", code="language_unwritten"
                )
            _save(row, variants, seen=data.seen, name=data.name, brand=data.brand, language=data.default_language)
            flash(_("Saved."), "success")
            return redirect(url_for("templates.show", template_id=template_id), 303)
    place = next(iter(variants))
    form = forms.of_content(variants[place], channel=place[0], language=place[1], seen=row.version)
    return view.editor(form, row=row, variants=variants, version=row.version, about=filled), 422


@pages.post("/templates/<id:template_id>/drop")
@require(Area.TEMPLATES)
def drop(template_id: int) -> ResponseReturnValue:
    """Take one variant out of the newest version."""
    row = find(template_id)
    variants = _variants(template_id, row.version)
    variants.pop((request.form.get("channel", ""), request.form.get("language", "")), None)
    try:
        _save(row, variants, seen=row.version)
        flash(_("Taken out. Older versions still have it."), "success")
    except (InvalidInput, Conflict) as problem:
        flash(words.problem(problem), "danger")
    return redirect(url_for("templates.show", template_id=template_id), 303)


@pages.post("/templates/<id:template_id>/test")
@require(Area.TEMPLATES)
def test(template_id: int) -> ResponseReturnValue:
    """Send the saved words to oneself."""
    find(template_id)
    filled: Form[Any] = read(Test)
    data = filled.data
    if data is not None:
        try:
            previews.send_test(
                runtime(),
                template_id,
                account_id=data.account,
                staff_id=me().id,
                to=data.to or "",
                language=data.language or "",
                actor=actor(me().id),
            )
            sandbox = view.is_sandbox(data.account)
            told = (
                _("On its way. It stands in the outbox within a few seconds.") if sandbox else _("On its way to you.")
            )
            flash(told, "success")
            if sandbox:
                return redirect(url_for("outbox.index"), 303)
        except InvalidInput as problem:
            flash(forms.said(problem), "danger")
        except (Conflict, Refused) as problem:
            flash(words.problem(problem), "danger")
    else:
        flash(_("Choose a sender."), "danger")
    return _to(template_id, request.args.get("channel"), request.args.get("language"))


@pages.post("/templates/<id:template_id>/archive")
@require(Area.TEMPLATES)
def archive(template_id: int) -> ResponseReturnValue:
    content.archive(runtime(), "template", template_id, actor=actor(me().id))
    flash(_("Put away. Campaigns that used it keep it."), "success")
    return redirect(url_for("templates.index"), 303)


def find(template_id: int) -> Template:
    """Return a template. Raises NotFound."""
    with runtime().db.reading() as session:
        return listings.find(session, Template, template_id)


def _to(template_id: int, channel: str | None, language: str | None) -> ResponseReturnValue:
    return redirect(url_for("templates.show", template_id=template_id, channel=channel, language=language), 303)


def _version(row: Template) -> int:
    told = request.args.get("version", "")
    version = int(told) if told.isascii() and told.isdigit() and len(told) < 9 else row.version
    if not 1 <= version <= row.version:
        abort(404)
    return version


def _variants(template_id: int, version: int) -> dict[tuple[str, str], dict[str, Any]]:
    with runtime().db.reading() as session:
        return listings.variants(session, template_id, version)


def _said_something(told: dict[str, Any]) -> dict[str, Any]:
    if not (told["text"] or told["html"] or told["media"]):
        raise InvalidInput("there is nothing to say", field="text", code="empty")
    return told


def _save(
    row: Template,
    variants: dict[tuple[str, str], dict[str, Any]],
    *,
    seen: int | None,
    name: str | None = None,
    brand: int | None = None,
    language: str | None = None,
) -> None:
    content.save_template(
        runtime(),
        name=name or row.name,
        brand_id=row.brand_id if brand is None else view.brand(brand),
        variants=variants,
        default_language=language or row.default_language,
        template_id=row.id,
        seen=seen,
        actor=actor(me().id),
    )
