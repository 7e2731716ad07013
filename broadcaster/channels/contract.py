"""What every channel must be able to do; the rest of the product knows channels only through this file.

A channel is stateless; a ``Sender`` is one worker's open line to one account: it keeps connections, has a number of
slots, and reports how each call ended. The dispatcher keeps the slots full:

    sender.warm(n)                          connect, TLS, sign in: before the gate
    prepared = sender.prepare(outbound)     build the bytes: before the gate; raises MessageRejected
    -- the gate commits --
    sender.start(ref, prepared, deadline)   after ``deadline`` nothing may start: the result is NOT_STARTED
    for done in sender.finished(timeout): ...
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from broadcaster.core.deliveries import Idempotency
from broadcaster.core.messages import CallResult, ChannelEvent, MediaKind, Outbound


def boottime() -> float:
    """Return seconds by a clock that also counts while the machine or the process is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


#: Calls of an account at a time and process, unless it says otherwise; its rate is what protects the provider.
CONCURRENCY = 256


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a channel can express and promise; sources in ``docs/channels.md``.

    ``text_max`` is in characters. ``reply_confirms_platform``: the platform answers STOP itself.
    """

    channel: str
    address_kind: str  #: "email", "phone" or "opaque"
    address_scope: str  #: "global" or "account"
    text_max: int
    media: frozenset[MediaKind] = frozenset()
    buttons_max: int = 0
    button_title_max: int = 0
    idempotency: Idempotency = Idempotency.NONE
    receipts: bool = False
    user_must_start: bool = False
    polls: bool = False  #: inbound can be fetched (mailbox, long polling), not only pushed
    webhook: bool = False
    needs_html: bool = False  #: e-mail: the message has a subject, an HTML part and headers
    rate_per_second: float = 50.0  #: default of a new account
    recipient_seconds: float = 0.0  #: at least so long between two messages to one address
    trusted_clock: bool = True  #: False: the time of what comes in was written by the sender's own machine

    @property
    def inbound_max(self) -> int:
        """Return how many characters of a person's message are kept: more than any provider lets one write."""
        return 2 * self.text_max


@dataclass(frozen=True, slots=True)
class Field:
    """One setting of an account, as a form shows it and as ``check_settings`` validates it."""

    name: str
    label: str
    secret: bool = False
    required: bool = True
    default: str = ""
    help: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """One configured sender, opened for use. ``base_url`` may be empty: the provider's own."""

    id: int
    channel: str
    base_url: str
    settings: Mapping[str, str]  #: open values: sender name, port ...
    secrets: Mapping[str, str] = field(repr=False)
    concurrency: int = CONCURRENCY
    public_url: str = ""  #: where the provider reaches our webhook, as configured (never taken from a request)


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A provider's call as it came: raw bytes, headers by lower-case name, the configured public URL it was sent to."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)  #: a provider's shared secret may stand here
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """What to answer a provider."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What an account check found; ``problems`` are sentences for an operator, empty when all is well."""

    ok: bool
    detail: str = ""
    problems: tuple[str, ...] = ()


@dataclass(slots=True)
class Finished:
    """A call that ended; ``ref`` is what ``start`` was given."""

    ref: int
    result: CallResult


class Sender(Protocol):
    """One worker's open line to one account. Not thread-safe."""

    def slots(self) -> int:
        """Return how many more calls can go out at once; a call started beyond that waits, until its deadline."""
        ...

    def warm(self, connections: int) -> None:
        """Open up to *connections* connections, signed in and ready; failures show when a call is started."""
        ...

    def prepare(self, outbound: Outbound) -> Any:
        """Build everything that can be built before the gate. Raises MessageRejected."""
        ...

    def start(self, ref: int, prepared: Any, deadline: float) -> None:
        """Start a call unless ``boottime()`` has passed *deadline* at the first byte (then: NOT_STARTED).

        The start is the first byte of the request (HTTP) or MAIL FROM (SMTP). Never raises: every end is a Finished.
        """
        ...

    def finished(self, timeout: float) -> Sequence[Finished]:
        """Return calls that ended, waiting up to *timeout* seconds for the first one."""
        ...

    def close(self) -> None:
        """Drop connections; calls still under way are not reported any more."""
        ...


class Channel(Protocol):
    """One kind of messaging system. One instance per process, no state."""

    capabilities: Capabilities
    fields: Sequence[Field]

    def normalise(self, address: str, *, region: str | None = None) -> str:
        """Return the canonical form of an address. Raises InvalidInput."""
        ...

    def sender(self, account: AccountConfig) -> Sender: ...

    def check(self, account: AccountConfig) -> CheckResult:
        """Try the account for real (sign in, ask who we are) without sending anything to anybody."""
        ...

    def parse_webhook(self, account: AccountConfig, request: WebhookRequest) -> Sequence[ChannelEvent]:
        """Verify the signature over the raw bytes, then read the events. Raises BadSignature before looking inside.

        A body that is signed but not understood raises InvalidInput; one broken event among good ones is left out and
        reported as kind OTHER.
        """
        ...

    def webhook_answer(self, account: AccountConfig, events: Sequence[ChannelEvent]) -> WebhookAnswer: ...

    def poll(self, account: AccountConfig, cursor: str) -> tuple[Sequence[ChannelEvent], str]:
        """Fetch what came in since *cursor* ("" at first) and return it with the next cursor.

        Events are handed out again until the next call is made with the returned cursor. Channels without polling
        return nothing.
        """
        ...
