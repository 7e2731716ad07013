"""What the rows of a file meet: the addresses and contacts that are known already."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any


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
