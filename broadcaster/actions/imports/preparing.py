"""Turn a file into chunks of rows that are parsed and have the keyed hashes that find them.

For a file of some size this runs in a helper process of its own, so that reading and writing use two cores.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path

from broadcaster.actions.imports import files
from broadcaster.actions.imports.files import Format
from broadcaster.actions.imports.plan import Prepared
from broadcaster.core.errors import BroadcasterError, Unavailable
from broadcaster.core.import_columns import Mapping, check_header
from broadcaster.core.imports import Catalogue, Row, RowReader
from broadcaster.core.keys import KeyRing
from broadcaster.storage import contacts, people

CHUNK_ROWS = 2000
#: Below this many bytes a second process costs more than it brings.
HELPER_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Job:
    """All that reading a file needs; no database."""

    path: Path
    format: Format
    mapping: Mapping
    catalogue: Catalogue
    keys: KeyRing = field(repr=False)
    now: datetime
    skip: int = 0  #: rows that were taken before
    chunk_rows: int = CHUNK_ROWS


def chunks(job: Job) -> Iterator[list[Prepared]]:
    """Yield chunks of prepared rows; in another process if the file is large."""
    if job.path.stat().st_size < HELPER_BYTES:
        yield from _prepare(job)
        return
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    helper = context.Process(target=_produce, args=(there, job), daemon=True)
    helper.start()
    there.close()
    try:
        yield from _received(here)
    finally:
        here.close()
        helper.join(timeout=5)
        if helper.is_alive():
            helper.terminate()
            helper.join()
        helper.close()


def _received(pipe: Connection) -> Iterator[list[Prepared]]:
    while True:
        try:
            told = pipe.recv()
        except EOFError:
            raise Unavailable("The process that reads the file ended; start the import again.") from None
        if told is None:
            return
        if isinstance(told, BroadcasterError):
            raise told
        yield told


def _produce(pipe: Connection, job: Job) -> None:
    """Run in the helper: send chunks, then None, or the error that ended it."""
    try:
        try:
            for chunk in _prepare(job):
                pipe.send(chunk)
            pipe.send(None)
        except BroadcasterError as problem:
            pipe.send(problem)
    except (BrokenPipeError, KeyboardInterrupt):
        return  # nobody wants the rest


def _prepare(job: Job) -> Iterator[list[Prepared]]:
    places = check_header(job.format.header, job.mapping)
    reader = RowReader(places, len(job.format.header), job.mapping, job.catalogue, job.now)
    scopes: dict[str, bytes] = {}
    chunk: list[Prepared] = []
    for record in files.records(job.path, job.format):
        if record.number <= job.skip:
            continue
        chunk.append(_prepared(job.keys, reader.read(*record), scopes))
        if len(chunk) >= job.chunk_rows:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _prepared(ring: KeyRing, row: Row, scopes: dict[str, bytes]) -> Prepared:
    digests = []
    for address in row.addresses:
        scope = scopes.setdefault(address.channel, people.address_scope(address.channel, None))
        digests.append(ring.blind_index(scope, address.value))
    words = tuple({contacts.word_hash(ring, word) for word in contacts.words_of(row.fields)})
    number = row.fields.get("external_id")
    return Prepared(row, tuple(digests), words, contacts.external_digest(ring, number) if number else None)
