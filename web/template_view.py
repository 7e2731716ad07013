"""The editor's page and its live preview."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from broadcaster.actions import previews
from broadcaster.actions.contact_views import search
from broadcaster.actions.organisation import setting
from broadcaster.actions.previews import PERSONAS, Persona, Preview
from broadcaster.channels import registry
from broadcaster.core.errors import InvalidInput, NotFound
from broadcaster.storage import listings
from broadcaster.storage.tables import Account, Template
from web import account_words, vocabulary
from web import template_forms as forms
from web.access import Area, Level, require
from web.context import me, runtime
from web.forms import Form, blank, read
from web.language import _, _l
from web.letter import letter_page
from web.template_forms import About, Variant

pages = Blueprint("template_preview", __name__)

ALPHABETS = {
    "gsm7": _l("short alphabet (GSM)"),
    "ucs2": _l("long alphabet (an emoji or a rare letter doubles the price)"),
}


MEDIA = (("image", _l("picture")), ("video", _l("video")), ("audio", _l("sound")), ("document", _l("document")))


@pages.post("/templates/preview")
@require(Area.TEMPLATES, level=Level.READ)
def preview() -> ResponseReturnValue:
    """Show the words of the form as somebody would get them; saves nothing."""
    found, note = _previewed()
    return render_template("templates/preview.html", found=found, note=note, frame="", **_prices(found))


@pages.post("/templates/preview/html")
@require(Area.TEMPLATES, level=Level.READ)
def preview_html() -> ResponseReturnValue:
    """Return the HTML of the form alone, for the frame of the preview."""
    found, _note = _previewed()
    return letter_page("" if found is None else found.html)


@pages.get("/templates/<id:template_id>/html")
@require(Area.TEMPLATES)
def saved_html(template_id: int) -> ResponseReturnValue:
    """Return the HTML of what is saved, as most people would get it."""
    channel, language = request.args.get("channel", ""), request.args.get("language", "")
    return letter_page(previews.preview_variant(runtime(), template_id, channel=channel, language=language).html)


def _previewed() -> tuple[Preview | None, str]:
    """Render the form; the note says for whom, or why nobody was found."""
    filled = read(Variant)
    data = filled.data
    if data is None:
        return None, next(iter(filled.errors.values()), "")
    contact, note = _contact(data.persona or "", data.contact or "")
    persona: Persona = next((one for one in PERSONAS if one == data.persona), "typical")
    try:
        found = previews.preview(
            runtime(),
            data.content(),
            channel=data.channel,
            brand_id=brand(data.brand),
            language=data.language,
            contact_id=contact,
            persona=persona,
        )
    except InvalidInput as problem:
        return None, forms.said(problem)
    return found, note


def _contact(persona: str, asked: str) -> tuple[int | None, str]:
    if persona != "contact":
        return None, ""
    if not asked:
        return None, _("Give an address, a customer number or a name.")
    lines = search(runtime(), asked[:200], limit=1).lines
    return (lines[0].id, lines[0].name) if lines else (None, _("We know nobody by this."))


def _prices(found: Preview | None) -> dict[str, Any]:
    """Return what the preview says about cost and mistakes."""
    with runtime().db.reading() as session:
        accounts = [one for one in listings.accounts(session) if found and one.channel == found.channel]
        currency = str(setting(session, "currency"))
    cost = max((one.cost_micros for one in accounts if one.state == "active"), default=0)
    parts = found.sms.parts if found and found.sms else 1
    return {"cost": cost * parts, "currency": currency, "alphabets": ALPHABETS, "said": forms.said}


def editor(
    form: Form[Any],
    *,
    row: Template | None = None,
    variants: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
    version: int = 0,
    about: Form[About] | None = None,
) -> str:
    """Return the editor for one variant; an older *version* is read-only."""
    channel, language = form.value("channel"), form.value("language")
    facts = forms.facts(channel)
    saved = row is not None and (channel, language) in (variants or {})
    found = _of_saved(row, variants, channel, language) if saved else None
    with runtime().db.reading() as session:
        brands = [(str(one.id), one.name) for one in listings.brands(session)]
        versions = [] if row is None else listings.versions(session, row.id)
        languages = [(one, vocabulary.tongue(one)) for one in setting(session, "languages")]
        senders = [one for one in listings.accounts(session) if one.channel == channel and one.state == "active"]
    frame = ""
    if saved and row is not None and row.version == version:
        frame = url_for("template_preview.saved_html", template_id=row.id, channel=channel, language=language)
    return render_template(
        "templates/edit.html",
        form=form,
        row=row,
        variants=list(variants or {}),
        version=version,
        old=row is not None and version != row.version,
        versions=versions,
        facts=facts,
        buttons=forms.shown(form, "b", facts.buttons_max),
        files=forms.shown(form, "m", forms.FILES if facts.media else 0),
        brands=brands,
        languages=languages,
        channels=channels(),
        senders=senders,
        picker=forms.picker(),
        saved=saved,
        frame=frame,
        found=found,
        note="",
        media_kinds=MEDIA,
        about=about or _about(row),
        own=me().email,
        **_prices(found),
    )


def _of_saved(
    row: Template | None, variants: Mapping[tuple[str, str], Mapping[str, Any]] | None, channel: str, language: str
) -> Preview | None:
    if row is None or variants is None:
        return None
    told = variants[channel, language]
    return previews.preview(runtime(), told, channel=channel, brand_id=row.brand_id, language=language)


def _about(row: Template | None) -> Form[About]:
    if row is None:
        return Form()
    return blank(About, name=row.name, brand=row.brand_id, default_language=row.default_language, seen=row.version)


def channels() -> list[tuple[str, str]]:
    """Return the channels one can write for: those with a sender first."""
    known = dict.fromkeys(one.capabilities.channel for one in registry.CHANNELS.values())
    with runtime().db.reading() as session:
        used = {one.channel for one in listings.accounts(session) if one.state != "disabled"}
    return [(one, account_words.channel(one)) for one in sorted(known, key=lambda one: one not in used)]


def brand(chosen: int | None) -> int:
    """Return the brand chosen, or the only one there is. Raises InvalidInput."""
    with runtime().db.reading() as session:
        known = [one.id for one in listings.brands(session)]
    if chosen is None and known:
        return known[0]
    if chosen not in known:
        raise InvalidInput("choose a brand", field="brand", code="brand")
    return chosen


def is_sandbox(account_id: int) -> bool:
    with runtime().db.reading() as session:
        try:
            return listings.find(session, Account, account_id).provider == registry.SANDBOX
        except NotFound:
            return False
