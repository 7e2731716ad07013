"""A person's data as one file for them: all we hold, by the declaration of personal fields, and what is left out.

JSON in UTF-8, tables and rows always in the same order. Building leaves its line in the log before a byte is given.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import Session

from broadcaster.actions.organisation import setting
from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import Conflict, NotFound
from broadcaster.core.event_types import Exported
from broadcaster.core.keys import open_sealed
from broadcaster.core.requests import RequestKind
from broadcaster.storage import contacts, conversations, giving, log, people, personal
from broadcaster.storage import privacy as rows
from broadcaster.storage.privacy import Scope
from broadcaster.storage.tables import PrivacyRequest

FORMAT = "broadcaster-person-1"
KINDS = frozenset({RequestKind.ACCESS, RequestKind.PORTABILITY})
#: What each table holds, in the words of the file itself.
ABOUT: Mapping[str, str] = {
    "contact": "Who you are to us: name, customer number, language, country, what you prefer, further fields.",
    "address": "Your addresses that nobody else has used; suppressed: we must not write there.",
    "contact_address": "Which addresses you use or used; valid_to: until when.",
    "contact_merge": "Records of yours that were joined.",
    "contact_interest": "What you are interested in.",
    "group_member": "Lists and groups you are on.",
    "audience_member": "Fixed audiences you are in.",
    "preference_event": "What you told us about yourself, when, and what stood there before.",
    "consent_event": "Everything about your consent: what happened, when, for which purpose, and the words you saw.",
    "consent_evidence": "What shows that it happened; rule: how your message was understood.",
    "consent_state": "Where your consent stands now.",
    "optin_request": "Questions to confirm that we sent you.",
    "delivery": "Campaigns you were in; reason: why you did not get the message.",
    "step": "Messages of campaigns, address by address, and what became of them; variant_id: see template_variant.",
    "step_attempt": "Earlier tries of the same message.",
    "template_variant": "The texts of those messages, before your name and the like were put in.",
    "click": "Links of ours that you followed.",
    "receipt": "What the provider said of a message to you.",
    "message": "What you wrote and what we answered, outside campaigns.",
    "conversation": "Conversations these messages belong to.",
    "inbox_event": "Events as your provider sent them, as long as we keep them.",
    "outbox_item": "Messages kept for reading where no provider is connected.",
    "privacy_request": "Requests about your data.",
}
WHY: Mapping[str, str] = {
    "secret": "Keys and codes that protect your data; they say nothing of you.",
    "lookup": "Hashes by which your record is found; what they are made of is in this file.",
    "proof": "Seals by which an auditor sees that nothing was altered; the sealed facts are in this file.",
    "staff": "Which of our colleagues dealt with it: their data.",
    "staff_note": "Our colleagues' own notes. Ask us about them.",
    "shared_address": "History of addresses that others use or used, or that you no longer use: it may be theirs.",
}


@dataclass(frozen=True, slots=True)
class Package:
    """The file, and how many rows are in it."""

    body: bytes
    rows: int


def _json(context: str) -> Callable[[bytes, Mapping[str, Any], bytes], Any]:
    return lambda key, row, sealed: json.loads(open_sealed(key, sealed, context.format(**row).encode()))


def _evidence(key: bytes, row: Mapping[str, Any], sealed: bytes) -> Any:
    """Return the evidence of a consent event; the event itself stands in a table of its own."""
    return _json("consent:{event_id}")(key, row, sealed).get("evidence")


def _outbox(key: bytes, row: Mapping[str, Any], sealed: bytes) -> Any:
    if row["step_id"] is None:
        return conversations.open_message(key, sealed)
    return _json("outbox:step:{step_id}")(key, row, sealed)


#: How an encrypted column of a table is opened: key, row, sealed bytes -> what it says.
OPENERS: Mapping[tuple[str, str], Callable[[bytes, Mapping[str, Any], bytes], Any]] = {
    ("contact", "name_ct"): lambda key, row, sealed: people.open_name(key, row["id"], sealed),
    ("contact", "external_ct"): lambda key, row, sealed: open_sealed(key, sealed, b"external:%d" % row["id"]).decode(),
    ("address", "value_ct"): lambda key, row, sealed: people.open_address(key, row["id"], sealed),
    ("contact_address", "value_ct"): lambda key, row, sealed: people.open_address(key, row["address_id"], sealed),
    ("preference_event", "change_ct"): lambda key, row, sealed: contacts.open_change(key, row["id"], sealed),
    ("consent_evidence", "body_ct"): _evidence,
    ("message", "body_ct"): lambda key, row, sealed: conversations.open_message(key, sealed),
    ("inbox_event", "body_ct"): lambda key, row, sealed: conversations.open_message(key, sealed),
    ("outbox_item", "body_ct"): _outbox,
}


def give(runtime: Runtime, contact_id: int, *, reason: str, actor: str) -> Package:
    """Build somebody's file and log that it was taken. Raises NotFound for a person unknown or erased."""
    package = build(runtime, contact_id)
    with runtime.db.transaction(actor) as session:
        _record(runtime, session, contact_id, package, reason)
    return package


def answer(runtime: Runtime, request_id: int, *, actor: str) -> Package:
    """Build the file that a request asks for and note on it that it was built.

    Raises NotFound, Conflict ``not_for_data`` if the request asks for something else, or was refused.
    """
    with runtime.db.reading() as session:
        asked = session.get(PrivacyRequest, request_id)
    if asked is None or asked.contact_id is None:
        raise NotFound("There is no such request.")
    if asked.kind not in KINDS or asked.state == "refused":
        raise Conflict("this request does not ask for data", code="not_for_data")
    package = build(runtime, asked.contact_id)
    with runtime.db.transaction(actor) as session:
        request = rows.lock_request(session, request_id)
        built = {"at": runtime.db.now(session).isoformat(), "rows": package.rows}
        request.progress = {**request.progress, "package": built}
        session.add(request)
        _record(runtime, session, asked.contact_id, package, f"privacy request {request_id}")
    return package


def build(runtime: Runtime, contact_id: int) -> Package:
    """Build somebody's file. Raises NotFound for a person unknown or erased."""
    with runtime.db.reading() as session:
        person = rows.person_of(session, contact_id)
        if person is None or person.state == "erased":
            raise NotFound("There is no such contact.")
        scope = giving.alone(session, rows.scope(session, person.id))
        data = {table: _table(runtime, session, table, scope) for table in giving.PARTS}
        told = {
            "format": FORMAT,
            "organisation": setting(session, "name"),
            "made_at": runtime.db.now(session).isoformat(),
            "contact": person.id,
            "about": ABOUT,
            "left_out": left_out(shared=len(scope.shared)),
            "data": data,
        }
    body = json.dumps(told, ensure_ascii=False, indent=1, default=_plain)
    return Package(body.encode(), sum(map(len, data.values())))


def left_out(*, shared: int) -> list[dict[str, Any]]:
    """Return what is not in a file, and why; *shared*: addresses whose history may be another person's."""
    columns = [
        {"what": f"{table}.{name}", "why": WHY[giving.WITHHELD[name]]}
        for table in giving.PARTS
        for name in sorted(personal.HOLDINGS[table].columns & giving.WITHHELD.keys())
    ]
    whole = [{"what": table, "why": WHY[reason]} for table, reason in giving.WHOLE.items()]
    others = [{"what": "history of addresses", "count": shared, "why": WHY["shared_address"]}] if shared else []
    notes = {"what": "preference_event: note", "why": WHY["staff_note"]}
    return [*others, *whole, notes, *columns]


def _table(runtime: Runtime, session: Session, table: str, scope: Scope) -> list[dict[str, Any]]:
    found = list(giving.rows(session, table, scope))
    keys = people.person_keys(session, runtime.keys, {key for key, _row in found if key is not None})
    return [_opened(table, row, keys.get(key or 0)) for key, row in found]


def _opened(table: str, row: Mapping[str, Any], key: bytes | None) -> dict[str, Any]:
    """Return a row with what is encrypted in clear, under its name without ``_ct``; None where the key is gone."""
    told = {}
    for name, value in row.items():
        if name.endswith("_ct"):
            value = None if value is None or key is None else OPENERS[table, name](key, row, bytes(value))
        elif name == "actor":
            value = str(value).partition(":")[0]  # that it was staff, not who
        told[name.removesuffix("_ct")] = value
    return told


def _record(runtime: Runtime, session: Session, contact_id: int, package: Package, reason: str) -> None:
    event = Exported(what=f"contact {contact_id}", rows=package.rows, unmasked=True, reason=reason)
    log.record(session, event, at=runtime.db.now(session))


def _plain(value: Any) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in the file")
