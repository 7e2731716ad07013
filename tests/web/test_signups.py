"""The page of a sign-up form: nothing ticked, the same answer for everybody, from any site, not without end."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from sqlalchemy import text

from broadcaster.actions import signups
from broadcaster.actions.runtime import Runtime
from tests import factories
from tests.web.people import Visitor
from web import public_signup

ACTOR = "cli:test"


class Page:
    def __init__(self, app: Flask, runtime: Runtime) -> None:
        self.runtime, self.visitor = runtime, Visitor(app)
        self.brand, self.purpose, self.wording = factories.brand_and_purpose(runtime)
        factories.account(runtime, self.brand, "sandbox", settings={}, channel="email")
        self.form = signups.create(
            runtime,
            name="Poster",
            brand_id=self.brand,
            language="en",
            wording_ids=[self.wording],
            offered=["email"],
            actor=ACTOR,
        )
        self.path = f"/j/{signups.of_staff(runtime, self.form)[1].key}"

    def send(self, email: str = "ann@example.net", **more: str) -> tuple[int, str]:
        data = {"agree": str(self.wording), "email": email, **more}
        answer = self.visitor.open(self.path, method="POST", data=data, headers={"Origin": "https://shop.example"})
        return answer.status_code, answer.text

    def count(self, table: str) -> int:
        with self.runtime.db.reading() as session:
            return int(session.connection().execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


@pytest.fixture
def page(app: Flask, runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> Page:
    monkeypatch.setattr(public_signup, "EVEN_SECONDS", 0.0)
    return Page(app, runtime)


def test_looking_shows_the_words_with_nothing_ticked_and_changes_nothing(page: Page) -> None:
    for method in ("GET", "HEAD"):
        answer = page.visitor.open(page.path, method=method)
        assert answer.status_code == 200
    shown = page.visitor.get(page.path).text
    assert "Yes, send me offers." in shown
    assert "checked" not in shown
    assert page.count("address") == 0


def test_everybody_gets_the_same_answer(page: Page) -> None:
    """Unknown, asked a moment ago, and agreed already: nobody can try out who is a customer."""
    factories.contacts(page.runtime, 1, purpose_id=page.purpose)
    answers = {page.send(email) for email in ("ann@example.net", "ann@example.net", "person1@example.net")}
    assert len(answers) == 1
    [(status, shown)] = answers
    assert (status, "ann@" in shown, "person1@" in shown) == (200, False, False)
    assert page.count("message") == 1


@pytest.mark.parametrize("email", ["ann@example.net", "person1@example.net"])
def test_everybody_waits_for_the_answer(page: Page, monkeypatch: pytest.MonkeyPatch, email: str) -> None:
    factories.contacts(page.runtime, 1, purpose_id=page.purpose)
    waited: list[float] = []
    monkeypatch.setattr(public_signup, "EVEN_SECONDS", 3600.0)
    monkeypatch.setattr("web.public_signup.time.sleep", waited.append)
    page.send(email)
    assert len(waited) == 1
    assert waited[0] > 0


@pytest.mark.parametrize("told", [{"agree": ""}, {"agree": "on"}, {"email": ""}, {"email": "no address"}])
def test_what_cannot_be_is_said_and_nobody_is_asked(page: Page, told: dict[str, str]) -> None:
    status, shown = page.send(**told)
    assert (status, 'role="alert"' in shown) == (422, True)
    assert page.count("optin_request") == 0


def test_nobody_sends_a_form_without_end(page: Page) -> None:
    statuses = [page.send(f"a{n}@example.net")[0] for n in range(22)]
    assert statuses == [200] * 20 + [429] * 2


def test_a_form_that_is_closed_or_never_was_says_nothing(page: Page) -> None:
    signups.close(page.runtime, page.form, actor=ACTOR)
    shown = {page.visitor.get(path).text for path in (page.path, "/j/0123456789abcdef")}
    assert len(shown) == 1
    assert page.send()[0] == 200
    assert page.count("optin_request") == 0


def test_a_marketer_makes_a_form_copies_it_and_closes_it(runtime: Runtime, staffed: dict[str, Visitor]) -> None:
    brand, _, wording = factories.brand_and_purpose(runtime)
    marketer = staffed["marketer"]
    told = {"name": "Poster", "brand": str(brand), "language": "fr", "wordings": [str(wording)], "channels": ["email"]}
    made = marketer.post("/forms/new", told)
    assert made.status_code == 303
    shown = marketer.get(made.headers["Location"]).text
    assert "&lt;form method=&#34;post&#34; action=&#34;http://localhost/j/" in shown
    code = re.search(r'src="(/forms/\d+/code/1\.svg)"', shown)
    assert code is not None
    assert marketer.get(code[1]).text.startswith("<?xml")
    assert marketer.get(code[1].replace("/1.", "/7.")).status_code == 404
    assert staffed["auditor"].get(made.headers["Location"]).status_code == 200
    assert staffed["auditor"].get("/forms/new").status_code == 403
    assert marketer.post(f"{made.headers['Location']}/close").status_code == 303
    assert "closed" in marketer.get("/forms").text


def test_a_form_without_words_or_channel_is_refused(runtime: Runtime, staffed: dict[str, Visitor]) -> None:
    brand, _, _ = factories.brand_and_purpose(runtime)
    answer = staffed["marketer"].post("/forms/new", {"name": "Poster", "brand": str(brand), "language": "fr"})
    assert answer.status_code == 422
