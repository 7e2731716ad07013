"""The page of a sign-up form, and what a form on somebody else's site sends to it. It asks; it never says who is known.

Nothing is ticked beforehand. Every address gets the same answer after the same time.
"""

from __future__ import annotations

import time

from flask import Blueprint, Response, current_app, render_template, request
from flask.typing import ResponseReturnValue

from broadcaster.actions import signups
from broadcaster.core.errors import InvalidInput, NotFound
from broadcaster.core.ids import to_id
from web.access import public
from web.context import runtime
from web.language import _l
from web.public_page import answer, evidence, speaking
from web.public_words import CHANNELS, label

pages = Blueprint("public_signup", __name__)

#: An answer takes at least so long, whatever had to be done for it.
EVEN_SECONDS = 0.5
PROBLEMS = {
    "nothing_ticked": _l("Tick what you want to get."),
    "address_missing": _l("Tell us where to write to."),
    "address_invalid": _l("This address cannot be: please look at it again."),
}


@pages.get("/j/<key>")
@public()
def form(key: str) -> ResponseReturnValue:
    return _page(key)


@pages.post("/j/<key>")
@public(csrf=False)
def send(key: str) -> ResponseReturnValue:
    """Ask the addresses to confirm; a form on another site sends here too, so it carries no token of ours."""
    current_app.extensions["throttle_sign_up"].check()
    end = time.monotonic() + EVEN_SECONDS
    ticked = [found for found in map(to_id, request.form.getlist("agree")[: signups.MOST_WORDINGS]) if found]
    typed = {channel: request.form.get(channel, "")[:320] for channel in CHANNELS}
    try:
        signups.fill_in(runtime(), key, wording_ids=ticked, typed=typed, evidence=evidence())
    except InvalidInput as problem:
        shown = _page(key, problem=problem, ticked=ticked, typed=typed)
        shown.status_code = 422
        return shown
    except NotFound:
        return _page(key)
    time.sleep(max(0.0, end - time.monotonic()))
    return _page(key, done=True)


def _page(
    key: str,
    *,
    problem: InvalidInput | None = None,
    ticked: list[int] | None = None,
    typed: dict[str, str] | None = None,
    done: bool = False,
) -> Response:
    page = signups.shown(runtime(), key)
    with speaking(page.language if page else None) as language:
        if page is None:
            return answer(render_template("public/nothing.html", lang=language))
        return answer(
            render_template(
                "public/signup.html",
                lang=language,
                page=page,
                asks=[(one, label(purpose, language), text) for one, purpose, text in page.asks],
                channels=CHANNELS,
                problem=None if problem is None else PROBLEMS.get(problem.code, PROBLEMS["address_invalid"]),
                wrong=None if problem is None else problem.field,
                ticked=ticked or [],
                typed=typed or {},
                done=done,
            )
        )
