"""The word lists as one index, and the long stop words somebody may mistype by one slip."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from broadcaster.core.keywords import folding
from broadcaster.core.keywords.intents import Intent
from broadcaster.core.keywords.words import LANGUAGES

FUZZY_LENGTH = 6  #: letters; shorter words have too many neighbours that mean something else ("shop", "step", "post")

#: A word after "stop" that names what to stop; the caller knows whether such a purpose exists.
TOPICS = frozenset((
    "promo", "promos", "promotion", "promotions", "offer", "offers", "offre", "offres", "newsletter",
    "newsletters", "news", "event", "events", "evenement", "evenements", "marketing", "deals", "sales",
    "soldes", "alerts", "alertes", "actus", "actualites", "invitations", "surveys", "sondages",
))  # fmt: skip
#: Words one slip away from a long keyword that mean something else.
NOT_TYPOS = frozenset((
    "remote", "removed", "cancer", "cancels", "removes", "removal", "arrive", "arrives", "arrivez", "arriver",
    "resume", "revoked", "revokes", "arrets", "stopper", "stopped", "support", "suport", "subscribe",
    "resubscribe", "arriere", "stapler", "stoppers",
))  # fmt: skip


def _spellings(word: str) -> set[str]:
    """Return the folded forms under which a listed word is known, German ``ue`` for ``ü`` included."""
    umlauts = str.maketrans({"ü": "ue", "ö": "oe", "ä": "ae"})
    return {bare(folding.fold(form)) for form in (word, word.casefold().translate(umlauts))}


def bare(folded: str) -> str:
    return " ".join(word for word in folded.split() if word != folding.BREAK)


def _index() -> dict[str, tuple[Intent, str, bool]]:
    """Return phrase -> (intent, rule, whether it is weak); earlier languages name a shared word's rule."""
    index: dict[str, tuple[Intent, str, bool]] = {}
    for words in LANGUAGES:
        lists = (
            (Intent.OPT_OUT, words.stop, False),
            (Intent.OPT_OUT, words.weak_stop, True),
            (Intent.OPT_IN, words.join, False),
            (Intent.HELP, words.help, False),
            (Intent.OPT_IN, words.weak_join, True),
        )
        for intent, listed, weak in lists:
            for word in listed:
                for spelling in _spellings(word):
                    index.setdefault(spelling, (intent, f"kw.{words.code}.{spelling.replace(' ', '-')}", weak))
    return index


KEYWORDS = _index()
COURTESY = frozenset(
    part for words in LANGUAGES for word in words.courtesy for form in _spellings(word) for part in form.split()
)
AFFIXES = tuple(
    sorted(
        (
            form
            for words in LANGUAGES
            if words.code in ("ja", "zh")
            for word in words.courtesy
            for form in _spellings(word)
        ),
        key=len,
    )
)[::-1]
LONG = frozenset(
    word
    for word, (intent, _, _) in KEYWORDS.items()
    if intent is Intent.OPT_OUT and len(word) >= FUZZY_LENGTH and word.isascii() and " " not in word
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
    if (
        not FUZZY_LENGTH - 1 <= len(word) <= 24
        or not word.isascii()
        or word in LONG
        or word in NOT_TYPOS
        or word in KEYWORDS
    ):
        return word
    for form in _shortened(word):
        for candidate in sorted(_NEAR.get(form, ())):
            if _one_slip(word, candidate):
                return candidate
    return word
