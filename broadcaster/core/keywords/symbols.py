"""Read a folded message as a string of word classes, one letter each, once per language that may be meant.

A sentence rule then is a short pattern over these letters, the same for all languages: what differs between languages
are the words, not what a refusal is made of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from broadcaster.core.keywords import folding
from broadcaster.core.keywords.languages import COMMON, LANGUAGES, Language

#: What a word can be in a sentence; where a word stands in two lists of a language, the first class wins.
CLASSES = {
    "idiom": "Z",  # means something else: "bus stop"
    "out": "A",  # a refusal by itself: "leave me alone"
    "rights": "X",  # a data-protection request by itself
    "everywhere": "w",
    "mistake": "m",
    "assist": "h",  # asks who we are or for help
    "unsub": "U",  # unsubscribe
    "nosend": "F",  # do not send, in one word
    "nowant": "Y",  # do not want, in one word
    "nomore": "k",  # no more, enough of
    "harass": "y",  # complains by naming it: "spam", "you keep bothering me"
    "stop": "T",  # doubt if nothing else explains it
    "cease": "c",  # stop doing; nothing without what to stop
    "cancel": "V",
    "not": "N",
    "no": "n",
    "more": "K",  # any more, ever again
    "consent": "C",
    "want": "W",
    "miss": "l",  # lose, miss: not wanting that is wanting
    "send": "S",
    "get": "G",
    "letter": "i",  # a newsletter: what one subscribes to
    "both": "B",  # a verb and a noun: "text"
    "msg": "M",
    "join": "E",
    "again": "e",
    "remove": "R",
    "revoke": "v",
    "data": "P",
    "know": "Q",
    "id": "D",  # number, address
    "list": "L",
    "me": "I",
    "other": "O",  # orders, appointments: stopping those is not a refusal
    "until": "u",
    "later": "J",
    "reply": "r",
    "hostile": "H",
    "stranger": "s",
    "often": "f",
    "pause": "p",
    "uninterested": "d",
    "link": "t",
    "thanks": "q",
    "aux": "a",
    "courtesy": ".",
}
UNKNOWN, NUMBER, BREAK = "x", "#", "/"
_EMPTY = frozenset(CLASSES[name] for name in ("aux", "courtesy", "thanks"))
_WRITTEN = frozenset(CLASSES[name] for name in ("send", "both", "msg", "letter"))
_NOT_BETWEEN = frozenset(CLASSES[name] for name in ("other", "not", "no"))
_GAP = 5  #: words between the two halves of a verb
_LEAST = 0.7  #: a language that knows fewer of the words than this share of the best one is not meant


class _Entry(NamedTuple):
    language: int
    rest: tuple[str, ...]  #: the words after the first
    symbol: str
    own: bool  #: a word of this language, not a loan word of all
    rank: tuple[int, bool, bool, int]  #: more words, then what carries sense, an exact word, a longer beginning wins


def _index() -> tuple[dict[str, list[_Entry]], dict[str, list[_Entry]], dict[int, dict[str, str]]]:
    """Return entries by exact first word and by its beginning, and whole entries of languages without spaces."""
    exact: dict[str, list[_Entry]] = defaultdict(list)
    begins: dict[str, list[_Entry]] = defaultdict(list)
    inside: dict[int, dict[str, str]] = {}
    for number, language in enumerate(LANGUAGES):
        symbols = _symbols(language)
        if not language.spaced:
            inside[number] = {phrase.replace(" ", ""): symbol for phrase, symbol in symbols.items()}
            continue
        own = {phrase for phrases in language.lists.values() for phrase in phrases}
        for phrase, symbol in symbols.items():
            first, *rest = phrase.split()
            word = first.removesuffix("*")
            table = exact if word == first else begins
            rank = (len(rest), symbol not in _EMPTY, word == first, len(word))
            table[word].append(_Entry(number, tuple(rest), symbol, phrase in own, rank))
    return dict(exact), dict(begins), inside


def _symbols(language: Language) -> dict[str, str]:
    """Return phrase -> class; what is both written to people and complained of, harasses."""
    found: dict[str, str] = {}
    for name, symbol in CLASSES.items():
        for lists in (language.lists, COMMON.lists):
            for phrase in lists.get(name, ()):
                complaint = name == "hostile" and found.get(phrase) in _WRITTEN
                found[phrase] = CLASSES["harass"] if complaint else found.get(phrase, symbol)
    return found


_EXACT, _BEGINS, _INSIDE = _index()
_SHORTEST = min(map(len, _BEGINS))
_LONGEST = max((len(phrase) for entries in _INSIDE.values() for phrase in entries), default=0)
_PREFIXES = tuple((number, language.lists["prefixes"]) for number, language in enumerate(LANGUAGES)
                  if "prefixes" in language.lists)  # fmt: skip


@lru_cache(maxsize=8192)
def _entries(word: str) -> tuple[_Entry, ...]:
    """Return what may begin with *word*, the best first; Arabic and Hebrew put small words before it."""
    found = _plainly(word)
    for number, prefixes in _PREFIXES:
        if all(entry.language != number for entry in found):
            for prefix in prefixes:
                if word.startswith(prefix) and len(word) > len(prefix) + 1:
                    found += [entry for entry in _plainly(word.removeprefix(prefix)) if entry.language == number]
    return tuple(sorted(found, key=lambda entry: entry.rank, reverse=True))


def _plainly(word: str) -> list[_Entry]:
    found = list(_EXACT.get(word, ()))
    for length in range(_SHORTEST, min(len(word), 24) + 1):
        found += _BEGINS.get(word[:length], ())
    return found


def known(word: str) -> bool:
    """Say whether some language lists exactly *word*."""
    return word in _EXACT


def _taken(words: Sequence[str], at: int, entry: _Entry) -> int:
    """Return how many words *entry* takes whose first stands before *at*, 0 if it does not fit.

    ``~`` is a gap between the halves of a verb; what stands there is read for itself.
    """
    start = at
    for wanted in entry.rest:
        if wanted == "~":
            continue
        end = at + (_GAP if entry.rest[0] == "~" else 0) + 1
        found = next((n for n in range(at, min(end, len(words))) if _is(words[n], wanted)), None)
        if found is None or not _may_stand_between(words[at:found], entry.language):
            return 0
        at = found + 1
    return 1 if "~" in entry.rest else at - start + 1


def _is(word: str, wanted: str) -> bool:
    return word.startswith(wanted[:-1]) if wanted.endswith("*") else word == wanted


def _may_stand_between(words: Sequence[str], language: int) -> bool:
    """Say whether a verb's halves belong together around *words*: no clause ends, nothing denied, no other object."""
    return folding.BREAK not in words and not any(
        entry.language == language and entry.symbol in _NOT_BETWEEN and not entry.rest
        for word in words
        for entry in _entries(word)
    )


def _spaced(words: Sequence[str]) -> dict[int, dict[int, tuple[_Entry, int]]]:
    """Return by language and position the entry found there and how many words it takes."""
    found: dict[int, dict[int, tuple[_Entry, int]]] = defaultdict(dict)
    for position, word in enumerate(words):
        for entry in _entries(word):
            if position not in found[entry.language]:
                taken = _taken(words, position + 1, entry)
                if taken:
                    found[entry.language][position] = (entry, taken)
    return found


def _small(word: str) -> str:
    return BREAK if word == folding.BREAK else NUMBER if word.isdigit() else UNKNOWN


def _read(words: Sequence[str], found: dict[int, tuple[_Entry, int]]) -> tuple[str, int]:
    """Return the string of one language and how many words of its own it knows."""
    read, position, known_words = [], 0, 0
    while position < len(words):
        entry, taken = found.get(position, (None, 1))
        known_words += taken if entry is not None and entry.own else 0
        read.append(_small(words[position]) if entry is None else entry.symbol)
        position += taken
    return "".join(read), known_words


def _run(word: str, entries: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Yield the classes found inside a run of letters without spaces, and the letters each takes."""
    position = 0
    while position < len(word):
        for length in range(min(_LONGEST, len(word) - position), 0, -1):
            symbol = entries.get(word[position : position + length])
            if symbol is not None:
                yield symbol, length
                break
        else:
            length = 1
            yield UNKNOWN, 0
        position += length


def _unspaced(words: Sequence[str], entries: dict[str, str]) -> tuple[str, int]:
    read, known_letters = "", 0
    for word in words:
        if word in entries or word.isascii():
            known_letters += len(word) if word in entries else 0
            read += entries.get(word, _small(word))
            continue
        for symbol, letters in _run(word, entries):
            known_letters += letters
            if symbol != UNKNOWN or not read.endswith(UNKNOWN):
                read += symbol
    return read, (known_letters + 1) // 2


def readings(folded: str) -> list[tuple[str, str]]:
    """Return (language, string) for every language that may be meant, the likeliest first."""
    words = folded.split()
    spaced = _spaced(words)
    read = [(number, *_read(words, found)) for number, found in spaced.items() if found]
    if not folded.isascii():
        read += [(number, *_unspaced(words, entries)) for number, entries in _INSIDE.items()]
    best = max((count for _, _, count in read), default=0)
    likely = sorted(((count, -number, text) for number, text, count in read if count >= best * _LEAST),
                    reverse=True)  # fmt: skip
    return [(LANGUAGES[-number].code, text) for _, number, text in likely]
