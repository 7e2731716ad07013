"""The deleting half of an erasure: every function may be called again and then finds less, or nothing, to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from broadcaster.storage import personal
from broadcaster.storage.database import any_id, id_list
from broadcaster.storage.privacy import Scope, ids_of, theirs

#: Rows of one transaction, so that nobody waits for long behind it.
CHUNK = 500


def run(session: Session, statement: str, values: dict[str, Any]) -> int:
    return int(session.connection().execute(text(statement), values).rowcount)


def evidence(session: Session, scope: Scope) -> int:
    """Delete a chunk of what opens this person's consent events and leaves; return how many rows."""
    values = {**ids_of(session, scope), "most": CHUNK}
    own, keys = any_id(session, "own"), any_id(session, "keys")
    mine = (
        "SELECT v.event_id FROM consent_evidence v JOIN consent_event e ON e.id = v.event_id "
        f"WHERE e.address_id {own} ORDER BY 1 LIMIT :most"
    )
    gone = run(session, personal.delete("consent_evidence", f"event_id IN ({mine})"), values)
    leaves = f"SELECT entry_id FROM log_payload WHERE key_id {keys} ORDER BY 1 LIMIT :most"
    return gone + run(session, personal.delete("log_payload", f"entry_id IN ({leaves})"), values)


def open_steps(session: Session, scope: Scope) -> list[int]:
    """Return a chunk of this person's steps that still hold something."""
    held = "s.salt IS NOT NULL OR s.provider_id IS NOT NULL OR s.provider_code IS NOT NULL"
    before = "h.salt IS NOT NULL OR h.provider_id IS NOT NULL OR h.provider_code IS NOT NULL"
    clicked = "EXISTS (SELECT 1 FROM click k WHERE k.step_id = s.id)"
    statement = (
        f"SELECT s.id FROM step s WHERE {theirs(session)} AND ({held} OR {clicked} "
        f"OR EXISTS (SELECT 1 FROM step_attempt h WHERE h.step_id = s.id AND ({before}))) ORDER BY 1 LIMIT :most"
    )
    rows = session.connection().execute(text(statement), {**ids_of(session, scope), "most": CHUNK})
    return [row[0] for row in rows]


_RECEIPTS_OF_STEPS = """
    SELECT r.id FROM receipt r WHERE r.step_id {ids} OR EXISTS (
        SELECT 1 FROM step s WHERE s.id {ids} AND s.provider_id = r.provider_id AND s.account_id = r.account_id)"""
_RECEIPTS_OF_MESSAGES = """
    SELECT r.id FROM receipt r WHERE r.message_id {ids} OR EXISTS (
        SELECT 1 FROM message m WHERE m.id {ids} AND m.provider_id = r.provider_id AND m.account_id = r.account_id)"""


def receipts_of_steps(session: Session, ids: Sequence[int]) -> list[int]:
    """Return the receipts of these steps. No index helps here: call it where no writer waits."""
    return _receipts(session, _RECEIPTS_OF_STEPS, ids)


def receipts_of_messages(session: Session, ids: Sequence[int]) -> list[int]:
    return _receipts(session, _RECEIPTS_OF_MESSAGES, ids)


def _receipts(session: Session, statement: str, ids: Sequence[int]) -> list[int]:
    if not ids:
        return []
    query = text(statement.format(ids=any_id(session)))
    return [row[0] for row in session.connection().execute(query, {"ids": id_list(session, ids)})]


def sends(session: Session, step_ids: Sequence[int], receipt_ids: Sequence[int]) -> int:
    """Destroy the salts and provider ids of steps, their receipts, clicks and kept messages; return rows touched."""
    steps = {"ids": id_list(session, step_ids)}
    ids = any_id(session)
    gone = run(session, personal.delete("receipt", f"id {ids}"), {"ids": id_list(session, receipt_ids)})
    gone += run(session, personal.delete("click", f"step_id {ids}"), steps)
    gone += run(session, personal.blank("step_attempt", f"step_id {ids}"), steps)
    return gone + run(session, personal.blank("step", f"id {ids}"), steps)


_MESSAGES = """
    SELECT m.id FROM message m WHERE (m.address_id {own}
        OR m.answers_step_id IN (SELECT s.id FROM step s WHERE {theirs})
        OR m.conversation_id IN (SELECT c.id FROM conversation c WHERE c.contact_id {contacts}))
      AND (m.body_ct IS NOT NULL OR m.intent IS NOT NULL OR m.rule IS NOT NULL OR m.provider_id IS NOT NULL
        OR m.provider_code IS NOT NULL OR m.conversation_id IS NOT NULL) ORDER BY m.id LIMIT :most"""


def open_messages(session: Session, scope: Scope) -> list[int]:
    """Return a chunk of this person's messages that still hold something."""
    own, contacts = any_id(session, "own"), any_id(session, "contacts")
    statement = _MESSAGES.format(own=own, contacts=contacts, theirs=theirs(session))
    rows = session.connection().execute(text(statement), {**ids_of(session, scope), "most": CHUNK})
    return [row[0] for row in rows]


def messages(session: Session, message_ids: Sequence[int], receipt_ids: Sequence[int]) -> int:
    """Destroy the words of messages, their receipts and what the sandbox kept of them; return rows touched."""
    ids, values = any_id(session), {"ids": id_list(session, message_ids)}
    gone = run(session, personal.delete("receipt", f"id {ids}"), {"ids": id_list(session, receipt_ids)})
    gone += run(session, personal.delete("outbox_item", f"message_id {ids}"), values)
    return gone + run(session, personal.blank("message", f"id {ids}"), values)


def mailboxes(session: Session, scope: Scope) -> int:
    """Delete what came from this person and what the sandbox kept for them, conversations, open questions."""
    values = ids_of(session, scope)
    own, contacts = any_id(session, "own"), any_id(session, "contacts")
    orphans = f"SELECT c.id FROM conversation c WHERE c.address_id {own} OR c.contact_id {contacts}"
    kept = f"address_id {own} OR step_id IN (SELECT s.id FROM step s WHERE {theirs(session)})"
    gone = run(session, personal.delete("outbox_item", kept), values)
    gone += run(session, personal.delete("inbox_event", f"address_id {own}"), values)
    run(session, f"UPDATE message SET conversation_id = NULL WHERE conversation_id IN ({orphans})", values)
    gone += run(session, personal.delete("conversation", f"id IN ({orphans})"), values)
    return gone + run(session, personal.blank("optin_request", f"address_id {own}"), values)


#: Tables whose rows are about one contact and are found by its id.
OF_CONTACTS = ("contact_word", "contact_interest", "group_member", "audience_member", "preference_event")


def particulars(session: Session, scope: Scope) -> int:
    """Delete the words a person is found by, interests, memberships, what they told us; return rows touched."""
    mine = f"contact_id {any_id(session, 'contacts')}"
    gone = run(session, personal.blank("privacy_request", f"{mine} AND note_ct IS NOT NULL"), ids_of(session, scope))
    return gone + sum(run(session, personal.delete(table, mine), ids_of(session, scope)) for table in OF_CONTACTS)


def keys(session: Session, scope: Scope) -> int:
    """Destroy this person's keys: what was encrypted under them is closed in every copy and backup."""
    values = ids_of(session, scope)
    run(session, f"UPDATE contact SET key_id = NULL WHERE id {any_id(session, 'contacts')}", values)
    run(session, f"UPDATE address SET key_id = NULL WHERE id {any_id(session, 'own')}", values)
    return run(session, personal.delete("person_key", f"id {any_id(session, 'keys')}"), values)


_COUNTS = {
    "contacts": "SELECT count(*) FROM contact WHERE id {contacts}",
    "consent events closed": "SELECT count(*) FROM consent_evidence v JOIN consent_event e ON e.id = v.event_id "
    "WHERE e.address_id {own}",
    "sends closed": "SELECT count(*) FROM step s WHERE {theirs} AND s.salt IS NOT NULL",
    "messages": "SELECT count(*) FROM message m WHERE m.address_id {own} AND m.body_ct IS NOT NULL",
    "conversations": "SELECT count(*) FROM conversation WHERE address_id {own} OR contact_id {contacts}",
    "inbound events": "SELECT count(*) FROM inbox_event WHERE address_id {own}",
    "outbox items": "SELECT count(*) FROM outbox_item WHERE address_id {own}",
    "clicks": "SELECT count(*) FROM click k JOIN step s ON s.id = k.step_id WHERE {theirs}",
    "preferences": "SELECT count(*) FROM preference_event WHERE contact_id {contacts}",
    "interests": "SELECT count(*) FROM contact_interest WHERE contact_id {contacts}",
    "groups": "SELECT count(*) FROM group_member WHERE contact_id {contacts}",
    "lists": "SELECT count(*) FROM audience_member WHERE contact_id {contacts}",
    "planned sends stopped": "SELECT count(*) FROM step s WHERE {theirs} AND s.state IN ('planned', 'held')",
}


def counts(session: Session, scope: Scope) -> dict[str, int]:
    """Count what an erasure of this person would take away, by kind; ``planned sends stopped`` will not go out."""
    parts = {name: any_id(session, name) for name in ("contacts", "own")}
    found = {}
    for name, statement in _COUNTS.items():
        query = text(statement.format(**parts, theirs=theirs(session)))
        found[name.replace(" ", "_")] = int(session.connection().execute(query, ids_of(session, scope)).scalar_one())
    return {**found, "addresses": len(scope.own), "shared_addresses_kept": len(scope.shared)}
