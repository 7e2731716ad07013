"""So many messages a minute to one mail domain: how it is written, and that no minute sees more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.core.domain_rates import ANY, WINDOW, Bucket, per_minute, read, written
from broadcaster.core.errors import InvalidInput

T = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "told,table",
    [
        ("", {}),
        ("gmail.com = 600", {"gmail.com": 600}),
        ("Gmail.com=600\r\n\n* = 1000", {"gmail.com": 600, ANY: 1000}),
        ("gmail.com: 600, xn--mnchen-3ya.example = 1; *=9", {"gmail.com": 600, "xn--mnchen-3ya.example": 1, ANY: 9}),
    ],
)
def test_a_table_is_read_as_it_is_written(told: str, table: dict[str, int]) -> None:
    assert read(told) == table
    assert read(written(table)) == table


@pytest.mark.parametrize(
    "told",
    [
        "gmail.com",
        "gmail.com = 0",
        "gmail.com = -1",
        "gmail.com = 1.5",
        "gmail.com = 600001",
        "gmail = 5",
        "@gmail.com = 5",
        "münchen.example = 5",
        "gmail.com = 5, gmail.com = 6",
        "*.com = 5",
        ",".join(f"d{n}.example = 1" for n in range(201)),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_field(told: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(told)
    assert (refused.value.field, refused.value.code) == ("domain_rates", "domain_rates")


def test_a_line_of_its_own_goes_before_that_of_the_others() -> None:
    table = {"gmail.com": 600, ANY: 10}
    assert [per_minute(table, one) for one in ("gmail.com", "mail.gmail.com", None)] == [600, 10, None]
    assert per_minute({"gmail.com": 600}, "example.org") is None


@given(
    st.integers(1, 2000),
    st.lists(st.tuples(st.floats(0, 90), st.integers(0, 3000)), min_size=1, max_size=40),
)
def test_no_minute_sees_more_than_the_number_however_it_is_asked(most: int, asked: list[tuple[float, int]]) -> None:
    now, bucket = T, Bucket.full(most, T)
    granted: list[tuple[datetime, int]] = []
    for pause, want in asked:
        now += timedelta(seconds=pause)
        bucket = bucket.at(now, most)
        count = min(want, int(bucket.tokens))
        bucket = bucket.after(count)
        granted.append((now, count))
    for start, _ in granted:
        assert sum(count for at, count in granted if start <= at < start + WINDOW) <= most


@given(st.integers(1, 600_000), st.floats(0, 1))
def test_who_waits_until_a_bucket_is_worth_a_look_finds_something_in_it_within_a_minute(most: int, rest: float) -> None:
    bucket = Bucket(rest, T)
    ready = bucket.ready_at(most)
    assert bucket.at(ready, most).tokens >= 1
    assert T <= ready <= T + WINDOW + timedelta(seconds=1)


def test_a_bucket_that_is_asked_all_the_time_gives_nearly_the_whole_number() -> None:
    for most in (1, 7, 60, 600, 60_000):
        bucket, sent = Bucket(0.0, T), 0
        for tick in range(1, 601):
            bucket = bucket.at(T + tick * timedelta(seconds=1), most)
            sent += int(bucket.tokens)
            bucket = bucket.after(int(bucket.tokens))
        assert 0.94 * most * 10 <= sent <= most * 10


def test_a_clock_that_went_back_brings_nothing() -> None:
    assert Bucket(0.0, T).at(T - timedelta(minutes=5), 60) == Bucket(0.0, T)
