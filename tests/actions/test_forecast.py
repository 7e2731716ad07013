"""The dry run tells what the plan and the sending then do, and leaves nothing behind."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from broadcaster.actions import accounts, campaigns, content, forecast, forecast_people, loop, planning
from broadcaster.actions import consent as consent_actions
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Action, Source
from broadcaster.core.deliveries import Reason
from broadcaster.core.errors import Conflict, InvalidInput
from broadcaster.core.event_types import Changed
from broadcaster.core.schedule import day_end
from broadcaster.storage import log
from broadcaster.storage.tables import Contact, ContactAddress
from tests import factories
from tests.factories import ACTOR

WORDS = {"text": "Hello {{ contact.first_name }}, STOP to end. Example", "subject": "", "html": ""}


@pytest.fixture
def runtime(database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    with factories.installation(database_url, tmp_path, windows=True) as made:
        yield made


def query(runtime: Runtime, statement: str, **values: Any) -> list[Any]:
    with runtime.db.reading() as session:
        return list(session.connection().execute(text(statement), values))


def change(runtime: Runtime, statement: str, **values: Any) -> None:
    with runtime.db.transaction(ACTOR) as session:
        session.connection().execute(text(statement), values)
        log.record(session, Changed(what="test", id=0, verb="changed"), at=runtime.db.now(session))


def company(runtime: Runtime, people: int = 60, *, seed: int = 1, launch: bool = False) -> int:
    """Make a campaign over two channels whose audience has everything that can stand against a message."""
    brand, purpose, _ = factories.brand_and_purpose(runtime)
    chance = random.Random(seed)
    box, phone = (factories.account(runtime, brand, one, **dict(options)) for one, options in SENDERS)
    made = factories.contacts(runtime, people, purpose_id=purpose, channel="email")
    made += factories.contacts(runtime, people // 3, purpose_id=purpose, channel="sms", start=5000)
    made += factories.contacts(runtime, people // 3, purpose_id=purpose, channel="email", start=7000, consenting=False)
    refused = [address for _, address in chance.sample(made, people // 6)]
    now = _now(runtime)
    acts = [factories.grant(one, purpose, now, action=Action.WITHDRAWN, source=Source.CALL) for one in refused]
    consent_actions.record(runtime, acts, actor=ACTOR)
    with runtime.db.transaction(ACTOR) as session:
        for contact_id, _ in made:
            row = session.get_one(Contact, contact_id)
            row.language = chance.choice(["en", "fr", "fr-CA", "de", None])
            row.country = chance.choice(["FR", "US", "DE", None])
            row.name_ct = None if chance.random() < 0.2 else row.name_ct
            row.state = "restricted" if chance.random() < 0.05 else "active"
            row.attributes = {"plan": "gold"} if chance.random() < 0.5 else {"plan": " "}
            session.add(row)
        shared = chance.sample(made, people // 5)
        for contact_id, _ in shared:
            _, address = chance.choice(made)
            if session.get(ContactAddress, (contact_id, address)) is None:
                session.add(ContactAddress(contact_id=contact_id, address_id=address, preferred=True, created_at=now))
                session.flush()
        log.record(session, Changed(what="test", id=0, verb="changed"), at=now)
    return _campaign(runtime, brand, purpose, [("email", box), ("sms", phone)], launch=launch)


TWILIO = {"account_sid": "AC" + "0" * 32, "sender": "+15550100", "auth_token": "x"}
SENDERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("sandbox", {"rate_per_second": 10.0}),
    ("twilio", {"settings": TWILIO, "cost_micros": 40_000}),
)


def _now(runtime: Runtime) -> Any:
    with runtime.db.reading() as session:
        return runtime.db.now(session)


def _campaign(runtime: Runtime, brand: int, purpose: int, lanes: list[tuple[str, int]], *, launch: bool = False) -> int:
    french = {**WORDS, "text": "Bonjour {{ contact.first_name | default: 'vous' }}. ARRET. Example"}
    gold = {**WORDS, "text": "{{ contact.first_name }} {{ contact.attributes.plan }}: STOP to end. Example"}
    made = content.save_template(
        runtime,
        name="Words",
        brand_id=brand,
        variants={("email", "en"): WORDS, ("email", "fr"): french, ("sms", "en"): gold},
        actor=ACTOR,
    )
    audience = content.save_audience(runtime, name="All", rule={"type": "everybody"}, actor=ACTOR)
    exclude = content.save_audience(
        runtime,
        name="Gold Germans",
        rule={
            "type": "all",
            "rules": [
                {"type": "country", "values": ["DE"]},
                {"type": "attribute", "key": "plan", "of": "text", "op": "eq", "value": "gold"},
            ],
        },
        actor=ACTOR,
    )
    campaign = campaigns.create(
        runtime,
        name="Spring",
        brand_id=brand,
        purpose_id=purpose,
        audience_id=audience,
        exclude_id=exclude,
        template_id=made,
        plan={"channels": [{"channel": channel, "account_id": account} for channel, account in lanes]},
        actor=ACTOR,
    )
    if launch:
        forecast.launch(runtime, campaign, actor=ACTOR)
    return campaign


def planned(runtime: Runtime, campaign: int, *, width: int) -> Counter[str]:
    """Plan a campaign and return its deliveries by reason; ``""`` has a step."""
    campaigns.launch(runtime, campaign, actor=ACTOR)
    (run,) = planning.start_due(runtime)
    while planning.plan_range(runtime, run, width=width):
        pass
    rows = query(runtime, "SELECT coalesce(reason, ''), count(*) FROM delivery WHERE run_id = :run GROUP BY 1", run=run)
    return Counter(dict(map(tuple, rows)))


AT_SENDING = (Reason.MISSING_FIELD, Reason.NO_TEMPLATE)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("width", [7, 1000])
def test_the_dry_run_counts_what_the_plan_then_writes(
    runtime: Runtime, seed: int, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another query than the plan's would sooner or later tell another story."""
    made = company(runtime, seed=seed)
    told = forecast.forecast(runtime, made, width=width)
    reasons = Counter({key: count for key, count in told.by_reason.items() if key not in AT_SENDING})
    open_ = told.will_get + sum(told.by_reason.get(key, 0) for key in AT_SENDING)
    assert planned(runtime, made, width=11) == reasons + Counter({"": open_})
    assert told.audience == told.will_get + told.will_not == 100
    assert {"duplicate_address", "excluded", "withdrawn", "no_consent", "missing_field"} <= set(told.by_reason)


def test_every_table_adds_up_to_the_audience(runtime: Runtime) -> None:
    told = forecast.forecast(runtime, company(runtime))
    assert sum(told.by_reason.values()) == told.will_not
    for table in (told.by_channel, told.by_country):
        assert sum(one.will_get for one in table.values()) == told.will_get
        assert sum(one.will_not for one in table.values()) == told.will_not
    assert sum(one.messages for one in told.accounts) == told.will_get
    assert sum(one.people for one in told.missing) >= told.by_reason["missing_field"]
    assert {(one.wanted, one.used) for one in told.fallbacks} >= {("de", "en")}


def test_whoever_will_get_it_gets_it(database_url: str, tmp_path: Path) -> None:
    """Also what is decided only at the moment of sending, such as a missing field, is foretold."""
    with factories.installation(database_url, tmp_path) as runtime:
        brand, purpose, _ = factories.brand_and_purpose(runtime)
        box = factories.account(runtime, brand, "sandbox")
        made = factories.contacts(runtime, 30, purpose_id=purpose, channel="email")
        change(runtime, "UPDATE contact SET name_ct = NULL WHERE id <= :id", id=made[6][0])
        change(runtime, "UPDATE contact SET language = 'fr' WHERE id <= :id", id=made[2][0])
        campaign = _campaign(runtime, brand, purpose, [("email", box)])
        told = forecast.forecast(runtime, campaign)
        campaigns.launch(runtime, campaign, actor=ACTOR)
        engine = loop.Loop(runtime)
        for _ in range(20):
            engine.step()
        rows = query(runtime, "SELECT state, coalesce(reason, ''), count(*) FROM step GROUP BY 1, 2 ORDER BY 1")
        assert [tuple(row) for row in rows] == [("accepted", "", 26), ("skipped", "missing_field", 4)]
        assert (told.will_get, dict(told.by_reason)) == (26, {"missing_field": 4})
        assert [(one.field, one.language, one.people) for one in told.missing] == [("contact.first_name", "en", 4)]


def test_person_by_person_says_the_same_as_the_totals(runtime: Runtime) -> None:
    made = company(runtime)
    told = forecast.forecast(runtime, made)
    rows: list[forecast_people.Row] = []
    after: int | None = 0
    while after is not None:
        page = forecast_people.people(runtime, made, after=after, limit=9)
        rows += page.rows
        after = page.after
    assert [row.contact_id for row in rows] == sorted({row.contact_id for row in rows})
    assert Counter(row.reason for row in rows if row.reason) == Counter(told.by_reason)
    assert sum(row.reason is None for row in rows) == told.will_get
    assert all((row.due_at is None) == (row.reason is not None) for row in rows)
    assert all(row.channel and "*" in row.address for row in rows if row.reason is None)
    for reason in ("withdrawn", "missing_field", "duplicate_address", "will_get"):
        expected = [row for row in rows if (row.reason or "will_get") == reason]
        page = forecast_people.people(runtime, made, limit=100, reason=reason)
        assert (_timeless(page.rows), page.after) == (_timeless(expected), None)
    phones = forecast_people.people(runtime, made, limit=100, channel="sms")
    assert _timeless(phones.rows) == _timeless(row for row in rows if row.channel == "sms")


def _timeless(rows: Iterable[forecast_people.Row]) -> list[forecast_people.Row]:
    """Inside the sending hours "now" is another moment for every question."""
    return [replace(row, due_at=None) for row in rows]


def test_a_dry_run_leaves_nothing(runtime: Runtime) -> None:
    made = company(runtime)
    tables = ("delivery", "step", "batch", "run", "log_entry")
    before = [query(runtime, f"SELECT count(*) FROM {name}") for name in tables]
    forecast.forecast(runtime, made)
    forecast_people.people(runtime, made)
    assert [query(runtime, f"SELECT count(*) FROM {name}") for name in tables] == before


def test_progress_reaches_the_end(runtime: Runtime) -> None:
    heard: list[tuple[int, int]] = []
    forecast.forecast(runtime, company(runtime), width=30, progress=lambda *told: heard.append(told))
    assert len(heard) == 4
    assert heard[-1][0] == heard[-1][1]


def test_money_and_time_follow_the_accounts(runtime: Runtime) -> None:
    told = forecast.forecast(runtime, company(runtime))
    by_channel = {one.channel: one for one in told.accounts}
    phone, box = by_channel["sms"], by_channel["email"]
    assert phone.cost_micros == phone.parts * 40_000 == told.cost_micros
    assert phone.cost_most_micros >= phone.cost_micros > 0
    assert (box.finish_at - box.first_at).total_seconds() >= box.messages / 10
    assert told.finish_at == max(phone.finish_at, box.finish_at)


def test_a_draft_says_what_it_lacks(runtime: Runtime) -> None:
    """A screen shows the dry run from the first click on; an exception would be a dead end."""
    brand, purpose, _ = factories.brand_and_purpose(runtime)
    made = campaigns.create(runtime, name="New", brand_id=brand, purpose_id=purpose, actor=ACTOR)
    told = forecast.forecast(runtime, made)
    assert (told.audience, told.blocked, told.problems[0].field) == (0, True, "audience")
    assert forecast_people.people(runtime, made) == forecast_people.Page((), None)


def test_words_without_a_way_out_block_the_launch(runtime: Runtime) -> None:
    brand, purpose, _ = factories.brand_and_purpose(runtime)
    factories.contacts(runtime, 2, purpose_id=purpose, channel="sms")
    box = factories.account(runtime, brand, "sandbox", channel="sms")
    made = factories.campaign(
        runtime, brand_id=brand, purpose_id=purpose, lanes=[("sms", box)], text="Hi from Example", launch=False
    )
    told = forecast.forecast(runtime, made)
    assert (told.blocked, told.problems[0].code, told.problems[0].field) == (True, "optout_missing", "sms.en.text")
    with pytest.raises(InvalidInput) as problem:
        forecast.launch(runtime, made, actor=ACTOR)
    assert problem.value.code == "optout_missing"


def test_nobody_to_send_to_is_refused_with_the_reasons(runtime: Runtime) -> None:
    brand, purpose, _ = factories.brand_and_purpose(runtime)
    factories.contacts(runtime, 5, purpose_id=purpose, channel="sms", consenting=False)
    box = factories.account(runtime, brand, "sandbox", channel="sms")
    made = factories.campaign(runtime, brand_id=brand, purpose_id=purpose, lanes=[("sms", box)], launch=False)
    told = forecast.forecast(runtime, made)
    assert (told.will_get, told.by_reason, told.blocked) == (0, {"no_consent": 5}, True)
    with pytest.raises(Conflict) as problem:
        forecast.launch(runtime, made, actor=ACTOR)
    assert problem.value.code == "nobody_to_send"


def test_a_campaign_that_runs_has_a_report_and_no_dry_run(runtime: Runtime) -> None:
    made = company(runtime)
    planned(runtime, made, width=1000)
    with pytest.raises(Conflict) as problem:
        forecast.forecast(runtime, made)
    assert problem.value.code == "campaign_running"


@pytest.mark.parametrize("limit", [0, -1, 10**9])
def test_a_page_has_bounds(runtime: Runtime, limit: int) -> None:
    with pytest.raises(InvalidInput) as problem:
        forecast_people.people(runtime, 1, limit=limit)
    assert problem.value.code == "paging"


def test_the_audience_is_counted_while_it_is_edited(runtime: Runtime) -> None:
    _, purpose, _ = factories.brand_and_purpose(runtime)
    factories.contacts(runtime, 30, purpose_id=purpose, channel="email")
    made = factories.contacts(runtime, 12, purpose_id=purpose, channel="sms", start=100, consenting=False)
    change(runtime, "UPDATE address SET status = 'invalid' WHERE id = :id", id=made[0][1])
    told = forecast_people.audience_count(runtime, {"type": "everybody"}, purpose_id=purpose)
    assert (told.count, told.estimated, len(told.sample)) == (42, False, 10)
    assert [(one.channel, one.contacts, one.consenting) for one in told.channels] == [("email", 30, 30), ("sms", 11, 0)]
    assert told.sample[0].initial == "A."
    assert told.sample[0].addresses == {"email": "p***@e***.net"}
    with pytest.raises(InvalidInput):
        forecast_people.audience_count(runtime, {})


def test_a_large_audience_is_counted_by_a_sample(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking at every address of a million contacts would take seconds on every key press."""
    monkeypatch.setattr("broadcaster.storage.audience_counts.SAMPLE_CONTACTS", 900)
    _, purpose, _ = factories.brand_and_purpose(runtime)
    factories.contacts(runtime, 2400, purpose_id=purpose, channel="email")
    told = forecast_people.audience_count(runtime, {"type": "everybody"}, purpose_id=purpose)
    assert (told.count, told.estimated) == (2400, True)
    assert told.channels[0].contacts == pytest.approx(2400, rel=0.1)


def test_an_account_that_warms_up_takes_as_many_days_as_its_numbers_say(runtime: Runtime) -> None:
    made = company(runtime)
    box = next(one for one in forecast.forecast(runtime, made).accounts if one.channel == "email")
    half = box.messages // 2
    accounts.warm_up(runtime, box.account_id, f"{half}, {box.messages}", actor=factories.ACTOR)
    slower = next(one for one in forecast.forecast(runtime, made).accounts if one.channel == "email")
    assert slower.finish_at > day_end(slower.first_at, "Europe/Paris")
