"""Days that are over are counted once; what the desk then shows is what the ledger says."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from broadcaster.actions import consent_desk
from broadcaster.actions.organisation import set_settings
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Action, Actor, Source
from broadcaster.core.event_types import ContactChanged
from broadcaster.core.schedule import zone
from broadcaster.storage import consent as ledger
from broadcaster.storage import log
from tests import factories
from tests.factories import ACTOR

PARIS = zone("Europe/Paris")
DAYS = 20
ACTS = (Action.GRANTED, Action.WITHDRAWN, Action.OBJECTED, Action.RESTRICTED)


class History:
    """Some people, and what they did on the days up to today, many of them around midnight in Paris."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        _brand, self.purpose, _wording = factories.brand_and_purpose(runtime)
        made = factories.contacts(runtime, 5, purpose_id=self.purpose, consenting=False)
        self.addresses = [address for _, address in made]
        with runtime.db.reading() as session:
            self.now = runtime.db.now(session)
        self.today = self.now.astimezone(PARIS).date()

    def make(self, dice: random.Random, count: int) -> None:
        for at in sorted(self._moment(dice) for _ in range(count)):
            action = dice.choice(ACTS)
            node = "marketing" if action in (Action.OBJECTED, Action.RESTRICTED) else "offers"
            with self.runtime.db.transaction(ACTOR) as session:
                act = factories.grant(
                    dice.choice(self.addresses),
                    ledger.purpose_id(session, node),
                    at,
                    action=action,
                    actor=Actor.PERSON,
                    source=dice.choice([Source.PREFERENCE_PAGE, Source.CALL]),
                )
                ledger.append(session, [act], person_keys=_keys(session, act.address_id), at=at)
                ledger.project(session, [act.address_id])
                log.record(session, ContactChanged(contact_id=0, verb="told"), at=self.now)

    def _moment(self, dice: random.Random) -> datetime:
        day = self.today - timedelta(days=dice.randrange(DAYS))
        near = dice.choice([time(0), time(0, 1), time(23, 59), time(12)])
        return min(datetime.combine(day, near, tzinfo=PARIS), self.now)

    def grown(self, **options: Any) -> list[Counter[Any]]:
        span = {"first": self.today - timedelta(days=DAYS + 3), "last": self.today, "by": "week", **options}
        found = consent_desk.growth(self.runtime, **span)
        return [
            Counter({(c.purpose_id, c.gained, c.source, c.campaign_id, c.rule): c.count for c in some})
            for some in found.changes
        ]

    def rows(self, query: str) -> list[Any]:
        with self.runtime.db.reading() as session:
            return [tuple(row) for row in session.connection().execute(text(query))]


def _keys(session: Any, address_id: int) -> dict[int, bytes]:
    return {address_id: b"k" * 32}


@pytest.fixture
def history(runtime: Runtime) -> History:
    return History(runtime)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_desk_shows_the_same_before_and_after_counting_and_between(history: History, seed: int) -> None:
    history.make(random.Random(seed), 60)
    months = {"by": "month"}
    days = {"first": history.today - timedelta(days=9), "last": history.today - timedelta(days=4)}
    live = [history.grown(**options) for options in ({}, months, days)]
    assert sum(live[0], Counter()).total() > 10
    while consent_desk.count_days(history.runtime, most=6):
        assert [history.grown(**options) for options in ({}, months, days)] == live
    assert history.rows("SELECT count(*) FROM consent_tally")[0][0] > 5


def test_a_counted_day_is_read_and_not_counted_again(history: History) -> None:
    """A row of the tally changed behind its back shows on the page: nobody walks the ledger for it."""
    history.make(random.Random(3), 40)
    while consent_desk.count_days(history.runtime):
        pass
    before = sum(history.grown(), Counter()).total()
    with history.runtime.db.engine.begin() as connection:
        connection.execute(text("UPDATE consent_tally SET count = count + 100 WHERE id = 1"))
    assert sum(history.grown(), Counter()).total() == before + 100


def test_today_and_an_hour_after_midnight_are_never_counted(history: History) -> None:
    history.make(random.Random(4), 30)
    while consent_desk.count_days(history.runtime):
        pass
    [(until,)] = history.rows("SELECT until FROM consent_tallied")
    settled = (history.now - consent_desk.SETTLED).astimezone(PARIS).date()
    assert date.fromisoformat(str(until)) in (settled, settled + timedelta(days=1))  # midnight may have passed
    assert date.fromisoformat(str(until)) <= history.today + timedelta(days=1)


def test_in_another_zone_days_are_counted_anew(history: History) -> None:
    history.make(random.Random(5), 40)
    while consent_desk.count_days(history.runtime):
        pass
    set_settings(history.runtime, {"time_zone": "Pacific/Auckland"}, actor=ACTOR)
    live = history.grown()
    while consent_desk.count_days(history.runtime):
        pass
    assert history.rows("SELECT zone FROM consent_tallied") == [("Pacific/Auckland",)]
    assert history.grown() == live


def test_without_a_single_event_there_is_nothing_to_count(history: History) -> None:
    assert consent_desk.count_days(history.runtime) == 0
    assert sum(history.grown(), Counter()) == Counter()
