"""A sign-up form asks, in one message, with the exact words; it opens nothing and tells nobody who is known."""

from __future__ import annotations

from datetime import timedelta

import pytest

from broadcaster.actions import catalogue, consent_history, double_optin, own_words, signups
from broadcaster.actions.own_words import NewWord
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Action
from broadcaster.core.errors import InvalidInput, NotFound
from broadcaster.core.keywords.own import WordKind
from broadcaster.core.messages import Inbound, InboundKind
from broadcaster.fakes.telegram import FakeTelegram
from broadcaster.storage import conversations, people
from tests import factories
from tests.actions.scene import Scene, scene
from tests.actions.talk import NOW, a_key, number, said, tell

ACTOR = "cli:test"


def a_form(s: Scene, *offered: str) -> tuple[str, list[int]]:
    """Make a form for two purposes; return its key and its wordings."""
    second = catalogue.create_purpose(
        s.runtime, key="letter", parent="marketing", brand_id=s.brand, label={"en": "Letter"}, actor=ACTOR
    )
    catalogue.add_wording(s.runtime, purpose_id=second, language="en", text="Send me your letter.", actor=ACTOR)
    wordings = [row[0] for row in s.rows("SELECT id FROM wording ORDER BY id")]
    form = signups.create(
        s.runtime,
        name="Poster",
        brand_id=s.brand,
        language="en",
        wording_ids=wordings,
        offered=offered or ("sms",),
        actor=ACTOR,
    )
    return signups.of_staff(s.runtime, form)[1].key, wordings


def fill_in(s: Scene, key: str, wordings: list[int], who: int = 77) -> None:
    signups.fill_in(s.runtime, key, wording_ids=wordings, typed={"sms": number(who)}, evidence={"page": "/j/"})


def standings(s: Scene) -> set[str]:
    [[address]] = s.rows("SELECT max(id) FROM address")
    query = "SELECT DISTINCT standing FROM consent_state WHERE address_id = :a"
    return {row[0] for row in s.rows(query, a=address)}


def question(s: Scene) -> str:
    [(key_id, body)] = s.rows(
        "SELECT a.key_id, m.body_ct FROM message m JOIN address a ON a.id = m.address_id WHERE m.kind = 'doi'"
    )
    with s.runtime.db.reading() as session:
        key = people.person_keys(session, s.runtime.keys, [key_id])[key_id]
    return str(conversations.open_message(key, bytes(body))["text"])


def test_a_form_asks_for_all_that_was_ticked_in_one_message_and_opens_nothing(s: Scene) -> None:
    key, wordings = a_form(s)
    fill_in(s, key, wordings)
    assert standings(s) == {"pending"}
    text = question(s)
    assert "« Yes, send me offers. » « Send me your letter. »" in text
    token = text.partition("/c/")[2].split()[0]
    page = double_optin.read(s.runtime, token)
    assert page is not None
    assert [wording for _purpose, wording in page.asks] == ["Yes, send me offers.", "Send me your letter."]
    double_optin.confirm(s.runtime, token, evidence={})
    assert standings(s) == {"granted"}


def test_each_consent_of_a_form_carries_its_wording_and_the_person_is_a_contact(s: Scene) -> None:
    key, wordings = a_form(s)
    fill_in(s, key, wordings)
    tell(s, said("YES", who=77, at=NOW + timedelta(minutes=1)))
    [[address]] = s.rows("SELECT max(id) FROM address")
    entries = consent_history.history(s.runtime, [address])
    confirmed = {one.wording.id for one in entries if one.action == Action.CONFIRMED and one.wording}
    assert confirmed == set(wordings)
    assert all((one.evidence or {})["form"] == key for one in entries if one.action == Action.REQUESTED)
    assert s.rows(
        "SELECT c.language FROM contact c JOIN contact_address l ON l.contact_id = c.id WHERE l.address_id = :a",
        a=address,
    ) == [("en",)]


def test_what_was_not_ticked_is_not_asked(s: Scene) -> None:
    key, wordings = a_form(s)
    fill_in(s, key, wordings[1:])
    assert s.rows("SELECT wording_id FROM optin_request") == [(wordings[1],)]
    with pytest.raises(InvalidInput):
        fill_in(s, key, [], who=78)
    with pytest.raises(InvalidInput):
        fill_in(s, key, [99], who=78)
    assert s.rows("SELECT count(*) FROM optin_request") == [(1,)]


def test_one_address_is_asked_once_a_day_however_often_a_form_is_sent(s: Scene) -> None:
    key, wordings = a_form(s)
    for _ in range(3):
        fill_in(s, key, wordings)
    assert s.rows("SELECT count(*) FROM message WHERE kind = 'doi'") == [(1,)]


def test_somebody_who_agreed_already_is_asked_for_the_rest_only(s: Scene) -> None:
    key, wordings = a_form(s)
    fill_in(s, key, wordings, who=1)
    assert s.rows("SELECT wording_id FROM optin_request") == [(wordings[1],)]


def test_a_stop_stands_until_the_person_says_yes_to_the_question(s: Scene) -> None:
    key, wordings = a_form(s)
    tell(s, said("STOP", who=1))
    fill_in(s, key, wordings, who=1)
    assert s.rows("SELECT DISTINCT standing FROM consent_state WHERE address_id = :a", a=s.people[0][1]) == [
        ("objected",)
    ]


def test_a_closed_form_takes_nothing(s: Scene) -> None:
    key, wordings = a_form(s)
    signups.close(s.runtime, 1, actor=ACTOR)
    with pytest.raises(NotFound):
        fill_in(s, key, wordings)
    assert signups.shown(s.runtime, key) is None


def test_a_form_offers_one_wording_of_each_purpose_of_one_brand(s: Scene) -> None:
    catalogue.add_wording(s.runtime, purpose_id=s.purpose, language="fr", text="Oui.", actor=ACTOR)
    with pytest.raises(InvalidInput) as problem:
        a_form(s)
    assert problem.value.code == "wording_mixed"


def test_a_link_by_sms_carries_the_word_that_joins(s: Scene) -> None:
    key, wordings = a_form(s)
    page = signups.shown(s.runtime, key)
    assert page is not None
    assert page.links == ()
    own_words.add(s.runtime, NewWord("sms", "GOURMET", WordKind.JOIN, wording_id=wordings[0]), actor=ACTOR)
    page = signups.shown(s.runtime, key)
    assert page is not None
    assert page.links == (("sms", "sms:+15550100?body=GOURMET"),)


def test_pressing_start_behind_a_link_leads_to_the_question_never_to_consent(runtime: Runtime) -> None:
    with FakeTelegram() as telegram:
        s = scene(runtime, telegram, 1)
        key, wordings = a_form(s, "telegram")
        who = factories.address_value("telegram", 77)
        tell(s, Inbound(a_key(), InboundKind.OPT_IN, who, NOW, text=f"/start {key}", payload=key))
        assert standings(s) == {"pending"}
        assert "Send me your letter." in question(s)
        assert s.rows("SELECT count(*) FROM optin_request") == [(len(wordings),)]
