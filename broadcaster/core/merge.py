"""Merge fields: a parsed text and its rendering for one person, by Liquid or, for plain fields, ten times faster.

Values are hostile input like the texts (``core/merge_liquid.py``): HTML escapes them, always. A value that is absent,
``None`` or blank is *missing*: ``default`` and ``if`` see nothing, printing it raises MissingField.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from liquid import BoundTemplate
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, Path, StringLiteral
from liquid.builtin.output import OutputNode
from liquid.exceptions import LiquidError, ResourceLimitError
from markupsafe import escape

from broadcaster.core.errors import InvalidInput
from broadcaster.core.merge_liquid import HTML, MAX_OUTPUT_BYTES, TEXT, MissingField

__all__ = ["ATTRIBUTES", "FIELDS", "MissingField", "Piece", "Values", "compile_text"]

Values = Mapping[str, Any]

#: Everything a template may ask for; any name may follow ``contact.attributes.``.
FIELDS = frozenset(
    {
        "contact.first_name",
        "contact.last_name",
        "contact.language",
        "contact.country",
        "contact.profession",
        "brand.name",
        "brand.website",
        "brand.postal_address",
        "brand.contact",
        "campaign.name",
        "unsubscribe_url",
        "preferences_url",
    }
)
ATTRIBUTES = "contact.attributes."

_NAME = re.compile(r"[A-Za-z_][\w-]{0,63}")


@dataclass(frozen=True, slots=True)
class _Field:
    """A plain output tag: where its value is, and the text that stands in for a missing one."""

    name: str
    path: tuple[str, ...]
    fallback: str | None


@dataclass(frozen=True, slots=True, repr=False)
class Piece:
    """One parsed text. ``fields`` are the names of all merge fields in it; rendering is the same on both roads."""

    fields: frozenset[str]
    segments: tuple[str | _Field, ...] | None  #: None: only Liquid can render it
    template: BoundTemplate
    html: bool

    def render(self, values: Values) -> str:
        """Return the text for one person. Raises MissingField, InvalidInput ``render_failed`` or ``template_limit``."""
        if self.segments is None:
            return self.render_by_liquid(values)
        text = "".join([part if isinstance(part, str) else self._value(part, values) for part in self.segments])
        if len(text) * 4 > MAX_OUTPUT_BYTES and len(text.encode()) > MAX_OUTPUT_BYTES:
            raise _failed(ResourceLimitError("output", token=None))
        return text

    def render_by_liquid(self, values: Values) -> str:
        """Return the same as ``render``, without its short cut."""
        try:
            return self.template.render(_namespace(values))
        except InvalidInput:
            raise
        except Exception as problem:  # whatever a hostile text brings the library to
            raise _failed(problem) from None

    def _value(self, field: _Field, values: Values) -> str:
        value: Any = values
        for name in field.path:
            value = value.get(name)
            if value is None:
                break
        if type(value) is not str:
            if value is None or (value is False and field.fallback is not None):
                return _fallback(field)
            value = _leaf(value)
        if not value or value.isspace():
            return _fallback(field)
        return str(escape(value)) if self.html else str(value)


def compile_text(source: str, *, field: str, html: bool = False) -> Piece:
    """Parse one text of a template.

    Raises InvalidInput with *field*, line and column: ``template_syntax``, ``unknown_filter``, ``unknown_field``.
    """
    try:
        template = (HTML if html else TEXT).from_string(source)
        found = template.analyze(include_partials=False)
    except (LiquidError, RecursionError, ValueError) as problem:
        raise _syntax_error(problem, source, field) from None
    for name, spans in found.filters.items():
        if name not in TEXT.filters:
            raise _at(source, spans[0].index, f"There is no filter “{name[:40]}”.", "unknown_filter", field)
    names: set[str] = set()
    for variable in (one for group in found.globals.values() for one in group):
        name = ".".join(str(segment) for segment in variable.segments)
        if not _is_field(name, len(variable.segments), all(isinstance(one, str) for one in variable.segments)):
            raise _at(source, variable.span.index, f"There is no field “{name[:60]}”.", "unknown_field", field)
        names.add(name)
    return Piece(frozenset(names), _segments(template), template, html)


def _is_field(name: str, depth: int, plain: bool) -> bool:
    if not plain:
        return False
    if name.startswith(ATTRIBUTES):
        return depth == 3 and bool(_NAME.fullmatch(name.removeprefix(ATTRIBUTES)))
    return name in FIELDS and depth == name.count(".") + 1


def _segments(template: BoundTemplate) -> tuple[str | _Field, ...] | None:
    parts: list[str | _Field] = []
    for node in template.nodes:
        part = node.text if isinstance(node, ContentNode) else _plain_field(node)
        if part is None:
            return None
        parts.append(part)
    return tuple(parts)


def _plain_field(node: object) -> _Field | None:
    if not isinstance(node, OutputNode) or not isinstance(node.expression, FilteredExpression):
        return None
    path, filters = node.expression.left, node.expression.filters or []
    if not isinstance(path, Path) or not all(isinstance(one, str) for one in path.path):
        return None
    where = tuple(str(one) for one in path.path)
    if not filters:
        return _Field(".".join(where), where, None)
    args = filters[0].args
    if len(filters) > 1 or filters[0].name != "default" or len(args) != 1:
        return None
    literal = getattr(args[0], "value", None)
    known = type(args[0]).__name__ == "PositionalArgument" and isinstance(literal, StringLiteral)
    return _Field(".".join(where), where, str(literal.value)) if known and literal is not None else None


def _fallback(field: _Field) -> str:
    if field.fallback is None:
        raise MissingField(field.name)
    return field.fallback


def _leaf(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str.__str__(value) if isinstance(value, str) else str(value)


def _namespace(values: Values) -> dict[str, Any]:
    """Return what Liquid sees. Every group is there, so that a missing field is named in full."""
    clean = _clean(values)
    contact = {"attributes": {}} | clean.get("contact", {})
    return {"brand": {}, "campaign": {}} | clean | {"contact": contact}


def _clean(values: Values) -> dict[str, Any]:
    """Return the values as Liquid may see them: nothing blank, nothing but plain text, numbers and truth values."""
    clean: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            clean[name] = _clean(value)
        elif isinstance(value, bool | int | float):
            clean[name] = value
        elif value is not None and (text := _leaf(value)) and not text.isspace():
            clean[name] = text
    return clean


def _failed(problem: Exception) -> InvalidInput:
    code = (
        "template_limit" if isinstance(problem, ResourceLimitError | RecursionError | MemoryError) else "render_failed"
    )
    words = "The template does too much work." if code == "template_limit" else "The template cannot be rendered."
    return InvalidInput(f"{words} ({type(problem).__name__})", code=code)


def _syntax_error(problem: Exception, source: str, field: str) -> InvalidInput:
    token = getattr(problem, "token", None)
    index = token.start_index if token is not None else 0
    said = str(problem.args[0])[:200] if isinstance(problem, LiquidError) and problem.args else "it is nested too deep"
    return _at(source, index, f"The template cannot be understood: {said}.", "template_syntax", field)


def _at(source: str, index: int, message: str, code: str, field: str) -> InvalidInput:
    index = min(max(index, 0), len(source))
    line, column = source.count("\n", 0, index) + 1, index - source.rfind("\n", 0, index)
    return InvalidInput(message, code=code, field=field, line=line, column=column)
