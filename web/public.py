"""What a customer meets behind a link that asks to confirm, and behind one that is counted. No sign-in, no cookie."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from broadcaster.actions import clicks, double_optin
from broadcaster.core.errors import Conflict
from web.access import public
from web.context import runtime
from web.public_page import answer, evidence, speaking
from web.public_words import channel_name, label

pages = Blueprint("public", __name__)


@pages.get("/c/<token>")
@public()
def confirm_page(token: str) -> ResponseReturnValue:
    """Show what would be agreed to and one button."""
    return _confirm_page(double_optin.read(runtime(), token))


@pages.post("/c/<token>")
@public(csrf=False)
def confirm(token: str) -> ResponseReturnValue:
    """Record the yes, or send the question again where the link is too old."""
    said = request.form.get("answer", "")
    question = double_optin.read(runtime(), token)
    if question is None or said not in {"yes", "again"}:
        return _confirm_page(question)
    if said == "yes":
        double_optin.confirm(runtime(), token, evidence=evidence())
        return _confirm_page(double_optin.read(runtime(), token))
    try:
        double_optin.ask_again(runtime(), token, evidence=evidence())
    except Conflict:
        pass  # asked within the last day, or agreed since: nobody outside needs to know which
    return _confirm_page(question, again=True)


@pages.get("/l/<token>")
@public()
def link(token: str) -> ResponseReturnValue:
    """Lead on to where a counted link goes; nothing is counted by this."""
    with speaking(None) as language:
        return answer(render_template("public/link.html", lang=language, target=clicks.target(runtime(), token)))


@pages.post("/l/<token>")
@public(csrf=False)
def followed(token: str) -> ResponseReturnValue:
    """Count a click: said by the page above in a browser that somebody looks at."""
    clicks.count(runtime(), token)
    return Response(status=204)


def _confirm_page(question: double_optin.Question | None, *, again: bool = False) -> Response:
    with speaking(question.language if question else None) as language:
        if question is None:
            return answer(render_template("public/nothing.html", lang=language))
        return answer(
            render_template(
                "public/confirm.html",
                lang=language,
                question=question,
                purpose=", ".join(label(purpose, language) for purpose, _wording in question.asks),
                channel=channel_name(question.channel),
                again=again,
            )
        )
