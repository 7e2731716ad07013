"""What every action works with: the database, the keys, the home folder. Built once per process by a door."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from broadcaster.core import keys
from broadcaster.core.errors import Misconfigured
from broadcaster.core.keys import KeyRing
from broadcaster.storage import schema
from broadcaster.storage.database import Database


class Doorbell(Protocol):
    """Wakes workers, best effort, after a commit: those of *channel* for an account, or anyone (0) for everything."""

    def __call__(self, account_id: int, channel: str = "", /) -> None: ...


def no_doorbell(_account_id: int, _channel: str = "", /) -> None:
    """Ring nobody: the loop looks anyway."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """One process's view of the installation. ``channels``: those whose campaigns it sends; none named: all."""

    db: Database
    keys: KeyRing = field(repr=False)
    home: Path
    public_url: str
    ring: Doorbell = no_doorbell
    channels: frozenset[str] = frozenset()

    def serves(self, channel: str) -> bool:
        """Say whether this process sends campaigns on *channel*."""
        return not self.channels or channel in self.channels

    def close(self) -> None:
        self.db.close()


def open_runtime(
    *,
    database_url: str,
    keys_text: str,
    home: Path,
    public_url: str,
    ring: Doorbell = no_doorbell,
    channels: Collection[str] = (),
) -> Runtime:
    """Open an initialised installation.

    Raises Misconfigured without keys, Unavailable on an older or missing schema, Conflict on a newer one.
    """
    if not keys_text.strip():
        raise Misconfigured("there are no keys: run `broadcaster init`, or set BROADCASTER_KEYS", code="no_keys")
    database = Database(database_url)
    schema.require_current(database)
    return Runtime(
        db=database,
        keys=keys.load(keys_text),
        home=home,
        public_url=public_url,
        ring=ring,
        channels=frozenset(channels),
    )
