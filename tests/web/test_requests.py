"""Requests about a person's data, by form: noted, due, closed; for those who may."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from broadcaster.actions import contacts
from broadcaster.actions.runtime import Runtime
from tests.factories import ACTOR
from tests.web.people import Visitor


def test_a_request_is_noted_listed_with_its_day_and_closed(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    person = contacts.create(runtime, {"first_name": "Zoé"}, actor=ACTOR, addresses={"email": "zoe@example.net"})
    admin, path = staffed["admin"], f"/privacy/new/{person}"
    assert path in admin.get(f"/contacts/{person}").text
    assert path not in staffed["marketer"].get(f"/contacts/{person}").text
    today = datetime.now(UTC).date().isoformat()
    assert today in admin.get(path).text
    for wrong in ({"kind": "erasure"}, {"date": "soon"}, {"date": "1999-01-01"}, {"note": "x" * 2001}):
        assert admin.post(path, {"kind": "access", "date": today, "note": "", **wrong}).status_code == 422
    made = admin.post(path, {"kind": "access", "date": today, "note": "By telephone"}).headers["Location"]
    assert "By telephone" in admin.get(made).text
    assert made in staffed["auditor"].get("/privacy").text
    assert "Extend by two months" in admin.get(made).text
    assert "Extend by two months" not in staffed["auditor"].get(made).text
    assert admin.post(f"{made}/extend").status_code == 303
    assert "Extend by two months" not in admin.get(made).text
    assert admin.post(f"{made}/finish", {"note": ""}).status_code == 422
    assert admin.post(f"{made}/finish", {"note": "Sent as a file", "refused": ""}).status_code == 303
    shown = admin.get(made).text
    assert "Sent as a file" in shown
    assert ">Close<" not in shown


def test_the_package_of_a_request_is_a_file_and_the_request_is_closed_with_it(
    staffed: dict[str, Visitor], runtime: Runtime
) -> None:
    person = contacts.create(runtime, {"first_name": "Zoé"}, actor=ACTOR, addresses={"email": "zoe@example.net"})
    admin, today = staffed["admin"], datetime.now(UTC).date().isoformat()
    made = admin.post(f"/privacy/new/{person}", {"kind": "access", "date": today}).headers["Location"]
    for role in ("marketer", "agent", "auditor"):
        assert staffed[role].post(f"{made}/package").status_code == 403
    assert "Build the package" not in staffed["auditor"].get(made).text
    assert "handed over as a file" not in admin.get(made).text
    file = admin.post(f"{made}/package")
    assert (file.status_code, file.mimetype) == (200, "application/json")
    assert file.headers["Content-Disposition"] == f'attachment; filename="request-{made.rpartition("/")[2]}.json"'
    assert file.headers["Cache-Control"] == "no-store"
    assert json.loads(file.data)["data"]["contact"][0]["name"]["first"] == "Zoé"
    page = admin.get(made).text
    assert "Their data was handed over as a file of" in page
    assert "Built before:" in page
    assert "Exported: contact" in admin.get("/log").text
    assert admin.post(f"{made}/finish", {"note": "handed over"}).status_code == 303
    assert admin.get("/privacy/4711").status_code == admin.post("/privacy/4711/package").status_code == 404


def test_a_request_for_something_else_has_no_package(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    person = contacts.create(runtime, {"first_name": "Zoé"}, actor=ACTOR, addresses={"email": "zoe@example.net"})
    admin, today = staffed["admin"], datetime.now(UTC).date().isoformat()
    made = admin.post(f"/privacy/new/{person}", {"kind": "rectification", "date": today}).headers["Location"]
    assert "Build the package" not in admin.get(made).text
    assert admin.post(f"{made}/package").status_code == 409
