"""A campaign that repeats: one run per date, the latest of those missed, until the last date or a cancel."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from broadcaster.actions import campaigns, planning
from broadcaster.actions.runtime import Runtime
from broadcaster.core.campaigns import CampaignState
from broadcaster.core.errors import Conflict, InvalidInput
from broadcaster.storage.tables import Campaign, Run
from tests import factories
from tests.actions.scene import Scene, scene

DAY = timedelta(days=1)


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def recurring(runtime: Runtime, start: datetime, rule: str) -> Scene:
    """Launch a campaign that repeats from *start* on."""
    s = scene(runtime, None, 3)
    lanes = [(s.channel, s.account)]
    s.campaign = factories.campaign(runtime, brand_id=s.brand, purpose_id=s.purpose, lanes=lanes, launch=False)
    plan = {
        "channels": [{"channel": s.channel, "account_id": s.account}],
        "schedule": {"start": start, "zone": "UTC", "repeat": rule},
    }
    campaigns.update(runtime, s.campaign, revision=1, plan=plan, actor=factories.ACTOR)
    campaigns.launch(runtime, s.campaign, actor=factories.ACTOR)
    return s


def stands(s: Scene) -> tuple[str, datetime | None]:
    with s.runtime.db.reading() as session:
        row = session.get_one(Campaign, s.campaign)
        return row.state, row.scheduled_for


def go_back_to(s: Scene, date: datetime) -> None:
    """Let everything have been down since *date*."""
    s.change("UPDATE campaign SET scheduled_for = :date", date=f"{date:%Y-%m-%d %H:%M:%S.%f}")


def send(s: Scene) -> datetime:
    """Start what is due and send it; return its date."""
    [run] = planning.start_due(s.runtime)
    while planning.plan_range(s.runtime, run):
        pass
    s.drain()
    assert planning.finish_runs(s.runtime) == [run]
    with s.runtime.db.reading() as session:
        return session.get_one(Run, run).not_before


def test_each_date_is_a_run_of_its_own_until_the_last(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    start = now() + timedelta(hours=1)
    s = recurring(runtime, start, "FREQ=DAILY;COUNT=2")
    assert stands(s) == ("scheduled", start)
    assert planning.start_due(runtime) == []
    monkeypatch.setattr(runtime.db, "now", lambda _: start)
    assert send(s) == start
    assert stands(s) == ("scheduled", start + DAY)
    assert planning.start_due(runtime) == []
    monkeypatch.setattr(runtime.db, "now", lambda _: start + DAY)
    assert send(s) == start + DAY
    assert stands(s) == ("finished", None)
    assert s.rows("SELECT count(*) FROM delivery GROUP BY contact_id") == [(2,)] * 3


def test_of_the_dates_missed_only_the_latest_goes_out(runtime: Runtime) -> None:
    start = now() - 3 * DAY - timedelta(minutes=1)
    s = recurring(runtime, start, "FREQ=DAILY")
    go_back_to(s, start)
    assert send(s) == start + 3 * DAY
    assert stands(s) == ("scheduled", start + 4 * DAY)
    assert s.states() == {"accepted": 3}


def test_cancelling_stops_the_dates_ahead(runtime: Runtime) -> None:
    start = now() - timedelta(minutes=1)
    s = recurring(runtime, start, "FREQ=WEEKLY")
    campaigns.cancel(runtime, s.campaign, actor=factories.ACTOR)
    go_back_to(s, start)
    assert planning.start_due(runtime) == []


def test_a_rule_whose_dates_are_over_is_not_launched(runtime: Runtime) -> None:
    with pytest.raises(InvalidInput) as refused:
        recurring(runtime, now() - 9 * DAY, "FREQ=DAILY;COUNT=3")
    assert refused.value.code == "no_date"


@pytest.mark.parametrize("state", [one for one in CampaignState if one is not CampaignState.DRAFT])
def test_only_a_draft_is_launched(runtime: Runtime, state: CampaignState) -> None:
    """A running campaign goes back to its next date by itself alone: launched again, it would reach everybody twice."""
    s = scene(runtime, None, 1)
    lanes = [(s.channel, s.account)]
    s.campaign = factories.campaign(runtime, brand_id=s.brand, purpose_id=s.purpose, lanes=lanes, launch=False)
    s.change("UPDATE campaign SET state = :state", state=state.value)
    with pytest.raises(Conflict) as refused:
        campaigns.launch(runtime, s.campaign, actor=factories.ACTOR)
    assert refused.value.code == f"campaign_{state}"
    assert stands(s)[0] == state
