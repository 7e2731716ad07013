"""HTML that goes out to people, shown to us: in a frame of its own, which may do nothing and sees nothing of ours."""

from __future__ import annotations

from flask import Response

#: The only answers that allow inline styles, because mails are made of them. ``sandbox`` gives the page an origin of
#: its own: it runs no script, sends no form, reads no cookie, and fetches nothing.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "img-src data:",
        "style-src 'unsafe-inline'",
        "frame-ancestors 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "sandbox",
    )
)


def letter_page(html: str) -> Response:
    """Return a message's HTML as the content of a sandboxed frame."""
    response = Response(html, mimetype="text/html")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Frame-Options"] = "SAMEORIGIN"
    return response
