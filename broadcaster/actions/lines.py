"""Open lines to accounts, one for each thread and account, kept from slice to slice."""

from __future__ import annotations

import threading

from broadcaster.channels import registry
from broadcaster.channels.contract import AccountConfig, Sender

_open = threading.local()


def line(config: AccountConfig, provider: str) -> Sender:
    """Return this thread's open line to the account, kept as long as nothing is reconfigured."""
    known = _lines().get(config.id)
    if known is not None and known[0] == config:
        return known[1]
    hang_up(config.id)
    sender = registry.get(provider).sender(config)
    _lines()[config.id] = (config, sender)
    return sender


def hang_up(account_id: int) -> None:
    """Close this thread's line, so that no late answer of a slice that failed is taken for one of the next."""
    known = _lines().pop(account_id, None)
    if known is not None:
        known[1].close()


def _lines() -> dict[int, tuple[AccountConfig, Sender]]:
    found: dict[int, tuple[AccountConfig, Sender]] = _open.__dict__.setdefault("lines", {})
    return found
