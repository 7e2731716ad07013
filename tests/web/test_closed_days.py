"""The organisation's own closed days on screen, beside the public holidays that come with the program."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from broadcaster.actions.organisation import set_settings
from broadcaster.actions.runtime import Runtime
from broadcaster.core.closed import EVERYWHERE
from tests.web import work
from tests.web.people import Visitor

PAGE = "/settings/closed-days"
FIRST = datetime.now(UTC).date() + timedelta(days=2)
LAST = FIRST + timedelta(days=3)
NEW = {"first": FIRST.isoformat(), "last": LAST.isoformat(), "country": "FR", "label": "Works <holiday>"}


@pytest.fixture
def admin(staffed: dict[str, Visitor]) -> Visitor:
    return staffed["admin"]


def test_days_are_closed_shown_as_one_line_and_opened_again(admin: Visitor) -> None:
    assert "No closed days of your own" in admin.get(PAGE).text
    assert admin.post(PAGE, NEW).status_code == 303
    page = admin.get(PAGE).text
    assert "4 days closed." in page
    assert page.count("Works &lt;holiday&gt;") == 1
    assert 'data-label="Where">France</td>' in page
    assert f"/{FIRST:%Y}" not in page  # nobody reads 11/25/2026
    month = admin.get(f"/campaigns/calendar?month={FIRST:%Y-%m}").text
    assert "Closed: Works &lt;holiday&gt;" in month
    which = {"country": "FR", "first": FIRST.isoformat(), "last": LAST.isoformat()}
    assert admin.post(f"{PAGE}/remove", which).status_code == 303
    assert "No closed days of your own" in admin.get(PAGE).text
    assert admin.post(f"{PAGE}/remove", which).status_code == 404


def test_a_single_day_needs_no_last_one_and_no_country_means_everywhere(admin: Visitor) -> None:
    assert admin.post(PAGE, {"first": FIRST.isoformat(), "label": "Inventory"}).status_code == 303
    page = admin.get(PAGE).text
    assert f'name="country" value="{EVERYWHERE}"' in page
    assert 'data-label="Where">Everywhere</td>' in page


@pytest.mark.parametrize(
    "field, value",
    [
        ("first", "24.12.2026"),
        ("first", ""),
        ("first", "2020-01-01"),
        ("last", "2020-01-01"),
        ("last", "2999-01-01"),
        ("country", "QQ"),
        ("country", "'; --"),
        ("label", ""),
        ("label", "x" * 81),
        ("label", "a\x00b"),
    ],
)
def test_what_cannot_be_closed_is_said_at_its_field(admin: Visitor, field: str, value: str) -> None:
    told = {**NEW, field: value}
    if (field, value) == ("first", "2020-01-01"):
        told["last"] = value
    answer = admin.post(PAGE, told)
    assert answer.status_code == 422
    assert f'id="e-{field}"' in answer.text
    assert "No closed days of your own" in admin.get(PAGE).text


def test_the_public_holidays_of_a_country_stand_beside_with_their_source(admin: Visitor) -> None:
    page = admin.get(PAGE).text  # the organisation's own country to begin with
    assert "Christmas Day" in page
    assert "Source: python-holidays" in page
    assert "German Unity Day" in admin.get(f"{PAGE}?country=DE").text
    assert "Christmas Day" in admin.get(f"{PAGE}?country=%00").text
    admin.post("/profile", {"name": "Ada", "language": "fr", "time_zone": "Europe/Paris"})
    assert "Noël" in admin.get(PAGE).text


@pytest.mark.parametrize("role, reads, writes", [("marketer", 200, 403), ("auditor", 200, 403), ("agent", 403, 403)])
def test_only_an_administrator_closes_days(staffed: dict[str, Visitor], role: str, reads: int, writes: int) -> None:
    assert staffed[role].get(PAGE).status_code == reads
    assert staffed[role].post(PAGE, NEW).status_code == writes
    assert staffed[role].post(f"{PAGE}/remove", NEW).status_code == writes


def test_a_dry_run_names_the_closed_days_in_between_unless_hours_do_not_apply(admin: Visitor, runtime: Runtime) -> None:
    path = work.draft(admin, work.made(runtime, admin))
    admin.post(PAGE, {"first": datetime.now(UTC).date().isoformat(), "last": LAST.isoformat(), "label": "Moving"})
    assert "Closed days in between" not in admin.get(f"{path}/dry-run").text  # a demonstration
    set_settings(runtime, {"demo": False}, actor="cli:test")
    assert "Moving" in admin.get(f"{path}/dry-run").text.partition("Closed days in between")[2].partition("</div>")[0]
