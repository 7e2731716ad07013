"""Who is meant: the grammar of audience rules, stored as JSON and compiled to SQL by ``storage/audiences.py``.

    {"type": "all", "rules": [
        {"type": "country", "values": ["FR", "BE"]},
        {"type": "attribute", "key": "plan", "of": "text", "op": "eq", "value": "gold"},
        {"type": "behaviour", "what": "clicked", "did": false, "within_days": 90}]}

An empty rule is an error, not everybody: whoever means everybody says ``{"type": "everybody"}``. A new condition is one
class here, one case in ``audience_words.py`` and one in the compiler; the type checker names the one you forgot.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from broadcaster.core.errors import InvalidInput

MAX_DEPTH = 8
MAX_CONDITIONS = 200  #: groups count too
MAX_VALUES = 1_000  #: over the whole rule; more is a static list
MAX_TEXT_CHARACTERS = 200
MAX_DAYS = 3650

Text = Annotated[StrictStr, Field(min_length=1, max_length=MAX_TEXT_CHARACTERS)]
Key = Annotated[StrictStr, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")]
Channel = Annotated[StrictStr, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
RowId = Annotated[StrictInt, Field(ge=1, le=2**63 - 1)]
Age = Annotated[StrictInt, Field(ge=0, le=130)]
Days = Annotated[StrictInt, Field(ge=1, le=MAX_DAYS)]
Scalar: TypeAlias = StrictBool | StrictInt | StrictFloat | StrictStr
Operator = Literal[
    "eq", "ne", "in", "lt", "lte", "gt", "gte", "contains", "starts_with", "is_set", "is_not_set"
]  # fmt: skip
AttributeType = Literal["text", "number", "date", "boolean"]
_ORDERED = frozenset({"eq", "ne", "in", "lt", "lte", "gt", "gte", "is_set", "is_not_set"})
OPERATORS: dict[AttributeType, frozenset[str]] = {
    "text": frozenset({"eq", "ne", "in", "contains", "starts_with", "is_set", "is_not_set"}),
    "number": _ORDERED,
    "date": _ORDERED,
    "boolean": frozenset({"eq", "is_set", "is_not_set"}),
}


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class All(_Rule):
    """Every rule holds."""

    type: Literal["all"] = "all"
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]


class AnyOf(_Rule):
    """At least one rule holds."""

    type: Literal["any"] = "any"
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]


class NoneOf(_Rule):
    """No rule holds."""

    type: Literal["none"] = "none"
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)]


class Everybody(_Rule):
    """All contacts, said in so many words."""

    type: Literal["everybody"] = "everybody"


class Attribute(_Rule):
    """A free attribute compared with a value of its type; dates are ``YYYY-MM-DD``.

    A contact without the attribute fulfils no comparison, not even ``ne``; only ``is_not_set``.
    """

    type: Literal["attribute"] = "attribute"
    key: Key
    of: AttributeType
    op: Operator
    value: Scalar | tuple[Scalar, ...] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Attribute:
        if self.op not in OPERATORS[self.of]:
            raise PydanticCustomError(
                "operator", "A {of} cannot be compared with “{op}”.", {"of": self.of, "op": self.op}
            )
        many = self.value if isinstance(self.value, tuple) else (self.value,)
        if self.op in ("is_set", "is_not_set"):
            good = self.value is None
        elif self.op == "in":
            good = isinstance(self.value, tuple) and len(many) > 0 and all(_is_of(self.of, one) for one in many)
        else:
            good = not isinstance(self.value, tuple) and _is_of(self.of, self.value)
        if not good:
            raise PydanticCustomError("value", "The value does not fit: {of}, “{op}”.", {"of": self.of, "op": self.op})
        return self


class _OneOf(_Rule):
    values: Annotated[tuple[Text, ...], Field(min_length=1)]


class Kind(_Rule):
    """Consumer, professional, or a member of the organisation."""

    type: Literal["kind"] = "kind"
    values: Annotated[tuple[Literal["consumer", "professional", "internal"], ...], Field(min_length=1)]


class Language(_Rule):
    """The contact's language; ``fr`` includes ``fr-CA``."""

    type: Literal["language"] = "language"
    values: Annotated[
        tuple[Annotated[StrictStr, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")], ...], Field(min_length=1)
    ]


class Country(_Rule):
    """ISO 3166-1 alpha-2."""

    type: Literal["country"] = "country"
    values: Annotated[tuple[Annotated[StrictStr, Field(pattern=r"^[A-Z]{2}$")], ...], Field(min_length=1)]


class TimeZone(_Rule):
    """Names such as ``Europe/Paris``."""

    type: Literal["time_zone"] = "time_zone"
    values: Annotated[
        tuple[Annotated[StrictStr, Field(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]{1,63}$")], ...], Field(min_length=1)
    ]


class AgeBetween(_Rule):
    """Age in years reached this calendar year, both ends included; somebody of unknown age does not match."""

    type: Literal["age"] = "age"
    min: Age | None = None
    max: Age | None = None

    @model_validator(mode="after")
    def _bounded(self) -> AgeBetween:
        if self.min is None and self.max is None:
            raise PydanticCustomError("age", "Give a least or a greatest age.")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise PydanticCustomError("age", "The least age is above the greatest.")
        return self


class Profession(_OneOf):
    type: Literal["profession"] = "profession"


class Interest(_OneOf):
    """Interests by key; any of them."""

    type: Literal["interest"] = "interest"


class Group(_OneOf):
    """Lists, projects and departments by key; any of them."""

    type: Literal["group"] = "group"


class Consent(_Rule):
    """The standing of any of the contact's addresses on a channel for a purpose; ``none``: nothing is known.

    This selects; it permits nothing. Whether a message may go is decided at the gate.
    """

    type: Literal["consent"] = "consent"
    channel: Channel | None = None  #: None: on any channel
    purpose: Key
    state: Literal["granted", "pending", "withdrawn", "objected", "expired", "restricted", "none"]
    ends_within_days: Days | None = None  #: a consent that still holds, and runs out so soon

    @model_validator(mode="after")
    def _ends(self) -> Consent:
        if self.ends_within_days is not None and self.state != "granted":
            raise PydanticCustomError("ends", "Only a consent that holds can run out.")
        return self


class HasChannel(_Rule):
    """The contact has a working address on this channel."""

    type: Literal["has_channel"] = "has_channel"
    channel: Channel


class Behaviour(_Rule):
    """What the contact did, or did not do, with a campaign of ours or any; ``within_days`` None: ever."""

    type: Literal["behaviour"] = "behaviour"
    what: Literal["received", "read", "clicked", "replied"]
    did: StrictBool = True
    campaign: RowId | None = None
    within_days: Days | None = None


class StaticList(_Rule):
    """Members of a saved list, by the id of its audience."""

    type: Literal["list"] = "list"
    audience: RowId


RuleUnion: TypeAlias = (
    All | AnyOf | NoneOf | Everybody | Attribute | Kind | Language | Country | TimeZone | AgeBetween | Profession
    | Interest | Group | Consent | HasChannel | Behaviour | StaticList
)  # fmt: skip
Rule: TypeAlias = Annotated[RuleUnion, Field(discriminator="type")]

for _group in (All, AnyOf, NoneOf):
    _group.model_rebuild()
_ADAPTER: TypeAdapter[RuleUnion] = TypeAdapter(Rule)


def parse_rule(source: str | bytes | Mapping[str, Any]) -> RuleUnion:
    """Read a rule from JSON text or from what JSON holds.

    Raises InvalidInput whose ``field`` is the path (``rules.0.value``): ``filter_cost`` for one that is too large,
    otherwise what is wrong.
    """
    try:
        raw = json.loads(source) if isinstance(source, str | bytes) else source
    except (ValueError, RecursionError):
        raise InvalidInput("The rule is not JSON.", code="filter_json", field="") from None
    _check_cost(raw)
    try:
        return _ADAPTER.validate_python(raw)
    except ValidationError as problem:
        first = problem.errors(include_input=False, include_url=False, include_context=False)[0]
        path = _path(first["loc"], raw)
        message = first["msg"] if path == "" else f"{path}: {first['msg']}"
        raise InvalidInput(message, code=first["type"], field=path) from None


def dump_rule(rule: RuleUnion) -> dict[str, Any]:
    """Return the rule as it is stored; ``parse_rule`` reads it."""
    return rule.model_dump(mode="json", exclude_none=True)


def walk(rule: RuleUnion) -> Iterator[RuleUnion]:
    """Yield the rule and every rule inside it."""
    yield rule
    if isinstance(rule, All | AnyOf | NoneOf):
        for inner in rule.rules:
            yield from walk(inner)


def _check_cost(raw: object) -> None:
    """Refuse what is too deep or too large before anything recurses into it."""
    conditions = values = 0
    waiting: list[tuple[object, int]] = [(raw, 1)]
    while waiting:
        one, depth = waiting.pop()
        conditions += 1
        if depth > MAX_DEPTH:
            raise _cost(f"Rules may stand {MAX_DEPTH} deep in one another.")
        if conditions > MAX_CONDITIONS:
            raise _cost(f"A rule has at most {MAX_CONDITIONS} conditions.")
        if not isinstance(one, Mapping):
            continue
        for name, part in one.items():
            if name == "rules" and isinstance(part, list | tuple):
                waiting += [(inner, depth + 1) for inner in part[: MAX_CONDITIONS + 1]]
                continue
            listed = isinstance(part, list | tuple)
            items = part if listed else (part,)
            values += len(items) if listed else 0
            if values > MAX_VALUES:
                raise _cost(f"A rule has at most {MAX_VALUES} values; make a list of the contacts instead.")
            if any(isinstance(item, str) and len(item) > MAX_TEXT_CHARACTERS for item in items):
                raise _cost(f"A value has at most {MAX_TEXT_CHARACTERS} characters.")


def _cost(message: str) -> InvalidInput:
    return InvalidInput(message, code="filter_cost", field="")


def _path(location: tuple[int | str, ...], raw: object) -> str:
    """Return the place of an error in what was sent: the library's path without the names of the union's members."""
    names: list[str] = []
    here, entered = raw, True
    for part in location:
        if entered and isinstance(here, Mapping) and part == here.get("type"):
            entered = False
            continue
        names.append(str(part))
        entered = True
        try:
            here = here[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            here = None
    return ".".join(names)


def _is_of(of: AttributeType, value: object) -> bool:
    if of == "boolean":
        return isinstance(value, bool)
    if of == "number":
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not isinstance(value, str) or not value:
        return False
    return of == "text" or _is_date(value)


def _is_date(value: str) -> bool:
    try:
        return len(value) == 10 and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False
