"""Behind a link: scanners change nothing, one press stops, and no link tells more than it should."""

from __future__ import annotations

import secrets
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from broadcaster.actions import consent_history, double_optin, public, rendering
from broadcaster.actions.public import Scope
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Source
from broadcaster.storage.tables import Address
from tests import factories
from tests.web.people import Visitor, wind_back
from tests.web.test_pages import contents

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


class Link:
    """A person who agreed, and the link in a message to them."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.brand, self.purpose, self.wording = factories.brand_and_purpose(runtime)
        [(self.contact, self.address)] = factories.contacts(runtime, 1, purpose_id=self.purpose)
        with runtime.db.reading() as session:
            digest = session.get_one(Address, self.address).digest or b""
        self.path = rendering.stop_link(runtime, digest, self.purpose, 0).removeprefix(runtime.public_url)
        self.token = self.path.removeprefix("/u/")

    def standing(self) -> str | None:
        found = consent_history.standings(self.runtime, self.address)
        return next(one.standing for one in found if one.purpose.id == self.purpose)

    def events(self) -> list[tuple[str, str, str]]:
        found = consent_history.history(self.runtime, [self.address])
        return [(one.action, one.source, one.actor) for one in found]


@pytest.fixture
def link(runtime: Runtime) -> Link:
    return Link(runtime)


def test_scanners_change_nothing(app: Flask, runtime: Runtime, link: Link) -> None:
    before = contents(runtime)
    for _ in range(5):
        for method in ("GET", "HEAD"):
            assert Visitor(app).open(link.path, method=method).status_code == 200
    assert contents(runtime) == before


def test_the_page_shows_brand_and_purpose_and_never_the_address(app: Flask, link: Link) -> None:
    page = Visitor(app).get(link.path)
    assert "Example" in page.text
    assert "Offers" in page.text
    assert "p***@e***.net" in page.text
    assert "person1" not in page.text
    assert "<script" not in page.text
    assert "Set-Cookie" not in page.headers
    assert page.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_one_click_acts_without_cookies_and_leads_nowhere(app: Flask, link: Link, kind: str) -> None:
    client = app.test_client(use_cookies=False)
    headers = {"Origin": "https://mail.example", "Sec-Fetch-Site": "cross-site"}
    for _ in range(2):
        answer = client.post(link.path, data=ONE_CLICK, content_type=kind, headers=headers)
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
    assert link.standing() == "withdrawn"
    assert link.events()[1:] == [("withdrawn", "one_click", "person")]


@pytest.mark.parametrize(
    "body",
    [{}, {"List-Unsubscribe": "one-click"}, {"List-Unsubscribe": ["One-Click", "x"]}, {"scope": "all"}, {"x": "y"}],
)
def test_another_body_shows_the_page_and_changes_nothing(
    app: Flask, runtime: Runtime, link: Link, body: dict[str, object]
) -> None:
    before = contents(runtime)
    answer = app.test_client().post(link.path, data=body)
    assert answer.status_code == 200
    assert "<button" in answer.text
    assert app.test_client().post(link.path, data="One-Click", content_type="text/plain").status_code == 200
    assert contents(runtime) == before


@pytest.mark.parametrize(
    "scope,standing", [("purpose", "withdrawn"), ("channel", "objected"), ("everything", "objected")]
)
def test_the_button_stops_what_was_chosen(app: Flask, link: Link, scope: str, standing: str) -> None:
    answer = app.test_client().post(link.path, data={"scope": scope})
    assert answer.status_code == 200
    assert "unsubscribed" in answer.text
    assert link.standing() == standing
    assert link.events()[-1][1:] == ("preference_page", "person")


def test_wider_stops_can_follow(app: Flask, link: Link) -> None:
    client = app.test_client()
    assert "on every channel" in client.post(link.path, data=ONE_CLICK).text
    client.post(link.path, data={"scope": "channel"})
    assert link.standing() == "objected"


def test_a_token_altered_by_one_character_says_nothing_and_does_nothing(
    app: Flask, runtime: Runtime, link: Link
) -> None:
    before = contents(runtime)
    client = app.test_client()
    neutral = client.get("/u/none").text
    spoilt = [
        link.token[:n] + ("A" if link.token[n] != "A" else "B") + link.token[n + 1 :]
        for n in range(0, len(link.token), 3)
    ]
    for token in (*spoilt, link.token[:-1], link.token + "A", "x" * 10_000, "é", "%00"):
        for answer in (client.get(f"/u/{token}"), client.post(f"/u/{token}", data=ONE_CLICK)):
            assert answer.status_code == 200
            assert answer.text == neutral
    assert contents(runtime) == before


def test_no_random_token_is_taken(runtime: Runtime, link: Link) -> None:
    length = len(link.token) * 3 // 4
    assert all(public.read(runtime, secrets.token_urlsafe(length)) is None for _ in range(20_000))


def test_the_link_of_an_erased_person_is_answered_as_any_other(app: Flask, runtime: Runtime, link: Link) -> None:
    client = app.test_client()
    neutral = client.get("/u/none").text
    with runtime.db.engine.connect() as connection:
        statement = "UPDATE address SET status = 'erased', digest = NULL, value_ct = NULL WHERE id = :id"
        connection.execute(text(statement), {"id": link.address})
        connection.commit()
    before = contents(runtime)
    assert client.get(link.path).text == neutral
    assert contents(runtime) == before
    for _ in range(2):
        assert client.post(link.path, data=ONE_CLICK).text == neutral
    with runtime.db.reading() as session:
        marks = session.connection().execute(text("SELECT count(*) FROM suppression")).scalar_one()
    assert marks == 1  # obeyed without a row of theirs: a keyed hash remembers it


def test_an_old_link_still_stops_after_the_keys_have_changed(runtime: Runtime, link: Link) -> None:
    from dataclasses import replace

    rotated = replace(runtime, keys=runtime.keys.rotate("link", secrets.token_bytes(32)))
    assert public.unsubscribe(rotated, link.token, Scope.PURPOSE, source=Source.ONE_CLICK, evidence={}) is not None
    assert link.standing() == "withdrawn"


def test_after_a_new_yes_the_same_link_stops_again(app: Flask, runtime: Runtime, link: Link) -> None:
    client = app.test_client()
    client.post(link.path, data=ONE_CLICK)
    factories.account(runtime, link.brand, "smtp", settings={"host": "127.0.0.1", "from_address": "n@example.org"})
    client.post(f"/c/{_asked(runtime, link).token}", data={"answer": "yes"})
    assert link.standing() == "granted"
    client.post(link.path, data=ONE_CLICK)
    assert link.standing() == "withdrawn"


def test_a_service_link_offers_its_purpose_only(app: Flask, runtime: Runtime, link: Link) -> None:
    from broadcaster.actions import catalogue

    service = catalogue.create_purpose(
        runtime, key="parcels", parent="service", brand_id=link.brand, label={"en": "Parcels"}, actor="cli:test"
    )
    with runtime.db.reading() as session:
        digest = session.get_one(Address, link.address).digest or b""
    path = rendering.stop_link(runtime, digest, service, 0).removeprefix(runtime.public_url)
    assert 'type="radio"' not in app.test_client().get(path).text
    assert "unsubscribed" in app.test_client().post(path, data={"scope": "purpose"}).text
    assert link.standing() == "granted"


@pytest.mark.parametrize(
    "accept,own,words",
    [
        ("fr", None, "Se désinscrire"),
        ("en", "fr-CA", "Se désinscrire"),
        ("de", "nl", "Abmelden"),
        ("nl", "de-AT", "Abmelden"),
        ("ja", None, "Unsubscribe"),
    ],
)
def test_pages_speak_the_persons_language(
    app: Flask, runtime: Runtime, link: Link, accept: str, own: str | None, words: str
) -> None:
    with runtime.db.engine.connect() as connection:
        connection.execute(text("UPDATE contact SET language = :own"), {"own": own})
        connection.commit()
    assert words in app.test_client().get(link.path, headers={"Accept-Language": accept}).text


def test_the_language_chosen_on_the_page_goes_before_all_others_and_stays(app: Flask, link: Link) -> None:
    client = app.test_client(use_cookies=False)
    page = client.get(f"{link.path}?lang=de", headers={"Accept-Language": "fr"})
    assert '<html lang="de">' in page.text
    assert 'aria-current="true">Deutsch' in page.text
    assert f'action="{link.path}/consent?lang=de"' in page.text
    assert '<html lang="en">' in client.get(f"{link.path}?lang=xx").text


# The question of a double opt-in.


def _asked(runtime: Runtime, link: Link) -> double_optin.Asked:
    return double_optin.request(
        runtime,
        address_id=link.address,
        purpose_id=link.purpose,
        wording_id=link.wording,
        source=Source.WEB_FORM,
        evidence={},
        by_person=True,
        actor="person",
    )


def _without_consent(runtime: Runtime, link: Link) -> double_optin.Asked:
    factories.account(runtime, link.brand, "smtp", settings={"host": "127.0.0.1", "from_address": "n@example.org"})
    [(_contact, link.address)] = factories.contacts(runtime, 1, purpose_id=link.purpose, start=2, consenting=False)
    return _asked(runtime, link)


def test_only_the_button_confirms(app: Flask, runtime: Runtime, link: Link) -> None:
    asked = _without_consent(runtime, link)
    client = app.test_client(use_cookies=False)
    before = contents(runtime)
    for _ in range(5):
        assert "Yes, send me offers." in client.get(f"/c/{asked.token}").text
        client.head(f"/c/{asked.token}")
        client.post(f"/c/{asked.token}", data={"List-Unsubscribe": "One-Click"})
    assert contents(runtime) == before
    for _ in range(2):
        assert "confirmed" in client.post(f"/c/{asked.token}", data={"answer": "yes"}).text
    assert link.standing() == "granted"
    assert [one[0] for one in link.events()] == ["requested", "confirmed"]


def test_a_spoilt_question_says_nothing(app: Flask, runtime: Runtime, link: Link) -> None:
    asked = _without_consent(runtime, link)
    client = app.test_client()
    spoilt = asked.token[:-1] + ("A" if asked.token[-1] != "A" else "B")
    neutral = client.get("/c/none").text
    assert client.get(f"/c/{spoilt}").text == neutral
    assert client.post(f"/c/{spoilt}", data={"answer": "yes"}).text == neutral
    assert link.standing() == "pending"


def test_an_old_question_can_be_sent_again(app: Flask, runtime: Runtime, link: Link) -> None:
    asked = _without_consent(runtime, link)
    for column in ("created_at", "expires_at"):
        wind_back(runtime, "optin_request", column, timedelta(days=8))
    client = app.test_client()
    assert "too old" in client.get(f"/c/{asked.token}").text
    assert "too old" in client.post(f"/c/{asked.token}", data={"answer": "yes"}).text
    for _ in range(2):
        assert "sent the question again" in client.post(f"/c/{asked.token}", data={"answer": "again"}).text
    with runtime.db.reading() as session:
        assert session.connection().execute(text("SELECT count(*) FROM optin_request")).scalar_one() == 2
    assert link.standing() == "pending"
