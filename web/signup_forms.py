"""Sign-up forms for those who make them: the page's address, its code to scan, a form for one's own site, links."""

from __future__ import annotations

import io
from typing import Annotated

import segno
from flask import Blueprint, Response, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from pydantic import Field

from broadcaster.actions import signups, staff
from broadcaster.core.errors import NotFound
from broadcaster.core.ids import to_id
from broadcaster.storage import catalogue, consent_history
from broadcaster.storage import signups as stored
from web import account_words
from web import consent_words as say
from web.access import Area, Level, require
from web.context import me, runtime
from web.forms import Form, FormModel, Line, blank, read
from web.language import PUBLIC_NAMES, _

pages = Blueprint("signup_forms", __name__)


class NewForm(FormModel):
    name: Line
    brand: Line
    language: Line
    wordings: Annotated[list[str], Field(min_length=1)]
    channels: Annotated[list[str], Field(min_length=1)]


@pages.get("/forms")
@require(Area.PURPOSES)
def index() -> ResponseReturnValue:
    with runtime().db.reading() as session:
        every = stored.every(session)
        brands = {one.id: one.name for one in consent_history.brands(session)}
    return render_template("signups/index.html", forms=every, brands=brands, say=account_words, languages=PUBLIC_NAMES)


@pages.get("/forms/new")
@require(Area.PURPOSES, level=Level.WRITE)
def new() -> ResponseReturnValue:
    return _new_page(blank(NewForm, language=me().language, channels=["email"]))


@pages.post("/forms/new")
@require(Area.PURPOSES)
def create() -> ResponseReturnValue:
    filled = read(NewForm)
    if filled.data is not None:
        data = filled.data
        with filled.refusals():
            made = signups.create(
                runtime(),
                name=data.name,
                brand_id=to_id(data.brand) or 0,
                language=data.language if data.language in PUBLIC_NAMES else "en",
                wording_ids=[to_id(one) or 0 for one in data.wordings],
                offered=data.channels,
                actor=staff.actor(me().id),
            )
            return redirect(url_for("signup_forms.show", form_id=made), 303)
    return _new_page(filled), 422


def _new_page(form: Form[NewForm]) -> str:
    with runtime().db.reading() as session:
        every = consent_history.purposes(session)
        wordings = catalogue.wordings(session)
        brands = [(one.id, one.name) for one in consent_history.brands(session)]
    return render_template(
        "signups/new.html",
        form=form,
        brands=brands,
        languages=PUBLIC_NAMES.items(),
        wordings=[
            (one.id, f"{say.purpose(every[one.purpose_id])} · {one.language} {one.version}", one.text)
            for one in wordings
        ],
        channels=[(one, account_words.channel(one), "") for one in signups.channels()],
    )


@pages.get("/forms/<id:form_id>")
@require(Area.PURPOSES)
def show(form_id: int) -> ResponseReturnValue:
    row, page = signups.of_staff(runtime(), form_id)
    address = _address(page.key)
    return render_template(
        "signups/show.html",
        row=row,
        page=page,
        address=address,
        asks=[(one, say.label(purpose), text) for one, purpose, text in page.asks],
        ways=[(_("Page"), address), *((account_words.channel(one), link) for one, link in page.links)],
        snippet=render_template("signups/snippet.html", page=page, address=address, label=say.label),
        say=account_words,
    )


@pages.get("/forms/<id:form_id>/code/<id:way>.svg")
@require(Area.PURPOSES)
def code(form_id: int, way: int) -> ResponseReturnValue:
    """Return the code to scan for the page (1), or for one of its links."""
    _row, page = signups.of_staff(runtime(), form_id)
    targets = [_address(page.key), *(link for _channel, link in page.links)]
    if way > len(targets):
        raise NotFound("there is no such link")
    drawn = io.BytesIO()
    segno.make(targets[way - 1], micro=False).save(drawn, kind="svg", scale=6, border=4)
    return Response(drawn.getvalue(), mimetype="image/svg+xml")


@pages.post("/forms/<id:form_id>/close")
@require(Area.PURPOSES)
def close(form_id: int) -> ResponseReturnValue:
    signups.close(runtime(), form_id, actor=staff.actor(me().id))
    flash(_("Closed. What people agreed to through it stays."), "success")
    return redirect(url_for("signup_forms.index"), 303)


def _address(key: str) -> str:
    return f"{runtime().public_url}/j/{key}"
