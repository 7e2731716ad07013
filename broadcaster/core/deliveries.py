"""States, reasons and outcomes of a delivery: one closed vocabulary for all channels.

A delivery is one run x one contact. It is either ``skipped`` with exactly one reason, or it has steps
(one step = one try to reach one address) and shares the state of its current step.

    planned ──> dispatching ──> accepted            (then receipts: sent, delivered, read; or failed)
       │  ^          ├────────> failed(reason)
       │  └─ retry ──┤
       │             └────────> unknown ──> accepted | failed | planned (only with a provider key or by a person)
       └──> skipped(reason)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a step (and with it its delivery) stands."""

    PLANNED = "planned"  #: will be tried at its due time
    HELD = "held"  #: waits for a condition that is not a time: an open conversation, a cap
    DISPATCHING = "dispatching"  #: the gate has let it through; the provider call may have started
    ACCEPTED = "accepted"  #: the provider took it
    UNKNOWN = "unknown"  #: the call began and nobody knows how it ended
    FAILED = "failed"  #: definitely not sent, for the reason given
    SKIPPED = "skipped"  #: we decided not to send, for the reason given


OPEN = frozenset({State.PLANNED, State.HELD, State.DISPATCHING})
HANDED_OVER = frozenset({State.DISPATCHING, State.ACCEPTED, State.UNKNOWN})
FINAL = frozenset({State.ACCEPTED, State.UNKNOWN, State.FAILED, State.SKIPPED})

MOVES: dict[State, frozenset[State]] = {
    State.PLANNED: frozenset({State.DISPATCHING, State.SKIPPED, State.HELD, State.FAILED}),
    State.HELD: frozenset({State.PLANNED, State.SKIPPED}),
    State.DISPATCHING: frozenset({State.ACCEPTED, State.FAILED, State.UNKNOWN, State.PLANNED}),
    State.UNKNOWN: frozenset({State.ACCEPTED, State.FAILED, State.PLANNED}),
    State.ACCEPTED: frozenset({State.FAILED}),
    State.FAILED: frozenset({State.ACCEPTED}),  # a receipt proves what another denied
    State.SKIPPED: frozenset(),
}


class Reason(StrEnum):
    """Why a message was not, or will not be, sent; exactly one per delivery that was not accepted."""

    # consent and refusal
    NO_CONSENT = "no_consent"  #: nothing is known; unknown means no
    PENDING_CONFIRMATION = "pending_confirmation"  #: double opt-in asked, not confirmed
    WITHDRAWN = "withdrawn"  #: the person withdrew this purpose
    OBJECTED = "objected"  #: the person objected to all marketing here
    EXPIRED = "expired"  #: the consent has run out, or the number changed hands
    RESTRICTED = "restricted"  #: a review, a legal hold or a pause
    NO_BASIS = "no_basis"  #: the basis recorded does not hold for this person here: the country, the channel, the role
    MINOR = "minor"  #: below the age at which one's own consent counts in this country
    SUPPRESSED = "suppressed"  #: a suppression entry outlives the person's erasure
    ERASED = "erased"  #: the person was erased
    # the person and the address
    NO_ADDRESS = "no_address"  #: no address on any channel of the campaign
    DUPLICATE_ADDRESS = "duplicate_address"  #: another contact of this run has the same address
    EXCLUDED = "excluded"  #: member of the exclusion audience
    ADDRESS_INVALID = "address_invalid"  #: known not to work
    UNREACHABLE = "unreachable"  #: the provider says nobody is there
    TEMPORARILY_UNREACHABLE = "temporarily_unreachable"  #: tried several times, nobody there now
    PROVIDER_OPT_OUT = "provider_opt_out"  #: the provider says the person blocked or unsubscribed
    # the content
    MISSING_FIELD = "missing_field"  #: the template needs a value this contact does not have
    NO_TEMPLATE = "no_template"  #: no variant for this channel and language, nor a fallback
    RENDER_FAILED = "render_failed"
    REJECTED = "rejected"  #: the provider refuses the message itself
    # time, rate, policy
    NO_TIME_ZONE = "no_time_zone"  #: neither contact, number nor country says what time it is there
    WINDOW_PASSED = "window_passed"  #: no permitted hour was left before "not after"
    FREQUENCY_CAP = "frequency_cap"
    WINDOW_CLOSED = "window_closed"  #: the platform's reply window is closed
    NO_ACCOUNT = "no_account"  #: no usable sender account on this channel
    CANCELLED = "cancelled"  #: the campaign was cancelled first
    GAVE_UP = "gave_up"  #: tried as often as allowed
    PARKED = "parked"  #: the worker died three times on this one; needs a person
    LOST = "lost"  #: a person decided that an unknown outcome was not delivered


class Outcome(StrEnum):
    """What one provider call came to; every channel maps its own codes to these words."""

    ACCEPTED = "accepted"
    RECIPIENT_UNREACHABLE = "recipient_unreachable"
    RECIPIENT_OPTED_OUT = "recipient_opted_out"
    RECIPIENT_TEMPORARILY_UNAVAILABLE = "recipient_temporarily_unavailable"
    WINDOW_CLOSED = "window_closed"
    FREQUENCY_CAPPED = "frequency_capped"
    MESSAGE_REJECTED = "message_rejected"
    THROTTLED = "throttled"
    QUOTA_EXHAUSTED = "quota_exhausted"
    CREDENTIAL = "credential"
    ACCOUNT_RESTRICTED = "account_restricted"
    TRANSIENT = "transient"  #: definitely not taken; safe to try again
    UNKNOWN = "unknown"  #: the request left and no usable answer came
    NOT_STARTED = "not_started"  #: the gate's permission ran out before the first byte; nothing was sent


#: Outcomes that condemn the account, not the message: stop sending on it and tell the operator.
ACCOUNT_FAULTS = frozenset({Outcome.CREDENTIAL, Outcome.ACCOUNT_RESTRICTED, Outcome.QUOTA_EXHAUSTED})
#: Outcomes after which the same step may be tried again: nothing was taken.
RETRYABLE = frozenset(
    {Outcome.THROTTLED, Outcome.TRANSIENT, Outcome.RECIPIENT_TEMPORARILY_UNAVAILABLE, *ACCOUNT_FAULTS}
)
#: These say nothing against the message, so that they do not use up its tries.
NEVER_GIVEN_UP = frozenset({Outcome.THROTTLED, *ACCOUNT_FAULTS})
#: The one reason a final refusal leaves on the delivery.
FINAL_REASON: dict[Outcome, Reason] = {
    Outcome.RECIPIENT_UNREACHABLE: Reason.UNREACHABLE,
    Outcome.RECIPIENT_OPTED_OUT: Reason.PROVIDER_OPT_OUT,
    Outcome.WINDOW_CLOSED: Reason.WINDOW_CLOSED,
    Outcome.FREQUENCY_CAPPED: Reason.FREQUENCY_CAP,
    Outcome.MESSAGE_REJECTED: Reason.REJECTED,
}


class ReceiptKind(StrEnum):
    """What a provider later says of a message it took."""

    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


_RANK = {None: 0, ReceiptKind.SENT: 1, ReceiptKind.DELIVERED: 2, ReceiptKind.READ: 3}


def later_receipt(known: ReceiptKind | None, new: ReceiptKind) -> ReceiptKind:
    """Return the receipt that stands after *new* arrives; order of arrival does not matter.

    Receipts come twice and out of order: status only moves forward, and ``failed`` gives way to proof of delivery.
    """
    if known is None:
        return new
    if ReceiptKind.FAILED in (known, new):
        other = new if known is ReceiptKind.FAILED else known
        return other if other in (ReceiptKind.DELIVERED, ReceiptKind.READ) else ReceiptKind.FAILED
    return new if _RANK[new] > _RANK[known] else known


class Idempotency(StrEnum):
    """What a channel offers against doubles when an outcome is unknown (``docs/reliability.md``)."""

    KEYED = "keyed"  #: class A: the provider dedupes by our key; repeat with the same key
    REFERENCED = "referenced"  #: class B: our reference comes back in receipts; wait for one, never repeat
    NONE = "none"  #: class C: at most once


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to write for a finished call: the next state, its reason, and when to try again."""

    state: State
    reason: Reason | None = None
    retry_after_seconds: float | None = None


MAX_ATTEMPTS = 6
_BACKOFF_SECONDS = (30.0, 120.0, 600.0, 1800.0, 3600.0)
RETRY_AFTER_BOUNDS_SECONDS = (1.0, 3600.0)


def backoff_seconds(attempt: int) -> float:
    """Return how long to wait after the *attempt*-th try (from 1) came to nothing."""
    return _BACKOFF_SECONDS[min(attempt, len(_BACKOFF_SECONDS)) - 1]


def clamp_retry_after(seconds: float) -> float:
    """Bound a provider's hint to 1 s .. 1 h, so that neither a busy loop nor a lost campaign follows from it."""
    low, high = RETRY_AFTER_BOUNDS_SECONDS
    return min(max(seconds, low), high)


def settle(outcome: Outcome, *, attempt: int, retry_after: float | None, idempotency: Idempotency) -> Verdict:
    """Decide what a finished call means for its step.

    *attempt* counts from 1; *retry_after* is the provider's hint in seconds. An unknown outcome is repeated only where
    the provider honours our key (design, section 3.3).
    """
    if outcome is Outcome.ACCEPTED:
        return Verdict(State.ACCEPTED)
    if outcome is Outcome.NOT_STARTED:
        return Verdict(State.PLANNED, retry_after_seconds=0.0)
    if outcome is Outcome.UNKNOWN:
        if idempotency is Idempotency.KEYED and attempt < MAX_ATTEMPTS:
            return Verdict(State.PLANNED, retry_after_seconds=backoff_seconds(1))
        return Verdict(State.UNKNOWN)
    if outcome in RETRYABLE:
        if attempt >= MAX_ATTEMPTS and outcome not in NEVER_GIVEN_UP:
            soft = outcome is Outcome.RECIPIENT_TEMPORARILY_UNAVAILABLE
            return Verdict(State.FAILED, Reason.TEMPORARILY_UNREACHABLE if soft else Reason.GAVE_UP)
        wait = backoff_seconds(attempt) if retry_after is None else clamp_retry_after(retry_after)
        return Verdict(State.PLANNED, retry_after_seconds=wait)
    return Verdict(State.FAILED, FINAL_REASON[outcome])
