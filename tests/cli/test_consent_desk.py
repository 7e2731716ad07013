"""The consent desk by command line."""

from __future__ import annotations

from datetime import timedelta

import pytest

from broadcaster.actions import consent as consent_actions
from broadcaster.actions.runtime import Runtime
from broadcaster.cli.consent import consent
from broadcaster.core.errors import InvalidInput, NotFound
from tests import factories
from tests.cli.test_consent import Shell, one_engine


@pytest.fixture
def desk(runtime: Runtime) -> Shell:
    """Three people who agreed, one of them for ten days."""
    _brand, purpose, wording = factories.brand_and_purpose(runtime)
    [*_, (_contact, address)] = factories.contacts(runtime, 3, purpose_id=purpose, wording_id=wording)
    with runtime.db.reading() as session:
        now = runtime.db.now(session)
    soon = factories.grant(address, purpose, now, wording_id=wording, expires_at=now + timedelta(days=10))
    consent_actions.record(runtime, [soon], actor=factories.ACTOR)
    return Shell(runtime)


@one_engine
def test_the_desk_counts_totals_growth_and_what_runs_out(desk: Shell) -> None:
    assert desk.json(consent, "totals")["purposes"] == {"offers": {"granted": 3}}
    assert desk.json(consent, "totals", "--as-of", "2020-01-01T00:00+00:00")["purposes"] == {}
    assert desk.json(consent, "ending") == {"offers": {"30": 1, "60": 1, "90": 1}}
    grown = desk.json(consent, "growth", "--from", "2026-01-01", "--to", "2026-12-31", "--purpose", "offers")
    assert len(grown["periods"]) == 12
    words = desk.json(consent, "wording", "1")
    assert (words["actions"], len(words["events"])) == ({"granted": 4}, 4)
    assert desk.json(consent, "reviews") == {"waiting": []}
    assert "campaign 1" in desk.run(consent, "ask-again", "offers", "--name", "Once more").output


@one_engine
def test_the_desk_refuses_a_moment_without_a_zone_and_words_that_do_not_exist(desk: Shell) -> None:
    assert isinstance(desk.problem(consent, "totals", "--as-of", "2026-05-31T14:00"), InvalidInput)
    assert isinstance(desk.problem(consent, "wording", "99"), NotFound)
    assert isinstance(desk.problem(consent, "ask-again", "offers", "--days", "7", "--name", "x"), InvalidInput)


@one_engine
def test_the_rules_of_a_country_name_their_sources(desk: Shell) -> None:
    told = desk.json(consent, "rules", "--country", "fr")
    assert told["rows"][0]["place"] == "FR"
    assert {row["what"] for row in told["rows"]} == {"basis", "age", "inactivity", "footer", "sender"}
    assert all(row["source"] and row["date"] for row in told["rows"])
    assert {row["place"] for row in told["rows"]} == {"FR", "EU", "*"}
    assert isinstance(desk.problem(consent, "rules", "--country", "XX"), InvalidInput)
