"""The law in the plan and at the last look: the same in SQL as in the rule, and a stricter row binds at once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel.sql.sqltypes import UTCDateTime

from broadcaster.actions import accounts, campaigns, catalogue, consent, optin, planning
from broadcaster.actions.optin import Proof
from broadcaster.actions.organisation import set_settings
from broadcaster.actions.runtime import Runtime
from broadcaster.core.campaigns import Plan
from broadcaster.core.consent import Basis, Source
from broadcaster.core.errors import InvalidInput
from broadcaster.core.law.own import own_rules
from broadcaster.core.law.terms import Law, Offer, Person, months_before
from broadcaster.fakes import twilio
from broadcaster.fakes.twilio import FakeTwilio
from tests import factories
from tests.actions.scene import Scene, scene

OWN = {"DE": {"consent_months": 12}, "FR": {"age": 18}}


@pytest.fixture
def people(runtime: Runtime) -> Scene:
    return scene(runtime, None, 120, consenting=False)


def now(s: Scene) -> datetime:
    with s.runtime.db.reading() as session:
        return s.runtime.db.now(session)


def invent(s: Scene, dice: random.Random, at: datetime) -> dict[int, tuple[Person, str, datetime]]:
    """Give everybody a basis of some age, and be of all kinds; return what each was given."""
    told: dict[int, tuple[Person, str, datetime]] = {}
    change = text(
        "UPDATE contact SET kind = :kind, country = :country, birth_year = :born, profession = :job, "
        "last_contact_at = :last WHERE id = :id"
    ).bindparams(last=None)
    acts = []
    for contact, address in s.people:
        since = at - timedelta(days=dice.choice([1, 400, 800, 1200]))
        last = dice.choice([None, at - timedelta(days=2), at - timedelta(days=1200)])
        country = dice.choice(["FR", "DE", "GB", "US", "CA", "JP", None])
        born, job = dice.choice([None, None, 1980, at.year - 15, at.year - 10]), dice.choice([None, "Buyer", "driver"])
        person = Person(dice.choice(["consumer", "professional", "internal"]), country, born, job, last)
        basis = dice.choice(list(Basis))
        told[contact] = person, basis, since
        until = at + timedelta(days=1000)  # an end of its own, so that the row alone decides
        acts.append(factories.grant(address, s.purpose, since, basis=basis, expires_at=until))
        with s.runtime.db.engine.begin() as connection:
            values = {"kind": person.kind, "country": country, "born": born, "job": job, "id": contact}
            shown = UTCDateTime().bind_processor(connection.dialect)
            connection.execute(change, {**values, "last": last if shown is None else last and shown(last)})
    consent.record(s.runtime, acts, actor=factories.ACTOR)
    return told


def test_the_plan_judges_by_the_law_as_the_rule_does(people: Scene) -> None:
    set_settings(people.runtime, {"legal": OWN, "roles": {"offers": ["buyer"]}}, actor=factories.ACTOR)
    at = now(people)
    told = invent(people, random.Random(3), at)
    law = Law(own=own_rules(OWN), roles=frozenset({"buyer"}))
    plan = Plan.model_validate({"channels": [{"channel": "email", "account_id": people.account}]})
    with people.runtime.db.reading() as session:
        at = people.runtime.db.now(session)
        choice = planning.choice_for(session, plan, {"type": "everybody"}, None, people.purpose, at)
        rows = session.connection().execute(choice, {"low": 0, "high": 10**6}).all()
    found = {row.contact_id: row.reason for row in rows}
    assert found == {
        contact: law.refusal(person, channel="email", basis=basis, since=since, now=at)
        for contact, (person, basis, since) in told.items()
    }
    assert set(found.values()) == {None, "minor", "no_basis", "expired"}


def test_a_stricter_row_binds_messages_that_were_planned_before(people: Scene) -> None:
    at = now(people)
    old = [factories.grant(address, people.purpose, months_before(at, 13)) for _, address in people.people[:2]]
    new = [factories.grant(people.people[2][1], people.purpose, at)]
    consent.record(people.runtime, [*old, *new], actor=factories.ACTOR)
    people.launch()
    assert people.states()["planned"] == 3
    set_settings(people.runtime, {"legal": {"FR": {"consent_months": 12}}}, actor=factories.ACTOR)
    people.drain()
    reasons = [reason for _, reason in people.steps().values()]
    assert sorted(filter(None, reasons)) == ["expired", "expired"]
    assert people.states()["accepted"] == 1


def test_a_row_taken_back_leaves_what_was_recorded_as_it_was(people: Scene) -> None:
    until = now(people) + timedelta(days=30)
    acts = [factories.grant(people.people[0][1], people.purpose, now(people), expires_at=until)]
    consent.record(people.runtime, acts, actor=factories.ACTOR)
    for legal in ({"FR": {"consent_months": 1}}, {}):
        set_settings(people.runtime, {"legal": legal}, actor=factories.ACTOR)
    rows: list[Any] = people.rows("SELECT basis, count(*) FROM consent_state WHERE expires_at IS NOT NULL GROUP BY 1")
    assert rows == [("consent", 1)]


def record(s: Scene, basis: Basis, *, kind: str = "consumer", offer: Offer | None = None, country: str = "FR") -> Any:
    s.change("UPDATE purpose SET basis = :basis WHERE id = :id", basis=basis.value, id=s.purpose)
    contact, address = s.people[0]
    s.change(
        "UPDATE contact SET kind = :kind, country = :country, profession = 'Buyer' WHERE id = :id",
        kind=kind,
        country=country,
        id=contact,
    )
    proof = Proof(Source.SHOP, now(s), "card 12")
    what = {"address_id": address, "purpose_id": s.purpose, "wording_id": 1}
    return optin.grant(s.runtime, **what, proof=proof, offer=offer, actor=factories.ACTOR)


SOLD = Offer("order 7", "shoes", refusal_offered=True)


@pytest.mark.parametrize(
    "offer,field",
    [
        (None, "order"),
        (Offer("order 7", " ", refusal_offered=True), "family"),
        (Offer("order 7", "shoes", refusal_offered=False), "refusal_offered"),
    ],
)
def test_a_soft_opt_in_without_what_it_rests_on_is_refused_by_field_and_source(
    people: Scene, offer: Offer | None, field: str
) -> None:
    with pytest.raises(InvalidInput, match="L34-5") as refused:
        record(people, Basis.SOFT_OPT_IN, offer=offer)
    assert (refused.value.field, refused.value.code) == (field, "basis_offer")
    assert record(people, Basis.SOFT_OPT_IN, offer=SOLD).refusal is None


@pytest.mark.parametrize(
    "basis,kind,country,code",
    [
        (Basis.SOFT_OPT_IN, "consumer", "JP", "basis_closed"),
        (Basis.B2B_INTEREST, "consumer", "FR", "basis_closed"),
        (Basis.B2B_INTEREST, "professional", "FR", "basis_role"),
        (Basis.CONTRACT, "professional", "FR", "basis_closed"),
    ],
)
def test_a_ground_the_law_does_not_have_is_not_recorded(
    people: Scene, basis: Basis, kind: str, country: str, code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        record(people, basis, kind=kind, country=country, offer=SOLD)
    assert (refused.value.field, refused.value.code) == ("basis", code)
    assert people.rows("SELECT count(*) FROM consent_event") == [(0,)]


def test_a_business_interest_is_recorded_for_a_relevant_role(people: Scene) -> None:
    set_settings(people.runtime, {"roles": {"offers": ["Buyer"]}}, actor=factories.ACTOR)
    assert record(people, Basis.B2B_INTEREST, kind="professional").refusal is None


def test_an_end_is_recorded_with_the_consent_and_a_later_row_does_not_move_it(people: Scene) -> None:
    record(people, Basis.SOFT_OPT_IN, country="CA", offer=SOLD)
    [(first,)] = people.rows("SELECT expires_at FROM consent_state")
    assert first is not None
    set_settings(people.runtime, {"legal": {"CA": {"consent_months": 12}}}, actor=factories.ACTOR)
    assert people.rows("SELECT expires_at FROM consent_state") == [(first,)]


def by_sms(s: Scene, sender: str, *, service: bool = False) -> int:
    """Draft a campaign by SMS from *sender*."""
    told = {"account_sid": twilio.ACCOUNT_SID, "auth_token": twilio.AUTH_TOKEN, "sender": sender}
    account = factories.account(s.runtime, s.brand, "twilio", settings=told)
    purpose = s.purpose
    if service:
        label = {"en": "Deliveries"}
        purpose = catalogue.create_purpose(
            s.runtime, key="deliveries", parent="service", brand_id=s.brand, label=label, actor=factories.ACTOR
        )
    return factories.campaign(s.runtime, brand_id=s.brand, purpose_id=purpose, lanes=[("sms", account)], launch=False)


def test_marketing_is_not_launched_from_a_number_that_may_not_carry_it(people: Scene) -> None:
    campaign = by_sms(people, "06 12 34 56 78")
    with pytest.raises(InvalidInput, match=r"\+336.*ARCEP.*36xxx") as refused:
        campaigns.launch(people.runtime, campaign, actor=factories.ACTOR)
    assert (refused.value.field, refused.value.code) == ("plan.channels", "sender_class")
    assert people.rows("SELECT state FROM campaign") == [("draft",)]


@pytest.mark.parametrize("sender,service", [("36123", False), ("+33612345678", True)])
def test_a_short_code_may_carry_marketing_and_a_mobile_number_service_messages(
    people: Scene, sender: str, service: bool
) -> None:
    campaigns.launch(people.runtime, by_sms(people, sender, service=service), actor=factories.ACTOR)
    assert people.rows("SELECT state FROM campaign") == [("scheduled",)]


@pytest.fixture
def by_number(runtime: Runtime) -> Iterator[tuple[Scene, FakeTwilio]]:
    with FakeTwilio() as fake:
        yield scene(runtime, fake, 3), fake


def bar(s: Scene) -> None:
    """Have the organisation say that its own number carries no marketing."""
    [(sender,)] = s.rows("SELECT settings ->> 'sender' FROM account WHERE id = :id", id=s.account)
    own = {"legal": {"US": {"senders": [sender], "source": "our own rule"}}}
    set_settings(s.runtime, own, actor=factories.ACTOR)


def test_nobody_is_planned_for_a_number_that_may_not_carry_it_any_more(by_number: tuple[Scene, FakeTwilio]) -> None:
    """A later date of a campaign that was launched before the rule."""
    s, _ = by_number
    factories.campaign(s.runtime, brand_id=s.brand, purpose_id=s.purpose, lanes=[("sms", s.account)])
    bar(s)
    [run] = planning.start_due(s.runtime)
    while planning.plan_range(s.runtime, run):
        pass
    assert s.rows("SELECT reason, count(*) FROM delivery WHERE run_id = :run GROUP BY 1", run=run) == [
        ("no_account", 3)
    ]


def test_what_is_planned_is_not_sent_from_a_number_that_may_not_carry_it_any_more(
    by_number: tuple[Scene, FakeTwilio],
) -> None:
    s, fake = by_number
    run = s.launch()
    bar(s)
    s.drain()
    query = "SELECT state, reason, count(*) FROM step WHERE run_id = :run GROUP BY 1, 2"
    assert s.rows(query, run=run) == [("skipped", "no_account", 3)]
    assert fake.recorded == []


@pytest.mark.parametrize("sender,barred", [("+33612345678", True), ("+15550100", False)])
def test_the_check_of_an_account_says_that_it_may_not_carry_marketing(people: Scene, sender: str, barred: bool) -> None:
    with FakeTwilio() as fake:
        told = {"account_sid": twilio.ACCOUNT_SID, "auth_token": twilio.AUTH_TOKEN, "sender": sender}
        account = factories.account(people.runtime, people.brand, "twilio", settings=told, base_url=fake.url)
        found = accounts.check(people.runtime, account)
    assert any("ARCEP" in one for one in found.problems) is barred
    assert found.ok is not barred
