"""The page of all choices: no link changes anything by being looked at, and every form does what it says."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broadcaster.actions import contact_fields, organisation, privacy
from broadcaster.actions.runtime import Runtime
from tests.actions.behind import Behind
from tests.factories import ACTOR
from tests.web.test_pages import contents


@pytest.fixture
def behind(runtime: Runtime) -> Behind:
    organisation.set_settings(runtime, {"name": "Example", "demo": True}, actor=ACTOR)
    return Behind(runtime)


@pytest.fixture
def here(behind: Behind) -> str:
    return f"/u/{behind.token}"


def _paths(app: Flask) -> list[str]:
    """Every address of a page that a customer may reach, with a hole for the token."""
    found = {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.split(".")[0] in ("choices", "public")}
    return sorted(path.replace("<token>", "{}") for path in found)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_looking_changes_nothing_whatever_the_address_says(app: Flask, behind: Behind, data: st.DataObject) -> None:
    """Any method that is safe, any public address, any token, any query a form could have sent."""
    before = contents(behind.runtime)
    token = data.draw(st.sampled_from([behind.token, behind.token[:-1], secrets.token_urlsafe(30), "none"]))
    path = data.draw(st.sampled_from(_paths(app))).format(token)
    fields = ("scope", "do", "sure", "List-Unsubscribe", "place", "purpose", "words", "until", "lang", "done", "answer")
    values = ("purpose", "stop", "agree", "erasure", "yes", "One-Click", "1", "2", "2027-01-01", "de", "x")
    query = data.draw(st.dictionaries(st.sampled_from(fields), st.sampled_from(values)))
    method = data.draw(st.sampled_from(["GET", "HEAD", "OPTIONS"]))
    agent = data.draw(st.sampled_from(["Mozilla/5.0", "GoogleImageProxy", "SafeLinks", ""]))
    answer = app.test_client().open(path, method=method, query_string=query, headers={"User-Agent": agent})
    assert answer.status_code in (200, 404, 405)
    assert contents(behind.runtime) == before


def test_every_form_of_the_page_does_what_it_says(app: Flask, behind: Behind, here: str) -> None:
    client = app.test_client(use_cookies=False)
    contact_fields.define_interest(behind.runtime, "books", {"en": "Books"}, actor=ACTOR)
    until = (datetime.now(UTC) + timedelta(days=40)).date()
    place = {"place": behind.mail}
    acts = [
        ("consent", {**place, "purpose": behind.purpose, "do": "stop"}, "Done. It is stopped."),
        ("consent", {**place, "words": behind.wording, "do": "agree"}, "Done. You get these messages."),
        ("pause", {"until": until.isoformat(), "do": "pause"}, "End the pause now"),
        ("pause", {"do": "resume"}, "Done. The pause is over."),
        ("pause", {"until": "soon", "do": "pause"}, "Choose a day from tomorrow on"),
        (
            "preferences",
            {"do": "prefer", "rest_days": "30", "interested": "1", "interests": ["books"]},
            "Done. We keep",
        ),
        ("data", {"do": "access"}, "You asked for your data"),
        ("data", {"do": "erasure", "sure": "yes"}, "You asked to be erased"),
    ]
    for part, form, words in acts:
        answer = client.post(f"{here}/{part}?lang=en", data=form)
        assert answer.status_code == 303, part
        assert answer.headers["Location"].startswith(f"{here}?lang=en")
        assert words in client.get(answer.headers["Location"]).text, part
    assert behind.standing(behind.mail) == "objected"


@pytest.mark.parametrize("part", ["consent", "pause", "preferences", "data"])
@pytest.mark.parametrize("form", [{}, {"do": "x"}, {"do": "stop"}, {"do": "agree", "words": "x", "place": "²"}])
def test_a_form_that_says_nothing_of_the_kind_changes_nothing(
    app: Flask, behind: Behind, here: str, part: str, form: dict[str, str]
) -> None:
    before = contents(behind.runtime)
    answer = app.test_client().post(f"{here}/{part}", data=form)
    assert (answer.status_code, answer.headers["Location"]) == (303, here)
    assert contents(behind.runtime) == before


def test_erasing_and_objecting_ask_once_more_first(app: Flask, behind: Behind, here: str) -> None:
    before = contents(behind.runtime)
    for kind, words in (("erasure", "Erase everything about you?"), ("objection", "Object to all offers and news?")):
        assert words in app.test_client().post(f"{here}/data", data={"do": kind}).text
    assert contents(behind.runtime) == before


def test_no_answer_tells_whether_a_link_is_somebodys(app: Flask, behind: Behind, here: str) -> None:
    """An erased person's link, an altered one and an invented one get the same words from every part of the page."""
    gone = here
    privacy.erase(behind.runtime, behind.contact, actor=ACTOR)
    client = app.test_client()
    for part, form in (("", {}), ("/consent", {"do": "stop", "place": "1"}), ("/data", {"do": "erasure"})):
        answers = {
            (answer.status_code, answer.text.replace(path, ""))
            for path in (gone, gone[:-1], "/u/none")
            for answer in [client.post(path + part, data=form)]
        }
        assert len(answers) == 1, part
    assert len({client.get(path).text for path in (gone, gone[:-1], "/u/none")}) == 1


def test_a_link_thirteen_months_old_still_stops(
    app: Flask, behind: Behind, here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = type(behind.runtime.db).now
    later = timedelta(days=400)
    monkeypatch.setattr(type(behind.runtime.db), "now", lambda db, session: real(db, session) + later)
    answer = app.test_client().post(here, data={"List-Unsubscribe": "One-Click"})
    assert "unsubscribed" in answer.text
    assert behind.standing(behind.mail) == "withdrawn"


def test_a_shared_address_shows_no_requests_and_no_preferences(app: Flask, behind: Behind, here: str) -> None:
    behind.share()
    page = app.test_client().get(here).text
    assert "More than one person may use this address." in page
    assert "Erase me" not in page
    assert "+33" not in page
