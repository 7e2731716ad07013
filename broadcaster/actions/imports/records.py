"""Read about imports: the list, what was not taken, saved mappings, and run what is waiting."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import IO

from broadcaster.actions.imports import jobs
from broadcaster.actions.imports.jobs import Progress, Watch
from broadcaster.actions.imports.report import Reject, Report
from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import Conflict, InvalidInput
from broadcaster.core.import_codes import explain
from broadcaster.core.import_columns import Mapping, fold, read_mapping
from broadcaster.storage import imports as rows
from broadcaster.storage.database import take_lease
from broadcaster.storage.tables import ImportJob

_LEASE_SECONDS = 60.0
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class ImportView:
    """One import as a list shows it."""

    id: int
    name: str
    state: str
    rows_total: int | None
    rows_done: int
    report: Report
    error: str
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, row: ImportJob) -> ImportView:
        report = Report.from_json(row.counts)
        told = (row.id, row.name, row.state, row.rows_total, row.cursor)
        return cls(*told, report, row.error, row.created_at, row.finished_at)


def listing(runtime: Runtime, *, before: int | None = None, limit: int = 50) -> list[ImportView]:
    """Return imports, newest first."""
    with runtime.db.reading() as session:
        return [ImportView.of(row) for row in rows.jobs(session, before=before, limit=limit)]


def one(runtime: Runtime, import_id: int) -> ImportView:
    """Return one import. Raises NotFound."""
    with runtime.db.reading() as session:
        return ImportView.of(rows.job(session, import_id))


def rejects(runtime: Runtime, import_id: int, *, page: int = 2000) -> Iterator[Reject]:
    """Yield what was not taken, in order of lines; constant memory. Raises NotFound."""
    one(runtime, import_id)
    after = (0, 0)
    while True:
        with runtime.db.reading() as session:
            found = rows.reject_page(session, import_id, after=after, limit=page)
        for row in found:
            yield Reject(row.line, row.field, row.code, row.refused)
        if len(found) < page:
            return
        after = (found[-1].line, found[-1].id)


@dataclass(frozen=True, slots=True)
class RejectWords:
    """The words of the file of what was not taken, in the language of whoever reads it."""

    header: Sequence[str] = ("line", "field", "code", "refused", "message")
    row: str = "row"
    value: str = "value"
    explain: Callable[[str], str] = explain


def write_rejects(
    told: Iterator[Reject] | Sequence[Reject], file: IO[str], *, words: RejectWords = RejectWords()
) -> int:
    """Write them as CSV (line, field, code, refused, message), never a value of a row; return how many."""
    writer = csv.writer(file)
    writer.writerow(words.header)
    count = 0
    for reject in told:
        refused = words.row if reject.refused else words.value
        writer.writerow([reject.line, _harmless(reject.field), reject.code, refused, words.explain(reject.code)])
        count += 1
    return count


def _harmless(text: str) -> str:
    """Keep a spreadsheet from running *text*."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def save_mapping(runtime: Runtime, name: str, mapping: Mapping) -> int:
    """Keep a mapping under a name, in place of an older one of that name; return its id."""
    with runtime.db.transaction() as session:
        now = runtime.db.now(session)
        return rows.put_mapping(session, name.strip()[:100] or "mapping", mapping.model_dump(mode="json"), now=now)


def mappings(runtime: Runtime) -> list[tuple[int, str, Mapping]]:
    """Return saved mappings (id, name, mapping) by name."""
    with runtime.db.reading() as session:
        return [(row.id, row.name, read_mapping(row.mapping)) for row in rows.saved_mappings(session)]


def mapping_for(runtime: Runtime, header: Sequence[str]) -> tuple[str, Mapping] | None:
    """Return the saved mapping that fits a header, the one that uses most of its columns."""
    names = {fold(name) for name in header}
    fitting = [
        (len(mapping.used_columns()), name, mapping)
        for _, name, mapping in mappings(runtime)
        if {fold(column) for column in mapping.used_columns()} <= names
    ]
    best: tuple[int, str, Mapping] | None = max(fitting, key=lambda one: (one[0], one[1]), default=None)
    return None if best is None else (best[1], best[2])


def hold(runtime: Runtime, import_id: int) -> None:
    """Take or renew this process's lease on an import. Raises Conflict ``import_running``."""
    with runtime.db.transaction() as session:
        owner = runtime.db.owner
        if not take_lease(session, runtime.db, f"import:{import_id}", owner=owner, seconds=_LEASE_SECONDS):
            raise Conflict("Another process works on this import.", code="import_running")


def run_held(runtime: Runtime, import_id: int, *, actor: str, watch: Watch) -> Report:
    """Run a started import while nobody else may. Raises what ``jobs.run`` raises."""
    hold(runtime, import_id)

    def renew(progress: Progress) -> None:
        hold(runtime, import_id)
        watch(progress)

    return jobs.run(runtime, import_id, actor=actor, watch=renew)


def finish(runtime: Runtime, import_id: int, *, actor: str, watch: Watch) -> Report:
    """See a started import to its end: run it in this process, or look on if a worker was faster.

    Raises what ``jobs.run`` and ``look`` raise.
    """
    while True:
        try:
            return run_held(runtime, import_id, actor=actor, watch=watch)
        except Conflict:
            if (report := look(runtime, import_id, watch=watch)) is not None:
                return report
        time.sleep(_LOOK_SECONDS)


def look(runtime: Runtime, import_id: int, *, watch: Watch) -> Report | None:
    """Return the report of an import that a worker has finished, None while it runs.

    Raises InvalidInput with what the worker said of a file it could not read, Conflict ``import_ended``.
    """
    told = one(runtime, import_id)
    match told.state:
        case "running":
            watch(Progress(told.rows_done, told.rows_total or 0, 0.0))
            return None
        case "finished":
            return told.report
        case "failed":
            raise InvalidInput(told.error, code="import_failed")
        case _:
            raise Conflict("This import is not running.", code="import_ended")


def run_waiting(runtime: Runtime) -> int:
    """Run imports that were started and have not ended, one process at a time; return how many ended.

    For the worker: after a kill the next worker goes on once the lease has run out.
    """
    ended = 0
    with runtime.db.reading() as session:
        waiting = rows.running_jobs(session)
    for import_id, actor in waiting:
        with suppress(Conflict):
            run_held(runtime, import_id, actor=actor, watch=jobs.no_watch)
            ended += 1
    return ended
