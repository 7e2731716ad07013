"""The dashboard: what needs somebody now, what runs, and the way to the first campaign until it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue

from broadcaster.storage import workers
from broadcaster.storage.overview import Overview, overview
from web import campaign_words, running
from web.access import Area, Level, may, require
from web.consent_words import channel_name
from web.context import me, runtime
from web.language import _
from web.navigation import exists

pages = Blueprint("home", __name__)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the way to the first campaign; ``endpoint`` leads there."""

    done: bool
    title: str
    text: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class Alert:
    text: str
    endpoint: str


@pages.get("/")
@require(Area.HOME)
def index() -> ResponseReturnValue:
    """Show counts, what is wrong, and the checklist to who can work on it."""
    with runtime().db.reading() as session:
        found = overview(session)
        missing = workers.unserved(session, now=runtime().db.now(session))
    attended = running.attended()
    steps = checklist(found) if may(me().role, Area.CAMPAIGNS, Level.WRITE) else []
    if all(step.done for step in steps):
        steps = []
    return render_template(
        "home.html",
        counts=found,
        steps=steps,
        alerts=alerts(found, missing if attended else []),
        waits=bool(found.campaigns_running or found.campaigns_scheduled or found.imports) and not attended,
        running=running.campaigns(),
        held=running.held(),
        say=campaign_words,
    )


def checklist(found: Overview) -> list[Step]:
    """Return the way from an empty installation to a first campaign, in order; only pages that exist."""
    steps = [
        Step(
            found.brands > 0 and found.purposes > 0,
            _("Say why you write"),
            _("A purpose such as a newsletter, with the words people agree to."),
            "purposes.index",
        ),
        Step(
            found.accounts > 0,
            _("Connect a sender"),
            _("Start with the sandbox: it stands in for any channel, sends nothing and shows what would go out."),
            "accounts.index",
        ),
        Step(
            found.contacts > 0,
            _("Bring in your contacts"),
            _("From a CSV or Excel file, with the proof of their consent."),
            "imports.index",
        ),
        Step(found.audiences > 0, _("Choose an audience"), _("A rule that says who should hear."), "audiences.index"),
        Step(
            found.templates > 0,
            _("Write a message"),
            _("Once per channel and language, with a preview as any contact."),
            "templates.index",
        ),
        Step(
            found.tests > 0,
            _("Send it to yourself"),
            _("A test goes to you alone and counts for nothing."),
            "templates.index",
        ),
        Step(
            found.campaigns > 0,
            _("Prepare a campaign"),
            _("The dry run shows who gets it, who does not, and why."),
            "campaigns.index",
        ),
    ]
    return [step for step in steps if exists(step.endpoint)]


def alerts(found: Overview, missing: Sequence[str]) -> list[Alert]:
    """Return what somebody should look at now; *missing*: channels that no worker serves."""
    made = []
    if missing and (found.campaigns_running or found.campaigns_scheduled):
        names = ", ".join(channel_name(one) for one in missing)
        made.append(Alert(_("No worker is sending on: %(channels)s.", channels=names), "campaigns.index"))
    if found.reviews:
        made.append(Alert(_("Somebody wrote something that a person should read."), "inbox.index"))
    return [alert for alert in made if exists(alert.endpoint)]
