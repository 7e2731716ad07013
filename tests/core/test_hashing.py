"""Our HMAC is the standard's."""

from __future__ import annotations

import hmac

from hypothesis import given
from hypothesis import strategies as st

from broadcaster.core.hashing import hmac_of_ring, hmac_sha256


@given(st.binary(min_size=1, max_size=64), st.binary(max_size=300))
def test_both_roads_give_what_the_standard_library_gives(key: bytes, message: bytes) -> None:
    expected = hmac.digest(key, message, "sha256")
    assert hmac_sha256(key, message) == expected
    assert hmac_of_ring(key, message) == expected
    assert hmac_of_ring(key, message) == expected, "the kept blocks are not used up"
