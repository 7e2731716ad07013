"""What to say: the content for one channel and language, parsed once per run and rendered once per person."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from inscriptis import get_text  # type: ignore[import-untyped]
from inscriptis.model.config import ParserConfig  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from broadcaster.core.errors import InvalidInput
from broadcaster.core.links import check_link
from broadcaster.core.merge import MissingField, Piece, Values, compile_text
from broadcaster.core.messages import Button, ButtonKind, Media, MediaKind

__all__ = [
    "ButtonContent", "Content", "MediaContent", "MissingField", "ParsedTemplate", "Rendered", "Values", "content_of",
    "parse", "text_alternative",
]  # fmt: skip

MAX_TEXT_CHARACTERS = 20_000
MAX_HTML_CHARACTERS = 100_000  #: Gmail cuts a mail off at 102 kB
MAX_SUBJECT_CHARACTERS = 255
MAX_MEDIA = 10
MAX_BUTTONS = 13  #: LINE's quick replies, the most of any channel

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_BREAKS_A_LINE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
_MERGED = re.compile(r"\{[{%]")
_OUR_LINK = re.compile(r"\s*\{\{-?\s*(unsubscribe_url|preferences_url)\s*-?\}\}\s*")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class MediaContent(_Part):
    """One attachment, by public https address."""

    kind: MediaKind
    url: Annotated[str, Field(min_length=1, max_length=2000)]
    filename: Annotated[str, Field(max_length=255)] = ""

    @field_validator("url")
    @classmethod
    def _link(cls, value: str) -> str:
        return _good_link(value)

    @field_validator("filename")
    @classmethod
    def _name(cls, value: str) -> str:
        if _BREAKS_A_LINE.search(value) or "/" in value or "\\" in value:
            raise PydanticCustomError("filename", "A file name has no slash and no line break.")
        return value


class ButtonContent(_Part):
    """One button: a quick reply with its payload, or a link with its address."""

    kind: ButtonKind
    title: Annotated[str, Field(min_length=1, max_length=80)]
    value: Annotated[str, Field(min_length=1, max_length=2000)]

    @field_validator("title")
    @classmethod
    def _one_line(cls, value: str) -> str:
        return _single_line(value)

    @field_validator("value")
    @classmethod
    def _link(cls, value: str, info: Any) -> str:
        return _good_link(value) if info.data.get("kind") is ButtonKind.URL else _single_line(value)


class Content(_Part):
    """What to say on one channel in one language; every text may hold merge fields (``core/merge.py``)."""

    text: Annotated[str, Field(max_length=MAX_TEXT_CHARACTERS)] = ""
    subject: Annotated[str, Field(max_length=MAX_SUBJECT_CHARACTERS)] = ""
    html: Annotated[str, Field(max_length=MAX_HTML_CHARACTERS)] = ""
    media: Annotated[tuple[MediaContent, ...], Field(max_length=MAX_MEDIA)] = ()
    buttons: Annotated[tuple[ButtonContent, ...], Field(max_length=MAX_BUTTONS)] = ()

    @field_validator("subject")
    @classmethod
    def _one_line(cls, value: str) -> str:
        return _single_line(value)

    @field_validator("text", "html")
    @classmethod
    def _readable(cls, value: str) -> str:
        if _CONTROL.search(value):
            raise PydanticCustomError("control_character", "A text holds no control characters.")
        return value.replace("\r\n", "\n").replace("\r", "\n")


@dataclass(slots=True)
class Rendered:
    """What one person gets."""

    text: str
    subject: str
    html: str
    media: tuple[Media, ...]
    buttons: tuple[Button, ...]


@dataclass(frozen=True, slots=True)
class ParsedTemplate:
    """A content whose texts are parsed; may be shared by threads."""

    text: Piece
    subject: Piece
    html: Piece
    media: tuple[tuple[MediaKind, Piece, Piece], ...]
    buttons: tuple[tuple[ButtonKind, Piece, Piece], ...]

    def variables(self) -> tuple[str, ...]:
        """Return the names of all merge fields used anywhere, sorted."""
        pieces = [self.text, self.subject, self.html]
        pieces += [piece for _, *pair in (*self.media, *self.buttons) for piece in pair]
        return tuple(sorted(frozenset().union(*(piece.fields for piece in pieces))))

    def render(self, values: Values) -> Rendered:
        """Return the message for one person.

        Raises MissingField naming the field; InvalidInput ``link_scheme``, ``template_limit`` or ``render_failed``.
        """
        return Rendered(
            text=self.text.render(values),
            subject=_fold(self.subject.render(values)),
            html=self.html.render(values),
            media=tuple(
                Media(kind, _rendered_link(url, values, "media"), _fold(name.render(values)).replace("/", "_"))
                for kind, url, name in self.media
            ),
            buttons=tuple(
                Button(kind, _fold(title.render(values)), _button_value(kind, value, values))
                for kind, title, value in self.buttons
            ),
        )


def content_of(data: Mapping[str, Any]) -> Content:
    """Read stored or submitted content. Raises InvalidInput with the field's path and a code."""
    try:
        return Content.model_validate(data)
    except ValidationError as problem:
        first = problem.errors(include_input=False, include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"{field}: {first['msg']}", code=first["type"], field=field) from None


def parse(content: Content) -> ParsedTemplate:
    """Parse every text of a content. Raises InvalidInput with field, line and column."""
    return ParsedTemplate(
        text=compile_text(content.text, field="text"),
        subject=compile_text(content.subject, field="subject"),
        html=compile_text(content.html, field="html", html=True),
        media=tuple(
            (one.kind, compile_text(one.url, field=f"media.{n}.url"), compile_text(one.filename, field=f"media.{n}"))
            for n, one in enumerate(content.media)
        ),
        buttons=tuple(
            (
                one.kind,
                compile_text(one.title, field=f"buttons.{n}.title"),
                compile_text(one.value, field=f"buttons.{n}"),
            )
            for n, one in enumerate(content.buttons)
        ),
    )


def text_alternative(html: str) -> str:
    """Return the text part for an HTML part, links written out; merge fields and tags of Liquid come through."""
    if not html.strip():
        return ""
    text = get_text(html, ParserConfig(display_links=True))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in text.splitlines())).strip()


def _button_value(kind: ButtonKind, value: Piece, values: Values) -> str:
    return _rendered_link(value, values, "buttons") if kind is ButtonKind.URL else _fold(value.render(values))


def _rendered_link(piece: Piece, values: Values, field: str) -> str:
    url = piece.render(values)
    if piece.fields:  # without merge fields it was checked when it was saved
        check_link(url, field=field)
    return url


def _fold(line: str) -> str:
    """Make one line of it: a name with a line break in it must not start a header."""
    return _BREAKS_A_LINE.sub(" ", line).strip() if not line.isprintable() else line


def _single_line(value: str) -> str:
    if _BREAKS_A_LINE.search(value):
        raise PydanticCustomError("line_break", "This must be one line.")
    return value


def _good_link(value: str) -> str:
    """Check a link as far as it is known before rendering: a merge field may follow the host, or be our own link."""
    if _OUR_LINK.fullmatch(value):
        return value
    try:
        check_link(_MERGED.split(value)[0] if _MERGED.search(value) else value, field="url")
    except InvalidInput as problem:
        raise PydanticCustomError("link_scheme", "{reason}", {"reason": problem.message}) from None
    return value
