"""Words an organisation adds on a channel: to join, to take part in a contest, to name a topic in a stop.

None of them may be a word that says something by itself already, in any language.
"""

from __future__ import annotations

from enum import StrEnum

from broadcaster.core.errors import InvalidInput
from broadcaster.core.keywords import engine, folding, lexicon
from broadcaster.core.keywords.intents import Intent
from broadcaster.core.keywords.scopes import phrase

MOST_CHARACTERS = 40


class WordKind(StrEnum):
    JOIN = "join"  #: asks the person to confirm a wording; opens nothing by itself
    CONTEST = "contest"  #: is noted and answered; never consent
    TOPIC = "topic"  #: another name for a purpose: "STOP <word>" closes that purpose


def forms(text: str) -> tuple[str, ...]:
    """Return what a message may come to as one word of ours: as it stands, and without courtesy."""
    whole = phrase(folding.own_words(folding.cap(text)))
    return whole, " ".join(word for word in whole.split() if word not in lexicon.COURTESY)


def checked(written: str) -> str:
    """Return a new word as messages are compared with it.

    Raises InvalidInput ``word_length``, or ``word_taken`` if the word alone means something already.
    """
    word = phrase(written)
    if not word or len(written.strip()) > MOST_CHARACTERS or not any(letter.isalpha() for letter in word):
        raise InvalidInput("a word has at least one letter, and at most 40", field="word", code="word_length")
    read = {engine.classify(written, open_question=asked).intent for asked in (False, True)}
    alone = word in lexicon.COURTESY or any(lexicon.corrected(one) != one for one in word.split())
    if read != {Intent.NONE} or alone:
        raise InvalidInput("this word means something already, in some language", field="word", code="word_taken")
    return word
