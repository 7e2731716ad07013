"""What is kept secret of staff: address and name at rest, and the links that let a person choose a password."""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from datetime import datetime

from broadcaster.core.errors import IntegrityFailure, InvalidInput, NotFound
from broadcaster.core.keys import Key, KeyRing, open_sealed, seal

_SCOPE = b"staff"
_KEY_ID_BYTES = 8
_MAC_BYTES = 18


def digest(keys: KeyRing, email: str) -> bytes:
    """Return what finds a person by canonical e-mail address."""
    return keys.blind_index(_SCOPE, email)


def digests(keys: KeyRing, email: str) -> tuple[bytes, ...]:
    """Return every digest the address may stand under while keys are rotated, current first."""
    return keys.blind_indexes(_SCOPE, email)


def hide(keys: KeyRing, text: str, *, staff_id: int, field: str) -> bytes:
    """Encrypt a field of a staff row; the key's id stands in front."""
    key = keys.wrapping[0]
    return key.id.encode() + seal(_staff_key(key), text.encode(), _place(staff_id, field))


def show(keys: KeyRing, hidden: bytes, *, staff_id: int, field: str) -> str:
    """Decrypt a field of a staff row. Raises IntegrityFailure for another row's, or without its key."""
    key_id, sealed = hidden[:_KEY_ID_BYTES].decode(errors="replace"), hidden[_KEY_ID_BYTES:]
    for key in keys.wrapping:
        if key.id == key_id:
            return open_sealed(_staff_key(key), sealed, _place(staff_id, field)).decode()
    raise IntegrityFailure("a staff record was encrypted under a key that is not in the ring")


def invitation(keys: KeyRing, *, staff_id: int, password_hash: str, until: datetime) -> str:
    """Return the token of a link that lets a person choose a password once, *until* then.

    It holds no secret of its own row: choosing a password changes the hash, and with it every token made before.
    """
    expires = int(until.timestamp())
    return f"{staff_id}.{expires}.{_mac(keys.session[0], staff_id, expires, password_hash)}"


def invited(token: str) -> tuple[int, int]:
    """Return (staff id, expiry in seconds since 1970) that a token claims. Raises NotFound if it is no token."""
    parts = token.split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts[:2]):
        raise _no_such_link()
    return int(parts[0]), int(parts[1])


def confirm(keys: KeyRing, token: str, *, password_hash: str) -> None:
    """Raise NotFound unless the token was made by us for this password hash."""
    staff_id, expires = invited(token)
    mac = token.rpartition(".")[2].encode("utf-8", "replace")
    made = (_mac(key, staff_id, expires, password_hash).encode() for key in keys.session)
    if not any(hmac.compare_digest(one, mac) for one in made):
        raise _no_such_link()


def token_hash(token: str) -> str:
    """Return what is stored of a browser's token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def name(text: str) -> str:
    """Return a person's name, trimmed. Raises InvalidInput if it is empty, long, or has control characters."""
    cleaned = " ".join(text.split())
    if not cleaned or len(cleaned) > 100 or not cleaned.isprintable():
        raise InvalidInput("give a name of at most 100 characters", code="name_invalid", field="name")
    return cleaned


def _no_such_link() -> NotFound:
    return NotFound("This link is incomplete, has been used, or is too old.", code="bad_link")


def _staff_key(key: Key) -> bytes:
    return hmac.digest(key.secret, b"staff records", "sha256")


def _place(staff_id: int, field: str) -> bytes:
    return f"staff:{staff_id}:{field}".encode()


def _mac(key: Key, staff_id: int, expires: int, password_hash: str) -> str:
    told = f"invitation|{staff_id}|{expires}|{password_hash}".encode()
    return urlsafe_b64encode(hmac.digest(key.secret, told, "sha256")[:_MAC_BYTES]).decode()
