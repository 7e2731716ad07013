"""The clock of a person's request about their data (GDPR art. 12(3))."""

from __future__ import annotations

import calendar
from datetime import datetime
from enum import StrEnum

ANSWER_MONTHS = 1
EXTENSION_MONTHS = 2  #: once, where requests are complex or many


class RequestKind(StrEnum):
    ACCESS = "access"
    PORTABILITY = "portability"
    RECTIFICATION = "rectification"
    ERASURE = "erasure"
    OBJECTION = "objection"
    RESTRICTION = "restriction"


def due(received: datetime) -> datetime:
    """Return until when a request must be answered."""
    return _later(received, ANSWER_MONTHS)


def extended(received: datetime) -> datetime:
    """Return until when it must be answered once the person was told that it takes longer."""
    return _later(received, ANSWER_MONTHS + EXTENSION_MONTHS)


def _later(moment: datetime, months: int) -> datetime:
    """Return the same day some months on, or the last of a month that is shorter (Regulation 1182/71, art. 3(2)(c))."""
    years, month = divmod(moment.month - 1 + months, 12)
    year = moment.year + years
    return moment.replace(year=year, month=month + 1, day=min(moment.day, calendar.monthrange(year, month + 1)[1]))
