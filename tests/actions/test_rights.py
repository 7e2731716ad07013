"""What a person asks about their data on their page: noted once with its clock, sending stopped, staff decide."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from broadcaster.actions import consent_history, privacy, public, requests, rights
from broadcaster.actions.choosing import Done
from broadcaster.actions.public import Scope
from broadcaster.actions.runtime import Runtime
from broadcaster.core.consent import Source
from broadcaster.core.errors import Conflict
from broadcaster.core.requests import due
from tests.actions.behind import SHOWN, Behind
from tests.factories import ACTOR


@pytest.fixture
def behind(runtime: Runtime) -> Behind:
    return Behind(runtime)


def _ask(behind: Behind, kind: str, *, sure: bool = True) -> Done | None:
    return rights.ask(behind.runtime, behind.token, kind, sure=sure, evidence=SHOWN)


def test_asking_for_ones_data_starts_the_clock_once(behind: Behind) -> None:
    for _ in range(2):
        assert _ask(behind, "access") is Done.ASKED_FOR
    found = rights.read(behind.runtime, behind.token)
    assert found is not None
    [one] = found
    assert (one.kind, one.state, one.due_at) == ("access", "received", due(one.received_at))
    assert behind.standing(behind.mail) == "granted"


@pytest.mark.parametrize("kind", ["objection", "erasure"])
def test_what_cannot_be_undone_is_asked_twice(behind: Behind, kind: str) -> None:
    before = behind.events()
    assert _ask(behind, kind, sure=False) is Done.SURE
    assert behind.events() == before
    assert rights.read(behind.runtime, behind.token) == []


@pytest.mark.parametrize("kind", ["objection", "erasure"])
def test_sending_stops_at_every_address_at_once_by_the_persons_own_act(behind: Behind, kind: str) -> None:
    _ask(behind, kind)
    assert (behind.standing(behind.mail), behind.standing(behind.phone)) == ("objected", "objected")
    assert behind.standing(behind.other_mail) == "granted"
    last = consent_history.history(behind.runtime, [behind.mail])[-1]
    assert (last.actor, last.source) == ("person", "preference_page")


def test_staff_erase_what_was_asked_for_or_refuse_it_and_nothing_between(behind: Behind) -> None:
    _ask(behind, "erasure")
    with behind.runtime.db.reading() as session:
        request_id = session.connection().execute(text("SELECT id FROM privacy_request")).scalar_one()
    with pytest.raises(Conflict):
        requests.finish(behind.runtime, request_id, note="done", actor=ACTOR)
    erased = privacy.erase(behind.runtime, behind.contact, actor=ACTOR)
    assert (erased.request_id, erased.state) == (request_id, "done")


@pytest.mark.parametrize("kind", ["access", "erasure", "objection"])
def test_an_address_that_several_use_is_nobodys_to_ask_for(behind: Behind, kind: str) -> None:
    behind.share()
    assert rights.read(behind.runtime, behind.token) is None
    assert _ask(behind, kind) is None


@pytest.mark.parametrize("kind", ["", "rectification", "everything"])
def test_nothing_else_can_be_asked_for(behind: Behind, kind: str) -> None:
    assert _ask(behind, kind) is None


def test_the_link_still_stops_after_the_person_was_erased(behind: Behind) -> None:
    token = behind.token
    _ask(behind, "erasure")
    privacy.erase(behind.runtime, behind.contact, actor=ACTOR)
    assert rights.read(behind.runtime, token) is None
    assert public.unsubscribe(behind.runtime, token, Scope.PURPOSE, source=Source.ONE_CLICK, evidence={}) is None
    with behind.runtime.db.reading() as session:
        marks = session.connection().execute(text("SELECT count(*) FROM suppression")).scalar_one()
    assert marks == 2
