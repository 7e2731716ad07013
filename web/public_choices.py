"""The page behind the link in every message: stop at once, see and change every choice. No sign-in, cookie or script.

Each form leads back to the page, which then says what came of it. A press of a mailbox provider leads nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from broadcaster.actions import choices, choosing, pausing, preferences, rights
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


@pages.post("/u/<token>/pause")
@public(csrf=False)
def pause(token: str) -> ResponseReturnValue:
    """Pause all marketing until a day, or end the pause."""
    done: Done | None = None
    if request.form.get("do") == "resume":
        done = pausing.pause(runtime(), token, None, evidence=evidence())
    elif request.form.get("do") == "pause":
        day = _day(request.form.get("until", ""))
        done = Done.BAD_DATE if day is None else pausing.pause(runtime(), token, day, evidence=evidence())
    return _back(token, done)


@pages.post("/u/<token>/preferences")
@public(csrf=False)
def prefer(token: str) -> ResponseReturnValue:
    """Keep what the person likes; a form that does not say it is complete changes nothing."""
    if request.form.get("do") != "prefer":
        return _back(token, None)
    fields = ("language", "preferred_channel", "part_of_day", "rest_days")
    said: dict[str, Any] = {name: request.form[name] for name in fields if name in request.form}
    if "interested" in request.form:
        said["interests"] = request.form.getlist("interests")
    return _back(token, preferences.prefer(runtime(), token, said))


@pages.post("/u/<token>/data")
@public(csrf=False)
def ask(token: str) -> ResponseReturnValue:
    """Note what the person asks about their data; what cannot be undone is asked once more first."""
    kind, sure = request.form.get("do", ""), request.form.get("sure") == "yes"
    done = rights.ask(runtime(), token, kind, sure=sure, evidence=evidence())
    return _sure(token, kind) if done is Done.SURE else _back(token, done)


def _sure(token: str, kind: str) -> Response:
    page = links.read(runtime(), token)
    assert page is not None, "it was asked about"
    with speaking(page.language) as language:
        return answer(render_template("public/sure.html", lang=language, page=page, kind=kind, **_around(page, token)))


def _day(said: str) -> date | None:
    try:
        return date.fromisoformat(said)
    except ValueError:
        return None


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
        shown = _behind(token, language) | _around(page, token) | _bounds(page.zone)
        named = {"purpose": words.label(page.purpose, language), "channel": words.channel_name(page.channel)}
        return answer(
            render_template("public/choices.html", lang=language, page=page, stopped=stopped, **named, **shown)
        )


def _behind(token: str, language: str) -> dict[str, Any]:
    """Return what the link reaches, with the interests named for the reader."""
    likes = preferences.read(runtime(), token)
    interests = likes.interests if likes else ()
    return {
        "mine": choices.read(runtime(), token, languages=(language, *LANGUAGES)),
        "likes": likes,
        "asked": rights.read(runtime(), token),
        "labels": {one.key: words.label(one.label, language) or one.key for one in interests},
    }


def _around(page: StopPage, token: str) -> dict[str, Any]:
    """Return what every part of the page needs: where forms go, what came of the last one, words and days."""
    return {
        "here": url_for("choices.show", token=token),
        "carried": f"?lang={chosen()}" if chosen() else "",
        "languages": PUBLIC_NAMES,
        "done": words.DONE.get(request.args.get("done", "")),
        "wrong_day": request.args.get("done") == Done.BAD_DATE,
        "words": words,
        "on": _calendar(page.zone),
    }


def _bounds(zone: str) -> dict[str, date]:
    today = datetime.now(ZoneInfo(zone)).date()
    return {"tomorrow": today + timedelta(days=1), "next_year": today + timedelta(days=pausing.LONGEST_DAYS)}


def _calendar(zone: str) -> Callable[[datetime | None], date | None]:
    """Return what gives the day of a moment where the person is."""
    place = ZoneInfo(zone)
    return lambda moment: None if moment is None else moment.astimezone(place).date()
