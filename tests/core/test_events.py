"""Canonical bytes against RFC 8785, commitments, leaves."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.core import events
from broadcaster.core.errors import IntegrityFailure, InvalidInput

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def test_keys_stand_in_the_order_of_rfc_8785():
    """Section 3.2.3: by UTF-16 code units, so an emoji comes before U+FB33."""
    event = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7}
    order = list(json.loads(events.canonical(event)))
    assert order == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


def test_strings_are_written_as_rfc_8785_writes_them():
    """Section 3.2.2.2: the example string, escapes short where JSON has them, everything else as it is."""
    written = events.canonical('\u20ac$\u000f\nA\'B"\\\\"/\u007f')
    assert written == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/\u007f"'.encode()


def test_no_spaces_and_plain_literals():
    assert events.canonical({"b": [None, True, False, -7], "a": {}}) == b'{"a":{},"b":[null,true,false,-7]}'


@given(values)
def test_what_is_read_back_is_what_was_written(value):
    written = events.canonical(value)
    assert json.loads(written) == value
    assert events.canonical(json.loads(written)) == written


@given(st.dictionaries(st.text(), st.integers(0, 9)))
def test_the_order_of_insertion_does_not_matter(event):
    assert events.canonical(dict(reversed(event.items()))) == events.canonical(event)


@pytest.mark.parametrize("value", [1.5, float("nan"), b"x", {1: 2}, 2**53, -(2**53), "\ud800", {"\ud800": 1}, {1}])
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(InvalidInput):
        events.canonical({"inside": [value]})


@given(st.binary(min_size=32, max_size=32), st.binary(), st.binary())
def test_a_commitment_opens_only_to_its_own_bytes(salt, said, other):
    commitment = events.commit(salt, said)
    events.check_commitment(salt, said, commitment)
    if other != said:
        with pytest.raises(IntegrityFailure):
            events.check_commitment(salt, other, commitment)


def test_a_commitment_is_hmac_sha_256():
    """The verifier of an auditor is written elsewhere; this value is what it must come to."""
    assert events.commit(b"\0" * 32, b"").hex().startswith("b613679a0814d9ec")


@pytest.mark.parametrize("kind", sorted(events.KINDS))
def test_a_leaf_says_its_kind_and_nothing_else(kind):
    assert events.leaf_bytes(kind, b"\1" * 32) == b"v1|" + kind.encode() + b"|" + b"\1" * 32


@pytest.mark.parametrize("kind,size", [("sends", 32), ("", 32), ("send", 31)])
def test_a_leaf_of_no_kind_is_refused(kind, size):
    with pytest.raises(ValueError, match="known kind"):
        events.leaf_bytes(kind, b"\0" * size)


def test_a_salt_is_long_enough_to_hide():
    with pytest.raises(ValueError, match="32 bytes"):
        events.commit(b"short", b"{}")


_VALUES = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text()


@given(st.dictionaries(st.text(max_size=5), _VALUES | st.dictionaries(st.text(max_size=5), _VALUES)))
def test_the_quick_road_writes_the_same_bytes(event: dict):
    """Plain events take a faster encoder; a difference of one byte would break every proof."""
    exact = json.dumps(events._ordered(event), ensure_ascii=False, separators=(",", ":")).encode()
    assert events.canonical(event) == exact
