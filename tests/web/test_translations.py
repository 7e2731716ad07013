"""No page falls back into English for a French reader, no customer's page for a German one."""

from __future__ import annotations

import re

import pytest
from babel.messages.mofile import read_mo
from flask import Flask

from broadcaster.actions.runtime import Runtime
from broadcaster.actions.staff import LANGUAGES
from tests.web.people import Visitor, first
from web import translate
from web.language import NAMES, PUBLIC_NAMES

OTHERS = sorted(language for language in PUBLIC_NAMES if language != "en")
PLACEHOLDER = re.compile(r"%\(\w+\)\w|<[^>]+>")


def plain(text: object) -> object:
    """A message with a plural comes as a tuple from the one file and as a list from the other."""
    return tuple(text) if isinstance(text, (list, tuple)) else text


def words(language: str) -> dict[object, object]:
    return {message.id: message.string for message in translate.translated(language) if message.id}


def test_every_language_has_a_name_and_a_catalogue() -> None:
    assert set(NAMES) == set(LANGUAGES)
    assert translate.languages() == OTHERS


@pytest.mark.parametrize("language", OTHERS)
def test_every_message_is_translated(language: str) -> None:
    """Run `python -m web.translate` when this fails."""
    used = {message.id for message in translate.used(language) if message.id}
    assert words(language).keys() == used
    assert not translate.untranslated(translate.translated(language))


@pytest.mark.parametrize("language", OTHERS)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    with translate.catalogue(language).with_suffix(".mo").open("rb") as file:
        compiled = {plain(message.id): plain(message.string) for message in read_mo(file) if message.id}
    assert compiled == {plain(key): plain(value) for key, value in words(language).items()}


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_fills_in_the_same_things(language: str) -> None:
    for message, translation in words(language).items():
        singular = message[-1] if isinstance(message, tuple) else message
        for one in translation if isinstance(translation, tuple) else (translation,):
            assert set(PLACEHOLDER.findall(str(one))) <= set(PLACEHOLDER.findall(str(singular))), message


@pytest.mark.parametrize(
    "asked,expected",
    [("fr-CH, fr;q=0.9, en;q=0.8", "fr"), ("de, fr;q=0.3", "fr"), ("en-GB", "en"), ("ja", "en"), ("", "en")],
)
def test_a_stranger_is_addressed_in_the_browsers_language(
    app: Flask, runtime: Runtime, asked: str, expected: str
) -> None:
    first(runtime)
    page = Visitor(app, language=asked).get("/sign-in").text
    assert f'<html lang="{expected}">' in page
    assert ("Se connecter" in page) is (expected == "fr")


def test_times_are_shown_in_the_readers_zone(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    shown = {}
    for zone in ("Pacific/Auckland", "America/New_York"):
        staffed["agent"].post("/profile", {"name": "Ag", "language": "fr", "time_zone": zone})
        page = staffed["agent"].get("/profile").text
        found = re.search(r"<time datetime=\"([^\"]+)\"[^>]*>([^<]+)</time>", page)
        assert found is not None
        shown[zone] = found.groups()
    (utc, there), (same, elsewhere) = shown.values()
    assert utc == same
    assert there != elsewhere


def test_a_french_line_never_begins_with_its_punctuation() -> None:
    """The space before ? ! : ; and inside « » does not break: a phone's narrow lines would show it."""
    pieces = [text for one in words("fr").values() for text in (one if isinstance(one, tuple) else (str(one),))]
    assert [text for text in pieces if re.search(r" [?!;:»]|« ", text)] == []
