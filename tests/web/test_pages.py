"""The pages, as a person meets them."""

from __future__ import annotations

import ast
import hashlib
import re
from dataclasses import fields
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from broadcaster import actions
from broadcaster.actions import sequencer, staff
from broadcaster.actions.runtime import Runtime
from broadcaster.core import event_types
from broadcaster.core.campaigns import CampaignState
from broadcaster.storage.tables.organisation import ACCOUNT_STATES
from tests.web.people import ADMIN, PASSWORD, Visitor, first
from tests.web.test_access import rules
from web import events
from web.app import create_app


def contents(runtime: Runtime) -> str:
    """A hash over every row of every table."""
    with runtime.db.engine.connect() as connection:
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"))
        tables = [row[0] for row in names.all()]
        rows = [repr(connection.execute(text(f"SELECT * FROM {name}")).all()) for name in tables]
    return hashlib.sha256("".join(rows).encode()).hexdigest()


def test_the_first_start_leads_to_the_dashboard(any_runtime: Runtime) -> None:
    visitor = Visitor(create_app(any_runtime))
    assert visitor.get("/").headers["Location"] == "/welcome"
    assert visitor.get("/sign-in").headers["Location"] == "/welcome"
    assert visitor.get("/welcome?token=guess").status_code == 403
    token = staff.setup_token(any_runtime)
    assert visitor.get(f"/welcome?token={token}").status_code == 200
    form = {"token": token, "name": "Ada Admin", "email": ADMIN, "password": "short", "time_zone": "Europe/Paris"}
    refused = visitor.post("/welcome", form, page=f"/welcome?token={token}")
    assert refused.status_code == 422
    assert "at least 10 characters" in refused.text
    assert "short" not in refused.text
    answer = visitor.post("/welcome", form | {"password": PASSWORD}, page=f"/welcome?token={token}")
    assert answer.headers["Location"] == "/"
    assert "Hello, Ada Admin" in visitor.get("/").text
    assert Visitor(create_app(any_runtime)).post("/welcome", form | {"password": PASSWORD}).status_code == 404


def test_signing_in_gives_a_new_session_and_leads_back(app: Flask, runtime: Runtime) -> None:
    first(runtime)
    visitor = Visitor(app)
    assert visitor.get("/staff?x=1").headers["Location"] == "/sign-in?next=/staff?x%3D1"
    before = visitor.client.get_cookie("session")
    answer = visitor.post("/sign-in", {"email": ADMIN, "password": PASSWORD, "next": "/staff"})
    assert answer.headers["Location"] == "/staff"
    assert before != visitor.client.get_cookie("session")
    elsewhere = Visitor(app).post("/sign-in", {"email": ADMIN, "password": PASSWORD, "next": "//evil.example"})
    assert elsewhere.headers["Location"] == "/"


def test_a_copied_cookie_is_worth_nothing_after_signing_out(app: Flask, runtime: Runtime) -> None:
    first(runtime)
    visitor, thief = Visitor(app).signed_in(), Visitor(app)
    cookie = visitor.client.get_cookie("session")
    assert cookie is not None
    thief.client.set_cookie("session", cookie.value)
    assert thief.get("/").status_code == 200
    assert visitor.post("/sign-out").headers["Location"] == "/sign-in"
    assert thief.get("/").headers["Location"].startswith("/sign-in")
    thief.client.set_cookie("session", cookie.value[:-1] + "x")
    assert thief.get("/").headers["Location"].startswith("/sign-in")


def test_wrong_sign_ins_all_look_the_same(app: Flask, runtime: Runtime) -> None:
    first(runtime)
    pages = []
    for email in (ADMIN, "nobody@example.org"):
        answer = Visitor(app).post("/sign-in", {"email": email, "password": "wrong password"})
        assert answer.status_code == 401
        pages.append(answer.text.split("<form")[1].partition("</div>")[2].partition('name="email"')[0])
    assert pages[0] == pages[1]


@pytest.mark.parametrize("password", ["", "1", "x" * 257, "x" * 10_000, "with\0nul in it", "🦉" * 65])
def test_an_odd_password_is_refused_politely(app: Flask, runtime: Runtime, password: str) -> None:
    first(runtime)
    assert Visitor(app).post("/sign-in", {"email": ADMIN, "password": password}).status_code in {401, 422}


def test_a_flood_of_sign_ins_is_slowed_down(app: Flask, runtime: Runtime) -> None:
    """One password tried on a thousand accounts: the network address waits, no account is locked."""
    first(runtime)
    visitor = Visitor(app)
    token = visitor.csrf()
    codes = [
        visitor.client.post("/sign-in", data={"csrf_token": token, "email": f"p{n}@example.org", "password": "spring"})
        for n in range(61)
    ]
    assert [answer.status_code for answer in codes] == [401] * 60 + [429]
    assert int(codes[-1].headers["Retry-After"]) > 0


def test_an_administrator_lets_somebody_in(app: Flask, staffed: dict[str, Visitor]) -> None:
    admin = staffed["admin"]
    form = {"name": "Mia Martin", "email": "mia@example.org", "role": "marketer"}
    page = admin.post("/staff/new", form)
    link = page.text.partition('value="http://localhost')[2].partition('"')[0]
    newcomer = Visitor(app)
    assert "Hello, Mia Martin" in newcomer.get(link).text
    assert newcomer.post(link, {"password": "kittens"}).status_code == 422
    assert newcomer.post(link, {"password": "seven quiet kittens"}).headers["Location"] == "/"
    assert "Mia Martin" in newcomer.get("/").text
    assert Visitor(app).get(link).status_code == 404
    again = admin.post("/staff/new", form)
    assert again.status_code == 422
    assert "works here already" in again.text


@pytest.mark.parametrize(
    "form,told",
    [
        ({"name": "", "email": "mia@example.org", "role": "agent"}, "Please fill this in."),
        ({"name": "Mia", "email": "mia", "role": "agent"}, "not an e-mail address"),
        ({"name": "Mia", "email": "mia@example.org", "role": "owner"}, "Choose one of the list"),
        ({"name": "Mia\0", "email": "mia@example.org", "role": "agent"}, "control characters"),
        ({"name": "Mia\nAdmin\x1b[2J", "email": "mia@example.org", "role": "agent"}, "at most 100 characters"),
        ({"name": "M" * 101, "email": "mia@example.org", "role": "agent"}, "at most 100 characters"),
    ],
)
def test_a_mistake_is_told_at_its_field(staffed: dict[str, Visitor], form: dict[str, str], told: str) -> None:
    answer = staffed["admin"].post("/staff/new", form)
    assert answer.status_code == 422
    assert told in answer.text


def test_a_field_the_form_does_not_have_is_refused(staffed: dict[str, Visitor]) -> None:
    form = {"name": "The agent", "language": "en", "time_zone": "UTC", "role": "admin"}
    assert staffed["agent"].post("/profile", form).status_code == 422
    assert staffed["agent"].post("/profile", {"name": ["Ada", "Eve"], "language": "en"}).status_code == 400


def test_an_administrator_changes_roles_but_not_their_own(staffed: dict[str, Visitor]) -> None:
    admin = staffed["admin"]
    assert admin.post("/staff/2/role", {"role": "auditor"}).status_code == 303
    assert staffed["marketer"].get("/").headers["Location"].startswith("/sign-in")
    own = admin.post("/staff/1/role", {"role": "auditor"})
    assert own.status_code == 422
    assert admin.post("/staff/1/off").status_code == 303
    assert admin.get("/").status_code == 200


def test_switching_somebody_off_takes_effect_at_once(staffed: dict[str, Visitor]) -> None:
    assert staffed["admin"].post("/staff/3/off").status_code == 303
    assert staffed["agent"].get("/").headers["Location"].startswith("/sign-in")
    assert staffed["admin"].post("/staff/3/on").status_code == 303


def test_a_profile_changes_language_and_zone(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    agent = staffed["agent"]
    form = {"name": "Agathe", "language": "fr", "time_zone": "Pacific/Auckland"}
    assert agent.post("/profile", form).status_code == 303
    page = agent.get("/profile").text
    assert '<html lang="fr">' in page
    assert "Agathe" in page
    assert agent.post("/profile", form | {"time_zone": "Mars/Olympus"}).status_code == 422


def test_a_new_password_needs_the_old_one(staffed: dict[str, Visitor], app: Flask) -> None:
    agent, form = staffed["agent"], {"current": "wrong", "password": "a fresh green apple"}
    assert agent.post("/profile/password", form).status_code == 422
    assert agent.post("/profile/password", form | {"current": PASSWORD}).status_code == 303
    assert Visitor(app).signed_in("agent@example.org", "a fresh green apple").get("/").status_code == 200


def test_other_browsers_can_be_signed_out(app: Flask, staffed: dict[str, Visitor]) -> None:
    other = Visitor(app).signed_in("agent@example.org")
    assert staffed["agent"].post("/profile/sessions").status_code == 303
    assert other.get("/").headers["Location"].startswith("/sign-in")
    assert staffed["agent"].get("/").status_code == 200


def test_the_log_tells_who_did_what(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    sequencer.sequence(runtime)
    page = staffed["auditor"].get("/log").text
    assert "Ada Admin" in page
    assert "Staff member 2: created" in page
    assert "Last sealed" in page


def test_every_event_has_a_sentence_and_every_verb_a_word() -> None:
    """The log shows nothing under the name it has in the code."""
    every = {one.__name__: [field.name for field in fields(one)] for one in event_types.Event.__subclasses__()}
    assert set(events._SENTENCES) == set(every)
    said, own_words = set(), {"BreakerMoved", "PrivacyRequestMoved"}
    for file in Path(actions.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in every:
                given = dict(zip(every[call.func.id], call.args, strict=False))
                given |= {str(one.arg): one.value for one in call.keywords}
                verb = given.get("verb")
                if isinstance(verb, ast.Constant) and call.func.id not in own_words:
                    said.add(verb.value)
    assert {"created", "chunk", "lifted", "address_added"} <= said
    states = {*CampaignState, *ACCOUNT_STATES, "enabled", "disabled"}
    assert (said | states) - set(events.VERBS) == set()


def test_the_log_goes_on_page_by_page(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    for _ in range(60):
        staff.invite(runtime, 2, by=1)
    page = staffed["auditor"].get("/log")
    older = page.text.partition('rel="next" href="')[2].partition('"')[0]
    assert older.startswith("/log?before=")
    assert "Staff member 1: created" in staffed["auditor"].get(older).text
    assert staffed["auditor"].get("/log?before=x").status_code == 404


def test_no_get_changes_anything(app: Flask, staffed: dict[str, Visitor], runtime: Runtime) -> None:
    before = contents(runtime)
    for _rule, path, method, _access in rules(app):
        if method == "GET":
            for visitor in staffed.values():
                visitor.get(path)
                visitor.open(path, method="HEAD")
    assert contents(runtime) == before


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_page_can_be_shown(app: Flask, staffed: dict[str, Visitor], language: str) -> None:
    """In both languages, to every role: no page fails, whoever comes."""
    for role, visitor in staffed.items():
        form = {"name": "Someone", "language": language, "time_zone": "Europe/Paris"}
        assert visitor.post("/profile", form).status_code == 303
        for _rule, path, method, _access in rules(app):
            if method == "GET":
                assert visitor.get(path).status_code in {200, 302, 403, 404}, (role, path)


@pytest.mark.parametrize("path", ["/settings", "/settings/closed-days", "/settings/law/FR", "/settings/words"])
def test_every_page_of_the_settings_shows_in_the_menu_where_one_is(staffed: dict[str, Visitor], path: str) -> None:
    page = staffed["admin"].get(path)
    assert page.status_code == 200
    assert re.findall(r'<a href="([^"]+)" aria-current="page">', page.text) == ["/settings"]
