"""Who stands behind a number of the report: the people of one state or reason, page by page."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from broadcaster.actions import campaigns
from broadcaster.actions.forecast_people import masked_addresses
from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import NotFound
from broadcaster.storage import reports as rows


@dataclass(frozen=True, slots=True)
class Member:
    """One person of a run: what became of their delivery. ``address`` is masked, empty where none was chosen."""

    contact_id: int
    channel: str
    address: str = field(repr=False)
    state: str
    reason: str | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Members:
    """A page of people, by contact. ``after`` leads to the next page, None at the end."""

    rows: tuple[Member, ...]
    after: int | None


def members(
    runtime: Runtime, campaign_id: int, *, state: str = "", reason: str = "", after: int = 0, limit: int = 50
) -> Members:
    """Return people of the newest run in one *state* or for one *reason*. Raises NotFound, also ``not_started``."""
    with runtime.db.reading() as session:
        campaigns.get(session, campaign_id)
        run = next(iter(rows.runs(session, campaign_id)), None)
        if run is None:
            raise NotFound("this campaign has not started; make a dry run", code="not_started")
        found = rows.members(session, run.id, state=state, reason=reason, after=after, limit=limit + 1)
        page = found[:limit]
        known = masked_addresses(runtime, session, [row.address_id for row in page if row.address_id is not None])
    shown = [
        Member(row.contact_id, row.channel or "", known.get(row.address_id, ""), row.state, row.reason, row.settled_at)
        for row in page
    ]
    return Members(tuple(shown), page[-1].contact_id if len(found) > limit else None)
