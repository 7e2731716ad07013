"""Whoever has the whole database in hand cannot change the past unseen: triggers refuse it, the verifier finds it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from broadcaster.actions import privacy, sequencer
from broadcaster.actions.runtime import Runtime
from broadcaster.core import checkpoints, tree
from broadcaster.storage import triggers
from tests import factories
from tests.actions import erasing

ACTOR = "cli:test"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def log(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """A log with consents, sends and one erasure in it, that holds. Every test takes back what it changed."""
    home = tmp_path_factory.mktemp("log")
    with ExitStack() as stack:
        url = f"sqlite:///{home / 'log.sqlite3'}"
        if request.param == "postgres":
            url = stack.enter_context(request.getfixturevalue("pg_server").database())
        runtime = stack.enter_context(factories.installation(url, home))
        place = erasing.install(runtime, others=3)
        privacy.erase(runtime, place.person, actor=ACTOR)
        assert sequencer.verify(runtime).problems == []
        yield runtime
        assert sequencer.verify(runtime).problems == []


class _TakenBack(Exception):
    """Ends the transaction without leaving anything."""


def problems_after(runtime: Runtime, *statements: str, guarded: bool = True, **values: Any) -> list[str]:
    """Do what an operator with every right could do, past triggers and rules; return what the verifier then finds."""
    found: list[str] = []
    with suppress(_TakenBack), runtime.db.transaction(ACTOR) as session:
        connection = session.connection()
        triggers.drop(connection)
        off = "PRAGMA defer_foreign_keys=ON" if runtime.db.sqlite else "SET LOCAL session_replication_role = replica"
        connection.execute(text(off))
        for statement in statements:
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            assert connection.execute(text(statement), used).rowcount, statement
        for line in triggers.statements(connection.dialect.name) if guarded else ():
            connection.exec_driver_sql(line if runtime.db.sqlite else line.replace("%", "%%"))
        found += sequencer._problems(runtime, session, sequencer.Verification())
        raise _TakenBack
    return found


VALUES: dict[str, Any] = {"bytes": b'{"event":"x"}', "salt": b"\x01" * 32, "line": "\n"}
OPENED_CONSENT = "(SELECT min(event_id) FROM consent_evidence)"
OPENED_SEND = "(SELECT min(id) FROM step WHERE salt IS NOT NULL)"
SENT = f"UPDATE step SET {{}} WHERE id = {OPENED_SEND}"
CONSENTED = f"UPDATE consent_event SET {{}} WHERE id = {OPENED_CONSENT}"
OTHER = "(SELECT max(entry_id) FROM log_payload)"
ONE = "(SELECT min(entry_id) FROM log_payload WHERE event = 'ConsentEvents')"

TAMPERED = {
    "a payload": (f"UPDATE log_payload SET body = :bytes WHERE entry_id = {ONE}", "is not what was committed to"),
    "a salt": (f"UPDATE log_payload SET salt = :salt WHERE entry_id = {ONE}", "is not what was committed to"),
    "a salt cut": (f"UPDATE log_payload SET salt = :bytes WHERE entry_id = {ONE}", "is not what was committed to"),
    "a payload's name": (f"UPDATE log_payload SET event = 'Changed' WHERE entry_id = {ONE}", "names another event"),
    "a commitment": (f"UPDATE log_entry SET commitment = :salt WHERE id = {ONE}", "is not the one that was signed"),
    "a commitment cut": (f"UPDATE log_entry SET commitment = :bytes WHERE id = {ONE}", "is not a leaf"),
    "a kind": (f"UPDATE log_entry SET kind = 'admin' WHERE id = {ONE}", "is not the one that was signed"),
    "a leaf away": (f"DELETE FROM log_entry WHERE id = {ONE}", "is missing"),
    "the last leaf away": (f"DELETE FROM log_entry WHERE id = {OTHER}", "the checkpoint speaks of"),
    "a payload away": (f"DELETE FROM log_payload WHERE entry_id = {ONE}", "no erasure covers it"),
    "a position": (f"UPDATE log_entry SET position = position + 1000 WHERE id = {ONE}", "is missing"),
    "a head": ("UPDATE checkpoint SET root = :salt", "is not the one that was signed"),
    "a note": ("UPDATE checkpoint SET note = replace(note, 'g' || :line, 'h' || :line)", "is wrong"),
    "the heads away": ("DELETE FROM checkpoint", "the checkpoint speaks of 0 leaves"),
    "evidence": (
        f"UPDATE consent_evidence SET body_ct = :bytes WHERE event_id = {OPENED_CONSENT}",
        "the evidence is not what was committed to",
    ),
    "a salt of evidence": (
        f"UPDATE consent_evidence SET salt = :salt WHERE event_id = {OPENED_CONSENT}",
        "the evidence is not what was committed to",
    ),
    "evidence away": (f"DELETE FROM consent_evidence WHERE event_id = {OPENED_CONSENT}", "no erasure covers it"),
    "a consent's commitment": (CONSENTED.format("commitment = :salt"), "does not cover its items"),
    "a consent's action": (CONSENTED.format("action = 'withdrawn'"), "says something else"),
    "a consent's wording": (CONSENTED.format("wording_id = NULL"), "says something else"),
    "a consent's time": (CONSENTED.format("occurred_at = '2001-01-01 00:00:00+00'"), "says something else"),
    "a person's consents away": ("DELETE FROM consent_event WHERE action = 'objected'", "are missing"),
    "a state": ("UPDATE consent_state SET standing = 'granted' WHERE standing = 'objected'", "the state is not"),
    "a provider's id": (SENT.format("provider_id = 'another'"), "the row is not what was committed to"),
    "an outcome": (SENT.format("outcome = 'throttled'"), "the row is not what was committed to"),
    "a send's salt away": (SENT.format("salt = NULL"), "no erasure covers it"),
    "a send away": (f"DELETE FROM step WHERE id = {OPENED_SEND}", "does not cover its items"),
    "an erasure more": (
        "INSERT INTO erased_item (kind, item_id, part, erasure_id) "
        f"SELECT 'consent', {OPENED_CONSENT}, 0, min(erasure_id) FROM erased_item",
        "does not cover what is missing",
    ),
    "an erasure invented": (
        f"INSERT INTO erased_item (kind, item_id, part, erasure_id) VALUES ('consent', {OPENED_CONSENT}, 0, {ONE})",
        "does not cover what is missing",
    ),
    "an erasure less": ("DELETE FROM erased_item WHERE kind = 'step'", "no erasure covers it"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_changed_behind_our_back_it_is_found(log: Runtime, what: str) -> None:
    statement, problem = TAMPERED[what]
    found = problems_after(log, statement, **VALUES)
    assert any(problem in one for one in found), found


#: A step's columns move, and a row that says "erased" is an insert like any other: what only the verifier can find.
UNGUARDED = {what for what, (statement, _) in TAMPERED.items() if re.search("step|_state|INSERT", statement)}


@pytest.mark.parametrize("what", sorted(TAMPERED.keys() - UNGUARDED))
def test_the_triggers_refuse_it_in_the_first_place(log: Runtime, what: str) -> None:
    statement, _ = TAMPERED[what]
    used = {name: value for name, value in VALUES.items() if f":{name}" in statement}
    with pytest.raises(DBAPIError), log.db.transaction(ACTOR) as session:  # noqa: PT012 - deferred ones raise later
        session.info["traced"] = True
        session.connection().execute(text(statement), used)


def test_two_rows_swapped_are_found(log: Runtime) -> None:
    """Each is genuine, but not in its place."""
    with log.db.reading() as session:
        query = text("SELECT id, position FROM log_entry WHERE position IS NOT NULL ORDER BY position LIMIT 2")
        (one, first), (two, second) = session.connection().execute(query).all()
    move = "UPDATE log_entry SET position = {} WHERE id = {}"
    found = problems_after(log, move.format(10**9, one), move.format(first, two), move.format(second, one))
    assert any("is not the one that was signed" in one for one in found)


def test_a_log_rewritten_and_signed_by_another_key_is_found(log: Runtime) -> None:
    """The tree fits its roots again, but nobody we know has signed that."""
    with log.db.reading() as session:
        size = session.connection().execute(text("SELECT max(size) FROM checkpoint")).scalar_one()
    note = checkpoints.sign_checkpoint(sequencer.ORIGIN, size, tree.EMPTY_ROOT, sequencer.ORIGIN, b"\x07" * 32)
    found = problems_after(log, "UPDATE checkpoint SET note = :note WHERE size = :size", note=note, size=size)
    assert any("no known key" in one for one in found)


def test_a_trigger_that_is_gone_is_told(log: Runtime) -> None:
    found = problems_after(log, "UPDATE setting SET value = value", guarded=False)
    assert "the trigger wording_no_update is missing" in found


def test_a_withdrawal_is_not_hidden_as_erased(log: Runtime) -> None:
    """Somebody marks an awkward event as erased, and deletes what proves it."""
    gone = f"DELETE FROM consent_evidence WHERE event_id = {OPENED_CONSENT}"
    assert problems_after(log, TAMPERED["an erasure more"][0], gone)


def test_a_key_destroyed_by_itself_is_told(log: Runtime) -> None:
    """What nobody can open any more is not accepted because the key happens to be lost."""
    keyed = "(SELECT min(key_id) FROM address)"
    found = problems_after(log, f"DELETE FROM person_key WHERE id = {keyed}")
    assert any("the evidence is not what was committed to" in one for one in found)
