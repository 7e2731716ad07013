"""What a finished HTTP call came to, from evidence; and the sender every HTTP channel shares.

    no byte written                                        TRANSIENT (or NOT_STARTED when only the deadline passed)
    time-out, reset or end after any byte; 500, 502, 504   UNKNOWN
    what the channel's own table knows                     its outcome
    429; 503 with Retry-After                              THROTTLED
    2xx whose body is of no use; any other 5xx             UNKNOWN
    401, 403 and other refusals                            CREDENTIAL or MESSAGE_REJECTED

A repeated message is worse than an unknown one, so every doubt ends in UNKNOWN.
"""

from __future__ import annotations

import email.utils
import math
from collections.abc import Callable
from datetime import UTC, datetime

import orjson

from broadcaster.channels.contract import Finished, boottime
from broadcaster.channels.transport import HttpCall, HttpError, HttpLimits, HttpResult, HttpWindow
from broadcaster.core.deliveries import Outcome, clamp_retry_after
from broadcaster.core.errors import MessageRejected
from broadcaster.core.messages import CallResult, Outbound

#: Reads an answer the transport could not settle by itself; None: "my table does not know this".
Read = Callable[[HttpResult], CallResult | None]
Build = Callable[[Outbound], HttpCall]

_UNKNOWN_STATUS = frozenset({302, 303, 408, 500, 502, 504})
_NOT_OURS = frozenset({301, 305, 307, 308})  #: the base URL is wrong: nothing was taken, and nothing will be
_REFUSED_ACCOUNT = frozenset({401, 402, 403, 404, 405, 407, 410, 421})


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Read a Retry-After header, in seconds or as a date, and clamp it to 1 s .. 1 h; None if it says nothing."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            until = email.utils.parsedate_to_datetime(value)
            seconds = (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return None if math.isnan(seconds) else clamp_retry_after(seconds)


def classify(result: HttpResult, read: Read, now: datetime) -> CallResult:
    """Say what a call came to, in the order of the table above."""
    settled = _from_evidence(result)
    if settled is not None:
        return settled
    try:
        said = read(result)
    except (ValueError, TypeError, LookupError, AttributeError):
        said = None  # an answer nobody can read
    if said is None:
        return _from_status(result, now)
    if said.outcome is Outcome.THROTTLED:
        wait = said.retry_after
        wait = retry_after_seconds(result.retry_after, now) if wait is None else clamp_retry_after(wait)
        return CallResult(said.outcome, said.provider_id, said.provider_code, wait)
    return said


def _from_evidence(result: HttpResult) -> CallResult | None:
    """Settle what needs no look at the answer, or return None."""
    if not result.started:
        if result.error is HttpError.LATE:
            return CallResult(Outcome.NOT_STARTED)
        if result.error is HttpError.ADDRESS:
            return CallResult(Outcome.CREDENTIAL, provider_code="base_url")
        return CallResult(Outcome.TRANSIENT, provider_code=str(result.error))
    if result.status is None:
        return CallResult(Outcome.UNKNOWN, provider_code=str(result.error))
    if result.error is not None and result.status < 300:
        return CallResult(Outcome.UNKNOWN, provider_code=str(result.error))
    if result.status in _UNKNOWN_STATUS:
        return CallResult(Outcome.UNKNOWN, provider_code=str(result.status))
    if result.status in _NOT_OURS:
        return CallResult(Outcome.CREDENTIAL, provider_code=str(result.status))
    return None


def _from_status(result: HttpResult, now: datetime) -> CallResult:
    """Judge by the status line alone, for answers the channel's table does not know."""
    status = result.status or 0
    code = str(status)
    if status == 429 or (status == 503 and result.retry_after is not None):
        wait = retry_after_seconds(result.retry_after, now)
        return CallResult(Outcome.THROTTLED, provider_code=code, retry_after=wait)
    if status == 425:
        return CallResult(Outcome.TRANSIENT, provider_code=code)
    if status in _REFUSED_ACCOUNT:
        return CallResult(Outcome.CREDENTIAL, provider_code=code)
    if 400 <= status < 500:
        return CallResult(Outcome.MESSAGE_REJECTED, provider_code=code)
    return CallResult(Outcome.UNKNOWN, provider_code=code)


class HttpSender:
    """The Sender of a channel with one HTTP call per message: how to build it and how to read its answer."""

    def __init__(
        self, *, build: Build, read: Read, warm_url: str, concurrency: int, limits: HttpLimits | None = None
    ) -> None:
        self._build = build
        self._read = read
        self._warm_url = warm_url
        self._window = HttpWindow(concurrency, limits)

    def slots(self) -> int:
        """Return how many more calls may be started now."""
        return self._window.slots()

    def warm(self, connections: int) -> None:
        """Open up to *connections* connections."""
        self._window.warm(self._warm_url, connections)

    def prepare(self, outbound: Outbound) -> HttpCall:
        """Build the request. Raises MessageRejected."""
        try:
            return self._build(outbound)
        except (UnicodeError, orjson.JSONEncodeError):
            raise MessageRejected("the message holds characters that cannot be sent") from None

    def start(self, ref: int, prepared: HttpCall, deadline: float) -> None:
        """Start a call unless ``boottime()`` has passed *deadline* at the first byte."""
        self._window.start(ref, prepared, deadline)

    def finished(self, timeout: float) -> list[Finished]:
        """Return calls that ended, waiting up to *timeout* seconds for the first one."""
        ended = self._window.finished(timeout)
        if not ended:
            return []
        now = datetime.now(UTC)
        return [Finished(done.ref, classify(done.result, self._read, now)) for done in ended]

    def close(self) -> None:
        """Drop connections; calls still under way are not reported any more."""
        self._window.close()


def request_once(call: HttpCall, limits: HttpLimits | None = None) -> HttpResult:
    """Make one admin call (check, poll, registration) and wait for its end."""
    limits = limits or HttpLimits()
    window = HttpWindow(1, limits)
    try:
        window.start(0, call, boottime() + limits.total_seconds)
        done = window.finished(limits.total_seconds + limits.connect_seconds)
    finally:
        window.close()
    return done[0].result if done else HttpResult(None, True, HttpError.TIMEOUT)
