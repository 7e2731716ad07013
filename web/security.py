"""What holds for every request and answer: hosts, sizes, headers, ids, one log line."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from flask import Flask, Response, abort, current_app, g, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

log = logging.getLogger("broadcaster.web")
View = TypeVar("View", bound=Callable[..., Any])

BODY_BYTES = 1024 * 1024
FIELD_BYTES = 512 * 1024
MAX_FIELDS = 1000
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_SIZE = "broadcaster_max_bytes"

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # Tabler's form controls are data: pictures
        "font-src 'self'",
        "connect-src 'self'",
        "frame-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


def install(app: Flask, *, public_url: str, trusted_proxies: int) -> None:
    """Check hosts and sizes before everything else, add headers after."""
    public = urlsplit(public_url)
    host = public.hostname or "localhost"
    app.config["BROADCASTER_HOSTS"] = [host, *LOOPBACK] if host in {"localhost", "127.0.0.1", "::1"} else [host]
    app.config["BROADCASTER_HTTPS"] = public.scheme == "https"
    app.config.update(MAX_CONTENT_LENGTH=BODY_BYTES, MAX_FORM_MEMORY_SIZE=FIELD_BYTES, MAX_FORM_PARTS=MAX_FIELDS)
    if trusted_proxies:
        count = trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    app.before_request(_before)
    app.after_request(_after)


def accepts(max_bytes: int) -> Callable[[View], View]:
    """Let a view take a larger body than the others, in bytes."""

    def mark(view: View) -> View:
        setattr(view, _SIZE, max_bytes)
        return view

    return mark


def _before() -> None:
    g.request_id = secrets.token_hex(8)
    g.started = time.monotonic()
    hosts = current_app.config["BROADCASTER_HOSTS"]
    # an orchestrator asks each process by its own address
    if request.endpoint != "health.check" and not host_is_trusted(request.host, hosts):
        abort(400, "bad_host")
    view = current_app.view_functions.get(request.endpoint or "")
    larger = getattr(view, _SIZE, None)
    if larger is not None:
        request.max_content_length = larger
    if request.content_length is not None and request.content_length > (request.max_content_length or BODY_BYTES):
        abort(413)
    if request.headers.get("Content-Encoding", "identity") != "identity":
        abort(415)
    if request.mimetype == "application/x-www-form-urlencoded" and request.content_length:
        _check_fields()


def _check_fields() -> None:
    """Bound what the form parser of the framework does not: many fields, one name many times."""
    sizes = [len(values) for _, values in request.form.lists()]
    if sum(sizes) > MAX_FIELDS:
        abort(413)


def _after(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if current_app.config["BROADCASTER_HTTPS"]:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    response.headers["X-Request-ID"] = g.get("request_id", "")
    if request.endpoint != "static":
        _write_log(response)
    return response


def _write_log(response: Response) -> None:
    """Write one line of ids: never a path (it may hold a token), an address or a value."""
    person = g.get("staff")
    log.info(
        "request=%s method=%s endpoint=%s status=%d staff=%s ms=%d",
        g.get("request_id", "-"),
        request.method,
        request.endpoint or "-",
        response.status_code,
        "-" if person is None else person.id,
        (time.monotonic() - g.get("started", time.monotonic())) * 1000,
    )
