"""Requests about a person's data, on both engines: obeyed at once, answered in time, forgotten with the person."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from broadcaster.actions import optin, privacy, requests
from broadcaster.actions.runtime import Runtime
from broadcaster.core.deliveries import Reason
from broadcaster.core.errors import Conflict, InvalidInput, NotFound
from broadcaster.storage import privacy_requests
from broadcaster.storage.tables import Address, PrivacyRequest
from tests import factories
from tests.factories import ACTOR


class Desk:
    """Somebody who agreed, and a colleague who notes what they ask."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        _brand, self.purpose, wording = factories.brand_and_purpose(runtime)
        [(self.contact, self.address)] = factories.contacts(runtime, 1, purpose_id=self.purpose, wording_id=wording)

    def ask(self, kind: str, *, days_ago: float = 0, note: str = "By telephone") -> int:
        with self.runtime.db.reading() as session:
            at = self.runtime.db.now(session) - timedelta(days=days_ago)
        return requests.receive(self.runtime, self.contact, kind, received_at=at, note=note, actor=ACTOR)

    def row(self, request_id: int) -> PrivacyRequest:
        with self.runtime.db.reading() as session:
            return privacy_requests.one(session, request_id)

    def notes(self, request_id: int) -> dict[str, str]:
        with self.runtime.db.reading() as session:
            return requests.notes(self.runtime, session, privacy_requests.one(session, request_id))

    def why_not(self) -> Reason | None:
        with self.runtime.db.reading() as session:
            now = self.runtime.db.now(session)
            return optin.why_not(session, session.get_one(Address, self.address), self.purpose, now=now)


@pytest.fixture
def desk(runtime: Runtime) -> Desk:
    return Desk(runtime)


@pytest.mark.parametrize(
    "kind, reason",
    [("objection", Reason.OBJECTED), ("restriction", Reason.RESTRICTED), ("access", None), ("rectification", None)],
)
def test_what_refuses_is_obeyed_before_the_form_answers(desk: Desk, kind: str, reason: Reason | None) -> None:
    assert desk.why_not() is None
    desk.ask(kind)
    assert desk.why_not() == reason


def test_the_clock_runs_from_the_day_it_came_in_and_is_extended_once(desk: Desk) -> None:
    made = desk.ask("access", days_ago=10)
    first = desk.row(made)
    assert timedelta(days=28) <= first.due_at - first.received_at <= timedelta(days=31)
    requests.extend(desk.runtime, made, actor=ACTOR)
    assert timedelta(days=59) <= desk.row(made).due_at - first.due_at <= timedelta(days=62)
    with pytest.raises(Conflict) as again:
        requests.extend(desk.runtime, made, actor=ACTOR)
    assert again.value.code == "extended_already"
    with pytest.raises(Conflict) as late:
        requests.extend(desk.runtime, desk.ask("access", days_ago=40), actor=ACTOR)
    assert late.value.code == "extended_late"


def test_it_is_closed_once_and_with_a_note(desk: Desk) -> None:
    made = desk.ask("portability")
    with pytest.raises(InvalidInput):
        requests.finish(desk.runtime, made, note=" ", actor=ACTOR)
    requests.finish(desk.runtime, made, note="Sent as JSON", actor=ACTOR)
    assert (desk.row(made).state, desk.row(made).done_at is not None) == ("done", True)
    assert desk.notes(made) == {"received": "By telephone", "answered": "Sent as JSON"}
    with pytest.raises(Conflict):
        requests.finish(desk.runtime, made, note="Again", refused=True, actor=ACTOR)


@pytest.mark.parametrize("kind, days", [("erasure", 0), ("", 0), ("access", -2), ("access", 400)])
def test_what_cannot_be_is_refused(desk: Desk, kind: str, days: float) -> None:
    """An erasure has a road of its own, which shows first what would go."""
    with pytest.raises(InvalidInput):
        desk.ask(kind, days_ago=days)


def test_the_note_goes_with_the_person(desk: Desk) -> None:
    made = desk.ask("access", note="their own words")
    assert privacy.erase(desk.runtime, desk.contact, actor=ACTOR).state == "done"
    assert desk.notes(made) == {}
    with desk.runtime.db.reading() as session:
        found = session.connection().execute(text("SELECT count(*) FROM privacy_request WHERE note_ct IS NOT NULL"))
        assert found.scalar_one() == 0
    with pytest.raises(NotFound):
        desk.ask("access")
