"""A campaign on screen: draft, dry run, launch, live, report; and everything that is refused on the way."""

from __future__ import annotations

import re

import pytest

from broadcaster.actions.runtime import Runtime
from broadcaster.storage import listings, workers
from broadcaster.storage.tables import Campaign
from tests.web import work
from tests.web.people import Visitor, add, first
from tests.web.test_pages import contents
from tests.web.work import World
from web.app import create_app


@pytest.fixture
def admin(staffed: dict[str, Visitor]) -> Visitor:
    return staffed["admin"]


@pytest.fixture
def world(runtime: Runtime, admin: Visitor) -> World:
    return work.made(runtime, admin)


def state(runtime: Runtime, campaign_id: int = 1) -> str:
    with runtime.db.reading() as session:
        return listings.find(session, Campaign, campaign_id).state


def test_from_draft_to_report(any_runtime: Runtime) -> None:
    me = first(any_runtime)
    add(any_runtime, "mia@example.org", "marketer", by=me)
    app = create_app(any_runtime)
    world = work.made(any_runtime, Visitor(app).signed_in())
    mia = Visitor(app).signed_in("mia@example.org")
    path = work.draft(mia, world)
    page = mia.get(f"{path}/dry-run").text
    assert "Send to 6 people" in page
    assert "8 = 6 + 2" in page
    assert "No consent is known" in page
    drilled = mia.get(f"{path}/people?reason=no_consent").text
    assert drilled.count('class="row-link"') == 2
    assert mia.get(f"{path}/people").text.count('class="row-link"') == 6
    assert "will" in mia.get(f"{path}/why?contact=1").text
    assert mia.post(f"{path}/launch", {"revision": 2}).status_code == 303
    assert mia.post(f"{path}/launch", {"revision": 2}).status_code == 409
    waiting = mia.get(path).text
    assert "No worker is running" in waiting
    assert "It begins within a few seconds" not in waiting
    work.run(any_runtime)
    assert mia.get(f"{path}/live").headers["HX-Refresh"] == "true"
    report = mia.get(path).text
    assert "8 = 6 handed over + 2 not sent" in report
    assert "Nobody is missing" in report
    assert "<dd>6 handed over" not in report
    assert f"{path}/members?reason=no_consent" in report
    assert mia.get(f"{path}/members?reason=no_consent").text.count('class="row-link"') == 2
    behind = mia.get(f"{path}/members?state=accepted").text
    assert behind.count("/why?contact=") == 6
    assert "+33610" not in behind
    assert mia.get(f"{path}/members").status_code == 404
    found = mia.get(f"{path}/why?contact=1").text
    assert "Yes, send me offers." in found
    assert "taken by the provider" in found
    assert "We know nobody" in mia.get(f"{path}/why?who=%25").text
    listed = mia.get("/campaigns?state=done").text
    assert "First" in listed
    assert "finished" in listed
    assert "None in this state" in mia.get("/campaigns?state=draft").text
    assert mia.get("/campaigns?state=all").status_code == 404
    letters = mia.get("/outbox").text
    assert letters.count("Hello Ann") >= 6


def test_a_campaign_without_a_worker_says_so(admin: Visitor, world: World, runtime: Runtime) -> None:
    path, warning = work.draft(admin, world), "No worker is running."
    assert warning not in admin.get("/").text  # nothing waits for one
    admin.post(f"{path}/launch", {"revision": 2})
    for page in ("/", path, f"{path}/live"):
        assert warning in admin.get(page).text
    workers.beat(runtime)
    for page in ("/", path, f"{path}/live"):
        assert warning not in admin.get(page).text


def test_a_campaign_is_paused_resumed_and_cancelled(admin: Visitor, world: World, runtime: Runtime) -> None:
    path = work.draft(admin, world)
    assert admin.post(f"{path}/move/pause").status_code == 409
    assert admin.post(f"{path}/launch", {"revision": 2}).status_code == 303
    assert admin.post(f"{path}/move/unschedule").status_code == 303
    assert state(runtime) == "draft"
    assert admin.post(f"{path}/launch", {"revision": 2}).status_code == 303
    admin.post("/accounts/1/pause")
    work.run(runtime, rounds=1)
    assert "running" in admin.get("/").text
    for verb, after in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        page = admin.get(path).text
        assert f"/move/{verb}" in page
        assert admin.post(f"{path}/move/{verb}").status_code == 303
        assert state(runtime) == after
    assert admin.post(f"{path}/move/resume").status_code == 409
    assert admin.post(f"{path}/move/explode").status_code == 404
    assert admin.post(f"{path}/save", work.form(world, revision=2)).status_code == 409


@pytest.mark.parametrize("stage", ["scheduled", "running"])
def test_what_is_under_way_is_neither_started_again_nor_edited(
    admin: Visitor, world: World, runtime: Runtime, stage: str
) -> None:
    """B51: the conflict is named and nothing changes; there is no way to delete a campaign."""
    path = work.draft(admin, world)
    assert admin.post(f"{path}/launch", {"revision": 2}).status_code == 303
    if stage == "running":
        admin.post("/accounts/1/pause")
        work.run(runtime, rounds=1)
    assert state(runtime) == stage
    before = contents(runtime)
    for tried in (
        admin.post(f"{path}/launch", {"revision": 2}),
        admin.post(f"{path}/save", work.form(world, revision=2, name="Other")),
        admin.post(f"{path}/move/resume"),
    ):
        assert tried.status_code == 409
        assert f"This campaign is {stage}" in tried.text
    assert admin.open(path, method="DELETE").status_code == 405
    assert contents(runtime) == before


def test_a_copy_is_a_draft_of_its_own(admin: Visitor, world: World, runtime: Runtime) -> None:
    path = work.draft(admin, world)
    copy = admin.post(f"{path}/duplicate").headers["Location"]
    assert copy != path
    assert "First (copy)" in admin.get(copy).text
    assert "Send to 6 people" in admin.get(f"{copy}/dry-run").text


def test_a_stale_form_shows_the_difference(admin: Visitor, world: World, runtime: Runtime) -> None:
    path = work.draft(admin, world)
    assert admin.post(f"{path}/save", work.form(world, revision=2, name="Theirs")).status_code == 303
    stale = admin.post(f"{path}/save", work.form(world, revision=2, name="Mine"))
    assert stale.status_code == 409
    assert "Somebody else saved this campaign meanwhile" in stale.text
    assert "<td>Mine</td><td>Theirs</td>" in stale.text
    assert admin.post(f"{path}/launch", {"revision": 2}).status_code == 409
    assert state(runtime) == "draft"
    assert admin.post(f"{path}/save", work.form(world, revision=3, name="Mine")).status_code == 303


@pytest.mark.parametrize(
    "changes,said",
    [
        ({"when": "at", "start": "2020-01-01T10:00"}, "in the past"),
        ({"when": "at", "start": "2100-01-01T10:00"}, "more than two years"),
        ({"when": "at", "start": "2027-03-28T02:30"}, "does not exist"),
        ({"when": "at", "start": "2027-10-31T02:30"}, "comes twice"),
        ({"when": "at", "start": "soon"}, "not a day and a time"),
        ({"when": "at", "start": ""}, "fill this in"),
        ({"when": "never"}, "Choose one of the list"),
        ({"zone": "Mars/Base"}, "no such time zone"),
        ({"zone": "GMT+25"}, "no such time zone"),
        ({"zone": "", "when": "at", "start": "2027-02-01T10:00"}, "fill this in"),
        ({"zone": "", "not_after": "2027-02-01T10:00"}, "fill this in"),
        ({"not_after": "2020-01-01T10:00"}, "in the past"),
        ({"when": "at", "start": "2027-02-01T10:00", "not_after": "2027-01-31T10:00"}, "later than the start"),
        ({"audience": 99}, "Choose one of the list"),
        ({"template": 99}, "Choose one of the list"),
        ({"way_1": 99}, "Choose one of the list"),
        ({"way_2": 1}, "once"),
        ({"purpose": 99}, "Choose one of the list"),
        ({"name": ""}, "fill this in"),
        ({"name": "x" * 300}, "too long"),
        ({"state": "finished"}, ""),
        ({"when": "at", "start": "2027-02-01T10:00", "repeat": "FREQ=HOURLY"}, "Repeat by day, week or month"),
        ({"repeat": "FREQ=DAILY"}, "fill this in"),
    ],
    ids=range(23),
)
def test_what_will_not_do_is_refused_in_place(
    admin: Visitor, world: World, runtime: Runtime, changes: dict[str, object], said: str
) -> None:
    path = admin.post("/campaigns/new", {"name": "First", "purpose": world.purpose}).headers["Location"]
    answer = admin.post(f"{path}/save", work.form(world, **changes))
    assert answer.status_code == 422
    assert said in answer.text


def test_a_campaign_that_repeats_shows_its_next_five_dates(admin: Visitor, world: World, runtime: Runtime) -> None:
    path = admin.post("/campaigns/new", {"name": "First", "purpose": world.purpose}).headers["Location"]
    rule = {"when": "at", "start": "2027-03-27T10:00", "zone": "Europe/Paris", "repeat": "freq=daily"}
    assert admin.post(f"{path}/save", work.form(world, **rule)).status_code == 303
    page = admin.get(path).text
    assert 'value="FREQ=DAILY"' in page
    shown = [f"2027-03-{day}T{hour:02}:00:00+00:00" for day, hour in ((27, 9), (28, 8), (29, 8), (30, 8), (31, 8))]
    assert [one for one in shown if one in page] == shown


def test_a_draft_without_a_sender_keeps_what_was_typed(admin: Visitor, world: World, runtime: Runtime) -> None:
    path = admin.post("/campaigns/new", {"name": "First", "purpose": world.purpose}).headers["Location"]
    typed = {"when": "local", "start": "2027-02-01T10:15", "not_after": "2027-02-03T08:30", "count_clicks": "true"}
    assert admin.post(f"{path}/save", work.form(world, way_1="", **typed)).status_code == 303
    page = admin.get(path).text
    assert re.search(r'value="local"[^>]* checked', page)
    assert 'value="2027-02-01T10:15"' in page
    assert 'value="2027-02-03T08:30"' in page
    assert re.search(r'name="count_clicks"[^>]* checked', page)
    checked = admin.get(f"{path}/dry-run").text
    assert "No sender has been chosen yet" in checked
    assert "Nobody would get this message" not in checked
    assert admin.post(f"{path}/launch", {"revision": 2}).status_code == 422
    assert state(runtime) == "draft"
    assert admin.post(f"{path}/save", work.form(world, revision=2, **typed)).status_code == 303
    assert admin.post(f"{path}/launch", {"revision": 3}).status_code == 303


def test_an_hour_that_comes_twice_can_be_chosen(admin: Visitor, world: World, runtime: Runtime) -> None:
    path = admin.post("/campaigns/new", {"name": "First", "purpose": world.purpose}).headers["Location"]
    twice = {"when": "at", "start": "2027-10-31T02:30"}
    assert 'name="fold"' in admin.post(f"{path}/save", work.form(world, **twice)).text
    assert admin.post(f"{path}/save", work.form(world, **twice, fold=1)).status_code == 303
    with runtime.db.reading() as session:
        plan = listings.find(session, Campaign, 1).plan
    assert plan["schedule"]["start"].startswith("2027-10-31T01:30")
    assert 'value="2027-10-31T02:30"' in admin.get(path).text


def test_a_launch_needs_everything(admin: Visitor, world: World, runtime: Runtime) -> None:
    path = admin.post("/campaigns/new", {"name": "First", "purpose": world.purpose}).headers["Location"]
    page = admin.get(f"{path}/dry-run").text
    assert "No audience has been chosen yet" in page
    assert "/launch" not in page
    assert admin.post(f"{path}/launch", {"revision": 1}).status_code in {409, 422}
    assert admin.post(f"{path}/launch", {"revision": "x"}).status_code == 400


def test_nobody_to_send_to_and_senders_that_are_not_ready(admin: Visitor, world: World, runtime: Runtime) -> None:
    path = work.draft(admin, world)
    admin.post("/accounts/1/pause")
    refused = admin.post(f"{path}/launch", {"revision": 2})
    assert refused.status_code == 409
    assert "A sender is paused" in refused.text
    admin.post("/accounts/1/resume")
    nobody = {"name": "Nobody", "r.type": "all", "r.0.type": "country", "r.0.values": "IT"}
    assert admin.post("/audiences/save", nobody).status_code == 303
    assert admin.post(f"{path}/save", work.form(world, revision=2, audience=2)).status_code == 303
    assert "Nobody would get this message" in admin.get(f"{path}/dry-run").text
    refused = admin.post(f"{path}/launch", {"revision": 3})
    assert refused.status_code == 409
    assert state(runtime) == "draft"


def test_a_way_out_is_asked_for_before_launch(admin: Visitor, world: World, runtime: Runtime) -> None:
    path = work.draft(admin, world)
    words = {"channel": "sms", "language": "en", "text": "Hello from Example", "seen": "1"}
    assert admin.post("/templates/1/save", words).status_code == 303
    assert "does not say how to stop" in admin.get(f"{path}/dry-run").text
    assert admin.post(f"{path}/launch", {"revision": 2}).status_code == 422
    assert state(runtime) == "draft"


def test_unknown_outcomes_wait_for_a_decision(admin: Visitor, world: World) -> None:
    path = work.draft(admin, world)
    assert "Everything is known" in admin.get(f"{path}/unknown").text
    assert admin.post(f"{path}/unknown", {"decision": "resend", "steps": ["1"]}).status_code == 422
    assert admin.post(f"{path}/unknown", {"decision": "lost", "steps": ["1"]}).status_code == 409
    assert admin.post(f"{path}/unknown", {"decision": "burn", "steps": ["1"]}).status_code == 400
    assert admin.post(f"{path}/unknown", {"decision": "lost"}).status_code == 422


@pytest.mark.parametrize(
    "path", ["/campaigns/1/people?reason=bogus", "/campaigns/1/people?after=-1", "/campaigns?before=0"]
)
def test_what_is_no_page_is_not_found(admin: Visitor, world: World, path: str) -> None:
    work.draft(admin, world)
    assert admin.get(path).status_code == 404


def test_only_some_may_launch(staffed: dict[str, Visitor], world: World) -> None:
    path = work.draft(staffed["admin"], world)
    for role in ("auditor", "agent"):
        page = staffed[role].get(f"{path}/dry-run")
        assert page.status_code == 200
        assert "Send to 6 people" not in page.text
        assert staffed[role].post(f"{path}/launch", {"revision": 2}).status_code == 403


def test_the_dashboard_leads_by_the_hand(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    admin = staffed["admin"]
    page = admin.get("/").text
    assert "Your way to the first campaign" in page
    assert "Send it to yourself" in page
    work.draft(admin, work.made(runtime, admin))
    assert "6 of 7 done" in admin.get("/").text
