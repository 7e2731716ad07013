"""One place commits, and it sees every way of writing; leases go by the database's clock; nobody loses an update."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlmodel import Session, select

from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import Unavailable, UntracedChange
from broadcaster.core.event_types import Changed
from broadcaster.core.sealing import stored
from broadcaster.storage import bulk, log, schema
from broadcaster.storage.database import AUDITED, Database, audited_tables, take_lease
from broadcaster.storage.tables import Brand, Lease, Setting, metadata

NOW = datetime(2026, 3, 2, tzinfo=UTC)


# no change without a trace


def by_object(session: Session) -> None:
    session.add(Brand(key="quiet", name="Quiet"))


def by_edit(session: Session) -> None:
    session.get_one(Setting, "name").value = '"Other"'


def by_delete(session: Session) -> None:
    session.delete(session.get_one(Setting, "name"))


def by_bulk(session: Session) -> None:
    session.connection().execute(insert(Brand), [{"key": "a", "name": "A"}, {"key": "b", "name": "B"}])


def by_update(session: Session) -> None:
    session.connection().execute(update(Setting).values(value='"x"'))


def by_plain_rows(session: Session) -> None:
    bulk.insert_rows(session, "setting", ("key", "value", "changed_at"), [("k", "1", stored(NOW))])


def by_text(session: Session) -> None:
    session.connection().execute(text("UPDATE setting SET value = '1'"))


def by_driver(session: Session) -> None:
    session.connection().exec_driver_sql("delete from setting")


WAYS = [by_object, by_edit, by_delete, by_bulk, by_update, by_plain_rows, by_text, by_driver]


@pytest.mark.parametrize("write", WAYS)
def test_a_change_without_its_log_event_is_refused(runtime: Runtime, write: Callable[[Session], None]) -> None:
    def settings() -> list[tuple[str, str]]:
        with runtime.db.reading() as session:
            return [tuple(row) for row in session.connection().execute(text("SELECT key, value FROM setting"))]

    before = settings()
    with pytest.raises(UntracedChange), runtime.db.transaction() as session:
        write(session)
    assert settings() == before


@pytest.mark.parametrize("write", WAYS)
def test_the_same_change_with_its_log_event_is_kept(runtime: Runtime, write: Callable[[Session], None]) -> None:
    with runtime.db.transaction() as session:
        write(session)
        log.record(session, Changed(what="setting", id="", verb="changed"), at=NOW)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE address SET status = 'ok'",
        'update "address" set status = 1',
        "UPDATE ONLY address SET status = 1",
        "UPDATE public.address SET status = 1",
        'UPDATE "public"."address" SET status = 1',
        "UPDATE main.address SET status = 1",
        "UPDATE OR REPLACE address SET status = 1",
        "UPDATE\n  address\nSET status = 1",
        "WITH x AS (SELECT 1) UPDATE address SET status = 1",
        "INSERT INTO address (id) VALUES (1)",
        "INSERT OR IGNORE INTO address (id) VALUES (1)",
        "REPLACE INTO address (id) VALUES (1)",
        "DELETE FROM address",
        "DELETE FROM ONLY public.address",
        "MERGE INTO address USING x ON true WHEN MATCHED THEN DELETE",
        "TRUNCATE address",
        "TRUNCATE TABLE address",
        "COPY address (id) FROM STDIN",
    ],
)
def test_every_spelling_of_a_write_is_seen(statement: str) -> None:
    assert audited_tables(statement) == {"address"}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM address FOR UPDATE",
        "SELECT b.id FROM batch b FOR UPDATE OF b SKIP LOCKED",
        "UPDATE step SET state = 'planned'",
        "INSERT INTO delivery SELECT 1 FROM address",
    ],
)
def test_reading_an_audited_table_or_writing_another_one_needs_no_event(statement: str) -> None:
    assert audited_tables(statement) == frozenset()


def test_every_audited_table_exists() -> None:
    assert not AUDITED - set(metadata.tables)


def test_an_error_in_the_block_leaves_nothing(runtime: Runtime) -> None:
    def change() -> None:
        with runtime.db.transaction() as session:
            log.record(session, Changed(what="setting", id="", verb="changed"), at=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change()
    with runtime.db.reading() as session:
        assert log.count_unnumbered_before(session, NOW + timedelta(days=1)) == 0


# reading


@pytest.mark.parametrize("write", WAYS)
def test_a_reading_session_cannot_change_an_audited_table(runtime: Runtime, write: Callable[[Session], None]) -> None:
    def read() -> None:
        with runtime.db.reading() as session:
            write(session)
            session.flush()

    with pytest.raises(UntracedChange, match="reading"):
        read()


def test_a_reading_session_cannot_change_any_other_table(runtime: Runtime) -> None:
    """Steps, leases and the log are not audited; a forgotten transaction would lose the write without a word."""
    with pytest.raises(UntracedChange, match="reading"), runtime.db.reading() as session:
        session.connection().execute(text("UPDATE step SET state = 'planned'"))


def test_a_connection_that_was_read_on_can_be_written_on_by_a_migration(runtime: Runtime) -> None:
    with runtime.db.reading() as session:
        session.connection().execute(text("SELECT 1"))
    schema.downgrade(runtime.db, "base")
    schema.upgrade(runtime.db)


def test_a_snapshot_does_not_see_what_is_written_meanwhile(runtime: Runtime) -> None:
    """The verifier reads the log over many statements while the sequencer goes on."""
    count = text("SELECT count(*) FROM log_entry")
    with runtime.db.reading(snapshot=True) as session:
        before = session.connection().execute(count).scalar_one()
        with runtime.db.transaction() as writing:
            log.record(writing, Changed(what="setting", id="", verb="changed"), at=NOW)
        assert session.connection().execute(count).scalar_one() == before
    with runtime.db.reading(snapshot=True) as session:
        assert session.connection().execute(count).scalar_one() == before + 1


# counting together


def test_no_update_is_lost_between_threads(runtime: Runtime) -> None:
    """Read, add one, write: with a deferred BEGIN on SQLite some of these would fail or be lost."""
    with runtime.db.transaction() as session:
        session.add(Lease(name="counter", owner="0", until=NOW))
    lock = " FOR UPDATE" if not runtime.db.sqlite else ""

    def count() -> None:
        for _ in range(25):
            with runtime.db.transaction() as session:
                query = text(f"SELECT owner FROM lease WHERE name = 'counter'{lock}")
                known = int(session.connection().execute(query).scalar_one())
                values = {"owner": str(known + 1)}
                session.connection().execute(text("UPDATE lease SET owner = :owner WHERE name = 'counter'"), values)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with runtime.db.reading() as session:
        assert session.get_one(Lease, "counter").owner == "100"


def test_a_locked_database_says_that_it_does_not_answer_now(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the statement or its values: they may hold what a person wrote."""
    monkeypatch.setattr("broadcaster.storage.database.BUSY_TIMEOUT_MS", 20)
    holder, impatient = Database(sqlite_url), Database(sqlite_url)
    with holder.transaction(), pytest.raises(Unavailable) as caught, impatient.transaction():
        pass
    holder.close()
    impatient.close()
    assert caught.value.message == "the database does not answer now: database is locked"


def test_a_commit_that_fails_leaves_no_transaction_behind(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk at the moment of a commit: the connection is used again, and the next transaction is its own."""

    def no_space(_connection: object) -> None:
        raise OperationalError("COMMIT", None, Exception("no space left"))

    def change(session: Session, owner: str) -> None:
        lease = {"name": "x", "owner": owner, "until": datetime.now(UTC)}
        session.connection().execute(insert(Lease), lease)

    with monkeypatch.context() as patch:
        patch.setattr(runtime.db.engine.dialect, "do_commit", no_space)
        with pytest.raises(Unavailable), runtime.db.transaction() as session:
            change(session, "lost")
    with runtime.db.transaction() as session:
        change(session, "kept")
    with runtime.db.reading() as session:
        assert [row.owner for row in session.exec(select(Lease)).all()] == ["kept"]


def test_an_error_does_not_tell_the_values(migrated_url: str) -> None:
    """Neither in its words nor in those of its causes: they end in logs."""
    database = Database(migrated_url)
    with pytest.raises((DBAPIError, Unavailable)) as caught, database.reading() as session:
        session.connection().execute(text("SELECT * FROM nowhere WHERE value = :value"), {"value": "ann@example.net"})
    database.close()
    words = f"{caught.value} {caught.value.__cause__}"
    assert "nowhere" in words
    assert "ann@" not in words


@pytest.mark.parametrize("writing", [True, False])
def test_a_connection_that_is_cut_is_a_database_that_does_not_answer_now(postgres_url: str, writing: bool) -> None:
    """Whoever asked is told to come again, and the next finds another connection."""
    database, other = Database(postgres_url), Database(postgres_url)
    opened = database.transaction if writing else database.reading

    def ask(*, cut: bool) -> None:
        with opened() as session:
            [pid] = session.connection().exec_driver_sql("SELECT pg_backend_pid()").one()
            if cut:
                with other.reading() as beside:
                    beside.connection().exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
            session.connection().exec_driver_sql("SELECT 1")

    with pytest.raises(Unavailable):
        ask(cut=True)
    ask(cut=False)
    database.close()
    other.close()


# leases


def test_a_lease_is_held_by_one_until_it_ends_by_the_databases_clock(runtime: Runtime) -> None:
    with runtime.db.transaction() as session:
        assert take_lease(session, runtime.db, "job", owner="a", seconds=60)
        assert not take_lease(session, runtime.db, "job", owner="b", seconds=60)
        assert take_lease(session, runtime.db, "job", owner="a", seconds=60), "its holder renews it"
        held = session.get_one(Lease, "job")
        held.until = runtime.db.now(session) - timedelta(seconds=1)
        session.add(held)
        session.flush()
        assert take_lease(session, runtime.db, "job", owner="b", seconds=60)


def test_of_many_who_want_a_lease_at_once_one_gets_it(runtime: Runtime) -> None:
    won: list[int] = []
    start = threading.Barrier(6)

    def want(number: int) -> None:
        start.wait()
        with runtime.db.transaction() as session:
            if take_lease(session, runtime.db, "job", owner=str(number), seconds=60):
                won.append(number)

    threads = [threading.Thread(target=want, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_the_databases_time_is_aware_and_utc(runtime: Runtime) -> None:
    with runtime.db.reading() as session:
        assert runtime.db.now(session).utcoffset() == timedelta(0)


def test_an_address_of_the_database_with_a_password_is_not_shown(database_url: str) -> None:
    database = Database(database_url.replace("postgres@", "postgres:hidden@"))
    assert "hidden" not in repr(database.url)
    database.close()
