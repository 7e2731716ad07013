"""What the database itself refuses, whatever the code above it does."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from broadcaster.actions.runtime import Runtime
from tests.storage import rows
from tests.storage.rows import NOW

HANDED_OVER = ("dispatching", "accepted", "unknown")


def refused(connection: Connection, name: str, **values: Any) -> bool:
    attempt = connection.begin_nested()
    try:
        rows.add(connection, name, **values)
    except IntegrityError:
        return True
    finally:
        attempt.rollback()
    return False


def test_nothing_is_handed_over_without_the_consent_event_of_this_address_and_purpose(runtime: Runtime) -> None:
    with runtime.db.engine.begin() as connection:
        event = rows.add(connection, "consent_event")
        other_address = rows.add(connection, "address", value_ct=b"o")["id"]
        other_purpose = rows.add(connection, "purpose")["id"]
        for state in HANDED_OVER:
            right = {"state": state, "gate_at": NOW}
            right |= {"purpose_id": event["purpose_id"], "address_id": event["address_id"]}
            assert refused(connection, "step", **right)
            assert refused(connection, "step", **right, consent_event_id=event["id"] + 1000)
            assert refused(connection, "step", **{**right, "gate_at": None}, consent_event_id=event["id"])
            assert refused(connection, "step", **{**right, "address_id": other_address}, consent_event_id=event["id"])
            assert refused(connection, "step", **{**right, "purpose_id": other_purpose}, consent_event_id=event["id"])
            assert not refused(connection, "step", **right, consent_event_id=event["id"])


def test_a_planned_step_cannot_be_moved_there_without_its_consent_event(runtime: Runtime) -> None:
    with runtime.db.engine.begin() as connection:
        step = rows.add(connection, "step")["id"]
        for state in HANDED_OVER:
            with pytest.raises(IntegrityError), connection.begin_nested():
                connection.execute(text(f"UPDATE step SET state = '{state}' WHERE id = {step}"))


def test_a_step_has_a_reason_exactly_if_it_was_skipped_or_failed(runtime: Runtime) -> None:
    with runtime.db.engine.begin() as connection:
        event = rows.add(connection, "consent_event")
        permit = {"consent_event_id": event["id"], "address_id": event["address_id"], "gate_at": NOW}
        for state in ("planned", "held", "skipped", "failed", *HANDED_OVER):
            values = {"state": state, "purpose_id": event["purpose_id"], **permit}
            ended = state in ("skipped", "failed")
            assert refused(connection, "step", **values) is ended, state
            assert refused(connection, "step", **values, reason="objected") is not ended, state


def test_a_word_outside_the_vocabulary_is_refused(runtime: Runtime) -> None:
    with runtime.db.engine.begin() as connection:
        assert refused(connection, "step", state="because")
        assert refused(connection, "step", receipt="because")
        assert refused(connection, "step", state="failed", reason="because")
        assert refused(connection, "delivery", reason="because")


def test_a_run_has_one_delivery_for_a_contact(runtime: Runtime) -> None:
    with runtime.db.engine.begin() as connection:
        first = rows.add(connection, "delivery")
        assert refused(connection, "delivery", run_id=first["run_id"], contact_id=first["contact_id"])
        another = first["contact_id"] + 1
        assert not refused(connection, "delivery", run_id=first["run_id"], contact_id=another)


def test_a_run_has_one_step_for_an_address(runtime: Runtime) -> None:
    with runtime.db.engine.begin() as connection:
        rows.add(connection, "step", run_id=1, address_id=7)
        assert refused(connection, "step", run_id=1, address_id=7)
        assert not refused(connection, "step", run_id=2, address_id=7)
        assert not refused(connection, "step", run_id=1, address_id=8)


PERMITS = ("consent_event_id", "answers_id", "optin_request_id", "test_staff_id")
OUTGOING = ("reply", "confirmation", "help", "doi", "test", "service")


def test_an_outgoing_message_has_exactly_one_permit(runtime: Runtime) -> None:
    with runtime.db.engine.begin() as connection:
        permits = {
            "consent_event_id": rows.add(connection, "consent_event")["id"],
            "answers_id": rows.add(connection, "message")["id"],
            "optin_request_id": rows.add(connection, "optin_request")["id"],
            "test_staff_id": rows.add(connection, "staff")["id"],
        }
        for kind, chosen in itertools.product(OUTGOING, range(16)):
            given = {name: permits[name] for place, name in enumerate(PERMITS) if chosen >> place & 1}
            assert refused(connection, "message", kind=kind, state="planned", **given) is (len(given) != 1), given


def test_an_inbound_message_needs_no_permit_and_has_no_state(runtime: Runtime) -> None:
    with runtime.db.engine.begin() as connection:
        staff = rows.add(connection, "staff")["id"]
        assert not refused(connection, "message", kind="inbound")
        assert refused(connection, "message", kind="inbound", test_staff_id=staff)
        assert refused(connection, "message", kind="inbound", state="planned")
        assert refused(connection, "message", kind="reply", test_staff_id=staff, state=None)


def test_one_inbound_message_has_one_answer_of_a_kind(runtime: Runtime) -> None:
    with runtime.db.engine.begin() as connection:
        told, other = (rows.add(connection, "message")["id"] for _ in range(2))
        for kind in ("confirmation", "help"):
            rows.add(connection, "message", kind=kind, answers_id=told, state="accepted")
            assert refused(connection, "message", kind=kind, answers_id=told, state="planned"), kind
            assert not refused(connection, "message", kind=kind, answers_id=other, state="planned"), kind


def test_a_fact_is_in_the_ledger_once(runtime: Runtime) -> None:
    with runtime.db.engine.begin() as connection:
        rows.add(connection, "consent_event", key=b"same")
        assert refused(connection, "consent_event", key=b"same")


def test_no_event_happens_after_it_was_received(runtime: Runtime) -> None:
    with runtime.db.engine.begin() as connection:
        assert refused(connection, "consent_event", occurred_at=NOW.replace(year=2027), received_at=NOW)


def test_a_providers_event_is_stored_once(runtime: Runtime) -> None:
    with runtime.db.engine.begin() as connection:
        for table in ("inbox_event", "receipt"):
            first = rows.add(connection, table)
            again = {"account_id": first["account_id"], "event_key": first["event_key"]}
            assert refused(connection, table, **again)


def test_an_address_is_known_by_its_digest_until_it_is_erased(runtime: Runtime) -> None:
    with runtime.db.engine.begin() as connection:
        assert refused(connection, "address", digest=None)
        assert refused(connection, "address", value_ct=None)
        assert not refused(connection, "address", status="erased", digest=None, value_ct=None)
        rows.add(connection, "address", digest=b"same")
        assert refused(connection, "address", digest=b"same")
