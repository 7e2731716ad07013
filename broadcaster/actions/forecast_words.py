"""What a template will say to the people of a campaign: the language, the fields they miss, SMS parts, mistakes.

People are alike where language and the merge fields they have are alike, so each likeness is rendered once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlmodel import Session

from broadcaster.actions import content
from broadcaster.actions.organisation import footer_parts
from broadcaster.actions.rendering import Variant, Words, stop_link
from broadcaster.actions.runtime import Runtime
from broadcaster.channels import registry
from broadcaster.channels.contract import Capabilities
from broadcaster.core import sms, templates, templates_lint
from broadcaster.core.campaigns import Plan
from broadcaster.core.deliveries import Reason
from broadcaster.core.errors import InvalidInput, NotFound
from broadcaster.core.merge import ATTRIBUTES, MissingField
from broadcaster.core.templates_lint import SMS_CHANNELS, Problem
from broadcaster.storage import consent
from broadcaster.storage import forecast as rows
from broadcaster.storage.tables import Account, Brand, Campaign, Template

#: A person as most are, for the usual number of SMS parts.
TYPICAL = {
    "first_name": "Camille",
    "last_name": "Martin",
    "language": "fr",
    "country": "FR",
    "profession": "architect",
}
_EXAMPLES: dict[str, Any] = {"date": "2026-12-31", "number": 42, "boolean": True}


@dataclass(frozen=True, slots=True)
class Fit:
    """What somebody gets: in *used* language, or not because of *reason*; *missing* are the fields they lack."""

    reason: Reason | None
    wanted: str | None
    used: str
    missing: tuple[str, ...] = ()

    @property
    def falls_back(self) -> bool:
        """Say whether their language is known and not spoken."""
        wanted = self.wanted
        return bool(wanted and self.used) and self.used not in (wanted, _root(wanted or ""))


class Judge:
    """Says what each kind of person gets. ``fields`` are the merge fields of contacts that the template asks for."""

    def __init__(self, runtime: Runtime, session: Session, campaign: Campaign) -> None:
        brand = session.get_one(Brand, campaign.brand_id)
        template = None if campaign.template_id is None else session.get(Template, campaign.template_id)
        self._default = "en" if template is None else template.default_language
        self._words = Words({}, "en") if template is None else Words.load(session, template.id, template.version)
        self._examples = examples(session)
        link = stop_link(runtime, bytes(32), campaign.purpose_id, 10**9)
        self._common = {**brand_values(brand, campaign.name), "unsubscribe_url": link, "preferences_url": link}
        self._fits: dict[tuple[str, str | None, tuple[bool, ...]], Fit] = {}
        self._parts: dict[tuple[str, str], tuple[int, int]] = {}
        channels = self._words.channels()
        known = {(one, language) for one in channels for language in self._words.languages(one)}
        asked = {name for place in known for name in self._variant(*place).parsed.variables()}
        self.fields = tuple(sorted(name for name in asked if name.startswith("contact.")))

    def fit(self, channel: str, language: str | None, present: tuple[bool, ...]) -> Fit:
        """Judge one likeness on one channel."""
        key = (channel, language, present)
        if key not in self._fits:
            self._fits[key] = self._judge(channel, language, dict(zip(self.fields, present, strict=True)))
        return self._fits[key]

    def _judge(self, channel: str, language: str | None, present: Mapping[str, bool]) -> Fit:
        variant = self._words.choose(channel, language)
        wanted = None if language is None else language.replace("_", "-")
        if variant is None:
            return Fit(Reason.NO_TEMPLATE, wanted, "")
        spoken = self._words.languages(channel)
        first = wanted or self._default
        used = next(one for one in (first, _root(first), self._default) if one in spoken)
        missing = missing_fields(variant.parsed, self._values(present))
        return Fit(Reason.MISSING_FIELD if missing else None, wanted, used, missing)

    def parts(self, channel: str, language: str) -> tuple[int, int]:
        """Return SMS parts of the usual and of the longest message in *language*; 1 on channels without parts."""
        if channel not in SMS_CHANNELS:
            return 1, 1
        if (channel, language) not in self._parts:
            parsed = self._variant(channel, language).parsed
            usual = self._values(dict.fromkeys(self.fields, True))
            longest = templates_lint.worst_values(parsed, "", {}) | self._common
            texts = [_text(parsed, values) for values in (usual, longest)]
            self._parts[channel, language] = (sms.parts(texts[0]).parts, sms.parts(texts[1]).parts)
        return self._parts[channel, language]

    def _variant(self, channel: str, language: str) -> Variant:
        found = self._words.choose(channel, language)
        assert found is not None, "a language of this channel"
        return found

    def _values(self, present: Mapping[str, bool]) -> dict[str, Any]:
        known = {name: TYPICAL.get(name.removeprefix("contact.")) for name, there in present.items() if there}
        contact: dict[str, Any] = {name.removeprefix("contact."): value for name, value in known.items() if value}
        contact["attributes"] = {
            key: self._examples.get(key, "Example")
            for key in (name.removeprefix(ATTRIBUTES) for name in known if name.startswith(ATTRIBUTES))
        }
        return {**self._common, "contact": contact}


def _root(language: str) -> str:
    return language.split("-")[0]


def examples(session: Session) -> dict[str, Any]:
    """Return a value of the right type for every attribute."""
    return {key: _EXAMPLES.get(kind, "Example") for key, kind in rows.attribute_types(session).items()}


def brand_values(brand: Brand, campaign: str) -> dict[str, Any]:
    """Return the merge fields that are the same for everybody."""
    told = {"name": brand.name, "website": brand.website, "postal_address": brand.postal_address}
    return {"brand": {**told, "contact": brand.contact}, "campaign": {"name": campaign}}


def missing_fields(parsed: templates.ParsedTemplate, values: dict[str, Any]) -> tuple[str, ...]:
    """Return the merge fields that would keep this message from being sent, in the order they are met.

    A template that fails for another reason says nothing here: what stands in for a value may be to blame.
    """
    missing: list[str] = []
    filled = {name: dict(value) if isinstance(value, dict) else value for name, value in values.items()}
    while len(missing) <= len(parsed.variables()):
        try:
            parsed.render(filled)
        except MissingField as problem:
            missing.append(problem.field or "")
            put(filled, missing[-1], "Example")
        except InvalidInput:
            break
        else:
            break
    return tuple(missing)


def put(values: dict[str, Any], field: str, value: Any) -> None:
    """Give a merge field a value."""
    *path, last = field.split(".")
    here = values
    for name in path:
        here[name] = dict(here.get(name) or {})
        here = here[name]
    here[last] = value


def _text(parsed: templates.ParsedTemplate, values: Mapping[str, Any]) -> str:
    filled = dict(values)
    for field in missing_fields(parsed, filled):
        put(filled, field, "Example")
    try:
        return parsed.text.render(filled)
    except InvalidInput:
        return ""


def content_problems(session: Session, campaign: Campaign, plan: Plan) -> list[Problem]:
    """Return what is wrong with the words of a campaign on its channels; ``field`` is ``channel.language.field``."""
    template = None if campaign.template_id is None else session.get(Template, campaign.template_id)
    if template is None:
        return []
    brand = session.get_one(Brand, campaign.brand_id)
    marketing = consent.is_marketing(session, campaign.purpose_id)
    accounts = {choice.channel: session.get(Account, choice.account_id) for choice in plan.channels}
    found: list[Problem] = []
    for (channel, language), words in content.variants_of(session, template).items():
        if channel in accounts:
            account = accounts[channel]
            facts = facts_of(channel, None if account is None else account.provider)
            parts = footer_parts(session, channel)
            place = f"{channel}.{language}"
            found += lint(words, facts, marketing=marketing, brand=brand.name, parts=parts, place=place)
    return sorted(found, key=lambda one: not one.blocking)


def lint(
    words: Mapping[str, Any],
    facts: Capabilities,
    *,
    marketing: bool,
    brand: str,
    parts: Collection[str] = (),
    place: str = "",
) -> list[Problem]:
    """Check one content, naming its *place* in each problem's field; *parts*: what the law asks (``footer_parts``)."""
    try:
        parsed = templates.content_of(words)
    except InvalidInput as problem:
        found: Sequence[Problem] = [Problem(problem.code, problem.field or "", problem.message)]
    else:
        found = templates_lint.lint(parsed, facts, marketing=marketing, brand_name=brand, parts=parts)
    return [replace(one, field=f"{place}.{one.field}" if place else one.field) for one in found]


def facts_of(channel: str, provider: str | None = None) -> Capabilities:
    """Return what a channel carries, by its provider if one is chosen. Raises NotFound ``channel``."""
    if provider is not None:
        return registry.get(provider, channel).capabilities
    for one in registry.CHANNELS.values():
        if one.capabilities.channel == channel:
            return one.capabilities
    raise NotFound(f"nothing here can send on {channel!r}", code="channel")
