"""Times as they are typed on a command line."""

from __future__ import annotations

from datetime import datetime

from broadcaster.core.errors import InvalidInput


def moment_of(text: str, field: str) -> datetime:
    """Return a time with its zone. Raises InvalidInput."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        read = datetime.min  # noqa: DTZ901
    if read.tzinfo is None:
        raise InvalidInput("give date, time and zone: 2026-05-31T14:00+02:00", field=field, code="date_no_zone")
    return read
