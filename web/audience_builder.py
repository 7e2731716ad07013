"""The audience builder: what the form offers, what it means, and how many people that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from flask import request

from broadcaster.actions.catalogue import purposes
from broadcaster.actions.forecast_people import AudienceCount, audience_count
from broadcaster.channels import registry
from broadcaster.core.audience_words import WordsLanguage, describe
from broadcaster.core.audiences import OPERATORS, parse_rule
from broadcaster.core.errors import InvalidInput
from broadcaster.storage import listings
from web import account_words, audience_words, rule_form, words
from web.context import runtime
from web.language import language
from web.rule_form import Node

Choices = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Offers:
    """What can be chosen in the builder."""

    channels: Choices
    purposes: Choices
    purpose_ids: Choices
    groups: Choices
    interests: Choices
    attributes: Choices
    types: Mapping[str, str]
    lists: Choices
    campaigns: Choices

    def operators(self, key: str) -> Choices:
        """Return the comparisons that fit an attribute."""
        fitting = OPERATORS[cast(Any, self.types.get(key, "text"))]
        return [(name, str(label)) for name, label in audience_words.OPERATORS.items() if name in fitting]


def offers() -> Offers:
    """Read what there is to choose from."""
    tongue = language()
    with runtime().db.reading() as session:
        known = purposes(session)
        attributes = listings.attributes(session)
        channels = dict.fromkeys(one.capabilities.channel for one in registry.CHANNELS.values())
        return Offers(
            channels=[(one, account_words.channel(one)) for one in channels],
            purposes=[(one.key, label(one.label, one.key, tongue)) for one in known],
            purpose_ids=[(str(one.id), label(one.label, one.key, tongue)) for one in known],
            groups=[(one.key, one.name) for one in listings.groups(session)],
            interests=[(one.key, label(one.label, one.key, tongue)) for one in listings.interests(session)],
            attributes=[(one.key, one.label or one.key) for one in attributes],
            types={one.key: "text" if one.type == "choice" else one.type for one in attributes},
            lists=[(str(one.id), one.name) for one in listings.audiences(session) if one.rule.get("type") == "list"],
            campaigns=[(str(one.id), one.name) for one in listings.campaigns(session, limit=100)],
        )


def label(told: Mapping[str, Any], key: str, tongue: str) -> str:
    """Return a thing's words in a language, else in any, else its key."""
    return str(told.get(tongue) or next((one for one in told.values() if one), key))


@dataclass(slots=True)
class Sent:
    """What the builder sent: the form of the rule, the rule, and what is wrong with it (then ``rule`` is None)."""

    root: Node
    rule: dict[str, Any] | None
    problem: str = ""


def sent(offered: Offers) -> Sent:
    """Read the builder's fields, or its JSON where that was asked for; then do what a button asked."""
    try:
        if request.form.get("do") == "json":
            raw = parse_rule(request.form.get("json", "")).model_dump(mode="json", exclude_none=True)
            root = rule_form.of_rule(raw)
        else:
            root = rule_form.of_form(request.form.to_dict(flat=False))
    except InvalidInput as problem:
        return Sent(rule_form.of_rule({}), None, said(problem))
    verb, _colon, path = request.form.get("do", "").partition(":")
    if verb in ("add", "group", "remove"):
        root = rule_form.change(root, verb, path)
    return checked(root, offered)


def checked(root: Node, offered: Offers) -> Sent:
    """Say what a form means, or put what is wrong at its place."""
    try:
        rule = parse_rule(rule_form.to_rule(root, offered.types))
    except InvalidInput as problem:
        words_ = said(problem)
        if not root.parts:
            return Sent(root, None, str(audience_words.EMPTY))
        placed = rule_form.place_error(root, problem.field or "", words_)
        return Sent(root, None, "" if placed and problem.field else words_)
    return Sent(root, rule.model_dump(mode="json", exclude_none=True))


def said(problem: InvalidInput) -> str:
    """Say an error of a rule in the reader's language."""
    known = audience_words.PROBLEMS.get(problem.code)
    return str(known) if known else words.field_problem(problem.code)


@dataclass(frozen=True, slots=True)
class Seen:
    """A rule in words, and whom it selects."""

    sentence: str
    found: AudienceCount
    purpose: str


def sentence(rule: Mapping[str, Any], offered: Offers) -> str:
    """Return a rule in words, with names in place of keys and numbers."""
    names = {f"purpose:{key}": name for key, name in offered.purposes}
    names |= {f"group:{key}": name for key, name in offered.groups}
    names |= {f"interest:{key}": name for key, name in offered.interests}
    names |= {f"attribute:{key}": name for key, name in offered.attributes}
    names |= {f"channel:{key}": name for key, name in offered.channels}
    names |= {f"list:{key}": name for key, name in offered.lists}
    names |= {f"campaign:{key}": name for key, name in offered.campaigns}
    return describe(parse_rule(rule), cast(WordsLanguage, language()), names)


def look(rule: Mapping[str, Any], offered: Offers, *, purpose_id: int | None = None) -> Seen:
    """Count a rule and put it in words."""
    found = audience_count(runtime(), rule, purpose_id=purpose_id)
    return Seen(sentence(rule, offered), found, dict(offered.purpose_ids).get(str(purpose_id), ""))
