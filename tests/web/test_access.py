"""Every route is locked, and the one table says to whom it opens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.routing import Rule

from broadcaster.actions.runtime import Runtime
from broadcaster.actions.staff import ROLES
from tests.web.people import Visitor, first
from web.access import SAFE_METHODS, TABLE, Access, Area, Level, access_to, may

#: Pages that anybody may open. A new line here is a decision.
PUBLIC = {
    "auth.enter",
    "auth.form",
    "auth.invited",
    "auth.join",
    "choices.ask",
    "choices.change",
    "choices.pause",
    "choices.prefer",
    "choices.show",
    "choices.stop",
    "health.check",
    "public.confirm",
    "public.confirm_page",
    "public.followed",
    "public.link",
    "public_signup.form",
    "public_signup.send",
    "static",
    "webhooks.ask",
    "webhooks.receive",
    "welcome.ask",
    "welcome.create",
}
#: What an auditor may send: about themselves, and exports. Nothing else of theirs is obeyed.
AUDITOR_SENDS = {Area.OWN, Area.EXPORT}


def rules(app: Flask) -> Iterator[tuple[Rule, str, str, Access | None]]:
    """Every route: rule, a path for it, method, what it asks."""
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<path:filename>", "app.css")
        for argument in rule.arguments:
            converter = rule._converters[argument].__class__.__name__
            for spelled in (f"<id:{argument}>", f"<{argument}>", f"<path:{argument}>"):
                path = path.replace(spelled, "1" if converter == "IdConverter" else "none")
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule, path, method, access_to(app, rule.endpoint)


def test_every_view_says_whom_it_is_for(app: Flask) -> None:
    unmarked = [rule.endpoint for rule, _, _, access in rules(app) if access is None]
    assert not unmarked


def test_what_is_public_is_written_down(app: Flask) -> None:
    assert {rule.endpoint for rule, _, _, access in rules(app) if access and access.area is None} == PUBLIC


def test_a_stranger_gets_nowhere(app: Flask, runtime: Runtime) -> None:
    first(runtime)
    stranger = Visitor(app)
    for rule, path, method, _access in rules(app):
        if rule.endpoint in PUBLIC:
            continue
        answer = stranger.open(path, method=method)
        assert answer.status_code in {302, 303}, (method, path)
        assert answer.headers["Location"].startswith("/sign-in"), (method, path)


def test_an_auditor_changes_nothing(app: Flask, staffed: dict[str, Visitor]) -> None:
    auditor = staffed["auditor"]
    sent = 0
    for rule, path, method, access in rules(app):
        if method in SAFE_METHODS or access is None or access.area is None or access.area in AUDITOR_SENDS:
            continue
        if access.level is not Level.READ:
            sent += 1
            assert auditor.open(path, method=method).status_code == 403, (method, path, rule.endpoint)
    assert sent


@pytest.mark.parametrize("role", ROLES)
def test_each_role_reaches_what_the_table_says(app: Flask, staffed: dict[str, Visitor], role: str) -> None:
    for _rule, path, method, access in rules(app):
        if method != "GET" or access is None or access.area is None:
            continue
        refused = staffed[role].get(path).status_code == 403
        assert refused is not may(role, access.area, access.wants(method)), path


def test_the_table_is_complete() -> None:
    assert set(TABLE) == set(Area)
    assert all(set(line) == set(ROLES) for line in TABLE.values())


def test_an_auditor_reads_everything_and_writes_in_two_places() -> None:
    assert all(may("auditor", area) for area in Area)
    assert {area for area in Area if may("auditor", area, Level.WRITE)} == AUDITOR_SENDS


def test_an_unknown_role_has_nothing() -> None:
    assert not any(may("owner", area) for area in Area)


def test_a_view_nobody_marked_is_closed(app: Flask, runtime: Runtime) -> None:
    app.add_url_rule("/forgotten", "forgotten", lambda: "open")
    first(runtime)
    assert Visitor(app).signed_in().get("/forgotten").status_code == 403


@pytest.mark.parametrize(
    "number", ["-1", "0", "1e3", "1.0", "9223372036854775808", "٣", "../1", "01", "4f9c1f5e-0b8e-4bb7"]
)
def test_what_is_no_id_is_not_found(staffed: dict[str, Visitor], number: str) -> None:
    answers = [staffed["admin"].get(f"/staff/{one}") for one in (number, "999")]
    assert {answer.status_code for answer in answers} <= {404, 308}
