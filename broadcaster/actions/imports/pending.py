"""Imports away from the screen: somebody asks for a dry run, a run or an undo, and a worker's loop does it.

The work has a thread of its own, at most one in a process, so that the loop goes on with its other jobs; a lease keeps
two processes off one import.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from broadcaster.actions.imports import jobs, records, undo
from broadcaster.actions.imports.files import Format
from broadcaster.actions.imports.jobs import Progress
from broadcaster.actions.imports.report import Reject, Report
from broadcaster.actions.imports.undo import Undone
from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import BroadcasterError, Conflict, InvalidInput
from broadcaster.core.import_columns import Mapping, check_header, read_mapping
from broadcaster.core.imports import check_mapping
from broadcaster.storage import import_wishes as wishes
from broadcaster.storage import imports as rows
from broadcaster.storage.tables import ImportJob

log = logging.getLogger(__name__)

_TELL_SECONDS = 1.0
#: After something unexpected: do not try again at once.
_REST_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Check:
    """A dry run as far as it has come. ``state``: ``none``, ``wanted`` (waiting or at work), ``done``, ``failed``."""

    state: str
    done: int = 0
    total: int = 0
    report: Report | None = None
    rejects: tuple[Reject, ...] = ()
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Setup:
    """What somebody decided about a file so far. ``undo``: ``none``, ``wanted``, ``done`` or ``failed``."""

    state: str
    format: Format | None
    mapping: Mapping | None
    check: Check
    undo: str
    undone: Undone | None


def setup(runtime: Runtime, import_id: int) -> Setup:
    """Return how far an import has been prepared. Raises NotFound."""
    with runtime.db.reading() as session:
        row = rows.job(session, import_id)
        told, back = wishes.part(row, "check"), wishes.part(row, "undo")
    check = Check(
        told.get("state", "none"),
        told.get("done", 0),
        told.get("total", 0),
        Report.from_json(told["report"]) if "report" in told else None,
        tuple(Reject(*one) for one in told.get("rejects", ())),
        told.get("code", ""),
        told.get("message", ""),
    )
    mapping = read_mapping(row.mapping) if row.mapping else None
    undone = Undone(**back["counts"]) if "counts" in back else None
    return Setup(row.state, _format(row), mapping, check, back.get("state", "none"), undone)


def ask_check(runtime: Runtime, import_id: int, found: Format, mapping: Mapping, *, actor: str) -> None:
    """Keep the mapping and ask for a dry run. Raises InvalidInput for a mapping that does not fit, Conflict."""
    check_header(found.header, mapping)
    with runtime.db.transaction(actor) as session:
        check_mapping(mapping, rows.catalogue(session))
        row = rows.lock_job(session, import_id)
        if row.state not in ("uploaded", "checked"):
            raise Conflict("This import was started before.", code="import_started")
        again = wishes.part(row, "check").get("ask", 0) + 1
        row.state, row.mapping = "uploaded", mapping.model_dump(mode="json")
        row.options = {"format": asdict(found), "check": {"state": "wanted", "ask": again}}
        session.add(row)


def start_checked(runtime: Runtime, import_id: int, *, actor: str) -> None:
    """Start an import as it was tried out. Raises Conflict unless a dry run has ended well."""
    told = setup(runtime, import_id)
    if told.state != "checked" or told.format is None or told.mapping is None:
        raise Conflict("Try the import out first.", code="import_not_checked")
    jobs.start(runtime, import_id, told.format, told.mapping, actor=actor)


def ask_undo(runtime: Runtime, import_id: int, *, actor: str) -> None:
    """Stop an import if it runs, and ask for it to be taken back. Raises NotFound, Conflict."""
    with runtime.db.transaction(actor) as session:
        row = rows.lock_job(session, import_id)
        if row.state == "undone" or wishes.part(row, "undo").get("state") == "wanted":
            raise Conflict("This import was taken back before.", code="import_undone")
        if row.state in ("uploaded", "checked"):
            raise Conflict("This import was never started.", code="import_not_started")
        if row.state == "running":
            row.state, row.error = "failed", "stopped"
        wishes.note(session, row, "undo", {"state": "wanted", "actor": actor})


_at_work = threading.Lock()
_rest_until = 0.0


def run_pending(runtime: Runtime) -> bool:
    """Begin with what waits, in a thread; return whether this process has now something in hand."""
    if time.monotonic() < _rest_until:
        return False
    if not _at_work.acquire(blocking=False):
        return True
    with runtime.db.reading() as session:
        idle = not wishes.waiting(session) and not rows.running_jobs(session)
    if idle:
        _at_work.release()
        return False
    threading.Thread(target=_work, args=(runtime,), name="broadcaster-imports", daemon=True).start()
    return True


def _work(runtime: Runtime) -> None:
    global _rest_until
    try:
        work_off(runtime)
    except BroadcasterError as problem:
        log.warning("import failed", extra={"code": problem.code})
    except Exception as problem:
        log.error("import failed", extra={"error": type(problem).__name__})
        _rest_until = time.monotonic() + _REST_SECONDS
    finally:
        _at_work.release()


def work_off(runtime: Runtime) -> None:
    """Do everything that waits, here and now: wishes first, they are short, then the runs."""
    with runtime.db.reading() as session:
        waiting = wishes.waiting(session)
    for import_id in waiting:
        try:
            records.hold(runtime, import_id)
            _fulfil(runtime, import_id)
        except Conflict:
            continue
    records.run_waiting(runtime)


def _fulfil(runtime: Runtime, import_id: int) -> None:
    with runtime.db.reading() as session:
        row = rows.job(session, import_id)
    wish = wishes.wish(row)
    if wish == "undo":
        actor = str(wishes.part(row, "undo").get("actor", "system"))
        try:
            counts = asdict(undo.undo(runtime, import_id, actor=actor))
        except Conflict as problem:
            _note(runtime, import_id, "undo", {"state": "failed", "code": problem.code})
        else:
            _note(runtime, import_id, "undo", {"state": "done", "counts": counts})
    elif wish == "check":
        _check(runtime, row)


def _check(runtime: Runtime, row: ImportJob) -> None:
    """Try an import out and note what it would do."""
    ask, found = wishes.part(row, "check").get("ask"), _format(row)
    assert found is not None, "noted with the wish"
    try:
        path = jobs.path_of(runtime, row.id)
        result = jobs.dry_run(runtime, path, found, read_mapping(row.mapping), watch=_teller(runtime, row.id, ask))
    except InvalidInput as problem:
        told: dict[str, Any] = {"state": "failed", "code": problem.code, "message": problem.message}
        _note(runtime, row.id, "check", told, ask=ask)
    else:
        rejects = [list(one) for one in result.rejects]
        told = {"state": "done", "report": result.report.as_json(), "rejects": rejects}
        _note(runtime, row.id, "check", told, ask=ask, state="checked")


def _teller(runtime: Runtime, import_id: int, ask: object) -> Callable[[Progress], None]:
    """Return a watch that notes progress about once a second, and stops what nobody wants any more."""
    last = 0.0

    def tell(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= _TELL_SECONDS:
            last = time.monotonic()
            records.hold(runtime, import_id)
            _note(runtime, import_id, "check", {"done": progress.done, "total": progress.total}, ask=ask)

    return tell


def _note(
    runtime: Runtime, import_id: int, name: str, values: dict[str, Any], *, ask: object = None, state: str | None = None
) -> None:
    with runtime.db.transaction() as session:
        row = rows.lock_job(session, import_id)
        told = wishes.part(row, name)
        if told.get("state") != "wanted" or told.get("ask") != ask:
            raise Conflict("Somebody has decided otherwise meanwhile.", code="import_running")
        wishes.note(session, row, name, values)
        row.state = state or row.state


def _format(row: ImportJob) -> Format | None:
    told = row.options.get("format")
    return Format(**{**told, "header": tuple(told["header"])}) if isinstance(told, dict) else None
