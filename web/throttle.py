"""Slow down whoever tries too often: counted in this process, by network address, forgotten after a while."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from flask import request
from werkzeug.exceptions import TooManyRequests

KEPT = 10_000


class Throttle:
    """At most *tries* within *seconds* from one network address; not a lock on anybody's account."""

    def __init__(self, *, tries: int, seconds: float) -> None:
        self.tries, self.seconds = tries, seconds
        self._seen: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self) -> None:
        """Count this request. Raises TooManyRequests with the seconds to wait."""
        now = time.monotonic()
        key = request.remote_addr or "-"
        with self._lock:
            start, count = self._seen.pop(key, (now, 0))
            if now - start >= self.seconds:
                start, count = now, 0
            self._seen[key] = (start, count + 1)
            while len(self._seen) > KEPT:
                self._seen.popitem(last=False)
        if count >= self.tries:
            raise TooManyRequests(retry_after=int(self.seconds - (now - start)) + 1)
