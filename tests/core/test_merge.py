"""Merge fields: both roads say the same, missing values are named, and hostile templates come to nothing."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from broadcaster.core import merge_liquid
from broadcaster.core.errors import InvalidInput
from broadcaster.core.merge import FIELDS, MissingField, compile_text

VALUES = {
    "contact": {
        "first_name": "Zoé",
        "last_name": None,
        "attributes": {"plan": "gold", "n": 3, "vip": True, "empty_one": " "},
    },
    "brand": {"name": "Acme & Sons"},
    "unsubscribe_url": "https://example.com/u/abc",
}
CANARY = "<script>alert(1)</script>"


def say(source, values=VALUES, *, html=False):
    return compile_text(source, field="text", html=html).render(values)


names = st.sampled_from([*sorted(FIELDS), "contact.attributes.plan", "contact.attributes.n", "contact.attributes.b"])
literals = st.text(st.characters(exclude_characters="'\"{}%", exclude_categories=["Cs"]), max_size=8)
tags = st.one_of(
    literals,
    st.builds(
        lambda name, dash, end: f"{{{{{dash} {name} {end}}}}}", names, st.sampled_from("- "), st.sampled_from("- ")
    ),
    st.builds(lambda name, text: f"{{{{ {name} | default: '{text}' }}}}", names, literals),
    st.builds(lambda name: f"{{{{ {name} | default: 5 }}}}", names),
    st.builds(lambda name: f"{{{{ {name} | upcase }}}}", names),
    st.builds(lambda name: f"{{% if {name} %}}yes{{% endif %}}", names),
)
leaves = st.one_of(st.none(), st.text(max_size=12), st.integers(), st.booleans(), st.floats(), st.just(CANARY))
people = st.fixed_dictionaries(
    {
        "contact": st.fixed_dictionaries(
            {"attributes": st.dictionaries(st.sampled_from(["plan", "n", "b"]), leaves)},
            optional={name.split(".")[1]: leaves for name in FIELDS if name.startswith("contact.")},
        )
    },
    optional={
        "brand": st.dictionaries(st.just("name"), leaves),
        "campaign": st.dictionaries(st.just("name"), leaves),
        "unsubscribe_url": leaves,
        "preferences_url": leaves,
    },
)


def outcome(render, values):
    try:
        return render(values)
    except MissingField as problem:
        return ("missing", problem.field)
    except InvalidInput as problem:
        return ("failed", problem.code)


@given(st.lists(tags, max_size=6).map("".join), people, st.booleans())
@example("{{ contact.first_name }}", {"contact": {"first_name": "x" * 300_000, "attributes": {}}}, False)
@example("{{ contact.first_name }}", {"contact": {"first_name": "é" * 100_000, "attributes": {}}}, False)
@example("{{ contact.first_name | default: '<b>' }}", {"contact": {"first_name": "<i>", "attributes": {}}}, True)
@example("", {"contact": {"attributes": {}}}, True)
def test_the_short_cut_says_byte_for_byte_what_liquid_says(source, values, html):
    """Otherwise a preview would show one text and a person get another."""
    piece = compile_text(source, field="text", html=html)
    assert outcome(piece.render, values) == outcome(piece.render_by_liquid, values)


@pytest.mark.parametrize("source,fast", [
    ("Hello", True), ("{{ brand.name }}", True), ("{{ brand.name | default: 'us' }}", True),
    ("{{ brand.name | upcase }}", False), ("{% if brand.name %}x{% endif %}", False),
])  # fmt: skip
def test_plain_fields_take_the_short_cut(source, fast):
    assert (compile_text(source, field="text").segments is not None) is fast


@pytest.mark.parametrize("source,said", [
    ("Hello {{ contact.first_name }}", "Hello Zoé"),
    ("{{ contact.last_name | default: 'friend' }}", "friend"),
    ("{{ contact.attributes.empty_one | default: 'none' }}", "none"),
    ("{{ contact.attributes.n | plus: 1 }}", "4"),
    ("{{ contact.attributes.vip }}", "true"),
    ("{% if contact.last_name %}Ms{% else %}you{% endif %}", "you"),
    ("{% if contact.attributes.plan == 'gold' %}yes{% endif %}", "yes"),
    ("{% assign who = contact.first_name | upcase %}{{ who }}", "ZOÉ"),
    ("{% for i in (1..3) %}{{ forloop.index }}{% endfor %}", "123"),
    ("{% case contact.attributes.n %}{% when 3 %}three{% endcase %}", "three"),
    ("{% raw %}{{ nothing }}{% endraw %}", "{{ nothing }}"),
    ("{{ '2026-12-31' | date: '%d/%m/%Y' }}", "31/12/2026"),
])  # fmt: skip
def test_texts_say_what_liquid_means(source, said):
    assert say(source) == said


@pytest.mark.parametrize("source,name", [
    ("{{ contact.last_name }}", "contact.last_name"),
    ("{{ contact.last_name | upcase }}", "contact.last_name"),
    ("{{ contact.attributes.empty_one }}", "contact.attributes.empty_one"),
    ("{{ 'x' | append: contact.attributes.none }}", "contact.attributes.none"),
    ("{% for x in contact.attributes.none %}x{% endfor %}", "contact.attributes.none"),
    ("{% if true %}{{ campaign.name }}{% endif %}", "campaign.name"),
    ("{{ preferences_url }}", "preferences_url"),
    ("{% if true %}{{ preferences_url }}{% endif %}", "preferences_url"),
    ("{{ contact.attributes.size }}", "contact.attributes.size"),
    ("{% if true %}{{ contact.attributes.first }}{% endif %}", "contact.attributes.first"),
])  # fmt: skip
def test_a_missing_value_is_named_and_never_printed_blank(source, name):
    """“Dear ,” is the best known mistake of mail merges; the name is what the pre-flight counts."""
    with pytest.raises(MissingField) as problem:
        say(source)
    assert (problem.value.field, problem.value.code) == (name, "missing_field")


@pytest.mark.parametrize("source,code,line,column", [
    ("a\nb {{ contact.first_name", "template_syntax", 2, 3),
    ("{% if contact.first_name %}", "template_syntax", 1, 1),
    ("x\n  {% include 'a' %}", "template_syntax", 2, 6),
    ("x\n{{ contact.first_name | shout }}", "unknown_filter", 2, 25),
    ("x\n\n {{ contact.frist_name }}", "unknown_field", 3, 5),
    ("{{ name }}", "unknown_field", 1, 4),
])  # fmt: skip
def test_a_mistake_is_shown_where_it_is(source, code, line, column):
    with pytest.raises(InvalidInput) as problem:
        compile_text(source, field="html")
    found = problem.value
    assert (found.code, found.field, found.line) == (code, "html", line)
    assert found.column is not None
    assert abs(found.column - column) <= 3


def test_fields_are_found_wherever_they_are_used():
    source = (
        "{% if contact.country == 'FR' %}{% for x in contact.attributes.list %}{{ x }}{% endfor %}{% endif %}"
        "{{ 'a' | append: brand.name }}{% assign y = campaign.name %}{{ y }}"
    )
    assert compile_text(source, field="text").fields == {
        "contact.country", "contact.attributes.list", "brand.name", "campaign.name",
    }  # fmt: skip


EVIL_NAMES = [
    "__class__", "__class__.__mro__", "__init__.__globals__", "__dict__", "__subclasses__", "__builtins__",
    "__import__", "mro", "func_globals", "gi_frame", "f_back", "cr_code", "__reduce__", "__getattribute__", "__doc__",
    "__module__",
]  # fmt: skip
INJECTIONS = [
    *(f"{{{{ contact.{name} }}}}" for name in EVIL_NAMES),
    *(f"{{{{ contact.first_name.{name} }}}}" for name in EVIL_NAMES),
    *(f"{{{{ {name} }}}}" for name in EVIL_NAMES),
    "{{ contact['__class__'] }}", "{{ contact[brand.name] }}", "{{ ''.__class__ }}", "{{ [].__class__ }}", "{{ self }}",
    "{{ config }}", "{{ request.application }}", "{{ cycler.__init__.__globals__.os }}", "{{ lipsum.__globals__ }}",
    "{{ joiner }}", "{{ namespace }}", "{{ get_flashed_messages.__globals__ }}", "{{ url_for.__globals__ }}",
    "{{ contact | attr: '__class__' }}", "{{ contact|attr('__class__') }}", "{{ 'x' | map: '__class__' }}",
    "{{ '{0.__class__}' | format: contact }}", "{{ '%s' | format: contact }}", "{{ contact | json }}",
    "{{ contact | inspect }}", "{{ contact.first_name | safe }}", "{{ 'x' | base64_decode }}", "{{ 7 * 7 }}",
    "{{ range(10) }}", "{{ open('/etc/passwd') }}", "{% include '/etc/passwd' %}", "{% render '/etc/passwd' %}",
    "{% import os %}", "{% from x import y %}", "{% extends 'x' %}", "{% set x = 1 %}", "{% macro x() %}{% endmacro %}",
    "{% load x %}", "{% debug %}", "{% python %}", "{% layout 'x' %}", "{% block x %}{% endblock %}",
    "{% liquid echo contact %}", "{% echo contact %}", "{% capture x %}y{% endcapture %}", "{% tablerow i in x %}",
    "{% cycle 'a' %}", "{% increment contact %}", "{% ifchanged %}x{% endifchanged %}",
    "{% assign x = contact %}{{ x }}", "{% for x in contact %}{{ x }}{% endfor %}", "{{ contact.attributes }}",
    "{{ contact.attributes.plan.x }}", "{{ contact.attributes[0] }}", "{{ contact.attributes['a b'] }}",
    "${7*7}", "#{7*7}", "<%= 7*7 %>", "{{= 7*7 }}", "[[${7*7}]]", "*{7*7}", "@(7*7)", "{7*7}", "${{7*7}}", "{#x#}",
]  # fmt: skip


@pytest.mark.parametrize("html", [False, True], ids=["text", "html"])
@pytest.mark.parametrize("source", INJECTIONS)
def test_injections_are_inert(source, html):
    """OWASP ASVS 1.3.7: refused, or said as they stand; never evaluated, and never a word about the inside."""
    assert len(INJECTIONS) >= 60
    try:
        said = say(source, html=html)
    except InvalidInput:
        return
    assert said == source


BOMBS = {
    "nested loops": "{% for a in (1..10000) %}{% for b in (1..10000) %}x{% endfor %}{% endfor %}",
    "empty loops": "{% for a in (1..10000) %}{% for b in (1..10000) %}{% endfor %}{% endfor %}",
    "many loops": "{% for a in (1..10000) %}{% endfor %}" * 400,
    "one long loop": "{% for a in (1..1000000000) %}{% endfor %}",
    "backwards": "{% for a in (1..100000000) reversed %}{% endfor %}",
    "a long range joined": "{{ (1..1000000000) | join: ',' }}",
    "replace by replace": "{{ 'aaaaaaaaaa'" + " | replace: 'a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'" * 12 + " }}",
    "split and join": "{{ 'aaaaaaaaaa'" + " | split: '' | join: 'aaaaaaaaaaaaaaaaaaaa'" * 12 + " }}",
    "doubling": "{% assign x = 'aaaaaaaaaa' %}" + "{% assign x = x | append: x %}" * 60,
    "squaring": "{% assign x = 99999999 %}" + "{% assign x = x | times: x %}" * 60,
    "filters in a loop": "{% assign x = 'a' %}" + "{% assign x = x | append: x %}" * 16
    + "{% for i in (1..9999) %}{% assign y = x | upcase %}{% endfor %}",
    "output": "{% for a in (1..9999) %}" + "x" * 1000 + "{% endfor %}",
    "depth": "{% if true %}" * 2000 + "{% endif %}" * 2000,
    "brackets": "{{ " + "contact[" * 3000 + "]" * 3000 + " }}",
    "conditions": "{% if " + "true and " * 2000 + "true %}x{% endif %}",
    "large number": "{{ 1 | plus: " + "9" * 15_000 + " }}",
    "padded date": "{{ '2026-01-01' | date: '%1000000000Y' }}",
    "rounding": "{{ 1.5 | round: 100000000000 }}",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_defused(name):
    """The bound of two seconds is for a crowded machine; alone, all stop within a few hundredths."""
    began = time.perf_counter()
    try:
        said = say(BOMBS[name])
    except InvalidInput as problem:
        said = problem.message
    assert len(said) <= 1000
    assert time.perf_counter() - began < 2


def test_every_limit_is_on():
    """The library's defaults are off."""
    for environment in (merge_liquid.TEXT, merge_liquid.HTML):
        assert environment.loop_iteration_limit == 10_000
        assert environment.output_stream_limit == 256 * 1024
        assert environment.local_namespace_limit
        assert environment.context_depth_limit <= 30
        assert environment.block_nesting_limit <= 30
    assert (merge_liquid.TEXT.autoescape, merge_liquid.HTML.autoescape) == (False, True)


FILTER_USES = [
    f"{{{{ {value} | {name}{args} }}}}"
    for name in merge_liquid.HTML.filters
    for value in ("contact.first_name", "'<b>'", "'a b'")
    for args in ("", ": contact.first_name", ": 'b', contact.first_name", ": contact.first_name, 'x'", ": 3")
]


@pytest.mark.parametrize("source", FILTER_USES)
def test_no_filter_lets_markup_of_a_person_through(source):
    """A name is what somebody typed into a form."""
    try:
        said = say(source, {"contact": {"first_name": CANARY, "attributes": {}}}, html=True)
    except InvalidInput:
        return
    assert "<script" not in said.lower()
    assert "<script" not in say(source.replace(" }}", " | split: 'a' | join: 'a' }}"), {
        "contact": {"first_name": CANARY, "attributes": {}}
    }, html=True).lower()  # fmt: skip


def test_html_escapes_and_text_does_not():
    assert say("{{ brand.name }}", html=True) == "Acme &amp; Sons"
    assert say("{{ brand.name }}") == "Acme & Sons"


def test_a_failure_quotes_no_value():
    """The error goes to logs and screens."""
    with pytest.raises(InvalidInput) as problem:
        say("{{ contact.first_name | date: '%Y' }}")
    assert problem.value.code == "render_failed"
    assert "Zo" not in str(problem.value)
