"""A refusal closes what it names and no less: one topic, the channels it names, everything; in doubt more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from broadcaster.actions import catalogue, consent, consent_history
from broadcaster.actions.runtime import Runtime
from broadcaster.core import keywords
from broadcaster.core.consent import Action
from broadcaster.core.messages import Inbound, InboundKind
from broadcaster.fakes.telegram import FakeTelegram
from broadcaster.storage import conversations, people
from tests import factories
from tests.actions.scene import Scene, scene
from tests.actions.talk import NOW, a_key, said, tell


@pytest.fixture
def newsletter(s: Scene) -> int:
    """A second purpose that the first person agreed to."""
    made = catalogue.create_purpose(
        s.runtime,
        key="newsletter",
        parent="marketing",
        brand_id=s.brand,
        label={"en": "Gourmet club", "fr": "Club gourmand"},
        actor="cli:test",
    )
    consent.record(s.runtime, [factories.grant(s.people[0][1], made, NOW - timedelta(hours=1))], actor="person")
    return made


def open_purposes(s: Scene, address: int) -> set[int]:
    rows = s.rows("SELECT purpose_id FROM consent_state WHERE address_id = :a AND standing = 'granted'", a=address)
    return {row[0] for row in rows}


def another_address(s: Scene, channel: str = "email", account_id: int | None = None) -> int:
    """Give the first person an address on another channel, with the same consent."""
    [(contact, address)] = factories.contacts(
        s.runtime, 1, purpose_id=s.purpose, channel=channel, account_id=account_id, consenting=False, start=700
    )
    consent.record(s.runtime, [s.act(Action.GRANTED, address, at=NOW - timedelta(hours=1))], actor="person")
    s.change("UPDATE contact_address SET contact_id = :c WHERE contact_id = :o", c=s.people[0][0], o=contact)
    return address


def answer(s: Scene) -> str:
    """Return the one confirmation that was queued."""
    [(key_id, body)] = s.rows(
        "SELECT a.key_id, m.body_ct FROM message m JOIN address a ON a.id = m.address_id WHERE m.kind = 'confirmation'"
    )
    with s.runtime.db.reading() as session:
        key = people.person_keys(session, s.runtime.keys, [key_id])[key_id]
    return str(conversations.open_message(key, bytes(body))["text"])


@pytest.mark.parametrize(
    "text", ["STOP NEWSLETTER", "stop newsletters please", "stop gourmet club", "Stop club gourmand"]
)
def test_a_stop_of_a_topic_closes_that_topic_and_says_so(s: Scene, newsletter: int, text: str) -> None:
    tell(s, said(text))
    assert open_purposes(s, s.people[0][1]) == {s.purpose}
    assert "Gourmet club" in answer(s)


@pytest.mark.parametrize("text", ["STOP", "STOP PROMO", "stop newsletter and offers, all of it"])
def test_a_stop_of_no_topic_of_ours_closes_all_marketing(s: Scene, newsletter: int, text: str) -> None:
    tell(s, said(text))
    assert open_purposes(s, s.people[0][1]) == set()


def test_a_start_after_a_topic_reopens_that_topic_only(s: Scene, newsletter: int) -> None:
    tell(s, said("STOP NEWSLETTER"))
    tell(s, said("START", at=NOW + timedelta(minutes=1)))
    assert open_purposes(s, s.people[0][1]) == {s.purpose, newsletter}
    assert s.rows("SELECT purpose_id FROM consent_event WHERE action = 'granted' AND source = 'keyword'") == [
        (newsletter,)
    ]


@pytest.mark.parametrize(
    "text, own, other",
    [
        ("STOP", set(), {"offers"}),
        ("sms stop, e-mail is fine", set(), {"offers"}),
        ("stop e-mails, sms is fine", {"offers"}, set()),
        ("stop e-mails", set(), set()),
        ("Stop contacting me on all channels", set(), set()),
    ],
)
def test_a_stop_closes_the_channels_it_means(s: Scene, text: str, own: set[str], other: set[str]) -> None:
    """In doubt the wider: a channel named closes beside the one it was named on."""
    mail = another_address(s)
    tell(s, said(text))
    assert open_purposes(s, s.people[0][1]) == ({s.purpose} if own else set())
    assert open_purposes(s, mail) == ({s.purpose} if other else set())
    assert open_purposes(s, s.people[1][1]) == {s.purpose}, "nobody else's"


def test_a_stop_of_a_channel_on_which_we_do_not_know_them_pauses_and_asks_a_person(s: Scene) -> None:
    tell(s, said("stop e-mails, sms is fine"))
    assert open_purposes(s, s.people[0][1]) == set()
    assert s.rows("SELECT needs_review FROM conversation") == [(True,)]


def test_the_words_of_a_stop_stay_with_the_address_they_came_from(s: Scene) -> None:
    """Somebody else may share the other address; rule, extent and version stand with both."""
    mail = another_address(s)
    tell(s, said("Stop contacting me on all channels"))
    entries = consent_history.history(s.runtime, [s.people[0][1], mail])
    told = {one.address_id: one.evidence or {} for one in entries if one.action == Action.OBJECTED}
    assert set(told) == {s.people[0][1], mail}
    for evidence in told.values():
        assert (evidence["scope"], evidence["detector"]) == ("everywhere", keywords.VERSION)
        assert evidence["rule"].startswith("rq.en.")
    assert "words" in told[s.people[0][1]]
    assert "words" not in told[mail]


def test_on_a_channel_of_many_accounts_a_stop_to_one_is_a_stop_to_all(runtime: Runtime) -> None:
    with FakeTelegram() as telegram:
        s = scene(runtime, telegram, 1, consenting=False)
        agreed = s.act(Action.GRANTED, s.people[0][1], at=NOW - timedelta(hours=1))
        consent.record(runtime, [agreed], actor="person")
        other = factories.account(runtime, s.brand, "telegram", settings={"token": "1:other"}, base_url=telegram.url)
        beside = another_address(s, "telegram", other)
        tell(s, Inbound(a_key(), InboundKind.TEXT, factories.address_value("telegram", 1), NOW, text="STOP"))
        assert open_purposes(s, s.people[0][1]) == set()
        assert open_purposes(s, beside) == set()


SAFETY = "Never answer people who say stop sending me messages, our safety week begins on Monday. Example, {}"


def test_our_own_words_sent_back_are_no_wish(s: Scene) -> None:
    """The rendered text is kept nowhere: the template's words tell."""
    s.launch(text=SAFETY.format("STOP to end"))
    s.drain()
    quoted = SAFETY.format("STOP to end")
    tell(s, said(quoted))
    assert open_purposes(s, s.people[0][1]) == {s.purpose}
    tell(s, said(quoted, who=50))
    assert s.rows("SELECT action FROM consent_event WHERE source = 'keyword'") != [], "nobody wrote that to them"


def test_a_confirmation_sent_back_is_no_start(s: Scene) -> None:
    tell(s, said("STOP"))
    tell(s, said(answer(s), at=NOW + timedelta(minutes=1)))
    assert open_purposes(s, s.people[0][1]) == set()
    assert s.rows("SELECT intent FROM message WHERE kind = 'inbound' ORDER BY id") == [("opt_out",), ("none",)]


def test_a_wish_beside_a_quotation_is_obeyed(s: Scene) -> None:
    s.launch(text=SAFETY.format("STOP to end"))
    s.drain()
    tell(s, said(SAFETY.format("STOP to end") + "\nSTOP"))
    assert open_purposes(s, s.people[0][1]) == set()
