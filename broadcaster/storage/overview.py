"""Counts for the dashboard: what there is, what runs, what needs somebody."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class Overview:
    """How much there is of each thing; the names of the fields are those of the tables."""

    contacts: int
    audiences: int
    templates: int
    purposes: int
    wordings: int
    brands: int
    accounts: int
    accounts_held: int
    campaigns: int
    campaigns_running: int
    campaigns_scheduled: int
    consents: int
    reviews: int
    tests: int
    imports: int


_COUNTS = {
    "contacts": "contact WHERE state = 'active' AND merged_into IS NULL",
    "audiences": "audience WHERE archived_at IS NULL",
    "templates": "template WHERE archived_at IS NULL",
    "purposes": "purpose WHERE leaf AND kind = 'marketing' AND archived_at IS NULL",
    "wordings": "wording",
    "brands": "brand WHERE archived_at IS NULL",
    "accounts": "account WHERE state <> 'disabled'",
    "accounts_held": "account WHERE state = 'held'",
    "campaigns": "campaign WHERE archived_at IS NULL",
    "campaigns_running": "campaign WHERE state IN ('running', 'paused')",
    "campaigns_scheduled": "campaign WHERE state = 'scheduled'",
    "consents": "(SELECT 1 FROM consent_event LIMIT 1) AS found",
    "reviews": "conversation WHERE needs_review",
    "tests": "message WHERE kind = 'test'",
    "imports": "import_job WHERE state = 'running'",
}
_QUERY = text("SELECT " + ", ".join(f"(SELECT count(*) FROM {what}) AS {name}" for name, what in _COUNTS.items()))


def overview(session: Session) -> Overview:
    """Count everything in one statement. ``consents`` is 1 as soon as there is any."""
    row = session.connection().execute(_QUERY).one()
    return Overview(**dict(row._mapping))
