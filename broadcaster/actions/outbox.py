"""Keep and read what the sandbox would have sent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import NotFound
from broadcaster.core.keys import open_sealed
from broadcaster.core.messages import Outbound
from broadcaster.storage import conversations, outbox, people
from broadcaster.storage.outbox import Sealed


@dataclass(frozen=True, slots=True)
class Letter:
    """One message of the outbox, opened. ``campaign`` None: outside campaigns; then ``kind`` says what it was."""

    id: int
    at: datetime
    account: str
    campaign_id: int | None
    campaign: str | None
    kind: str
    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str = field(repr=False)
    buttons: Sequence[Sequence[str]] = field(default=(), repr=False)
    media: Sequence[Sequence[str]] = field(default=(), repr=False)
    headers: Sequence[Sequence[str]] = field(default=(), repr=False)


def told(out: Outbound) -> dict[str, Any]:
    """Return a message as plain JSON, for the outbox."""
    return {
        "to": out.to,
        "subject": out.subject,
        "text": out.text,
        "html": out.html,
        "buttons": [[one.kind.value, one.title, one.value] for one in out.buttons],
        "media": [[one.kind.value, one.url, one.filename] for one in out.media],
        "headers": [list(one) for one in out.headers],
    }


def letters(runtime: Runtime, *, before: int | None = None, limit: int = 50) -> list[Letter]:
    """Return the newest messages; those of erased people are gone."""
    with runtime.db.reading() as session:
        return [_opened(runtime, one) for one in outbox.items(session, before=before, limit=limit)]


def letter(runtime: Runtime, item_id: int) -> Letter:
    """Return one message. Raises NotFound."""
    with runtime.db.reading() as session:
        found = outbox.items(session, only=item_id, limit=1)
        if not found:
            raise NotFound("there is no such message in the outbox")
        return _opened(runtime, found[0])


def _opened(runtime: Runtime, one: Sealed) -> Letter:
    key = people.unwrap(runtime.keys, one.key_id, one.wrapping_key, bytes(one.wrapped))
    if one.step_id is None:
        words = conversations.open_message(key, bytes(one.body))
    else:
        words = json.loads(open_sealed(key, bytes(one.body), b"outbox:step:%d" % one.step_id))
    return Letter(
        id=one.id,
        at=one.at,
        account=one.account,
        campaign_id=one.campaign_id,
        campaign=one.campaign,
        kind=one.kind or "",
        **words,
    )
