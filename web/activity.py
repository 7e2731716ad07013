"""The activity log on screen: who did what, when; ids and names of fields, nothing personal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from broadcaster.actions import staff
from broadcaster.storage import log
from web import events
from web.access import Area, require
from web.context import runtime
from web.paging import LIMIT, cursor, page

pages = Blueprint("log", __name__)

#: What the sentence says already, and what stands in columns of its own.
_SAID = frozenset(
    [
        *("actor", "at", "event", "what", "id", "verb", "success"),
        *("account_id", "address_id", "campaign_id", "contact_id", "import_id", "message_id", "request_id", "staff_id"),
        *("count", "decision", "rows", "rule"),
    ]
)


@dataclass(frozen=True, slots=True)
class Line:
    """One entry, in words. ``position`` None: not numbered yet."""

    id: int
    position: int | None
    at: datetime
    kind: str
    actor: str
    text: str
    details: str


@pages.get("/log")
@require(Area.LOG)
def index() -> ResponseReturnValue:
    with runtime().db.reading() as session:
        found = page(log.activity(session, before=cursor(), limit=LIMIT + 1), lambda row: int(row.id))
        head = log.head(session)
    names = staff.names(runtime(), (row.staff_id for row in found.rows if row.staff_id is not None))
    lines = [_line(row, names) for row in found.rows]
    return render_template("log/index.html", page=found, lines=lines, head=head)


def _line(row: Any, names: Mapping[int, str]) -> Line:
    body = {} if row.key_id is not None else _opened(bytes(row.body))
    told = {name: value for name, value in body.items() if name not in _SAID and value not in (None, [], "", 0)}
    return Line(
        id=row.id,
        position=row.position,
        at=row.created_at,
        kind=row.kind,
        actor=events.actor(str(body.get("actor", "")), names),
        text=events.sentence(row.event, body),
        details=", ".join(_detail(name, value) for name, value in sorted(told.items())),
    )


def _opened(body: bytes) -> dict[str, Any]:
    try:
        read = json.loads(body)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _detail(name: str, value: object) -> str:
    if name == "fields" and isinstance(value, list):
        return " ".join(str(one) for one in value)
    if isinstance(value, list):
        value = ", ".join(str(one) for one in value)
    return f"{events.DETAILS.get(name, name)}: {str(value)[:80]}"
