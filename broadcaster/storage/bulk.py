"""Many rows at once, past the object layer: ``executemany`` on SQLite, COPY on PostgreSQL.

SQLAlchemy's own bulk insert spends more time on each row than the database does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
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
    told = [n for n, values in enumerate(zip(*rows, strict=True)) if values.count(None) < len(values)]
    if 1 < len(told) < len(columns):
        rows = list(map(itemgetter(*told), rows))
    else:
        told = list(range(len(columns)))
    statement = f"INSERT INTO {table} ({', '.join(columns[n] for n in told)}) VALUES"
    one = f"({', '.join('?' * len(told))})"
    whole = len(rows) - len(rows) % _TOGETHER
    if whole:
        blocks = [tuple(chain.from_iterable(rows[at : at + _TOGETHER])) for at in range(0, whole, _TOGETHER)]
        connection.exec_driver_sql(f"{statement} {', '.join([one] * _TOGETHER)}", blocks)
    if whole < len(rows):
        connection.exec_driver_sql(f"{statement} {one}", list(rows[whole:]))


def in_chunks(session: Session, query: str, values: Iterable[Any]) -> Iterator[Any]:
    """Run *query*, which ends in ``IN``, over *values* of one type, some hundreds at a time; yield plain rows."""
    wanted = list(values)
    connection = session.connection()
    mark = "?" if is_sqlite(session) else "%s"
    for start in range(0, len(wanted), 1000):
        part = wanted[start : start + 1000]
        marks = ", ".join([mark] * len(part))
        yield from connection.exec_driver_sql(f"{query} ({marks})", tuple(part))
