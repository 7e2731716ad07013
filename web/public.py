"""What a customer meets: the page behind a stop link, and the one that asks to confirm. No sign-in, cookie or script.

GET and HEAD show and change nothing: mail scanners open every link. The link itself is the proof, so a POST needs no
token of a form (RFC 8058: it comes from the mailbox provider, who has neither cookie nor page).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import flask_babel  # type: ignore[import-untyped]
from flask import Blueprint, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue

from broadcaster.actions import clicks, double_optin
from broadcaster.actions import public as links
from broadcaster.actions.public import Scope, StopPage
from broadcaster.actions.staff import LANGUAGES
from broadcaster.core.consent import Source
from broadcaster.core.errors import Conflict
from broadcaster.core.events import Json
from web.access import public
from web.consent_words import channel_name, label
from web.context import runtime

pages = Blueprint("public", __name__)


@pages.get("/u/<token>")
@public()
def stop_page(token: str) -> ResponseReturnValue:
    """Show what the link is about and one button."""
    return _stop_page(links.read(runtime(), token))


@pages.post("/u/<token>")
@public(csrf=False)
def stop(token: str) -> ResponseReturnValue:
    """Stop what was chosen, at once; a body that says nothing of the kind shows the page and changes nothing."""
    one_click = request.form.getlist("List-Unsubscribe") == ["One-Click"]
    scope = Scope.PURPOSE if one_click else _scope(request.form.get("scope", ""))
    if scope is not None:  # also for a link that shows nothing: somebody who was erased is still obeyed
        source = Source.ONE_CLICK if one_click else Source.PREFERENCE_PAGE
        links.unsubscribe(runtime(), token, scope, source=source, evidence=_evidence())
    return _stop_page(links.read(runtime(), token), done=scope)


@pages.get("/c/<token>")
@public()
def confirm_page(token: str) -> ResponseReturnValue:
    """Show what would be agreed to and one button."""
    return _confirm_page(double_optin.read(runtime(), token))


@pages.post("/c/<token>")
@public(csrf=False)
def confirm(token: str) -> ResponseReturnValue:
    """Record the yes, or send the question again where the link is too old."""
    answer = request.form.get("answer", "")
    question = double_optin.read(runtime(), token)
    if question is None or answer not in {"yes", "again"}:
        return _confirm_page(question)
    if answer == "yes":
        double_optin.confirm(runtime(), token, evidence=_evidence())
        return _confirm_page(double_optin.read(runtime(), token))
    try:
        double_optin.ask_again(runtime(), token, evidence=_evidence())
    except Conflict:
        pass  # asked within the last day, or agreed since: nobody outside needs to know which
    return _confirm_page(question, again=True)


@pages.get("/l/<token>")
@public()
def link(token: str) -> ResponseReturnValue:
    """Lead on to where a counted link goes; nothing is counted by this."""
    with _speaking(None) as language:
        return _answer(render_template("public/link.html", lang=language, target=clicks.target(runtime(), token)))


@pages.post("/l/<token>")
@public(csrf=False)
def followed(token: str) -> ResponseReturnValue:
    """Count a click: said by the page above in a browser that somebody looks at."""
    clicks.count(runtime(), token)
    return Response(status=204)


def _scope(said: str) -> Scope | None:
    return Scope(said) if said in set(Scope) else None


def _stop_page(page: StopPage | None, *, done: Scope | None = None) -> Response:
    with _speaking(page.language if page else None) as language:
        if page is None:
            return _answer(render_template("public/nothing.html", lang=language))
        return _answer(
            render_template(
                "public/stop.html",
                lang=language,
                page=page,
                purpose=label(page.purpose, language),
                channel=channel_name(page.channel),
                done=done,
            )
        )


def _confirm_page(question: double_optin.Question | None, *, again: bool = False) -> Response:
    with _speaking(question.language if question else None) as language:
        if question is None:
            return _answer(render_template("public/nothing.html", lang=language))
        return _answer(
            render_template(
                "public/confirm.html",
                lang=language,
                question=question,
                purpose=label(question.purpose, language),
                channel=channel_name(question.channel),
                again=again,
            )
        )


@contextmanager
def _speaking(wanted: str | None) -> Iterator[str]:
    """Speak the person's language if we do, else the browser's."""
    known = (wanted or "").replace("_", "-").split("-")[0].lower()
    language = known if known in LANGUAGES else request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]
    with flask_babel.force_locale(language):
        yield language


def _evidence() -> Mapping[str, Json]:
    """Return what shows that a browser, or a mailbox provider, was here; the network address without its last part."""
    address = request.remote_addr or ""
    mark = "." if "." in address else ":"
    return {
        "page": request.path[:3],
        "network": address.rpartition(mark)[0],
        "agent": (request.user_agent.string or "")[:200].encode("utf-8", "replace").decode(),
    }


def _answer(page: str) -> Response:
    made = make_response(page)
    made.headers["Referrer-Policy"] = "no-referrer"  # the address holds the token
    return made
