"""Contents: what is refused when it is saved, what a person gets, what the lint says."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from broadcaster.core import templates
from broadcaster.core.errors import InvalidInput
from broadcaster.core.messages import ButtonKind, MediaKind
from broadcaster.core.templates_lint import lint

VALUES = {"contact": {"first_name": "Ann", "attributes": {}}, "brand": {"name": "Acme"},
          "unsubscribe_url": "https://example.com/u/1", "preferences_url": "https://example.com/p/1"}  # fmt: skip


@dataclass(frozen=True)
class Facts:
    channel: str = "telegram"
    text_max: int = 4096
    media: frozenset[MediaKind] = frozenset({MediaKind.IMAGE})
    buttons_max: int = 3
    button_title_max: int = 20
    needs_html: bool = False


EMAIL = Facts("email", 1_000_000, needs_html=True)
SMS = Facts("sms", 1600, frozenset(), 0, 0)
TELEGRAM = Facts()


def codes(facts, *, marketing=True, footer=False, **content):
    found = lint(templates.content_of(content), facts, marketing=marketing, brand_name="Acme", footer=footer)
    return [one.code for one in found]


def test_a_person_gets_what_was_written_for_them():
    content = templates.content_of({
        "text": "Hello {{ contact.first_name }}", "subject": "{{ brand.name }} news", "html": "<p>{{ brand.name }}</p>",
        "media": [{"kind": "image", "url": "https://example.com/a.png", "filename": "a.png"}],
        "buttons": [{"kind": "url", "title": "Choices", "value": "{{ preferences_url }}"},
                    {"kind": "reply", "title": "Yes, {{ contact.first_name }}", "value": "yes"}],
    })  # fmt: skip
    said = templates.parse(content).render(VALUES)
    assert (said.text, said.subject, said.html) == ("Hello Ann", "Acme news", "<p>Acme</p>")
    assert said.media[0].url == "https://example.com/a.png"
    assert [(one.kind, one.title, one.value) for one in said.buttons] == [
        (ButtonKind.URL, "Choices", "https://example.com/p/1"), (ButtonKind.REPLY, "Yes, Ann", "yes"),
    ]  # fmt: skip
    assert templates.parse(content).variables() == ("brand.name", "contact.first_name", "preferences_url")


@pytest.mark.parametrize("link", [
    "javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd",
    "//evil.example", "/path", "www.example.com", "https://", "https:///x", "https://bank.example@evil.example/", "https://a:b@evil.example",
    "ftp://example.com", "https://exa mple.com", "https://example.com\\@evil.example",
    "https://example.com\n.evil",
    "mailto:a@example.com", "https://[::1", "https://example.com:99999/", "\x01javascript:x",
    "{{ contact.first_name }}",
    "https{{ brand.name }}://x", "javascript:{{ brand.name }}", "https://{{ brand.name }}",
])  # fmt: skip
def test_links_that_lead_elsewhere_are_refused(link):
    with pytest.raises(InvalidInput) as problem:
        templates.content_of({"text": "x", "buttons": [{"kind": "url", "title": "x", "value": link}]})
    assert problem.value.field == "buttons.0.value"
    with pytest.raises(InvalidInput):
        templates.content_of({"text": "x", "media": [{"kind": "image", "url": link}]})


@pytest.mark.parametrize("link", [
    "https://example.com", "http://example.com/a?b=c#d", "https://example.com/{{ contact.first_name | url_encode }}",
    "https://例え.jp/", "{{ unsubscribe_url }}", "{{- preferences_url -}}",
])  # fmt: skip
def test_good_links_are_taken(link):
    assert templates.content_of({"text": "x", "buttons": [{"kind": "url", "title": "x", "value": link}]}).buttons


def test_a_link_is_checked_again_when_its_fields_are_filled():
    """The host stands in the template, but a value may still break out of it."""
    link = "https://example.com{{ contact.attributes.path }}"
    parsed = templates.parse(
        templates.content_of({"text": "x", "buttons": [{"kind": "url", "title": "x", "value": link}]})
    )
    with pytest.raises(InvalidInput) as problem:
        parsed.render({**VALUES, "contact": {"attributes": {"path": "@evil.example"}}})
    assert problem.value.code == "link_scheme"


@pytest.mark.parametrize("subject", ["a\r\nBcc: x@example.com", "a\nb", "a\rb", "a\0b", "a\u2028b", "x" * 2000])
def test_a_subject_is_one_short_line(subject):
    with pytest.raises(InvalidInput) as problem:
        templates.content_of({"subject": subject})
    assert problem.value.field == "subject"


def test_a_name_cannot_start_a_header():
    said = templates.parse(templates.content_of({"subject": "Hi {{ contact.first_name }}"})).render(
        {"contact": {"first_name": "Ann\r\nBcc: x@example.com"}}
    )
    assert said.subject == "Hi Ann Bcc: x@example.com"


@pytest.mark.parametrize("content,field", [
    ({"text": "x" * 20_001}, "text"), ({"html": "x" * 100_001}, "html"), ({"text": "a\0b"}, "text"),
    ({"colour": "red"}, "colour"), ({"media": [{"kind": "gif", "url": "https://a.example"}]}, "media.0.kind"),
    ({"media": [{"kind": "image", "url": "https://a.example", "filename": "../x"}]}, "media.0.filename"),
    ({"buttons": [{"kind": "reply", "title": "", "value": "x"}]}, "buttons.0.title"),
    ({"buttons": [{"kind": "reply", "title": "a", "value": "b"}] * 14}, "buttons"), ({"text": 5}, "text"),
])  # fmt: skip
def test_what_cannot_be_saved_names_its_field(content, field):
    with pytest.raises(InvalidInput) as problem:
        templates.content_of(content)
    assert problem.value.field == field
    assert problem.value.code


def test_a_mistake_in_any_part_is_named():
    content = templates.content_of(
        {"text": "ok", "buttons": [{"kind": "reply", "title": "{{ nobody }}", "value": "x"}]}
    )
    with pytest.raises(InvalidInput) as problem:
        templates.parse(content)
    assert (problem.value.code, problem.value.field) == ("unknown_field", "buttons.0.title")


def test_the_text_part_keeps_words_links_and_fields():
    html = "<h1>Hi {{ contact.first_name }}</h1><p>Read <a href='{{ unsubscribe_url }}'>this</a> &amp; that.</p>"
    text = templates.text_alternative(html)
    assert "Hi {{ contact.first_name }}" in text
    assert "{{ unsubscribe_url }}" in text
    assert "this" in text
    assert "& that." in text
    assert "<" not in text
    assert templates.text_alternative(" ") == ""


GOOD_HTML = (
    "<p>{{ brand.name }} <a href='{{ unsubscribe_url }}'>stop</a><img src='https://example.com/a.png' alt=''></p>"
)


@pytest.mark.parametrize("facts,content", [
    (EMAIL, {"subject": "News", "html": GOOD_HTML, "text": "{{ brand.name }} {{ unsubscribe_url }}"}),
    (SMS, {"text": "Acme: sale today. Text STOP to end"}),
    (SMS, {"text": "Acme : soldes. STOP au 36111"}),
    (TELEGRAM, {"text": "{{ brand.name }} news, /stop to end"}),
    (TELEGRAM, {"text": "Acme: {{ preferences_url }}"}),
])  # fmt: skip
def test_a_good_content_has_no_problems(facts, content):
    assert codes(facts, **content) == []


@pytest.mark.parametrize("facts,content,code", [
    (EMAIL, {"subject": "a", "text": "hello {{ unsubscribe_url }}"}, "brand_missing"),
    (EMAIL, {"subject": "Acme", "html": "<p>x</p>"}, "optout_missing"),
    (EMAIL, {"subject": "Acme", "html": GOOD_HTML, "text": "x"}, "optout_missing"),
    (EMAIL, {"subject": "Acme", "html": "x{% if contact.country == 'XX' %}{{ unsubscribe_url }}{% endif %}"},
     "optout_missing"),
    (EMAIL, {"text": "Acme {{ unsubscribe_url }}"}, "empty"),
    (SMS, {"text": "Acme: sale"}, "optout_missing"),
    (SMS, {"text": "Acme: sale {{ unsubscribe_url }}"}, "optout_missing"),
    (SMS, {"text": "Acme: stop by our shop"}, "optout_missing"),
    (TELEGRAM, {"text": "Acme: sale"}, "optout_missing"),
    (SMS, {"text": "Acme STOP " + "x" * 1600}, "too_long"),
    (SMS, {"text": "Acme STOP " + "x" * 1570 + "{{ contact.first_name }}"}, "too_long"),
    (SMS, {"text": "   "}, "empty"),
    (TELEGRAM, {"text": "{% if false %}x{% endif %}"}, "empty"),
    (SMS, {"text": "Acme STOP " + "é" * 600}, "many_parts"),
    (TELEGRAM, {"text": "Acme STOP", "media": [{"kind": "video", "url": "https://a.example/x"}]}, "media_not_carried"),
    (SMS, {"text": "Acme STOP", "buttons": [{"kind": "reply", "title": "a", "value": "b"}]}, "too_many_buttons"),
    (TELEGRAM, {"text": "Acme STOP", "buttons": [{"kind": "reply", "title": "a" * 21, "value": "b"}]}, "too_long"),
    (TELEGRAM, {"text": "Acme STOP http://example.com"}, "link_insecure"),
    (TELEGRAM, {"text": "Acme STOP https://127.0.0.1/x"}, "link_local"),
    (TELEGRAM, {"text": "Acme STOP https://bank@evil.example"}, "link_scheme"),
    (TELEGRAM, {"text": "Acme STOP", "html": "<p>x</p>"}, "not_carried"),
    (EMAIL, {"subject": "Acme", "html": GOOD_HTML + "<img src='https://a.example/b.png'>"}, "image_without_alt"),
    (EMAIL, {"subject": "Acme", "html": GOOD_HTML + "<a href='javascript:x'>a</a>"}, "link_scheme"),
    (EMAIL, {"subject": "Acme", "html": GOOD_HTML + "<a href='//evil.example'>a</a>"}, "link_scheme"),
    (EMAIL, {"subject": "Acme", "html": GOOD_HTML + "<p onclick='x()'>a</p>"}, "link_scheme"),
    (EMAIL, {"subject": "Acme", "html": GOOD_HTML + "<script>x()</script>"}, "link_scheme"),
    (EMAIL, {"subject": "Acme", "html": GOOD_HTML + "<a href='http://a.example'>a</a>"}, "link_insecure"),
    (TELEGRAM, {"text": "{{ nobody }}"}, "unknown_field"),
])  # fmt: skip
def test_a_problem_is_found(facts, content, code):
    assert code in codes(facts, **content)


def test_service_messages_need_no_way_out():
    """A receipt is not advertising."""
    assert codes(SMS, marketing=False, text="Your parcel has arrived") == []


def test_a_footer_of_our_own_is_a_way_out():
    assert codes(EMAIL, footer=True, subject="News", html="<p>x</p>", text="x") == []


def test_a_mail_address_may_be_linked_in_a_mail():
    html = GOOD_HTML + "<a href='mailto:a@example.com'>write</a> <a href='#top'>up</a>"
    assert codes(EMAIL, subject="News", html=html) == []


def test_blocking_problems_come_first():
    found = lint(templates.content_of({"text": "http://example.com"}), SMS, marketing=True, brand_name="Acme")
    blocking = [one.blocking for one in found]
    assert blocking == sorted(blocking, reverse=True)
    assert len(set(blocking)) == 2


@pytest.mark.parametrize("words,missing", [("Acme. STOP", True), ("Acme, {{ brand.postal_address }}. STOP", False)])
def test_a_postal_address_is_missed_only_where_the_law_asks_for_it(words: str, missing: bool) -> None:
    content = templates.content_of({"text": words})
    found = {
        parts: {one.code for one in lint(content, SMS, marketing=True, brand_name="Acme", parts=parts)}
        for parts in (("brand", "opt_out"), ("brand", "opt_out", "postal_address"))
    }
    told, asked = found.values()
    assert "postal_address_missing" not in told
    assert ("postal_address_missing" in asked) is missing
