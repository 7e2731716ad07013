"""The form of a contact: the fixed fields, and one field for each attribute that is defined here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import StringConstraints, create_model

from broadcaster.core import contacts as rules
from broadcaster.storage.contact_story import Choices
from broadcaster.storage.tables import AttributeDefinition
from web.forms import Form, FormModel, Line, Text, blank

_ATTRIBUTE = "attribute_"
#: What the form shows; the others are the person's to say, on the page behind their link.
FIELDS = (*(name for name in rules.FIELDS if name not in ("part_of_day", "rest_days")), "groups", "interests")
Search = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class Finder(FormModel):
    """What the list is narrowed by. The text goes on encrypted: it may be somebody's address."""

    q: Search = ""
    group: Line | None = None
    country: Line | None = None
    language: Line | None = None


class ContactForm(FormModel):
    first_name: Line | None = None
    last_name: Line | None = None
    kind: Line = "consumer"
    language: Line | None = None
    country: Line | None = None
    time_zone: Line | None = None
    birth_year: Line | None = None
    profession: Line | None = None
    preferred_channel: Line | None = None
    external_id: Line | None = None
    note: Text | None = None
    groups: tuple[Line, ...] = ()
    interests: tuple[Line, ...] = ()
    version: Line | None = None
    email: Line | None = None
    sms: Line | None = None


class NewAddressForm(FormModel):
    place: Line
    value: Line


class MergeForm(FormModel):
    other: Line


def model(attributes: Sequence[AttributeDefinition]) -> type[ContactForm]:
    """Return the form with this installation's attributes."""
    added: dict[str, Any] = {_ATTRIBUTE + one.key: (Line | None, None) for one in attributes}
    return create_model("ContactFormHere", __base__=ContactForm, **added)


def changes(data: ContactForm, attributes: Sequence[AttributeDefinition]) -> dict[str, object]:
    """Return what the form says, as ``contacts.edit`` takes it."""
    told: dict[str, object] = {name: getattr(data, name) for name in FIELDS}
    told["attributes"] = {one.key: getattr(data, _ATTRIBUTE + one.key) for one in attributes}
    return told


def filled(shape: type[ContactForm], fields: Mapping[str, Any], version: str) -> Form[ContactForm]:
    """Return the form as a contact is now."""
    known = {name: fields.get(name) for name in FIELDS if fields.get(name) is not None}
    told = {_ATTRIBUTE + key: _shown(value) for key, value in fields.get("attributes", {}).items()}
    return blank(shape, version=version, **known, **{k: v for k, v in told.items() if k in shape.model_fields})


def differences(form: Form[ContactForm], fields: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (field, as it is now, as the form says) where they differ."""
    told = {name: _shown(fields.get(name)) for name in FIELDS}
    told |= {_ATTRIBUTE + key: _shown(value) for key, value in fields.get("attributes", {}).items()}
    names = [*told, *(name for name in form.values if name.startswith(_ATTRIBUTE) and name not in told)]
    found = []
    for name in names:
        mine = ", ".join(sorted(form.all(name))) if name in ("groups", "interests") else form.value(name)
        if mine != told.get(name, ""):
            found.append((name.removeprefix(_ATTRIBUTE), told.get(name, ""), mine))
    return found


def rename(form: Form[ContactForm]) -> None:
    """Put an action's complaint at the field that shows it."""
    for name in list(form.errors):
        shown = name.removeprefix("address:").replace("attributes.", _ATTRIBUTE)
        form.errors[shown] = form.errors.pop(name)


def attribute_choices(choices: Choices) -> list[tuple[str, AttributeDefinition, list[tuple[str, str]]]]:
    """Return (field, attribute, what may be chosen) for each attribute; nothing to choose from means free text."""
    found = []
    for one in choices.attributes:
        values = [str(value) for value in one.choices.get("values", ())]
        found.append((_ATTRIBUTE + one.key, one, [(value, value) for value in values]))
    return found


def _shown(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(sorted(str(one) for one in value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
