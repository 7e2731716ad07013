"""Run the program with one of its promises switched off. Only benchmarks do this: nothing in the product can.

    python -m benchmarks.without gate,log worker --unsupervised

* ``barrier``: addresses are not locked, and an opt-out would not be waited for.
* ``gate``: consent is not looked up; the events that allow steps are read once for many thousands.
* ``log``: nothing is committed to, no leaf is written.
* ``encryption``: addresses and names are not opened; what is sent is made from their ids.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from broadcaster.core import events, proofs
from broadcaster.storage import gate as look
from broadcaster.storage import log as trail
from broadcaster.storage import people
from broadcaster.storage.gate import GateFacts


def replace(where: object, **ours: Callable[..., Any]) -> None:
    """Put *ours* in the place of what the program has there."""
    for name, one in ours.items():
        if not hasattr(where, name):
            raise SystemExit(f"the program has no {name} any more: this benchmark must learn its new name")
        setattr(where, name, one)


def barrier() -> None:
    replace(look, lock_addresses=lambda _session, _ids, *, alone=False: None)


def _granted(step_id: int, event_id: int) -> GateFacts:
    return GateFacts(
        step_id=step_id,
        address_id=0,
        attempt=0,
        standing="granted",
        wider=None,
        event_id=event_id,
        expires_at=None,
        basis="consent",
        since=None,
        address_status="ok",
        suppressed=False,
        campaign_state="running",
        account_state="active",
        not_after=None,
    )


def gate() -> None:
    granted: dict[int, int] = {}

    def facts(session: Session, ids: Sequence[int], **_: Any) -> list[GateFacts]:
        if not granted.keys() >= set(ids):  # planning goes on meanwhile
            read = "SELECT s.id, c.event_id FROM step s JOIN consent_state c ON c.address_id = s.address_id"
            granted.update({row[0]: row[1] for row in session.connection().execute(text(read))})
        return [_granted(one, granted[one]) for one in ids if one in granted]

    replace(look, gate_facts=facts)


def log() -> None:
    replace(trail, record=lambda session, *_, **__: session.info.update(traced=True))
    replace(events, commit=lambda _salt, _bytes: bytes(32))
    replace(proofs, send_bytes=lambda **_: b"")


def encryption() -> None:
    replace(
        people,
        unwrap=lambda *_: b"",
        open_address=lambda _key, address_id, _sealed: str(100_000 + address_id),
        open_name=lambda _key, contact_id, _sealed: {"first": f"Ann{contact_id}", "last": "Example"},
    )


SWITCHES: dict[str, Callable[[], None]] = {one.__name__: one for one in (barrier, gate, log, encryption)}


def main() -> int:
    from broadcaster.cli.main import main as program

    for name in sys.argv[1].split(","):
        if name:
            SWITCHES[name]()
    return program(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
