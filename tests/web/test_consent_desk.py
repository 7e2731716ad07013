"""The consent desk's pages: who may read, who may decide, and what they show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from broadcaster.actions import consent as consent_actions
from broadcaster.actions.runtime import Runtime
from broadcaster.core.messages import Inbound, InboundKind
from broadcaster.storage.tables import Account
from tests import factories
from tests.actions.scene import Scene, scene
from tests.actions.talk import tell
from tests.web.people import Visitor

PAGES = ("/consent/desk", "/consent/desk/growth", "/consent/desk/reviews", "/consent/wording/1")


@pytest.fixture
def shop(runtime: Runtime) -> Scene:
    """Three people who agreed; the consent of one ends in ten days."""
    made = scene(runtime, None, 3)
    until = datetime.now(UTC) + timedelta(days=10)
    with runtime.db.reading() as session:
        now = runtime.db.now(session)
    soon = factories.grant(made.people[2][1], made.purpose, now, expires_at=until)
    consent_actions.record(runtime, [soon], actor=factories.ACTOR)
    return made


def unclear(s: Scene) -> None:
    with s.runtime.db.reading() as session:
        assert session.get_one(Account, s.account).channel == "email"
    event = Inbound("e1", InboundKind.TEXT, "person1@example.net", datetime.now(UTC), text="this is <b>too much</b>")
    tell(s, event)


@pytest.mark.parametrize("role", ["admin", "marketer", "agent", "auditor"])
def test_everybody_of_ours_reads_the_desk(staffed: dict[str, Visitor], shop: Scene, role: str) -> None:
    unclear(shop)
    for path in PAGES:
        assert staffed[role].get(path).status_code == 200
    page = staffed[role].get("/consent/desk").text
    assert ("open 2" in page, "on hold 1" in page) == (True, True)
    assert ("consent/desk/again" in page) is (role in ("admin", "marketer"))
    asks = staffed[role].get("/consent/desk/reviews").text
    assert "this is &lt;b&gt;too much" in asks
    assert ('value="go_on"' in asks) is (role != "auditor")


def test_the_desk_shows_an_earlier_moment_on_the_readers_clock(staffed: dict[str, Visitor], shop: Scene) -> None:
    marketer = staffed["marketer"]
    assert "open 3" not in marketer.get("/consent/desk?at=2020-01-01T00:00").text
    assert "This is not a date" in marketer.get("/consent/desk?at=yesterday").text
    contact = shop.people[0][0]
    assert "not open" in marketer.get(f"/consent/contact/{contact}?at=2020-01-01T00:00").text
    assert "Offers: open" in marketer.get(f"/consent/contact/{contact}").text


@pytest.mark.parametrize("query", ["from=x", "from=2026-05-01&to=2026-04-01", "from=1990-01-01&by=week"])
def test_growth_says_what_is_wrong_with_the_days(staffed: dict[str, Visitor], shop: Scene, query: str) -> None:
    page = staffed["auditor"].get(f"/consent/desk/growth?{query}")
    assert page.status_code == 200
    assert 'role="alert"' in page.text


@pytest.mark.parametrize("cause,named", [("source", "Web form"), ("campaign", "none"), ("rule", "none")])
def test_growth_names_the_cause(staffed: dict[str, Visitor], shop: Scene, cause: str, named: str) -> None:
    page = staffed["auditor"].get(f"/consent/desk/growth?cause={cause}").text
    assert "+3" in page
    assert named in page


def test_a_decision_needs_a_reason_and_is_taken_once(staffed: dict[str, Visitor], shop: Scene) -> None:
    unclear(shop)
    agent = staffed["agent"]
    assert agent.post("/consent/desk/reviews/1", {"decision": "go_on"}).status_code == 422
    assert staffed["auditor"].post("/consent/desk/reviews/1", {"decision": "stop", "reason": "x"}).status_code == 403
    assert agent.post("/consent/desk/reviews/1", {"decision": "go_on", "reason": "a joke"}).status_code == 303
    assert "Nothing waits" in agent.get("/consent/desk/reviews").text
    assert agent.post("/consent/desk/reviews/1", {"decision": "stop", "reason": "late"}).status_code == 422


def test_asking_again_makes_a_draft_and_an_auditor_cannot(staffed: dict[str, Visitor], shop: Scene) -> None:
    ask = {"purpose": str(shop.purpose), "days": "30"}
    assert staffed["auditor"].post("/consent/desk/again", ask).status_code == 403
    made = staffed["marketer"].post("/consent/desk/again", ask)
    assert made.status_code == 303
    assert "Ask again" in staffed["marketer"].get(made.headers["Location"]).text


@pytest.mark.parametrize("role,status", [("admin", 200), ("auditor", 200), ("agent", 403)])
def test_the_rules_of_the_law_are_shown_with_their_sources(staffed: dict[str, Visitor], role: str, status: int) -> None:
    page = staffed[role].get("/settings/law?country=FR")
    assert page.status_code == status
    assert ("ARCEP" in page.text, "CASL" in page.text) == (status == 200, False)
    assert staffed[role].get("/settings/law?country=..").status_code == status
