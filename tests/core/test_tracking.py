"""Counted links: the same for everybody, replaced everywhere they stand, and nothing else touched."""

from __future__ import annotations

from broadcaster.core import templates, tracking

SHOP = "https://shop.example.org/sale?a=1&b=2"
SHORT = {SHOP: "https://news.example.org/l/abc"}


def content(**parts: object) -> templates.Content:
    return templates.content_of({"text": "x", **parts})


def rendered(**parts: object) -> templates.Rendered:
    return templates.parse(content(**parts)).render({"unsubscribe_url": "https://news.example.org/u/t"})


def test_a_link_is_found_wherever_it_stands_and_once() -> None:
    found = content(
        text=f"See {SHOP}. Or (https://example.org/b)!",
        html="<A class=\"b\" HREF='https://shop.example.org/sale?a=1&amp;b=2'>go</A>",
        buttons=[{"kind": "url", "title": "Go", "value": "https://example.org/c"}],
    )
    assert tracking.links_in(found) == [SHOP, "https://example.org/b", "https://example.org/c"]


def test_a_link_that_differs_by_person_is_never_counted() -> None:
    """It would put a person's words into a table about the campaign; a stop link would count refusals as clicks."""
    found = content(
        text="{{ unsubscribe_url }} https://example.org/?id={{ contact.first_name }} mailto:a@example.org",
        html="<a href='{{ unsubscribe_url }}'>stop</a><img src='https://example.org/a.png'><a href='tel:+33'>m</a>",
        buttons=[{"kind": "reply", "title": "Go", "value": "https://example.org/not-a-link"}],
    )
    assert tracking.links_in(found) == []


def test_only_the_link_itself_is_replaced() -> None:
    made = rendered(
        text=f"See {SHOP}. Not {SHOP}3. Stop: {{{{ unsubscribe_url }}}}",
        html=f"<a id='1' href='{SHOP.replace('&', '&amp;')}'>{SHOP}</a><img src='{SHOP}'>",
        buttons=[{"kind": "url", "title": "Go", "value": SHOP}, {"kind": "reply", "title": "R", "value": SHOP}],
    )
    told = tracking.track(made, SHORT)
    assert told.text == f"See {SHORT[SHOP]}. Not {SHOP}3. Stop: https://news.example.org/u/t"
    assert told.html == f"<a id='1' href='{SHORT[SHOP]}'>{SHOP}</a><img src='{SHOP}'>"
    assert [one.value for one in told.buttons] == [SHORT[SHOP], SHOP]
