"""What the rows of a file meet: the addresses and contacts that are known already."""

from __future__ import annotations

import struct
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any


def key_of_act(import_id: int, row: int, purpose_id: int, place: int) -> bytes:
    """Return what makes the same consent of the same row one event, however often the chunk is tried."""
    return struct.pack(">6sQQQB", b"import", import_id, row, purpose_id, place)


def keys_of(import_id: int) -> tuple[bytes, bytes]:
    """Return what the keys of all acts of an import are not below, and what they are below."""
    return struct.pack(">6sQ", b"import", import_id), struct.pack(">6sQ", b"import", import_id + 1)


@dataclass(slots=True)
class KnownContact:
    """A contact as an import compares it: plain and encrypted fields by name, in clear."""

    id: int
    restricted: bool
    import_id: int | None  #: the import that made them
    key_id: int | None
    fields: dict[str, Any]
    key: bytes | None
    groups: set[str] = field(default_factory=set)
    interests: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Known:
    """What a chunk of rows meets in the database."""

    addresses: dict[bytes, tuple[int, bool]] = field(default_factory=dict)  #: digest -> (id, suppressed)
    users: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))  #: address -> contacts
    closed: set[tuple[int, int]] = field(default_factory=set)  #: (contact, address) that was taken away
    contacts: dict[int, KnownContact] = field(default_factory=dict)
    externals: dict[bytes, int] = field(default_factory=dict)
    barred: set[bytes] = field(default_factory=set)
