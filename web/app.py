"""The application factory: what every page shares, then the blueprints, one line each."""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from pathlib import Path

from flask import Flask, url_for
from jinja2 import StrictUndefined

from broadcaster.actions.runtime import Runtime
from web import (
    access,
    accounts,
    activity,
    audiences,
    audit,
    auth,
    campaign_run,
    catalogue,
    closed_days,
    consent,
    consent_desk,
    contact_changes,
    context,
    errors,
    events,
    gate,
    health,
    home,
    imports,
    language,
    law,
    navigation,
    outbox,
    own_law,
    own_words,
    paging,
    privacy,
    profile,
    public,
    public_choices,
    public_signup,
    security,
    settings,
    signup_forms,
    staff,
    template_editor,
    template_view,
    vocabulary,
    webhooks,
    welcome,
    words,
)
from web.throttle import Throttle

BLUEPRINTS = (
    auth.pages,
    welcome.pages,
    health.pages,
    home.pages,
    staff.pages,
    profile.pages,
    activity.pages,
    public.pages,
    public_choices.pages,
    webhooks.pages,
    consent.pages,
    consent_desk.pages,
    catalogue.pages,
    accounts.pages,
    outbox.pages,
    settings.pages,
    closed_days.pages,
    law.pages,
    own_law.pages,
    own_words.pages,
    public_signup.pages,
    signup_forms.pages,
    audiences.pages,
    campaign_run.pages,
    template_editor.pages,
    template_view.pages,
    contact_changes.pages,
    imports.pages,
    privacy.pages,
    audit.pages,
)
STATIC_SECONDS = 365 * 86400


def create_app(runtime: Runtime, *, trusted_proxies: int = 0) -> Flask:
    """Build the web door of an installation.

    *trusted_proxies*: how many reverse proxies of ours stand in front; their X-Forwarded headers are believed, nobody
    else's.
    """
    app = Flask(__name__)
    app.extensions["broadcaster"] = runtime
    app.extensions["throttle_sign_in"] = Throttle(tries=60, seconds=300)
    app.extensions["throttle_sign_up"] = Throttle(tries=20, seconds=300)
    app.url_map.converters["id"] = paging.IdConverter
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    security.install(app, public_url=runtime.public_url, trusted_proxies=trusted_proxies)
    _cookies(app, runtime)
    gate.install(app)
    language.install(app)
    vocabulary.install(app)
    errors.install(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    _static(app)
    app.jinja_env.globals.update(
        me=context.anybody,
        may=_may,
        menu=navigation.menu,
        here=navigation.here,
        exists=navigation.exists,
        roles=words.ROLES,
        role_help=words.ROLE_HELP,
        log_kinds=events.KINDS,
    )
    return app


def _cookies(app: Flask, runtime: Runtime) -> None:
    keys = [hmac.digest(key.secret, b"flask", "sha256") for key in runtime.keys.session]
    https = app.config["BROADCASTER_HTTPS"]
    app.config.update(
        SECRET_KEY=keys[0],
        SECRET_KEY_FALLBACKS=keys[1:],
        SESSION_COOKIE_NAME="__Host-session" if https else "session",
        SESSION_COOKIE_SECURE=https,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_PATH="/",
    )


def _static(app: Flask) -> None:
    """Serve our own files to everybody, for a year: their address changes with their content."""
    access.public()(app.view_functions["static"])
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = STATIC_SECONDS
    folder = Path(app.static_folder or "")

    @lru_cache(maxsize=256)
    def version(name: str) -> str:
        return hashlib.sha256(folder.joinpath(name).read_bytes()).hexdigest()[:12]

    def asset(name: str) -> str:
        return url_for("static", filename=name, v=version(name))

    app.jinja_env.globals["asset"] = asset


def _may(area: str, level: str = "READ") -> bool:
    """Say to a template whether the reader may go there: ``may("staff", "WRITE")``."""
    person = context.anybody()
    return person is not None and access.may(person.role, access.Area(area), access.Level[level])
