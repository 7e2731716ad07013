"""Erased is erased: nothing of the person can be read, every proof holds, and nobody writes to them again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from broadcaster.actions import accounts, contacts, inbound, privacy, sequencer
from broadcaster.actions.rendering import link_scope
from broadcaster.actions.runtime import Runtime
from broadcaster.core import keys
from broadcaster.core.deliveries import ReceiptKind
from broadcaster.core.errors import NotFound, Refused
from broadcaster.core.messages import Inbound, InboundKind, Receipt
from broadcaster.storage import people, personal
from broadcaster.storage.people import NewAddress
from broadcaster.storage.tables import metadata
from tests import canary, factories
from tests.actions import erasing
from tests.actions.erasing import HIDDEN, PLAIN, SAID

ACTOR = "cli:test"
VALUE = "wilhelmina.canary@example.net"


@pytest.fixture
def runtime(database_url: str, tmp_path: Path) -> Iterator[Runtime]:
    with factories.installation(database_url, tmp_path) as made:
        yield made


def one(runtime: Runtime, statement: str, **values: Any) -> Any:
    with runtime.db.reading() as session:
        return session.connection().execute(text(statement), values).scalar_one()


def contents(runtime: Runtime) -> bytes:
    """Everything that any table holds, as the database gives it."""
    with runtime.db.reading() as session:
        rows = [
            bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
            for table in metadata.sorted_tables
            for row in session.connection().execute(table.select())
            for value in row
        ]
    return b"\n".join(rows)


def found_in(content: bytes) -> set[str]:
    every = {word: canary.spellings(word).values() for word in (*PLAIN, *HIDDEN, SAID)}
    return {word for word, written in every.items() if any(needle in content for needle in written)}


def test_no_row_of_any_table_tells_of_an_erased_person(runtime: Runtime) -> None:
    place = erasing.install(runtime)
    assert found_in(contents(runtime)) == set(PLAIN)  # what is not encrypted; a canary never planted proves nothing
    before = privacy.what_would_go(runtime, place.person)
    assert all(
        before[kind] for kind in ("messages", "conversations", "outbox_items", "clicks", "preferences", "groups")
    )
    done = privacy.erase(runtime, place.person, actor=ACTOR)
    assert done.state == "done"
    assert found_in(contents(runtime)) == set()
    after = privacy.what_would_go(runtime, place.person)
    assert {kind for kind, count in after.items() if count} == {"contacts"}
    assert one(runtime, "SELECT count(*) FROM person_key") == 2 * len(place.others)


def test_what_is_said_to_be_blanked_is_blank(runtime: Runtime) -> None:
    """The declaration of personal columns and what erasure does are one."""
    place = erasing.install(runtime)
    privacy.erase(runtime, place.person, actor=ACTOR)
    for table, id_ in (("contact", place.person), ("address", place.address)):
        holding = personal.HOLDINGS[table]
        for column in (*(name for name, value in holding.blanked.items() if value == "NULL"), *holding.key):
            assert one(runtime, f"SELECT {column} FROM {table} WHERE id = :id", id=id_) is None, column


@pytest.mark.parametrize("checkpointed", [False, True])
def test_no_byte_of_the_files_tells_of_an_erased_person(sqlite_url: str, tmp_path: Path, checkpointed: bool) -> None:
    """Database, write-ahead log and home folder, in every spelling, whether or not the log had been written back."""
    with factories.installation(sqlite_url, tmp_path) as runtime:
        place = erasing.install(runtime)
        if checkpointed:
            assert runtime.db.scrub()
        before = canary.hits((*PLAIN, *HIDDEN, SAID), [tmp_path])
        assert {line.split(": ")[1].split(",")[0] for line in before} == set(PLAIN)
        privacy.erase(runtime, place.person, actor=ACTOR)
        assert canary.hits((*PLAIN, *HIDDEN, SAID), [tmp_path]) == []
        assert sequencer.verify(runtime).problems == []


def test_the_tree_does_not_move(runtime: Runtime) -> None:
    """30 % of the people are erased: the old root is still the root of its size, and every proof holds."""
    place = erasing.install(runtime, others=9)
    sequencer.sequence(runtime)
    before = sequencer.verify(runtime)
    for contact_id in (place.person, place.others[0][0], place.others[1][0]):
        assert privacy.erase(runtime, contact_id, actor=ACTOR).state == "done"
    after = sequencer.verify(runtime)
    assert after.problems == []
    assert (after.consents_erased, after.sends_erased) == (6, 3)
    root = one(runtime, "SELECT root FROM checkpoint WHERE size = :size", size=before.size)
    assert bytes(root).hex() == before.root
    assert after.size > before.size


def test_sums_stay_as_they_were(runtime: Runtime) -> None:
    place = erasing.install(runtime)
    privacy.erase(runtime, place.person, actor=ACTOR)
    assert one(runtime, "SELECT count(*) FROM delivery") == len(place.others) + 1
    assert one(runtime, "SELECT count(*) FROM step WHERE state = 'accepted'") == len(place.others) + 1


def test_twice_is_said_and_changes_nothing(runtime: Runtime) -> None:
    place = erasing.install(runtime, send=False)
    first = privacy.erase(runtime, place.person, actor=ACTOR)
    leaves = one(runtime, "SELECT count(*) FROM log_entry")
    again = privacy.erase(runtime, place.person, actor=ACTOR)
    assert (again.state, again.request_id) == ("already", first.request_id)
    assert one(runtime, "SELECT count(*) FROM log_entry") == leaves


def test_an_unknown_person_is_not_found(runtime: Runtime) -> None:
    with pytest.raises(NotFound):
        privacy.erase(runtime, 4711, actor=ACTOR)
    with pytest.raises(NotFound):
        privacy.what_would_go(runtime, 4711)


def test_an_erased_address_cannot_be_brought_back_by_staff(runtime: Runtime) -> None:
    place = erasing.install(runtime, send=False)
    privacy.erase(runtime, place.person, actor=ACTOR)
    other = contacts.create(runtime, {"first_name": "Somebody"}, actor=ACTOR)
    with pytest.raises(Refused) as refused:
        contacts.add_address(runtime, other, "email", VALUE, actor=ACTOR)
    assert refused.value.code == "suppressed"


def test_who_writes_again_is_unknown_and_stays_refused(runtime: Runtime) -> None:
    """A new message makes a new address, with nothing of the old one, and the keyed hash still says no."""
    place = erasing.install(runtime)
    privacy.erase(runtime, place.person, actor=ACTOR)
    with runtime.db.reading() as session:
        config = accounts.config(runtime, session, place.account)
    said = Inbound("event-2", InboundKind.TEXT, VALUE, datetime.now(UTC), text="hello again")
    inbound.apply(runtime, config, [said])
    with runtime.db.reading() as session:
        again = people.find_address(session, runtime.keys, NewAddress("email", None, "email", VALUE))
        assert again is not None
        assert again.id != place.address
        assert again.suppressed


def test_the_stop_link_of_an_erased_person_still_answers(runtime: Runtime) -> None:
    """Its page cannot tell them from anybody else, and the refusal is remembered."""
    place = erasing.install(runtime, send=False)
    with runtime.db.reading() as session:
        address = people.find_address(session, runtime.keys, NewAddress("email", None, "email", VALUE))
        assert address is not None
        token = runtime.keys.link_token(address.digest or b"", link_scope(place.purpose, 0))
    privacy.erase(runtime, place.person, actor=ACTOR)
    with runtime.db.reading() as session:
        assert inbound.by_token(runtime, session, token) is None
    before = one(runtime, "SELECT count(*) FROM suppression")
    assert privacy.refuse_by_token(runtime, token)
    assert not privacy.refuse_by_token(runtime, token[:-1] + ("A" if token[-1] != "A" else "B"))
    assert one(runtime, "SELECT count(*) FROM suppression") == before


def test_a_shared_address_stays_with_the_other_person(runtime: Runtime) -> None:
    place = erasing.install(runtime)
    other = contacts.create(runtime, {"first_name": "Family"}, actor=ACTOR)
    contacts.add_address(runtime, other, "email", VALUE, actor=ACTOR)
    assert privacy.what_would_go(runtime, place.person)["shared_addresses_kept"] == 1
    privacy.erase(runtime, place.person, actor=ACTOR)
    assert one(runtime, "SELECT status FROM address WHERE id = :id", id=place.address) == "ok"
    standing = "SELECT standing FROM consent_state WHERE address_id = :id"
    assert one(runtime, standing, id=place.address) == "granted"
    assert one(runtime, "SELECT count(*) FROM suppression") == 0
    assert one(runtime, "SELECT count(*) FROM contact_address WHERE address_id = :id", id=place.address) == 1
    assert one(runtime, "SELECT count(*) FROM outbox_item WHERE address_id = :id", id=place.address) == 0
    assert sequencer.verify(runtime).problems == []


def test_whoever_was_merged_with_them_goes_too(runtime: Runtime) -> None:
    place = erasing.install(runtime, send=False)
    contacts.merge(runtime, place.others[0][0], place.person, actor=ACTOR)
    done = privacy.erase(runtime, place.person, actor=ACTOR)
    assert done.contact_id == place.others[0][0]
    assert one(runtime, "SELECT count(*) FROM contact WHERE state = 'erased'") == 2
    assert privacy.erase(runtime, place.others[0][0], actor=ACTOR).state == "already"


def test_a_message_in_flight_is_waited_for(runtime: Runtime) -> None:
    """Its result would otherwise be written after everything else was erased."""
    place = erasing.install(runtime)
    set_state(runtime, place.address, "dispatching")
    waiting = privacy.erase(runtime, place.person, actor=ACTOR, wait_seconds=0)
    assert (waiting.state, waiting.in_flight) == ("waiting", 1)
    assert privacy.resume_erasures(runtime) == 0
    assert one(runtime, "SELECT state FROM contact WHERE id = :id", id=place.person) == "restricted"
    set_state(runtime, place.address, "accepted")
    assert privacy.resume_erasures(runtime) == 1
    assert found_in(contents(runtime)) == set()


def set_state(runtime: Runtime, address: int, state: str) -> None:
    with runtime.db.transaction(ACTOR) as session:
        statement = text("UPDATE step SET state = :state WHERE address_id = :id")
        session.connection().execute(statement, {"state": state, "id": address})


def test_what_providers_say_later_brings_nothing_back(runtime: Runtime) -> None:
    """A receipt, a complaint and a block that name an old message are taken, and mean nothing any more."""
    place = erasing.install(runtime)
    step = one(runtime, "SELECT id FROM step WHERE address_id = :id", id=place.address)
    provider_id = one(runtime, "SELECT provider_id FROM step WHERE id = :id", id=step)
    privacy.erase(runtime, place.person, actor=ACTOR)
    events = one(runtime, "SELECT count(*) FROM consent_event")
    with runtime.db.reading() as session:
        config = accounts.config(runtime, session, place.account)
    now = datetime.now(UTC)
    late = Receipt("receipt-2", provider_id, ReceiptKind.READ, now)
    complaint = Inbound("event-3", InboundKind.COMPLAINT, "", now, about=f"s{step}.1")
    wrote = Inbound("event-4", InboundKind.TEXT, "", now, text="STOP", about=f"s{step}.1")
    inbound.apply(runtime, config, [late, complaint, wrote])
    assert one(runtime, "SELECT count(*) FROM consent_event") == events
    assert one(runtime, "SELECT count(*) FROM conversation WHERE address_id = :id", id=place.address) == 0
    assert one(runtime, "SELECT receipt FROM step WHERE id = :id", id=step) == "delivered"
    assert sequencer.verify(runtime).problems == []


def test_erasing_in_a_running_campaign(runtime: Runtime) -> None:
    """Nothing is sent to them afterwards, nobody else is held up, and the sum holds."""
    place = erasing.install(runtime, others=20, send=False)
    campaign = factories.campaign(
        runtime, brand_id=place.brand, purpose_id=place.purpose, lanes=[("email", place.account)]
    )
    accounts.set_state(runtime, place.account, "paused", actor=ACTOR)
    erasing.settle(runtime)
    assert one(runtime, "SELECT count(*) FROM step WHERE state = 'planned'") == 21
    privacy.erase(runtime, place.person, actor=ACTOR)
    accounts.set_state(runtime, place.account, "active", actor=ACTOR)
    erasing.settle(runtime)
    assert one(runtime, "SELECT state FROM campaign WHERE id = :id", id=campaign) == "finished"
    assert one(runtime, "SELECT count(*) FROM step WHERE state = 'accepted'") == 20
    assert one(runtime, "SELECT state FROM step WHERE address_id = :id", id=place.address) == "skipped"
    assert one(runtime, "SELECT count(*) FROM delivery") == 21
    assert one(runtime, "SELECT count(*) FROM outbox_item WHERE address_id = :id", id=place.address) == 0


_KILLED = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
from broadcaster.actions import privacy
from broadcaster.actions.runtime import Runtime
from broadcaster.core import keys
from broadcaster.storage.database import Database

url, home, person, left = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])

class Mortal(Database):
    @contextmanager
    def transaction(self, actor="system"):
        global left
        with super().transaction(actor) as session:
            yield session
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

db = Mortal(url)
runtime = Runtime(db=db, keys=keys.load((home / "ring").read_text()), home=home, public_url="https://example.org")
print(privacy.erase(runtime, person, actor="cli:test").state)
"""


@pytest.mark.slow
@pytest.mark.parametrize("commits", [1, 2, 3, 4, 6, 9, 12])
def test_killed_after_any_commit_it_is_completed_once(database_url: str, tmp_path: Path, commits: int) -> None:
    with factories.installation(database_url, tmp_path) as runtime:
        place = erasing.install(runtime, others=1)
        (tmp_path / "ring").write_text(runtime.keys.dump())
        told = [database_url, str(tmp_path), str(place.person), str(commits)]
        died = subprocess.run([sys.executable, "-c", _KILLED, *told], cwd=Path(__file__).parents[2], timeout=60)
        assert died.returncode == -signal.SIGKILL
        assert sequencer.verify(runtime).problems == []  # also half-way
        privacy.resume_erasures(runtime)
        assert privacy.erase(runtime, place.person, actor=ACTOR).state == "already"
        assert found_in(contents(runtime)) == set()
        if runtime.db.sqlite:
            assert canary.hits((*PLAIN, *HIDDEN, SAID), [tmp_path]) == []
        assert one(runtime, "SELECT count(*) FROM log_payload WHERE event = 'Erased'") == 1
        assert one(runtime, "SELECT count(*) FROM privacy_request WHERE state = 'done'") == 1
        assert sequencer.verify(runtime).problems == []


def test_the_log_of_an_erasure_names_nobody(runtime: Runtime) -> None:
    place = erasing.install(runtime, send=False)
    privacy.erase(runtime, place.person, actor=ACTOR)
    with runtime.db.reading() as session:
        bodies = session.connection().execute(text("SELECT body FROM log_payload")).scalars().all()
    assert found_in(b"\n".join(bytes(body) for body in bodies)) == set()


def test_without_keys_no_guess_is_confirmed(sqlite_url: str, tmp_path: Path) -> None:
    """Whoever has the database and a list of all addresses cannot tell which of them was erased."""
    with factories.installation(sqlite_url, tmp_path) as runtime:
        place = erasing.install(runtime)
        privacy.erase(runtime, place.person, actor=ACTOR)
        mark = bytes(one(runtime, "SELECT digest FROM suppression"))
        other = keys.generate(os.urandom)
        scope = people.address_scope("email", None)
        assert mark in {m.digest for m in runtime.keys.suppression_marks(runtime.keys.blind_indexes(scope, VALUE))}
        assert mark not in {m.digest for m in other.suppression_marks(other.blind_indexes(scope, VALUE))}
