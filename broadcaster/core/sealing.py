"""People as plain rows: sealed under their keys, each value as the driver stores it, in the order of ``COLUMNS``.

Pure, so that an import can make them in a process that has no database. What binds a ciphertext to its row is here too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from broadcaster.core.addresses import email_domain, phone_facts
from broadcaster.core.keys import KeyRing, open_sealed, seal

Values = tuple[Any, ...]

CONTACT_FIELDS = ("kind", "language", "country", "time_zone", "birth_year", "profession", "preferred_channel")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "person_key": ("id", "wrapping_key", "wrapped"),
    "address": (
        *("id", "channel", "account_id", "digest", "value_ct", "key_id", "country", "time_zones", "domain"),
        *("status", "status_reason", "suppressed", "stop_epoch", "import_id", "created_at"),
    ),
    "contact": (
        *("id", *CONTACT_FIELDS, "state", "attributes", "name_ct", "note_ct", "external_ct", "external_digest"),
        *("key_id", "import_id", "created_at", "updated_at"),
    ),
    "contact_word": ("word", "contact_id"),
    "contact_address": ("contact_id", "address_id", "preferred", "import_id", "created_at"),
    "group_member": ("group_id", "contact_id", "import_id"),
    "contact_interest": ("interest_id", "contact_id"),
    "consent_event": (
        *("id", "key", "address_id", "purpose_id", "action", "actor", "source", "basis", "clock", "occurred_at"),
        *("received_at", "expires_at", "wording_id", "staff_id", "import_id", "step_id", "ineffective"),
        *("entry_id", "commitment"),
    ),
    "consent_evidence": ("event_id", "body_ct", "salt", "rule"),
    "consent_state": ("address_id", "purpose_id", "standing", "event_id", "basis", "since", "expires_at", "beneath_id"),
}


@dataclass(frozen=True, slots=True)
class NewAddress:
    """A canonical address to be known. ``kind`` is "email", "phone" or "opaque"."""

    channel: str
    account_id: int | None
    kind: str
    value: str


@lru_cache(maxsize=4096)
def stored(at: datetime | None) -> str | None:
    """Return a time as both engines take it where no column type stands in between: UTC, without saying so."""
    if at is None:
        return None
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat(" ", "microseconds")[:26]


def seal_address(key: bytes, address_id: int, value: str) -> bytes:
    return seal(key, value.encode(), b"address:%d" % address_id)


def open_address(key: bytes, address_id: int, sealed: bytes) -> str:
    return open_sealed(key, sealed, b"address:%d" % address_id).decode()


def seal_name(key: bytes, contact_id: int, name: Mapping[str, str]) -> bytes:
    return seal(key, orjson.dumps(name), b"name:%d" % contact_id)


def open_name(key: bytes, contact_id: int, sealed: bytes) -> dict[str, str]:
    """Return ``{"first": ..., "last": ...}``."""
    found: dict[str, str] = orjson.loads(open_sealed(key, sealed, b"name:%d" % contact_id))
    return found


def seal_note(key: bytes, contact_id: int, note: str) -> bytes:
    return seal(key, note.encode(), b"note:%d" % contact_id)


def seal_external(key: bytes, contact_id: int, external_id: str) -> bytes:
    return seal(key, external_id.encode(), b"external:%d" % contact_id)


def key_row(ring: KeyRing, key_id: int, key: bytes) -> Values:
    """Return the row that keeps a person's key, wrapped."""
    return (key_id, *ring.wrap(key, b"%d" % key_id))


def address_row(
    new: NewAddress,
    address_id: int,
    key: tuple[int, bytes],
    *,
    digest: bytes,
    at: str | None,
    suppressed: bool = False,
    import_id: int | None = None,
) -> Values:
    """Return the row of an address; *key* is (id, key), *at* as ``stored``."""
    country, zones, domain = facts(new)
    sealed = seal_address(key[1], address_id, new.value)
    where = (address_id, new.channel, new.account_id, digest, sealed, key[0], country, zones, domain)
    return (*where, "ok", "", suppressed, 0, import_id, at)


def facts(address: NewAddress) -> tuple[str | None, str | None, str | None]:
    """Return (country, comma-separated time zones, mail domain) that an address itself tells."""
    if address.kind == "phone":
        country, zones = phone_facts(address.value)
        return country, ",".join(zones) or None, None
    if address.kind == "email":
        return None, None, email_domain(address.value)
    return None, None, None


def contact_row(
    fields: Mapping[str, Any],
    contact_id: int,
    key: tuple[int, bytes],
    *,
    external: bytes | None,
    at: str | None,
    import_id: int | None,
) -> Values:
    """Return the row of a contact; *fields* as an import names them, *key* is (id, key)."""
    get, secret = fields.get, key[1]
    name = {"first": get("first_name") or "", "last": get("last_name") or ""}
    note, number, told = get("note"), get("external_id"), get("attributes")
    return (
        contact_id,
        get("kind") or "consumer",
        *[get(name) for name in CONTACT_FIELDS[1:]],
        "active",
        json.dumps(told, ensure_ascii=False) if told else "{}",
        seal_name(secret, contact_id, name) if name["first"] or name["last"] else None,
        seal_note(secret, contact_id, note) if note else None,
        seal_external(secret, contact_id, number) if number else None,
        external,
        key[0],
        import_id,
        at,
        at,
    )
