"""The word lists as one index, and the long stop words somebody may mistype by one slip."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from broadcaster.core.keywords import folding
from broadcaster.core.keywords.intents import Intent
from broadcaster.core.keywords.languages import COMMON, LANGUAGES
from broadcaster.core.keywords.symbols import known

FUZZY_LENGTH = 6  #: letters; shorter words have too many neighbours that mean something else ("shop", "step", "post")

LONG_IN_SENTENCE = 8  #: letters; inside a sentence only longer words are taken for a mistyped one
NUMBER = re.compile(r"\d{3,6}")


def bare(folded: str) -> str:
    return " ".join(word for word in folded.split() if word != folding.BREAK)


#: List -> what its phrases mean as a whole message, and whether they are weak.
_SAID = {
    "say_stop": (Intent.OPT_OUT, False),
    "say_stop_weak": (Intent.OPT_OUT, True),
    "say_start": (Intent.OPT_IN, False),
    "say_help": (Intent.HELP, False),
    "say_start_weak": (Intent.OPT_IN, True),
}


def _index() -> dict[str, tuple[Intent, str, bool]]:
    """Return phrase -> (intent, rule, whether it is weak); earlier languages name a shared word's rule."""
    index: dict[str, tuple[Intent, str, bool]] = {}
    for language in (COMMON, *LANGUAGES):
        for name, (intent, weak) in _SAID.items():
            for phrase in language.lists.get(name, ()):
                word = phrase if language.spaced else phrase.replace(" ", "")
                index.setdefault(word, (intent, f"kw.{language.code}.{word.replace(' ', '-')}", weak))
    return index


def _all(name: str) -> Iterator[str]:
    for language in (COMMON, *LANGUAGES):
        yield from language.lists.get(name, ())


KEYWORDS = _index()
COURTESY = frozenset(part for phrase in _all("courtesy") for part in phrase.split())
TOPICS = frozenset(_all("topic"))  #: after "stop", what to stop; the caller knows whether such a purpose exists
#: Words one slip away from a long keyword that mean something else.
NOT_TYPOS = frozenset(_all("not_typo"))
#: What stands at either end of a message without spaces and adds nothing, the longest first.
AFFIXES = tuple(
    sorted(
        (phrase for language in LANGUAGES if not language.spaced for phrase in language.lists["courtesy"]),
        key=len,
        reverse=True,
    )
)
_NAMES = r"(?: \w+){0,2}"
GREETED = re.compile(rf"^(?:{'|'.join(_all('greeting'))}){_NAMES} \| ")
SIGNED = re.compile(rf" (?:\| )?(?:{'|'.join(_all('thanks'))})(?: \|)?{_NAMES}$")
LONG = frozenset(
    word
    for word, (intent, _, _) in KEYWORDS.items()
    if intent is Intent.OPT_OUT and len(word) >= FUZZY_LENGTH and " " not in word and word.isalpha()
)


def _shortened(word: str) -> Iterator[str]:
    yield word
    for position in range(len(word)):
        yield word[:position] + word[position + 1 :]


_NEAR: dict[str, set[str]] = {}
for _word in sorted(LONG):
    for _form in _shortened(_word):
        _NEAR.setdefault(_form, set()).add(_word)


def _one_slip(left: str, right: str) -> bool:
    """Say whether one insertion, deletion, substitution or swap of neighbours turns *left* into *right*."""
    if len(left) > len(right):
        left, right = right, left
    start = 0
    while start < len(left) and left[start] == right[start]:
        start += 1
    if len(left) != len(right):
        return left[start:] == right[start + 1 :]
    swapped = left[start + 1 : start + 2] + left[start : start + 1] + left[start + 2 :]
    return left[start + 1 :] == right[start + 1 :] or swapped == right[start:]


@lru_cache(maxsize=4096)
def corrected(word: str) -> str:
    """Return the long stop word that *word* misses by one slip, else *word*."""
    if not FUZZY_LENGTH - 1 <= len(word) <= 24 or word in NOT_TYPOS or word in KEYWORDS or known(word):
        return word
    for form in _shortened(word):
        for candidate in sorted(_NEAR.get(form, ())):
            if _one_slip(word, candidate):
                return candidate
    return word
