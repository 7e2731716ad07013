"""The bytes that a send is committed to: what was handed over, to which address, under which consent, and how it ended.

One such line per attempt; a window of them stands under one leaf. Written by hand because it runs once per message; a
test holds it equal to ``events.canonical``.
"""

from __future__ import annotations

from json.encoder import encode_basestring

_TEMPLATE = (
    '{"account_id":%d,"address_id":%d,"attempt":%d,"consent_event_id":%d,"gate_at":%d,"outcome":"%s",'
    '"provider_id":%s,"purpose_id":%d,"run_id":%d,"settled_at":%d,"step_id":%d}'
)


def send_bytes(
    *,
    step_id: int,
    attempt: int,
    run_id: int,
    account_id: int,
    address_id: int,
    purpose_id: int,
    consent_event_id: int,
    gate_at: int,
    settled_at: int,
    outcome: str,
    provider_id: str | None,
) -> bytes:
    """Return the canonical bytes of one attempt; times are milliseconds since 1970."""
    told = "null" if provider_id is None else encode_basestring(provider_id)
    values = (account_id, address_id, attempt, consent_event_id, gate_at, outcome, told, purpose_id, run_id, settled_at)
    return (_TEMPLATE % (*values, step_id)).encode()
