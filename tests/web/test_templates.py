"""Templates on screen: variants, versions, the live preview, a test to oneself, and texts that are refused."""

from __future__ import annotations

import pytest
from flask import Flask

from broadcaster.actions.runtime import Runtime
from broadcaster.storage import listings
from broadcaster.storage.tables import Template
from tests import factories
from tests.web import work
from tests.web.people import ADMIN, Visitor

SMS = {"channel": "sms", "language": "en", "text": "Example: hello {{ contact.first_name }}. STOP to end."}


@pytest.fixture
def admin(staffed: dict[str, Visitor], runtime: Runtime) -> Visitor:
    work.made(runtime, staffed["admin"])
    return staffed["admin"]


def template(runtime: Runtime) -> Template:
    with runtime.db.reading() as session:
        return listings.find(session, Template, 1)


def test_a_variant_is_added_and_the_others_stay(admin: Visitor, runtime: Runtime) -> None:
    assert "Another channel or language" in admin.get("/templates/1").text
    assert admin.get("/templates/1?channel=telegram&language=fr").status_code == 200
    assert admin.post("/templates/1/save", SMS | {"channel": "telegram", "seen": "1"}).status_code == 303
    with runtime.db.reading() as session:
        assert set(listings.variants(session, 1, 2)) == {("sms", "en"), ("telegram", "en")}
    old = admin.get("/templates/1?version=1").text
    assert "to be read only" in old
    assert ">Save<" not in old
    assert admin.get("/templates/1?version=3").status_code == 404
    assert admin.get("/templates/1?channel=pigeon&language=en").status_code == 422
    assert admin.post("/templates/1/drop", {"channel": "telegram", "language": "en"}).status_code == 303
    with runtime.db.reading() as session:
        assert set(listings.variants(session, 1, 3)) == {("sms", "en")}


def test_two_people_do_not_overwrite_each_other(admin: Visitor, runtime: Runtime) -> None:
    assert admin.post("/templates/1/save", SMS | {"seen": "1"}).status_code == 303
    stale = admin.post("/templates/1/save", SMS | {"seen": "1", "text": "Mine, by Example. STOP"})
    assert stale.status_code == 409
    assert "Mine, by Example" in stale.text
    assert template(runtime).version == 2


@pytest.mark.parametrize(
    "changes,said",
    [
        ({"text": "{{ contact.first_name"}, "line 1, column"),
        ({"text": "a\nb {{ contact.shoe }}"}, "line 2, column 6"),
        ({"text": "{{ contact.first_name | explode }}"}, "There is no such filter"),
        ({"text": "   "}, "Something is empty"),
        ({"text": "x" * 25_000}, "too long"),
        ({"text": "a\0b"}, "control characters"),
        ({"text": "bell \x07"}, "control characters"),
        ({"subject": "two\nlines"}, "one line"),
        ({"subject": "x" * 2000}, "too long"),
        ({"b0_kind": "url", "b0_title": "Go", "b0_value": "javascript:alert(1)"}, "not acceptable"),
        ({"b0_kind": "reply", "b0_title": "x" * 90, "b0_value": "y"}, "too long"),
        ({"b0_kind": "bomb", "b0_title": "Go", "b0_value": "y"}, "Choose one"),
        ({"m0_kind": "image", "m0_url": "https://bank@evil.example"}, "not acceptable"),
        ({"language": "english please"}, "not valid"),
        ({"channel": "pigeon"}, ""),
        ({"evil": "1"}, ""),
    ],
    ids=range(16),
)
def test_words_that_will_not_do_are_refused(
    admin: Visitor, runtime: Runtime, changes: dict[str, str], said: str
) -> None:
    form = {"channel": "telegram", "language": "en", "text": work.WORDS, "seen": "1"} | changes
    answer = admin.post("/templates/1/save", form)
    assert answer.status_code == 422
    assert said in answer.text
    assert template(runtime).version == 1


def test_the_preview_counts_warns_and_saves_nothing(admin: Visitor, runtime: Runtime) -> None:
    page = admin.post("/templates/preview", SMS | {"persona": "typical"}).text
    assert "hello Camille" in page
    assert "1 SMS part" in page
    assert "short alphabet" in page
    emoji = admin.post("/templates/preview", SMS | {"text": SMS["text"] + "🦉" + "x" * 200}).text
    assert "long alphabet" in emoji
    assert "optout" not in page
    bare = admin.post("/templates/preview", SMS | {"text": "Buy now"}).text
    assert "does not say how to stop" in bare
    assert "does not say who writes" in bare
    nobody = admin.post("/templates/preview", SMS | {"persona": "unknown"}).text
    assert "contact.first_name is not known" in nobody
    factories.contacts(runtime, 1, purpose_id=1, start=5000, consenting=False)
    asked = SMS | {"persona": "contact", "contact": "person5000@example.net"}
    assert "hello Ann5000" in admin.post("/templates/preview", asked).text
    assert "We know nobody" in admin.post("/templates/preview", SMS | {"persona": "contact", "contact": "Zoe"}).text
    broken = admin.post("/templates/preview", SMS | {"text": "{% for"}).text
    assert "line 1" in broken
    assert template(runtime).version == 1


def test_html_is_shown_where_it_can_do_nothing(admin: Visitor) -> None:
    form = {"channel": "email", "language": "en", "subject": "Hi", "html": "<script>alert(1)</script><p>Hello</p>"}
    answer = admin.post("/templates/preview/html", form)
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    page = admin.post("/templates/preview", form).text
    assert "<script>alert" not in page
    assert "<iframe" in page
    assert " sandbox " in page


def test_a_test_goes_to_oneself_and_is_read_in_the_outbox(admin: Visitor, runtime: Runtime, app: Flask) -> None:
    assert admin.post("/accounts/sandbox").headers["Location"] == "/accounts/2"
    mail = {
        "subject": "For {{ contact.first_name }}",
        "html": "<h1>Autumn</h1><p><a href='{{ unsubscribe_url }}'>Stop</a>",
    }
    saved = {"channel": "email", "language": "en", "seen": "1", "text": f"{work.WORDS} {{{{ unsubscribe_url }}}}"}
    assert admin.post("/templates/1/save", saved | mail).status_code == 303
    answer = admin.post("/templates/1/test?channel=email&language=en", {"account": "2", "language": "en"})
    assert answer.headers["Location"] == "/outbox"
    work.run(runtime, rounds=1)
    assert ADMIN in admin.get("/outbox").text
    letter = admin.get("/outbox/1").text
    assert "Hello Camille, this is Example" in letter
    assert "[Test] For Camille" in letter
    assert "<h1>Autumn" in admin.get("/outbox/1/html").text
    assert admin.get("/outbox/1/html").headers["X-Frame-Options"] == "SAMEORIGIN"
    assert admin.get("/outbox?before=1").status_code == 200
    assert admin.get("/outbox/99").status_code == 404


def test_a_test_to_somebody_else_is_refused(admin: Visitor, runtime: Runtime) -> None:
    sms = {"name": "SMS", "concurrency": "4", "set_account_sid": "AC" + "0" * 32, "set_sender": "+15550100"}
    admin.post("/accounts/new/twilio", sms | {"set_auth_token": "t" * 32, "set_stop_handling": "twilio"})
    admin.post("/templates/1/save", SMS | {"seen": "1"})
    answer = admin.post("/templates/1/test?channel=sms&language=en", {"account": "2", "to": "+33612345678"})
    assert "A test goes only to your own address" in admin.get(answer.headers["Location"]).text
    work.run(runtime, rounds=1)
    assert "+336" not in admin.get("/outbox").text


def test_the_name_and_the_default_language(admin: Visitor, runtime: Runtime) -> None:
    form = {"name": "Bonjour", "default_language": "fr", "seen": "1"}
    assert admin.post("/templates/1/about", form).status_code == 422
    assert admin.post("/templates/1/about", form | {"default_language": "en"}).status_code == 303
    assert template(runtime).name == "Bonjour"
    assert admin.post("/templates/1/archive").status_code == 303
    assert "No template yet" in admin.get("/templates").text


def test_a_french_reader_meets_french_problems(admin: Visitor) -> None:
    admin.post("/profile", {"name": "Ada", "language": "fr", "time_zone": "Europe/Paris"})
    page = admin.post("/templates/preview", SMS | {"text": "Achetez"}).text
    assert "Le message ne dit pas comment arrêter" in page
