"""Numbers without gaps, one signed head after another, and a verifier that sees what is not so."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session

from broadcaster.actions import sequencer
from broadcaster.actions.runtime import Runtime
from broadcaster.core import checkpoints
from broadcaster.core.event_types import Changed
from broadcaster.storage import log, proofs, triggers
from tests.actions.scene import scene


def write(runtime: Runtime, count: int, *, at: datetime | None = None) -> None:
    for number in range(count):
        with runtime.db.transaction() as session:
            event = Changed(what="setting", id=number, verb="changed")
            log.record(session, event, at=at or runtime.db.now(session))


def positions(runtime: Runtime) -> list[int | None]:
    with runtime.db.reading() as session:
        return list(session.connection().execute(text("SELECT position FROM log_entry ORDER BY position")).scalars())


def test_every_entry_gets_the_next_number(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencer, "PAGE", 4)
    write(runtime, 10)
    assert sequencer.sequence(runtime) == len(positions(runtime))
    write(runtime, 1)
    assert sequencer.sequence(runtime) == 1
    assert sequencer.sequence(runtime) == 0
    assert positions(runtime) == list(range(len(positions(runtime))))


def test_two_sequencers_and_many_writers_at_once_leave_no_gap_and_no_double(runtime: Runtime) -> None:
    writing = threading.Event()

    def sequence() -> None:
        while not writing.is_set():
            sequencer.sequence(runtime)

    sequencers = [threading.Thread(target=sequence) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(runtime, 15)) for _ in range(3)]
    for thread in [*sequencers, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    writing.set()
    for thread in sequencers:
        thread.join()
    sequencer.sequence(runtime)
    assert positions(runtime) == list(range(len(positions(runtime))))
    found = sequencer.verify(runtime)
    assert found.problems == []
    assert found.size == len(positions(runtime))


def test_only_the_holder_of_the_lease_numbers(runtime: Runtime) -> None:
    write(runtime, 1)
    assert sequencer.sequence(runtime, owner="a") > 0
    write(runtime, 1)
    assert sequencer.sequence(runtime, owner="b") == 0
    assert sequencer.sequence(runtime, owner="a") == 1


def test_every_head_is_signed_by_our_key_and_grows(runtime: Runtime) -> None:
    for _ in range(3):
        write(runtime, 2)
        sequencer.sequence(runtime)
    with runtime.db.reading() as session:
        points = list(proofs.checkpoints(session))
    assert len(points) == 3
    for point in points:
        told = checkpoints.verify_checkpoint(point.note, *sequencer.verifier_keys(runtime))
        assert (told.size, told.root) == (point.size, bytes(point.root))


def test_what_has_waited_too_long_for_its_number_is_reported(runtime: Runtime) -> None:
    sequencer.sequence(runtime)
    write(runtime, 2, at=datetime.now(UTC) - 2 * sequencer.LATEST)
    found = sequencer.verify(runtime)
    assert found.unnumbered == 2
    assert not found.ok


def test_what_waits_only_briefly_is_no_problem(runtime: Runtime) -> None:
    sequencer.sequence(runtime)
    write(runtime, 2, at=datetime.now(UTC) + timedelta(seconds=1))
    assert sequencer.verify(runtime).problems == []


FORGED = [
    "UPDATE log_payload SET body = :bytes WHERE entry_id = 1",
    "UPDATE log_payload SET salt = :bytes WHERE entry_id = 1",
    "UPDATE log_entry SET commitment = :bytes WHERE position = 0",
    "UPDATE log_entry SET position = 1000 WHERE position = 0",
    "DELETE FROM checkpoint WHERE size = (SELECT max(size) FROM checkpoint)",
    "UPDATE consent_state SET standing = 'granted' WHERE standing = 'objected'",
    "UPDATE consent_event SET action = 'granted' WHERE action = 'objected'",
    "UPDATE consent_event SET purpose_id = purpose_id + 1 WHERE action = 'granted'",
    "UPDATE consent_evidence SET salt = :bytes",
    "UPDATE step SET provider_id = 'another' WHERE state = 'accepted'",
    "UPDATE step SET consent_event_id = 1, salt = :bytes WHERE state = 'accepted'",
    "UPDATE step SET commitment = NULL WHERE state = 'accepted'",
]


def test_the_verifier_sees_each_forgery_by_somebody_who_may_write_everything(runtime: Runtime) -> None:
    """Triggers off, as the owner of the database can; each change alone, then taken back."""
    s = scene(runtime, None, 2)
    s.launch()
    s.drain()
    s.stop(s.people[0][1])
    sequencer.sequence(runtime)
    assert sequencer.verify(runtime).problems == []
    unseen = [statement for statement in FORGED if not _seen(runtime, statement)]
    assert unseen == []


def _seen(runtime: Runtime, statement: str) -> bool:
    with runtime.db.engine.connect() as connection:
        attempt = connection.begin()
        triggers.drop(connection)
        if not runtime.db.sqlite:
            connection.execute(text("SET session_replication_role = replica"))
        else:
            connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        connection.execute(text(statement), {"bytes": b"f" * 32} if ":bytes" in statement else {})
        with Session(connection) as session:
            found = sequencer.Verification()
            problems = [one for one in sequencer._problems(runtime, session, found) if "trigger" not in one]
        attempt.rollback()
    return bool(problems)
