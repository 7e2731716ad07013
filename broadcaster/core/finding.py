"""What finds an address, a name's word or a customer number without storing it: keyed hashes, each in its own scope."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from broadcaster.core.contacts import name_words
from broadcaster.core.keys import KeyRing

_WORD_SCOPE, _EXTERNAL_SCOPE = b"word", b"external"


def address_scope(channel: str, account_id: int | None) -> bytes:
    """Return what an address's digest is bound to: its channel, and the account where it is known to one only."""
    return f"{channel}|{account_id or 0}".encode()


def word_hash(ring: KeyRing, word: str) -> int:
    """Return the 64-bit keyed hash under which a word of a name is kept, under the current key."""
    return _first_64(ring.blind_index(_WORD_SCOPE, word))


def word_hashes(ring: KeyRing, word: str) -> tuple[int, ...]:
    """Return a word's hash under every key: what to look for."""
    return tuple(_first_64(one) for one in ring.blind_indexes(_WORD_SCOPE, word))


def _first_64(digest: bytes) -> int:
    return int(struct.unpack(">q", digest[:8])[0])


def external_digest(ring: KeyRing, external_id: str) -> bytes:
    """Return the keyed hash of a customer number, under the current key."""
    return ring.blind_index(_EXTERNAL_SCOPE, external_id)


def external_digests(ring: KeyRing, external_id: str) -> tuple[bytes, ...]:
    """Return a customer number's keyed hash under every key: what to look for."""
    return ring.blind_indexes(_EXTERNAL_SCOPE, external_id)


def words_of(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the words a contact is found by."""
    return name_words(f"{fields.get('first_name') or ''} {fields.get('last_name') or ''}".strip())
