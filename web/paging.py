"""Long lists by key: the page after an id, never a page number, so that it stays quick and nothing is seen twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from flask import abort, request
from werkzeug.routing import BaseConverter, ValidationError

from broadcaster.core.ids import to_id

T = TypeVar("T")
LIMIT = 50


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows; ``next`` is the key to ask for what follows, None at the end."""

    rows: Sequence[T]
    next: int | None
    first: bool


def cursor(name: str = "before") -> int | None:
    """Return the key the address asks to go on from, None at the start. Anything but a positive number is a 404."""
    text = request.args.get(name)
    if text is None:
        return None
    found = to_id(text)
    if found is None:
        abort(404)
    return found


def page(rows: Sequence[T], key: Callable[[T], int], *, name: str = "before", limit: int = LIMIT) -> Page[T]:
    """Make a page of what a query returned that was asked for *limit* + 1 rows."""
    shown = rows[:limit]
    return Page(shown, key(shown[-1]) if len(rows) > limit else None, name not in request.args)


class IdConverter(BaseConverter):
    """``<id:contact_id>``: a positive 64-bit number in plain digits; everything else is not found."""

    regex = "[1-9][0-9]{0,18}"

    def to_python(self, value: str) -> int:
        found = to_id(value)
        if found is None:
            raise ValidationError
        return found
