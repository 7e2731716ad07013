"""Turn a template and a person into an outbound message; everything that can be done once per run is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from broadcaster.actions.runtime import Runtime
from broadcaster.core import templates, tracking
from broadcaster.core.messages import Outbound
from broadcaster.core.templates import ParsedTemplate
from broadcaster.storage import clicks, content
from broadcaster.storage.tables import Brand, Campaign, Run, Template


@dataclass(frozen=True, slots=True)
class Variant:
    id: int
    parsed: ParsedTemplate


class Words:
    """One version of a template: the variant for a channel and language, with fallback."""

    def __init__(self, variants: Mapping[tuple[str, str], Variant], default_language: str) -> None:
        self._variants = dict(variants)
        self._default = default_language

    @classmethod
    def load(cls, session: Session, template_id: int, version: int) -> Words:
        template = session.get_one(Template, template_id)
        variants = {
            (row.channel, row.language): Variant(row.id, templates.parse(templates.Content.model_validate(row.content)))
            for row in content.variants(session, template_id, version)
        }
        return cls(variants, template.default_language)

    def channels(self) -> set[str]:
        return {channel for channel, _ in self._variants}

    def languages(self, channel: str) -> set[str]:
        return {language for known, language in self._variants if known == channel}

    def choose(self, channel: str, language: str | None) -> Variant | None:
        """Return the words in *language*, its parent language, the template's default, or None."""
        wanted = (language or self._default).replace("_", "-")
        for candidate in (wanted, wanted.split("-")[0], self._default):
            found = self._variants.get((channel, candidate))
            if found is not None:
                return found
        return None


@dataclass(slots=True)
class Person:
    """What a template may know of a contact."""

    first_name: str
    last_name: str
    language: str | None
    country: str | None
    profession: str | None
    attributes: Mapping[str, Any]

    def values(self) -> dict[str, Any]:
        """Return the merge fields; a field that is not known is absent, so that a template notices."""
        known = {
            "first_name": self.first_name,
            "last_name": self.last_name,
            "language": self.language,
            "country": self.country,
            "profession": self.profession,
        }
        return {**{key: value for key, value in known.items() if value}, "attributes": dict(self.attributes)}


def link_scope(purpose_id: int, step_id: int) -> bytes:
    """Return what a stop link is about: the purpose, and the step it was sent with (0: none), for the report."""
    return b"%d.%d" % (purpose_id, step_id)


def read_link_scope(scope: bytes) -> tuple[int, int]:
    """Return (purpose id, step id) of a link's scope. Raises ValueError."""
    purpose, _, step = scope.decode("ascii").partition(".")
    return int(purpose), int(step)


def reference(step_id: int, attempt: int) -> str:
    """Return our own opaque reference of one attempt."""
    return f"s{step_id}.{attempt}"


_REFERENCE = re.compile(r"s([0-9]{1,18})\.([0-9]{1,9})(?![0-9])")


def step_of(told: str) -> int | None:
    """Return the step id in a reference of ours, None for anything else."""
    attempt = attempt_of(told)
    return None if attempt is None else attempt[0]


def attempt_of(told: str) -> tuple[int, int] | None:
    """Return (step id, attempt) of a reference of ours, None for anything else."""
    found = _REFERENCE.match(told)
    return None if found is None else (int(found[1]), int(found[2]))


class Composer:
    """Makes the messages of one run."""

    def __init__(self, runtime: Runtime, session: Session, run: Run) -> None:
        campaign = session.get_one(Campaign, run.campaign_id)
        brand = session.get_one(Brand, campaign.brand_id)
        self.purpose_id = run.purpose_id
        assert campaign.template_id is not None, "a launched campaign has a template"
        self.words = Words.load(session, campaign.template_id, run.template_version)
        self._runtime = runtime
        self._links = clicks.links_of(session, run.id)
        self._common = {
            "brand": {
                "name": brand.name,
                "website": brand.website,
                "postal_address": brand.postal_address,
                "contact": brand.contact,
            },
            "campaign": {"name": campaign.name},
        }

    def values(self, person: Person, digest: bytes, step_id: int) -> dict[str, Any]:
        """Return everything a template of this run may use for one person."""
        link = stop_link(self._runtime, digest, self.purpose_id, step_id)
        return {**self._common, "contact": person.values(), "unsubscribe_url": link, "preferences_url": link}

    def compose(
        self, variant: Variant, person: Person, *, to: str, digest: bytes, step_id: int, attempt: int
    ) -> Outbound:
        """Render one message. Raises MissingField, or InvalidInput where a limit is hit."""
        values = self.values(person, digest, step_id)
        rendered = tracking.track(variant.parsed.render(values), self._short(step_id))
        return Outbound(
            to=to,
            reference=reference(step_id, attempt),
            text=rendered.text,
            subject=rendered.subject,
            html=rendered.html,
            media=rendered.media,
            buttons=rendered.buttons,
            headers=unsubscribe_headers(values["unsubscribe_url"]),
        )

    def _short(self, step_id: int) -> dict[str, str]:
        """Return the counted links of this run as one person gets them; empty where nobody asked to count."""
        tokens = {url: self._runtime.keys.click_token(link, step_id) for url, link in self._links.items()}
        return {url: f"{self._runtime.public_url}/l/{token}" for url, token in tokens.items()}


def stop_link(runtime: Runtime, digest: bytes, purpose_id: int, step_id: int) -> str:
    """Return the address of the page on which this person stops or changes what they get."""
    return f"{runtime.public_url}/u/{runtime.keys.link_token(digest, link_scope(purpose_id, step_id))}"


def unsubscribe_headers(link: str) -> tuple[tuple[str, str], ...]:
    """Return the one-click headers of RFC 8058."""
    return (("List-Unsubscribe", f"<{link}>"), ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
