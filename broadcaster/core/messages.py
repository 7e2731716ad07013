"""What goes to and comes from a channel, in our words.

A channel turns an ``Outbound`` into its provider's format and the provider's callbacks into ``Inbound`` and
``Receipt``. The provider's own words stop at the channel's file.

What is made once per message is not ``frozen``, here and along the whole road: freezing multiplies by five what it
costs to make one. Nobody changes them all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from broadcaster.core.deliveries import Outcome, ReceiptKind


class MediaKind(StrEnum):
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"


@dataclass(frozen=True, slots=True)
class Media:
    """One attachment, by public https address."""

    kind: MediaKind
    url: str
    filename: str = ""


class ButtonKind(StrEnum):
    REPLY = "reply"  #: a quick reply; comes back as an Inbound with its payload
    URL = "url"


@dataclass(frozen=True, slots=True)
class Button:
    kind: ButtonKind
    title: str
    value: str  #: the payload of a reply, the address of a link


@dataclass(slots=True)
class Outbound:
    """One message to one address, rendered.

    ``to`` is the canonical address. ``reference`` is our own opaque id of this try (it comes back in receipts where a
    provider allows it) and the idempotency key where the provider honours one. ``headers`` are e-mail headers beyond
    the usual (List-Unsubscribe ...); other channels ignore them.
    """

    to: str = field(repr=False)
    reference: str
    text: str = field(repr=False)
    subject: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    media: tuple[Media, ...] = ()
    buttons: tuple[Button, ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(slots=True)
class CallResult:
    """How one provider call ended, from evidence.

    ``provider_id`` identifies the message at the provider; ``provider_code`` is the provider's own code, for operators
    (a code, never its prose: prose may quote the address). ``retry_after`` is in seconds.
    """

    outcome: Outcome
    provider_id: str | None = None
    provider_code: str | None = None
    retry_after: float | None = None


class InboundKind(StrEnum):
    TEXT = "text"  #: the person wrote something, or pressed a quick reply
    MEDIA = "media"  #: a picture, a voice message, a sticker ... (``text`` holds the caption)
    OPT_IN = "opt_in"  #: the platform says the person started or followed us (``payload`` says by which link)
    OPT_OUT = "opt_out"  #: the platform says the person blocked, unfollowed or unsubscribed
    HELP = "help"  #: the platform classified the text as HELP
    UNREACHABLE = "unreachable"  #: a hard bounce or dead number learnt outside a send
    COMPLAINT = "complaint"  #: reported as spam
    OTHER = "other"  #: stored, no meaning


@dataclass(frozen=True, slots=True)
class Inbound:
    """Something a person, or the platform for them, told us.

    ``event_key`` is unique per account and event (the provider's id), so that redelivery is recognised.
    ``sender`` is the canonical address; empty when only ``about`` (our reference, or the provider's id of the message
    it answers) identifies the person. ``answered_by_platform``: the platform has confirmed; do not do so twice.
    """

    event_key: str
    kind: InboundKind
    sender: str = field(repr=False)
    occurred_at: datetime
    text: str = field(default="", repr=False)
    payload: str = field(default="", repr=False)
    about: str = ""
    language: str = ""
    answered_by_platform: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider says of a message it took. ``outcome`` refines ``failed`` (opted out, unreachable ...).

    ``reference`` is our own, where the provider hands it back: it settles a call whose answer never came.
    """

    event_key: str
    provider_id: str
    kind: ReceiptKind
    occurred_at: datetime
    outcome: Outcome | None = None
    provider_code: str | None = None
    reference: str = ""


ChannelEvent = Inbound | Receipt
