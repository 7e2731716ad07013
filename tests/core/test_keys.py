"""The key ring: nothing opens in the wrong place, nothing shows a secret, links cannot be made up."""

from __future__ import annotations

import json
import random
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.core import keys
from broadcaster.core.errors import IntegrityFailure, Misconfigured, NotFound

RING = keys.generate(random.Random(1).randbytes)
OTHER = keys.generate(random.Random(2).randbytes)
DIGEST = RING.blind_index(b"email", "ann@example.org")
secrets = st.binary(min_size=32, max_size=32)


@given(secrets, st.binary(max_size=200), st.binary(max_size=20))
def test_what_is_sealed_opens_only_with_its_key_and_in_its_record(key, said, record):
    """A ciphertext copied to another row must not open there."""
    sealed = keys.seal(key, said, record)
    assert keys.open_sealed(key, sealed, record) == said
    for other_key, other_record in ((key, record + b"2"), (bytes(b ^ 1 for b in key), record)):
        with pytest.raises(IntegrityFailure):
            keys.open_sealed(other_key, sealed, other_record)


@given(st.data())
def test_no_bit_of_a_sealed_value_can_be_changed(data):
    sealed = bytearray(keys.seal(b"k" * 32, b"Ann", b"contact:1"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(IntegrityFailure):
        keys.open_sealed(b"k" * 32, bytes(sealed), b"contact:1")


@given(st.integers(0, 31))
def test_a_cut_value_is_refused(length):
    with pytest.raises(IntegrityFailure):
        keys.open_sealed(b"k" * 32, keys.seal(b"k" * 32, b"Ann", b"contact:1")[:length], b"contact:1")


def test_two_values_never_share_a_nonce():
    """Repeating a nonce under one key would open both; the border between record and content counts too."""
    pairs = [(b"a", b"bc"), (b"ab", b"c"), (b"", b"abc"), (b"a", b"bd"), (b"1", b"1|"), (b"1|1", b"")]
    nonces = {keys.seal(b"k" * 32, said, record)[1:13] for record, said in pairs}
    assert len(nonces) == len(pairs)


def test_a_wrapped_key_opens_only_in_its_row():
    key_id, wrapped = RING.wrap(b"p" * 32, b"person_key:1")
    assert RING.unwrap(wrapped, key_id, b"person_key:1") == b"p" * 32
    with pytest.raises(IntegrityFailure):
        RING.unwrap(wrapped, key_id, b"person_key:2")
    with pytest.raises(Misconfigured, match=f"no key {key_id}"):
        OTHER.unwrap(wrapped, key_id, b"person_key:1")


def test_after_a_rotation_old_keys_still_open():
    """A rotation must not make one stored value unreadable."""
    key_id, wrapped = RING.wrap(b"p" * 32, b"1")
    ring = RING
    for number, use in enumerate(keys.USES):
        ring = ring.rotate(cast(keys.Use, use), bytes([number]) * 32)
    assert ring.unwrap(wrapped, key_id, b"1") == b"p" * 32
    assert ring.wrap(b"p" * 32, b"1")[0] != key_id
    assert DIGEST in ring.blind_indexes(b"email", "ann@example.org")
    assert ring.read_link_token(RING.link_token(DIGEST, b"u")) == (DIGEST[:16], b"u")
    old_mark = keys.Mark(RING.suppression[0].id, RING.suppression_digest(DIGEST))
    assert old_mark in ring.suppression_marks(ring.blind_indexes(b"email", "ann@example.org"))
    assert keys.load(ring.dump()) == ring


def test_the_ring_survives_its_file():
    assert keys.load(RING.dump()) == RING
    assert RING != OTHER


def test_no_repr_shows_a_secret():
    shown = repr(RING) + str(RING.wrapping[0])
    for use in keys.USES:
        secret = getattr(RING, use)[0].secret
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown


def test_every_use_has_its_own_key():
    """One secret for two uses would let one leak open both."""
    assert len({getattr(RING, use)[0].secret for use in keys.USES}) == len(keys.USES)


@pytest.mark.parametrize("text", [
    "", "[]", "{}", '{"version": 2, "keys": {}}', '{"version": 1, "keys": {}}', '{"version": 1, "keys": []}',
])  # fmt: skip
def test_a_damaged_ring_is_refused(text):
    with pytest.raises(Misconfigured):
        keys.load(text)


@pytest.mark.parametrize("wrong", [[], None, ["c2hvcnQ"], [1], "text", ["é" * 43]])
def test_a_damaged_key_is_named_and_not_quoted(wrong):
    stored = json.loads(RING.dump())
    stored["keys"]["link"] = wrong
    with pytest.raises(Misconfigured, match="link") as problem:
        keys.load(json.dumps(stored))
    assert "c2hvcnQ" not in str(problem.value)


def test_a_blind_index_tells_scopes_apart():
    """The same digits may be a telephone number and a customer number."""
    assert RING.blind_index(b"sms", "12") != RING.blind_index(b"sms1", "2")
    assert RING.blind_index(b"sms", "12") == RING.blind_index(b"sms", "12")
    assert RING.blind_index(b"sms", "12") != OTHER.blind_index(b"sms", "12")
    assert len(DIGEST) == 32


def test_a_link_is_found_before_and_after_erasure():
    """The row is gone, the mark is not: the link must still find it, or be able to make it."""
    link = RING.read_link_token(RING.link_token(DIGEST, b"u\x07"))
    low, high = keys.digest_range(link.address)
    assert low <= DIGEST <= high
    assert link.scope == b"u\x07"
    assert RING.suppression_digest(link.address) == RING.suppression_digest(DIGEST)


@given(st.binary(min_size=16, max_size=32), st.binary(min_size=1, max_size=40))
def test_a_token_says_what_was_put_in(digest, scope):
    token = RING.link_token(digest, scope)
    assert RING.read_link_token(token) == (digest[:16], scope)
    assert token.replace("-", "").replace("_", "").isalnum()
    assert len(token) <= 90


@given(st.data())
def test_no_character_of_a_token_can_be_changed(data):
    token = RING.link_token(DIGEST, b"u\x00\x01")
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(exclude_characters=token[at]))
    with pytest.raises(NotFound):
        RING.read_link_token(token[:at] + other + token[at + 1 :])


@pytest.mark.parametrize("token", ["", "A", "A" * 46, "=" * 44, "é", "A" * 10_000, OTHER.link_token(DIGEST, b"u")])
def test_a_made_up_token_is_not_found(token):
    with pytest.raises(NotFound):
        RING.read_link_token(token)


@pytest.mark.parametrize("digest,scope", [(DIGEST[:15], b"u"), (DIGEST, b""), (DIGEST, b"u" * 41)])
def test_no_token_is_made_of_too_little(digest, scope):
    with pytest.raises(ValueError, match="link token"):
        RING.link_token(digest, scope)
