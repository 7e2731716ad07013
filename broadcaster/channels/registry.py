"""Every way out of this house, by provider. A new channel is one file, one line here, and one test class."""

from __future__ import annotations

from broadcaster.channels.contract import Capabilities, Channel
from broadcaster.channels.sandbox import Sandbox
from broadcaster.channels.smtp import Smtp
from broadcaster.channels.telegram import Telegram
from broadcaster.channels.twilio import Twilio
from broadcaster.core.errors import NotFound

#: The key is the provider; ``capabilities.channel`` is the channel it serves.
CHANNELS: dict[str, Channel] = {
    "sandbox": Sandbox(),
    "smtp": Smtp(),
    "telegram": Telegram(),
    "twilio": Twilio(),
}


def capabilities_of(channel: str) -> Capabilities:
    """Return what a channel can do, by the first provider that serves it."""
    return next(one.capabilities for one in CHANNELS.values() if one.capabilities.channel == channel)


def get(name: str) -> Channel:
    """Return the provider called *name*. Raises NotFound."""
    try:
        return CHANNELS[name]
    except KeyError:
        raise NotFound(f"there is no provider of that name; there are {', '.join(CHANNELS)}") from None
