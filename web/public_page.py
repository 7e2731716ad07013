"""What all pages for customers share: their language, what shows that somebody was here, and no trace of the link.

GET and HEAD show and change nothing: mail scanners open every link. The link itself is the proof, so a POST needs no
token of a form (RFC 8058: it comes from the mailbox provider, who has neither cookie nor page).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import flask_babel  # type: ignore[import-untyped]
from flask import Response, make_response, request

from broadcaster.core.events import Json
from web.language import LOCALES, PUBLIC_NAMES

LANGUAGES = tuple(PUBLIC_NAMES)


@contextmanager
def speaking(own: str | None) -> Iterator[str]:
    """Speak the language chosen on the page, else the person's *own* if we do, else the browser's."""
    wanted = (chosen(), (own or "").replace("_", "-").split("-")[0].lower())
    known = next((one for one in wanted if one in LANGUAGES), None)
    language = known or request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]
    with flask_babel.force_locale(LOCALES.get(language, language)):
        yield language


def chosen() -> str | None:
    """Return the language chosen on the page itself; a link carries it on, no cookie does."""
    said = request.args.get("lang", "")
    return said if said in LANGUAGES else None


def evidence() -> Mapping[str, Json]:
    """Return what shows that a browser, or a mailbox provider, was here; the network address without its last part."""
    address = request.remote_addr or ""
    mark = "." if "." in address else ":"
    return {
        "page": request.path[:3],
        "network": address.rpartition(mark)[0],
        "agent": (request.user_agent.string or "")[:200].encode("utf-8", "replace").decode(),
    }


def answer(page: str) -> Response:
    """Return a page whose links do not tell where it was."""
    made = make_response(page)
    made.headers["Referrer-Policy"] = "no-referrer"  # the address holds the token
    return made
