"""The page behind the link in every message: stop at once, see and change every choice. No sign-in, cookie or script.

Each form leads back to the page, which then says what came of it. A press of a mailbox provider leads nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from broadcaster.actions import choices, choosing
from broadcaster.actions import public as links
from broadcaster.actions.choosing import Done
from broadcaster.actions.public import Scope, StopPage
from broadcaster.core.consent import Source
from web import public_words as words
from web.access import public
from web.context import runtime
from web.language import PUBLIC_NAMES
from web.public_page import LANGUAGES, answer, chosen, evidence, speaking

pages = Blueprint("choices", __name__)


@pages.get("/u/<token>")
@public()
def show(token: str) -> ResponseReturnValue:
    """Show everything behind the link, stopping first."""
    return _page(token)


@pages.post("/u/<token>")
@public(csrf=False)
def stop(token: str) -> ResponseReturnValue:
    """Stop what was chosen, at once; a body that says nothing of the kind shows the page and changes nothing."""
    one_click = request.form.getlist("List-Unsubscribe") == ["One-Click"]
    scope = Scope.PURPOSE if one_click else _scope(request.form.get("scope", ""))
    if scope is not None:  # also for a link that shows nothing: somebody who was erased is still obeyed
        source = Source.ONE_CLICK if one_click else Source.PREFERENCE_PAGE
        links.unsubscribe(runtime(), token, scope, source=source, evidence=evidence())
    return _page(token, stopped=scope)


@pages.post("/u/<token>/consent")
@public(csrf=False)
def change(token: str) -> ResponseReturnValue:
    """Stop one purpose at one address, or agree to words that were shown."""
    place, said = _number("place"), request.form.get("do", "")
    done = None
    if said == "stop":
        done = choosing.stop(
            runtime(), token, address_id=place, purpose_id=_number("purpose") or None, evidence=evidence()
        )
    elif said == "agree":
        done = choosing.agree(runtime(), token, address_id=place, wording_id=_number("words"), evidence=evidence())
    return _back(token, done)


def _number(name: str) -> int:
    said = request.form.get(name, "")
    return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else 0


def _scope(said: str) -> Scope | None:
    return Scope(said) if said in set(Scope) else None


def _back(token: str, done: Done | None) -> Response:
    """Lead back to the page, so that loading it again repeats nothing."""
    where = url_for("choices.show", token=token, lang=chosen(), done=done, _anchor="done" if done else None)
    made = redirect(where, 303)
    assert isinstance(made, Response)
    made.headers["Referrer-Policy"] = "no-referrer"
    return made


def _page(token: str, *, stopped: Scope | None = None) -> Response:
    page = links.read(runtime(), token)
    with speaking(page.language if page else None) as language:
        if page is None:
            return answer(render_template("public/nothing.html", lang=language))
        found = choices.read(runtime(), token, languages=(language, *LANGUAGES))
        here = url_for("choices.show", token=token)
        return answer(render_template("public/choices.html", **_shown(page, found, language, stopped), here=here))


def _shown(page: StopPage, found: choices.Choices | None, language: str, stopped: Scope | None) -> dict[str, Any]:
    return {
        "lang": language,
        "languages": PUBLIC_NAMES,
        "carried": f"?lang={chosen()}" if chosen() else "",
        "page": page,
        "mine": found,
        "purpose": words.label(page.purpose, language),
        "channel": words.channel_name(page.channel),
        "stopped": stopped,
        "done": words.DONE.get(request.args.get("done", "")),
        "words": words,
        "on": _dates(found.zone if found else None),
    }


def _dates(zone: str | None) -> Callable[[datetime | None], date | None]:
    """Return the day of a moment on the person's own calendar."""
    place = ZoneInfo(zone or "UTC")
    return lambda moment: None if moment is None else moment.astimezone(place).date()
