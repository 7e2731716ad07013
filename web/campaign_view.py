"""A campaign that has been launched: its progress, and the account of what became of everybody."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import render_template

from broadcaster.actions.reports import Report, progress, report
from broadcaster.core.campaigns import CampaignState
from broadcaster.core.errors import NotFound
from broadcaster.storage import listings
from broadcaster.storage.tables import Audience, Campaign, Purpose, Template
from web import campaign_words as say
from web import running, vocabulary
from web.context import runtime

MOVING = frozenset({CampaignState.SCHEDULED, CampaignState.RUNNING, CampaignState.PAUSED})


def shown(row: Campaign) -> str:
    """Return the page of a campaign that is no draft."""
    return render_template(
        "campaigns/show.html",
        row=row,
        **_progress(row),
        told=_report(row.id),
        facts=_facts(row),
        moving=row.state in MOVING,
        say=say,
    )


def live(row: Campaign) -> tuple[str, dict[str, str]]:
    """Return the part of the page that changes; the end of a campaign loads the whole page again."""
    headers = {} if row.state in MOVING else {"HX-Refresh": "true"}
    return render_template("campaigns/live.html", row=row, say=say, **_progress(row)), headers


def _progress(row: Campaign) -> dict[str, Any]:
    """Return how far it is; ``later``: when the next one is due, if that is not now; whether a worker is there."""
    found = progress(runtime(), row.id)
    soon = datetime.now(UTC) + timedelta(minutes=1)
    return {"now": found, "later": found.next_at is not None and found.next_at > soon, "attended": running.attended()}


def _report(campaign_id: int) -> Report | None:
    try:
        return report(runtime(), campaign_id)
    except NotFound:
        return None


def _facts(row: Campaign) -> dict[str, str]:
    """Return what was chosen, by name."""
    with runtime().db.reading() as session:
        purpose = vocabulary.purpose(listings.find(session, Purpose, row.purpose_id))
        audience = listings.find(session, Audience, row.audience_id).name if row.audience_id else ""
        template = listings.find(session, Template, row.template_id).name if row.template_id else ""
        exclude = listings.find(session, Audience, row.exclude_id).name if row.exclude_id else ""
    return {"purpose": purpose, "audience": audience, "exclude": exclude, "template": template}
