"""Many rows at once, past the object layer: ``executemany`` on SQLite, COPY on PostgreSQL.

SQLAlchemy's own bulk insert spends more time on each row than the database does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection
from sqlmodel import Session

from broadcaster.storage.database import note_written


def is_sqlite(session: Session) -> bool:
    return session.connection().dialect.name == "sqlite"


def insert_rows(session: Session, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert *rows* of plain values: times as ``stored`` makes them, JSON as text. The caller writes the log event."""
    if not rows:
        return
    connection = session.connection()
    if is_sqlite(session):
        _insert_many(connection, table, columns, rows)
        return
    names = ", ".join(columns)
    # COPY is no statement that the listener sees: say what it writes to
    note_written(connection, frozenset({table}))
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


#: Rows in one statement on SQLite: its fixed cost is shared, more brings nothing.
_TOGETHER = 20


def _insert_many(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert; a column that is empty in every row is left out, as each value costs the driver something."""
    values = list(zip(columns, zip(*rows, strict=True), strict=True))
    used = [(name, told) for name, told in values if told[0] is not None or told.count(None) < len(told)] or values[:1]
    statement = f"INSERT INTO {table} ({', '.join(name for name, _ in used)}) VALUES"
    one = f"({', '.join('?' * len(used))})"
    flat, width = list(chain.from_iterable(zip(*[told for _, told in used], strict=True))), len(used)
    step = _TOGETHER * width
    whole = len(flat) - len(flat) % step
    if whole:
        blocks = [tuple(flat[at : at + step]) for at in range(0, whole, step)]
        connection.exec_driver_sql(f"{statement} {', '.join([one] * _TOGETHER)}", blocks)
    if whole < len(flat):
        rest = [tuple(flat[at : at + width]) for at in range(whole, len(flat), width)]
        connection.exec_driver_sql(f"{statement} {one}", rest)


def in_chunks(session: Session, query: str, values: Iterable[Any]) -> Iterator[Any]:
    """Run *query*, which ends in ``IN``, over *values* of one type, some hundreds at a time; yield plain rows."""
    wanted = list(values)
    connection = session.connection()
    mark = "?" if is_sqlite(session) else "%s"
    for start in range(0, len(wanted), 1000):
        part = wanted[start : start + 1000]
        marks = ", ".join([mark] * len(part))
        yield from connection.exec_driver_sql(f"{query} ({marks})", tuple(part))
