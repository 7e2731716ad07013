"""The form of one variant of a template (a channel in a language), and the content it means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints, create_model

from broadcaster.channels import registry
from broadcaster.channels.contract import Capabilities
from broadcaster.core.errors import InvalidInput
from broadcaster.core.merge import FIELDS
from broadcaster.core.templates_lint import Problem
from broadcaster.storage import listings
from web import campaign_words, words
from web.context import runtime
from web.forms import Form, FormModel, Line, blank
from web.language import _, _l

BUTTONS = 13
FILES = 10
SHOWN_AT_LEAST = 2  #: empty lines for further buttons and files

Body = Annotated[str, StringConstraints(max_length=100_000)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]
Language = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]

_PARTS: dict[str, Any] = {
    f"b{n}_{key}": (Short | None, None) for n in range(BUTTONS) for key in ("kind", "title", "value")
}
_PARTS |= {f"m{n}_{key}": (Short | None, None) for n in range(FILES) for key in ("kind", "url", "filename")}


class _Variant(FormModel):
    channel: Line
    language: Language
    subject: Short | None = None
    text: Body | None = None
    html: Body | None = None
    # what the form has beside the words
    name: Line | None = None
    brand: int | None = None
    seen: int | None = None
    persona: Line | None = None
    contact: Short | None = None

    def content(self) -> dict[str, Any]:
        """Return the content as ``core/templates`` reads it."""
        told = self.model_dump()
        content = {name: (told[name] or "").strip() for name in ("subject", "text", "html")}
        buttons = [_part(told, f"b{n}", ("kind", "title", "value")) for n in range(BUTTONS)]
        media = [_part(told, f"m{n}", ("kind", "url", "filename")) for n in range(FILES)]
        return {
            **content,
            "buttons": [one for one in buttons if one["title"] or one["value"]],
            "media": [one for one in media if one["url"]],
        }


def _part(told: Mapping[str, Any], prefix: str, keys: tuple[str, ...]) -> dict[str, str]:
    return {key: told[f"{prefix}_{key}"] or "" for key in keys}


Variant: type[_Variant] = create_model("Variant", __base__=_Variant, **_PARTS)


class About(FormModel):
    name: Line
    brand: int | None = None
    default_language: Language
    seen: int


class Test(FormModel):
    account: int
    to: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] | None = None
    language: Annotated[str, Field(max_length=20)] | None = None


def of_content(content: Mapping[str, Any], **values: Any) -> Form[_Variant]:
    """Return the form of a stored content."""
    begin: dict[str, Any] = {name: content.get(name, "") for name in ("subject", "text", "html")}
    for letter, parts in (("b", content.get("buttons", ())), ("m", content.get("media", ()))):
        for number, part in enumerate(parts):
            begin |= {f"{letter}{number}_{key}": value for key, value in part.items()}
    return blank(Variant, **begin, **values)


def shown(form: Form[_Variant], letter: str, most: int) -> int:
    """Return how many lines of buttons or files to show."""
    used = [n for n in range(BUTTONS) if any(form.value(f"{letter}{n}_{key}") for key in ("title", "value", "url"))]
    return min(most, max([*used, -1]) + 1 + SHOWN_AT_LEAST)


def facts(channel: str) -> Capabilities:
    """Return what a channel carries. Raises InvalidInput."""
    for one in registry.CHANNELS.values():
        if one.capabilities.channel == channel:
            return one.capabilities
    raise InvalidInput("there is no such channel", field="channel", code="unknown_choice")


def refuse(form: Form[Any], problem: InvalidInput) -> None:
    """Show what is wrong with a content at its field, with line and column."""
    form.errors[_field_of(problem.field or "")] = said(problem)


def _field_of(field: str) -> str:
    parts = field.split(".")
    if parts[0] in ("buttons", "media") and len(parts) > 1:
        letter = parts[0][0]
        return f"{letter}{parts[1]}_{parts[2] if len(parts) > 2 else 'value' if letter == 'b' else 'url'}"
    return parts[0]


def said(problem: InvalidInput | Problem) -> str:
    """Say what is wrong with a text, and where."""
    known = _PROBLEMS.get(problem.code) or campaign_words.PROBLEMS.get(problem.code)
    if known is None and isinstance(problem, InvalidInput):
        known = words.PROBLEMS.get(problem.code)
    text = str(known) if known else problem.message
    if problem.line:
        return _("%(text)s (line %(line)s, column %(column)s)", text=text, line=problem.line, column=problem.column)
    return text


_PROBLEMS = {
    "template_limit": _l("The template does too much work."),
    "render_failed": _l("The template cannot be rendered."),
    "unknown_field": _l("There is no such field."),
    "unknown_filter": _l("There is no such filter."),
    "link_scheme": _l("This link is not acceptable: use a full https address."),
    "line_break": _l("This must be one line."),
    "control_character": _l("Line breaks and control characters are not allowed here."),
    "string_too_long": _l("This is too long."),
    "string_too_short": _l("Please fill this in."),
    "enum": _l("Choose one of the list."),
}


def picker() -> list[tuple[str, list[str]]]:
    """Return the merge fields in groups: those of everybody, and the organisation's own attributes."""
    with runtime().db.reading() as session:
        own = [f"contact.attributes.{one.key}" for one in listings.attributes(session)]
    plain = sorted(FIELDS)
    return [
        (_("Of the person"), [one for one in plain if one.startswith("contact.")] + own),
        (_("Of the sender"), [one for one in plain if one.startswith(("brand.", "campaign."))]),
        (_("Ways out"), [one for one in plain if one.endswith("_url")]),
    ]
