"""Our DKIM signatures, judged by somebody else's verifier."""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha256

import dkim  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from dkim.canonicalization import CanonicalizationPolicy  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from broadcaster.channels.dkim import Signer
from broadcaster.channels.mime import Letterhead, build
from broadcaster.core.errors import Misconfigured
from broadcaster.core.messages import Outbound

NOW = 1_780_000_000.0
LETTERHEAD = Letterhead("news@example.org", "Café", "answers@example.org")
UNSUBSCRIBE = (
    ("List-Unsubscribe", "<https://example.org/u/TOKEN>, <mailto:unsub+TOKEN@example.org>"),
    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
)

Key = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
RSA = rsa.generate_private_key(65537, 2048)
ED25519 = ed25519.Ed25519PrivateKey.generate()


def pem(key: Key) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def record(key: Key) -> bytes:
    """Return the DNS record of *key*."""
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + b64encode(der)


def verifies(message: bytes, key: Key) -> bool:
    def dns(name: bytes, timeout: int = 5) -> bytes:
        assert name == b"sel._domainkey.example.org."
        return record(key)

    return bool(dkim.verify(message, dnsfunc=dns))


def signed_digest(message: bytes) -> tuple[bytes, bytes]:
    """Return (signature, digest of what it covers) as dkimpy reads them: it has no Ed25519 of its own."""
    reader = dkim.DKIM(message)
    tags, names, headers = reader.verify_headerprep(0)
    policy = CanonicalizationPolicy.from_c_value(tags[b"c"])
    assert tags[b"a"] == b"ed25519-sha256"
    digest = sha256()
    dkim.hash_headers(digest, policy, policy.canonicalize_headers(reader.headers), names, headers[0], tags)
    return b64decode(b"".join(tags[b"b"].split())), digest.digest()


def test_another_implementation_verifies_it() -> None:
    outbound = Outbound("a@example.com", "r", "Été\n\n", "Déjà vu", "<p>x  y</p>\n", headers=UNSUBSCRIBE)
    message = build(LETTERHEAD, outbound, NOW)
    assert verifies(Signer("example.org", "sel", pem(RSA)).sign(message, NOW) + message, RSA)


def test_ed25519_signs_what_another_implementation_computes() -> None:
    """RFC 8463, 3: the signature is over the SHA-256 of the canonical headers."""
    message = build(LETTERHEAD, Outbound("a@example.com", "r", "Été", "Déjà vu", headers=UNSUBSCRIBE), NOW)
    signature, digest = signed_digest(Signer("example.org", "sel", pem(ED25519)).sign(message, NOW) + message)
    ED25519.public_key().verify(signature, digest)


@settings(deadline=None)
@given(text=st.text(st.sampled_from("ab .=\t\r\n\x00é"), max_size=80).map(lambda text: "x" + text))
def test_every_body_verifies(text: str) -> None:
    """Fails if our relaxed form differs from theirs: blanks at line ends, empty lines at the end."""
    message = build(LETTERHEAD, Outbound("a@example.com", "r", text), NOW)
    assert verifies(Signer("example.org", "sel", pem(RSA)).sign(message, NOW) + message, RSA)


def test_a_changed_message_does_not_verify() -> None:
    """Also: nobody can add a second From or another unsubscribe link."""
    signer = Signer("example.org", "sel", pem(RSA))
    message = build(LETTERHEAD, Outbound("a@example.com", "r", "Text", "S", headers=UNSUBSCRIBE), NOW)
    signed = signer.sign(message, NOW) + message
    assert verifies(signed, RSA)
    assert not verifies(signed.replace(b"Text", b"Test"), RSA)
    assert not verifies(signed.replace(b"/u/TOKEN", b"/u/OTHER"), RSA)
    assert not verifies(b"From: evil@example.net\r\n" + signed, RSA)
    assert not verifies(b"List-Unsubscribe: <https://example.net>\r\n" + signed, RSA)


def test_the_unsubscribe_headers_are_signed() -> None:
    """RFC 8058, 4: otherwise one-click does not count."""
    message = build(LETTERHEAD, Outbound("a@example.com", "r", "x", headers=UNSUBSCRIBE), NOW)
    header = Signer("example.org", "sel", pem(RSA)).sign(message, NOW)
    names = b"".join(header.partition(b" h=")[2].partition(b";")[0].split()).split(b":")
    assert {b"from", b"list-unsubscribe", b"list-unsubscribe-post"} <= set(names)
    assert max(map(len, header.split(b"\r\n"))) <= 100


@pytest.mark.parametrize(
    "domain, selector, key",
    [
        ("example.org", "sel", "not a key"),
        ("example.org", "sel", pem(ec.generate_private_key(ec.SECP256R1()))),
        ("exa mple.org", "sel", pem(ED25519)),
        ("example.org", "s;x", pem(ED25519)),
    ],
)
def test_a_key_that_cannot_sign_is_refused_and_not_quoted(domain: str, selector: str, key: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        Signer(domain, selector, key)
    assert key not in str(caught.value)
    assert "KEY" not in repr(Signer("example.org", "sel", pem(ED25519)))
