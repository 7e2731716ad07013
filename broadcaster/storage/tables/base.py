"""Column helpers shared by all tables: ids, references, closed vocabularies, JSON."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

#: SQLite counts up only an INTEGER primary key; PostgreSQL needs 64 bits.
BigId = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON().with_variant(JSONB(), "postgresql")

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata: MetaData = SQLModel.metadata


def pk() -> Any:
    """Return a 64-bit primary key that counts up."""
    return Field(default=None, sa_column=Column(BigId, primary_key=True, autoincrement=True))


#: For tables whose ids ``database.allocate`` gives: SQLite then keeps a counter, and an id is given once only.
COUNTED = {"sqlite_autoincrement": True}
#: For tables whose key is several columns: SQLite keeps the row in the key's tree, not in one of its own beside it.
CLUSTERED = {"sqlite_with_rowid": False}


def ref(target: str, *, null: bool = False, index: bool = False, primary_key: bool = False) -> Any:
    """Return a foreign key column to *target* (``table.column``)."""
    kind = BigId if primary_key else BigInteger()
    column = Column(
        kind, ForeignKey(target), nullable=null, index=index or None, primary_key=primary_key, autoincrement=False
    )
    return Field(default=None, sa_column=column) if null else Field(sa_column=column)


def number(*, null: bool = False, index: bool = False) -> Any:
    """Return a 64-bit integer column: an id whose existence something else guarantees."""
    column = Column(BigInteger, nullable=null, index=index or None)
    return Field(default=None, sa_column=column) if null else Field(sa_column=column)


def blob(*, null: bool = False, unique: bool = False) -> Any:
    """Return a column of raw bytes."""
    column = Column(LargeBinary, nullable=null, unique=unique or None)
    return Field(default=None, sa_column=column) if null else Field(sa_column=column)


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """Return an index of the rows for which *where* holds: cheap when few rows are in that state."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


def json_column() -> Any:
    """Return a JSON column (JSONB on PostgreSQL) that is ``{}`` unless given."""
    return Field(default_factory=dict, sa_column=Column(Json, nullable=False))


def one_of(column: str, values: type[StrEnum] | Iterable[str], *, null: bool = False) -> CheckConstraint:
    """Return a CHECK that *column* holds one of *values*."""
    words = ", ".join(f"'{value}'" for value in sorted(values))
    rule = f"{column} IN ({words})"
    return CheckConstraint(f"{column} IS NULL OR {rule}" if null else rule, name=column)
