"""The organisation's own words on each channel: to join, for a contest, or another name of a purpose."""

from __future__ import annotations

from typing import Annotated

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from pydantic import StringConstraints

from broadcaster.actions import own_words, staff
from broadcaster.core.errors import Conflict, InvalidInput
from broadcaster.core.ids import to_id
from broadcaster.core.keywords.own import WordKind
from broadcaster.storage import catalogue, consent_history, listings
from web import account_words
from web import consent_words as say
from web.access import Area, Level, require
from web.context import me, runtime
from web.forms import Form, FormModel, Line, blank, read
from web.language import _, _l

pages = Blueprint("own_words", __name__)

KINDS = {
    "join": (_l("To join"), _l("We ask the person to confirm the wording; nothing opens before they do.")),
    "contest": (_l("For a contest"), _l("It is noted and answered. It is never a consent.")),
    "topic": (_l("A purpose’s other name"), _l("STOP and this word ends that purpose only.")),
}


class NewWord(FormModel):
    word: Line
    channel: Line
    kind: Line
    wording: Line | None = None
    purpose: Line | None = None
    campaign: Line | None = None
    answer: Annotated[str, StringConstraints(strip_whitespace=True, max_length=own_words.ANSWER_MOST)] = ""


@pages.get("/settings/words")
@require(Area.PURPOSES)
def index() -> ResponseReturnValue:
    return _page(blank(NewWord, kind="join"))


@pages.post("/settings/words")
@require(Area.PURPOSES)
def add() -> ResponseReturnValue:
    filled = read(NewWord)
    if filled.data is not None:
        with filled.refusals():
            _add(filled.data)
            flash(_("Added. It counts from now on."), "success")
            return redirect(url_for("own_words.index"), 303)
    return _page(filled), 422


def _add(data: NewWord) -> None:
    if data.kind not in KINDS:
        raise InvalidInput("choose", field="kind", code="unknown_choice")
    new = own_words.NewWord(
        channel=data.channel,
        written=data.word,
        kind=WordKind(data.kind),
        purpose_id=to_id(data.purpose or ""),
        wording_id=to_id(data.wording or ""),
        campaign_id=to_id(data.campaign) if data.campaign else None,
        answer=data.answer,
    )
    try:
        own_words.add(runtime(), new, actor=staff.actor(me().id))
    except Conflict as problem:
        raise InvalidInput(problem.message, field="word", code=problem.code) from None


@pages.post("/settings/words/<id:word_id>/remove")
@require(Area.PURPOSES, level=Level.WRITE)
def remove(word_id: int) -> ResponseReturnValue:
    own_words.remove(runtime(), word_id, actor=staff.actor(me().id))
    flash(_("Removed. What people agreed to through it stays."), "success")
    return redirect(url_for("own_words.index"), 303)


def _page(form: Form[NewWord]) -> str:
    with runtime().db.reading() as session:
        every = consent_history.purposes(session)
        wordings = catalogue.wordings(session)
        leaves = catalogue.purposes(session)
        campaigns = {one.id: one.name for one in listings.campaigns(session, limit=200)}
    named = {
        one.id: f"{say.purpose(every[one.purpose_id])} · {one.language} {one.version} · {one.text[:60]}"
        for one in wordings
    }
    return render_template(
        "settings/words.html",
        form=form,
        rows=own_words.every(runtime()),
        kinds=KINDS,
        kind_choices=[(key, name, about) for key, (name, about) in KINDS.items()],
        say=account_words,
        channels=[(one, account_words.channel(one)) for one in own_words.channels()],
        wordings=named,
        purposes={one.id: say.purpose(one) for one in leaves if one.kind != "all" and one.parent_id is not None},
        campaigns=campaigns,
    )
