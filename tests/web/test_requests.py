"""Requests about a person's data, by form: noted, due, closed; for those who may."""

from __future__ import annotations

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
