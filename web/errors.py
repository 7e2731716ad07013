"""What people and machines read when something goes wrong: words and an id, never a trace."""

from __future__ import annotations

import json
import logging
from http import HTTPStatus

from flask import Flask, Response, g, make_response, render_template, request
from flask_wtf.csrf import CSRFError  # type: ignore[import-untyped]
from werkzeug.exceptions import HTTPException

from broadcaster.core.errors import BroadcasterError, InvalidInput
from web import words

log = logging.getLogger("broadcaster.web")
MACHINES = ("/api/", "/hooks/")


def install(app: Flask) -> None:
    app.register_error_handler(BroadcasterError, _ours)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def _ours(problem: BroadcasterError) -> Response:
    if problem.status >= 500:
        log.error("request=%s failed: %s (%s)", _id(), type(problem).__name__, problem.code)
        known = problem.status == HTTPStatus.SERVICE_UNAVAILABLE
        return answer(problem.status, problem.code if known else "internal", None)
    detail = words.problem(problem)
    field = problem.field if isinstance(problem, InvalidInput) else None
    return answer(problem.status, problem.code, detail, field=field)


def _http(problem: HTTPException) -> Response:
    if problem.response is not None:
        return make_response(problem.response)
    status = problem.code or 500
    code = problem.description if status == 400 and (problem.description or "").isidentifier() else None
    if isinstance(problem, CSRFError):
        code = "csrf"
    made = answer(status, code or HTTPStatus(status).name.lower(), None)
    for name, value in problem.get_headers():
        if name.lower() in {"allow", "retry-after"}:
            made.headers[name] = value
    return made


def _unexpected(problem: Exception) -> Response:
    # the message may hold what a person typed: the class and the place are enough to find the fault
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "-" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    log.error("request=%s failed unexpectedly: %s at %s", _id(), type(problem).__name__, place)
    return answer(500, "internal", None)


def answer(status: int, code: str, detail: str | None, *, field: str | None = None) -> Response:
    """Return the error as a page, or as RFC 9457 problem JSON where a machine asked."""
    if request.path.startswith(MACHINES):
        return _problem_json(status, code, detail, field)
    title, text = words.status(status, code)
    page = render_template("error.html", status=status, title=title, detail=detail or text, request_id=_id())
    return make_response(page, status)


def _problem_json(status: int, code: str, detail: str | None, field: str | None) -> Response:
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code}
    told = {"detail": detail, "field": field, "request_id": _id()}
    text = json.dumps(body | {name: str(value) for name, value in told.items() if value})
    return Response(text, status, mimetype="application/problem+json")


def _id() -> str:
    return str(g.get("request_id", ""))
