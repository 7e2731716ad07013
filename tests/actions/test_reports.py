"""The report adds up, every person's story can be told, and what nobody knows is decided by a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from broadcaster.actions import accounts, campaigns, loop, planning, report_person, report_unknown, reports
from broadcaster.actions import consent as consent_actions
from broadcaster.actions.report_members import members
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Action, Source
from broadcaster.core.deliveries import Reason
from broadcaster.core.errors import Conflict, InvalidInput, NotFound
from broadcaster.core.event_types import CampaignMoved
from broadcaster.core.reason_words import REASONS, SENTENCES, sentence
from broadcaster.core.schedule import day_end
from broadcaster.storage import log
from tests import factories
from tests.factories import ACTOR


@pytest.fixture
def runtime(database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    with factories.installation(database_url, tmp_path) as made:
        yield made


class Company:
    """Eight people on the sandbox: seven agreed, the eighth did not; nothing is launched yet."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        brand, self.purpose, wording = factories.brand_and_purpose(runtime)
        self.box = factories.account(runtime, brand, "sandbox")
        self.people = factories.contacts(runtime, 7, purpose_id=self.purpose, channel="email", wording_id=wording)
        self.people += factories.contacts(
            runtime, 1, purpose_id=self.purpose, channel="email", start=50, consenting=False
        )
        self.campaign = factories.campaign(
            runtime, brand_id=brand, purpose_id=self.purpose, lanes=[("email", self.box)], launch=False
        )

    def launch(self) -> Company:
        campaigns.launch(self.runtime, self.campaign, actor=ACTOR)
        return self

    def plan(self) -> Company:
        (run,) = planning.start_due(self.runtime)
        while planning.plan_range(self.runtime, run):
            pass
        return self

    def send(self) -> Company:
        engine = loop.Loop(self.runtime)
        for _ in range(15):
            engine.step()
        planning.finish_runs(self.runtime)  # the loop does it once a second
        return self

    def withdraw(self, place: int, *, step_id: int | None = None) -> None:
        with self.runtime.db.reading() as session:
            now = self.runtime.db.now(session)
        act = factories.grant(
            self.people[place][1], self.purpose, now, action=Action.WITHDRAWN, source=Source.CALL, step_id=step_id
        )
        consent_actions.record(self.runtime, [act], actor=ACTOR)

    def change(self, statement: str, **values: Any) -> None:
        with self.runtime.db.transaction(ACTOR) as session:
            session.connection().execute(text(statement), values)

    def one(self, statement: str, **values: Any) -> Any:
        with self.runtime.db.reading() as session:
            return session.connection().execute(text(statement), values).first()

    def step(self, place: int) -> Any:
        return self.one("SELECT * FROM step WHERE address_id = :a ORDER BY id DESC", a=self.people[place][1])

    def explain(self, place: int) -> report_person.Explanation:
        return report_person.explain(self.runtime, self.campaign, self.people[place][0])


@pytest.fixture
def company(runtime: Runtime) -> Company:
    return Company(runtime)


def test_the_states_add_up_to_the_audience(company: Company) -> None:
    company.withdraw(0)
    company.launch().plan()
    company.withdraw(1)
    company.send()
    company.change("UPDATE step SET receipt = 'read', replied_at = gate_at WHERE id = :id", id=company.step(2).id)
    company.withdraw(2, step_id=company.step(2).id)
    told = reports.report(company.runtime, company.campaign)
    assert (told.audience, told.state, told.planned_all) == (8, "finished", True)
    assert {state: count for state, count in told.states.items() if count} == {"accepted": 5, "skipped": 3}
    assert told.check.holds
    assert told.check.sentence(told.states) == "8 = 5 accepted + 3 skipped"
    assert told.reasons == {"withdrawn": 2, "no_consent": 1}
    assert (told.receipts, told.replies, told.opt_outs) == ({"read": 1}, 1, 1)
    assert told.by_channel == {"email": {"accepted": 5, "skipped": 1}, "": {"skipped": 2}}
    assert told.by_country == {"FR": {"accepted": 5, "skipped": 3}}
    assert told.told()["check"]["holds"] is True


def test_a_delivery_without_a_state_is_noticed(company: Company) -> None:
    """The sum is held against a count of its own, not against itself."""
    company.launch().plan()
    company.change("UPDATE step SET current = (1=0) WHERE id = :id", id=company.step(0).id)
    told = reports.report(company.runtime, company.campaign)
    assert not told.check.holds
    assert "≠" in told.check.sentence(told.states)


def test_progress_counts_while_it_goes_out(company: Company) -> None:
    assert reports.progress(company.runtime, company.campaign).run_id is None
    company.launch().plan()
    told = reports.progress(company.runtime, company.campaign)
    assert (told.planned, told.audience, told.open, told.planned_all) == (8, 8, 7, True)
    assert (told.states["planned"], told.states["skipped"]) == (7, 1)
    assert told.ends_at is not None
    company.send()
    told = reports.progress(company.runtime, company.campaign)
    assert (told.campaign_state, told.open, told.states["accepted"]) == ("finished", 0, 7)
    assert told.per_second > 0
    assert told.ends_at is None


def test_the_estimated_end_waits_for_the_days_of_a_warm_up(company: Company) -> None:
    company.launch().plan()
    accounts.warm_up(company.runtime, company.box, "5, 9", actor=ACTOR)
    ends = reports.progress(company.runtime, company.campaign).ends_at
    assert ends is not None
    assert ends > day_end(datetime.now(UTC) - timedelta(minutes=1), "Europe/Paris")


def test_a_count_that_is_dear_is_shown_for_a_while(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every screen that watches a run of a million would otherwise keep the database busy."""
    monkeypatch.setattr(reports, "_CHEAP_SECONDS", 0.0)
    monkeypatch.setattr(reports, "_KEPT_TIMES", 1e6)
    company.launch().plan()
    before = reports.progress(company.runtime, company.campaign)
    company.change("UPDATE step SET state = 'skipped', reason = 'cancelled' WHERE id = :id", id=company.step(0).id)
    assert reports.progress(company.runtime, company.campaign) is before
    campaigns.pause(company.runtime, company.campaign, actor=ACTOR)
    now = reports.progress(company.runtime, company.campaign)
    assert (now.campaign_state, now.states["skipped"]) == ("paused", 2)


def test_a_report_needs_a_run(company: Company) -> None:
    with pytest.raises(NotFound) as problem:
        reports.report(company.runtime, company.campaign)
    assert problem.value.code == "not_started"


def test_before_the_launch_everybody_is_told_what_will_be(company: Company) -> None:
    company.withdraw(0)
    assert company.explain(0).state == "will_not"
    assert company.explain(0).reason == "withdrawn"
    assert company.explain(0).consent is not None
    will = company.explain(1)
    assert (will.state, will.channel) == ("will_get", "email")
    assert will.consent is not None
    assert will.consent.wording == "Yes, send me offers."
    assert "it on email" in will.sentence("en")
    assert company.explain(7).reason == "no_consent"


def test_afterwards_everybody_is_told_what_was(company: Company) -> None:
    """The most asked question: why did, or didn't, this person get it?"""
    company.withdraw(0)
    company.launch().plan()
    company.withdraw(1)
    company.send()
    company.change("UPDATE step SET receipt = 'delivered' WHERE id = :id", id=company.step(3).id)
    got = company.explain(2)
    assert (got.state, got.reason, len(got.tries)) == ("accepted", None, 1)
    assert (got.tries[0].outcome, got.tries[0].address) == ("accepted", "p***@e***.net")
    assert got.consent is not None
    assert (got.consent.action, got.consent.source, got.consent.wording) == (
        "granted",
        "web_form",
        "Yes, send me offers.",
    )
    assert company.explain(3).sentence("fr").startswith("Cette personne l’a reçu par email.")
    for place in (0, 1):
        refused = company.explain(place)
        assert (refused.state, refused.reason) == ("skipped", "withdrawn")
        assert refused.consent is not None
        assert (refused.consent.action, refused.consent.source) == ("withdrawn", "call")
    assert company.explain(7).told()["sentence"]["en"].startswith("They did not get it: no consent")
    with pytest.raises(NotFound):
        report_person.explain(company.runtime, company.campaign, 10**6)


def test_who_is_not_meant_is_told_so(company: Company) -> None:
    company.launch().plan()
    late = factories.contacts(company.runtime, 1, purpose_id=company.purpose, channel="email", start=90)
    assert report_person.explain(company.runtime, company.campaign, late[0][0]).state == "not_meant"


def lost(company: Company, *places: int) -> list[int]:
    """Send the campaign, then make as if some calls had never been answered."""
    company.launch().plan().send()
    ids = [company.step(place).id for place in places]
    for one in ids:
        company.change("UPDATE step SET state = 'unknown', outcome = 'unknown' WHERE id = :id", id=one)
    return ids


def test_what_nobody_knows_is_listed(company: Company) -> None:
    ids = lost(company, 2, 4)
    found = report_unknown.unknown(company.runtime, company.campaign)
    assert [one.step_id for one in found] == ids
    assert [one.contact_id for one in found] == [company.people[2][0], company.people[4][0]]
    assert [one.step_id for one in report_unknown.unknown(company.runtime, company.campaign, after=ids[0])] == ids[1:]


@pytest.mark.parametrize(
    "decision,state,reason", [("delivered", "accepted", None), ("lost", "failed", "lost"), ("leave", "unknown", None)]
)
def test_a_person_decides_what_became_of_it(company: Company, decision: Any, state: str, reason: str | None) -> None:
    ids = lost(company, 2)
    assert report_unknown.resolve_unknown(company.runtime, ids, decision, actor=ACTOR) == 1
    step = company.step(2)
    assert (step.state, step.reason) == (state, reason)
    assert reports.report(company.runtime, company.campaign).check.holds
    (event,) = company.one("SELECT event FROM log_payload ORDER BY entry_id DESC")
    assert event == "UnknownResolved"


def test_sent_again_it_passes_the_gate_again(company: Company) -> None:
    ids = lost(company, 2, 3)
    company.withdraw(3)
    assert report_unknown.resolve_unknown(company.runtime, ids, "resend", actor=ACTOR) == 2
    assert reports.progress(company.runtime, company.campaign).campaign_state == "running"
    company.send()
    again, refused = company.step(2), company.step(3)
    assert (again.state, again.attempt, refused.state, refused.reason) == ("accepted", 2, "skipped", "withdrawn")
    told = reports.report(company.runtime, company.campaign)
    assert (told.state, told.check.holds) == ("finished", True)
    assert [one.attempt for one in company.explain(2).tries] == [1, 2]


def test_a_decision_comes_too_late_where_the_answer_came(company: Company) -> None:
    ids = lost(company, 2)
    company.change("UPDATE step SET state = 'accepted' WHERE id = :id", id=ids[0])
    assert report_unknown.resolve_unknown(company.runtime, ids, "resend", actor=ACTOR) == 0
    assert company.step(2).state == "accepted"


def test_a_cancelled_campaign_sends_nothing_again(company: Company) -> None:
    ids = lost(company, 2)
    company.change("UPDATE run SET state = 'cancelled'")
    with company.runtime.db.transaction(ACTOR) as session:
        session.connection().execute(text("UPDATE campaign SET state = 'cancelled'"))
        log.record(session, CampaignMoved(campaign_id=1, verb="test"), at=company.runtime.db.now(session))
    with pytest.raises(Conflict) as problem:
        report_unknown.resolve_unknown(company.runtime, ids, "resend", actor=ACTOR)
    assert problem.value.code == "campaign_cancelled"
    assert company.step(2).state == "unknown"


@pytest.mark.parametrize("steps", [[], list(range(1, 1100))])
def test_a_decision_has_bounds(company: Company, steps: list[int]) -> None:
    with pytest.raises(InvalidInput):
        report_unknown.resolve_unknown(company.runtime, steps, "lost", actor=ACTOR)


def test_every_reason_has_its_words() -> None:
    for language in ("en", "fr"):
        assert set(REASONS[language]) == set(Reason)
    assert set(SENTENCES["en"]) == set(SENTENCES["fr"])
    for state in SENTENCES["en"]:
        if state not in ("because", "decided"):
            for language in ("en", "fr"):
                told = sentence(state, language, channel="sms", reason="objected", date="2026-01-02")  # type: ignore[arg-type]
                assert "{" not in told


def test_the_people_behind_a_number_add_up_to_it(company: Company) -> None:
    """Page by page, each once, with no whole address."""
    company.withdraw(0)
    company.launch().plan()
    company.withdraw(1)
    company.send()
    told = reports.report(company.runtime, company.campaign)
    for state, count in told.states.items():
        found: list[Any] = []
        after = 0
        while True:
            page = members(company.runtime, company.campaign, state=state, after=after, limit=2)
            found += page.rows
            if page.after is None:
                break
            after = page.after
        assert len({one.contact_id for one in found}) == len(found) == count
        assert {one.state for one in found} <= {state}
    for reason, count in told.reasons.items():
        page = members(company.runtime, company.campaign, reason=reason)
        assert [one.reason for one in page.rows] == [reason] * count
    assert {one.address for one in members(company.runtime, company.campaign, state="accepted").rows} == {
        "p***@e***.net"
    }
