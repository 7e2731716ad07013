"""What an auditor reads: everything they need, no more than they asked for, and nothing they could change."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from broadcaster.actions import audit, catalogue, consent, privacy, sequencer
from broadcaster.actions.audit import Reader
from broadcaster.actions.audit_view import COLUMNS
from broadcaster.actions.runtime import Runtime
from broadcaster.core import events
from broadcaster.core.consent import Action
from broadcaster.core.errors import InvalidInput, NotFound
from broadcaster.storage import audit as rows
from broadcaster.storage.audit import Filter
from tests import factories

ACTOR = "cli:test"
MASKED = Reader(ACTOR)
OPEN = Reader(ACTOR, unmasked=True, reason="request 12 of the authority")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Runtime, Any]]:
    """Four people with consent, one withdrawal with a formula in its evidence, one of them erased."""
    home = tmp_path_factory.mktemp("audit")
    url = f"sqlite:///{home / 'audit.sqlite3'}"
    if request.param == "postgres":
        with request.getfixturevalue("pg_server").database() as url, factories.installation(url, home) as runtime:
            yield runtime, _fill(runtime)
    else:
        with factories.installation(url, home) as runtime:
            yield runtime, _fill(runtime)


def _fill(runtime: Runtime) -> list[tuple[int, int]]:
    brand, purpose, wording = factories.brand_and_purpose(runtime)
    news = catalogue.create_purpose(
        runtime, key="news", parent="marketing", brand_id=brand, label={"en": "News"}, actor=ACTOR
    )
    people = factories.contacts(runtime, 4, purpose_id=purpose, wording_id=wording)
    with runtime.db.reading() as session:
        now = runtime.db.now(session)
    evidence = {"user_agent": '=HYPERLINK("https://evil.example")', "ip": "192.0.2.0"}
    stop = factories.grant(people[1][1], purpose, now, action=Action.WITHDRAWN, evidence=evidence)
    more = factories.grant(people[2][1], news, now)
    consent.record(runtime, [stop, more], actor=ACTOR)
    privacy.erase(runtime, people[3][0], actor=ACTOR)
    sequencer.sequence(runtime)
    return people


def lines(runtime: Runtime, wanted: Filter, reader: Reader = MASKED) -> list[dict[str, Any]]:
    return [json.loads(line) for line in audit.export(runtime, wanted, reader, form="jsonl")]


def table(runtime: Runtime, wanted: Filter, reader: Reader = MASKED) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(audit.export(runtime, wanted, reader)), newline="")))


def test_every_event_is_told_with_the_wording_shown(told: tuple[Runtime, Any]) -> None:
    runtime, _ = told
    found = table(runtime, Filter())
    assert [row["action"] for row in found] == ["granted"] * 4 + ["withdrawn", "granted", "objected"]
    assert found[0]["wording"] == "Yes, send me offers."
    assert found[0]["topic"] == "marketing/offers"
    assert found[0]["commitment_ok"] == "true"
    assert found[4]["supersedes"] == "2"


def test_both_formats_tell_the_same(told: tuple[Runtime, Any]) -> None:
    runtime, _ = told
    as_cells = [{name: audit.cell(row[name]) for name in COLUMNS} for row in lines(runtime, Filter())]
    assert table(runtime, Filter()) == as_cells


def test_what_was_erased_says_so_and_nothing_else(told: tuple[Runtime, Any]) -> None:
    runtime, people = told
    closed = [row for row in lines(runtime, Filter(), OPEN) if row["status"] == "erased"]
    assert {row["subject_ref"] for row in closed} == {f"address:{people[3][1]}"}
    assert all(row["address"] == "" and "event" not in row and row["commitment"] for row in closed)


def test_addresses_are_masked_and_evidence_closed(told: tuple[Runtime, Any]) -> None:
    runtime, _ = told
    whole = "".join(audit.export(runtime, Filter(), MASKED)) + "".join(
        audit.export(runtime, Filter(), MASKED, form="jsonl")
    )
    assert "p***@e***.net" in whole
    assert "person1@" not in whole
    assert "HYPERLINK" not in whole
    assert "192.0.2.0" not in whole


def test_unmasked_every_line_can_be_checked_by_itself(told: tuple[Runtime, Any]) -> None:
    """The committed bytes and their salt give the commitment: no trust in this program is needed."""
    runtime, _ = told
    for row in lines(runtime, Filter(), OPEN):
        if row["status"] == "opened":
            body, salt = base64.b64decode(row["event"]), base64.b64decode(row["salt"])
            assert events.commit(salt, body).hex() == row["commitment"]
            assert json.loads(body)["evidence"].get("address", row["address"]) == row["address"]
            assert row["address"].endswith("@example.net")


def test_a_formula_is_text_in_the_table_and_raw_in_the_lines(told: tuple[Runtime, Any]) -> None:
    runtime, people = told
    wanted = Filter(contact_id=people[1][0])
    assert table(runtime, wanted, OPEN)[1]["user_agent"].startswith("'=HYPERLINK")
    assert lines(runtime, wanted, OPEN)[1]["user_agent"].startswith("=HYPERLINK")


@given(st.text())
def test_no_cell_is_a_formula(value: str) -> None:
    assert not audit.cell(value).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_lines_end_as_rfc_4180_has_it_and_a_mark_may_come_first(told: tuple[Runtime, Any]) -> None:
    runtime, _ = told
    whole = "".join(audit.export(runtime, Filter(channel="none"), MASKED, bom=True))
    assert whole == "\ufeff" + ",".join(COLUMNS) + "\r\n"


def test_each_filter_narrows(told: tuple[Runtime, Any]) -> None:
    runtime, people = told
    everything = lines(runtime, Filter())

    def ids(**wanted: Any) -> list[int]:
        return [row["event_id"] for row in lines(runtime, Filter(**wanted))]

    assert ids(contact_id=people[1][0]) == [2, 5]
    assert ids(digests=audit.digests_of(runtime, " Person2@Example.NET ")) == [2, 5]
    assert ids(digests=audit.digests_of(runtime, "nobody@example.net")) == []
    assert ids(digests=audit.digests_of(runtime, "person4@example.net")) == []  # erased: nobody knows any more
    assert ids(purpose_id=audit.purpose_id(runtime, "news")) == [6]
    assert ids(purpose_id=audit.purpose_id(runtime, "marketing")) == [1, 2, 3, 4, 5, 6]
    assert ids(action=Action.WITHDRAWN) == [5]
    assert ids(channel="sms") == []
    with runtime.db.reading() as session:
        at = rows.page(session, Filter(), after=4, limit=1)[0].received_at
    assert ids(since=at) + ids(until=at) == [row["event_id"] for row in (everything[4:] + everything[:4])]


def test_an_unknown_purpose_is_not_found(told: tuple[Runtime, Any]) -> None:
    with pytest.raises(NotFound):
        audit.purpose_id(told[0], "nothing")


def test_pages_of_a_history_are_the_newest_first(told: tuple[Runtime, Any]) -> None:
    runtime, _ = told
    first = audit.history(runtime, Filter(), MASKED, limit=3)
    second = audit.history(runtime, Filter(), MASKED, limit=3, before=first[-1]["event_id"])
    assert [row["event_id"] for row in first + second] == [7, 6, 5, 4, 3, 2]


def test_small_pages_lose_nothing(told: tuple[Runtime, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    runtime, _ = told
    whole = lines(runtime, Filter())
    monkeypatch.setattr(rows, "PAGE", 1)
    assert lines(runtime, Filter()) == whole


def test_an_export_is_logged_before_its_first_row(told: tuple[Runtime, Any]) -> None:
    """Also one that is broken off, and with the reason if it was readable."""
    runtime, _ = told
    audit.export(runtime, Filter(), OPEN, form="jsonl")
    with runtime.db.reading() as session:
        query = text("SELECT body FROM log_payload WHERE event = 'Exported' ORDER BY entry_id DESC LIMIT 1")
        noted = json.loads(bytes(session.connection().execute(query).scalar_one()))
    assert (noted["rows"], noted["unmasked"], noted["reason"], noted["actor"]) == (7, True, OPEN.reason, ACTOR)


@pytest.mark.parametrize("reason", ["", "  ", "for a@example.net", "call +33 6 12 34 56 78", "x" * 201])
def test_unmasked_needs_a_reason_that_is_not_personal_itself(told: tuple[Runtime, Any], reason: str) -> None:
    with pytest.raises(InvalidInput):
        audit.export(told[0], Filter(), Reader(ACTOR, unmasked=True, reason=reason))


def test_two_people_at_one_address_are_both_named(told: tuple[Runtime, Any]) -> None:
    runtime, people = told
    assert audit.people_with(runtime, "person1@example.net") == [people[0][0]]
    assert audit.people_with(runtime, "person4@example.net") == []
