"""What people and providers say to an account of a scene."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from broadcaster.actions import accounts, inbound
from broadcaster.actions.consent import Recorded
from broadcaster.channels.contract import AccountConfig
from broadcaster.core.messages import Inbound, InboundKind, Receipt
from tests import factories
from tests.actions.scene import Scene

NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=2)
_keys = itertools.count(1)


def config(s: Scene) -> AccountConfig:
    with s.runtime.db.reading() as session:
        return accounts.config(s.runtime, session, s.account)


def a_key() -> str:
    return f"e{next(_keys)}"


def number(n: int) -> str:
    return factories.address_value("sms", n)


def said(text: str, *, who: int = 1, at: datetime = NOW, key: str = "", **more: Any) -> Inbound:
    kind = more.pop("kind", InboundKind.TEXT)
    return Inbound(key or a_key(), kind, number(who), at, text=text, **more)


def tell(s: Scene, *events: Inbound | Receipt) -> list[Recorded]:
    return inbound.apply(s.runtime, config(s), events)


def standing(s: Scene, who: int = 1) -> str | None:
    query = "SELECT standing FROM consent_state WHERE address_id = :a AND purpose_id = :p"
    found = s.rows(query, a=s.people[who - 1][1], p=s.purpose)
    return found[0][0] if found else None


def together(*works: Any) -> list[BaseException]:
    """Run these at once; return what they raised."""
    failed: list[BaseException] = []
    start = threading.Barrier(len(works))

    def one(work: Any) -> None:
        start.wait()
        try:
            work()
        except Exception as problem:
            failed.append(problem)

    threads = [threading.Thread(target=one, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failed
