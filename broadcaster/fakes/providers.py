"""The fakes by provider name, for ``broadcaster fake-provider NAME``."""

from __future__ import annotations

from collections.abc import Callable

from broadcaster.core.errors import NotFound
from broadcaster.fakes import mail, telegram, twilio

PROVIDERS: dict[str, Callable[[int], None]] = {
    "telegram": telegram.run,
    "twilio": twilio.run,
    "mail": mail.run,
}


def run(name: str, port: int) -> None:
    """Serve the fake called *name* on *port* until interrupted. Raises NotFound."""
    if name not in PROVIDERS:
        raise NotFound(f"there is no fake of that name; there are {', '.join(PROVIDERS)}")
    PROVIDERS[name](port)
