"""Look contacts up: by a whole address, a customer number, or words of a name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from broadcaster.actions.runtime import Runtime
from broadcaster.core import contacts as rules
from broadcaster.core import finding
from broadcaster.core.addresses import masked, normalise
from broadcaster.core.errors import InvalidInput
from broadcaster.storage import contacts as rows
from broadcaster.storage import people
from broadcaster.storage.tables import Address, Contact

MAX_LIMIT = 200
MAX_QUERY = 200  #: characters


@dataclass(frozen=True, slots=True)
class ContactLine:
    """One contact in a list; addresses are masked."""

    id: int
    name: str
    kind: str
    state: str
    language: str | None
    country: str | None
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One page, newest contacts first; ``cursor`` is for the next one, None on the last."""

    lines: tuple[ContactLine, ...]
    cursor: int | None


def search(
    runtime: Runtime,
    text: str = "",
    *,
    group: str = "",
    country: str = "",
    language: str = "",
    kind: str = "",
    cursor: int | None = None,
    limit: int = 50,
) -> Page:
    """Return contacts: *text* is a whole address, a customer number, or words of a name; the rest narrows.

    Raises InvalidInput ``limit``, ``cursor``, ``query_long``.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput(f"A page has 1 to {MAX_LIMIT} lines.", code="limit", field="limit")
    if cursor is not None and not 0 < cursor < 2**63:
        raise InvalidInput("This is not a place in the list.", code="cursor", field="cursor")
    if len(text) > MAX_QUERY:
        raise InvalidInput("This is too long to search for.", code="query_long", field="text")
    plain = {"country": country.upper(), "language": language, "kind": kind}
    narrow: dict[str, Any] = {"plain": {name: value for name, value in plain.items() if value}}
    with runtime.db.reading() as session:
        if group:
            narrow["group_id"] = rows.group_ids(session).get(group, 0)
        found = _found(runtime, session, text.strip(), narrow, cursor, limit + 1)
        lines = _lines(runtime, session, found[:limit])
    return Page(lines, found[limit - 1].id if len(found) > limit else None)


def _found(
    runtime: Runtime, session: Session, text: str, narrow: dict[str, Any], cursor: int | None, limit: int
) -> Sequence[Contact]:
    ring = runtime.keys
    if not text:
        return rows.find(session, ring, before=cursor, limit=limit, **narrow)
    digests = _digests(runtime, text)
    if digests:
        found = rows.find(session, ring, digests=digests, before=cursor, limit=limit, **narrow)
        if found:
            return found
    number = finding.external_digests(ring, text)
    found = rows.find(session, ring, external=number, before=cursor, limit=limit, **narrow)
    words = rules.name_words(text)
    if found or not words:
        return found
    return rows.find(session, ring, words=words, before=cursor, limit=limit, **narrow)


def _digests(runtime: Runtime, text: str) -> list[bytes]:
    """Return the keyed hashes of every address *text* may be."""
    channels = ("email",) if "@" in text else tuple(sorted(rules.PHONE_CHANNELS))
    digests: list[bytes] = []
    for channel in channels:
        try:
            value = normalise(rules.address_kind(channel), text)
        except InvalidInput:
            continue
        digests.extend(runtime.keys.blind_indexes(finding.address_scope(channel, None), value))
    return digests


def _lines(runtime: Runtime, session: Session, found: Sequence[Contact]) -> tuple[ContactLine, ...]:
    links = rows.links(session, [row.id for row in found])
    wanted = [row.key_id for row in found if row.key_id] + [one.key_id for _, one in links if one.key_id]
    keys = people.person_keys(session, runtime.keys, wanted)
    shown: dict[int, list[str]] = defaultdict(list)
    for link, address in links:
        shown[link.contact_id].append(masked(rules.address_kind(address.channel), address_value(keys, address)))
    lines = []
    for row in found:
        secrets = rows.open_secrets(keys.get(row.key_id or 0), row)
        name = " ".join(part for part in (secrets["first_name"], secrets["last_name"]) if part)
        lines.append(ContactLine(row.id, name, row.kind, row.state, row.language, row.country, tuple(shown[row.id])))
    return tuple(lines)


def address_value(keys: Mapping[int, bytes], address: Address) -> str:
    """Return an address in clear, empty after erasure."""
    key = keys.get(address.key_id or 0)
    return people.open_address(key, address.id, address.value_ct) if key and address.value_ct else ""
