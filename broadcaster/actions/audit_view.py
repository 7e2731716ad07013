"""One consent event as an auditor sees it: readable or raw, masked unless the reader may look further."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlmodel import Session

from broadcaster.actions.runtime import Runtime
from broadcaster.core import addresses, events, tree
from broadcaster.core.consent import Action
from broadcaster.core.contacts import address_kind
from broadcaster.core.errors import BroadcasterError
from broadcaster.core.keys import open_sealed
from broadcaster.storage import audit as rows
from broadcaster.storage import people

#: What an auditor looks for (ISO/IEC TS 27560, Kantara), by one name in both formats.
COLUMNS = (
    *("index", "event_id", "occurred_at", "received_at", "recorded_at", "subject_ref", "address", "channel", "purpose"),
    *("topic", "action", "resulting_state", "basis", "jurisdiction", "source", "source_detail", "wording_id"),
    *("wording_version", "wording_sha256", "language", "wording", "actor_type", "actor_id", "evidence_type"),
    *("inbound_message_id", "ip_truncated", "user_agent", "double_optin_sent_at", "double_optin_confirmed_at"),
    *("expires_at", "supersedes", "ineffective", "leaf_hash", "commitment", "commitment_ok", "status"),
)
_STATE = {
    Action.REQUESTED: "pending",
    Action.GRANTED: "granted",
    Action.CONFIRMED: "granted",
    Action.WITHDRAWN: "withdrawn",
    Action.OBJECTED: "objected",
    Action.EXPIRED: "expired",
    Action.RESTRICTED: "restricted",
    Action.RELEASED: "as before",
}


class View:
    """Turns rows into what a reader may see."""

    def __init__(self, runtime: Runtime, session: Session, *, unmasked: bool) -> None:
        self._runtime = runtime
        self._unmasked = unmasked
        self._trails = rows.trails(session)

    def raw(self, row: Any) -> dict[str, Any]:
        """Return all there is of an event; unmasked also the committed bytes and their salt, to be checked."""
        told = self.readable(row)
        told["entry_kind"], told["entry_commitment"] = row.entry_kind, bytes(row.entry_commitment).hex()
        opened = self._opened(row) if self._unmasked else None
        if opened is not None:
            told["event"] = base64.b64encode(opened).decode()
            told["salt"] = base64.b64encode(bytes(row.salt)).decode()
            told["evidence"] = json.loads(opened).get("evidence", {})
        return told

    def readable(self, row: Any) -> dict[str, Any]:
        """Return an event by ``COLUMNS``."""
        body = self._opened(row)
        told = {**_plain(row), "topic": self._trails[row.purpose_id], "address": self._address(row)}
        told["status"] = "erased" if row.erasure_id is not None and row.body_ct is None else "opened"
        told["commitment_ok"] = None if row.body_ct is None else _holds(row, body)
        return {**told, **_evidence(body, shown=self._unmasked)}

    def _key(self, row: Any) -> bytes | None:
        if row.wrapped is None:
            return None
        return people.unwrap(self._runtime.keys, row.key_id, row.wrapping_key, bytes(row.wrapped))

    def _opened(self, row: Any) -> bytes | None:
        """Return the committed bytes, None once they are erased, or if somebody has changed them."""
        key = self._key(row)
        if key is None or row.body_ct is None:
            return None
        try:
            return open_sealed(key, bytes(row.body_ct), b"consent:%d" % row.id)
        except BroadcasterError:
            return None

    def _address(self, row: Any) -> str:
        key = self._key(row)
        if key is None or row.value_ct is None:
            return ""
        try:
            value = people.open_address(key, row.address_id, bytes(row.value_ct))
        except BroadcasterError:
            return "?"
        return value if self._unmasked else addresses.masked(address_kind(row.channel), value)


def _holds(row: Any, body: bytes | None) -> bool:
    if body is None or len(row.salt) != events.SALT_BYTES:
        return False
    return events.commit(bytes(row.salt), body) == bytes(row.commitment)


def _plain(row: Any) -> dict[str, Any]:
    """Return what the ledger's skeleton tells: ids, words of ours and times."""
    leaf = events.leaf_bytes(row.entry_kind, bytes(row.entry_commitment))
    return {
        "index": row.position,
        "event_id": row.id,
        "occurred_at": _time(row.occurred_at),
        "received_at": _time(row.received_at),
        "recorded_at": _time(row.recorded_at),
        "subject_ref": f"address:{row.address_id}",
        "channel": row.channel,
        "purpose": row.purpose,
        "action": row.action,
        "resulting_state": "as before" if row.ineffective else _STATE[Action(row.action)],
        "basis": row.basis,
        "jurisdiction": row.country,
        "source": row.source,
        "wording_id": row.wording_id,
        "wording_version": row.version,
        "wording_sha256": row.wording_sha256,
        "language": row.language,
        "wording": row.wording,
        "actor_type": row.actor,
        "actor_id": None if row.staff_id is None else f"staff:{row.staff_id}",
        "double_optin_sent_at": _time(row.asked_at),
        "double_optin_confirmed_at": _time(row.occurred_at) if row.action == Action.CONFIRMED else None,
        "expires_at": _time(row.expires_at),
        "supersedes": row.supersedes,
        "ineffective": bool(row.ineffective),
        "leaf_hash": tree.leaf_hash(leaf).hex(),
        "commitment": bytes(row.commitment).hex(),
    }


def _evidence(body: bytes | None, *, shown: bool) -> dict[str, Any]:
    """Return what proves an event: of a masked one only which sorts of proof there are."""
    found: Mapping[str, Any] = {} if body is None else json.loads(body).get("evidence", {})
    kinds = sorted(set(found) - {"address", "channel"})
    told = found if shown else {}
    detail = {name: told[name] for name in kinds if name in told}
    return {
        "evidence_type": " ".join(kinds),
        "source_detail": json.dumps(detail, ensure_ascii=False) if detail else "",
        "inbound_message_id": told.get("event_key"),
        "ip_truncated": told.get("ip"),
        "user_agent": told.get("user_agent"),
    }


def _time(moment: datetime | None) -> str | None:
    """Return a time as RFC 3339 with milliseconds, UTC."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
