"""Reading what came over the wire: bounded, total, never surprised."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NoReturn

import orjson

from broadcaster.core.errors import Misconfigured

_DEPTH_MAX = 32


def json_object(body: bytes) -> dict[str, Any]:
    """Return *body* as a JSON object. Raises ValueError for anything else: lists, NaN, nesting over 32 levels."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = _tolerant(body)
    brackets = body.count(b"{") + body.count(b"[")
    if not isinstance(value, dict) or (brackets > _DEPTH_MAX and _deeper_than(value, _DEPTH_MAX)):
        raise ValueError("not an object, or nested too deep")
    return value


def _tolerant(body: bytes) -> object:
    """Read what orjson does not: lone surrogates and integers beyond 64 bits, as some providers send them."""
    try:
        return json.loads(body, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _deeper_than(value: object, levels: int) -> bool:
    level: list[Any] = [value]
    for _ in range(levels):
        level = [item for part in level if isinstance(part, dict | list) for item in _items(part)]
        if not level:
            return False
    return True


def _items(part: dict[str, Any] | list[Any]) -> list[Any]:
    return list(part.values()) if isinstance(part, dict) else part


def mapping(value: object) -> dict[str, Any]:
    """Return *value* if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def clean_text(value: object) -> str:
    """Return *value* as text every store accepts: no NUL, no lone surrogates; "" if it is not text."""
    if not isinstance(value, str):
        return ""
    return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def moment(seconds: object) -> datetime:
    """Return the time of a Unix timestamp; now, where it is missing or absurd."""
    now = datetime.now(UTC)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return now
    try:
        return min(datetime.fromtimestamp(seconds, UTC), now)
    except (ValueError, OverflowError, OSError):
        return now


def header_safe(value: str, name: str) -> str:
    """Return *value* if it can stand in a URL or header. Raises Misconfigured, naming the setting, not its value."""
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise Misconfigured(f"the setting {name} is empty or holds characters that cannot be sent")
    return value
