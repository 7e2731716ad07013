"""What the log is made of: canonical bytes of an event, the commitment to them, the leaf that stands in the tree.

The leaf says only of what coarse kind an event is. Everything else is inside the commitment, which says nothing once
its salt is destroyed; so a person can be erased and every proof stays valid.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import orjson

from broadcaster.core.errors import IntegrityFailure, InvalidInput
from broadcaster.core.hashing import hmac_sha256

Json: TypeAlias = "bool | int | str | Sequence[Json] | Mapping[str, Json] | None"

#: All kinds of leaves, coarse on purpose: leaves of an erased person must not be linkable.
KINDS = frozenset({"consent", "contact", "send", "admin", "privacy", "erasure"})
SALT_BYTES = 32
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_LARGEST_INTEGER = 2**53 - 1  # RFC 8785 writes numbers as IEEE 754 doubles (I-JSON, RFC 7493 2.2)
_QUICK = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER  # the latter refuses what is beyond that
_PLAIN = frozenset({str, int, bool, type(None), dict})


def canonical(event: Json) -> bytes:
    """Return the one byte string that stands for *event* (RFC 8785, without floats; time is integer milliseconds).

    Store these bytes; never make them again to verify. Raises InvalidInput for floats, other types, keys that are not
    strings, integers beyond ±(2^53 - 1) and lone surrogates.
    """
    try:
        if type(event) is dict and _simple(event):
            return orjson.dumps(event, option=_QUICK)
    except TypeError:
        pass  # a lone surrogate, a key that is no string, a number too large: the exact road says so
    try:
        return _ENCODE(_ordered(event)).encode()
    except UnicodeEncodeError:
        raise InvalidInput("an event holds a character that is not Unicode") from None


def _simple(event: dict[str, Json]) -> bool:
    """Say whether the quick road gives the same bytes: plain types, keys in ASCII.

    Raises TypeError for a key that is not a string.
    """
    kinds = set(map(type, event.values()))
    if not kinds <= _PLAIN:
        return False
    if dict in kinds:
        for value in event.values():
            if type(value) is dict and not _simple(value):
                return False
    return "".join(event).isascii()


def commit(salt: bytes, canonical_bytes: bytes) -> bytes:
    """Return the commitment to an event: HMAC-SHA256 under this event's own random salt of 32 bytes."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes")
    return hmac_sha256(salt, canonical_bytes)


def check_commitment(salt: bytes, canonical_bytes: bytes, commitment: bytes) -> None:
    """Raise IntegrityFailure unless *commitment* is the one to these bytes."""
    if not hmac.compare_digest(commit(salt, canonical_bytes), commitment):
        raise IntegrityFailure("an event is not what was committed to")


def leaf_bytes(kind: str, commitment: bytes) -> bytes:
    """Return the log entry for an event: ``v1|kind|`` and the 32 bytes of its commitment."""
    if kind not in KINDS or len(commitment) != 32:
        raise ValueError("a leaf has a known kind and a commitment of 32 bytes")
    return b"v1|" + kind.encode() + b"|" + commitment


def _ordered(value: Json) -> Json:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        if abs(value) > _LARGEST_INTEGER:
            raise InvalidInput("an event holds a number that JSON cannot carry exactly")
        return int(value)
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise InvalidInput("an event holds a key that is not a string")
        order = sorted(value) if "".join(value).isascii() else sorted(value, key=_utf16)
        return {key: _ordered(value[key]) for key in order}
    raise InvalidInput(f"an event cannot hold a {type(value).__name__}")


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")  # RFC 8785 3.2.3 sorts by UTF-16 code units
