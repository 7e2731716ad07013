"""Ids as people hand them to us: in addresses of pages and on command lines."""

from __future__ import annotations

MAX_ID = 2**63 - 1


def to_id(text: str) -> int | None:
    """Return an id written the one way we write ids, None for everything else."""
    if not (text.isascii() and text.isdigit()) or text.startswith("0") or len(text) > 19:
        return None
    number = int(text)
    return number if number <= MAX_ID else None
