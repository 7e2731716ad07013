"""Every way out of this house, by provider. A new channel is one file, one line here, and one test class."""

from __future__ import annotations

from broadcaster.channels.contract import Capabilities, Channel
from broadcaster.channels.sandbox import Sandbox
from broadcaster.channels.smtp import Smtp
from broadcaster.channels.telegram import Telegram
from broadcaster.channels.twilio import Twilio
from broadcaster.core.errors import NotFound

SANDBOX = "sandbox"

_REAL: dict[str, Channel] = {"smtp": Smtp(), "telegram": Telegram(), "twilio": Twilio()}
_BY_CHANNEL = {one.capabilities.channel: one for one in _REAL.values()}

#: The key is the provider, ``capabilities.channel`` the channel it serves. The sandbox serves each; e-mail unless told.
CHANNELS: dict[str, Channel] = {**_REAL, SANDBOX: Sandbox(_BY_CHANNEL)}


def channels_of(provider: str) -> list[str]:
    """Return the channels an account of *provider* may serve. Raises NotFound."""
    return list(_BY_CHANNEL) if provider == SANDBOX else [get(provider).capabilities.channel]


def capabilities_of(channel: str) -> Capabilities:
    """Return what a channel can do, by the first real provider that serves it."""
    return _BY_CHANNEL[channel].capabilities


def get(provider: str, channel: str = "") -> Channel:
    """Return the provider of that name, as it serves *channel* (its own if not given). Raises NotFound."""
    known = CHANNELS.get(provider)
    if known is None:
        raise NotFound(f"there is no provider of that name; there are {', '.join(CHANNELS)}")
    if channel in ("", known.capabilities.channel):
        return known
    if provider != SANDBOX or channel not in _BY_CHANNEL:
        raise NotFound(f"{provider} does not serve that channel", code="channel")
    return Sandbox(_BY_CHANNEL, channel)
