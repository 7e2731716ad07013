"""Signed heads of the log, as C2SP ``signed-note`` and ``tlog-checkpoint`` have them: any C2SP verifier can check us.

    example.org/log            the origin: which log
    42                         how many leaves
    <base64 of the root>
                               an empty line; everything above it is signed
    — name <base64 of key id and signature>

The public half travels as one line, the *vkey*: ``name+<8 hex digits of key id>+<base64 of 0x01 and public key>``.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from broadcaster.core.errors import IntegrityFailure, InvalidInput
from broadcaster.core.tree import HASH_BYTES

_ED25519 = b"\x01"
_DASH = "\u2014 "
_MAX_NOTE_CHARACTERS = 64 * 1024
_MAX_SIGNATURES = 100


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a signed head says: which log, how many leaves, their root."""

    origin: str
    size: int
    root: bytes


def vkey(key_name: str, private_key: bytes) -> str:
    """Return the public line that verifies what *private_key* (a 32-byte Ed25519 seed) signs."""
    public = _public_bytes(private_key)
    encoded = b64encode(_ED25519 + public).decode()
    return f"{_checked_name(key_name)}+{_key_id(key_name, public).hex()}+{encoded}"


def sign_checkpoint(origin: str, size: int, root: bytes, key_name: str, private_key: bytes) -> str:
    """Return the signed note for a head; always the same for the same head. *private_key* is a 32-byte Ed25519 seed."""
    if not origin or "\n" in origin or size < 0 or len(root) != HASH_BYTES:
        raise ValueError("a checkpoint needs an origin of one line, a size and a root")
    return sign_note(f"{origin}\n{size}\n{b64encode(root).decode()}\n", key_name, private_key)


def sign_note(text: str, key_name: str, private_key: bytes) -> str:
    """Return *text* (whole lines) with one signature line under it."""
    _check_text(text)
    signature = Ed25519PrivateKey.from_private_bytes(private_key).sign(text.encode())
    blob = _key_id(_checked_name(key_name), _public_bytes(private_key)) + signature
    return f"{text}\n{_DASH}{key_name} {b64encode(blob).decode()}\n"


def verify_checkpoint(text: str, *vkeys: str) -> Checkpoint:
    """Return the head a signed note states, once at least one of *vkeys* has signed it.

    Raises IntegrityFailure for a wrong or missing signature or a malformed note, InvalidInput for a malformed vkey.
    """
    return _parse_body(verify_note(text, vkeys))


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a signed note **without** checking who signed it. Raises IntegrityFailure for a malformed note."""
    return _parse_body(_split_note(text)[0])


def verify_note(text: str, vkeys: Iterable[str]) -> str:
    """Return the signed text, once at least one of *vkeys* has signed it and none of them wrongly.

    Signatures by keys we do not know are passed over (C2SP signed-note). Raises IntegrityFailure.
    """
    body, signatures = _split_note(text)
    known = {(name, key_id): public for name, key_id, public in map(_parse_vkey, vkeys)}
    verified = False
    for name, blob in signatures:
        public = known.get((name, blob[:4]))
        if public is None:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(blob[4:], body.encode())
        except InvalidSignature:
            raise IntegrityFailure("the signature on this checkpoint is wrong") from None
        verified = True
    if not verified:
        raise IntegrityFailure("no known key has signed this checkpoint")
    return body


def _split_note(text: str) -> tuple[str, list[tuple[str, bytes]]]:
    body, gap, tail = text.rpartition("\n\n")
    if not gap or not tail.endswith("\n") or len(text) > _MAX_NOTE_CHARACTERS:
        raise IntegrityFailure("this is not a signed note")
    body += "\n"
    _check_text(body)
    lines = tail[:-1].split("\n")
    if len(lines) > _MAX_SIGNATURES:
        raise IntegrityFailure("this note has too many signatures")
    return body, [_parse_signature(line) for line in lines]


def _parse_signature(line: str) -> tuple[str, bytes]:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    blob = _from_base64(encoded)
    if not line.startswith(_DASH) or not space or not _good_name(name) or len(blob) < 5:
        raise IntegrityFailure("a signature line of this note is malformed")
    return name, blob


def _parse_body(body: str) -> Checkpoint:
    lines = body.split("\n")  # extension lines after the third are signed, and mean nothing to us
    if len(lines) < 4 or not lines[0]:
        raise IntegrityFailure("a checkpoint has an origin, a size and a root")
    origin, size, encoded = lines[:3]
    head = _from_base64(encoded)
    if not (size.isascii() and size.isdecimal()) or str(int(size[:20])) != size or len(head) != HASH_BYTES:
        raise IntegrityFailure("the size or the root of this checkpoint is malformed")
    return Checkpoint(origin, int(size), head)


def _parse_vkey(line: str) -> tuple[str, bytes, bytes]:
    parts = line.strip().split("+", 2)
    if len(parts) == 3 and _good_name(parts[0]):
        name, key_id, encoded = parts
        try:
            blob = b64decode(encoded, validate=True)
        except (NotBase64, ValueError):
            blob = b""
        public = blob[1:]
        if blob[:1] == _ED25519 and len(public) == 32 and _key_id(name, public).hex() == key_id:
            return name, _key_id(name, public), public
    raise InvalidInput("this is not a verifier key (name+id+base64, Ed25519)", field="vkey")


def _from_base64(encoded: str) -> bytes:
    try:
        blob = b64decode(encoded, validate=True)
    except (NotBase64, ValueError):
        return b""
    return blob if b64encode(blob).decode() == encoded else b""


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(c < " " and c != "\n" for c in text):
        raise IntegrityFailure("the text of a note is whole lines without control characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise IntegrityFailure("the text of a note is Unicode") from None


def _good_name(name: str) -> bool:
    return bool(name) and "+" not in name and not any(c.isspace() for c in name)


def _checked_name(name: str) -> str:
    if not _good_name(name):
        raise ValueError("a key name has no space and no plus sign")
    return name


def _key_id(name: str, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def _public_bytes(private_key: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()
