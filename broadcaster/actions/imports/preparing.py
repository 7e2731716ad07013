"""Turn a file into chunks of rows that are parsed and have the keyed hashes that find them.

For a file of some size this runs in a helper process of its own, so that reading and writing use two cores.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from broadcaster.actions.imports import files
from broadcaster.actions.imports.files import Format
from broadcaster.core import finding
from broadcaster.core.errors import BroadcasterError, Unavailable
from broadcaster.core.import_columns import Mapping, check_header
from broadcaster.core.imports import Catalogue, Row, RowReader
from broadcaster.core.keys import KeyRing

CHUNK_ROWS = 2000
#: Below this many bytes a second process costs more than it brings.
HELPER_BYTES = 1_000_000


class Prepared(NamedTuple):
    """A row with the keyed hashes that find it."""

    row: Row
    digests: tuple[bytes, ...]
    words: tuple[int, ...]
    external: bytes | None


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
    # not a fork: threads and connections are about; not multiprocessing's spawn: it would load the whole program
    code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as helper:
        assert helper.stdin is not None
        assert helper.stdout is not None
        here = Connection(os.dup(helper.stdout.fileno()), writable=False)
        try:
            with Connection(os.dup(helper.stdin.fileno()), readable=False) as asking:
                asking.send(job)
            yield from _received(here)
        finally:
            here.close()
            helper.kill()


def _received(pipe: Connection) -> Iterator[list[Prepared]]:
    while True:
        try:
            told = pipe.recv()
        except (EOFError, OSError):
            raise Unavailable("The process that reads the file ended; start the import again.") from None
        if told is None:
            return
        if isinstance(told, BroadcasterError):
            raise told
        yield told


def serve() -> None:
    """Be the helper: read a job from standard input, write its chunks to standard output, then None or an error."""
    gc.disable()  # nothing here refers in circles, and a million rows make it look a thousand times
    pipe = Connection(os.dup(1), readable=False)
    with Connection(os.dup(0), writable=False) as asked:
        job: Job = asked.recv()
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
        scope = scopes.setdefault(address.channel, finding.address_scope(address.channel, None))
        digests.append(ring.blind_index(scope, address.value))
    words = tuple({finding.word_hash(ring, word) for word in finding.words_of(row.fields)})
    number = row.fields.get("external_id")
    return Prepared(row, tuple(digests), words, finding.external_digest(ring, number) if number else None)
