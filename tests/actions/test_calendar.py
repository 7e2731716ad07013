"""The calendar over real rows: what went out, what will, whatever the number of campaigns by one query."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import event

from broadcaster.actions import campaigns, planning
from broadcaster.actions.calendar import calendar_of
from broadcaster.actions.organisation import set_settings
from broadcaster.actions.runtime import Runtime
from broadcaster.core.calendar import Month
from tests import factories
from tests.actions.scene import Scene, scene

NEXT = datetime.now(UTC).replace(microsecond=0) + timedelta(days=40)


def scheduled(s: Scene, **schedule: object) -> int:
    lanes = [(s.channel, s.account)]
    made = factories.campaign(s.runtime, brand_id=s.brand, purpose_id=s.purpose, lanes=lanes, launch=False)
    plan = {"channels": [{"channel": s.channel, "account_id": s.account}], "schedule": schedule}
    campaigns.update(s.runtime, made, revision=1, plan=plan, actor=factories.ACTOR)
    campaigns.launch(s.runtime, made, actor=factories.ACTOR)
    return made


def shown(runtime: Runtime, month: str = "") -> list[tuple[int, str]]:
    return [(one.campaign_id, one.state) for day in calendar_of(runtime, month).days for one in day.entries]


def test_what_went_out_and_what_will_stand_in_their_months_and_a_draft_without_a_date_does_not(
    runtime: Runtime,
) -> None:
    s = scene(runtime, None)
    s.launch()
    s.drain()
    planning.finish_runs(runtime)
    later = scheduled(s, start=NEXT, zone="UTC")
    lanes = [(s.channel, s.account)]
    factories.campaign(runtime, brand_id=s.brand, purpose_id=s.purpose, lanes=lanes, launch=False)
    assert shown(runtime) == [(s.campaign, "finished")]
    assert shown(runtime, str(Month(NEXT.year, NEXT.month))) == [(later, "scheduled")]


def test_a_campaign_cancelled_before_it_went_out_is_gone_and_one_taken_back_is_a_draft(runtime: Runtime) -> None:
    s = scene(runtime, None)
    campaigns.cancel(runtime, scheduled(s, start=NEXT, zone="UTC"), actor=factories.ACTOR)
    back = scheduled(s, start=NEXT, zone="UTC")
    campaigns.unschedule(runtime, back, actor=factories.ACTOR)
    assert shown(runtime, str(Month(NEXT.year, NEXT.month))) == [(back, "draft")]


def test_a_month_is_one_query_however_many_campaigns(runtime: Runtime) -> None:
    s = scene(runtime, None)
    asked: list[str] = []
    event.listen(runtime.db.engine, "before_cursor_execute", lambda *seen: asked.append(seen[2]))

    def queries() -> int:
        asked.clear()
        shown(runtime)
        return sum("campaign" in one.lower() for one in asked)

    assert queries() == 1
    for _ in range(3):
        s.launch()
        scheduled(s, start=NEXT, zone="UTC", repeat="FREQ=DAILY;COUNT=9")
    assert queries() == 1


def test_the_days_are_those_of_the_organisation(runtime: Runtime) -> None:
    assert calendar_of(runtime).zone == "Europe/Paris"  # the country's own
    set_settings(runtime, {"time_zone": "Pacific/Auckland"}, actor=factories.ACTOR)
    assert calendar_of(runtime).zone == "Pacific/Auckland"


def test_holidays_are_those_of_every_country_with_hours_of_its_own(runtime: Runtime) -> None:
    def closed(month: str) -> dict[int, tuple[str, ...]]:
        return {one.day.day: one.closed for one in calendar_of(runtime, month).days if one.closed}

    assert closed("2026-07") == {14: ("FR",)}
    hours = {"opens": "09:00", "closes": "18:00"}
    set_settings(runtime, {"windows": {"US": hours}, "default_region": "BE"}, actor=factories.ACTOR)
    assert closed("2026-07") == {3: ("US",), 4: ("US",), 21: ("BE",)}
