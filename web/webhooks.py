"""Where providers call us: raw bytes in, one answer out; a refusal has taken effect before we answer.

The address a signature is checked against is the configured one, never what the request's Host says. Nothing here is
slowed down or turned away for coming often: a lost opt-out is worse than a busy minute.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from broadcaster.actions import accounts, inbound
from broadcaster.channels.contract import WebhookRequest
from broadcaster.core.errors import BadSignature, NotFound, Unavailable
from web.access import public
from web.context import runtime
from web.security import accepts

pages = Blueprint("webhooks", __name__)
log = logging.getLogger("broadcaster.web")

BODY_BYTES = 256 * 1024
RETRY_SECONDS = 30


@pages.url_value_preprocessor
def _keep_raw(_endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Read the body before anybody parses it as a form: signatures are over the bytes as they came."""
    request.max_content_length = BODY_BYTES
    request.get_data(cache=True)


@pages.get("/hooks/<key>")
@public(csrf=False)
def ask(key: str) -> ResponseReturnValue:
    """Say that only POST is answered; no provider of ours begins with a handshake."""
    try:
        with runtime().db.reading() as session:
            accounts.by_webhook_key(session, key)
    except NotFound:
        return _refused(404)
    except Unavailable:
        return _later()
    return Response(status=405, headers={"Allow": "POST"})


@pages.post("/hooks/<key>")
@public(csrf=False)
@accepts(BODY_BYTES)
def receive(key: str) -> ResponseReturnValue:
    """Hand a provider's call to the one who verifies it; committed means 2xx, and nothing else does."""
    told = WebhookRequest(
        method=request.method,
        url=_public_address(),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=request.get_data(cache=True),
    )
    try:
        answer = inbound.receive(runtime(), key, told)
    except BadSignature:
        log.warning("webhook refused: the signature does not fit")
        return _refused(401)
    except NotFound:
        return _refused(404)
    except Unavailable:
        return _later()
    return Response(answer.body, answer.status, content_type=answer.content_type)


def _public_address() -> str:
    query = request.query_string.decode("latin-1")
    return f"{runtime().public_url}{request.path}" + (f"?{query}" if query else "")


def _refused(status: int) -> Response:
    """Answer a caller who is not one of ours; nothing tells whether the address or the signature was wrong."""
    body = {"type": "about:blank", "title": "Not one of ours", "status": status}
    return Response(json.dumps(body), status, mimetype="application/problem+json")


def _later() -> Response:
    return Response(status=503, headers={"Retry-After": str(RETRY_SECONDS)})
