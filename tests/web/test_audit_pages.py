"""Erasing somebody, reading and exporting the consent log, verifying it."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from broadcaster.actions import contact_views, contacts, optin, sequencer
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Source
from broadcaster.storage import log, privacy_requests
from tests import factories
from tests.web.people import Visitor, first
from web import audit as pages
from web.app import create_app

ACTOR = "cli:test"
PROOF = "https://example.org/form/77"


@pytest.fixture
def person(runtime: Runtime) -> int:
    return consenting(runtime)


def consenting(runtime: Runtime) -> int:
    """A contact who agreed to offers."""
    _brand, purpose, wording = factories.brand_and_purpose(runtime)
    made = contacts.create(runtime, {"first_name": "Zoé"}, actor=ACTOR, addresses={"email": "zoe@example.net"})
    with runtime.db.reading() as session:
        now = runtime.db.now(session)
    proof = optin.Proof(Source.SHOP, now, PROOF)
    address = contacts_address(runtime, made)
    optin.grant(runtime, address_id=address, purpose_id=purpose, wording_id=wording, proof=proof, actor=ACTOR)
    return made


def contacts_address(runtime: Runtime, contact_id: int) -> int:
    return contact_views.view(runtime, contact_id).addresses[0].id


def exports(runtime: Runtime) -> list[dict[str, Any]]:
    with runtime.db.reading() as session:
        return [json.loads(row.body) for row in log.activity(session) if row.event == "Exported"]


def test_erasing_shows_first_and_wants_the_number(staffed: dict[str, Visitor], runtime: Runtime, person: int) -> None:
    admin = staffed["admin"]
    page = admin.get(f"/privacy/erase/{person}")
    assert "Evidence of consent" in page.text
    for typed in ("", "yes", str(person + 1)):
        assert admin.post(f"/privacy/erase/{person}", {"number": typed}).status_code == 422
    assert admin.get(f"/contacts/{person}").status_code == 200
    done = admin.post(f"/privacy/erase/{person}", {"number": str(person)})
    assert done.status_code == 303
    assert "The person&#39;s keys destroyed" in admin.get(done.headers["Location"]).text
    assert admin.get(f"/contacts/{person}").status_code == 404
    again = admin.post(f"/privacy/erase/{person}", {"number": str(person)})
    assert "had been erased before" in admin.get(again.headers["Location"]).text
    with runtime.db.reading() as session:
        assert [one.state for one in privacy_requests.listing(session)] == ["done"]
    assert admin.post("/privacy/erase/999", {"number": "999"}).status_code == 404
    sequencer.sequence(runtime)
    assert "The log holds" in admin.post("/audit/verify").text


def test_only_an_administrator_erases(staffed: dict[str, Visitor], person: int) -> None:
    for role in ("marketer", "agent", "auditor"):
        assert staffed[role].post(f"/privacy/erase/{person}", {"number": str(person)}).status_code == 403
        assert staffed[role].get(f"/privacy/erase/{person}").status_code == 403
    assert staffed["auditor"].get("/privacy").status_code == 200


def test_the_auditor_finds_a_consent_with_its_words(any_runtime: Runtime) -> None:
    first(any_runtime)
    made = consenting(any_runtime)
    visitor = Visitor(create_app(any_runtime)).signed_in()
    found = visitor.post("/audit/find", {"address": "ZOE@example.net", "purpose": "offers", "channel": "email"})
    assert "zoe" not in found.headers["Location"].lower()
    page = visitor.get(found.headers["Location"]).text
    assert "Yes, send me offers." in page
    assert "zoe@example.net" not in page.partition("<ol")[2].partition("</ol>")[0]
    assert PROOF not in page
    assert "Yes, send me offers." in visitor.get(f"/audit?contact={made}&since=2020-01-01").text
    assert "Nothing fits" in visitor.get("/audit?until=2020-01-01").text
    assert "Nothing fits" in visitor.get("/audit?action=withdrawn").text


@pytest.mark.parametrize(
    "query",
    [
        "contact=x",
        "contact=-1",
        "purpose=none",
        "action=none",
        "since=tomorrow",
        "since=0001-01-01",
        "until=9999-12-31",
    ],
)
def test_a_filter_that_cannot_be_shows_nothing(staffed: dict[str, Visitor], person: int, query: str) -> None:
    answer = staffed["auditor"].get(f"/audit?{query}")
    assert answer.status_code == 422
    assert "Yes, send me offers." not in answer.text


def test_an_export_is_masked_and_stands_in_the_log(staffed: dict[str, Visitor], runtime: Runtime, person: int) -> None:
    answer = staffed["auditor"].post("/audit/export", {"form": "csv"})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="consent-log.csv"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [row["wording"] for row in rows] == ["Yes, send me offers."]
    assert "zoe@example.net" not in answer.text
    assert PROOF not in answer.text
    assert [(one["rows"], one["unmasked"]) for one in exports(runtime)] == [(1, False)]


def test_whole_addresses_need_a_reason(staffed: dict[str, Visitor], runtime: Runtime, person: int) -> None:
    form = {"form": "jsonl", "unmasked": "yes"}
    assert staffed["auditor"].post("/audit/export", form).status_code == 422
    assert staffed["auditor"].post("/audit/export", form | {"reason": "for zoe@example.net"}).status_code == 422
    assert exports(runtime) == []
    answer = staffed["auditor"].post("/audit/export", form | {"reason": "inspection by the authority"})
    assert json.loads(answer.text)["address"] == "zoe@example.net"
    assert PROOF in answer.text
    assert exports(runtime)[0]["reason"] == "inspection by the authority"


def test_an_export_of_nothing_is_a_header(staffed: dict[str, Visitor]) -> None:
    answer = staffed["auditor"].post("/audit/export", {"form": "csv"})
    assert answer.status_code == 200
    assert len(answer.text.strip().splitlines()) == 1


def test_who_may_not_export_gets_nothing(staffed: dict[str, Visitor], runtime: Runtime, person: int) -> None:
    for role in ("marketer", "agent"):
        assert staffed[role].post("/audit/export", {"form": "csv"}).status_code == 403
        assert staffed[role].get("/audit").status_code == 403
    assert exports(runtime) == []


def test_a_whole_log_holds(staffed: dict[str, Visitor], runtime: Runtime, person: int) -> None:
    sequencer.sequence(runtime)
    page = staffed["auditor"].post("/audit/verify")
    assert page.status_code == 200
    assert "The log holds" in page.text


def test_a_long_log_is_left_to_the_command_line(
    staffed: dict[str, Visitor], runtime: Runtime, monkeypatch: pytest.MonkeyPatch, person: int
) -> None:
    sequencer.sequence(runtime)
    monkeypatch.setattr(pages, "MOST_LEAVES", 1)
    answer = staffed["auditor"].post("/audit/verify")
    assert answer.status_code == 422
    assert "broadcaster log verify" in answer.text


def test_one_reader_at_a_time_walks_the_log(staffed: dict[str, Visitor], person: int) -> None:
    with pages._verifying:
        assert staffed["auditor"].post("/audit/verify").status_code == 429
    assert staffed["auditor"].post("/audit/verify").status_code == 200
