"""The engine, and the only place that commits.

``Database.transaction()`` refuses to commit a change to an audited table that left no log event: what has been written
is read off the statements themselves, so raw SQL and bulk statements are seen too.
"""

from __future__ import annotations

import functools
import re
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import psycopg
from sqlalchemy import Connection, Engine, TextClause, bindparam, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, DBAPIError, IntegrityError, OperationalError
from sqlmodel import Session
from sqlmodel.sql.sqltypes import UTCDateTime

from broadcaster.core.errors import Misconfigured, Unavailable, UntracedChange

#: Tables whose every change leaves a log event. Left out on purpose: what the log covers in another way (steps and
#: deliveries by the window that settles them), projections, leases, raw inbound events, the log itself.
AUDITED = frozenset(
    [
        "account",
        "address",
        "attribute_definition",
        "audience",
        "audience_member",
        "brand",
        "campaign",
        "closed_day",
        "consent_event",
        "consent_evidence",
        "contact",
        "contact_address",
        "contact_group",
        "contact_interest",
        "contact_merge",
        "erased_item",
        "group_member",
        "interest",
        "media_file",
        "optin_request",
        "own_word",
        "person_key",
        "preference_event",
        "privacy_request",
        "purpose",
        "setting",
        "signup_form",
        "staff",
        "suppression",
        "template",
        "template_variant",
        "wording",
    ]
)

_WRITE = re.compile(
    r"\b(?:insert\s+(?:or\s+\w+\s+)?into|replace\s+into|merge\s+into|update(?:\s+or\s+\w+)?|delete\s+from|copy"
    r"|truncate(?:\s+table)?)\s+(?:only\s+)?(?:\"?\w+\"?\s*\.\s*)?\"?(\w+)",
    re.IGNORECASE,
)
BUSY_TIMEOUT_MS = 5000


#: A reading session may stage rows in this temporary table (the dry run does); it belongs to the connection.
_SCRATCH = frozenset({"plan_chunk"})


@functools.lru_cache(maxsize=4096)
def written_tables(statement: str) -> frozenset[str]:
    """Return the tables *statement* writes to; after ``FOR UPDATE`` a word that is no table may be among them."""
    return frozenset(name.lower() for name in _WRITE.findall(statement))


@functools.lru_cache(maxsize=4096)
def audited_tables(statement: str) -> frozenset[str]:
    """Return the audited tables *statement* writes to."""
    return written_tables(statement) & AUDITED


class Database:
    """One database, SQLite or PostgreSQL. Create it after forking: sockets must not be shared."""

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        try:
            self.url = make_url(url)
        except (ArgumentError, ValueError):
            raise Misconfigured("the database's address cannot be read", code="bad_database") from None
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self.owner = secrets.token_hex(8)  #: names this process in leases
        self.engine = _sqlite_engine(url) if self.sqlite else _postgres_engine(url, pool_size)
        event.listen(self.engine, "before_cursor_execute", _note_writes)
        event.listen(self.engine, "checkin", _leave_nothing_open)

    @contextmanager
    def transaction(self, actor: str = "system") -> Iterator[Session]:
        """Commit when the block ends, roll back if it raises. Nothing else commits.

        *actor* goes into the log: ``system``, ``person``, ``staff:<id>``, ``cli:<user>``, ``provider:<account>``.
        Raises UntracedChange if an audited table changed and no log event was recorded; Unavailable if the database is
        locked or away.
        """
        with self._session(writing=True) as session:
            session.info["actor"] = actor
            written: set[str] = set()
            session.connection().info["written"] = written
            yield session
            session.flush()
            if written and not session.info.get("traced"):
                raise UntracedChange(f"changed without a log event: {', '.join(sorted(written))}")
            session.commit()

    @contextmanager
    def reading(self, *, snapshot: bool = False) -> Iterator[Session]:
        """Open a session that must not write; it never waits for a writer.

        *snapshot*: every statement sees the same moment, as always on SQLite; for what compares tables with each other.
        """
        with self._session(writing=False, snapshot=snapshot) as session:
            yield session

    @contextmanager
    def _session(self, *, writing: bool, snapshot: bool = False) -> Iterator[Session]:
        options: dict[str, Any] = {} if writing else {"broadcaster_reading": True}
        if snapshot and not self.sqlite:
            options["isolation_level"] = "REPEATABLE READ"
        with (
            plain_trouble(),
            self.engine.connect().execution_options(**options) as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            info = connection.info  # a connection that was cut meanwhile has none to ask for
            info["reading"] = not writing
            try:
                yield session
            finally:
                info["reading"] = False

    def now(self, session: Session) -> datetime:
        """Return the time by the database's clock, aware, UTC."""
        if self.sqlite:
            return datetime.now(UTC)
        value: datetime = session.connection().execute(text("SELECT clock_timestamp()")).scalar_one()
        return value.astimezone(UTC)

    def scrub(self) -> bool:
        """Bring deleted bytes out of the write-ahead log, after an erasure; say whether nothing held it back.

        On SQLite ``secure_delete`` has overwritten them in the file, and a checkpoint with truncation empties the log;
        a reader or writer in between delays it by at most ``busy_timeout``, then False. On PostgreSQL there is nothing
        to do here: what autovacuum has not yet reclaimed stays in the files until it does (``docs/privacy.md``).
        """
        if not self.sqlite:
            return True
        connection = self.engine.raw_connection()  # not within a transaction
        try:
            cursor = connection.cursor()
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            told = cursor.fetchone()
            cursor.close()
        except sqlite3.OperationalError:
            return False
        finally:
            connection.close()
        return told is not None and not told[0]

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def plain_trouble() -> Iterator[None]:
    """Raise Unavailable if the database is locked or away, Misconfigured if the file is none of ours; no values."""
    try:
        yield
    except OperationalError as problem:
        raise Unavailable(_plain_words(problem)) from problem
    except psycopg.OperationalError as problem:  # in the middle of a COPY
        raise Unavailable("the database does not answer now") from problem
    except DatabaseError as problem:
        if type(problem.orig) is not sqlite3.DatabaseError:
            raise  # a broken rule of a table: a mistake of ours
        raise Misconfigured("the database's address names a file of another kind", code="bad_database") from problem


def _leave_nothing_open(connection: Any, record: Any) -> None:
    """Roll back what a failed commit left open: SQLAlchemy takes it for ended and would give it to the next one."""
    try:
        if connection is not None:
            connection.rollback()
    except Exception as problem:  # it cannot be used any more
        record.invalidate(problem)


def _note_writes(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
    touched = written_tables(statement)
    if touched:
        note_written(connection, touched)


def note_written(connection: Connection, tables: frozenset[str]) -> None:
    """Remember that *tables* are written to. Raises UntracedChange in a reading session."""
    if connection.info.get("reading"):
        if tables & _known_tables() - _SCRATCH:
            raise UntracedChange("a reading session tried to write")
    elif audited := tables & AUDITED:
        connection.info.setdefault("written", set()).update(audited)


@functools.lru_cache(maxsize=1)
def _known_tables() -> frozenset[str]:
    from sqlmodel import SQLModel

    return frozenset(SQLModel.metadata.tables)


def _plain_words(problem: DBAPIError) -> str:
    """Say what is wrong without the statement or its values."""
    if isinstance(problem.orig, sqlite3.Error):
        return f"the database does not answer now: {problem.orig}"
    return "the database does not answer now"


def is_race(problem: BaseException) -> bool:
    """Say whether a statement failed only because somebody else wrote the same unique row first: try again."""
    cause = problem.orig if isinstance(problem, IntegrityError) else problem  # COPY raises the driver's own
    if isinstance(cause, sqlite3.Error):
        return "UNIQUE constraint" in str(cause)
    return isinstance(cause, psycopg.errors.UniqueViolation)


def _lower(value: Any) -> Any:
    """SQLite's own ``lower`` knows ASCII only."""
    return value.lower() if isinstance(value, str) else value


# Of a value that is not exactly an int, a float, a str or a bytearray the driver asks first whether somebody adapts it,
# which costs more than storing it, unless it is told at once (Python 3.11, Modules/_sqlite/microprotocols.c).
sqlite3.register_adapter(bytes, bytes)
sqlite3.register_adapter(bool, int)
sqlite3.register_adapter(type(None), lambda nothing: nothing)


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,  # an error's words end in logs
        json_deserializer=orjson.loads,
        connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves: pysqlite's own way loses updates
        for pragma in (
            "journal_mode=WAL",
            "wal_autocheckpoint=8000",  # 32 MB: pages that change again and again are copied back once
            "synchronous=FULL",  # a lost "dispatching" row is a duplicate, a lost opt-out a broken promise
            "foreign_keys=ON",
            "secure_delete=ON",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "temp_store=MEMORY",
            "cache_size=-32000",
            "recursive_triggers=ON",  # so that INSERT OR REPLACE cannot slip past a DELETE trigger
        ):
            connection.execute(f"PRAGMA {pragma}")
        connection.create_function("unicode_lower", 1, _lower, deterministic=True)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get("broadcaster_reading")
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


#: Short statements that look rows up by id, on disks that seek for nothing: compiling or reading whole tables never
#: pays.
_POSTGRES_OPTIONS = "-c timezone=UTC -c lock_timeout=10s -c random_page_cost=1.1 -c jit=off"


def _postgres_engine(url: str, pool_size: int) -> Engine:
    return create_engine(
        url,
        pool_size=pool_size,
        max_overflow=10,
        pool_pre_ping=False,
        pool_recycle=1800,
        hide_parameters=True,
        json_deserializer=orjson.loads,
        connect_args={"connect_timeout": 5, "options": _POSTGRES_OPTIONS},
    )


def sql(statement: str, *times: str) -> TextClause:
    """Return *statement* with the parameters named in *times* bound as aware UTC."""
    return text(statement).bindparams(*(bindparam(name, type_=UTCDateTime()) for name in times))


_LEASE = sql(
    "INSERT INTO lease (name, owner, until) VALUES (:name, :owner, :until) "
    "ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until "
    "WHERE lease.owner = excluded.owner OR lease.until < :now RETURNING name",
    "until",
    "now",
)


def take_lease(session: Session, database: Database, name: str, *, owner: str, seconds: float) -> bool:
    """Take or renew the lease *name* for *seconds* by the database's clock; False if another holds it."""
    now = database.now(session)
    values = {"name": name, "owner": owner, "until": now + timedelta(seconds=seconds), "now": now}
    return session.connection().execute(_LEASE, values).first() is not None


def allocate(session: Session, table: str, count: int) -> Sequence[int]:
    """Reserve *count* ids of *table*, ascending; nobody else gets them, also when they are used much later or never.

    SQLite keeps the counter of AUTOINCREMENT tables beside them, PostgreSQL in a sequence.
    """
    connection = session.connection()
    if not count:
        return ()
    if connection.dialect.name == "sqlite":
        counter = {"table": table, "count": count}
        last = connection.execute(text(_COUNT_ON), counter).scalar()
        if last is None:
            connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :count)"), counter)
            last = count
        return range(last - count + 1, last + 1)
    query = text("SELECT array_agg(nextval(pg_get_serial_sequence(:table, 'id'))) FROM generate_series(1, :count)")
    ids: list[int] = connection.execute(query, {"table": table, "count": count}).scalar_one()
    # nextval of others may fall in between; without, the two ends say it all
    return range(ids[0], ids[-1] + 1) if ids[-1] - ids[0] + 1 == count else ids


_COUNT_ON = "UPDATE sqlite_sequence SET seq = seq + :count WHERE name = :table RETURNING seq"


def array(values: Sequence[Any]) -> str:
    """Return numbers, texts, bytes or None as PostgreSQL writes an array; the statement casts it to its type.

    The driver's own way asks each element for its type first, which costs more than all the rest of a short statement.
    """
    kinds = set(map(type, values))
    if kinds == {int}:
        return f"{{{','.join(map(str, values))}}}"
    if kinds == {bytes}:
        return "{" + ",".join([f'"\\\\x{value.hex()}"' for value in values]) + "}"
    return "{" + ",".join([_element(value) for value in values]) + "}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def id_list(session: Session, ids: Sequence[int]) -> Any:
    """Return *ids* as the parameter that ``any_id`` expects: an array on PostgreSQL, JSON text on SQLite."""
    numbers = ",".join(map(str, ids))
    return f"{{{numbers}}}" if session.connection().dialect.name == "postgresql" else f"[{numbers}]"


def any_id(session: Session, parameter: str = "ids") -> str:
    """Return the SQL that tests a column against ``id_list``, to follow the column's name."""
    if session.connection().dialect.name == "postgresql":
        return f"= ANY(CAST(:{parameter} AS bigint[]))"
    return f"IN (SELECT value FROM json_each(:{parameter}))"
