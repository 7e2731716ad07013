"""Audience rules: what is a rule, what is refused and where, what it says in words."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.core import audience_words, audiences
from broadcaster.core.audience_words import describe
from broadcaster.core.audiences import dump_rule, parse_rule
from broadcaster.core.errors import InvalidInput

EXAMPLES: list[dict[str, Any]] = [
    {"type": "everybody"},
    {"type": "attribute", "key": "plan", "of": "text", "op": "eq", "value": "gold"},
    {"type": "attribute", "key": "plan", "of": "text", "op": "in", "value": ["gold", "silver"]},
    {"type": "attribute", "key": "plan", "of": "text", "op": "is_not_set"},
    {"type": "attribute", "key": "points", "of": "number", "op": "gte", "value": 3.5},
    {"type": "attribute", "key": "since", "of": "date", "op": "lt", "value": "2026-01-31"},
    {"type": "attribute", "key": "vip", "of": "boolean", "op": "eq", "value": True},
    {"type": "kind", "values": ["consumer", "professional"]},
    {"type": "language", "values": ["fr", "pt-BR"]},
    {"type": "country", "values": ["FR"]},
    {"type": "time_zone", "values": ["Europe/Paris", "America/Argentina/Buenos_Aires"]},
    {"type": "age", "min": 18},
    {"type": "age", "max": 30},
    {"type": "age", "min": 18, "max": 30},
    {"type": "profession", "values": ["nurse"]},
    {"type": "interest", "values": ["sailing", "chess"]},
    {"type": "group", "values": ["project-x"]},
    {"type": "consent", "channel": "sms", "purpose": "offers", "state": "granted"},
    {"type": "consent", "purpose": "offers", "state": "none"},
    {"type": "has_channel", "channel": "whatsapp"},
    {"type": "behaviour", "what": "received", "did": True},
    {"type": "behaviour", "what": "clicked", "did": False, "campaign": 8, "within_days": 90},
    {"type": "behaviour", "what": "replied", "did": True, "within_days": 1},
    {"type": "behaviour", "what": "read", "did": False},
    {"type": "list", "audience": 5},
    {"type": "any", "rules": [{"type": "country", "values": ["FR"]}, {"type": "everybody"}]},
    {"type": "none", "rules": [{"type": "list", "audience": 5}, {"type": "age", "min": 18}]},
]
single = st.sampled_from(EXAMPLES)
rules = st.recursive(
    single,
    lambda inner: st.builds(
        lambda kind, several: {"type": kind, "rules": several},
        st.sampled_from(["all", "any", "none"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=8,
)


def depth(rule):
    return 1 + max(map(depth, rule.get("rules", [])), default=0)


def refusal(rule):
    with pytest.raises(InvalidInput) as problem:
        parse_rule(rule)
    return problem.value


@given(rules.filter(lambda rule: depth(rule) <= audiences.MAX_DEPTH))
def test_a_rule_is_stored_as_it_was_written(rule):
    parsed = parse_rule(json.dumps(rule))
    assert dump_rule(parsed) == rule
    assert parse_rule(dump_rule(parsed)) == parsed


@given(rules.filter(lambda rule: depth(rule) <= audiences.MAX_DEPTH), st.sampled_from(["en", "fr"]))
def test_every_rule_can_be_said_in_one_sentence(rule, language):
    said = describe(parse_rule(rule), language)
    assert said.endswith(".")
    assert "{" not in said
    assert said.count("(") == said.count(")")


def test_every_condition_has_an_example():
    """A condition added without one would not be tested at all."""
    kinds = {one.model_fields["type"].default for one in get_args(audiences.RuleUnion)}
    assert kinds - {"all"} == {one["type"] for one in EXAMPLES}


def test_both_languages_have_the_same_words():
    assert audience_words._EN.keys() == audience_words._FR.keys()


@pytest.mark.parametrize("group", ["all", "any", "none"])
def test_an_empty_rule_is_an_error_and_not_everybody(group):
    """The cost of a wrong yes is a person written to against their will."""
    assert refusal({"type": group, "rules": []}).field == "rules"
    assert refusal({"type": group}).field == "rules"


@pytest.mark.parametrize("rule,field", [
    ({}, ""), ([], ""), (None, ""), ("null", ""), ("[]", ""), ({"type": "sql"}, ""), ({"type": ["all"]}, ""),
    ({"type": "everybody", "extra": 1}, "extra"),
    ({"type": "kind", "values": ["robot"]}, "values.0"),
    ({"type": "kind", "values": []}, "values"),
    ({"type": "country", "values": ["fr"]}, "values.0"),
    ({"type": "country", "values": ["FR", "FRA"]}, "values.1"),
    ({"type": "country", "values": ["FR\n"]}, "values.0"),
    ({"type": "country", "values": "FR"}, "values"),
    ({"type": "language", "values": ["french!"]}, "values.0"),
    ({"type": "time_zone", "values": ["../etc"]}, "values.0"),
    ({"type": "age"}, ""), ({"type": "age", "min": 30, "max": 18}, ""), ({"type": "age", "min": -1}, "min"),
    ({"type": "age", "min": True}, "min"), ({"type": "age", "min": "18"}, "min"),
    ({"type": "attribute", "key": "a; DROP TABLE contact", "of": "text", "op": "eq", "value": "x"}, "key"),
    ({"type": "attribute", "key": "a", "of": "text", "op": "regex", "value": "(a+)+$"}, "op"),
    ({"type": "attribute", "key": "a", "of": "text", "op": "lt", "value": "x"}, ""),
    ({"type": "attribute", "key": "a", "of": "boolean", "op": "ne", "value": True}, ""),
    ({"type": "attribute", "key": "a", "of": "text", "op": "eq"}, ""),
    ({"type": "attribute", "key": "a", "of": "text", "op": "eq", "value": ["x"]}, ""),
    ({"type": "attribute", "key": "a", "of": "text", "op": "in", "value": "x"}, ""),
    ({"type": "attribute", "key": "a", "of": "text", "op": "in", "value": []}, ""),
    ({"type": "attribute", "key": "a", "of": "text", "op": "is_set", "value": "x"}, ""),
    ({"type": "attribute", "key": "a", "of": "number", "op": "eq", "value": "3"}, ""),
    ({"type": "attribute", "key": "a", "of": "number", "op": "eq", "value": True}, ""),
    ({"type": "attribute", "key": "a", "of": "number", "op": "eq", "value": float("nan")}, ""),
    ({"type": "attribute", "key": "a", "of": "number", "op": "eq", "value": float("inf")}, ""),
    ({"type": "attribute", "key": "a", "of": "date", "op": "eq", "value": "31/01/2026"}, ""),
    ({"type": "attribute", "key": "a", "of": "date", "op": "eq", "value": "2026-02-30"}, ""),
    ({"type": "attribute", "key": "a", "of": "date", "op": "eq", "value": "20260228"}, ""),
    ({"type": "consent", "purpose": "offers", "state": "yes"}, "state"),
    ({"type": "consent", "state": "granted"}, "purpose"),
    ({"type": "consent", "purpose": "offers", "state": "expired", "ends_within_days": 30}, ""),
    ({"type": "has_channel", "channel": "SMS"}, "channel"),
    ({"type": "behaviour", "what": "opened"}, "what"),
    ({"type": "behaviour", "what": "read", "within_days": 0}, "within_days"),
    ({"type": "behaviour", "what": "read", "did": "no"}, "did"),
    ({"type": "list", "audience": 0}, "audience"), ({"type": "list", "audience": 2**63}, "audience"),
    ({"type": "all", "rules": [{"type": "everybody"}, {"type": "any", "rules": [{"type": "country", "values": [1]}]}]},
     "rules.1.rules.0.values.0"),
    ({"type": "all", "rules": [{"type": "has_channel"}]}, "rules.0.channel"),
    ({"type": "all", "rules": [5]}, "rules.0"),
])  # fmt: skip
def test_a_mistake_is_named_by_its_path(rule, field):
    problem = refusal(rule)
    assert problem.field == field
    assert problem.code


@pytest.mark.parametrize("text", ["", "{", "x" * 1000, "[" * 100_000, b"\xff", '{"type": "all", "rules": ' * 2000])
def test_what_is_not_json_is_refused(text):
    assert refusal(text).code == "filter_json"


def nested(levels):
    rule: dict[str, Any] = {"type": "everybody"}
    for _ in range(levels - 1):
        rule = {"type": "all", "rules": [rule]}
    return rule


def many(count):
    return {"type": "any", "rules": [{"type": "everybody"}] * (count - 1)}


def values(*sizes):
    return {"type": "all", "rules": [{"type": "group", "values": [f"g{n}" for n in range(size)]} for size in sizes]}


def text(length):
    return {"type": "profession", "values": ["x" * length]}


@pytest.mark.parametrize("fits", [nested(8), many(200), values(1000), values(500, 500), text(200)])
def test_the_limits_themselves_are_allowed(fits):
    parse_rule(fits)


@pytest.mark.parametrize("large", [
    nested(9), nested(900), many(201), many(10_000), values(1001), values(501, 500), text(201), text(10**6),
    {"type": "attribute", "key": "a", "of": "text", "op": "contains", "value": "%_" * 101},
])  # fmt: skip
def test_what_would_cost_too_much_is_refused(large):
    assert refusal(large).code == "filter_cost"


def test_no_error_repeats_a_value():
    """A name or a number somebody filters by must not land in a log."""
    problem = refusal({"type": "country", "values": ["Ann Example"]})
    assert "Ann" not in str(problem)


@pytest.mark.parametrize("rule,english,french", [
    ({"type": "everybody"}, "Everybody.", "Tout le monde."),
    ({"type": "all", "rules": [
        {"type": "country", "values": ["FR", "BE", "CH"]},
        {"type": "any", "rules": [{"type": "age", "min": 18, "max": 30},
                                  {"type": "behaviour", "what": "clicked", "did": False, "within_days": 90}]}]},
     "Contacts for whom the country is FR, BE or CH and (the age is 18 to 30 or they did not click in a campaign in "
     "the last 90 days).",
     "Contacts pour lesquels le pays est FR, BE ou CH et (l’âge est de 18 à 30 ans ou ils n’ont pas cliqué dans une "
     "campagne depuis 90 jours)."),
    ({"type": "none", "rules": [{"type": "attribute", "key": "since", "of": "date", "op": "gte", "value": "2026-01-01"},
                                {"type": "list", "audience": 5}]},
     "Contacts for whom it is not so that (Customer since is “2026-01-01” or after or list Fair 2026 has them).",
     "Contacts pour lesquels il n’est pas vrai que (Customer since est le « 2026-01-01 » ou après ou la liste Fair "
     "2026 les contient)."),
    ({"type": "consent", "purpose": "offers", "state": "granted", "ends_within_days": 30},
     "Contacts for whom consent to offers is granted and runs out within 30 days.",
     "Contacts pour lesquels le consentement pour offers est donné et expire dans les 30 jours."),
    ({"type": "consent", "channel": "sms", "purpose": "offers", "state": "none"},
     "Contacts for whom consent to offers on sms is unknown.",
     "Contacts pour lesquels le consentement pour offers sur sms est inconnu."),
    ({"type": "profession", "values": ["a", "b", "c", "d", "e", "f", "g", "h"]},
     "Contacts for whom the profession is a, b, c, d, e or 3 more.",
     "Contacts pour lesquels la profession est a, b, c, d, e ou 3 autres."),
])  # fmt: skip
def test_rules_in_words(rule, english, french):
    names = {"list:5": "Fair 2026", "attribute:since": "Customer since"}
    assert describe(parse_rule(rule), "en", names) == english
    assert describe(parse_rule(rule), "fr", names) == french


def test_walk_visits_every_rule():
    rule = parse_rule({"type": "all", "rules": [EXAMPLES[-1], EXAMPLES[0]]})
    assert [one.type for one in audiences.walk(rule)] == ["all", "none", "list", "age", "everybody"]
