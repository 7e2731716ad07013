"""The calendar of campaigns on screen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from broadcaster.actions.runtime import Runtime
from tests.web import work
from tests.web.people import Visitor
from tests.web.work import World


@pytest.fixture
def admin(staffed: dict[str, Visitor]) -> Visitor:
    return staffed["admin"]


@pytest.fixture
def world(runtime: Runtime, admin: Visitor) -> World:
    return work.made(runtime, admin)


def test_a_campaign_stands_on_its_day_with_its_state_and_leads_to_its_page(admin: Visitor, world: World) -> None:
    start = (datetime.now(UTC) + timedelta(days=40)).astimezone(ZoneInfo("Europe/Paris")).replace(hour=10, minute=5)
    path = admin.post("/campaigns/new", {"name": "Later", "purpose": world.purpose}).headers["Location"]
    there = f"/campaigns/calendar?month={start:%Y-%m}"
    assert "Nothing in this month" in admin.get(there).text
    form = work.form(world, name="Later", when="at", start=f"{start:%Y-%m-%dT%H:%M}")
    assert admin.post(f"{path}/save", form).status_code == 303
    assert admin.post(f"{path}/launch", {"revision": 2}).status_code == 303
    page = admin.get(there).text
    day = page.partition(f'datetime="{start:%Y-%m-%d}"')[2].partition("</li>")[0]
    assert f'href="{path}"' in day
    assert ">10:05</time>" in day
    assert '<span class="badge bg-azure-lt">scheduled</span>' in day
    assert "Nothing in this month" not in page


def test_one_turns_the_months_over(admin: Visitor) -> None:
    page = admin.get("/campaigns/calendar?month=2026-12").text
    assert "December 2026" in page
    assert 'href="/campaigns/calendar?month=2026-11"' in page
    assert 'href="/campaigns/calendar?month=2027-01"' in page
    assert "Public holiday: France" in page
    assert 'href="/campaigns/calendar"' in admin.get("/campaigns").text


def test_what_is_no_month_is_refused_with_a_page(admin: Visitor) -> None:
    for wrong in ("2026-13", "%00", "9999-12"):
        answer = admin.get(f"/campaigns/calendar?month={wrong}")
        assert (answer.status_code, "Traceback" in answer.text) == (422, False)
    assert "month=1999" not in admin.get("/campaigns/calendar?month=2000-01").text


def test_the_calendar_speaks_french(admin: Visitor) -> None:
    admin.post("/profile", {"name": "Ada", "language": "fr", "time_zone": "Europe/Paris"})
    page = admin.get("/campaigns/calendar?month=2026-07").text
    assert "Juillet 2026" in page
    assert "Jour férié" in page
    assert "Aujourd’hui" in page
