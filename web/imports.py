"""Import: a file, what its columns mean, a dry run, the run, what was not taken, and back again.

The work itself is a worker's (``actions/imports/pending``); these pages ask for it and show how far it is.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, stream_with_context, url_for
from flask.typing import ResponseReturnValue
from pydantic import ValidationError

from broadcaster.actions.imports import files, jobs, pending, records
from broadcaster.actions.imports.jobs import Preview
from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import BroadcasterError, Conflict, InvalidInput, Refused
from broadcaster.core.import_columns import Mapping
from broadcaster.storage import imports as stored
from web import import_words, running
from web.access import Area, require
from web.contacts import purpose_names
from web.context import me, runtime
from web.forms import Form, read
from web.import_forms import ColumnsForm, Common, Upload, from_mapping, to_mapping
from web.import_page import options
from web.language import _, time_zone
from web.paging import LIMIT, cursor, page
from web.security import accepts

pages = Blueprint("imports", __name__)

MAX_UPLOAD = files.MAX_BYTES + 1024 * 1024  #: the file, and the form around it


@pages.get("/imports")
@require(Area.IMPORTS)
def index() -> ResponseReturnValue:
    found = page(records.listing(runtime(), before=cursor(), limit=LIMIT + 1), lambda one: one.id)
    return render_template("imports/index.html", page=found, states=import_words.STATES)


@pages.get("/imports/new")
@require(Area.IMPORTS)
def new() -> ResponseReturnValue:
    return render_template("imports/new.html", form=Form())


@pages.post("/imports/new")
@require(Area.IMPORTS)
@accepts(MAX_UPLOAD)
def upload() -> ResponseReturnValue:
    """Take the file in, then lead to its columns."""
    filled = read(Upload)
    given = request.files.get("file")
    if given is None or not given.filename:
        filled.errors["file"] = _("Choose a file.")
    else:
        try:
            made = jobs.upload(runtime(), given.stream, name=given.filename, actor=_me())
            return redirect(url_for("imports.columns", import_id=made), 303)
        except InvalidInput as problem:
            filled.errors["file"] = import_words.file_problem(problem)
    return render_template("imports/new.html", form=filled), 422


@pages.get("/imports/<id:import_id>")
@require(Area.IMPORTS)
def show(import_id: int) -> ResponseReturnValue:
    return render_template("imports/show.html", **_state(import_id))


@pages.get("/imports/<id:import_id>/progress")
@require(Area.IMPORTS)
def progress(import_id: int) -> ResponseReturnValue:
    """Return the moving part of the page; once nothing moves, the browser loads the whole page."""
    told = _state(import_id)
    if not told["busy"]:
        return "", 200, {"HX-Refresh": "true"}
    return render_template("imports/progress.html", **told)


def _state(import_id: int) -> dict[str, Any]:
    job, setup = records.one(runtime(), import_id), pending.setup(runtime(), import_id)
    checking = job.state == "uploaded" and setup.check.state == "wanted"
    undoing = setup.undo == "wanted"
    return {
        "job": job,
        "setup": setup,
        "check": setup.check,
        "problem": import_words.noted(setup.check.code, setup.check.message) if setup.check.state == "failed" else "",
        "busy": job.state == "running" or checking or undoing,
        "checking": checking,
        "undoing": undoing,
        "attended": running.attended(),
        "states": import_words.STATES,
        "code_words": import_words.code,
        "consent_words": import_words.consent,
    }


@pages.get("/imports/<id:import_id>/columns")
@require(Area.IMPORTS)
def columns(import_id: int) -> ResponseReturnValue:
    """Show how the file looks and what we make of its columns; the address may say it better."""
    delimiter, encoding = request.args.get("delimiter") or None, request.args.get("encoding") or None
    setup = pending.setup(runtime(), import_id)
    if setup.format is not None and not (delimiter or encoding):
        delimiter, encoding = setup.format.delimiter or None, setup.format.encoding or None
    try:
        found = _preview(import_id, delimiter, encoding)
    except (InvalidInput, Conflict) as problem:
        return _unreadable(import_id, problem), 422 if request.args else 200
    form, hint = _suggested(found, setup.mapping)
    return _columns(import_id, found, form, hint=hint)


def _preview(import_id: int, delimiter: str | None, encoding: str | None) -> Preview:
    delimiter = "\t" if delimiter == "tab" else delimiter
    first = next(iter(key for key, _name in _leaves()), None)
    path = jobs.path_of(runtime(), import_id)
    return jobs.preview(path, purpose=first, delimiter=delimiter, encoding=encoding)


def _leaves() -> list[tuple[str, str]]:
    """Return the purposes people can agree to: (key, name)."""
    names = purpose_names()
    with runtime().db.reading() as session:
        known = stored.catalogue(session).purposes
    return [(key, names.get(key, key)) for key, one in sorted(known.items()) if one.leaf and one.wordings]


def _suggested(found: Preview, decided: Mapping | None) -> tuple[Form[Common], str]:
    """Return the form to begin with: as decided before, as a saved mapping says, else as the header suggests."""
    header = found.format.header
    saved = {name: mapping for _id, name, mapping in records.mappings(runtime())}
    wanted = request.args.get("saved", "")
    if wanted in saved:
        return from_mapping(saved[wanted], header), _("The saved mapping “%(name)s” is filled in.", name=wanted)
    if decided is not None:
        return from_mapping(decided, header), ""
    fits = records.mapping_for(runtime(), header)
    if fits is not None:
        hint = _("The saved mapping “%(name)s” fits this file and is filled in.", name=fits[0])
        return from_mapping(fits[1], header), hint
    rules = () if found.consent is None else (found.consent,)
    try:
        told = Mapping(columns=found.columns, consents=rules, time_zone=time_zone())
    except ValidationError:  # no column looks like an address
        told = Mapping.model_construct(columns=found.columns, consents=rules, time_zone=time_zone())
    return from_mapping(told, header), ""


def _columns(import_id: int, found: Preview, form: Form[Common], *, hint: str = "") -> str:
    job = records.one(runtime(), import_id)
    more = options(found, _leaves())
    return render_template("imports/columns.html", job=job, found=found, form=form, hint=hint, **more)


def _unreadable(import_id: int, problem: BroadcasterError) -> str:
    job = records.one(runtime(), import_id)
    words = import_words.file_problem(problem)
    told = {"delimiter": request.args.get("delimiter", ""), "encoding": request.args.get("encoding", "")}
    return render_template("imports/unreadable.html", job=job, problem=words, code=problem.code, **told)


@pages.post("/imports/<id:import_id>/columns")
@require(Area.IMPORTS)
def check(import_id: int) -> ResponseReturnValue:
    """Keep the mapping and ask for the dry run."""
    filled = read(ColumnsForm)
    found = _preview(import_id, filled.value("delimiter") or None, filled.value("encoding") or None)
    if filled.data is not None:
        try:
            mapping = to_mapping(filled.data, found.format.header)
            pending.ask_check(runtime(), import_id, found.format, mapping, actor=_me())
            if filled.data.save_as:
                records.save_mapping(runtime(), filled.data.save_as, mapping)
            return redirect(url_for("imports.show", import_id=import_id), 303)
        except (InvalidInput, Conflict) as problem:
            filled.refuse(problem)
            filled.errors[""] = import_words.file_problem(problem)
    return _columns(import_id, found, filled), 422


@pages.post("/imports/<id:import_id>/start")
@require(Area.IMPORTS)
def start(import_id: int) -> ResponseReturnValue:
    """Start what was tried out; a worker does it."""
    return _do(import_id, lambda: pending.start_checked(runtime(), import_id, actor=_me()), "")


@pages.post("/imports/<id:import_id>/discard")
@require(Area.IMPORTS)
def discard(import_id: int) -> ResponseReturnValue:
    return _do(import_id, lambda: jobs.discard(runtime(), import_id, actor=_me()), _("The file was deleted."))


@pages.post("/imports/<id:import_id>/undo")
@require(Area.IMPORTS)
def undo(import_id: int) -> ResponseReturnValue:
    """Ask for the import to be taken back; a worker does it."""
    return _do(import_id, lambda: pending.ask_undo(runtime(), import_id, actor=_me()), "")


def _do(import_id: int, act: Any, told: str) -> ResponseReturnValue:
    try:
        act()
        if told:
            flash(told, "success")
    except (Conflict, InvalidInput, Refused) as problem:
        flash(import_words.file_problem(problem), "danger")
    return redirect(url_for("imports.show", import_id=import_id), 303)


@pages.get("/imports/<id:import_id>/refused.csv")
@require(Area.IMPORTS)
def refused(import_id: int) -> ResponseReturnValue:
    """Hand out what was not taken: line, field, code, reason; never a value."""
    records.one(runtime(), import_id)
    answer = Response(stream_with_context(_refused_lines(runtime(), import_id)), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="import-{import_id}-refused.csv"'
    return answer


def _refused_lines(here: Runtime, import_id: int) -> Iterator[str]:
    yield "\ufeff"  # so that Excel reads it as UTF-8
    held: list[Any] = []
    first = True
    for one in records.rejects(here, import_id):
        held.append(one)
        if len(held) >= 1000:
            yield _written(held, first)
            held, first = [], False
    yield _written(held, first)


def _written(held: list[Any], first: bool) -> str:
    file = io.StringIO()
    records.write_rejects(held, file, words=import_words.refused())
    return file.getvalue() if first else file.getvalue().partition("\r\n")[2]


def _me() -> str:
    return f"staff:{me().id}"
