"""The form that says how to read a file: what each column means, and how the file proves consent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import create_model

from broadcaster.core.errors import InvalidInput
from broadcaster.core.import_columns import ConsentRule, Mapping, fold, read_mapping
from broadcaster.core.imports import Catalogue
from web.forms import Form, FormModel, Line

IGNORE = "-"
BLOCKS = ("c1", "c2", "c3")
_CELLS = ("date", "wording", "source", "evidence")
_PARTS = ("purpose", "channel", "answer", "inverted", *_CELLS, *(f"{cell}_value" for cell in _CELLS))


class Upload(FormModel):
    """The file itself comes beside the fields."""


class Common(FormModel):
    columns: tuple[Line, ...]
    delimiter: Line | None = None
    encoding: Line | None = None
    region: Line | None = None
    country: Line | None = None
    language: Line | None = None
    groups: tuple[Line, ...] = ()
    date_order: Line | None = None
    time_zone: Line = "UTC"
    existing: Line = "update"
    save_as: Line | None = None


_fields: dict[str, Any] = {f"{block}_{part}": (Line | None, None) for block in BLOCKS for part in _PARTS}
#: ``columns`` names a target for each column of the file, in order; each block holds one purpose's consent.
ColumnsForm: type[Common] = create_model("ColumnsForm", __base__=Common, **_fields)


def to_mapping(data: Common, header: Sequence[str]) -> Mapping:
    """Return the mapping the form says. Raises InvalidInput naming the field."""
    columns: dict[str, str] = {}
    for name, target in zip(header, data.columns, strict=False):
        if target in columns:
            raise InvalidInput("Two columns are used for the same thing.", field="columns", code="target_twice")
        if target != IGNORE:
            columns[target] = name
    if not any(target.startswith("address:") or target == "external_id" for target in columns):
        message = "One column must hold an address or the customer number."
        raise InvalidInput(message, field="columns", code="no_address_column")
    rules = [rule for block in BLOCKS if (rule := _rule(data, block, header)) is not None]
    told = data.model_dump(include={"region", "country", "language", "groups", "date_order", "time_zone", "existing"})
    return read_mapping({**told, "columns": columns, "consents": rules})


def _rule(data: Common, block: str, header: Sequence[str]) -> dict[str, Any] | None:
    said: dict[str, str] = {part: getattr(data, f"{block}_{part}") or "" for part in _PARTS}
    if not said["purpose"]:
        if any(said[cell] for cell in ("answer", *_CELLS)):
            raise InvalidInput("Choose the purpose.", field=f"{block}_purpose", code="unknown_choice")
        return None
    answer = {"value": "no"} if said["answer"] == "no" else _column(said["answer"], header)
    cells = {cell: {**_column(said[cell], header), "value": said[f"{cell}_value"]} for cell in _CELLS}
    wording = said["wording"]
    if wording.startswith("say:"):
        cells["wording"] = {"value": wording.removeprefix("say:").rpartition("|")[2]}
    inverted = bool(said["inverted"]) and "column" in answer
    rule = {"purpose": said["purpose"], "channel": said["channel"] or "email", "answer": answer, "inverted": inverted}
    return {**rule, **cells}


def _column(said: str, header: Sequence[str]) -> dict[str, str]:
    if said.isascii() and said.isdigit() and int(said) < len(header):
        return {"column": header[int(said)]}
    return {}


def from_mapping(mapping: Mapping, header: Sequence[str]) -> Form[Common]:
    """Return the form that says what a mapping says, for a file with this header."""
    form: Form[Common] = Form()
    places = {fold(name): place for place, name in enumerate(header)}
    targets = {places[fold(name)]: target for target, name in mapping.columns.items() if fold(name) in places}
    form.values["columns"] = [targets.get(place, IGNORE) for place in range(len(header))]
    for name in ("region", "country", "language", "date_order", "time_zone", "existing"):
        form.values[name] = [getattr(mapping, name) or ""]
    form.values["groups"] = list(mapping.groups)
    for block, rule in zip(BLOCKS, mapping.consents, strict=False):
        for part, value in _told(rule, places).items():
            form.values[f"{block}_{part}"] = [value]
    return form


def _told(rule: ConsentRule, places: dict[str, int]) -> dict[str, str]:
    told = {"purpose": rule.purpose, "channel": rule.channel, "inverted": "yes" if rule.inverted else ""}
    told["answer"] = "no" if rule.refuses_only else _place(rule.answer.column, places)
    for cell in _CELLS:
        value = getattr(rule, cell)
        told[cell], told[f"{cell}_value"] = _place(value.column, places), value.value
    if rule.wording.value and not rule.wording.column:
        told["wording"] = f"say:{rule.purpose}|{rule.wording.value}"
    return told


def _place(column: str, places: dict[str, int]) -> str:
    return str(places[fold(column)]) if column and fold(column) in places else ""


def wording_choices(catalogue: Catalogue, names: dict[str, str], version: str) -> list[tuple[str, str]]:
    """Return what can be said of the wording for all rows: a version in everybody's language, or one text of it.

    *version* is the reader's word for it, with ``{}`` where the number goes.
    """
    found = []
    for key, purpose in sorted(catalogue.purposes.items()):
        by_version: dict[int, list[str]] = {}
        for number, language in sorted(purpose.wordings):
            by_version.setdefault(number, []).append(language)
        for number, languages in sorted(by_version.items(), reverse=True):
            shown = f"{names.get(key, key)}: {version.format(number)}"
            found.append((f"say:{key}|{number}", f"{shown} ({' / '.join(languages)})"))
            if len(languages) > 1:
                found += [(f"say:{key}|{number}/{one}", f"{shown} ({one})") for one in languages]
    return found
