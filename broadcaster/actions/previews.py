"""See what one person would get, or the worst that anybody may get; send it to oneself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from sqlmodel import Session

from broadcaster.actions import content, messages, staff
from broadcaster.actions.forecast_result import plain
from broadcaster.actions.forecast_words import TYPICAL, brand_values, examples, facts_of, lint, missing_fields, put
from broadcaster.actions.organisation import footer_parts
from broadcaster.actions.rendering import Person, stop_link
from broadcaster.actions.runtime import Runtime
from broadcaster.channels import registry
from broadcaster.core import sms, templates, templates_lint
from broadcaster.core.errors import Conflict, InvalidInput, NotFound, Refused
from broadcaster.core.event_types import AddressSeen
from broadcaster.core.merge import ATTRIBUTES
from broadcaster.core.sms import SmsCount
from broadcaster.core.templates import Rendered
from broadcaster.core.templates_lint import SMS_CHANNELS, Problem
from broadcaster.storage import consent, contacts, log, people
from broadcaster.storage import previews as rows
from broadcaster.storage.people import NewAddress
from broadcaster.storage.tables import Account, Address, Brand, Template

#: Whose eyes to see with: somebody as most are, the longest of every value, nothing known at all.
Persona = Literal["typical", "longest", "unknown"]
PERSONAS: tuple[Persona, ...] = ("typical", "longest", "unknown")
_EXAMPLE_DIGEST = bytes(32)


@dataclass(frozen=True, slots=True)
class Preview:
    """One message as it would look.

    *missing* names the fields that would keep it from being sent to this person; in the texts they stand as
    ``[contact.first_name]``. *sms* counts characters and parts, None on other channels.
    """

    channel: str
    language: str
    text: str = field(repr=False)
    subject: str = field(repr=False)
    html: str = field(repr=False)
    buttons: tuple[tuple[str, str, str], ...] = field(repr=False)
    media: tuple[tuple[str, str, str], ...] = field(repr=False)
    missing: tuple[str, ...]
    sms: SmsCount | None
    problems: tuple[Problem, ...]

    @property
    def sendable(self) -> bool:
        """Say whether this person would get it."""
        return not self.missing and not any(one.blocking for one in self.problems)

    def told(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {**plain(asdict(self)), "sendable": self.sendable}


def preview(
    runtime: Runtime,
    words: Mapping[str, Any],
    *,
    channel: str,
    brand_id: int,
    language: str = "",
    purpose_id: int | None = None,
    provider: str | None = None,
    contact_id: int | None = None,
    persona: Persona = "typical",
) -> Preview:
    """Render content that need not be saved, for a contact or a *persona*, with everything the lint says of it.

    Content that cannot be read or rendered comes back empty with its problems. Without a purpose it counts as
    marketing. Raises NotFound for a contact, brand or channel that does not exist.
    """
    if persona not in PERSONAS:
        raise InvalidInput("choose typical, longest or unknown", field="persona", code="unknown_choice")
    with runtime.db.reading() as session:
        brand = session.get(Brand, brand_id)
        if brand is None:
            raise NotFound("there is no such brand")
        facts = facts_of(channel, provider)
        marketing = purpose_id is None or consent.is_marketing(session, purpose_id)
        parts = footer_parts(session, channel)
        problems = tuple(lint(words, facts, marketing=marketing, brand=brand.name, parts=parts))
        link = stop_link(runtime, _EXAMPLE_DIGEST, purpose_id or 0, 10**9)
        values = {**brand_values(brand, "Preview"), "unsubscribe_url": link, "preferences_url": link}
        try:
            parsed = templates.parse(templates.content_of(words))
            values["contact"] = _contact(runtime, session, contact_id, persona, parsed)
            rendered, missing = _render(parsed, values)
        except InvalidInput as problem:
            problems = problems or (Problem(problem.code, problem.field or "", problem.message),)
            rendered, missing = Rendered("", "", "", (), ()), ()
    return _told(channel, language, rendered, missing, problems)


def preview_variant(
    runtime: Runtime,
    template_id: int,
    *,
    channel: str,
    language: str = "",
    contact_id: int | None = None,
    persona: Persona = "typical",
    purpose_id: int | None = None,
) -> Preview:
    """Preview the newest version of a saved template in *language* (its own default if not given, or a fallback)."""
    with runtime.db.reading() as session:
        template, chosen, words = _variant(session, template_id, channel, language)
        brand_id = template.brand_id
    return preview(
        runtime,
        words,
        channel=channel,
        brand_id=brand_id,
        language=chosen,
        purpose_id=purpose_id,
        contact_id=contact_id,
        persona=persona,
    )


def _variant(
    session: Session, template_id: int, channel: str, language: str
) -> tuple[Template, str, Mapping[str, Any]]:
    template = session.get(Template, template_id)
    if template is None:
        raise NotFound("there is no such template")
    known = content.variants_of(session, template)
    wanted = language or template.default_language
    for candidate in (wanted, wanted.split("-")[0], template.default_language):
        if (channel, candidate) in known:
            return template, candidate, known[channel, candidate]
    raise NotFound(f"the template says nothing for {channel}", code="no_template")


def _told(
    channel: str, language: str, rendered: Rendered, missing: tuple[str, ...], problems: tuple[Problem, ...]
) -> Preview:
    return Preview(
        channel=channel,
        language=language,
        text=rendered.text,
        subject=rendered.subject,
        html=rendered.html,
        buttons=tuple((one.kind.value, one.title, one.value) for one in rendered.buttons),
        media=tuple((one.kind.value, one.url, one.filename) for one in rendered.media),
        missing=missing,
        sms=sms.parts(rendered.text) if channel in SMS_CHANNELS else None,
        problems=problems,
    )


def _contact(
    runtime: Runtime, session: Session, contact_id: int | None, persona: Persona, parsed: templates.ParsedTemplate
) -> dict[str, Any]:
    if contact_id is not None:
        row = contacts.get(session, contact_id)
        secret = contacts.open_secrets(contacts.key_of(session, runtime.keys, row), row)
        return Person(
            first_name=secret["first_name"] or "",
            last_name=secret["last_name"] or "",
            language=row.language,
            country=row.country,
            profession=row.profession,
            attributes=row.attributes,
        ).values()
    if persona == "unknown":
        return {"attributes": {}}
    known = examples(session)
    if persona == "longest":
        typed = {key: value for key, value in known.items() if value != "Example"}
        longest: dict[str, Any] = templates_lint.worst_values(parsed, "", typed)["contact"]
        return longest
    asked = [name.removeprefix(ATTRIBUTES) for name in parsed.variables() if name.startswith(ATTRIBUTES)]
    return {**TYPICAL, "attributes": {key: known.get(key, "Example") for key in asked}}


def _render(parsed: templates.ParsedTemplate, values: dict[str, Any]) -> tuple[Rendered, tuple[str, ...]]:
    missing = missing_fields(parsed, values)
    filled = {name: dict(value) if isinstance(value, dict) else value for name, value in values.items()}
    for name in missing:
        put(filled, name, f"[{name}]")
    return parsed.render(filled), missing


def send_test(
    runtime: Runtime,
    template_id: int,
    *,
    account_id: int,
    staff_id: int,
    to: str = "",
    language: str = "",
    contact_id: int | None = None,
    actor: str,
) -> int:
    """Queue a test of a template to a staff member's own address and return the message's id.

    Their own is the address they sign in with (*to* empty, by e-mail), and every address of the internal contact that
    uses it; in the sandbox, which reaches nobody, any. Raises Refused ``not_own_address`` or ``opted_out``,
    InvalidInput for an address or words that will not do, Conflict for an account that cannot send.
    """
    member = staff.find(runtime, staff_id)
    with runtime.db.reading() as session:
        account = session.get(Account, account_id)
        if account is None:
            raise NotFound("there is no such account")
        template, chosen, words = _variant(session, template_id, account.channel, language)
    shown = preview(
        runtime,
        words,
        channel=account.channel,
        brand_id=template.brand_id,
        language=chosen,
        provider=account.provider,
        contact_id=contact_id,
    )
    broken = next((one for one in shown.problems if one.blocking and not (shown.text or shown.html)), None)
    if broken is not None:
        raise InvalidInput(broken.message, code=broken.code, field=broken.field)
    with runtime.db.transaction(actor) as session:
        address_id = _own_address(runtime, session, account, member.email, to)
        words = {name: getattr(shown, name) for name in ("text", "subject", "html", "media", "buttons")}
        return messages.queue_test(
            runtime, session, address_id=address_id, account_id=account_id, staff_id=staff_id, words=words
        )


def _own_address(runtime: Runtime, session: Session, account: Account, email: str, to: str) -> int:
    if account.state != "active":
        raise Conflict(f"the account is {account.state}", code="channel_not_ready")
    facts = registry.get(account.provider, account.channel)
    scope = None if facts.capabilities.address_scope == "global" else account.id
    value = facts.normalise(to or email)
    wanted = NewAddress(account.channel, scope, facts.capabilities.address_kind, value)
    own = account.provider == registry.SANDBOX or (account.channel == "email" and value == facts.normalise(email))
    if not own:
        known = people.find_address(session, runtime.keys, wanted)
        mine = people.find_address(session, runtime.keys, NewAddress("email", None, "email", email))
        if known is None or mine is None or not rows.of_one_colleague(session, mine.id, known.id):
            raise Refused("a test goes only to your own address", code="not_own_address")
    now = runtime.db.now(session)
    found = contacts.find_or_create_address(session, runtime.keys, wanted, now=now, by_person=False)
    if found.created:
        log.record(session, AddressSeen(address_id=found.id, channel=account.channel), at=now)
    row = session.get_one(Address, found.id)
    if row.suppressed or row.status != "ok" or rows.has_refused(session, found.id):
        raise Refused("this address has said stop, or does not work", code="opted_out")
    return found.id
