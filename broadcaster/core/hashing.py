"""HMAC-SHA256 (RFC 2104) for the millions: two plain hashes cost half of what OpenSSL asks for one HMAC."""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256
from typing import Any

_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    """Return the 32 bytes of ``hmac.digest(key, message, "sha256")``; *key* has at most 64 bytes."""
    if len(key) > _BLOCK:
        raise ValueError("a key longer than a block would have to be hashed first")
    block = key.ljust(_BLOCK, b"\0")
    return sha256(block.translate(_OUTER) + sha256(block.translate(_INNER) + message).digest()).digest()


def hmac_of_ring(key: bytes, message: bytes) -> bytes:
    """Return the same under a key of the ring, whose two first blocks are hashed once and kept."""
    inner, outer = _blocks(key)
    within, whole = inner.copy(), outer.copy()
    within.update(message)
    whole.update(within.digest())
    digest: bytes = whole.digest()
    return digest


@lru_cache(maxsize=64)
def _blocks(key: bytes) -> tuple[Any, Any]:
    block = key.ljust(_BLOCK, b"\0")
    return sha256(block.translate(_INNER)), sha256(block.translate(_OUTER))
