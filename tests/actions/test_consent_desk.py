"""What the consent desk counts, against the ledger itself; the decision about unclear messages."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from broadcaster.actions import consent, consent_desk, consent_history, reviews
from broadcaster.actions.optin import restrict
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Action, Actor, Source, Standing
from broadcaster.core.errors import Conflict, InvalidInput
from broadcaster.core.messages import Inbound
from broadcaster.fakes.twilio import FakeTwilio
from broadcaster.storage import consent_history as stored
from broadcaster.storage.tables import Campaign
from tests.actions.scene import Scene, scene
from tests.actions.talk import said, standing, tell


@pytest.fixture
def shop(runtime: Runtime, fake: FakeTwilio) -> Scene:
    """Six people who agreed just now."""
    return scene(runtime, fake, 6)


def unclear(who: int = 1) -> Inbound:
    return said(UNCLEAR, who=who, at=datetime.now(UTC))  # after the people of the shop have agreed, beyond doubt


def record(s: Scene, action: Action, who: int, **changes: Any) -> None:
    consent.record(s.runtime, [s.act(action, s.people[who - 1][1], **changes)], actor="person")


def counted(s: Scene, moment: datetime | None = None) -> dict[str, dict[str, int]]:
    _at, found = consent_desk.totals(s.runtime, moment=moment)
    return {one.purpose.key: dict(one.standings) for one in found}


def folded(s: Scene, moment: datetime) -> dict[str, dict[str, int]]:
    """Count the same, one address after the other."""
    found: Counter[tuple[str, str]] = Counter()
    with s.runtime.db.reading() as session:
        names = {one: row.key for one, row in stored.purposes(session).items()}
        for _contact, address in s.people:
            for purpose, state in consent_history.state_at(session, address, moment).items():
                over = state.standing is Standing.GRANTED and state.expires_at and state.expires_at <= moment
                found[names[purpose], Standing.EXPIRED if over else state.standing] += 1
    told: dict[str, dict[str, int]] = {}
    for (purpose_key, name), count in found.items():
        told.setdefault(purpose_key, {})[str(name)] = count
    return told


def test_totals_at_a_past_moment_are_what_the_ledger_folds_to(shop: Scene) -> None:
    dice, moments = random.Random(7), []
    for _ in range(25):
        moments.append(now(shop))
        action = dice.choice([Action.GRANTED, Action.WITHDRAWN, Action.OBJECTED, Action.RESTRICTED, Action.REQUESTED])
        until = now(shop) + timedelta(milliseconds=dice.choice([1, 10**9])) if dice.random() < 0.3 else None
        record(shop, action, dice.randrange(1, 7), expires_at=until)
    moments.append(now(shop))
    for moment in moments:
        assert counted(shop, moment) == folded(shop, moment)
    assert counted(shop, moments[0]) == {"offers": {"granted": 6}}
    assert counted(shop, moments[0] - timedelta(days=1)) == {}


def now(s: Scene) -> datetime:
    with s.runtime.db.reading() as session:
        return s.runtime.db.now(session)


def grown(s: Scene, **options: Any) -> Counter[tuple[bool, str, int | None, str | None]]:
    today = now(s).date()
    span = {"first": today - timedelta(days=2), "last": today + timedelta(days=2), **options}
    found = consent_desk.growth(s.runtime, **span)
    told: Counter[tuple[bool, str, int | None, str | None]] = Counter()
    for changes in found.changes:
        for one in changes:
            told[one.gained, one.source, one.campaign_id, one.rule] += one.count
    return told


def test_a_yes_counts_where_none_stood_and_a_no_where_a_yes_stood(shop: Scene) -> None:
    assert grown(shop) == {(True, "web_form", None, None): 6}
    record(shop, Action.GRANTED, 1)  # said twice
    record(shop, Action.WITHDRAWN, 2)
    record(shop, Action.WITHDRAWN, 2)
    record(shop, Action.OBJECTED, 2)  # nothing stood any more
    record(shop, Action.GRANTED, 2, actor=Actor.STAFF, source=Source.SHOP)  # without effect
    record(shop, Action.RESTRICTED, 3)  # on hold is neither
    assert grown(shop) == {(True, "web_form", None, None): 6, (False, "preference_page", None, None): 1}
    record(shop, Action.GRANTED, 2)
    assert grown(shop)[True, "preference_page", None, None] == 1


def test_a_loss_names_the_campaign_it_answers_and_the_rule_that_understood_it(shop: Scene) -> None:
    shop.launch()
    shop.drain()
    tell(shop, said("STOP", who=1), said("Please stop writing to me", who=2))
    lost = [cause for cause in grown(shop) if not cause[0]]
    assert {(source, campaign) for _, source, campaign, _ in lost} == {("keyword", shop.campaign)}
    assert len({rule for _, _, _, rule in lost} - {None}) == 2


def test_a_consent_that_ran_out_by_its_date_is_a_loss(shop: Scene) -> None:
    record(shop, Action.GRANTED, 1, expires_at=now(shop))
    record(shop, Action.GRANTED, 2, expires_at=now(shop) + timedelta(days=1))
    assert grown(shop)[False, "expired", None, None] == 1


def test_only_consents_that_still_hold_are_shown_as_ending_and_asked_again(shop: Scene) -> None:
    for who, days in ((1, -1), (2, 10), (3, 40), (4, 89), (5, 91)):
        record(shop, Action.GRANTED, who, expires_at=now(shop) + timedelta(days=days))
    record(shop, Action.WITHDRAWN, 3)
    [(purpose, told)] = consent_desk.ending(shop.runtime)
    assert (purpose.id, told) == (shop.purpose, {30: 1, 60: 1, 90: 2})
    made = consent_desk.ask_again(shop.runtime, purpose_id=shop.purpose, days=90, name="Again", actor="cli:test")
    with shop.runtime.db.reading() as session:
        draft = session.get_one(Campaign, made)
        assert (draft.state, draft.purpose_id) == ("draft", shop.purpose)
        assert audience(shop, session, draft.audience_id) == [shop.people[1][0], shop.people[3][0]]
    with pytest.raises(InvalidInput):
        consent_desk.ask_again(shop.runtime, purpose_id=shop.purpose, days=365, name="Long", actor="cli:test")


def audience(s: Scene, session: Any, audience_id: int | None) -> list[int]:
    from sqlalchemy import select

    from broadcaster.core.audiences import parse_rule
    from broadcaster.storage import audiences
    from broadcaster.storage.tables import Audience, Contact

    rule = parse_rule(session.get_one(Audience, audience_id).rule)
    table = Contact.__table__.c  # type: ignore[attr-defined]
    query = select(table.id).where(audiences.where(session, rule, now=s.runtime.db.now(session)))
    return sorted(session.connection().execute(query).scalars())


UNCLEAR = "this is too much"


def test_an_unclear_message_waits_with_its_words_and_its_deadline(shop: Scene) -> None:
    tell(shop, unclear())
    [one] = reviews.waiting(shop.runtime)
    assert (one.words, one.intent, one.address_id) == (UNCLEAR, "unsure", shop.people[0][1])
    assert one.deadline is not None
    assert one.deadline - one.said_at == timedelta(hours=72)
    assert UNCLEAR not in repr(one)


@pytest.mark.parametrize("decision,after", [("stop", "objected"), ("go_on", "granted")])
def test_a_decision_ends_the_hold_once(shop: Scene, decision: Any, after: str) -> None:
    tell(shop, unclear())
    assert standing(shop) == "restricted"
    [one] = reviews.waiting(shop.runtime)
    with pytest.raises(InvalidInput):
        reviews.decide(shop.runtime, one.conversation_id, decision, reason=" ", actor="cli:test")
    reviews.decide(shop.runtime, one.conversation_id, decision, reason="they meant it", actor="cli:test")
    assert standing(shop) == after
    assert not reviews.waiting(shop.runtime)
    with pytest.raises(Conflict):
        reviews.decide(shop.runtime, one.conversation_id, "go_on", reason="again", actor="cli:test")


def test_a_decision_to_go_on_ends_neither_a_legal_hold_nor_a_refusal(shop: Scene) -> None:
    for who in (1, 2):
        tell(shop, unclear(who))
    restrict(shop.runtime, address_id=shop.people[0][1], reason="dispute", actor="cli:test")
    record(shop, Action.OBJECTED, 2)
    for one in reviews.waiting(shop.runtime):
        reviews.decide(shop.runtime, one.conversation_id, "go_on", reason="a joke", actor="cli:test")
    assert (standing(shop, 1), standing(shop, 2)) == ("restricted", "objected")


def test_words_are_shown_with_how_often_people_agreed_to_them(shop: Scene) -> None:
    with shop.runtime.db.reading() as session:
        wording = next(iter(stored.wordings(session, [1]).values()))
    record(shop, Action.GRANTED, 1, wording_id=wording.id)
    record(shop, Action.GRANTED, 2, wording_id=wording.id)
    record(shop, Action.GRANTED, 3)
    told = consent_desk.by_words(shop.runtime, wording.id)
    assert (told.wording.sha256, dict(told.actions)) == (wording.sha256, {"granted": 8})
    newest = consent_history.newest(shop.runtime, wording_id=wording.id)
    assert [one.address_id for one in newest[:2]] == [shop.people[1][1], shop.people[0][1]]
    assert len(newest) == 8
