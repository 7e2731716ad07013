"""What people write is understood by its class; the corpus is the specification, the gates its thresholds."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.core.keywords import VERSION, Intent, Scope, classify, folding, lexicon, phrase
from broadcaster.core.keywords.languages import COMMON, LANGUAGES, Language
from broadcaster.core.keywords.symbols import CLASSES, known

CORPUS = [json.loads(line) for line in (Path(__file__).parent / "corpus.jsonl").read_text("utf-8").splitlines()]

EVERY_WORD = [
    pytest.param(language.code, intent, word, weak, id=f"{language.code}-{word}")
    for language in (COMMON, *LANGUAGES)
    for intent, name, weak in (
        (Intent.OPT_OUT, "say_stop", False),
        (Intent.OPT_OUT, "say_stop_weak", False),
        (Intent.OPT_IN, "say_start", False),
        (Intent.OPT_IN, "say_start_weak", True),
        (Intent.HELP, "say_help", False),
    )
    for word in language.lists.get(name, ())
]


def _full_width(text: str) -> str:
    return "".join(chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text)


FOLDINGS = (str, str.upper, str.title, _full_width, " {}! ".format, "\u200e{}\ufeff".format, "{0}\n{0}".format)


@pytest.mark.parametrize("code, intent, word, weak", EVERY_WORD)
def test_every_word_means_what_its_list_says(code: str, intent: Intent, word: str, weak: bool) -> None:
    """Fails if two languages give one word two meanings, or if a folding hides it."""
    for folding_of in FOLDINGS:
        written = folding_of(word)
        assert classify(written, open_question=weak).intent is intent, (code, written)
        if weak:
            assert classify(written).intent is Intent.NONE


def _decided(row: dict[str, Any]) -> Any:
    return classify(row["text"], recent=row.get("recent", ()), open_question=row.get("open", False))


def _rows(*kinds: str, langs: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    found = [row for row in CORPUS if row["kind"] in kinds and (not langs or row["lang"] in langs)]
    assert found
    return found


def _ascii_id(row: dict[str, Any]) -> str:
    return f"{CORPUS.index(row) + 1}-{row['text'][:30]!a}"


@pytest.mark.parametrize("row", _rows("keyword", "folding", "courtesy", "typo"), ids=_ascii_id)
def test_a_stop_word_stops_however_it_is_written(row: dict[str, Any]) -> None:
    assert _decided(row).intent is Intent.OPT_OUT


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.code)
def test_a_language_has_only_lists_that_are_read(language: Language) -> None:
    known = {*CLASSES, "say_stop", "say_stop_weak", "say_start", "say_start_weak", "say_help"}
    assert set(language.written) <= known | {"greeting", "topic", "fine", "not_typo", "prefixes"}


@pytest.mark.parametrize("langs, least", [(("en", "fr"), 0.98), (("xx", "de"), 0.90)])
def test_a_request_in_natural_words_closes(langs: tuple[str, ...], least: float) -> None:
    """A pause counts: the cost of a wrong pause is small, that of a missed refusal is not."""
    rows = _rows("natural", "conflict", "scope", "rights", langs=langs)
    missed = [row["text"] for row in rows if not _decided(row).closes]
    assert len(missed) <= (1 - least) * len(rows), missed


def test_nothing_but_a_clear_request_is_an_opt_in() -> None:
    """The one error that writes to people who did not ask: no tolerance."""
    assert [row["text"] for row in CORPUS if _decided(row).intent is Intent.OPT_IN and row["intent"] != "opt_in"] == []


@pytest.mark.parametrize("row", _rows("join"), ids=_ascii_id)
def test_a_clear_request_to_join_is_one(row: dict[str, Any]) -> None:
    assert _decided(row).intent is Intent.OPT_IN


def test_ordinary_messages_stop_nothing() -> None:
    rows = _rows("ordinary", "object")
    intents = Counter(_decided(row).intent for row in rows)
    assert [row["text"] for row in rows if _decided(row).intent is Intent.OPT_OUT] == []
    assert intents[Intent.UNSURE] <= 0.03 * len(rows)
    assert intents[Intent.HELP] == 0


@pytest.mark.parametrize("row", _rows("negated", "quoted", "reaction"), ids=_ascii_id)
def test_a_negated_or_quoted_stop_is_none(row: dict[str, Any]) -> None:
    """Our own "reply STOP" comes back in quotations and reactions; that is nobody's wish."""
    assert _decided(row).intent is Intent.NONE


def test_help_is_understood() -> None:
    rows = _rows("help")
    missed = [row["text"] for row in rows if _decided(row).intent is not Intent.HELP]
    assert len(missed) <= 0.03 * len(rows), missed


@pytest.mark.parametrize("row", _rows("rights"), ids=_ascii_id)
def test_a_rights_request_is_recognised_as_one(row: dict[str, Any]) -> None:
    assert _decided(row).intent is Intent.RIGHTS


@pytest.mark.parametrize("row", _rows("reversal"), ids=_ascii_id)
def test_a_reversal_goes_to_a_person_with_sending_closed(row: dict[str, Any]) -> None:
    assert _decided(row).intent is Intent.UNSURE


@pytest.mark.parametrize("text", ["shop", "step", "top", "spot", "post", "atop", "stoop", "support", "subscribe"])
def test_neighbours_of_a_keyword_are_not_typos_of_it(text: str) -> None:
    assert classify(text).intent is not Intent.OPT_OUT


def test_a_weak_stop_inside_an_idiom_is_none() -> None:
    assert classify("fin de journée").intent is Intent.NONE
    assert classify("fin").intent is Intent.OPT_OUT


TOPICS = frozenset(phrase(name) for name in ("newsletter", "gourmet_club", "Акции", "メルマガ", "SMS"))


@pytest.mark.parametrize(
    "text, topic",
    [
        ("STOP NEWSLETTER", "newsletter"),
        ("newsletters stop please", "newsletter"),
        ("Désabonnez-moi de la newsletter, merci", "newsletter"),
        ("stop gourmet club", "gourmet club"),
        ("стоп акции", "акции"),
        ("メルマガ停止", "メルマガ"),
    ],
)
def test_a_stop_that_names_a_topic_of_ours_and_nothing_else_is_of_that_topic(text: str, topic: str) -> None:
    decision = classify(text, topics=TOPICS)
    assert (decision.intent, decision.scope, decision.topic) == (Intent.OPT_OUT, Scope.TOPIC, phrase(topic))


@pytest.mark.parametrize(
    "text",
    ["STOP", "STOP PROMO", "stop newsletter and promo", "stop sending me your newsletter, I hate you", "stop sms"],
)
def test_a_stop_that_may_mean_more_than_a_topic_is_of_more(text: str) -> None:
    decision = classify(text, topics=TOPICS)
    assert decision.intent is Intent.OPT_OUT
    assert decision.scope is not Scope.TOPIC


def test_a_stop_everywhere_is_of_everything() -> None:
    assert classify("Arrêtez de m'écrire, partout").scope is Scope.EVERYWHERE
    assert classify("unsubscribe from all channels, and the newsletter", topics=TOPICS).scope is Scope.EVERYWHERE


@pytest.mark.parametrize(
    "text, closed, spared",
    [
        ("sms stop, e-mail is fine", {"sms"}, {"email"}),
        ("plus de sms svp, les mails ok", {"sms"}, {"email"}),
        ("Bitte keine SMS mehr. E-Mail ist ok", {"sms"}, {"email"}),
        ("stop e-mails", {"email"}, set()),
        ("stop sms and email", {"sms", "email"}, set()),
        ("stop sms, e-mail is not ok", {"sms", "email"}, set()),
        ("stop sms, e-mail is fine. STOP", {"sms"}, set()),
        ("I read your e-mail. Stop sms", {"sms"}, set()),
    ],
)
def test_a_stop_names_the_channels_it_closes_and_those_it_spares(text: str, closed: set[str], spared: set[str]) -> None:
    decision = classify(text)
    assert decision.scope is Scope.CHANNELS
    assert (set(decision.channels), set(decision.spared)) == (closed, spared)


def test_a_decision_names_its_rule() -> None:
    """An auditor asks why; the rule and the version answer."""
    assert classify("ARRÊT").rule == "kw.fr.arret"
    assert classify("ne m'envoyez plus de sms").rule.startswith("rq.fr.")
    assert VERSION


def test_only_the_persons_own_words_count() -> None:
    ours = "Our spring sale starts today and ends on Sunday evening. Reply STOP to opt out"
    assert classify(f"{ours}\nnice!", recent=[ours]).intent is Intent.NONE
    assert classify(f"{ours}\nstop", recent=[ours]).intent is Intent.OPT_OUT
    assert folding.own_words("yes\n> quoted\n\nSent from my phone") == "yes\n"


def test_real_cyrillic_stays_itself() -> None:
    assert folding.fold("СТОП") == "стоп"
    assert folding.fold("ЅТОР") == "stop"
    assert folding.fold("сор") == "сор"


def test_a_sharp_s_is_two() -> None:
    assert folding.fold("Schließen") == folding.fold("SCHLIESSEN") == folding.fold("SCHLIEẞEN")


BOMBS = [
    *("stop " * 20_000, "a" * 100_000, "> " * 50_000, "dont want " * 9_000, "ne plus " * 9_000, " |" * 50_000),
    *("\u0301" * 100_000, "ﷺ" * 100_000, "x@" * 50_000, "a-1" * 33_000, "a.b." * 25_000, "\n" * 100_000),
    *("On " * 33_000 + "wrote:", "Liked “" * 14_000, "{{" * 50_000, "s " * 50_000, "1a-" * 33_000, "vous " * 20_000),
    *("no texts " * 11_000, "not ever please " * 6_000, "je veux que vous " * 6_000, "http://" * 14_000),
]


@pytest.mark.parametrize("text", BOMBS, ids=lambda text: ascii(text[:8]))
def test_no_text_takes_long(text: str) -> None:
    """The bound is loose on purpose: it tells linear from exponential, on any machine."""
    started = time.process_time()
    classify(text)
    assert time.process_time() - started < 1.0


def test_a_long_text_counts_at_both_ends() -> None:
    assert classify("bla " * 30_000 + ". Please stop texting me").closes
    assert classify("Please stop texting me. " + "bla " * 30_000).closes


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    assert classify(text, recent=[text[:20]]).rule


@given(st.sampled_from(sorted(lexicon.LONG)), st.data())
def test_a_long_stop_word_survives_one_slip(word: str, data: st.DataObject) -> None:
    """Damerau-Levenshtein 1, unless the slip makes another word that we know."""
    at = data.draw(st.integers(0, len(word) - 2))
    letter = data.draw(st.sampled_from("aeiourstlnx"))
    slips = (
        word[:at] + word[at + 1 :],
        word[:at] + letter + word[at + 1 :],
        word[:at] + letter + word[at:],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
    )
    slip = data.draw(st.sampled_from(slips))
    if slip == folding.fold(slip) and slip not in lexicon.NOT_TYPOS | lexicon.KEYWORDS.keys() and not known(slip):
        assert lexicon.corrected(slip) in lexicon.LONG
