"""The page behind a link: what it shows to whom, and which consents a person changes there; on both engines."""

from __future__ import annotations

import pytest

from broadcaster.actions import catalogue, consent_history, contacts, public
from broadcaster.actions.choosing import Done
from broadcaster.actions.public import Scope
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Source
from tests import factories
from tests.actions.behind import Behind
from tests.factories import ACTOR


@pytest.fixture
def behind(runtime: Runtime) -> Behind:
    return Behind(runtime)


def test_the_page_shows_what_was_agreed_when_and_to_which_words(behind: Behind) -> None:
    [mail, phone] = behind.page().places
    [choice] = mail.choices
    assert (choice.standing, choice.agreed and choice.agreed.text) == ("granted", "Yes, send me offers.")
    assert choice.since is not None
    assert (mail.masked, mail.here) == ("p***@e***.net", True)
    assert (phone.masked, phone.here, phone.choices[0].standing) == ("+33 6 ** ** ** 78", False, None)


def test_an_address_that_several_use_shows_nothing_else_of_any_of_them(behind: Behind) -> None:
    behind.share()
    page = behind.page()
    assert [place.address_id for place in page.places] == [behind.mail]
    assert not page.alone


def test_another_address_that_several_use_is_not_shown(behind: Behind) -> None:
    contacts.add_address(behind.runtime, behind.other, "sms", "+33612345678", actor=ACTOR)
    assert [place.address_id for place in behind.page().places] == [behind.mail]


def test_merged_contacts_are_one_person(behind: Behind) -> None:
    contacts.merge(behind.runtime, behind.contact, behind.other, actor=ACTOR)
    assert {place.address_id for place in behind.page().places} == {behind.mail, behind.phone, behind.other_mail}


def test_what_an_address_did_for_somebody_before_is_not_told_to_its_next_user(behind: Behind) -> None:
    contacts.remove_address(behind.runtime, behind.contact, behind.mail, actor=ACTOR)
    value = factories.address_value("email", 1)
    contacts.add_address(behind.runtime, behind.other, "email", value, actor=ACTOR)
    assert [one.address_id for one in behind.page().history] == []


def test_stopping_one_purpose_leaves_the_others(behind: Behind) -> None:
    news = catalogue.create_purpose(
        behind.runtime, key="news", parent="marketing", brand_id=behind.brand, label={"en": "News"}, actor=ACTOR
    )
    words = catalogue.add_wording(behind.runtime, purpose_id=news, language="en", text="Yes, news.", actor=ACTOR)
    assert behind.agree(behind.mail, words) is Done.AGREED
    assert behind.stop(behind.mail, behind.purpose) is Done.STOPPED
    place = behind.place(behind.mail)
    assert place is not None
    assert {one.purpose.id: one.standing for one in place.choices} == {behind.purpose: "withdrawn", news: "granted"}


def test_stopping_a_channel_leaves_the_other_addresses(behind: Behind) -> None:
    assert behind.stop(behind.phone, None) is Done.STOPPED
    assert behind.standing(behind.phone) == "objected"
    assert behind.standing(behind.mail) == "granted"


def test_a_link_changes_nothing_at_an_address_it_does_not_reach(behind: Behind) -> None:
    before = behind.events()
    assert behind.stop(behind.other_mail, behind.purpose) is None
    assert behind.agree(behind.other_mail, behind.wording) is None
    assert behind.stop(behind.mail, 1) is None  # "all" is not theirs to name
    assert behind.events() == before


def test_a_new_yes_keeps_the_words_the_page_and_the_browser(behind: Behind) -> None:
    public.unsubscribe(behind.runtime, behind.token, Scope.EVERYTHING, source=Source.ONE_CLICK, evidence={})
    assert behind.agree(behind.mail, behind.wording) is Done.AGREED
    assert behind.standing(behind.mail) == "granted"
    assert behind.standing(behind.phone) == "objected"
    last = consent_history.history(behind.runtime, [behind.mail])[-1]
    assert (last.action, last.actor, last.source) == ("granted", "person", "preference_page")
    assert last.wording is not None
    assert last.evidence is not None
    assert last.wording.id == behind.wording
    assert last.evidence["wording_sha256"] == last.wording.sha256
    assert last.evidence["agent"] == "a browser"


def test_agreeing_twice_is_agreeing_once(behind: Behind) -> None:
    behind.stop(behind.mail, behind.purpose)
    behind.agree(behind.mail, behind.wording)
    before = behind.events()
    assert behind.agree(behind.mail, behind.wording) is Done.AGREED
    assert behind.events() == before


def test_words_no_longer_in_use_cannot_be_agreed_to(behind: Behind) -> None:
    behind.stop(behind.mail, behind.purpose)
    catalogue.add_wording(behind.runtime, purpose_id=behind.purpose, language="en", text="Other words.", actor=ACTOR)
    assert behind.agree(behind.mail, behind.wording) is Done.CHANGED
    assert behind.standing(behind.mail) == "withdrawn"


def test_words_are_offered_in_the_language_of_the_page(behind: Behind) -> None:
    catalogue.add_wording(behind.runtime, purpose_id=behind.purpose, language="fr", text="Oui.", actor=ACTOR)
    offered = behind.page("fr", "en").places[0].choices[0].offered
    assert offered is not None
    assert offered.text == "Oui."


@pytest.mark.parametrize("everybody_confirms", [False, True])
def test_a_yes_that_the_link_does_not_prove_asks_at_the_address_first(behind: Behind, everybody_confirms: bool) -> None:
    channel, address, wording = "sms", behind.phone, behind.wording
    if everybody_confirms:
        purpose = catalogue.create_purpose(
            behind.runtime,
            key="news",
            parent="marketing",
            brand_id=behind.brand,
            label={"en": "News"},
            double_opt_in=True,
            actor=ACTOR,
        )
        wording = catalogue.add_wording(behind.runtime, purpose_id=purpose, language="en", text="Yes.", actor=ACTOR)
        channel, address = "email", behind.mail
    factories.account(behind.runtime, behind.brand, "sandbox", channel=channel)
    for _ in range(2):
        assert behind.agree(address, wording) is Done.ASKED
    place = behind.place(address)
    assert place is not None
    assert [one.standing for one in place.choices if one.offered and one.offered.id == wording] == ["pending"]


def test_another_brands_words_are_not_offered_and_cannot_be_agreed_to(behind: Behind) -> None:
    brand = catalogue.create_brand(behind.runtime, key="second", name="Second", actor=ACTOR)
    purpose = catalogue.create_purpose(
        behind.runtime, key="second_news", parent="marketing", brand_id=brand, label={"en": "News"}, actor=ACTOR
    )
    words = catalogue.add_wording(behind.runtime, purpose_id=purpose, language="en", text="Yes.", actor=ACTOR)
    assert purpose not in {one.purpose.id for place in behind.page().places for one in place.choices}
    assert behind.agree(behind.mail, words) is None
