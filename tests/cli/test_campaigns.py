"""The whole job of a marketer from a terminal: JSON for machines, questions before what cannot be undone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from sqlalchemy import text

from broadcaster.actions import closed_days, loop, planning
from broadcaster.actions.runtime import Runtime
from broadcaster.cli.audiences import audiences
from broadcaster.cli.campaigns import campaigns
from broadcaster.cli.templates import templates
from broadcaster.core.closed import Closed
from broadcaster.core.errors import BroadcasterError, Conflict, InvalidInput, NotFound
from tests import factories

DRAFT = ("--name", "Spring", "--purpose", "offers", "--audience", "All", "--template", "Words")
WORDS = {"sms/en": {"text": "Hello {{ contact.first_name }}, STOP to end. Example"}}


class Terminal:
    """Runs verbs as a script would: no terminal, results as JSON."""

    actor = "cli:test"

    def __init__(self, runtime: Runtime, folder: Path) -> None:
        self._runtime = runtime
        self.folder = folder

    def runtime(self) -> Runtime:
        return self._runtime

    def run(self, group: click.Command, *words: str, given: str = "", exit_code: int = 0) -> str:
        result = CliRunner().invoke(group, [*words], obj=self, input=given)
        if isinstance(result.exception, BroadcasterError):
            raise result.exception
        assert result.exit_code == exit_code, result.output
        return result.stdout

    def json(self, group: click.Command, *words: str, exit_code: int = 0) -> Any:
        return json.loads(self.run(group, *words, "--json", exit_code=exit_code))

    def file(self, told: Any) -> str:
        path = self.folder / "told.json"
        path.write_text(json.dumps(told))
        return str(path)

    def send(self) -> None:
        engine = loop.Loop(self._runtime)
        for _ in range(10):
            engine.step()
        planning.finish_runs(self._runtime)


@pytest.fixture
def terminal(database_url: str, tmp_path: Path) -> Iterator[Terminal]:
    """An installation with four people, three of whom agreed, a sender, an audience and words."""
    with factories.installation(database_url, tmp_path) as runtime:
        brand, purpose, wording = factories.brand_and_purpose(runtime)
        factories.account(runtime, brand, "sandbox", channel="sms")
        factories.contacts(runtime, 3, purpose_id=purpose, channel="sms", wording_id=wording)
        factories.contacts(runtime, 1, purpose_id=purpose, channel="sms", start=50, consenting=False)
        made = Terminal(runtime, tmp_path)
        made.run(audiences, "save", "--name", "All", "--rule", made.file({"type": "everybody"}))
        made.run(templates, "save", "--name", "Words", "--file", made.file(WORDS))
        yield made


def draft(terminal: Terminal, *more: str) -> str:
    told = terminal.json(campaigns, "create", *DRAFT, "--channel", "sms=1", *more)
    return str(told["campaign"])


def test_from_the_draft_to_the_report(terminal: Terminal) -> None:
    made = draft(terminal)
    told = terminal.json(campaigns, "dry-run", made)
    assert (told["audience"], told["will_get"], told["by_reason"], told["blocked"]) == (4, 3, {"no_consent": 1}, False)
    people = terminal.json(campaigns, "dry-run", made, "--people", "--reason", "no_consent")
    assert [one["reason"] for one in people["people"]] == ["no_consent"]
    assert terminal.json(campaigns, "launch", made, "--yes") == {"campaign": int(made), "state": "scheduled"}
    terminal.send()
    told = terminal.json(campaigns, "report", "Spring")
    assert told["check"] == {"audience": 4, "accounted": 4, "holds": True, "sentence": "4 = 3 accepted + 1 skipped"}
    story = terminal.json(campaigns, "explain", made, str(people["people"][0]["contact_id"]))
    assert story["reason"] == "no_consent"
    assert terminal.json(campaigns, "watch", made)["campaign_state"] == "finished"
    assert [one["state"] for one in terminal.json(campaigns, "list")["campaigns"]] == ["finished"]


def test_every_reading_verb_also_speaks_to_people(terminal: Terminal) -> None:
    made = draft(terminal)
    assert "4 people: 3 will get it, 1 will not" in terminal.run(campaigns, "dry-run", made)
    assert "no_consent" in terminal.run(campaigns, "dry-run", made, "--people")
    assert "Spring" in terminal.run(campaigns, "list")
    terminal.run(campaigns, "launch", made, "--yes")
    terminal.send()
    assert "4 = 3 accepted + 1 skipped" in terminal.run(campaigns, "report", made)
    told = terminal.run(campaigns, "explain", made, "1", "--language", "fr")
    assert "Yes, send me offers." in told
    assert told.startswith("Le message lui a été envoyé")
    assert "no unknown" in terminal.run(campaigns, "unknown", "list", made)
    terminal.run(campaigns, "watch", made)


@pytest.mark.parametrize("verb", ["launch", "cancel"])
def test_what_cannot_be_undone_is_asked_first(terminal: Terminal, verb: str) -> None:
    """A script that forgot to say yes has done nothing."""
    made = draft(terminal)
    terminal.run(campaigns, verb, made, exit_code=2)
    assert terminal.json(campaigns, "show", made)["state"] == "draft"
    terminal.run(campaigns, verb, made, "--yes")
    assert terminal.json(campaigns, "show", made)["state"] != "draft"


def test_pause_resume_and_duplicate(terminal: Terminal) -> None:
    made = draft(terminal)
    terminal.run(campaigns, "launch", made, "--yes")
    planning.start_due(terminal.runtime())
    assert terminal.json(campaigns, "pause", made)["state"] == "paused"
    assert terminal.json(campaigns, "resume", made)["state"] == "running"
    copy = str(terminal.json(campaigns, "duplicate", made)["campaign"])
    assert terminal.json(campaigns, "show", copy)["name"] == "Spring (copy)"


def test_sending_again_needs_the_campaigns_name(terminal: Terminal) -> None:
    made = draft(terminal)
    terminal.run(campaigns, "launch", made, "--yes")
    terminal.send()
    with terminal.runtime().db.transaction() as session:
        session.connection().execute(text("UPDATE step SET state = 'unknown' WHERE id IN (SELECT min(id) FROM step)"))
    (one,) = terminal.json(campaigns, "unknown", "list", made)["unknown"]
    settle = ("unknown", "settle", made, str(one["step_id"]), "--decision", "resend")
    terminal.run(campaigns, *settle, exit_code=2)
    terminal.run(campaigns, *settle, "--confirm", "Autumn", exit_code=2)
    assert terminal.json(campaigns, *settle, "--confirm", "Spring") == {"decision": "resend", "steps": 1}
    with pytest.raises(InvalidInput):
        terminal.run(campaigns, "unknown", "settle", made, "--all", "--decision", "lost")


def test_a_time_is_meant_in_the_zone_that_is_named(terminal: Terminal) -> None:
    made = draft(terminal, "--start", "2027-03-05T10:00", "--zone", "Europe/Paris", "--local")
    plan = terminal.json(campaigns, "show", made)["plan"]
    assert plan["schedule"]["start"] == "2027-03-05T10:00:00+01:00"
    for start, zone, code in (
        ("2027-03-28T02:30", "Europe/Paris", "local_time_missing"),
        ("2027-10-31T02:30", "Europe/Paris", "local_time_ambiguous"),
        ("2027-03-05T10:00", "Mars/Base", "zone"),
        ("tomorrow", "UTC", "time"),
    ):
        with pytest.raises(InvalidInput) as problem:
            draft(terminal, "--start", start, "--zone", zone)
        assert problem.value.code == code


@pytest.mark.parametrize(
    "times",
    [
        ("--start", "2027-03-05T10:00"),
        ("--not-after", "2027-03-05T10:00"),
        ("--start", "2027-03-05T10:00+01:00", "--local"),
    ],
    ids=["start", "not after", "local"],
)
def test_no_zone_is_guessed_for_a_time_on_the_clock(terminal: Terminal, times: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput) as problem:
        draft(terminal, *times)
    assert problem.value.field == "zone"


def test_a_draft_without_a_sender_keeps_its_times_and_is_not_launched(terminal: Terminal) -> None:
    at = ("--start", "2027-03-05T10:00+01:00", "--not-after", "2027-03-06T10:00+01:00")
    made = str(terminal.json(campaigns, "create", *DRAFT, *at)["campaign"])
    assert terminal.json(campaigns, "show", made)["plan"]["schedule"]["start"] == "2027-03-05T09:00:00Z"
    [found] = terminal.json(campaigns, "dry-run", made)["problems"]
    assert (found["code"], found["field"]) == ("required", "channels")
    with pytest.raises(InvalidInput) as problem:
        terminal.run(campaigns, "launch", made, "--yes")
    assert problem.value.field == "channels"


def test_what_is_not_there_is_said(terminal: Terminal) -> None:
    for words in (("show", "Autumn"), ("dry-run", "999"), ("report", draft(terminal))):
        with pytest.raises(NotFound):
            terminal.run(campaigns, *words)
    draft(terminal)
    with pytest.raises(Conflict) as problem:
        terminal.run(campaigns, "show", "Spring")
    assert problem.value.code == "ambiguous"


def test_audiences_are_counted_before_they_are_saved(terminal: Terminal) -> None:
    rule = terminal.file({"type": "country", "values": ["FR"]})
    told = terminal.json(audiences, "count", "--rule", rule, "--purpose", "offers")
    assert (told["count"], told["channels"][0]["consenting"], told["estimated"]) == (4, 3, False)
    assert "4 contacts" in terminal.run(audiences, "count", "All")
    assert terminal.json(audiences, "show", "All")["means"]["fr"] == "Tout le monde."
    assert [one["name"] for one in terminal.json(audiences, "list")["audiences"]] == ["All"]
    terminal.run(audiences, "count", exit_code=2)
    with pytest.raises(InvalidInput):
        terminal.run(audiences, "save", "--name", "Nobody", "--rule", terminal.file({}))


def test_templates_are_checked_and_shown(terminal: Terminal) -> None:
    assert terminal.json(templates, "lint", "Words")["problems"] == []
    assert "Hello Ann1" in terminal.run(templates, "preview", "Words", "--channel", "sms", "--contact", "1")
    told = terminal.json(templates, "preview", "Words", "--channel", "sms", "--as", "unknown")
    assert (told["missing"], told["sendable"]) == (["contact.first_name"], False)
    again = ("save", "--name", "Words", "--template", "Words", "--file")
    terminal.run(templates, *again, terminal.file({"sms/en": {"text": "Buy!"}}))
    assert terminal.json(templates, "list")["templates"][0]["version"] == 2
    found = terminal.json(templates, "lint", "Words", exit_code=3)
    assert "optout_missing" in [one["code"] for one in found["problems"]]
    with pytest.raises(InvalidInput):
        terminal.run(templates, *again, terminal.file({"sms": {"text": "x"}}))


def test_the_calendar_names_our_own_closed_days(runtime: Runtime, tmp_path: Path) -> None:
    with runtime.db.reading() as session:
        day = runtime.db.now(session).date() + timedelta(days=1)
    closed_days.add(runtime, Closed("CH", day, day, "Inventory"), actor=factories.ACTOR)
    month = f"{day:%Y-%m}"
    terminal = Terminal(runtime, tmp_path)
    assert f"{day}  closed in CH: Inventory" in terminal.run(campaigns, "calendar", "--month", month)
    [told] = [one["own"] for one in terminal.json(campaigns, "calendar", "--month", month)["days"] if one["own"]]
    assert told == [{"country": "CH", "first": f"{day}", "last": f"{day}", "label": "Inventory"}]


def test_the_calendar_as_text_and_as_json(runtime: Runtime, tmp_path: Path) -> None:
    terminal = Terminal(runtime, tmp_path)
    found = terminal.json(campaigns, "calendar", "--month", "2026-11")
    assert (found["month"], found["zone"]) == ("2026-11", "Europe/Paris")
    assert [one["day"] for one in found["days"]] == ["2026-11-01", "2026-11-11"]
    assert "2026-11-11  public holiday in FR" in terminal.run(campaigns, "calendar", "--month", "2026-11")
    with pytest.raises(InvalidInput):
        terminal.run(campaigns, "calendar", "--month", "November")
