"""Audiences on screen: the builder, the count, the list, and rules that are refused."""

from __future__ import annotations

import re
from typing import Any

import pytest

from broadcaster.actions.runtime import Runtime
from broadcaster.core.audiences import parse_rule
from broadcaster.storage import listings
from broadcaster.storage.tables import Audience
from tests import factories
from tests.web.people import Visitor, add, first
from web import rule_form
from web.app import create_app

FRANCE = {"r.type": "all", "r.0.type": "country", "r.0.values": "FR, be"}


@pytest.fixture
def marketer(staffed: dict[str, Visitor], runtime: Runtime) -> Visitor:
    """A marketer with three contacts in France."""
    _brand, purpose, wording = factories.brand_and_purpose(runtime)
    factories.contacts(runtime, 3, purpose_id=purpose, wording_id=wording)
    return staffed["marketer"]


def audience(runtime: Runtime, audience_id: int) -> Audience:
    with runtime.db.reading() as session:
        return listings.find(session, Audience, audience_id)


def test_a_rule_is_built_counted_and_saved(any_runtime: Runtime) -> None:
    _brand, purpose, wording = factories.brand_and_purpose(any_runtime)
    factories.contacts(any_runtime, 3, purpose_id=purpose, wording_id=wording)
    factories.contacts(any_runtime, 2, purpose_id=purpose, start=10, consenting=False)
    add(any_runtime, "mia@example.org", "marketer", by=first(any_runtime))
    visitor = Visitor(create_app(any_runtime)).signed_in("mia@example.org")
    assert "Add at least one condition" in visitor.post("/audiences/draft", {"r.type": "all"}).text
    page = visitor.post("/audiences/draft", FRANCE | {"reach": str(purpose)}).text
    assert '<p class="count-number">5</p>' in page
    assert "the country is FR or BE" in page
    assert re.search(r"E-mail</td><td class=\"text-end\">5</td><td class=\"text-end\">3</td>", page)
    assert "person1@example.net" not in page
    made = visitor.post("/audiences/save", FRANCE | {"name": "France"})
    assert made.headers["Location"] == "/audiences/1"
    assert audience(any_runtime, 1).rule == {
        "type": "all",
        "rules": [{"type": "country", "values": ["FR", "BE"]}],
    }
    shown = visitor.get("/audiences/1").text
    assert 'value="FR, BE"' in shown
    assert '<p class="count-number">5</p>' in shown


def test_the_builder_works_without_a_script(marketer: Visitor) -> None:
    page = marketer.post("/audiences/draft", FRANCE | {"do": "group:r"}).text
    assert 'name="r.1.type"' in page
    page = marketer.post("/audiences/draft", FRANCE | {"r.1.type": "any", "do": "add:r.1"}).text
    assert 'name="r.1.0.type"' in page
    page = marketer.post("/audiences/draft", FRANCE | {"r.1.type": "language", "do": "remove:r.0"}).text
    assert 'name="r.1.type"' not in page
    assert "Codes with commas" in page


RULES: list[dict[str, Any]] = [
    {"type": "everybody"},
    {"type": "kind", "values": ["consumer", "internal"]},
    {"type": "language", "values": ["fr"]},
    {"type": "time_zone", "values": ["Europe/Paris"]},
    {"type": "age", "min": 18},
    {"type": "profession", "values": ["architect"]},
    {"type": "interest", "values": ["wine"]},
    {"type": "group", "values": ["vip"]},
    {"type": "consent", "purpose": "offers", "state": "granted", "ends_within_days": 30},
    {"type": "has_channel", "channel": "email"},
    {"type": "behaviour", "what": "clicked", "did": False, "campaign": 3, "within_days": 90},
    {"type": "list", "audience": 5},
    {"type": "attribute", "key": "plan", "of": "text", "op": "in", "value": ["gold", "silver"]},
    {"type": "attribute", "key": "visits", "of": "number", "op": "gte", "value": 2.5},
    {"type": "attribute", "key": "visits", "of": "number", "op": "is_not_set"},
    {"type": "attribute", "key": "vip", "of": "boolean", "op": "eq", "value": True},
    {"type": "none", "rules": [{"type": "any", "rules": [{"type": "country", "values": ["FR"]}]}]},
]


@pytest.mark.parametrize("rule", RULES, ids=range(len(RULES)))
def test_every_condition_survives_the_form(rule: dict[str, Any]) -> None:
    whole = {"type": "all", "rules": [rule]}
    parse_rule(whole)
    root = rule_form.of_rule(whole)
    fields: dict[str, list[str]] = {}
    for node in rule_form.walk(root):
        fields[node.name("type")] = [node.type]
        fields |= {node.name(key): values for key, values in node.values.items()}
    types = {"plan": "text", "visits": "number", "vip": "boolean"}
    assert rule_form.to_rule(rule_form.of_form(fields), types) == whole


@pytest.mark.parametrize(
    "form,said",
    [
        ({"r.type": "all"}, "Add at least one condition"),
        ({}, "Add at least one condition"),
        ({"r.type": "all", "r.0.type": "country", "r.0.values": "France"}, "as in the example"),
        ({"r.type": "all", "r.0.type": "country"}, "Choose at least one"),
        ({"r.type": "all", "r.0.type": "age", "r.0.min": "x"}, "not valid"),
        ({"r.type": "all", "r.0.type": "age", "r.0.min": "60", "r.0.max": "20"}, "least age"),
        ({"r.type": "all", "r.0.type": "attribute", "r.0.key": "x", "r.0.op": "lt", "r.0.value": "1"}, "does not fit"),
        ({"r.type": "all", "r.0.type": "bogus"}, "what the condition is about"),
        ({"r.type": "all", "r.0.type": "profession", "r.0.values": "x" * 5000}, "too large"),
        ({"r" + ".0" * 12 + ".type": "country"}, "too large"),
        ({"do": "json", "json": "{"}, "not JSON"),
        ({"do": "json", "json": "[" * 100_000}, "not JSON"),
    ],
    ids=range(12),
)
def test_a_rule_that_is_wrong_is_refused_in_place(marketer: Visitor, form: dict[str, str], said: str) -> None:
    answer = marketer.post("/audiences/save", form | {"name": "Wrong"})
    assert answer.status_code == 422
    assert said in answer.text


def test_a_rule_with_too_many_conditions_is_refused(marketer: Visitor) -> None:
    form = {"r.type": "all"} | {f"r.{n}.type": "everybody" for n in range(250)}
    answer = marketer.post("/audiences/save", form | {"name": "Large"})
    assert answer.status_code == 422
    assert "too large" in answer.text


def test_wildcards_mean_themselves(marketer: Visitor) -> None:
    for hostile in ("' OR 1=1--", "%", "\\", "🦉"):
        form = {"r.type": "all", "r.0.type": "profession", "r.0.values": hostile}
        assert '<p class="count-number">0</p>' in marketer.post("/audiences/draft", form).text


def test_a_stale_form_does_not_overwrite(marketer: Visitor, runtime: Runtime) -> None:
    marketer.post("/audiences/save", FRANCE | {"name": "France"})
    seen = audience(runtime, 1).updated_at.isoformat()
    form = FRANCE | {"name": "France", "audience": "1", "seen": seen}
    assert marketer.post("/audiences/save", form | {"r.0.values": "DE"}).status_code == 303
    stale = marketer.post("/audiences/save", form | {"r.0.values": "IT"})
    assert stale.status_code == 409
    assert "meanwhile" in stale.text
    assert "It now reads: Contacts for whom the country is DE." in stale.text
    assert audience(runtime, 1).updated_at.isoformat() in stale.text
    assert audience(runtime, 1).rule["rules"][0]["values"] == ["DE"]
    assert marketer.post("/audiences/save", FRANCE | {"name": "France"}).status_code == 422


def test_json_and_form_are_the_same_rule(marketer: Visitor) -> None:
    page = marketer.post("/audiences/draft", {"do": "json", "json": '{"type": "language", "values": ["fr"]}'}).text
    assert 'name="r.0.values" type="text" value="fr"' in page


def test_an_audience_is_put_away(marketer: Visitor, runtime: Runtime) -> None:
    assert "No audience yet" in marketer.get("/audiences").text
    marketer.post("/audiences/save", FRANCE | {"name": "France"})
    assert "France" in marketer.get("/audiences").text
    assert marketer.post("/audiences/1/archive").status_code == 303
    assert "No audience yet" in marketer.get("/audiences").text


def test_words_of_a_name_are_only_words(marketer: Visitor) -> None:
    marketer.post("/audiences/save", FRANCE | {"name": "<img src=x onerror=alert(1)>"})
    assert "<img src=x" not in marketer.get("/audiences").text
