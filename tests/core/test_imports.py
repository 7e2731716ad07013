"""The rules of an import: headers, mappings, dates, rows."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.core.contacts import Attribute
from broadcaster.core.errors import InvalidInput
from broadcaster.core.import_codes import explain
from broadcaster.core.import_columns import Cell, ConsentRule, Mapping, answer, check_header, read_mapping, suggest
from broadcaster.core.import_dates import parse_moment
from broadcaster.core.imports import Catalogue, PurposeFacts, RowReader, check_mapping

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
CATALOGUE = Catalogue(
    attributes={"size": Attribute("size", "number")},
    purposes={
        "news": PurposeFacts(7, True, {(1, "en"): 11, (1, "fr"): 12, (2, "en"): 13}),
        "marketing": PurposeFacts(1, False, {}),
    },
    groups={"vip": 3},
)


@pytest.mark.parametrize(
    "header,target",
    [
        ("E-mail", "address:email"),
        ("  EMAIL ", "address:email"),
        ("Courriel", "address:email"),
        ("Téléphone", "address:sms"),
        ("Numéro de téléphone", "address:sms"),
        ("Prénom", "first_name"),
        ("Nom", "last_name"),
        ("Date de naissance", "birth_year"),
        ("Pays", "country"),
    ],
)
def test_headers_in_english_and_french_are_understood(header, target):
    assert suggest([header])[0] == {target: header}


def test_consent_columns_are_suggested_only_for_a_purpose():
    header = ["email", "consentement", "date consentement", "version texte", "source", "preuve"]
    assert suggest(header)[1] is None
    rule = suggest(header, purpose="news")[1]
    assert rule is not None
    assert (rule.answer.column, rule.date.column, rule.evidence.column) == (
        "consentement",
        "date consentement",
        "preuve",
    )
    refused = suggest(["email", "Unsubscribed"], purpose="news")[1]
    assert refused is not None
    assert refused.inverted


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"columns": {"first_name": "a"}},
        {"columns": {"address:email": "a", "__class__": "b"}},
        {"columns": {"address:email": "a"}, "unknown": 1},
        {"columns": {"address:email": "a"}, "time_zone": "GMT+2"},
        {"columns": {"address:email": "a"}, "region": "XX"},
        [],
        None,
    ],
)
def test_a_wrong_mapping_is_named(told):
    with pytest.raises(InvalidInput) as caught:
        read_mapping(told)
    assert caught.value.code == "mapping"


@pytest.mark.parametrize(
    "mapping,code",
    [
        (Mapping(columns={"address:email": "a", "attribute:nope": "b"}), "unknown_attribute"),
        (Mapping(columns={"address:email": "a"}, groups=("nope",)), "unknown_group"),
        (Mapping(columns={"address:email": "a"}, consents=(ConsentRule(purpose="nope"),)), "unknown_purpose"),
        (Mapping(columns={"address:email": "a"}, consents=(ConsentRule(purpose="marketing"),)), "purpose_not_leaf"),
    ],
)
def test_a_mapping_refers_to_what_there_is(mapping, code):
    with pytest.raises(InvalidInput) as caught:
        check_mapping(mapping, CATALOGUE)
    assert caught.value.code == code


def test_a_list_of_refusals_may_close_a_family_of_purposes():
    rule = ConsentRule(purpose="marketing", answer=Cell(value="no"))
    check_mapping(Mapping(columns={"address:email": "a"}, consents=(rule,)), CATALOGUE)


@pytest.mark.parametrize("header,code", [(["a", "A "], "header_duplicate"), (["b"], "column_missing")])
def test_columns_are_found_by_name_and_only_once(header, code):
    """B29"""
    with pytest.raises(InvalidInput) as caught:
        check_header(header, Mapping(columns={"address:email": "a"}))
    assert caught.value.code == code


@pytest.mark.parametrize(
    "text,yes,order,expected",
    [
        ("2024-03-01T10:00:00+01:00", True, None, "2024-03-01T09:00:00+00:00"),
        ("2024-03-01 10:00", True, None, "2024-03-01T09:00:00+00:00"),
        ("2024-03-01", True, None, "2024-02-29T23:00:00+00:00"),
        ("2024-03-01", False, None, "2024-03-01T22:59:59+00:00"),
        ("31/12/2024", True, None, "2024-12-30T23:00:00+00:00"),
        ("12/31/2024", True, None, "2024-12-30T23:00:00+00:00"),
        ("03/04/2024", True, None, None),
        ("03/04/2024", True, "dmy", "2024-04-02T22:00:00+00:00"),
        ("03/04/2024", True, "mdy", "2024-03-03T23:00:00+00:00"),
        ("45000", True, None, None),
        ("45000.5", True, None, None),
        ("2024-13-01", True, None, None),
        ("20240301", True, None, None),
        ("yesterday", True, None, None),
        ("31/31/2024", True, None, None),
    ],
)
def test_dates_are_never_guessed(text, yes, order, expected):
    found = parse_moment(text, yes, PARIS, order)
    assert (None if found is None else found.isoformat()) == expected


@pytest.mark.parametrize(
    "text,expected", [("Yes", True), ("OUI", True), ("1", True), ("opt-in", True), ("no", False), ("désabonné", False)]
)
def test_clear_answers(text, expected):
    assert answer(text) is expected


@pytest.mark.parametrize("text", ["yes?", "", " ", "maybe", "-", "yes/no", "2"])
def test_unclear_answers_are_none(text):
    assert answer(text) is None


def reader(header: list[str], mapping: Mapping) -> RowReader:
    return RowReader(check_header(header, mapping), len(header), mapping, CATALOGUE, NOW)


def test_a_wrong_value_costs_only_itself():
    header = ["email", "country", "language", "size", "groups", "birth", "phone"]
    columns = {
        "address:email": "email",
        "country": "country",
        "language": "language",
        "attribute:size": "size",
        "groups": "groups",
        "birth_year": "birth",
        "address:sms": "phone",
    }
    row = reader(header, Mapping(columns=columns)).read(
        1, 2, ["Ann@example.org", "Atlantis", "klingon9", "large", "vip;none", "1850", "6.12E+08"]
    )
    assert row.refused is None
    assert row.fields == {"groups": ("vip",)}
    assert {note.code for note in row.notes} == {
        *("country", "language", "attribute_number", "unknown_group", "birth_year", "phone_scientific"),
    }


@given(st.lists(st.text(max_size=50), min_size=7, max_size=7))
def test_no_row_makes_the_reader_fail_or_grants_without_proof(cells):
    """Whatever stands in a file: a row, or a reason; a yes only with all five parts."""
    header = ["email", "phone", "consent", "date", "wording", "source", "proof"]
    names = {"answer": "consent", "date": "date", "wording": "wording", "source": "source", "evidence": "proof"}
    rule = ConsentRule.model_validate({"purpose": "news", **{part: {"column": name} for part, name in names.items()}})
    mapping = Mapping(columns={"address:email": "email", "address:sms": "phone"}, consents=(rule,))
    row = reader(header, mapping).read(1, 2, cells)
    assert row.refused is None or not row.consents
    for said in row.consents:
        assert not said.yes or all((said.at, said.wording_id, said.origin, said.evidence))


@pytest.mark.parametrize(
    "text,language,expected",
    [("1", "fr", 12), ("1", "fr-CA", 12), ("1/en", "fr", 11), ("id:13", None, 13), ("2", "fr", 13), ("1", None, None),
     ("id:99", "en", None), ("9", "en", None)],
)  # fmt: skip
def test_a_wording_is_named_by_version_or_id(text, language, expected):
    rule = ConsentRule(
        purpose="news",
        date=Cell(value="2024-01-01"),
        wording=Cell(value=text),
        source=Cell(value="shop"),
        evidence=Cell(value="paper 12"),
    )
    mapping = Mapping(columns={"address:email": "email"}, consents=(rule,), language=language)
    row = reader(["email"], mapping).read(1, 2, ["ann@example.org"])
    assert [said.wording_id for said in row.consents] == ([] if expected is None else [expected])


def test_every_code_has_words():
    assert explain("suppressed") != explain("no such code")
