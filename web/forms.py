"""Forms: a pydantic model says what a form holds, ``read`` says what is wrong with what came.

An empty field counts as absent. A field the model does not name is refused (nobody makes themselves an administrator),
and so is one that comes twice where the model wants one.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from flask import abort, request
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from broadcaster.core.errors import Conflict, InvalidInput, Refused
from web import words

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20_000)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]

_OURS = frozenset({"csrf_token"})


class FormModel(BaseModel):
    """The fields of a form. Give a default to what may stay empty."""

    model_config = ConfigDict(extra="forbid", frozen=True)


M = TypeVar("M", bound=FormModel)


@dataclass(slots=True)
class Form(Generic[M]):
    """What was filled in, and what is wrong with it. ``data`` is None until all of it is right."""

    values: dict[str, list[str]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    data: M | None = None

    def value(self, name: str) -> str:
        """Return what to show in a field."""
        return next(iter(self.values.get(name, ())), "")

    def all(self, name: str) -> list[str]:
        """Return everything chosen in a field with several values."""
        return self.values.get(name, [])

    def error(self, name: str) -> str:
        return self.errors.get(name, "")

    def refuse(self, problem: InvalidInput | Conflict | Refused) -> None:
        """Show an action's refusal at its field, or above the form."""
        name = getattr(problem, "field", None) or ""
        self.errors[name] = words.problem(problem)

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Turn what an action refuses inside the block into errors of this form."""
        try:
            yield
        except (InvalidInput, Conflict, Refused) as problem:
            self.refuse(problem)


def blank(model: type[M], **values: object) -> Form[M]:
    """Return a form nobody has filled in, with *values* to begin with."""
    form: Form[M] = Form()
    for name, value in values.items():
        assert name in model.model_fields, name
        many = isinstance(value, (list, tuple, set, frozenset))
        form.values[name] = [str(one) for one in value] if many else [_shown(value)]  # type: ignore[attr-defined]
    return form


def read(model: type[M]) -> Form[M]:
    """Read the request's form. The page shows ``errors`` with status 422 if ``data`` is None."""
    form: Form[M] = Form()
    given: dict[str, Any] = {}
    for name, values in request.form.lists():
        if name in _OURS:
            continue
        form.values[name] = list(values)
        known = model.model_fields.get(name)
        many = known is not None and _is_list(known.annotation)
        if len(values) > 1 and not many:
            abort(400, "duplicate_field")
        if any(not _storable(value) for value in values):
            form.errors[name] = words.field_problem("control_character")
        kept = [value for value in values if value.strip()]
        if kept:
            given[name] = kept if many else kept[0]
    try:
        data = model.model_validate(given)
    except ValidationError as problem:
        _explain(form, problem)
        return form
    form.data = None if form.errors else data
    return form


def _explain(form: Form[Any], problem: ValidationError) -> None:
    for one in problem.errors(include_input=False, include_url=False, include_context=True):
        name = str(one["loc"][0]) if one["loc"] else ""
        if one["type"] == "extra_forbidden":
            raise InvalidInput("this form has no such field", code="unknown_field", field=name[:40])
        inner = one.get("ctx", {}).get("error")
        text = words.problem(inner) if isinstance(inner, InvalidInput) else words.field_problem(one["type"])
        form.errors.setdefault(name, text)


def _storable(text: str) -> bool:
    """Say whether the database takes it: no NUL, no half of a surrogate pair."""
    return text.isprintable() or not any(sign == "\0" or 0xD800 <= ord(sign) < 0xE000 for sign in text)


def _is_list(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin in {Union, types.UnionType}:
        return any(_is_list(one) for one in get_args(annotation))
    return origin in {list, tuple, set, frozenset}


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else ""
    return "" if value is None else str(value)
