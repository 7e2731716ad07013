"""Read the rows of a file: parsed, judged by the rules of an import, with the keyed hashes that find them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from broadcaster.actions.imports import files
from broadcaster.actions.imports.files import Format, Record
from broadcaster.core import finding
from broadcaster.core.import_columns import Mapping, check_header
from broadcaster.core.imports import Catalogue, Row, RowReader
from broadcaster.core.keys import KeyRing
from broadcaster.core.law.ends import Ends

#: Rows of one transaction: a third of a second on SQLite, where whoever sends waits for it.
CHUNK_ROWS = 1500


class Prepared(NamedTuple):
    """A row with the keyed hashes that find it; of each value under every index key, the current one first."""

    row: Row
    digests: tuple[tuple[bytes, ...], ...]  #: of each address
    words: tuple[int, ...]
    externals: tuple[bytes, ...]  #: of the customer number

    def finders(self) -> tuple[bytes, ...]:
        """Return all that may find somebody known."""
        return (*(one for digests in self.digests for one in digests), *self.externals)


@dataclass(frozen=True, slots=True)
class Job:
    """All that reading a file needs; no database."""

    path: Path
    format: Format
    mapping: Mapping
    catalogue: Catalogue
    paths: dict[int, tuple[int, ...]]  #: of each purpose, itself and those above it
    keys: KeyRing = field(repr=False)
    now: datetime
    ends: Ends = field(default_factory=Ends)
    import_id: int = 0
    sha256: str = ""
    staff_id: int | None = None
    skip: int = 0  #: rows that were taken before
    chunk_rows: int = CHUNK_ROWS


class Reader:
    """Reads the records of one file."""

    def __init__(self, job: Job) -> None:
        places = check_header(job.format.header, job.mapping)
        self._rows = RowReader(places, len(job.format.header), job.mapping, job.catalogue, job.now)
        self._ring = job.keys
        self._scope = lru_cache(maxsize=64)(lambda channel: finding.address_scope(channel, None))
        self._word = lru_cache(maxsize=20_000)(lambda word: finding.word_hash(job.keys, word))

    def read(self, record: Record) -> Prepared:
        """Return what a record says. Never raises for what is in it."""
        row = self._rows.read(*record)
        digests = tuple([self._ring.blind_indexes(self._scope(one.channel), one.value) for one in row.addresses])
        words = tuple({self._word(word) for word in finding.words_of(row.fields)})
        number = row.fields.get("external_id")
        return Prepared(row, digests, words, finding.external_digests(self._ring, number) if number else ())


def parts(job: Job) -> Iterator[list[Record]]:
    """Yield the records that are left, a chunk at a time; ``files.count`` has checked the file."""
    part: list[Record] = []
    for record in files.records(job.path, job.format, checked=True):
        if record.number <= job.skip:
            continue
        part.append(record)
        if len(part) >= job.chunk_rows:
            yield part
            part = []
    if part:
        yield part
