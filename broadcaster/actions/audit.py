"""The auditor's verbs: consent histories with the words shown, and their export. They read and change nothing else.

An export is logged before its first row leaves. Addresses are masked and evidence stays closed unless the reader asks
for more and says why; the reason goes into the log with them.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from broadcaster.actions.audit_view import COLUMNS, View
from broadcaster.actions.runtime import Runtime
from broadcaster.channels import registry
from broadcaster.core import addresses
from broadcaster.core.contacts import PHONE_CHANNELS, address_kind
from broadcaster.core.errors import InvalidInput
from broadcaster.core.event_types import Exported
from broadcaster.storage import audit as rows
from broadcaster.storage import consent, log, people, privacy
from broadcaster.storage.audit import Filter

Format = Literal["csv", "jsonl"]
REASON_MOST = 200

#: A spreadsheet takes what begins like this for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
_LOOKS_PERSONAL = re.compile(r"@|\d[\d .()/-]{5,}\d")


@dataclass(frozen=True, slots=True)
class Reader:
    """How far a reader may look. ``reason`` is needed for *unmasked*."""

    actor: str
    unmasked: bool = False
    reason: str = ""

    def check(self) -> None:
        """Raise InvalidInput without a reason, or with one that could itself be personal."""
        if self.unmasked and not self.reason.strip():
            raise InvalidInput("say why the addresses must be readable", code="reason_needed", field="reason")
        if len(self.reason) > REASON_MOST or _LOOKS_PERSONAL.search(self.reason):
            raise InvalidInput(
                f"at most {REASON_MOST} characters, and no address or number: the reason stays in the log for ever",
                code="bad_reason",
                field="reason",
            )


def history(
    runtime: Runtime, wanted: Filter, reader: Reader, *, before: int | None = None, limit: int = 50
) -> list[dict[str, Any]]:
    """Return the newest consent events that fit, as dicts of ``COLUMNS``; *before*: the last ``event_id`` seen.

    Looking unmasked is logged. Raises InvalidInput without a reason for it.
    """
    reader.check()
    if reader.unmasked:
        with runtime.db.transaction(reader.actor) as session:
            shown = Exported(what="consent history on screen", rows=limit, unmasked=True, reason=reader.reason)
            log.record(session, shown, at=runtime.db.now(session))
    with runtime.db.reading() as session:
        view = View(runtime, session, unmasked=reader.unmasked)
        last = 2**62 if before is None else before
        return [view.readable(row) for row in rows.page(session, wanted, before=last, limit=limit, newest=True)]


def export(
    runtime: Runtime, wanted: Filter, reader: Reader, *, form: Format = "csv", bom: bool = False
) -> Iterator[str]:
    """Return the lines of an export, in constant memory, oldest first; log it before the first one.

    CSV as in RFC 4180, safe in a spreadsheet; JSON Lines raw. What happens while it runs is not in it.
    Raises InvalidInput for an unmasked one without a reason.
    """
    reader.check()
    with runtime.db.transaction(reader.actor) as session:
        count, before = rows.extent(session, wanted)
        told = Exported(what=f"consent log, {form}", rows=count, unmasked=reader.unmasked, reason=reader.reason)
        log.record(session, told, at=runtime.db.now(session))
    return _csv(runtime, wanted, reader, before, bom=bom) if form == "csv" else _jsonl(runtime, wanted, reader, before)


def _csv(runtime: Runtime, wanted: Filter, reader: Reader, before: int, *, bom: bool) -> Iterator[str]:
    yield (_BOM if bom else "") + _line(COLUMNS)
    with runtime.db.reading(snapshot=True) as session:
        view = View(runtime, session, unmasked=reader.unmasked)
        for row in rows.everything(session, wanted, before=before):
            told = view.readable(row)
            yield _line([told[name] for name in COLUMNS])


def _line(values: Sequence[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow([cell(value) for value in values])
    return buffer.getvalue()


def cell(value: Any) -> str:
    """Return a value as the text of a cell that no spreadsheet takes for a formula."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "" if value is None else str(value)
    return "'" + text if text.startswith(_FORMULA) else text


def _jsonl(runtime: Runtime, wanted: Filter, reader: Reader, before: int) -> Iterator[str]:
    with runtime.db.reading(snapshot=True) as session:
        view = View(runtime, session, unmasked=reader.unmasked)
        for row in rows.everything(session, wanted, before=before):
            yield json.dumps(view.raw(row), ensure_ascii=False, separators=(",", ":")) + "\n"


def digests_of(runtime: Runtime, value: str) -> tuple[bytes, ...]:
    """Return the blind indexes an address may have, on whatever channel (``Filter.digests``).

    A number needs its country code. An address that cannot be one has none.
    """
    with runtime.db.reading() as session:
        accounts = rows.accounts(session)
    channels = sorted({one.capabilities.channel for one in registry.CHANNELS.values()} | PHONE_CHANNELS)
    found: list[bytes] = []
    for channel, account_id in [*((channel, None) for channel in channels), *accounts]:
        canonical = _canonical(address_kind(channel), value)
        if canonical is not None:
            found += runtime.keys.blind_indexes(people.address_scope(channel, account_id), canonical)
    return tuple(found)


def people_with(runtime: Runtime, value: str) -> list[int]:
    """Return the ids of the contacts who use an address now, by its exact value on any channel."""
    digests = digests_of(runtime, value)
    with runtime.db.reading() as session:
        return privacy.contacts_with(session, digests)


def purpose_id(runtime: Runtime, key: str) -> int:
    """Return the id of a purpose by its key. Raises NotFound."""
    with runtime.db.reading() as session:
        return consent.purpose_id(session, key)


def _canonical(kind: addresses.Kind, value: str) -> str | None:
    try:
        return addresses.normalise(kind, value, region=None)
    except InvalidInput:
        return None
