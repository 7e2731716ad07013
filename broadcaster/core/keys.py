"""Keys that live outside the database, and what is done with them.

Uses of the ring, each with its current key and the older ones still needed to read:

=============  =======================================================================================
wrapping       wraps the keys of persons; destroying a wrapped key makes all its ciphertexts unreadable
index          blind index: finds an address or a word without storing it
suppression    marks of addresses that must not be written to; they outlive erasure
link           signs the links of preference and stop pages
session        signs cookies
signing        signs heads of the log (a 32-byte Ed25519 seed)
=============  =======================================================================================

``seal`` and ``wrap`` write ``0x01 | nonce (12) | AES-256-GCM ciphertext and tag``. The nonce is a keyed BLAKE2b of row
and content (as SIV modes do): no randomness is needed, none can repeat by accident, and sealing the same
value for the same record again gives the same bytes.

A link token is base64url, without padding, of

    0x01 | first 16 bytes of the address's blind index | scope (1 to 40 bytes) | 10 bytes of HMAC-SHA256

It costs no row, cannot be made or changed without the link key, and holds no address. Before erasure the 16 bytes are
found in the address's row (``digest_range``). A suppression digest is a keyed hash of the same 16 bytes, so that after
erasure the token still finds the suppression, or can make one.
"""

from __future__ import annotations

import hmac
import json
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Any, Literal, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from broadcaster.core.errors import IntegrityFailure, Misconfigured, NotFound
from broadcaster.core.hashing import hmac_of_ring

KEY_BYTES = 32
LINK_DIGEST_BYTES = 16
MAX_LINK_SCOPE_BYTES = 40

_SEALED = b"\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16
_LINK = b"\x01"
_CLICK = b"\x02"
_CLICK_IDS = struct.Struct(">QQ")
_LINK_MAC_BYTES = 10
_MAX_TOKEN_CHARACTERS = 100

Use = Literal["wrapping", "index", "suppression", "link", "session", "signing"]


@dataclass(frozen=True)
class Key:
    """One secret of 32 bytes; ``id`` is short, says nothing of the secret, and is stored beside what the key made."""

    id: str
    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, use: str, secret: bytes) -> Key:
        """Make the key of a secret. Raises ValueError unless it has 32 bytes."""
        if len(secret) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        return cls(sha256(f"broadcaster key id|{use}|".encode() + secret).hexdigest()[:8], secret)


class Mark(NamedTuple):
    """A suppression digest and the id of the key that made it."""

    key_id: str
    digest: bytes


class Link(NamedTuple):
    """What a link token carries: the start of an address's blind index, and the caller's scope."""

    address: bytes
    scope: bytes


@dataclass(frozen=True)
class KeyRing:
    """All keys of an installation. Of each use the first is current, the others are older."""

    wrapping: tuple[Key, ...]
    index: tuple[Key, ...]
    suppression: tuple[Key, ...]
    link: tuple[Key, ...]
    session: tuple[Key, ...]
    signing: tuple[Key, ...]

    def wrap(self, person_key: bytes, aad: bytes) -> tuple[str, bytes]:
        """Encrypt a person's key for storage; return the id of the wrapping key and the bytes. *aad*: the row."""
        current = self.wrapping[0]
        cipher = _ring_cipher(current.secret)
        return current.id, _seal(cipher, current.secret, person_key, b"wrap|" + aad)

    def unwrap(self, wrapped: bytes, key_id: str, aad: bytes) -> bytes:
        """Return the person's key. Raises IntegrityFailure if changed or moved, Misconfigured without its key."""
        return _open(_ring_cipher(_by_id(self.wrapping, key_id).secret), wrapped, b"wrap|" + aad)

    def blind_index(self, scope: bytes, canonical: str) -> bytes:
        """Return the 32-byte keyed hash that finds *canonical* within *scope* (no zero byte), under the current key."""
        return _blind_index(self.index[0].secret, scope, canonical)

    def blind_indexes(self, scope: bytes, canonical: str) -> tuple[bytes, ...]:
        """Return the keyed hash under every key, current first: what to look for while a rotation is going on."""
        return tuple(_blind_index(key.secret, scope, canonical) for key in self.index)

    def suppression_digest(self, address_digest: bytes) -> bytes:
        """Return an address's mark, from its blind index or the first 16 bytes; store ``suppression[0].id`` with it."""
        return _suppression_digest(self.suppression[0].secret, address_digest)

    def suppression_marks(self, address_digests: Iterable[bytes]) -> tuple[Mark, ...]:
        """Return every mark that may stand for an address; pass ``blind_indexes`` or the start out of a token."""
        digests = tuple(address_digests)
        return tuple(Mark(key.id, _suppression_digest(key.secret, one)) for key in self.suppression for one in digests)

    def link_token(self, address_digest: bytes, scope: bytes) -> str:
        """Return the token for an address and what the link is for (1 to 40 bytes, the caller's own)."""
        if len(address_digest) < LINK_DIGEST_BYTES or not 1 <= len(scope) <= MAX_LINK_SCOPE_BYTES:
            raise ValueError("a link token needs the start of a blind index and a scope")
        body = _LINK + address_digest[:LINK_DIGEST_BYTES] + scope
        return _encode(body + _link_mac(self.link[0].secret, body))

    def read_link_token(self, token: str) -> Link:
        """Return what a token says. Raises NotFound for everything that is not one of ours; any link key will do."""
        blob = _decode(token) if len(token) <= _MAX_TOKEN_CHARACTERS else b""
        body, mac = blob[:-_LINK_MAC_BYTES], blob[-_LINK_MAC_BYTES:]
        scope = body[1 + LINK_DIGEST_BYTES :]
        if body[:1] == _LINK and 1 <= len(scope) <= MAX_LINK_SCOPE_BYTES:
            for key in self.link:
                if hmac.compare_digest(_link_mac(key.secret, body), mac):
                    return Link(body[1 : 1 + LINK_DIGEST_BYTES], scope)
        raise NotFound("This link is incomplete or not one of ours.", code="bad_link")

    def click_token(self, link_id: int, step_id: int) -> str:
        """Return the token that leads from one message to one of its counted links."""
        body = _CLICK + _CLICK_IDS.pack(link_id, step_id)
        return _encode(body + _link_mac(self.link[0].secret, body))

    def read_click_token(self, token: str) -> tuple[int, int]:
        """Return (link id, step id). Raises NotFound for everything that is not one of ours; any link key will do."""
        blob = _decode(token) if len(token) <= _MAX_TOKEN_CHARACTERS else b""
        body, mac = blob[:-_LINK_MAC_BYTES], blob[-_LINK_MAC_BYTES:]
        if body[:1] == _CLICK and len(body) == 1 + _CLICK_IDS.size:
            for key in self.link:
                if hmac.compare_digest(_link_mac(key.secret, body), mac):
                    link_id, step_id = _CLICK_IDS.unpack(body[1:])
                    return link_id, step_id
        raise NotFound("This link is incomplete or not one of ours.", code="bad_link")

    def rotate(self, use: Use, secret: bytes) -> KeyRing:
        """Return a ring whose current key for *use* is new; the older ones stay readable."""
        keys: tuple[Key, ...] = getattr(self, use)
        rotated: dict[str, Any] = {use: (Key.of(use, secret), *keys)}
        return replace(self, **rotated)

    def dump(self) -> str:
        """Return the ring as JSON text, **with its secrets**, for a file only the operator can read."""
        keys = {use: [_encode(key.secret) for key in getattr(self, use)] for use in USES}
        return json.dumps({"version": 1, "keys": keys}, indent=1)


USES = tuple(one.name for one in fields(KeyRing))


def generate(random_bytes: Callable[[int], bytes]) -> KeyRing:
    """Return a new ring; *random_bytes* is ``secrets.token_bytes``."""
    return KeyRing(**{use: (Key.of(use, random_bytes(KEY_BYTES)),) for use in USES})


def load(text: str) -> KeyRing:
    """Read what ``dump`` wrote. Raises Misconfigured saying what is wrong, never quoting a secret."""
    try:
        stored = json.loads(text)
    except ValueError:
        raise Misconfigured("the key ring is not JSON", code="bad_keys") from None
    if not isinstance(stored, dict) or stored.get("version") != 1 or not isinstance(stored.get("keys"), dict):
        raise Misconfigured("the key ring is not one of version 1", code="bad_keys")
    keys: dict[str, Any] = stored["keys"]
    if set(keys) != set(USES):
        raise Misconfigured(f"the key ring must have keys for exactly: {', '.join(USES)}", code="bad_keys")
    return KeyRing(**{use: _load_keys(use, keys[use]) for use in USES})


def seal(key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """Encrypt under a 32-byte key, bound to *aad*: what the record is, such as ``b"address:81"``."""
    return _seal(AESGCM(key), key, plaintext, aad)


def _seal(cipher: AESGCM, key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    nonce = blake2b(b"nonce|%d|%b%b" % (len(aad), aad, plaintext), key=key, digest_size=_NONCE_BYTES).digest()
    return _SEALED + nonce + cipher.encrypt(nonce, plaintext, aad)


@lru_cache(maxsize=4)
def _ring_cipher(secret: bytes) -> AESGCM:
    """Return the cipher of a key of the ring; for a person's key none is kept."""
    return AESGCM(secret)


def open_sealed(key: bytes, sealed: bytes, aad: bytes) -> bytes:
    """Decrypt what ``seal`` made. Raises IntegrityFailure when it was changed, moved to another record, or cut."""
    return _open(AESGCM(key), sealed, aad)


def _open(cipher: AESGCM, sealed: bytes, aad: bytes) -> bytes:
    if sealed[:1] != _SEALED or len(sealed) < 1 + _NONCE_BYTES + _TAG_BYTES:
        raise IntegrityFailure("a stored value is not one we encrypted")
    nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        return cipher.decrypt(nonce, ciphertext, aad)
    except InvalidTag:
        raise IntegrityFailure("a stored value was changed or belongs to another record") from None


def digest_range(start: bytes) -> tuple[bytes, bytes]:
    """Return the least and the greatest blind index that begin with *start*, for an SQL BETWEEN."""
    rest = 32 - len(start)
    return start + b"\x00" * rest, start + b"\xff" * rest


def _blind_index(secret: bytes, scope: bytes, canonical: str) -> bytes:
    if b"\0" in scope:
        raise ValueError("a scope holds no zero byte")
    return hmac_of_ring(secret, scope + b"\0" + canonical.encode())


def _suppression_digest(secret: bytes, address_digest: bytes) -> bytes:
    if len(address_digest) < LINK_DIGEST_BYTES:
        raise ValueError("a suppression is made from a blind index")
    return hmac_of_ring(secret, address_digest[:LINK_DIGEST_BYTES])


def _link_mac(secret: bytes, body: bytes) -> bytes:
    return hmac_of_ring(secret, body)[:_LINK_MAC_BYTES]


def _by_id(keys: tuple[Key, ...], key_id: str) -> Key:
    for key in keys:
        if key.id == key_id:
            return key
    raise Misconfigured(f"the key ring has no key {key_id}", code="missing_key")


def _load_keys(use: str, secrets: object) -> tuple[Key, ...]:
    if not isinstance(secrets, list) or not secrets:
        raise Misconfigured(f"the key ring has no key for {use}", code="bad_keys")
    blobs = [_decode(one) if isinstance(one, str) else b"" for one in secrets]
    if any(len(blob) != KEY_BYTES for blob in blobs):
        raise Misconfigured(f"a key for {use} is not {KEY_BYTES} bytes in base64url", code="bad_keys")
    return tuple(Key.of(use, blob) for blob in blobs)


def _encode(blob: bytes) -> str:
    return urlsafe_b64encode(blob).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    """Return the bytes of unpadded base64url, or none at all if the text is not its one spelling."""
    try:
        blob = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (NotBase64, ValueError):
        return b""
    return blob if _encode(blob) == text else b""
