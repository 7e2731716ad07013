"""Import jobs: take a file in, look at it, try it out, run it to its end, and go on where it stopped."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from sqlmodel import Session

from broadcaster.actions import consent as consents
from broadcaster.actions import lawful
from broadcaster.actions.consent import Recorded
from broadcaster.actions.imports import files, uploads
from broadcaster.actions.imports.files import Format
from broadcaster.actions.imports.judging import Judge
from broadcaster.actions.imports.plan import ChunkPlan, Planner
from broadcaster.actions.imports.preparing import Chunk, chunks, no_collection
from broadcaster.actions.imports.reading import CHUNK_ROWS, Job, Prepared, Reader
from broadcaster.actions.imports.report import Reject, Report
from broadcaster.actions.imports.seen import Seen
from broadcaster.actions.imports.writing import Writer, reserve
from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import Conflict, InvalidInput
from broadcaster.core.event_types import ImportProgress
from broadcaster.core.import_columns import ConsentRule, Mapping, check_header, read_mapping, suggest
from broadcaster.core.import_known import Known
from broadcaster.core.imports import Catalogue, check_mapping
from broadcaster.storage import consent as ledger
from broadcaster.storage import imports as rows
from broadcaster.storage import log
from broadcaster.storage.tables import ImportJob

SAMPLE_ROWS = 10
MAX_EXAMPLES = 200


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is; ``rate`` is rows per second since this process began."""

    done: int
    total: int
    rate: float


Watch = Callable[[Progress], None]


def no_watch(_progress: Progress) -> None:
    """Watch nothing."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file looks like, and how we would read it; the sample is shown and never stored."""

    format: Format
    sample: tuple[tuple[str, ...], ...]
    columns: dict[str, str]
    consent: ConsentRule | None


@dataclass(frozen=True, slots=True)
class DryRun:
    """What an import would do; ``rejects`` are the first ones."""

    report: Report
    rejects: tuple[Reject, ...]


def upload(runtime: Runtime, source: IO[bytes] | Path, *, name: str, actor: str) -> int:
    """Take a file in and return the import's id. Raises InvalidInput ``not_a_file``, ``file_size``."""
    kept = uploads.keep(runtime, source)
    try:
        with runtime.db.transaction(actor) as session:
            now = runtime.db.now(session)
            job = ImportJob(
                name=uploads.shown_name(name),
                path=kept.path,
                sha256=kept.sha256,
                bytes_total=kept.size,
                staff_id=rows.staff_of(actor),
                created_at=now,
            )
            session.add(job)
            session.flush()
            log.record(session, ImportProgress(import_id=job.id, verb="uploaded"), at=now)
            return job.id
    except BaseException:
        uploads.forget(runtime, kept.path)
        raise


def path_of(runtime: Runtime, import_id: int) -> Path:
    """Return where the file of an import is. Raises NotFound, Conflict ``import_ended`` when it is gone."""
    with runtime.db.reading() as session:
        path = rows.job(session, import_id).path
    if not path or not (runtime.home / path).is_file():
        raise Conflict("This import has ended; its file is gone.", code="import_ended")
    return runtime.home / path


def preview(
    path: Path, *, purpose: str | None = None, delimiter: str | None = None, encoding: str | None = None
) -> Preview:
    """Return what is in a file and the mapping its header suggests. Raises InvalidInput as ``files.inspect``."""
    found = files.inspect(path, delimiter=delimiter, encoding=encoding)
    sample: list[tuple[str, ...]] = []
    for record in files.records(path, found):
        sample.append(tuple(record.cells))
        if len(sample) >= SAMPLE_ROWS:
            break
    columns, rule = suggest(found.header, purpose=purpose)
    return Preview(found, tuple(sample), columns, rule)


def dry_run(
    runtime: Runtime,
    path: Path,
    found: Format,
    mapping: Mapping,
    *,
    watch: Watch = no_watch,
    chunk_rows: int = CHUNK_ROWS,
) -> DryRun:
    """Return what importing *path* would change; nothing is written, not even a job."""
    report, examples, seen = Report(), list[Reject](), Seen()
    with runtime.db.reading() as session:
        job = _job(runtime, session, path, found, mapping, chunk_rows=chunk_rows)
    total = files.count(path, found)
    started, reader = time.monotonic(), Reader(job)
    for chunk in chunks(job, None):
        with runtime.db.reading() as session:
            rest, known = _known(runtime, session, chunk, reader, job, seen)
            plan = _plan(rest, known, report, job, seen=seen)
            judge = _judge(session, plan, job, report)
        for act in plan.acts:
            judge.judge(act)
        for one in chunk.finders:
            for digest in one:
                seen.add(digest)
        report.add(chunk.report)
        found_out = sorted([*chunk.rejects, *plan.rejects])
        examples.extend(found_out[: MAX_EXAMPLES - len(examples)])
        _tell(watch, report.rows, total, started, 0)
    return DryRun(report, tuple(examples))


def start(runtime: Runtime, import_id: int, found: Format, mapping: Mapping, *, actor: str) -> None:
    """Check the whole file and mark the import as running; ``run`` does the work.

    Raises InvalidInput for a file that cannot be read to its end: nothing is taken from it.
    """
    path = path_of(runtime, import_id)
    with runtime.db.reading() as session:
        check_mapping(mapping, rows.catalogue(session))
    check_header(found.header, mapping)
    total = files.count(path, found)
    with runtime.db.transaction(actor) as session:
        row = rows.lock_job(session, import_id)
        if row.state not in ("uploaded", "checked"):
            raise Conflict("This import was started before.", code="import_started")
        row.state, row.rows_total = "running", total
        row.mapping = mapping.model_dump(mode="json")
        row.options = asdict(found)
        session.add(row)
        log.record(session, ImportProgress(import_id=import_id, verb="started"), at=runtime.db.now(session))


def run(
    runtime: Runtime, import_id: int, *, actor: str, watch: Watch = no_watch, chunk_rows: int = CHUNK_ROWS
) -> Report:
    """Run a started import to its end, from the row after the last one committed.

    Raises Conflict ``import_running`` when another process works on it, ``import_ended`` when there is nothing to do.
    """
    with runtime.db.reading() as session:
        row = rows.job(session, import_id)
        if row.state != "running":
            raise Conflict("This import is not running.", code="import_ended")
        mapping, found = read_mapping(row.mapping), _format(row.options)
        path, cursor, total = runtime.home / row.path, row.cursor, row.rows_total or 0
        job = _job(runtime, session, path, found, mapping, skip=cursor, chunk_rows=chunk_rows)
        job = replace(job, import_id=import_id, sha256=row.sha256, staff_id=rows.staff_of(actor))
    started, first, reader = time.monotonic(), cursor, Reader(job)
    try:
        with no_collection():
            for chunk in chunks(job, lambda: reserve(runtime, job)):
                cursor = _take(runtime, chunk, reader, job, cursor, actor=actor)
                _tell(watch, cursor, total, started, first)
                del chunk  # or all of it would be looked through
                gc.collect(1)  # what a transaction leaves behind
    except (InvalidInput, FileNotFoundError) as problem:
        _end(runtime, import_id, "failed", actor=actor, error=getattr(problem, "message", "the file is gone"))
        raise
    return _end(runtime, import_id, "finished", actor=actor)


def _take(runtime: Runtime, chunk: Chunk, reader: Reader, job: Job, cursor: int, *, actor: str) -> int:
    """Write one chunk and the new cursor in one transaction; return the cursor."""
    with runtime.db.transaction(actor) as session:
        row = rows.lock_job(session, job.import_id)
        if row.cursor != cursor or row.state != "running":
            raise Conflict("Another process works on this import.", code="import_running")
        now = runtime.db.now(session)
        report = Report.from_json(row.counts)
        before = (report.created, report.changed, report.refused)
        rest, known = _known(runtime, session, chunk, reader, job)
        writer = Writer(runtime, session, job=job, now=now)
        writer.write_sealed(chunk)
        report.add(chunk.report)
        plan = _plan(rest, known, report, job)
        recorded = writer.write(plan, _judge(session, plan, job, report)) if rest else Recorded()
        row.cursor, row.counts = chunk.last, report.as_json()
        session.add(row)
        created, changed, refused = report.created - before[0], report.changed - before[1], report.refused - before[2]
        told = ImportProgress(job.import_id, "chunk", row=row.cursor, created=created, changed=changed, refused=refused)
        log.record(session, told, at=now)
        cursor = row.cursor
    consents.wait_out(runtime, recorded)
    return cursor


def _end(runtime: Runtime, import_id: int, state: str, *, actor: str, error: str = "") -> Report:
    with runtime.db.transaction(actor) as session:
        row = rows.lock_job(session, import_id)
        now = runtime.db.now(session)
        path, row.path = row.path, ""
        row.state, row.error, row.finished_at = state, error, now
        session.add(row)
        log.record(session, ImportProgress(import_id, state, row=row.cursor), at=now)
        report = Report.from_json(row.counts)
    uploads.forget(runtime, path)
    return report


def discard(runtime: Runtime, import_id: int, *, actor: str) -> None:
    """Give up an import that was uploaded and never started; its file is deleted. Raises Conflict."""
    with runtime.db.reading() as session:
        if rows.job(session, import_id).state not in ("uploaded", "checked"):
            raise Conflict("This import was started before.", code="import_started")
    _end(runtime, import_id, "failed", actor=actor, error="discarded")


def _job(
    runtime: Runtime,
    session: Session,
    path: Path,
    found: Format,
    mapping: Mapping,
    *,
    skip: int = 0,
    chunk_rows: int = CHUNK_ROWS,
) -> Job:
    catalogue: Catalogue = rows.catalogue(session)
    check_mapping(mapping, catalogue)
    check_header(found.header, mapping)
    now: datetime = runtime.db.now(session)
    paths = ledger.paths(session)
    ends = lawful.ends(session, {(catalogue.purposes[rule.purpose].id, rule.channel) for rule in mapping.consents})
    return Job(path, found, mapping, catalogue, paths, runtime.keys, now, ends, skip=skip, chunk_rows=chunk_rows)


def _known(
    runtime: Runtime, session: Session, chunk: Chunk, reader: Reader, job: Job, seen: Seen | None = None
) -> tuple[list[Prepared], Known]:
    """Take the rows out of a chunk that meet somebody known; return them and whom they meet."""
    finders = list(dict.fromkeys(one for finders in chunk.finders for one in finders))
    numbers = "external_id" in job.mapping.columns
    known = rows.look_up(session, runtime.keys, finders, numbers=numbers, now=job.now)
    met = {*known.addresses, *known.externals, *known.barred}
    if seen:
        met.update(one for one in finders if one in seen)
    return [reader.read(record) for record in chunk.split(met, reader, job)], known


def _plan(rest: Sequence[Prepared], known: Known, report: Report, job: Job, *, seen: Seen | None = None) -> ChunkPlan:
    planner = Planner(known, report, import_id=job.import_id, existing=job.mapping.existing, seen=seen or ())
    for prepared in rest:
        planner.add(prepared)
    return planner.plan


def _judge(session: Session, plan: ChunkPlan, job: Job, report: Report) -> Judge:
    known = sorted({act.place.id for act in plan.acts if act.place.id is not None})
    told = ledger.events_of(session, known) if known else {}
    return Judge(told, job.paths, job.import_id, job.now, report, plan.rejects, job.ends)


def _format(told: dict[str, Any]) -> Format:
    return Format(**{**told, "header": tuple(told["header"])})


def _tell(watch: Watch, done: int, total: int, started: float, first: int) -> None:
    elapsed = max(time.monotonic() - started, 0.001)
    watch(Progress(done, total, (done - first) / elapsed))
