"""Turn a file into chunks that need only be written: read, planned and sealed as if nobody in them were known.

Most rows of a file are about somebody new. So all that takes time happens before the database is asked, for a file of
some size in a helper process of its own; the writer takes out the rows that meet somebody known (``Chunk.split``) and
decides about those itself.
"""

from __future__ import annotations

import gc
import itertools
import marshal
import os
import pickle
import queue
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from broadcaster.actions.imports.files import Record
from broadcaster.actions.imports.judging import Judge
from broadcaster.actions.imports.plan import Planner
from broadcaster.actions.imports.reading import Job, Reader, parts
from broadcaster.actions.imports.report import Reject, Report
from broadcaster.actions.imports.sealing import Sealer, Stock, Tables, Verdict
from broadcaster.core.errors import BroadcasterError, Unavailable
from broadcaster.core.import_known import Known
from broadcaster.core.sealing import COLUMNS

#: Below this many bytes a second process costs more than it brings.
HELPER_BYTES = 1_000_000
#: Chunks that may be under way between a helper and the writer, beside the one it makes.
_AHEAD = 1
#: How many such processes: with the writer, which mostly waits for the disk, they fill two cores.
HELPERS = 2

#: Gives the ids of the next chunk; None: the chunks are for looking only, nothing is sealed.
Stocks = Callable[[], Stock] | None


@dataclass(slots=True)
class Chunk:
    """A part of a file. ``owners`` says of each new contact and address which line named it first."""

    records: Callable[[], list[Record]]  #: seldom asked for: opened only then
    last: int  #: the number of the last record
    finders: list[tuple[bytes, ...]]  #: of each record
    report: Report
    rejects: list[Reject]
    tables: Tables
    owners: dict[str, list[int]]

    def split(self, known: Collection[bytes], reader: Reader, job: Job) -> list[Record]:
        """Take out the records that *known* hashes find, and those that share somebody with them; return them."""
        found, lines = set(known), set[int]()
        while True:
            more = [n for n, one in enumerate(self.finders) if n not in lines and not found.isdisjoint(one)]
            if not more:
                break
            lines.update(more)
            found.update(*[self.finders[n] for n in more])
        told = self.records() if lines else []
        out = [told[n] for n in sorted(lines)]
        if out:
            self.report.add(plan(out, reader, job, None).report, times=-1)
            self._drop({record.line for record in out})
        return out

    def _drop(self, lines: set[int]) -> None:
        self.rejects = [reject for reject in self.rejects if reject.line not in lines]
        gone = {
            table: {
                row[0]
                for row, line in zip(self.tables.get(table, ()), self.owners[table], strict=False)
                if line in lines
            }
            for table in ("address", "contact")
        }
        key_ids = {
            row[COLUMNS[table].index("key_id")]
            for table, ids in gone.items()
            for row in self.tables.get(table, ())
            if row[0] in ids
        }
        address_of = COLUMNS["consent_event"].index("address_id")
        events = {row[0] for row in self.tables.get("consent_event", ()) if row[address_of] in gone["address"]}
        by_column = {"contact_id": gone["contact"], "address_id": gone["address"], "event_id": events}
        own = {"person_key": key_ids, "address": gone["address"], "contact": gone["contact"], "consent_event": events}
        for table, rows in self.tables.items():
            columns = COLUMNS[table]
            name = next((one for one in by_column if one in columns and table not in own), "id")
            at, ids = columns.index(name), own.get(table) or by_column.get(name, set())
            self.tables[table] = [row for row in rows if row[at] not in ids]


def plan(records: Iterable[Record], reader: Reader, job: Job, stock: Stock | None) -> Chunk:
    """Plan *records* as if nobody in them were known; seal them if there are ids."""
    report, told = Report(), list(records)
    planner = Planner(Known(), report, import_id=job.import_id, existing=job.mapping.existing)
    finders = []
    for record in told:
        prepared = reader.read(record)
        planner.add(prepared)
        finders.append(prepared.finders())
    made, now = planner.plan, stock.at if stock else job.now
    judge = Judge({}, job.paths, job.import_id, now, report, made.rejects, job.ends)
    verdicts: list[Verdict] = [(act, *verdict) for act in made.acts if (verdict := judge.judge(act)) is not None]
    tables: Tables = {}
    if stock is not None:
        sealer = Sealer(job.keys, job.catalogue, job.import_id, job.sha256, job.staff_id, secrets.token_bytes)
        tables = sealer.seal(made, verdicts, judge, stock)
    for place in made.places:
        place.people.clear()  # the one circle: without it memory is given back at once
    owners = {"address": [one.line for one in made.places], "contact": [one.line for one in made.people]}
    return Chunk(lambda: told, told[-1].number, finders, report, made.rejects, tables, owners)


def chunks(job: Job, stocks: Stocks) -> Iterator[Chunk]:
    """Yield the chunks of a file; made in another process if the file is large."""
    if job.path.stat().st_size < HELPER_BYTES:
        reader = Reader(job)
        for part in parts(job):
            yield plan(part, reader, job, stocks() if stocks else None)
        return
    with ExitStack() as stack:
        helpers = [stack.enter_context(closing(Helper(job, turn, stocks))) for turn in range(HELPERS)]
        for turn in itertools.count():
            chunk = helpers[turn % HELPERS].next()
            if chunk is None:
                return
            yield chunk


class Helper:
    """A process of its own that makes every ``HELPERS``-th chunk of a file."""

    def __init__(self, job: Job, turn: int, stocks: Stocks) -> None:
        # not a fork: threads and connections are about; not multiprocessing's spawn: it would load the whole program
        code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import serve; serve({turn})"
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._here = Connection(os.dup(self._process.stdout.fileno()), writable=False)
        self._asking = Connection(os.dup(self._process.stdin.fileno()), readable=False)
        self._stocks = stocks
        self._arrived: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=_listen, args=(self._here, self._arrived), daemon=True).start()
        self._asking.send(job)
        for _ in range(_AHEAD):
            self._grant()

    def next(self) -> Chunk | None:
        """Wait for the next chunk, None at the end. Raises what the reading raised, Unavailable if the process died."""
        blob = self._arrived.get()
        if not blob:
            raise Unavailable("The process that reads the file ended; start the import again.")
        kind, told = marshal.loads(blob)  # noqa: S302 - our own process wrote it
        if kind == "chunk":
            self._grant()
            return _unpacked(told)
        if kind == "error":
            raise pickle.loads(told)  # noqa: S301 - our own process wrote it
        return None

    def _grant(self) -> None:
        """Give ids: they are what lets it go on, never more than ``_AHEAD`` chunks ahead."""
        try:
            self._asking.send(self._stocks() if self._stocks else None)
        except OSError:
            pass  # it has nothing more to do, or has ended: its last word says which

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
        self._here.close()
        self._asking.close()


@contextmanager
def no_collection() -> Iterator[None]:
    """Keep the collector from looking for circles among thousands of new tuples, which have none."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _listen(here: Connection, arrived: queue.SimpleQueue[bytes]) -> None:
    """Take chunks off the pipe while the writer is at work; nothing at all at the end."""
    try:
        while True:
            arrived.put(here.recv_bytes())
    except (EOFError, OSError):
        arrived.put(b"")


def _packed(chunk: Chunk) -> tuple[Any, ...]:
    records = marshal.dumps([tuple(one) for one in chunk.records()])
    rejects = [tuple(one) for one in chunk.rejects]
    return (records, chunk.last, chunk.finders, chunk.report.as_json(), rejects, chunk.tables, chunk.owners)


def _unpacked(told: tuple[Any, ...]) -> Chunk:
    records, last, finders, report, rejects, tables, owners = told
    return Chunk(
        lambda: [Record(*one) for one in marshal.loads(records)],  # noqa: S302 - as above
        last,
        finders,
        Report.from_json(report),
        [Reject(*one) for one in rejects],
        tables,
        owners,
    )


def serve(turn: int) -> None:
    """Be a helper: read a job and then stocks from standard input, write every so many-th chunk to standard output."""
    gc.disable()  # nothing here refers in circles, and a million rows make it look a thousand times
    pipe = Connection(os.dup(1), readable=False)
    asked = Connection(os.dup(0), writable=False)
    try:
        job: Job = asked.recv()
        try:
            reader = Reader(job)
            for part in itertools.islice(parts(job), turn, None, HELPERS):
                pipe.send_bytes(marshal.dumps(("chunk", _packed(plan(part, reader, job, asked.recv())))))
            pipe.send_bytes(marshal.dumps(("end", None)))
        except BroadcasterError as problem:
            pipe.send_bytes(marshal.dumps(("error", pickle.dumps(problem))))
    except (BrokenPipeError, EOFError, KeyboardInterrupt):
        return  # nobody wants the rest
