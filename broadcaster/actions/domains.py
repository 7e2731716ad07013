"""Mail domains at the gate: who is over the account's number for their domain waits in a batch of its own.

Only there: nothing else waits with them, and no worker looks at such a batch before its domain may get more.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlmodel import Session

from broadcaster.actions.preparing import Item
from broadcaster.actions.runtime import Runtime
from broadcaster.core.domain_rates import Bucket, per_minute
from broadcaster.core.keys import KeyRing
from broadcaster.storage import domains as rows
from broadcaster.storage import rates
from broadcaster.storage.domains import Held
from broadcaster.storage.rates import Limits

_SCOPE = b"mail domain"


class Pace:
    """The domains of one look: asked before the account's own rate, counted after the gate, in one transaction.

    Costs nothing where the account has no table.
    """

    def __init__(self, runtime: Runtime, session: Session, limits: Limits, *, now: datetime) -> None:
        self._keys = runtime.keys
        self._session = session
        self._limits = limits
        self._now = now
        self._buckets: dict[int, Bucket] = {}
        self._most: dict[int, int] = {}

    def split(self, items: Sequence[Item]) -> tuple[Sequence[Item], list[Item]]:
        """Return who may go now, and who is over the number of their domain and was moved to wait for it."""
        if not self._limits.domain_rates or not items:
            return items, []
        wanted = [(item, self._key(item.row.domain)) for item in items]
        self._open({key for _, key in wanted if key is not None})
        left = {key: int(bucket.tokens) for key, bucket in self._buckets.items()}
        go: list[Item] = []
        over: list[tuple[Item, int]] = []
        for item, key in wanted:
            if key is None or left[key] > 0:
                go.append(item)
                if key is not None:
                    left[key] -= 1
            else:
                over.append((item, key))
        self._hold_back(over)
        return go, [item for item, _ in over]

    def count(self, passed: Iterable[Item]) -> None:
        """Write down who has passed the gate, and when each domain is worth another look."""
        if not self._buckets:
            return
        gone = Counter(self._key(item.row.domain) for item in passed)
        now = {key: (bucket.after(gone[key]), self._most[key]) for key, bucket in self._buckets.items()}
        rows.write(self._session, self._limits.account_id, now)

    def _key(self, domain: str | None) -> int | None:
        """Return a domain's key where it has a number, and remember the number."""
        most = per_minute(self._limits.domain_rates, domain)
        if most is None or domain is None:
            return None
        key = key_of(self._keys, domain)
        self._most[key] = most
        return key

    def _open(self, keys: Iterable[int]) -> None:
        wanted = set(keys)
        if not wanted:
            return
        rates.lock(self._session, self._limits, now=self._now)
        known = rows.read(self._session, self._limits.account_id, wanted)
        for key in wanted:
            most = self._most[key]
            self._buckets[key] = known.get(key, Bucket.full(most, self._now)).at(self._now, most)

    def _hold_back(self, over: Sequence[tuple[Item, int]]) -> None:
        """Move who is over to batches that wait for their domains; who was in one stays there."""
        moved: defaultdict[Held, list[int]] = defaultdict(list)
        for item, key in over:
            if item.waits_for != key:
                moved[Held(item.run_id, key)].append(item.step_id)
        rows.hold_back(self._session, self._limits.account_id, moved, now=self._now)


def forget_full(runtime: Runtime) -> None:
    """Drop the buckets that say no more than none would."""
    with runtime.db.transaction() as session:
        rows.forget_full(session, now=runtime.db.now(session))


def key_of(keys: KeyRing, domain: str) -> int:
    """Return the 64 bits under which a domain is counted."""
    return int.from_bytes(keys.blind_index(_SCOPE, domain)[:8], "big", signed=True)
