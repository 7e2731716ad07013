"""The newcomer's provider: serves any channel, accepts everything in process and reaches nobody.

An account of it stands on a real channel and takes what that channel takes: its addresses, its limits, its consent. The
dispatcher writes what would have been sent to the sandbox outbox; this file keeps nothing. Three endings before the
``@`` of a mail address show how the rest of the product reacts:

    ann+bounce@example.test     nobody is there
    ann+blocked@example.test    the person has blocked us
    ann+slow@example.test       accepted after a second
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from broadcaster.channels.contract import (
    AccountConfig,
    Capabilities,
    Channel,
    CheckResult,
    Field,
    Finished,
    WebhookAnswer,
    WebhookRequest,
    boottime,
)
from broadcaster.core.deliveries import Idempotency, Outcome
from broadcaster.core.errors import BadSignature, MessageRejected
from broadcaster.core.messages import CallResult, ChannelEvent, Outbound

_MAGIC = re.compile(r"\+(bounce|blocked|slow)@")
_OUTCOMES = {"bounce": Outcome.RECIPIENT_UNREACHABLE, "blocked": Outcome.RECIPIENT_OPTED_OUT}
_SLOW_SECONDS = 1.0


class SandboxSender:
    """A Sender without a wire."""

    def __init__(self, concurrency: int, limits: Capabilities) -> None:
        self._concurrency = concurrency
        self._limits = limits
        self._ended: list[Finished] = []
        self._slow: list[tuple[float, Finished]] = []  #: monotonic time at which each ends

    def slots(self) -> int:
        """Return how many more calls may be started now."""
        return max(self._concurrency - len(self._ended) - len(self._slow), 0)

    def warm(self, connections: int) -> None:
        """Do nothing: there is no connection."""

    def prepare(self, outbound: Outbound) -> Outbound:
        """Check the message. Raises MessageRejected."""
        limits = self._limits
        if not outbound.text and not outbound.html and not outbound.media:
            raise MessageRejected("the message is empty")
        if len(outbound.text) > limits.text_max:
            raise MessageRejected(f"the text has more than {limits.text_max} characters")
        if len(outbound.buttons) > limits.buttons_max:
            raise MessageRejected(f"there are more than {limits.buttons_max} buttons")
        return outbound

    def start(self, ref: int, prepared: Outbound, deadline: float) -> None:
        """Start a call unless ``boottime()`` has passed *deadline*."""
        if boottime() > deadline:
            self._ended.append(Finished(ref, CallResult(Outcome.NOT_STARTED)))
            return
        magic = _MAGIC.search(prepared.to)
        outcome = _OUTCOMES.get(magic[1], Outcome.ACCEPTED) if magic else Outcome.ACCEPTED
        accepted = outcome is Outcome.ACCEPTED
        provider_id = f"sandbox-{hashlib.sha256(prepared.reference.encode()).hexdigest()[:24]}" if accepted else None
        done = Finished(ref, CallResult(outcome, provider_id, None if accepted else "sandbox"))
        if magic and magic[1] == "slow":
            self._slow.append((time.monotonic() + _SLOW_SECONDS, done))
        else:
            self._ended.append(done)

    def finished(self, timeout: float) -> Sequence[Finished]:
        """Return calls that ended, waiting up to *timeout* seconds for the first one."""
        if not self._ended and self._slow:
            time.sleep(max(0.0, min(timeout, self._slow[0][0] - time.monotonic())))
        now = time.monotonic()
        while self._slow and self._slow[0][0] <= now:
            self._ended.append(self._slow.pop(0)[1])
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        """Forget calls still under way."""
        self._ended.clear()
        self._slow.clear()


class Sandbox:
    """Tries everything out without an account anywhere, on one of the channels *known* by their names."""

    fields: Sequence[Field] = ()

    def __init__(self, known: Mapping[str, Channel], channel: str = "email") -> None:
        self._known = known
        self._like = known[channel]
        self.capabilities = _without_a_wire(self._like.capabilities)

    def normalise(self, address: str, *, region: str | None = None) -> str:
        """Return the canonical form of an address on the channel. Raises InvalidInput."""
        return self._like.normalise(address, region=region)

    def sender(self, account: AccountConfig) -> SandboxSender:
        """Return a sender that accepts whatever the account's channel carries."""
        return SandboxSender(account.concurrency, _without_a_wire(self._known[account.channel].capabilities))

    def check(self, account: AccountConfig) -> CheckResult:
        """Say that all is well: there is nothing that could be wrong."""
        return CheckResult(True, "messages go to the sandbox outbox and reach nobody")

    def parse_webhook(self, account: AccountConfig, request: WebhookRequest) -> Sequence[ChannelEvent]:
        """Refuse: nobody calls back. Raises BadSignature."""
        raise BadSignature("the sandbox has no webhook")

    def webhook_answer(self, account: AccountConfig, events: Sequence[ChannelEvent]) -> WebhookAnswer:
        """Return an empty answer."""
        return WebhookAnswer()

    def poll(self, account: AccountConfig, cursor: str) -> tuple[Sequence[ChannelEvent], str]:
        """Return nothing."""
        return (), cursor


def _without_a_wire(like: Capabilities) -> Capabilities:
    """Return what a channel can express, promised by somebody who answers at once and never calls back."""
    return replace(
        like, idempotency=Idempotency.KEYED, receipts=False, polls=False, webhook=False, rate_per_second=500.0
    )
