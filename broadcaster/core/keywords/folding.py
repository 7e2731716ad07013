"""Bring a message into the one form the word lists and patterns are written in.

The result is lower-case words without marks, one space apart, with ``|`` where a clause ends. The steps and their order
are those of ``docs/consent.md``; each exists because somebody writes that way, or a detector was fooled that way.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

MAX_CHARACTERS = 1500  #: the beginning and the end of a longer text are read, so that no text costs more than this
_TAIL = 500
BREAK = "|"
STOP_SIGN = "stopsign"  #: what a stop sign or a raised hand becomes
_QUOTE_WORDS = 8  #: so many consecutive words of ours are a quotation, not a wish

_HISTORY = re.compile(
    r"^\s*(?:-{2,}\s*(?:original message|message d'origine|message original|forwarded message|ursprüngliche nachricht)"
    r"|-- ?$|_{10,}|(?:from|de|von) ?: .{0,200}@)",
    re.IGNORECASE,
)
_ATTRIBUTION = re.compile(
    r"^\s*(?:on .{4,200} wrote ?:|le .{4,200} a écrit ?:|am .{4,200} schrieb .{0,200}:)\s*$", re.IGNORECASE
)
_FOOTER = re.compile(
    r"^\s*(?:sent from my|sent from (?:outlook|yahoo|mail)|envoyé de mon|envoyé depuis|get outlook"
    r"|obtenir outlook|télécharge[rz]? outlook|von meinem|gesendet von)\b",
    re.IGNORECASE,
)
_REACTION = re.compile(
    r"^\s*(?:liked|loved|laughed at|emphasi[sz]ed|disliked|questioned|reacted .{1,20} to|a aimé|a adoré|n'a pas aimé"
    r"|a ri à|a ri de|a mis en évidence|a réagi .{1,20} à|(?:hat )?gefällt|le gustó|le encantó|le dio risa"
    r"|ha aggiunto un|ha messo|ha riso|gostou de|adorou|riu de|vond|vindt"
    r"|polubi\w{1,3}|líbí se|вподоба\w{1,3}|понравил\w{1,3}|أعجب\w{0,4}|beğen\w{1,3}|いいね|赞了|讚了|\W{1,8} to)"
    r"(?:\s\w{1,12}){0,4}\s*[“\"«„「].*[”\"»“」]\s*\.?\s*$",
    re.IGNORECASE | re.DOTALL,
)
_NOISE = re.compile(
    r"https?://\S{1,500}|www\.\S{1,500}|[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]{1,63}|\{\{.{0,80}?\}\}|\[[A-Z_]{2,30}\]"
    r"|\b(?=[\w-]{0,30}\d)(?=[\w-]{0,30}[^\W\d_])[^\W_]{1,15}-[\w-]{1,20}\b"
)
_PROMO_CODE = re.compile(r"\b(code(?: promo)?)\s*:?\s+([A-Z0-9]{4,16})\b")
_SIGNS = re.compile("[\U0001f6d1\u270b\U0001f6ab\u26d4]\ufe0f?")
CONTRACTION = re.compile(r"(?<=\w)'(?=(?:t|s|m|re|ve|ll|d)\b)")
_CLAUSE_END = re.compile(r"[.!?;:,\n…()。、!?,،؛؟।]+|\s[-–—]+\s")
_NOT_WORD = re.compile(r"[^\w|]+|_+")
_SPELT = re.compile(r"(?<![a-z0-9])(?:[a-z][ .\-_*|]{1,3}){3,}[a-z](?![a-z0-9])")
_BETWEEN_LETTERS = re.compile(r"(?<=[a-z])[01](?=[a-z])")
_LONG_RUN = re.compile(r"([^\W\d])\1{2,}")
_REPEATED = re.compile(r"\b(\w+(?: \w+){0,5}?)(?: \1\b){2,}")
_SPACES = re.compile(r"\s+")
_BREAKS = re.compile(r"(?: ?\|)+ ?")

_DISGUISED = dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz", strict=True)) | {
    chr(start + offset): chr(ord("a") + offset)
    for start in (0x1F1E6, 0x1F130, 0x1F150, 0x1F170)
    for offset in range(26)
}
_LETTERS = str.maketrans(
    _DISGUISED
    | {"ı": "i", "ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "ٱ": "ا", "ى": "ي", "ة": "ه", "\u0640": ""}
    | dict.fromkeys("’‘ʼ`´′＇", "'")
)
#: Letters of other scripts that look like Latin ones, after case folding; used only where ``_unmask`` says so.
_LOOKALIKES = str.maketrans(
    "авекмнорстухіјѕԛԝһԁпɡαβεηικνοορτυχσς",
    "abekmhopctyxijsqwhdngabehikvooptuxss",
)


def cap(text: str) -> str:
    """Return *text*, or the beginning and the end of a text longer than ``MAX_CHARACTERS``."""
    if len(text) <= MAX_CHARACTERS:
        return text
    return f"{text[: MAX_CHARACTERS - _TAIL]}\n{text[-_TAIL:]}"


def own_words(text: str) -> str:
    """Return what the person wrote: no quoted history, signature, footer of a mail program, or phone reaction."""
    if _REACTION.match(text):
        return ""
    kept: list[str] = []
    lines = text.splitlines()
    for index, line in enumerate(lines):
        if _ATTRIBUTION.match(line):
            if any(later.lstrip().startswith(">") for later in lines[index + 1 :]):
                continue
            break
        if kept and (_HISTORY.match(line) or _FOOTER.match(line)):
            break
        if not line.lstrip().startswith(">"):
            kept.append(line)
    return "\n".join(kept)


def _unmask(word: str) -> str:
    """Return *word* in Latin letters if it mixes scripts; real Cyrillic or Greek stays itself."""
    if word.isascii():
        return word
    if word.translate(_CYRILLIC) == "стоп":
        return "стоп"
    mapped = word.translate(_LOOKALIKES)
    mixed = any("a" <= letter <= "z" for letter in word)
    return mapped if mapped.isascii() and (mixed or mapped in _DISGUISED_KEYWORDS) else word


_CYRILLIC = str.maketrans("cto", "сто")
#: Keywords somebody may spell entirely in look-alikes.
_DISGUISED_KEYWORDS = frozenset({"stop", "stopp", "ctop", "cancel", "quit", "arret", "arrete", "optout", "remove"})


class _Plain(dict[int, str | int | None]):
    """A table for ``str.translate``: one spelling of each letter, without marks and controls; it remembers which."""

    def __missing__(self, code: int) -> int | None:
        category = unicodedata.category(chr(code))
        self[code] = kept = None if category == "Cf" or category[0] == "M" else code
        return kept


_PLAIN = _Plain(_LETTERS)


def plain(text: str) -> str:
    """Return *text* in lower case without marks, in one spelling of each letter."""
    composed = unicodedata.normalize("NFKC", text.replace("´", "'")).casefold()
    return composed if composed.isascii() else unicodedata.normalize("NFD", composed).translate(_PLAIN)


def fold(text: str) -> str:
    """Return the words of *text*, folded, one space apart, with ``|`` between clauses."""
    text = _SIGNS.sub(f" {STOP_SIGN} ", text)
    text = _NOISE.sub(" ", _PROMO_CODE.sub(r"\1 ", text))
    text = CONTRACTION.sub("", plain(text)[: 2 * MAX_CHARACTERS].replace("$", "s")).replace("€", " ")
    text = _CLAUSE_END.sub(f" {BREAK} ", text)
    text = _SPELT.sub(lambda spelt: re.sub(r"[^a-z]", "", spelt.group()), text)
    text = _NOT_WORD.sub(" ", text)
    text = " ".join(_unmask(word) for word in text.split())
    text = _LONG_RUN.sub(r"\1", _BETWEEN_LETTERS.sub(lambda digit: "o" if digit.group() == "0" else "l", text))
    text = _REPEATED.sub(r"\1", _SPACES.sub(" ", text))
    return _BREAKS.sub(f" {BREAK} ", text).strip(" |")


def without_quotes(folded: str, recent: Sequence[str]) -> str:
    """Return *folded* without spans of eight or more words that stand in one of our *recent* messages."""
    words = folded.split()
    spoken = [word for word in words if word != BREAK]
    ours: set[tuple[str, ...]] = set()
    for message in recent:
        said = [word for word in fold(cap(message)).split() if word != BREAK]
        if len(said) >= 3 and said == spoken:
            return ""
        ours.update(tuple(said[start : start + _QUOTE_WORDS]) for start in range(len(said) - _QUOTE_WORDS + 1))
    if not ours:
        return folded
    positions = [index for index, word in enumerate(words) if word != BREAK]
    quoted: set[int] = set()
    for start in range(len(spoken) - _QUOTE_WORDS + 1):
        if tuple(spoken[start : start + _QUOTE_WORDS]) in ours:
            quoted.update(positions[start : start + _QUOTE_WORDS])
    kept = " ".join(BREAK if index in quoted else word for index, word in enumerate(words))
    return _BREAKS.sub(f" {BREAK} ", kept).strip(" |")
