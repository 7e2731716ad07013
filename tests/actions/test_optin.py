"""What staff record of a person's word, and the question of a double opt-in; on both engines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from broadcaster.actions import accounts, catalogue, consent, consent_history, double_optin, inbound, optin, whereabouts
from broadcaster.actions.optin import Proof
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Action, Source
from broadcaster.core.deliveries import Reason
from broadcaster.core.errors import Conflict, InvalidInput, NotFound, Refused
from broadcaster.core.event_types import ContactChanged, Suppressed
from broadcaster.core.messages import Inbound, InboundKind
from broadcaster.storage import consent as ledger
from broadcaster.storage import log
from broadcaster.storage import optin as rows
from broadcaster.storage.conversations import open_message
from broadcaster.storage.people import person_keys
from broadcaster.storage.tables import Address, ContactAddress, Message
from tests import factories
from tests.factories import ACTOR
from tests.web.people import wind_back

#: What is said in Python alone, whatever the engine.
one_engine = pytest.mark.parametrize("migrated_url", ["sqlite"], indirect=True)


def proof(**changes: object) -> Proof:
    told = {"source": Source.PAPER, "at": datetime.now(UTC) - timedelta(days=1), "proof": "Card 12, signed in the shop"}
    return Proof(**{**told, **changes})  # type: ignore[arg-type]


class Shop:
    """A brand with one purpose, its wording, and an address nobody has spoken for yet."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.brand, self.purpose, self.wording = factories.brand_and_purpose(runtime)
        self.address = whereabouts.ensure(runtime, "email", "Ann@Example.NET", by_person=False, actor=ACTOR)

    def grant(self, **changes: object) -> optin.Told:
        told = {"address_id": self.address, "purpose_id": self.purpose, "wording_id": self.wording}
        return optin.grant(self.runtime, **{**told, "proof": proof(), "actor": ACTOR, **changes})  # type: ignore[arg-type]

    def refuse(self, **changes: object) -> optin.Told:
        told = {"address_id": self.address, "proof": proof(source=Source.CALL, at=datetime.now(UTC)), "actor": ACTOR}
        return optin.refuse(self.runtime, **{**told, **changes})  # type: ignore[arg-type]

    def ask(self, **changes: object) -> double_optin.Asked:
        told: dict[str, object] = {
            "address_id": self.address,
            "purpose_id": self.purpose,
            "wording_id": self.wording,
            "source": Source.WEB_FORM,
            "evidence": {"form": "https://example.org/join"},
            "by_person": True,
            "actor": "person",
        }
        return double_optin.request(self.runtime, **{**told, **changes})  # type: ignore[arg-type]

    def standing(self) -> str | None:
        found = consent_history.standings(self.runtime, self.address)
        return next(one.standing for one in found if one.purpose.id == self.purpose)


@pytest.fixture
def shop(runtime: Runtime) -> Shop:
    return Shop(runtime)


def test_a_yes_with_its_proof_opens_the_address_and_can_be_shown(shop: Shop) -> None:
    told = shop.grant()
    assert told.refusal is None
    assert shop.standing() == "granted"
    [entry] = consent_history.history(shop.runtime, [shop.address])
    assert (entry.action, entry.actor, entry.source) == ("granted", "staff", "paper")
    assert entry.wording is not None
    assert entry.wording.text == "Yes, send me offers."
    assert entry.evidence is not None
    assert entry.evidence["proof"] == "Card 12, signed in the shop"
    assert entry.evidence["address"] == "ann@example.net"
    assert entry.intact
    assert entry.masked == "a***@e***.net"
    assert [one.id for one in consent_history.newest(shop.runtime)] == [entry.id]


@one_engine
@pytest.mark.parametrize(
    "change,field",
    [
        ({"proof": ""}, "proof"),
        ({"proof": "x" * 2001}, "proof"),
        ({"at": datetime(2026, 1, 1)}, "date"),  # noqa: DTZ001
        ({"at": datetime(2099, 1, 1, tzinfo=UTC)}, "date"),
        ({"at": datetime(1980, 1, 1, tzinfo=UTC)}, "date"),
        ({"source": Source.KEYWORD}, "source"),
        ({"source": Source.IMPORT}, "source"),
    ],
)
def test_a_yes_without_wording_date_or_evidence_is_refused(shop: Shop, change: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        shop.grant(proof=proof(**change))
    assert caught.value.field == field
    assert consent_history.history(shop.runtime, [shop.address]) == []


@one_engine
def test_the_wording_must_be_one_of_the_purpose(shop: Shop) -> None:
    other = catalogue.create_purpose(
        shop.runtime, key="events", parent="marketing", brand_id=shop.brand, label={"en": "Events"}, actor=ACTOR
    )
    for change, field in (
        ({"purpose_id": other}, "wording"),
        ({"wording_id": 999}, "wording"),
        ({"purpose_id": 2}, "purpose"),
    ):
        with pytest.raises(InvalidInput) as caught:
            shop.grant(**change)
        assert caught.value.field == field
    with pytest.raises(NotFound):
        shop.grant(address_id=999)


def test_a_yes_recorded_by_staff_never_lifts_a_refusal(shop: Shop) -> None:
    shop.grant()
    assert shop.refuse().refusal is Reason.OBJECTED
    told = shop.grant(proof=proof(at=datetime.now(UTC)))
    assert told.recorded.ineffective == 1
    assert told.refusal is Reason.OBJECTED
    assert shop.standing() == "objected"
    assert [one.ineffective for one in consent_history.history(shop.runtime, [shop.address])].count(True) == 1


@one_engine
def test_a_withdrawal_of_one_purpose_leaves_the_others(shop: Shop) -> None:
    events = catalogue.create_purpose(
        shop.runtime, key="events", parent="marketing", brand_id=shop.brand, label={"en": "Events"}, actor=ACTOR
    )
    wording = catalogue.add_wording(shop.runtime, purpose_id=events, language="en", text="Invite me.", actor=ACTOR)
    shop.grant()
    shop.grant(purpose_id=events, wording_id=wording)
    told = shop.refuse(purpose_id=events)
    assert told.refusal is Reason.WITHDRAWN
    assert shop.standing() == "granted"


def test_a_no_is_recorded_for_an_address_we_do_not_know(shop: Shop) -> None:
    """Also for one that is suppressed, and without any proof beyond who took the call."""
    address = whereabouts.ensure(shop.runtime, "sms", "06 12 34 56 78", by_person=True, actor=ACTOR)
    told = shop.refuse(address_id=address, proof=proof(source=Source.CALL, at=datetime.now(UTC), proof=""))
    assert told.refusal is Reason.OBJECTED
    assert whereabouts.find(shop.runtime, "sms", "+33612345678") == address


def test_a_no_everywhere_reaches_every_address_of_the_person(shop: Shop) -> None:
    [(contact, one)] = factories.contacts(shop.runtime, 1, purpose_id=shop.purpose)
    with shop.runtime.db.transaction(ACTOR) as session:
        now = shop.runtime.db.now(session)
        session.add(ContactAddress(contact_id=contact, address_id=shop.address, created_at=now))
        log.record(session, ContactChanged(contact_id=contact, verb="changed"), at=now)
    told = shop.refuse(address_id=one, everywhere=True)
    assert set(told.addresses) == {one, shop.address}
    assert shop.standing() == "objected"
    with shop.runtime.db.reading() as session:
        assert set(consent_history.of_contact(session, contact)) == {one, shop.address}


def test_a_restriction_freezes_and_a_release_restores(shop: Shop) -> None:
    shop.grant()
    with pytest.raises(Conflict):
        optin.release(shop.runtime, address_id=shop.address, reason="checked", actor=ACTOR)
    with pytest.raises(InvalidInput):
        optin.restrict(shop.runtime, address_id=shop.address, reason=" ", actor=ACTOR)
    optin.restrict(shop.runtime, address_id=shop.address, reason="art. 18, letter of 3 May", actor=ACTOR)
    assert shop.standing() == "restricted"
    optin.release(shop.runtime, address_id=shop.address, reason="settled", actor=ACTOR)
    assert shop.standing() == "granted"


@one_engine
def test_a_release_does_not_reopen_what_was_refused(shop: Shop) -> None:
    shop.grant()
    shop.refuse()
    optin.restrict(shop.runtime, address_id=shop.address, reason="dispute", actor=ACTOR)
    optin.release(shop.runtime, address_id=shop.address, reason="settled", actor=ACTOR)
    assert shop.standing() == "objected"


def test_the_state_of_an_earlier_day_is_what_we_knew_then(shop: Shop) -> None:
    """A card of last week, typed in today, opened nothing yesterday."""
    before = datetime.now(UTC)
    shop.grant(proof=proof(at=before - timedelta(days=7)))
    with shop.runtime.db.reading() as session:
        between = shop.runtime.db.now(session)
        assert consent_history.state_at(session, shop.address, before) == {}
        assert consent_history.state_at(session, shop.address, between)[shop.purpose].standing.value == "granted"
    shop.refuse()
    then = consent_history.standings(shop.runtime, shop.address, moment=between)
    assert [one.standing for one in then] == ["granted"]
    assert shop.standing() == "objected"


def test_the_projection_can_be_dropped_and_rebuilt(shop: Shop) -> None:
    shop.grant()
    shop.refuse()

    def states() -> list[object]:
        with shop.runtime.db.reading() as session:
            return list(session.connection().execute(text("SELECT * FROM consent_state ORDER BY 1, 2")).all())

    before = states()
    assert optin.rebuild(shop.runtime, actor=ACTOR) == 1
    assert states() == before


# Double opt-in.


def sender(shop: Shop) -> int:
    return factories.account(
        shop.runtime, shop.brand, "smtp", settings={"host": "127.0.0.1", "from_address": "n@example.org"}
    )


def test_a_double_opt_in_opens_with_the_persons_press_only(shop: Shop) -> None:
    sender(shop)
    asked = shop.ask()
    assert shop.standing() == "pending"
    question = double_optin.read(shop.runtime, asked.token)
    assert question is not None
    assert (question.state, question.brand) == ("open", "Example")
    assert [wording for _purpose, wording in question.asks] == ["Yes, send me offers."]
    assert shop.standing() == "pending"
    assert double_optin.confirm(shop.runtime, asked.token + "x", evidence={}) is None
    told = double_optin.confirm(shop.runtime, asked.token, evidence={"page": "/c/"})
    assert told is not None
    assert len(told.event_ids) == 1
    assert shop.standing() == "granted"
    again = double_optin.confirm(shop.runtime, asked.token, evidence={})
    assert again is not None
    assert again.repeated == 1
    confirmed = consent_history.history(shop.runtime, [shop.address])[-1]
    assert (confirmed.action, confirmed.actor) == ("confirmed", "person")
    assert confirmed.wording is not None


def test_the_question_is_one_message_without_advertising_and_with_its_permit(shop: Shop) -> None:
    sender(shop)
    asked = shop.ask()
    with shop.runtime.db.reading() as session:
        row = session.get_one(Message, asked.message_id)
        assert (row.kind, row.optin_request_id, row.state) == ("doi", asked.request_id, "planned")
        address = session.get_one(Address, shop.address)
        key = person_keys(session, shop.runtime.keys, [address.key_id or 0])[address.key_id or 0]
        told = open_message(key, row.body_ct or b"")
        stored = session.connection().execute(text("SELECT token_sha256 FROM optin_request")).scalar_one()
    assert f"https://news.example.org/c/{asked.token}" in told["text"]
    assert "Yes, send me offers." in told["text"]
    assert asked.token not in stored
    with pytest.raises(Conflict) as caught:
        shop.ask()
    assert caught.value.code == "asked_already"


def test_a_yes_in_the_persons_own_words_counts_too(shop: Shop) -> None:
    account = sender(shop)
    shop.ask()
    with shop.runtime.db.reading() as session:
        config = accounts.config(shop.runtime, session, account)
    inbound.apply(
        shop.runtime, config, [Inbound("e1", InboundKind.TEXT, "ann@example.net", datetime.now(UTC), text="yes")]
    )
    assert shop.standing() == "granted"


def test_an_old_link_opens_nothing_and_can_be_asked_again(shop: Shop) -> None:
    sender(shop)
    asked = shop.ask()
    for column in ("created_at", "expires_at"):
        wind_back(shop.runtime, "optin_request", column, timedelta(days=8))
    question = double_optin.read(shop.runtime, asked.token)
    assert question is not None
    assert question.state == "expired"
    assert double_optin.confirm(shop.runtime, asked.token, evidence={}) is None
    assert shop.standing() == "pending"
    double_optin.ask_again(shop.runtime, asked.token, evidence={})
    with pytest.raises(Conflict):
        double_optin.ask_again(shop.runtime, asked.token, evidence={})


def test_staff_cannot_have_somebody_asked_who_said_no(shop: Shop) -> None:
    sender(shop)
    shop.refuse()
    with pytest.raises(Refused) as caught:
        shop.ask(by_person=False, actor=ACTOR)
    assert caught.value.code == "refusal_stands"
    asked = shop.ask()  # their own act, in a form of ours
    double_optin.confirm(shop.runtime, asked.token, evidence={})
    assert shop.standing() == "granted"


@one_engine
def test_without_a_sender_or_with_a_yes_nobody_is_asked(shop: Shop) -> None:
    with pytest.raises(Conflict) as caught:
        shop.ask()
    assert caught.value.code == "no_account"
    shop.grant()
    with pytest.raises(Conflict) as caught:
        shop.ask()
    assert caught.value.code == "granted_already"


@one_engine
def test_a_purpose_with_double_opt_in_takes_no_yes_from_staff(shop: Shop) -> None:
    strict = catalogue.create_purpose(
        shop.runtime,
        key="strict",
        parent="marketing",
        brand_id=shop.brand,
        label={"en": "Strict"},
        double_opt_in=True,
        actor=ACTOR,
    )
    wording = catalogue.add_wording(shop.runtime, purpose_id=strict, language="fr", text="Oui.", actor=ACTOR)
    with pytest.raises(InvalidInput) as caught:
        shop.grant(purpose_id=strict, wording_id=wording)
    assert caught.value.code == "double_opt_in"


@one_engine
def test_a_suppressed_address_is_opened_by_nobody_but_the_person(shop: Shop) -> None:
    with shop.runtime.db.transaction(ACTOR) as session:
        row = session.get_one(Address, shop.address)
        row.suppressed = True
        session.add(row)
        log.record(session, Suppressed(verb="added", count=1, reason="list"), at=shop.runtime.db.now(session))
    with pytest.raises(Refused) as caught:
        shop.grant()
    assert caught.value.code == "suppressed"


@one_engine
@pytest.mark.parametrize(
    "place,typed,field", [("email", "ann", "address"), ("sms", "12", "address"), ("pigeon", "x", "channel")]
)
def test_an_address_that_cannot_be_is_named(shop: Shop, place: str, typed: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        whereabouts.ensure(shop.runtime, place, typed, by_person=True, actor=ACTOR)
    assert caught.value.field == field
    if field == "address":
        assert typed not in caught.value.message


def test_an_address_known_to_one_account_is_found_there_only(shop: Shop) -> None:
    account = factories.account(shop.runtime, shop.brand, "telegram", settings={"token": "1:abc"})
    with shop.runtime.db.reading() as session:
        keys = [one.key for one in whereabouts.places(session)]
    assert f"telegram:{account}" in keys
    made = whereabouts.ensure(shop.runtime, f"telegram:{account}", "4711", by_person=True, actor=ACTOR)
    with shop.runtime.db.reading() as session:
        assert session.get_one(Address, made).account_id == account


@one_engine
def test_refusals_are_waited_out(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[consent.Recorded] = []
    monkeypatch.setattr(consent, "wait_out", lambda _runtime, recorded: waited.append(recorded))
    shop.refuse()
    assert shop.purpose in waited[0].closed[shop.address]


@one_engine
def test_the_ledger_of_a_release_names_its_reason(shop: Shop) -> None:
    optin.restrict(shop.runtime, address_id=shop.address, reason="letter of 3 May", actor=ACTOR)
    [entry] = consent_history.history(shop.runtime, [shop.address])
    assert entry.action == Action.RESTRICTED
    assert entry.evidence is not None
    assert entry.evidence["reason"] == "letter of 3 May"
    with shop.runtime.db.reading() as session:
        assert ledger.purpose_id(session, "all") == entry.purpose.id


def test_a_question_goes_through_a_real_sender_before_a_sandbox(shop: Shop) -> None:
    """Who tries things out first must not have later people asked by somebody who reaches nobody."""
    box = factories.account(shop.runtime, shop.brand, "sandbox")
    with shop.runtime.db.reading() as session:
        known = rows.sender_for(session, "email", account_id=None, brand_id=shop.brand)
    mail = {"host": "mail.example.org", "from_address": "news@example.org"}
    real = factories.account(shop.runtime, shop.brand, "smtp", settings=mail)
    with shop.runtime.db.reading() as session:
        found = rows.sender_for(session, "email", account_id=None, brand_id=shop.brand)
    assert [one.id for one in (known, found) if one] == [box, real]
