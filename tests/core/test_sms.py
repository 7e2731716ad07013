"""An operator bills by the part, and a stop notice pushed into a part of its own costs a message each."""

from __future__ import annotations

import pytest
import smsutil  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from broadcaster.core.sms import BASIC, EXTENSION, SmsCount, parts


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", SmsCount("gsm7", 0, 1)),
        ("a" * 160, SmsCount("gsm7", 160, 1)),
        ("a" * 161, SmsCount("gsm7", 161, 2)),
        ("a" * 306, SmsCount("gsm7", 306, 2)),
        ("a" * 307, SmsCount("gsm7", 307, 3)),
        ("é" * 160, SmsCount("gsm7", 160, 1)),
        ("ê" * 70, SmsCount("ucs2", 70, 1)),
        ("ê" * 71, SmsCount("ucs2", 71, 2)),
        ("ê" * 134, SmsCount("ucs2", 134, 2)),
        ("ê" * 135, SmsCount("ucs2", 135, 3)),
        ("€" * 80, SmsCount("gsm7", 160, 1)),
        ("€" * 81, SmsCount("gsm7", 162, 2)),
        ("😀" * 35, SmsCount("ucs2", 70, 1)),
        ("😀" * 36, SmsCount("ucs2", 72, 2)),
        ("a’", SmsCount("ucs2", 2, 1)),
    ],
)
def test_parts_as_the_standard_counts(text: str, expected: SmsCount) -> None:
    assert parts(text) == expected


def test_an_escape_is_not_divided() -> None:
    """306 septets fit two parts, but not if a pair stands across the border."""
    assert parts("a" * 152 + "€" + "a" * 152).parts == 3
    assert parts("a" * 151 + "€" + "a" * 153).parts == 2


def test_a_surrogate_pair_is_not_divided() -> None:
    assert parts("ê" * 66 + "😀" + "ê" * 66).parts == 3
    assert parts("ê" * 65 + "😀" + "ê" * 67).parts == 2


def test_the_alphabet_is_complete() -> None:
    assert len(BASIC) == 127
    assert len(EXTENSION) == 10


LETTERS = st.sampled_from(sorted(BASIC | EXTENSION))
OTHERS = st.sampled_from(["ê", "’", "😀", "я", "中", "`"])


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(
        st.text(LETTERS, min_size=1, max_size=500),
        st.text(LETTERS | OTHERS, min_size=1, max_size=300),
        st.text("a€", min_size=150, max_size=480),
        st.text("ê😀", min_size=60, max_size=220),
    )
)
def test_an_independent_library_counts_the_same(text: str) -> None:
    split = smsutil.split(text)
    count = parts(text)
    assert count.alphabet == ("gsm7" if split.encoding == "gsm0338" else "ucs2")
    assert count.parts == max(1, len(split.parts))
