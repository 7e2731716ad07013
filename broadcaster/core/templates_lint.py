"""What is wrong with a content before anybody gets it: consent and law first, then what a channel cannot carry."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Protocol

from broadcaster.core import sms
from broadcaster.core.errors import InvalidInput
from broadcaster.core.links import check_link, is_local, is_secure
from broadcaster.core.messages import MediaKind
from broadcaster.core.templates import Content, ParsedTemplate, Rendered, parse

MANY_SMS_PARTS = 4  #: from here on the author is told what it costs
SMS_CHANNELS = frozenset({"sms"})
#: In capitals, or as a bot's command: “stop by our shop” is no way out.
_STOP_WORD = re.compile(r"\b(STOP|ARRET|ARRÊT|ABMELDEN|BAJA|PARAR)\b|/stop\b|退订")
_LINK = "https://preferences.example.com/p/" + "A" * 43
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s<>\"'{}]+", re.IGNORECASE)
_MAIL_LINKS = frozenset({"mailto", "tel", "cid"})
_WORST = "Wolfeschlegelsteinhausenberger-Maria"  #: 36 characters: longer than nearly all names
_POSTAL = f"1 {_WORST} Road, {_WORST}"


class ChannelFacts(Protocol):
    """What the lint must know of a channel; ``channels.contract.Capabilities`` has it."""

    @property
    def channel(self) -> str: ...
    @property
    def text_max(self) -> int: ...
    @property
    def media(self) -> frozenset[MediaKind]: ...
    @property
    def buttons_max(self) -> int: ...
    @property
    def button_title_max(self) -> int: ...
    @property
    def needs_html(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. A *blocking* one must be repaired before the content can be sent."""

    code: str
    field: str
    message: str
    blocking: bool = True
    line: int | None = None
    column: int | None = None


def lint(
    content: Content,
    facts: ChannelFacts,
    *,
    marketing: bool,
    brand_name: str,
    footer: bool = False,
    parts: Collection[str] = (),
    attributes: Mapping[str, Any] | None = None,
) -> list[Problem]:
    """Return everything wrong with a content on this channel, blocking problems first.

    *footer*: e-mail gets a footer with brand and way out of its own. *parts*: what the law asks
    beyond these (``core/law``). *attributes*: worst values known of attributes.
    """
    try:
        parsed = parse(content)
    except InvalidInput as problem:
        return [_syntax(problem)]
    found = [*_shape(content, facts), *_links(content)]
    try:
        rendered = parsed.render(worst_values(parsed, brand_name, attributes or {}))
    except InvalidInput as problem:
        return [_syntax(problem), *found]
    found += _sizes(rendered, facts)
    if marketing:
        found += _law(rendered, facts, brand_name, footer=footer)
        if "postal_address" in parts and _POSTAL not in f"{rendered.text} {rendered.html}":
            found.append(Problem("postal_address_missing", "text", "Say where you are: {{ brand.postal_address }}."))
    return sorted(found, key=lambda one: not one.blocking)


def worst_values(parsed: ParsedTemplate, brand_name: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a person whose every field is long: for previews and for the longest message anybody may get."""
    contact = dict.fromkeys(("first_name", "last_name", "profession"), _WORST)
    used = [name.split(".")[2] for name in parsed.variables() if name.startswith("contact.attributes.")]
    return {
        "contact": {
            **contact,
            "language": "zh-Hant",
            "country": "FR",
            "attributes": dict.fromkeys(used, _WORST) | dict(attributes),
        },
        "brand": {"name": brand_name, "website": _LINK[:40], "postal_address": _POSTAL, "contact": _WORST},
        "campaign": {"name": _WORST},
        "unsubscribe_url": _LINK,
        "preferences_url": _LINK,
    }


def _syntax(problem: InvalidInput) -> Problem:
    return Problem(problem.code, problem.field or "", problem.message, line=problem.line, column=problem.column)


def _shape(content: Content, facts: ChannelFacts) -> Iterator[Problem]:
    if facts.needs_html and not content.subject:
        yield Problem("empty", "subject", "An e-mail needs a subject.")
    if not facts.needs_html and (content.html or content.subject):
        yield Problem("not_carried", "html", "This channel carries neither a subject nor HTML.", blocking=False)
    for number, one in enumerate(content.media):
        if one.kind not in facts.media:
            yield Problem(
                "media_not_carried", f"media.{number}", f"This channel does not carry a file of kind {one.kind}."
            )
    if len(content.buttons) > facts.buttons_max:
        yield Problem("too_many_buttons", "buttons", f"This channel carries at most {facts.buttons_max} buttons.")


def _law(rendered: Rendered, facts: ChannelFacts, brand_name: str, *, footer: bool) -> Iterator[Problem]:
    footer = footer and facts.needs_html
    everything = f"{rendered.subject} {rendered.text} {rendered.html}".casefold()
    if not footer and not (brand_name and brand_name.casefold() in everything):
        yield Problem("brand_missing", "text", f"Say who writes: “{brand_name}” or {{{{ brand.name }}}}.")
    if facts.needs_html:
        for name, text in (("html", rendered.html), ("text", rendered.text)):
            if text and not footer and _LINK not in text:
                yield Problem("optout_missing", name, "Give a way out: {{ unsubscribe_url }}.")
        return
    link_will_do = facts.channel not in SMS_CHANNELS
    buttons = " ".join(f"{one.title} {one.value}" for one in rendered.buttons)
    said = f"{rendered.text} {buttons}"
    if not _STOP_WORD.search(said) and not (link_will_do and _LINK in said):
        yield Problem("optout_missing", "text", "Say how to stop, such as “STOP to unsubscribe”.")


def _sizes(rendered: Rendered, facts: ChannelFacts) -> Iterator[Problem]:
    if not (rendered.text.strip() or rendered.html.strip() or rendered.media):
        yield Problem("empty", "text", "There is nothing to say.")
    if len(rendered.text) > facts.text_max:
        yield Problem(
            "too_long", "text", f"May reach {len(rendered.text)} characters; the channel carries {facts.text_max}."
        )
    for number, button in enumerate(rendered.buttons):
        if facts.button_title_max and len(button.title) > facts.button_title_max:
            yield Problem(
                "too_long", f"buttons.{number}.title", f"A button carries {facts.button_title_max} characters here."
            )
    if facts.channel in SMS_CHANNELS:
        parts = sms.parts(rendered.text).parts
        if parts >= MANY_SMS_PARTS:
            yield Problem("many_parts", "text", f"May take {parts} SMS per person.", blocking=False)


class _Links(HTMLParser):
    """Collects addresses and pictures without words."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.silent_images = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.links += [given[name] or "" for name in ("href", "src", "action", "background") if name in given]
        if tag == "img" and given.get("alt") is None:
            self.silent_images += 1
        if tag in ("script", "iframe", "object", "embed", "form") or any(name.startswith("on") for name in given):
            self.links.append("javascript:")


def _links(content: Content) -> Iterator[Problem]:
    page = _Links()
    page.feed(content.html)
    page.close()
    if page.silent_images:
        yield Problem("image_without_alt", "html", "A picture has no alternative text.", blocking=False)
    for field, links in (
        ("html", page.links),
        ("text", _URL.findall(content.text)),
        ("buttons", [one.value for one in content.buttons if one.kind == "url"]),
        ("media", [one.url for one in content.media]),
    ):
        for link in dict.fromkeys(links):
            yield from _link_problems(link.strip(), field)


def _link_problems(link: str, field: str) -> Iterator[Problem]:
    if not link or link.startswith(("#", "{{")):
        return
    try:
        check_link(re.split(r"\{[{%]", link)[0], field=field, also=_MAIL_LINKS if field == "html" else frozenset())
    except InvalidInput as problem:
        yield _syntax(problem)
        return
    if is_local(link):
        yield Problem("link_local", field, "A link leads to this machine or a private network.", blocking=False)
    if not is_secure(link):
        yield Problem("link_insecure", field, "A link is not https.", blocking=False)
