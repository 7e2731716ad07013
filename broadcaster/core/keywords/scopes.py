"""How far a refusal reaches: the topic it names, the channels it names, those it lets be. In doubt, further."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from broadcaster.core.keywords import folding
from broadcaster.core.keywords.languages import COMMON, LANGUAGES
from broadcaster.core.keywords.symbols import BREAK, CLASSES, NUMBER, UNKNOWN, readings

_PREFIX = "channel_"
_TOPIC = "zzx"  #: stands for the topic in a reading; a word of no language


def _letters(*names: str) -> str:
    return re.escape("".join(CLASSES[name] for name in names))


_STOP_OR_COURTESY = (
    f"[{NUMBER}{BREAK}{_letters('stop', 'unsub', 'cease', 'cancel', 'me', 'aux', 'courtesy', 'thanks')}]*"
)
#: A refusal of one topic: a stop, courtesy, and one thing no language knows. A word more, and it may mean more.
_ONE_TOPIC = re.compile(_STOP_OR_COURTESY + UNKNOWN + _STOP_OR_COURTESY)
_DENIES = re.compile(f"[{_letters('not', 'no', 'nowant', 'nosend', 'nomore', 'stop', 'unsub', 'cease', 'remove')}]")


def _any_of(phrases: Iterable[str], *, spaced: bool = True) -> str:
    words = "|".join(re.escape(phrase) for phrase in sorted(phrases, key=len, reverse=True))
    return rf"\b(?:{words})\b" if spaced else words


def _fine() -> re.Pattern[str]:
    lists = (_any_of(one.lists["fine"], spaced=one.spaced) for one in LANGUAGES if "fine" in one.lists)
    return re.compile("|".join(lists))


_CHANNELS = {
    name.removeprefix(_PREFIX): re.compile(_any_of(phrases))
    for name, phrases in COMMON.lists.items()
    if name.startswith(_PREFIX)
}
_FINE = _fine()


def channels(clause: str) -> frozenset[str]:
    """Return the kinds of channel a folded clause names."""
    return frozenset(name for name, words in _CHANNELS.items() if words.search(clause))


def lets_be(clause: str) -> bool:
    """Say whether a folded clause says that what it names may go on: "e-mail is fine", and nothing denied."""
    return _FINE.search(clause) is not None and not any(_DENIES.search(read) for _, read in readings(clause))


def phrase(name: str) -> str:
    """Return a name or word of the organisation as it would stand in a folded message."""
    return " ".join(word for word in folding.fold(name.replace("_", " ")).split() if word != folding.BREAK)


def topic(folded: str, topics: Collection[str]) -> str:
    """Return the one of *topics* (see ``phrase``) that is all a refusal asks to stop, else nothing."""
    for named in sorted(topics, key=len, reverse=True):
        rest = _replaced(folded, named)
        if rest is not None and any(_ONE_TOPIC.fullmatch(read) for _, read in readings(rest)):
            return named
    return ""


def _replaced(folded: str, named: str) -> str | None:
    """Return *folded* with *named*, in the singular or plural, as one unknown word; None if it is not there."""
    if not named or channels(named):
        return None  # "stop sms" names a channel, whatever the organisation calls its topics
    if not named.isascii():
        return folded.replace(named, f" {_TOPIC} ") if named in folded else None
    words, wanted = folded.split(), [_singular(word) for word in named.split()]
    for start in range(len(words) - len(wanted) + 1):
        end = start + len(wanted)
        if [_singular(word) for word in words[start:end]] == wanted:
            return " ".join([*words[:start], _TOPIC, *words[end:]])
    return None


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word
