"""Links and codes that open a channel on a person's own device. They begin a conversation; they never are a consent.

Sources: each platform's own page on its links, as collected in ``docs/channels.md``.
"""

from __future__ import annotations

import re
from urllib.parse import quote

#: Channels that hand on a token when the person presses start: nothing needs to be typed.
_TOKENS = {
    "telegram": "https://t.me/{handle}?start={said}",
    "messenger": "https://m.me/{handle}?ref={said}",
    "viber": "viber://pa?chatURI={handle}&context={said}",
}
#: Channels on which the link fills in a word that the person sends.
_WORDS = {
    "sms": "sms:{handle}?body={said}",
    "whatsapp": "https://wa.me/{handle}?text={said}",
    "line": "https://line.me/R/oaMessage/{handle}/?{said}",
    "email": "mailto:{handle}?subject={said}",
}
_NUMBER = re.compile(r"\+?[0-9]{3,15}")
#: The account's setting that holds the name people reach it by.
HANDLES = {"telegram": "username", "sms": "sender", "email": "from_address"}
HANDLE = "public_name"  #: of the other channels


def needs_word(channel: str) -> bool:
    """Say whether a link to this channel works only with a word people send."""
    return channel in _WORDS


def link(channel: str, handle: str, said: str) -> str | None:
    """Return the link to *handle*, None for a channel that has none; *said* is the token or the word."""
    pattern = _TOKENS.get(channel) or _WORDS.get(channel)
    if pattern is None or not handle or not said:
        return None
    if channel in ("sms", "whatsapp") and not _NUMBER.fullmatch(handle):
        return None  # a name, or a pool of numbers: nobody can write to it
    handle = handle.removeprefix("@") if channel == "telegram" else handle
    handle = handle.lstrip("+") if channel == "whatsapp" else handle
    return pattern.format(handle=quote(handle, safe="+@"), said=quote(said, safe=""))
