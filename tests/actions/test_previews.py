"""What one person would get is shown as it would be; a test goes to oneself and to nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from broadcaster.actions import consent as consent_actions
from broadcaster.actions import content, messages, outbox, previews, staff
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Action, Source
from broadcaster.core.errors import InvalidInput, NotFound, Refused
from broadcaster.core.event_types import ContactChanged
from broadcaster.storage import log, people
from broadcaster.storage.people import NewAddress
from broadcaster.storage.tables import Contact, ContactAddress
from tests import factories
from tests.factories import ACTOR

MAIL = {
    "subject": "Hello {{ contact.first_name }}",
    "text": "Dear {{ contact.first_name }}, from Example: {{ unsubscribe_url }}",
    "html": "<p>Dear {{ contact.first_name }}, from Example: <a href='{{ unsubscribe_url }}'>stop</a></p>",
}
CHAT = {
    "text": "Hi {{ contact.first_name }}. STOP to end. Example",
    "buttons": [{"kind": "reply", "title": "More", "value": "more"}],
    "media": [{"kind": "image", "url": "https://example.org/a.png", "filename": "a.png"}],
}
SMS = {"text": "Hi {{ contact.first_name }}, {{ contact.attributes.plan }}. STOP to end. Example"}


@pytest.fixture
def runtime(database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    with factories.installation(database_url, tmp_path) as made:
        yield made


@pytest.fixture
def brand(runtime: Runtime) -> int:
    return factories.brand_and_purpose(runtime)[0]


def purpose(runtime: Runtime) -> int:
    with runtime.db.reading() as session:
        return int(session.connection().execute(text("SELECT id FROM purpose WHERE key = 'offers'")).scalar_one())


def test_as_a_contact_it_reads_as_they_would_read_it(runtime: Runtime, brand: int) -> None:
    ((contact, _),) = factories.contacts(runtime, 1, purpose_id=purpose(runtime))
    shown = previews.preview(runtime, MAIL, channel="email", brand_id=brand, contact_id=contact)
    assert (shown.subject, shown.missing, shown.sendable, shown.sms) == ("Hello Ann1", (), True, None)
    assert "https://news.example.org/u/" in shown.html
    assert "Ann1" not in repr(shown)


def test_a_missing_field_is_named_and_stands_where_it_would_be(runtime: Runtime, brand: int) -> None:
    ((contact, _),) = factories.contacts(runtime, 1, purpose_id=purpose(runtime))
    shown = previews.preview(runtime, SMS, channel="sms", brand_id=brand, contact_id=contact)
    assert (shown.missing, shown.sendable) == (("contact.attributes.plan",), False)
    assert "Ann1, [contact.attributes.plan]." in shown.text


def test_the_worst_cases_are_nothing_known_and_everything_long(runtime: Runtime, brand: int) -> None:
    nothing = previews.preview(runtime, SMS, channel="sms", brand_id=brand, persona="unknown")
    assert nothing.missing == ("contact.first_name", "contact.attributes.plan")
    longest = previews.preview(runtime, SMS, channel="sms", brand_id=brand, persona="longest")
    usual = previews.preview(runtime, SMS, channel="sms", brand_id=brand)
    assert (longest.missing, usual.missing) == ((), ())
    assert longest.sms is not None
    assert usual.sms is not None
    assert (usual.sms.alphabet, usual.sms.parts) == ("gsm7", 1)
    assert longest.sms.characters > usual.sms.characters


def test_one_emoji_is_seen_to_cost_another_alphabet(runtime: Runtime, brand: int) -> None:
    words = {"text": "STOP to end. Example " + "x" * 60 + "🙂"}
    shown = previews.preview(runtime, words, channel="sms", brand_id=brand)
    assert shown.sms is not None
    assert (shown.sms.alphabet, shown.sms.parts) == ("ucs2", 2)


@pytest.mark.parametrize(
    "words,code",
    [
        ({"text": "Hi {{ contact.first_name"}, "template_syntax"),
        ({"text": "Hi {{ contact.shoe_size }}"}, "unknown_field"),
        ({"text": "Example"}, "optout_missing"),
        ({"text": ""}, "empty"),
    ],
)
def test_mistakes_are_shown_and_raise_nothing(runtime: Runtime, brand: int, words: Any, code: str) -> None:
    """A preview is asked for at every key press, so also in the middle of a word."""
    shown = previews.preview(runtime, words, channel="sms", brand_id=brand)
    assert code in [one.code for one in shown.problems]
    assert not shown.sendable
    assert shown.told()["sendable"] is False


def template(runtime: Runtime, brand: int, **variants: Any) -> int:
    given = {tuple(place.split("_")): words for place, words in variants.items()}
    return content.save_template(runtime, name="Words", brand_id=brand, variants=given, actor=ACTOR)  # type: ignore[arg-type]


def test_a_saved_template_falls_back_to_its_language(runtime: Runtime, brand: int) -> None:
    made = template(runtime, brand, sms_en=SMS, sms_fr={"text": "Bonjour, ARRET. Example"})
    assert previews.preview_variant(runtime, made, channel="sms", language="fr-CA").text.startswith("Bonjour")
    assert previews.preview_variant(runtime, made, channel="sms", language="de").language == "en"
    with pytest.raises(NotFound):
        previews.preview_variant(runtime, made, channel="telegram")
    with pytest.raises(NotFound):
        previews.preview_variant(runtime, 10**6, channel="sms")


class Desk:
    """A member of staff, an e-mail sender, a phone sender, a sandbox, and words for all three."""

    def __init__(self, runtime: Runtime, brand: int) -> None:
        self.runtime = runtime
        self.member = staff.create(runtime, name="Ada", email="ada@example.org", role="marketer")
        mail = {"host": "mail.example.org", "from_address": "news@example.org"}
        phone = {"account_sid": "AC" + "0" * 32, "sender": "+15550100", "auth_token": "x"}
        self.mail = factories.account(runtime, brand, "smtp", settings=mail)
        self.phone = factories.account(runtime, brand, "twilio", settings=phone)
        self.box = factories.account(runtime, brand, "sandbox", channel="telegram")
        self.words = template(runtime, brand, email_en=MAIL, sms_en=SMS, telegram_en=CHAT)

    def send(self, account: int, to: str = "") -> int:
        return previews.send_test(
            self.runtime, self.words, account_id=account, staff_id=self.member, to=to, actor=f"staff:{self.member}"
        )


@pytest.fixture
def desk(runtime: Runtime, brand: int) -> Desk:
    return Desk(runtime, brand)


def test_a_test_goes_to_the_address_they_sign_in_with(desk: Desk) -> None:
    made = desk.send(desk.mail)
    with desk.runtime.db.reading() as session:
        row = session.connection().execute(
            text("SELECT kind, test_staff_id, state FROM message WHERE id = :i"), {"i": made}
        )
        assert tuple(row.one()) == ("test", desk.member, "planned")


def test_a_test_relays_to_nobody_else(desk: Desk) -> None:
    """Otherwise every marketer had a way around consent."""
    for account, to in ((desk.mail, "bob@example.org"), (desk.phone, "+33612345678")):
        with pytest.raises(Refused) as problem:
            desk.send(account, to)
        assert problem.value.code == "not_own_address"


def test_the_addresses_of_the_internal_contact_are_their_own(desk: Desk) -> None:
    ((contact, phone),) = factories.contacts(
        desk.runtime, 1, purpose_id=purpose(desk.runtime), channel="sms", consenting=False, start=12
    )
    number = factories.address_value("sms", 12)
    with desk.runtime.db.transaction(ACTOR) as session:
        now = desk.runtime.db.now(session)
        new = [NewAddress("email", None, "email", "ada@example.org")]
        ((mail, _),) = people.create_addresses(session, desk.runtime.keys, new, now=now)
        session.add(ContactAddress(contact_id=contact, address_id=mail, created_at=now))
        session.get_one(Contact, contact).kind = "internal"
        log.record(session, ContactChanged(contact_id=contact, verb="changed"), at=now)
    assert desk.send(desk.phone, number)
    act = factories.grant(phone, purpose(desk.runtime), now, action=Action.OBJECTED, source=Source.CALL)
    consent_actions.record(desk.runtime, [act], actor=ACTOR)
    with pytest.raises(Refused) as problem:
        desk.send(desk.phone, number)
    assert problem.value.code == "opted_out"


def test_in_the_sandbox_the_test_can_be_read_at_once(desk: Desk) -> None:
    """The first message of a newcomer goes to themself."""
    desk.send(desk.box, "100001")
    messages.send_due(desk.runtime)
    (letter,) = outbox.letters(desk.runtime)
    assert "Camille" in letter.text
    assert letter.buttons == [["reply", "More", "more"]]
    assert letter.media == [["image", "https://example.org/a.png", "a.png"]]


def test_words_that_cannot_be_read_are_not_sent(desk: Desk) -> None:
    with pytest.raises(InvalidInput):
        previews.preview(desk.runtime, SMS, channel="sms", brand_id=1, persona="nobody")  # type: ignore[arg-type]
