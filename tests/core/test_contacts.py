"""Fields of a contact, cleaned: rows B17 to B23 of the bad inputs."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.core import contacts
from broadcaster.core.contacts import Attribute
from broadcaster.core.errors import InvalidInput

TODAY = date(2026, 1, 1)
ATTRIBUTES = {
    "note_text": Attribute("note_text", "text"),
    "size": Attribute("size", "number"),
    "since": Attribute("since", "date"),
    "vip": Attribute("vip", "boolean"),
    "colour": Attribute("colour", "choice", ("red", "blue")),
}


@pytest.mark.parametrize(
    "field,value,code",
    [
        ("first_name", "a\x00b", "control_character"),
        ("first_name", "a\nb", "control_character"),
        ("first_name", "\ud800", "text_invalid"),
        ("first_name", "e" + "\u0301" * 10_000, "text_long"),
        ("first_name", "e" + "\u0301" * 50, "text_invalid"),
        ("first_name", "x" * 1_000_000, "text_long"),
        ("first_name", "x" * 201, "text_long"),
        ("first_name", 5, "text_invalid"),
        ("language", "klingon9", "language"),
        ("country", "XX", "country"),
        ("country", 33, "text_invalid"),
        ("time_zone", "Mars/Base", "zone"),
        ("time_zone", "GMT+25", "zone"),
        ("time_zone", "../../etc/passwd", "zone"),
        ("birth_year", 1850, "birth_year"),
        ("birth_year", 2027, "birth_year"),
        ("birth_year", "tomorrow", "birth_year"),
        ("kind", "robot", "kind"),
        ("preferred_channel", "SMS!", "channel"),
        ("part_of_day", "night", "part_of_day"),
        ("rest_days", "0", "rest_days"),
        ("rest_days", 366, "rest_days"),
        ("is_admin", True, "unknown_field"),
        ("attributes", [1], "field_name"),
        ("attributes", {"__class__": "x"}, "field_name"),
        ("attributes", {"size": "large"}, "attribute_number"),
        ("attributes", {"size": "NaN"}, "attribute_number"),
        ("attributes", {"size": "1e999"}, "attribute_number"),
        ("attributes", {"size": True}, "attribute_number"),
        ("attributes", {"since": "soon"}, "attribute_date"),
        ("attributes", {"vip": "perhaps"}, "attribute_boolean"),
        ("attributes", {"colour": "green"}, "attribute_choice"),
        ("groups", "vip", "list_expected"),
    ],
)
def test_bad_values_are_named(field, value, code):
    with pytest.raises(InvalidInput) as caught:
        contacts.clean({field: value}, ATTRIBUTES, TODAY)
    assert caught.value.code == code
    assert str(value)[:20] not in str(caught.value) or len(str(value)) < 3


@pytest.mark.parametrize(
    "value", ["=HYPERLINK(1)", "@SUM", "\tx", "\rx", "<img src=x onerror=1>", "{{7*7}}", "{% include %}"]
)
def test_text_is_stored_as_it_is(value):
    """B22, B23: what a spreadsheet or a page would run is made harmless where it leaves."""
    assert contacts.clean({"attributes": {"note_text": value}}, ATTRIBUTES, TODAY) == {
        "attributes": {"note_text": value}
    }


def test_marks_of_direction_are_dropped():
    assert contacts.clean_text("ab\u202ecd", name="x", most=10) == "abcd"


@pytest.mark.parametrize("key", ["__class__", "constructor", "a.b", "", "A", "1a", "a-b", "a" * 41, "prototype", "é"])
def test_names_of_fields_that_mean_something_elsewhere(key):
    with pytest.raises(InvalidInput) as caught:
        contacts.clean_attribute_key(key)
    assert caught.value.code == "field_name"


@given(st.text())
def test_clean_text_gives_the_same_again(text):
    try:
        once = contacts.clean_text(text, name="x", most=50, lines=True)
    except InvalidInput:
        return
    assert contacts.clean_text(once, name="x", most=50, lines=True) == once
    once.encode()


@pytest.mark.parametrize(
    "one,other", [("José", "JOSE"), ("Müller-Lüdenscheidt", "muller ludenscheidt"), ("Straße", "STRASSE")]
)
def test_names_are_found_whatever_their_accents(one, other):
    assert contacts.name_words(one) == contacts.name_words(other)


@pytest.mark.parametrize(
    "text,tag", [("fr", "fr"), ("FR_fr", "fr-FR"), ("French", "fr"), ("anglais", "en"), ("zh-hant", "zh-Hant")]
)
def test_languages(text, tag):
    assert contacts.clean_language(text) == tag
