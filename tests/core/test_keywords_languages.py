"""The same gates for every language, over messages written before the words that understand them.

A third of the messages, chosen by a hash, was never looked at while words were added; its rates are asserted apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from broadcaster.core.keywords import Intent, classify

_FOLDER = Path(__file__).parent / "messages"
LANGUAGES = sorted(path.stem for path in _FOLDER.glob("*.txt"))


class Written(NamedTuple):
    """One message and what its writer wanted."""

    text: str
    wanted: str
    held_out: bool


def _read(language: str) -> list[Written]:
    written, wanted, number, seen = [], "", 0, False
    for line in (_FOLDER / f"{language}.txt").read_text("utf-8").splitlines():
        if line == "# seen":  # what follows was written to find gaps, and then used to close them
            seen = True
        elif line.startswith("["):
            wanted, number = line.strip("[]"), 0
        elif line:
            number += 1
            digest = hashlib.sha256(f"{language}-{wanted}-{number}".encode()).digest()
            written.append(Written(line, wanted, not seen and digest[0] % 3 == 0))
    return written


MESSAGES = {language: _read(language) for language in LANGUAGES}


def _share(language: str, wanted: str, held_out: bool, *, not_in: set[Intent]) -> tuple[float, list[str]]:
    """Return the share of messages understood as something else than *not_in*, and their texts."""
    asked = [one for one in MESSAGES[language] if one.wanted == wanted and one.held_out is held_out]
    wrong = [one.text for one in asked if classify(one.text).intent not in not_in]
    return len(wrong) / len(asked), wrong


def each_language(test: Callable[..., None]) -> Callable[..., None]:
    """Run *test* for every language, on what was looked at and on what was not."""
    for mark in (
        pytest.mark.parametrize("language", LANGUAGES),
        pytest.mark.parametrize("held_out", [False, True], ids=["tuned", "held-out"]),
    ):
        test = mark(test)
    return test


CLOSED = {Intent.OPT_OUT, Intent.UNSURE, Intent.RIGHTS}


@each_language
def test_a_request_to_stop_closes(language: str, held_out: bool) -> None:
    share, missed = _share(language, "opt_out", held_out, not_in=CLOSED)
    assert share <= (0.02 if language in ("en", "fr") and not held_out else 0.10), missed


@each_language
def test_a_request_to_start_again_is_understood(language: str, held_out: bool) -> None:
    share, missed = _share(language, "opt_in", held_out, not_in={Intent.OPT_IN})
    assert share <= 0.20, missed


@each_language
def test_ordinary_messages_stop_little(language: str, held_out: bool) -> None:
    opened = set(Intent) - {Intent.OPT_OUT}
    share, stopped = _share(language, "ordinary", held_out, not_in=opened)
    assert share <= (0.03 if language in ("en", "fr") else 0.06), stopped
    share, held = _share(language, "ordinary", held_out, not_in=set(Intent) - CLOSED)
    assert share <= 0.10, held


@each_language
def test_nothing_but_a_clear_request_is_an_opt_in(language: str, held_out: bool) -> None:
    others = [one for one in MESSAGES[language] if one.wanted != "opt_in" and one.held_out is held_out]
    assert [one.text for one in others if classify(one.text).intent is Intent.OPT_IN] == []


@pytest.mark.parametrize("held_out", [False, True], ids=["tuned", "held-out"])
@pytest.mark.parametrize("wanted, right, most", [("help", {Intent.HELP}, 0.03), ("rights", CLOSED, 0.05)])
def test_rarer_requests_are_understood(wanted: str, right: set[Intent], most: float, held_out: bool) -> None:
    """Over all languages at once: none has enough of these for a share of its own."""
    shares = [_share(language, wanted, held_out, not_in=right) for language in LANGUAGES]
    asked = sum(one.wanted == wanted and one.held_out is held_out for all_of in MESSAGES.values() for one in all_of)
    missed = [text for _, texts in shares for text in texts]
    assert len(missed) <= most * asked, missed
