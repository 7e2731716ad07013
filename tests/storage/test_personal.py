"""Every column says what it holds of a person."""

from __future__ import annotations

import pytest

from broadcaster.storage import personal
from broadcaster.storage.personal import HOLDINGS
from broadcaster.storage.tables import metadata


@pytest.mark.parametrize("table", sorted(metadata.tables))
def test_every_column_is_declared(table: str) -> None:
    """A new column must say what an erasure does to it before it can hold anything."""
    assert HOLDINGS[table].columns == {column.name for column in metadata.tables[table].columns}


def test_nothing_is_declared_that_is_not_there() -> None:
    assert HOLDINGS.keys() == metadata.tables.keys()


def test_no_column_is_declared_twice() -> None:
    for table, holding in HOLDINGS.items():
        parts = (holding.kept, frozenset(holding.blanked), holding.gone, holding.key)
        assert sum(map(len, parts)) == len(holding.columns), table


def test_what_is_encrypted_or_looked_up_by_hash_never_stays() -> None:
    """The staff's own columns are not a contact's, nor are an account's credentials."""
    kept = {
        f"{table}.{column}"
        for table, holding in HOLDINGS.items()
        for column in holding.kept
        if column.endswith(("_ct", "digest")) or column == "salt"
    }
    assert kept == {"account.secrets_ct", "staff.email_ct", "staff.name_ct", "staff.email_digest", "suppression.digest"}


def test_a_table_whose_rows_must_stay_is_not_deleted_from() -> None:
    with pytest.raises(ValueError, match="not deleted"):
        personal.delete("delivery", "1 = 1")
