"""A person's own file: complete by the declaration of personal fields, and never somebody else's."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import LargeBinary, text

from broadcaster.actions import accounts, contacts, giving, inbound, preferences, privacy, requests
from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import Conflict, NotFound
from broadcaster.core.messages import Inbound, InboundKind
from broadcaster.storage import giving as declared
from broadcaster.storage.personal import HOLDINGS
from broadcaster.storage.tables import metadata
from tests import factories
from tests.actions import erasing
from tests.actions.behind import Behind
from tests.factories import ACTOR


def test_every_table_that_holds_something_personal_is_given_or_withheld_with_a_reason() -> None:
    """A new table, or a column newly declared personal in one that was not, stops here."""
    about_people = {name for name, one in HOLDINGS.items() if one.gone or one.blanked or one.key}
    assert about_people <= declared.PARTS.keys() | declared.WHOLE.keys()
    assert not declared.PARTS.keys() & declared.WHOLE.keys()
    assert giving.ABOUT.keys() == declared.PARTS.keys()
    assert {*declared.WHOLE.values(), *declared.WITHHELD.values(), "shared_address"} == giving.WHY.keys()


@pytest.mark.parametrize("table", sorted(declared.PARTS))
def test_every_sealed_column_is_opened_or_withheld_and_no_hash_or_key_is_given(table: str) -> None:
    binary = {c.name for c in metadata.tables[table].columns if isinstance(c.type, LargeBinary)}
    given = binary & set(declared.columns(table))
    assert {(table, name) for name in given} <= giving.OPENERS.keys()


def file_of(runtime: Runtime, contact_id: int) -> dict[str, Any]:
    body = giving.build(runtime, contact_id).body
    assert giving.build(runtime, contact_id).body.partition(b'"contact"')[2] == body.partition(b'"contact"')[2]
    found: dict[str, Any] = json.loads(body)
    return found


def test_the_file_holds_everything_that_an_erasure_would_take(runtime: Runtime) -> None:
    place = erasing.install(runtime)
    told = file_of(runtime, place.person)
    whole = json.dumps(told, ensure_ascii=False)
    staffs = "prefers-the-blue-canary"
    for said in {*erasing.PLAIN, *erasing.HIDDEN, erasing.SAID, "Before", "friends", "birds"} - {staffs}:
        assert said.casefold() in whole.casefold(), said
    assert staffs not in whole
    data = told["data"]
    for table, column in (
        ("consent_event", "wording"),
        ("consent_evidence", "body"),
        ("step", "campaign"),
        ("template_variant", "content"),
        ("receipt", "kind"),
        ("click", "url"),
        ("message", "body"),
        ("preference_event", "change"),
        ("outbox_item", "body"),
    ):
        assert data[table], table
        assert data[table][0][column], table
    assert data["consent_event"][0]["wording"] == "Yes, send me offers."
    assert [one for table in data.values() for row in table for one in row if one.endswith("_ct")] == []


def test_each_column_declared_personal_is_in_the_file_or_named_as_left_out(runtime: Runtime) -> None:
    place = erasing.install(runtime)
    told = file_of(runtime, place.person)
    out = {one["what"] for one in told["left_out"]}
    seen = 0
    for table, holding in HOLDINGS.items():
        for column in holding.gone | set(holding.blanked) | holding.key:
            if table in out or f"{table}.{column}" in out:
                continue
            rows = told["data"][table]
            seen += bool(rows)
            assert all(column.removesuffix("_ct") in row for row in rows), f"{table}.{column}"
    assert seen > 60


def test_nothing_of_anybody_else_is_in_it(runtime: Runtime) -> None:
    place = erasing.install(runtime)
    other = json.dumps(file_of(runtime, place.others[0][0]))
    assert [one for one in (*erasing.PLAIN, *erasing.HIDDEN, erasing.SAID) if one in other] == []
    assert "person1@example.net" in other
    assert "person2@example.net" not in other


@pytest.mark.parametrize("left", [False, True])
def test_a_shared_address_gives_only_what_was_sent_to_this_contact(runtime: Runtime, left: bool) -> None:
    """Also where the other one has ceased to use it: its history may be theirs."""
    place = erasing.install(runtime)
    other, _theirs = place.others[0]
    contacts.add_address(runtime, other, "email", "wilhelmina.canary@example.net", actor=ACTOR)
    with runtime.db.reading() as session:
        config = accounts.config(runtime, session, place.account)
    wrote = Inbound("shared-1", InboundKind.TEXT, "wilhelmina.canary@example.net", datetime.now(UTC), text="whose?")
    inbound.apply(runtime, config, [wrote])
    if left:
        contacts.remove_address(runtime, other, place.address, actor=ACTOR)
    for person in (place.person, other):
        told = file_of(runtime, person)
        whole = json.dumps(told, ensure_ascii=False)
        assert "whose?" not in whole
        assert erasing.SAID not in whole
        assert all(row["id"] != place.address for row in told["data"]["address"])
        assert {"what": "history of addresses", "count": 1, "why": giving.WHY["shared_address"]} in told["left_out"]
    assert file_of(runtime, place.person)["data"]["step"], "sent to this very contact"
    assert all(row["address_id"] != place.address for row in file_of(runtime, other)["data"]["step"])


def test_what_the_person_set_and_asked_is_in_it(runtime: Runtime) -> None:
    behind = Behind(runtime)
    preferences.prefer(runtime, behind.token, {"rest_days": "7", "part_of_day": "evening"})
    asked = requests.receive(
        runtime, behind.contact, "access", received_at=datetime.now(UTC), note="colleague's words", actor=ACTOR
    )
    told = file_of(runtime, behind.contact)
    assert (told["data"]["contact"][0]["rest_days"], told["data"]["contact"][0]["part_of_day"]) == (7, "evening")
    assert [one["id"] for one in told["data"]["privacy_request"]] == [asked]
    assert "colleague's words" not in json.dumps(told)


def test_a_built_file_is_noted_on_its_request_and_in_the_log_which_then_can_be_closed(runtime: Runtime) -> None:
    behind = Behind(runtime)
    asked = requests.receive(runtime, behind.contact, "portability", received_at=datetime.now(UTC), actor=ACTOR)
    package = giving.answer(runtime, asked, actor=ACTOR)
    with runtime.db.reading() as session:
        noted, events = (
            session.connection().execute(text(said)).scalars().all()
            for said in (
                "SELECT progress FROM privacy_request",
                "SELECT body FROM log_payload WHERE event = 'Exported'",
            )
        )
    progress = noted[0] if isinstance(noted[0], dict) else json.loads(noted[0])
    assert progress["package"]["rows"] == package.rows > 0
    assert [f"privacy request {asked}" in str(bytes(one), "utf-8") for one in events] == [True]
    requests.finish(runtime, asked, note="handed over", actor=ACTOR)


def test_there_is_no_file_for_another_kind_of_request_nor_of_somebody_erased(runtime: Runtime) -> None:
    behind = Behind(runtime)
    asked = requests.receive(runtime, behind.contact, "rectification", received_at=datetime.now(UTC), actor=ACTOR)
    with pytest.raises(Conflict):
        giving.answer(runtime, asked, actor=ACTOR)
    with pytest.raises(NotFound):
        giving.answer(runtime, 4711, actor=ACTOR)
    other = requests.receive(runtime, behind.other, "access", received_at=datetime.now(UTC), actor=ACTOR)
    privacy.erase(runtime, behind.other, actor=ACTOR)
    for refused in (
        lambda: giving.answer(runtime, other, actor=ACTOR),
        lambda: giving.give(runtime, behind.other, reason="", actor=ACTOR),
    ):
        with pytest.raises(NotFound):
            refused()


def test_records_that_were_joined_are_one_person(runtime: Runtime) -> None:
    behind = Behind(runtime)
    contacts.merge(runtime, behind.contact, behind.other, actor=ACTOR)
    told = file_of(runtime, behind.other)
    assert told["contact"] == behind.contact
    assert {row["value"] for row in told["data"]["address"]} >= {factories.address_value("email", n) for n in (1, 2)}
