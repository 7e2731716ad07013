"""Audit: the consent log as it stands, with the words shown; its export; and the proof that nothing was altered.

Whoever reads here changes nothing. An export leaves its own line in the log.
"""

from __future__ import annotations

import threading
import time
from datetime import date, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from broadcaster.actions import audit, sequencer
from broadcaster.actions.audit import Reader
from broadcaster.core.consent import Action
from broadcaster.core.errors import InvalidInput
from broadcaster.core.ids import to_id
from broadcaster.storage import log
from broadcaster.storage.audit import Filter
from web import sentences, vocabulary, words
from web.access import Area, Level, require
from web.contacts import purpose_names
from web.context import me, runtime
from web.forms import Form, FormModel, Line, blank, read
from web.language import _, time_zone
from web.paging import LIMIT, Page, cursor, page
from web.sealed import sealed, unsealed

pages = Blueprint("audit", __name__)

#: A longer log is not walked within a request: the command line does it.
MOST_LEAVES = 200_000
_verifying = threading.Lock()
_KEPT = ("contact", "purpose", "channel", "action", "since", "until")


class Asked(FormModel):
    """Which consent events. The address goes on encrypted."""

    contact: Line | None = None
    address: Line | None = None
    purpose: Line | None = None
    channel: Line | None = None
    action: Line | None = None
    since: date | None = None
    until: date | None = None


class Export(Asked):
    form: Literal["csv", "jsonl"] = "csv"
    unmasked: Literal["yes"] | None = None
    reason: Line | None = None


@pages.get("/audit")
@require(Area.EXPORT)
def index() -> ResponseReturnValue:
    """Show consent events, newest first, as the address asks."""
    told = {name: request.args[name][:100] for name in _KEPT if request.args.get(name)}
    token = request.args.get("find", "")
    form = blank(Export, **told, address=unsealed(token))
    try:
        wanted = _filter(Asked.model_validate({**told, "address": form.value("address") or None}))
    except (ValueError, InvalidInput):
        form.errors[""] = _("These filters do not fit; nothing is shown.")
        return _page(form, Page((), None, True), {}), 422
    rows = audit.history(runtime(), wanted, _reader(), before=cursor(), limit=LIMIT + 1)
    kept = {**told, **({"find": token} if token else {})}
    return _page(form, page(rows, lambda one: int(one["event_id"])), kept)


@pages.post("/audit/find")
@require(Area.EXPORT, level=Level.READ)
def find() -> ResponseReturnValue:
    """Lead to the list with what was asked for."""
    asked = read(Asked)
    if asked.data is None:
        return _page(asked, Page((), None, True), {}), 422
    told = {name: getattr(asked.data, name) for name in _KEPT} | {"find": sealed(asked.data.address or "")}
    return redirect(url_for("audit.index", **{name: value for name, value in told.items() if value}), 303)


@pages.post("/audit/export")
@require(Area.EXPORT, level=Level.READ)
def export() -> ResponseReturnValue:
    """Hand the events out as a file; the log notes it before the first row leaves."""
    asked = read(Export)
    if asked.data is not None:
        data = asked.data
        reader = _reader(unmasked=data.unmasked is not None, reason=data.reason or "")
        try:
            lines = audit.export(runtime(), _filter(data), reader, form=data.form, bom=data.form == "csv")
            answer = Response(lines, mimetype="text/csv" if data.form == "csv" else "application/x-ndjson")
            answer.headers["Content-Disposition"] = f'attachment; filename="consent-log.{data.form}"'
            return answer
        except InvalidInput as problem:
            asked.errors[problem.field or ""] = _explained(problem)
    return _page(asked, Page((), None, True), {}), 422


def _explained(problem: InvalidInput) -> str:
    if problem.code == "reason_needed":
        return _("Say why the addresses must be readable.")
    if problem.code == "bad_reason":
        return _("At most 200 characters, and no address or number: the reason stays in the log for ever.")
    return words.problem(problem)


def _reader(*, unmasked: bool = False, reason: str = "") -> Reader:
    return Reader(f"staff:{me().id}", unmasked=unmasked, reason=reason)


def _filter(asked: Asked) -> Filter:
    """Return the filter. Raises InvalidInput naming the field."""
    contact = None if asked.contact is None else to_id(asked.contact.lstrip("#"))
    if asked.contact is not None and contact is None:
        raise InvalidInput(_("This is not the number of a contact."), field="contact", code="contact_number")
    if asked.purpose is not None and asked.purpose not in purpose_names():
        raise InvalidInput("Choose one of the list.", field="purpose", code="unknown_choice")
    if asked.action is not None and asked.action not in set(Action):
        raise InvalidInput("Choose one of the list.", field="action", code="unknown_choice")
    return Filter(
        contact_id=contact,
        digests=None if asked.address is None else audit.digests_of(runtime(), asked.address),
        purpose_id=None if asked.purpose is None else audit.purpose_id(runtime(), asked.purpose),
        channel=asked.channel,
        since=_midnight(asked.since),
        until=_midnight(asked.until, later=1),
        action=None if asked.action is None else Action(asked.action),
    )


def _midnight(day: date | None, *, later: int = 0) -> datetime | None:
    """Return the beginning of a day in the reader's zone; *later* 1: of the day after."""
    if day is None:
        return None
    if not 1970 <= day.year <= 2200:
        raise InvalidInput(_("This date cannot be right."), field="until" if later else "since", code="date_range")
    return datetime.combine(day + timedelta(days=later), datetime.min.time(), ZoneInfo(time_zone()))


def _page(form: Form[Any], shown: Page[Any], kept: dict[str, str]) -> str:
    names = purpose_names()
    return render_template(
        "audit/index.html",
        form=form,
        page=shown,
        kept=kept,
        purposes=names,
        channels=list(vocabulary.CHANNELS.items()),
        actions=list(vocabulary.ACTIONS.items()),
        moment_of=datetime.fromisoformat,
    )


@pages.get("/audit/verify")
@require(Area.LOG)
def verify() -> ResponseReturnValue:
    return _proof()


@pages.post("/audit/verify")
@require(Area.LOG, level=Level.READ)
def do_verify() -> ResponseReturnValue:
    """Walk the whole log, one reader at a time."""
    if _size() > MOST_LEAVES:
        return _proof(), 422
    if not _verifying.acquire(blocking=False):
        return _proof(busy=True), 429
    try:
        started = time.monotonic()
        found = sequencer.verify(runtime(), most=20)
    finally:
        _verifying.release()
    return _proof(found=found, seconds=time.monotonic() - started)


def _size() -> int:
    with runtime().db.reading() as session:
        head = log.head(session)
    return 0 if head is None else head.size


def _proof(**told: Any) -> str:
    with runtime().db.reading() as session:
        head = log.head(session)
    given = {"found": None, "seconds": 0.0, "busy": False, **told}
    return render_template("audit/verify.html", head=head, most=MOST_LEAVES, said=sentences.said, **given)
