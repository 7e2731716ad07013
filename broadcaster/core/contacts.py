"""What may be said of a contact: each field cleaned the same way for a form, the API and an import.

No error quotes the value.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers
from babel import Locale

from broadcaster.core.addresses import Kind
from broadcaster.core.errors import InvalidInput
from broadcaster.core.schedule import PARTS

KINDS = ("consumer", "professional", "internal")
#: Channels that reach a person by telephone number; ``email`` by mail address, all others by an id of their own.
PHONE_CHANNELS = frozenset({"sms", "whatsapp", "voice", "viber", "signal", "rcs"})
MAX_NAME = 200  #: characters a reader would count
MAX_TEXT = 1000
MAX_NOTE = 5000
MAX_ATTRIBUTES = 100
_MAX_MARKS = 8  #: combining marks on one character; living scripts need three

_CHANNEL = re.compile(r"[a-z][a-z0-9_]{1,30}")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
#: Words that mean something to a template engine or a script when used as a name.
_RESERVED_KEYS = frozenset({"constructor", "prototype", "hasownproperty", "tostring", "valueof", "self", "class"})
_LANGUAGE = re.compile(r"([a-z]{2,3})(?:[-_]([a-z]{2}|[a-z]{4}|[0-9]{3}))?(?:[-_.].*)?", re.IGNORECASE)
#: Reorder what is shown, or are invisible in a name; joiners stay, Persian and Indic names need them.
_BIDI = dict.fromkeys([0x061C, 0x200B, 0x200E, 0x200F, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
_TRUE = frozenset({"true", "yes", "y", "1", "on", "oui", "o", "vrai", "x"})
_FALSE = frozenset({"false", "no", "n", "0", "off", "non", "faux"})


@dataclass(frozen=True, slots=True)
class Attribute:
    """A free attribute of contacts: its key, its type and, for a choice, what may be chosen."""

    key: str
    type: str
    choices: tuple[str, ...] = field(default=())


def address_kind(channel: str) -> Kind:
    """Return how an address of *channel* is written. Raises InvalidInput ``channel``."""
    if channel == "email":
        return "email"
    if channel in PHONE_CHANNELS:
        return "phone"
    if _CHANNEL.fullmatch(channel) is None:
        raise InvalidInput("This is not a channel.", code="channel", field="channel")
    return "opaque"


def clean_text(text: object, *, name: str, most: int, lines: bool = False) -> str:
    """Return *text* trimmed, composed, without invisible marks of direction; *lines* allows tabs and line breaks.

    Raises InvalidInput: ``text_invalid``, ``text_long``, ``control_character``.
    """
    if not isinstance(text, str):
        raise InvalidInput("This must be text.", code="text_invalid", field=name)
    text = text.strip()
    if len(text) <= most and text.isascii() and text.isprintable():
        return text
    if len(text) > most * 4:
        raise InvalidInput(f"This is longer than {most} characters.", code="text_long", field=name)
    text = unicodedata.normalize("NFC", text.translate(_BIDI)).strip()
    _check_characters(text, name, most, lines)
    return text


def _check_characters(text: str, name: str, most: int, lines: bool) -> None:
    marks = graphemes = 0
    for character in text:
        category = unicodedata.category(character)
        if category == "Cs":
            raise InvalidInput("This contains a character that cannot be stored.", code="text_invalid", field=name)
        if category in ("Cc", "Zl", "Zp") and not (lines and character in "\t\r\n"):
            raise InvalidInput("This contains a control character.", code="control_character", field=name)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        graphemes += marks == 0
        if marks > _MAX_MARKS:
            raise InvalidInput("This carries too many accents on one letter.", code="text_invalid", field=name)
    if graphemes > most:
        raise InvalidInput(f"This is longer than {most} characters.", code="text_long", field=name)


@lru_cache(maxsize=1024)
def clean_language(text: str) -> str:
    """Return a language tag such as ``fr`` or ``pt-BR``, from a tag or a name in English or French."""
    match = _LANGUAGE.fullmatch(text.strip())
    if match is None:
        found = _names("languages").get(text.strip().casefold())
        if found is None:
            raise InvalidInput("This is not a language.", code="language", field="language")
        return found.replace("_", "-")
    script = match[2] or ""
    return match[1].lower() + (f"-{script.title() if len(script) == 4 else script.upper()}" if script else "")


@lru_cache(maxsize=1024)
def clean_country(text: str) -> str:
    """Return ISO 3166 alpha-2, from a code or a name in English or French."""
    code = text.strip().upper()
    if len(code) != 2:
        code = _names("territories").get(text.strip().casefold(), "")
    if code == "UK":
        code = "GB"
    if code not in phonenumbers.SUPPORTED_REGIONS:
        raise InvalidInput("This is not a country.", code="country", field="country")
    return code


@lru_cache(maxsize=2)
def _names(what: str) -> Mapping[str, str]:
    return {
        name.casefold(): code
        for locale in ("en", "fr")
        for code, name in getattr(Locale(locale), what).items()
        if what == "languages" or len(code) == 2
    }


@lru_cache(maxsize=1024)
def clean_zone(text: str) -> str:
    """Return the name of a time zone of a place; ``GMT+2`` is none: it has no summer."""
    name = text.strip()
    try:
        if not ("/" in name or name == "UTC") or name.startswith("Etc/"):
            raise ValueError(name)
        return ZoneInfo(name).key
    except (ValueError, OSError, KeyError):
        message = "This is not a time zone; write it as Europe/Paris."
        raise InvalidInput(message, code="zone", field="time_zone") from None


def clean_birth_year(value: object, today: date) -> int:
    """Return the year of birth, from a year or a date that begins or ends with it."""
    match = re.fullmatch(r"(\d{4})(?:\.0)?|(\d{4})-\d\d-\d\d.*|\d\d?[/.]\d\d?[/.](\d{4})", str(value).strip())
    year = int(next(filter(None, match.groups()))) if match else 0
    if not 1900 <= year <= today.year:
        raise InvalidInput("This is not a year of birth.", code="birth_year", field="birth_year")
    return year


def clean_kind(value: object) -> str:
    if value not in KINDS:
        raise InvalidInput(f"A contact is one of: {', '.join(KINDS)}.", code="kind", field="kind")
    return str(value)


def clean_channel(value: object) -> str:
    address_kind(str(value))
    return str(value)


def clean_part_of_day(value: str) -> str:
    if value not in PARTS:
        raise InvalidInput(f"A part of the day is one of: {', '.join(PARTS)}.", code="part_of_day", field="part_of_day")
    return value


def clean_rest_days(value: object) -> int:
    """Return the days a person wants between two messages, 1 to 365."""
    text = str(value).strip()
    if not (text.isascii() and text.isdigit() and len(text) < 4 and 1 <= int(text) <= 365):
        raise InvalidInput("Days between two messages are 1 to 365.", code="rest_days", field="rest_days")
    return int(text)


def clean_attribute_key(key: str) -> str:
    """Return *key*. Raises InvalidInput ``field_name`` for what a template or a script could take for its own."""
    if _KEY.fullmatch(key) is None or key.endswith("_") or key in _RESERVED_KEYS:
        message = "A field's name has small letters, digits and _, begins with a letter, at most 40."
        raise InvalidInput(message, code="field_name", field="key")
    return key


def clean_attribute(attribute: Attribute, value: object) -> Any:
    """Return *value* as it is stored for this attribute. Raises InvalidInput ``attribute_<type>``."""
    try:
        return _BY_TYPE[attribute.type](value, attribute)
    except (ValueError, TypeError, OverflowError):
        message = f"This is not a {attribute.type} value of this field."
        raise InvalidInput(message, code=f"attribute_{attribute.type}", field=f"attributes.{attribute.key}") from None


def _text(value: object, attribute: Attribute) -> str:
    if not isinstance(value, str):
        raise ValueError
    # as it is: what a spreadsheet would run is made harmless where it leaves, not where it comes in
    if not (len(value) <= MAX_TEXT and value.isascii() and value.isprintable()):
        _check_characters(value, f"attributes.{attribute.key}", MAX_TEXT, lines=True)
    return value


def _number(value: object, _: Attribute) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError
    if isinstance(value, str):
        if len(value) > 40 or not value.isascii() or "_" in value:
            raise ValueError
        value = value.strip().replace(",", ".")
    found = float(value)
    if not math.isfinite(found) or abs(found) > 1e15:
        raise ValueError
    return int(found) if found.is_integer() else found


def _date(value: object, _: Attribute) -> str:
    return value.isoformat() if isinstance(value, date) else date.fromisoformat(str(value).strip()[:10]).isoformat()


def _boolean(value: object, _: Attribute) -> bool:
    word = str(value).strip().casefold()
    if word not in _TRUE | _FALSE:
        raise ValueError
    return word in _TRUE


def _choice(value: object, attribute: Attribute) -> str:
    if str(value).strip() not in attribute.choices:
        raise ValueError
    return str(value).strip()


_BY_TYPE: dict[str, Callable[[object, Attribute], Any]] = {
    "text": _text,
    "number": _number,
    "date": _date,
    "boolean": _boolean,
    "choice": _choice,
}


@lru_cache(maxsize=65536)
def name_words(name: str) -> tuple[str, ...]:
    """Return the words a name is found by: small letters without accents, each once."""
    plain = unicodedata.normalize("NFKD", name)
    plain = "".join(one for one in plain if not unicodedata.combining(one)).casefold()
    return tuple(dict.fromkeys(re.findall(r"\w+", plain)))[:20]


def clean(fields: Mapping[str, object], attributes: Mapping[str, Attribute], today: date) -> dict[str, Any]:
    """Return *fields* cleaned; None takes a value away. ``attributes`` holds only the keys to change.

    Raises InvalidInput with the field's name; ``unknown_field`` for what no contact has.
    """
    cleaned: dict[str, Any] = {}
    for name, value in fields.items():
        if name == "attributes":
            cleaned[name] = _clean_attributes(value, attributes)
        elif name in ("groups", "interests"):
            cleaned[name] = _clean_keys(value, name)
        elif name in FIELDS:
            cleaned[name] = None if value is None or value == "" else clean_field(name, value, today)
        else:
            raise InvalidInput("There is no such field.", code="unknown_field", field=name[:60])
    if "kind" in cleaned and cleaned["kind"] is None:
        cleaned["kind"] = "consumer"
    return cleaned


def clean_field(name: str, value: object, today: date) -> Any:
    """Return one plain field cleaned; *name* is one of ``FIELDS``."""
    if name == "birth_year":
        return clean_birth_year(value, today)
    if name == "rest_days":
        return clean_rest_days(value)
    if name in _CLEANERS:
        if not isinstance(value, str):
            raise InvalidInput("This must be text.", code="text_invalid", field=name)
        return _CLEANERS[name](value)
    return clean_text(value, name=name, most=MAX_NOTE if name == "note" else MAX_NAME, lines=name == "note") or None


_CLEANERS: dict[str, Callable[[str], str]] = {
    "kind": clean_kind,
    "language": clean_language,
    "country": clean_country,
    "time_zone": clean_zone,
    "preferred_channel": clean_channel,
    "part_of_day": clean_part_of_day,
}
#: Encrypted under the contact's key; the others are plain.
SECRET_FIELDS = ("first_name", "last_name", "note", "external_id")
PLAIN_FIELDS = (
    *("kind", "language", "country", "time_zone", "birth_year", "profession"),
    *("preferred_channel", "part_of_day", "rest_days"),
)
FIELDS = (*PLAIN_FIELDS, *SECRET_FIELDS)
#: What a person can set on the page behind their link; once they have, staff cannot set it otherwise.
WISHES = ("rest_days", "part_of_day", "preferred_channel", "language")


def _clean_attributes(value: object, attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    if not isinstance(value, Mapping) or len(value) > MAX_ATTRIBUTES:
        raise InvalidInput("This must be a list of fields and values.", code="field_name", field="attributes")
    cleaned: dict[str, Any] = {}
    for key, one in value.items():
        if key not in attributes:
            raise InvalidInput("There is no field of that name.", code="field_name", field="attributes")
        cleaned[key] = None if one is None or one == "" else clean_attribute(attributes[key], one)
    return cleaned


def _clean_keys(value: object, name: str) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, list | tuple | set | frozenset):
        raise InvalidInput("This must be a list.", code="list_expected", field=name)
    return tuple(sorted({str(one) for one in value}))
