"""Decide what an inbound message wants, without being told its language.

Tiers, the first that answers wins: a whole-message keyword (or only keywords, one of them a stop), a data-protection
request, a sentence that asks to stop, doubt. A message with any sign of a stop is never read as joining or as a call
for help. Doubt pauses: the caller closes sending and asks a person.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from broadcaster.core.keywords import folding, lexicon, patterns, scopes
from broadcaster.core.keywords.intents import Decision, Intent, Scope
from broadcaster.core.keywords.symbols import CLASSES, readings

VERSION = "3"  #: raise it with every change of words or patterns; it is stored with each decision


_NOTHING = Decision(Intent.NONE, "none")


def _without_courtesy(folded: str) -> list[str]:
    folded = lexicon.SIGNED.sub("", lexicon.GREETED.sub("", folded))
    return [
        word
        for word in folded.split()
        if word != folding.BREAK and word not in lexicon.COURTESY and not lexicon.NUMBER.fullmatch(word)
    ]


def _phrases(folded: str) -> Iterator[str]:
    """Yield what the whole message may come to as a listed phrase: as it stands, corrected, without courtesy."""
    whole = lexicon.bare(folded)
    yield whole
    words = _without_courtesy(folded)
    yield " ".join(words)
    yield " ".join(lexicon.corrected(word) for word in words)
    joined = "".join(whole.split())
    if not joined.isascii():
        for affix in lexicon.AFFIXES:
            joined = joined.removeprefix(affix).removesuffix(affix)
        yield joined
    elif len(words) in (2, 3) and len(joined) <= 16:
        yield "".join(words) if "".join(words) in lexicon.LONG else ""


def _once(phrase: str) -> str:
    """Return *phrase* said once: ``no more`` for ``no more no more``."""
    words = phrase.split()
    for length in range(1, min(len(words) // 2, 6) + 1):
        if len(words) % length == 0 and words[:length] * (len(words) // length) == words:
            return " ".join(words[:length])
    return phrase


def _counts(known: tuple[Intent, str, bool], folded: str, open_question: bool) -> bool:
    """Say whether a listed phrase decides: a weak one needs an open question to join, and must not be an idiom."""
    intent, _, weak = known
    if not weak:
        return True
    return (
        open_question if intent is Intent.OPT_IN else all(CLASSES["idiom"] not in read for _, read in readings(folded))
    )


def _cut(read: str) -> str:
    """Return a reading without idioms, denied stops and other objects, each replaced by one idiom."""
    for pattern in patterns.CUT:
        read = pattern.sub(CLASSES["idiom"], read)
    return read


def _listed(folded: str, open_question: bool) -> Decision | None:
    """Decide by tier 1: the whole message is a listed phrase, repeated or not, or keywords with a stop among them."""
    for phrase in _phrases(folded):
        known = lexicon.KEYWORDS.get(_once(phrase))
        if known is not None and _counts(known, folded, open_question):
            return Decision(known[0], known[1])
    words = [lexicon.corrected(word) for word in _without_courtesy(folded)]
    found = [lexicon.KEYWORDS.get(word) for word in words]
    stops = [known for known in found if known is not None and known[0] is Intent.OPT_OUT]
    if stops and None not in found and not all(weak for _, _, weak in stops):
        return Decision(Intent.OPT_OUT, "kw.conflict")
    if len(words) == 2 and stops and found[0] is stops[0] and words[1] in lexicon.TOPICS:
        return Decision(Intent.OPT_OUT, "kw.topic")
    return None


def _signed_off(folded: str) -> Decision | None:
    """Decide on stop signs: alone they stop, beside a few words they are doubt."""
    words = folded.replace(folding.BREAK, " ").split()
    if words and all(word == folding.STOP_SIGN for word in words):
        return Decision(Intent.OPT_OUT, "kw.sign")
    if folding.STOP_SIGN not in words or len(words) > 5:
        return None
    rest = _listed(folded.replace(folding.STOP_SIGN, folding.BREAK), open_question=False)
    return rest if rest is not None and rest.intent is Intent.OPT_OUT else Decision(Intent.UNSURE, "un.sign")


def _asked(folded: str) -> Decision | None:
    """Decide by tiers 2 and 3: a rights request, a request to stop, or doubt."""
    words = (lexicon.corrected(word) if len(word) >= lexicon.LONG_IN_SENTENCE else word for word in folded.split())
    read = [(language, _cut(text)) for language, text in readings(" ".join(words))]
    everywhere = any(CLASSES["everywhere"] in text for _, text in read)
    scope = Scope.EVERYWHERE if everywhere else Scope.CHANNEL
    for table, prefix, intent in _SENTENCES:
        for language, text in read:
            for rule, pattern in table.items():
                if pattern.search(text):
                    return Decision(intent, f"{prefix}.{language}.{rule}", scope)
    return None


_SENTENCES = (
    (patterns.RIGHTS, "rt", Intent.RIGHTS),
    (patterns.STOP, "rq", Intent.OPT_OUT),
    (patterns.DOUBT, "un", Intent.UNSURE),
)


def _whole(folded: str) -> Decision | None:
    """Decide by whole-message sentences: joining and help, which a stray word must never trigger."""
    read = readings(lexicon.SIGNED.sub("", lexicon.GREETED.sub("", folded)))
    for table, prefix, intent in ((patterns.HELP, "he", Intent.HELP), (patterns.JOIN, "in", Intent.OPT_IN)):
        for language, text in read:
            for rule, pattern in table.items():
                if pattern.fullmatch(text):
                    return Decision(intent, f"{prefix}.{language}.{rule}")
    return None


def _channels(folded: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the channels that some clause closes, and those that may go on as all that closes names others."""
    closed: frozenset[str] = frozenset()
    spared: frozenset[str] = frozenset()
    unnamed = False
    for clause in (part.strip() for part in folded.split(folding.BREAK)):
        decision = _signed_off(clause) or _listed(clause, open_question=False) or _asked(clause)
        named = scopes.channels(clause)
        if decision is not None and decision.closes:
            closed, unnamed = closed | named, unnamed or not named
        elif scopes.lets_be(clause):
            spared |= named
    return closed, frozenset() if unnamed else spared - closed


def _reaching(folded: str, decision: Decision, topics: Collection[str]) -> Decision:
    """Return *decision* with how far it reaches: one topic if nothing else is meant, the channels it names."""
    if decision.intent not in (Intent.OPT_OUT, Intent.UNSURE) or decision.scope is Scope.EVERYWHERE:
        return decision
    topic = scopes.topic(folded, topics)
    if topic:
        return Decision(Intent.OPT_OUT, "kw.topic", Scope.TOPIC, topic)
    if not scopes.channels(folded):
        return decision
    closed, spared = _channels(folded)
    return replace(decision, scope=Scope.CHANNELS, channels=closed, spared=spared) if closed else decision


def classify(
    text: str, *, recent: Sequence[str] = (), open_question: bool = False, topics: Collection[str] = ()
) -> Decision:
    """Return what the person wants, and how far a refusal reaches.

    *recent* are our last messages to them, so that a quotation is not taken for a wish. *open_question* says that a
    confirmation is open to which a bare yes is an answer. *topics* are the organisation's own, as ``scopes.phrase``
    gives them. Work is bounded: of a longer text the first and last part of ``folding.MAX_CHARACTERS`` count.
    """
    folded = folding.without_quotes(folding.fold(folding.own_words(folding.cap(text))), recent)
    if not folded:
        return _NOTHING
    decision = _signed_off(folded) or _listed(folded, open_question)
    if decision is None or decision.intent in (Intent.OPT_IN, Intent.HELP):  # any sign of a refusal comes first
        decision = _asked(folded) or decision or _whole(folded) or _NOTHING
    decision = _reaching(folded, decision, topics)
    if decision.closes and any(CLASSES["mistake"] in read for _, read in readings(folded)):
        return Decision(Intent.UNSURE, "un.reversal")
    return decision
