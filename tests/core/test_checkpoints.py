"""Signed heads against Go's published note, and against every kind of tampering."""

from __future__ import annotations

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.core import checkpoints
from broadcaster.core.errors import IntegrityFailure, InvalidInput

SEED = bytes(range(32))
NAME = "log.example.org"
VKEY = checkpoints.vkey(NAME, SEED)
ROOT = bytes(range(32, 64))
NOTE = checkpoints.sign_checkpoint("log.example.org/campaigns", 42, ROOT, NAME, SEED)

# the example of golang.org/x/mod/sumdb/note
GO_SEED = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_NOTE = (
    GO_TEXT + "\n\u2014 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_notes_are_byte_for_byte_those_of_go():
    assert checkpoints.vkey("PeterNeumann", GO_SEED) == GO_VKEY
    assert checkpoints.sign_note(GO_TEXT, "PeterNeumann", GO_SEED) == GO_NOTE
    assert checkpoints.verify_note(GO_NOTE, [GO_VKEY]) == GO_TEXT


def test_a_checkpoint_says_what_was_signed():
    said = checkpoints.verify_checkpoint(NOTE, VKEY)
    assert said == checkpoints.Checkpoint("log.example.org/campaigns", 42, ROOT)
    assert checkpoints.parse_checkpoint(NOTE) == said


@given(st.integers(0, len(NOTE) - 1), st.characters(exclude_categories=["Cs"]))
def test_no_character_can_be_changed(at, other):
    changed = NOTE[:at] + other + NOTE[at + 1 :]
    if changed == NOTE:
        return
    with pytest.raises(IntegrityFailure):
        checkpoints.verify_checkpoint(changed, VKEY)


@given(st.text())
def test_anything_else_is_refused_and_never_crashes(text):
    with pytest.raises(IntegrityFailure):
        checkpoints.verify_checkpoint(text, VKEY)


def test_a_stranger_cannot_sign():
    forged = checkpoints.sign_checkpoint("log.example.org/campaigns", 42, ROOT, NAME, b"\7" * 32)
    with pytest.raises(IntegrityFailure, match="no known key"):
        checkpoints.verify_checkpoint(forged, VKEY)


def test_after_a_rotation_either_key_is_enough():
    """Old heads keep their old signature."""
    new = checkpoints.vkey(NAME, b"\7" * 32)
    assert checkpoints.verify_checkpoint(NOTE, new, VKEY).size == 42


def test_signatures_of_witnesses_are_passed_over():
    """A cosigned head stays valid for those who know only our key."""
    cosigned = NOTE + checkpoints.sign_note(NOTE.partition("\n\n")[0] + "\n", "witness", b"\7" * 32).split("\n\n")[1]
    assert checkpoints.verify_checkpoint(cosigned, VKEY).size == 42


def test_a_known_key_must_not_have_signed_wrongly():
    """One good signature does not excuse a bad one by a key we know."""
    other = checkpoints.vkey("witness", b"\7" * 32)
    bad = checkpoints.sign_note("something else\n", "witness", b"\7" * 32).split("\n\n")[1]
    with pytest.raises(IntegrityFailure, match="wrong"):
        checkpoints.verify_checkpoint(NOTE + bad, VKEY, other)


@pytest.mark.parametrize("line", ["", "a+b", VKEY[:-4], VKEY.replace("+", "+0", 1), "na me+" + VKEY.split("+", 1)[1]])
def test_a_malformed_verifier_key_is_named(line):
    with pytest.raises(InvalidInput) as refusal:
        checkpoints.verify_checkpoint(NOTE, line)
    assert refusal.value.field == "vkey"


@pytest.mark.parametrize("size", ["042", "-1", "4 2", "٤٢", "1e3", ""])
def test_a_size_has_one_spelling(size):
    note = checkpoints.sign_note(f"origin\n{size}\n{'A' * 43}=\n", NAME, SEED)
    with pytest.raises(IntegrityFailure):
        checkpoints.verify_checkpoint(note, VKEY)


@pytest.mark.parametrize("origin,size,root,name", [
    ("", 1, ROOT, NAME), ("a\nb", 1, ROOT, NAME), ("a", -1, ROOT, NAME), ("a", 1, b"", NAME), ("a", 1, ROOT, "a b"),
])  # fmt: skip
def test_nothing_malformed_is_signed(origin, size, root, name):
    with pytest.raises(ValueError, match=r"checkpoint|key name"):
        checkpoints.sign_checkpoint(origin, size, root, name, SEED)
