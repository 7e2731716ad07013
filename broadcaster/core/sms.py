"""How many parts a text message takes: the alphabet, the characters and the parts an operator will bill.

GSM 03.38: a message is sent in the 7-bit alphabet if every character is in it, else as UCS-2. A message of more than
one part loses room to the header that joins the parts, and neither an escape pair nor a surrogate pair is divided.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Alphabet = Literal["gsm7", "ucs2"]

#: The default alphabet (3GPP TS 23.038, 6.2.1), without the escape character.
BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
#: The extension table (6.2.1.1): each costs two characters, the escape and itself.
EXTENSION = frozenset("\f^{}\\[~]|€")
#: Room for one part alone, and for each of several, in characters of the alphabet.
ROOM: dict[Alphabet, tuple[int, int]] = {"gsm7": (160, 153), "ucs2": (70, 67)}


@dataclass(frozen=True, slots=True)
class SmsCount:
    """What a text comes to; ``characters`` are units of its alphabet: 7-bit septets, or 16-bit code units."""

    alphabet: Alphabet
    characters: int
    parts: int


def parts(text: str) -> SmsCount:
    """Return alphabet, characters and parts of *text*; an empty text is one part of no characters."""
    alphabet: Alphabet = "gsm7" if BASIC.union(EXTENSION).issuperset(text) else "ucs2"
    widths = [_width(character, alphabet) for character in text]
    alone, joined = ROOM[alphabet]
    characters = sum(widths)
    return SmsCount(alphabet, characters, 1 if characters <= alone else _joined_parts(widths, joined))


def _width(character: str, alphabet: Alphabet) -> int:
    """Return how many units *character* takes: two for an escaped one or one beyond the basic plane."""
    if alphabet == "gsm7":
        return 2 if character in EXTENSION else 1
    return 2 if character > "\uffff" else 1


def _joined_parts(widths: list[int], room: int) -> int:
    """Return how many parts of *room* units hold the characters in order, none of them divided."""
    count, used = 1, 0
    for width in widths:
        if used + width > room:
            count, used = count + 1, 0
        used += width
    return count
