"""Fetch what came in on channels that do not push: mailboxes, Telegram without a public address."""

from __future__ import annotations

import logging

from broadcaster.actions import accounts, inbound
from broadcaster.actions.runtime import Runtime
from broadcaster.channels import registry
from broadcaster.core.errors import BroadcasterError
from broadcaster.storage import accounts as rows
from broadcaster.storage.tables import Account, AccountPoll

log = logging.getLogger(__name__)


def poll_due(runtime: Runtime) -> int:
    """Poll every account that polls; apply what came in, then move its cursor. Return how many events came."""
    with runtime.db.reading() as session:
        found = rows.in_states(session, ("active", "paused", "held"))
        polled = [row.id for row in found if _polls(row)]
    return sum(poll(runtime, account_id) for account_id in polled)


def _polls(row: Account) -> bool:
    known = registry.CHANNELS.get(row.provider)
    if known is None or not known.capabilities.polls:
        return False
    return str(row.settings.get("polling", "yes")) != "no"


def poll(runtime: Runtime, account_id: int) -> int:
    """Poll one account. The cursor moves only after the events are applied: a crash in between repeats, never loses."""
    with runtime.db.reading() as session:
        row = session.get_one(Account, account_id)
        known = session.get(AccountPoll, account_id)
        cursor = "" if known is None else known.cursor
    problem, count = "", 0
    try:
        count, cursor = _fetch(runtime, row, cursor)
    except BroadcasterError as failed:
        problem = failed.code
    except Exception as failed:  # one account's trouble must not keep the others' mail waiting
        log.error("a poll failed", extra={"account_id": account_id, "error": type(failed).__name__})
        problem = "internal"
    if count or problem or known is None or known.cursor != cursor or known.problem:
        _remember(runtime, account_id, cursor, problem)
    return count


def _fetch(runtime: Runtime, row: Account, cursor: str) -> tuple[int, str]:
    """Return how many events came and were applied, and the cursor behind them."""
    with runtime.db.reading() as session:
        config = accounts.config(runtime, session, row.id)
    events, following = registry.get(row.provider).poll(config, cursor)
    inbound.apply(runtime, config, events)
    return len(events), following


def _remember(runtime: Runtime, account_id: int, cursor: str, problem: str) -> None:
    with runtime.db.transaction() as session:
        now = runtime.db.now(session)
        row = session.get(AccountPoll, account_id) or AccountPoll(account_id=account_id, polled_at=now)
        row.cursor, row.polled_at, row.problem = cursor, now, problem
        session.add(row)
