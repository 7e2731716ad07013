"""The word lists of each language, read from ``languages/*.toml``; all are active for every message.

A file names its sources and holds lists of words and short phrases, written as people write them and separated by
commas or line ends; ``*`` at the end of a word stands for any ending, ``~`` for a few words between the halves of a
verb. Lists whose name begins with ``say_`` are whole messages, most others the classes of ``symbols.CLASSES`` that
sentences are made of. ``common.toml`` holds the loan words that belong to every language.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from broadcaster.core.keywords import folding

_FOLDER = Path(__file__).parent / "languages"
_FIRST = ("en", "fr")  #: where two languages share a word, these name its rule
_NOT_WORD = re.compile(r"[^\w*~\n,;]+|_+")
_LIST_END = ";"
_UMLAUTS = str.maketrans({"ü": "ue", "ö": "oe", "ä": "ae"})


@dataclass(frozen=True)
class Language:
    """One language's lists as they stand in its file."""

    code: str
    umlauts: bool  #: ue, oe and ae are also written for ü, ö and ä
    spaced: bool  #: words stand apart; without it, words are found inside a run of letters
    written: dict[str, str]

    @cached_property
    def lists(self) -> dict[str, tuple[str, ...]]:
        """Return the folded phrases of each list."""
        names, texts = self.written.keys(), _LIST_END.join(self.written.values())
        spellings = [_folded(texts)]
        if self.umlauts:
            spellings.append(_folded(texts.translate(_UMLAUTS)))
        each = (spelling.split(_LIST_END) for spelling in spellings)
        return {name: _phrases(",".join(found)) for name, *found in zip(names, *each, strict=True)}


def _folded(text: str) -> str:
    return _NOT_WORD.sub(" ", folding.CONTRACTION.sub("", folding.plain(text)))


def _phrases(folded: str) -> tuple[str, ...]:
    found = dict.fromkeys(" ".join(phrase.split()) for phrase in re.split(r"[,\n]", folded))
    found.pop("", None)
    return tuple(found)


def _read(path: Path) -> Language:
    content = tomllib.loads(path.read_text("utf-8"))
    content.pop("sources")
    umlauts, spaced = content.pop("umlauts", False), content.pop("spaced", True)
    return Language(path.stem, umlauts, spaced, content)


def _order(language: Language) -> tuple[int, str]:
    return (_FIRST.index(language.code) if language.code in _FIRST else len(_FIRST), language.code)


_READ = [_read(path) for path in _FOLDER.glob("*.toml")]
COMMON = next(language for language in _READ if language.code == "common")
LANGUAGES = tuple(sorted((language for language in _READ if language is not COMMON), key=_order))
