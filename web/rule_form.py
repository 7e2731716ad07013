"""An audience rule as form fields, and back.

Every node of the rule has a path of positions: ``r`` is the whole, ``r.0`` its first part, ``r.0.2`` the third part of
that. Its fields stand behind the path: ``r.0.type``, ``r.0.values``. Nothing is checked here but the shape;
``core/audiences`` says what is wrong with the rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from broadcaster.core.audiences import MAX_DEPTH
from broadcaster.core.errors import InvalidInput

GROUPS = ("all", "any", "none")
_NAME = re.compile(r"^r((?:\.[0-9]{1,4})*)\.([a-z_]{1,20})$")
_MANY = frozenset({"kind", "language", "country", "time_zone", "profession", "interest", "group"})
_TYPED = frozenset({"language", "country", "time_zone", "profession"})  #: values with commas between them
_NUMBERS = {
    "age": ("min", "max"),
    "behaviour": ("campaign", "within_days"),
    "consent": ("ends_within_days",),
    "list": ("audience",),
}


@dataclass(slots=True)
class Node:
    """One condition or group as the form shows it."""

    path: str
    type: str
    values: dict[str, list[str]] = field(default_factory=dict)
    parts: list[Node] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def group(self) -> bool:
        return self.type in GROUPS

    def name(self, key: str) -> str:
        return f"{self.path}.{key}"

    def value(self, key: str) -> str:
        if key == "type":
            return self.type
        return next(iter(self.values.get(key, ())), "")

    def all(self, key: str) -> list[str]:
        return self.values.get(key, [])


def of_rule(rule: Mapping[str, Any], path: str = "r") -> Node:
    """Return the form of a stored rule; one without a group around it gets one."""
    if path == "r" and rule.get("type") not in GROUPS:
        return Node("r", "all", parts=[of_rule(rule, "r.0")] if rule else [])
    node = Node(path, str(rule.get("type", "")))
    node.parts = [of_rule(part, f"{path}.{number}") for number, part in enumerate(rule.get("rules", ()))]
    for key, value in rule.items():
        if key not in ("type", "rules"):
            node.values[key] = _shown(node.type, value)
    return node


def _shown(kind: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    if isinstance(value, list | tuple):
        told = [str(one) for one in value]
        return [", ".join(told)] if kind in _TYPED or kind == "attribute" else told
    return [f"{value:g}" if isinstance(value, float) else str(value)]


def of_form(fields: Mapping[str, Sequence[str]]) -> Node:
    """Return the form that was sent. Raises InvalidInput ``filter_cost`` for one that is too deep."""
    found: dict[tuple[int, ...], Node] = {}
    for name, values in fields.items():
        match = _NAME.match(name)
        if match is None:
            continue
        place = tuple(int(one) for one in match[1].split(".")[1:])
        if len(place) > MAX_DEPTH + 2:
            raise InvalidInput(f"Rules may stand {MAX_DEPTH} deep in one another.", code="filter_cost", field="")
        node = found.setdefault(place, Node("r", ""))
        if match[2] == "type":
            node.type = values[0]
        else:
            node.values[match[2]] = [one for one in values if one.strip()]
    root = found.pop((), Node("r", "all"))
    for place in sorted(found):
        above = root if len(place) == 1 else found.get(place[:-1])
        if above is not None:
            above.parts.append(found[place])
    return numbered(root)


def numbered(node: Node, path: str = "r") -> Node:
    """Give every node the path of where it stands now."""
    node.path = path
    for number, part in enumerate(node.parts):
        numbered(part, f"{path}.{number}")
    return node


def walk(node: Node) -> Iterator[Node]:
    yield node
    for part in node.parts:
        yield from walk(part)


def change(root: Node, verb: str, path: str) -> Node:
    """Add a condition or a group to a group, or take a node away; what does not exist is left alone."""
    for node in list(walk(root)):
        if verb == "remove":
            node.parts = [part for part in node.parts if part.path != path]
        elif node.path == path and node.group:
            node.parts.append(Node("", "country" if verb == "add" else "any"))
    return numbered(root)


def to_rule(node: Node, types: Mapping[str, str]) -> dict[str, Any]:
    """Return the rule a form means, unchecked. *types* are the types of attributes by key."""
    if node.group or not node.type:
        return {"type": node.type or "all", "rules": [to_rule(part, types) for part in node.parts]}
    if node.type in _MANY:
        return {"type": node.type, "values": _many(node)}
    if node.type == "attribute":
        return _attribute(node, types)
    told: dict[str, Any] = {"type": node.type}
    for key, values in node.values.items():
        told[key] = _number(values[0]) if values and key in _NUMBERS.get(node.type, ()) else "".join(values[:1])
    told = {key: value for key, value in told.items() if value != ""}
    if node.type == "behaviour":
        told["did"] = node.value("did") != "no"
    return told


def _many(node: Node) -> list[str]:
    given = node.all("values")
    if node.type in _TYPED:
        given = [one.strip() for line in given for one in line.split(",") if one.strip()]
    return [one.upper() for one in given] if node.type == "country" else given


def _attribute(node: Node, types: Mapping[str, str]) -> dict[str, Any]:
    kind = types.get(node.value("key"), "text")
    told: dict[str, Any] = {"type": "attribute", "key": node.value("key"), "of": kind, "op": node.value("op") or "eq"}
    if told["op"] in ("is_set", "is_not_set"):
        return told
    given = node.value("value").strip()
    if told["op"] == "in":
        return {**told, "value": [_scalar(one.strip(), kind) for one in given.split(",") if one.strip()]}
    return {**told, "value": _scalar(given, kind)}


def _scalar(given: str, kind: str) -> Any:
    if kind == "boolean":
        return {"yes": True, "no": False}.get(given, given)
    if kind == "number":
        try:
            return int(given) if given.lstrip("-").isdigit() and len(given) < 16 else float(given)
        except ValueError:
            return given
    return given


def _number(given: str) -> Any:
    return int(given) if given.isascii() and given.isdigit() and len(given) < 20 else given


def place_error(root: Node, where: str, said: str) -> bool:
    """Show an error of ``core/audiences`` at its node; say whether there was one."""
    steps, key, path = where.split("."), "", "r"
    while steps:
        one = steps.pop(0)
        if one == "rules" and steps and steps[0].isdigit():
            path += f".{steps.pop(0)}"
        elif not one.isdigit():
            key = one
    for node in walk(root):
        if node.path == path:
            node.errors[key] = said
            return True
    return False
