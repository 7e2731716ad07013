"""What a person asks of us about their data, on the page behind a link: noted with its clock, obeyed where it refuses.

The link proves an address, so it reaches the one person who uses it alone. Nothing is shown or handed out here: staff
answer, and they look before anything is erased, because a link can be forwarded. Sending stops at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from broadcaster.actions import choices, requests
from broadcaster.actions.choosing import Done
from broadcaster.actions.runtime import Runtime
from broadcaster.core.events import Json
from broadcaster.core.requests import RequestKind
from broadcaster.storage import privacy_requests as rows

#: What can be asked for on the page, and which of it is asked twice before it is done.
ASKED = (RequestKind.ACCESS, RequestKind.OBJECTION, RequestKind.ERASURE)
SURE = frozenset({RequestKind.OBJECTION, RequestKind.ERASURE})


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of theirs and how far it is: ``received``, ``running``, ``done`` or ``refused``."""

    kind: str
    state: str
    received_at: datetime
    due_at: datetime
    done_at: datetime | None


def read(runtime: Runtime, token: str) -> Sequence[Asked] | None:
    """Return what the one person behind a link has asked for, newest first; None where several, or nobody, are."""
    with runtime.db.reading() as session:
        found = choices.reach(runtime, session, token)
        if found is None or found.contact is None:
            return None
        known = rows.of_contact(session, found.contact.id)
        return [Asked(one.kind, one.state, one.received_at, one.due_at, one.done_at) for one in known]


def ask(runtime: Runtime, token: str, kind: str, *, sure: bool, evidence: Mapping[str, Json]) -> Done | None:
    """Note a request, once while it is open; None where the link does not reach, or nothing of the kind can be asked.

    ``Done.SURE``: nothing was done yet, the person is to be asked whether they are sure.
    """
    if kind not in ASKED:
        return None
    with runtime.db.reading() as session:
        found = choices.reach(runtime, session, token)
        if found is None or found.contact is None:
            return None
        contact_id = found.contact.id
        is_open = any(one.kind == kind and one.state == "received" for one in rows.of_contact(session, contact_id))
        now = runtime.db.now(session)
    if kind in SURE and not sure:
        return Done.SURE
    if not is_open or kind == RequestKind.OBJECTION:
        requests.receive(runtime, contact_id, kind, received_at=now, shown=evidence, actor="person")
    return Done.ASKED_FOR
