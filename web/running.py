"""What is under way: campaigns, senders that need somebody, and whether a worker is there to do it."""

from __future__ import annotations

from dataclasses import dataclass

from broadcaster.actions.reports import Progress, progress
from broadcaster.storage import listings, workers
from broadcaster.storage.tables import Account, Campaign
from web import account_words
from web.access import Area, may
from web.context import me, runtime

MOST = 5


@dataclass(frozen=True, slots=True)
class Running:
    campaign: Campaign
    now: Progress


@dataclass(frozen=True, slots=True)
class Held:
    """An account on hold: what happened, what to do."""

    account: Account
    happened: str
    todo: str


def attended() -> bool:
    """Tell whether a worker is alive; without one nothing is sent, imported or sealed."""
    with runtime().db.reading() as session:
        return bool(workers.alive(session, now=runtime().db.now(session)))


def campaigns() -> list[Running]:
    """Return the newest campaigns that run, wait or are paused, with how far they are."""
    if not may(me().role, Area.CAMPAIGNS):
        return []
    with runtime().db.reading() as session:
        rows = listings.campaigns(session, states=("running", "paused", "scheduled"), limit=MOST)
    return [Running(row, progress(runtime(), row.id)) for row in rows]


def held() -> list[Held]:
    """Return the accounts on hold."""
    if not may(me().role, Area.ACCOUNTS):
        return []
    with runtime().db.reading() as session:
        rows = [row for row in listings.accounts(session) if row.state == "held"]
    return [Held(row, *account_words.held(row.state_reason)) for row in rows]
