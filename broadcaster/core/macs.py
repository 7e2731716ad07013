"""HMAC-SHA256 (RFC 2104) without the set-up that OpenSSL repeats at every call; both run several times per message.

Equal to ``hmac.digest(key, message, "sha256")``, in a third to a half of the time. Keys have at most 64 bytes.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Any

_BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def fresh(key: bytes, message: bytes) -> bytes:
    """Return the MAC under a key that is used once or twice: a salt, a person's key."""
    block = key.ljust(_BLOCK_BYTES, b"\0")
    return sha256(block.translate(_OUTER) + sha256(block.translate(_INNER) + message).digest()).digest()


def known(key: bytes, message: bytes) -> bytes:
    """Return the MAC under a key of the ring, whose first blocks are kept."""
    inner, outer = _blocks(key)
    within, whole = inner.copy(), outer.copy()
    within.update(message)
    whole.update(within.digest())
    digest: bytes = whole.digest()
    return digest


@lru_cache(maxsize=64)
def _blocks(key: bytes) -> tuple[Any, Any]:
    block = key.ljust(_BLOCK_BYTES, b"\0")
    return sha256(block.translate(_INNER)), sha256(block.translate(_OUTER))
