"""Telephone numbers: one spelling (E.164) for every way of writing one, and fast enough for a million rows.

``canonical`` has two roads that must agree. The exact road asks ``phonenumbers``. The quick road answers only where it
is certain: it folds the validity rules of one calling code into one compiled expression, and leaves everything with a
number that would be rewritten to the exact road. A property test holds them equal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumber, PhoneNumberDesc, PhoneNumberType
from phonenumbers import timezone as phone_timezone
from phonenumbers.tzdata import TIMEZONE_DATA

_NON_GEOGRAPHIC = "001"
#: A person does not receive on these; writing to them costs money or reaches nobody.
_REFUSED_TYPES = frozenset({PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST})
_ORDINARY = ("mobile", "fixed_line", "toll_free", "voip", "personal_number", "pager", "uan", "voicemail")
_NEVER = r"(?!)"
_PUNCTUATION = str.maketrans("", "", " -./()")


@dataclass(frozen=True, slots=True)
class _Plan:
    """The numbering plan of one calling code, as expressions over the national number."""

    acceptable: re.Pattern[str]  #: valid in one of its regions, and of a type we accept
    general: re.Pattern[str]  #: the general description of the main region
    prefix: re.Pattern[str] | None  #: what may stand before a national number
    rewrites: bool  #: the last group of the prefix, if present, is not dropped but rewritten


@dataclass(frozen=True, slots=True)
class _Home:
    """How a number without a country is read in one region."""

    code: str
    foreign: re.Pattern[str]  #: the dialling prefix for abroad
    plan: _Plan


def _matches(desc: PhoneNumberDesc | None) -> str:
    """Return an expression for the numbers of *desc*, anchored at the end, lengths included."""
    if desc is None or not desc.national_number_pattern:
        return _NEVER
    lengths = "|".join(rf"\d{{{length}}}" for length in desc.possible_length)
    ahead = rf"(?=(?:{lengths})\Z)" if lengths else ""
    return rf"{ahead}(?:{desc.national_number_pattern})\Z"


def _region_patterns(metadata: PhoneMetadata) -> tuple[str, str]:
    """Return (known at all, acceptable) for one region, in the order of precedence ``phonenumbers`` uses."""
    general, premium = _matches(metadata.general_desc), _matches(metadata.premium_rate)
    toll_free, shared = _matches(metadata.toll_free), _matches(metadata.shared_cost)
    ordinary = "|".join(_matches(getattr(metadata, name)) for name in _ORDINARY)
    refused = rf"(?:{premium}|(?!{toll_free}){shared})"
    return (
        rf"(?={general})(?:{premium}|{shared}|{ordinary})",
        rf"(?={general})(?!{refused})(?:{ordinary})",
    )


def _acceptable(regions: tuple[str, ...]) -> str:
    """Return an expression for the numbers that belong to the first matching of *regions* and are acceptable there."""
    if not regions:
        return _NEVER
    metadata = PhoneMetadata.metadata_for_region(regions[0])
    rest = _acceptable(regions[1:])
    if metadata is None:
        return rest
    known, acceptable = _region_patterns(metadata)
    if metadata.leading_digits is not None:
        lead = f"(?:{metadata.leading_digits})"
        return rf"(?:(?={lead}){acceptable}|(?!{lead}){rest})"
    return acceptable if rest == _NEVER else rf"(?:{acceptable}|(?!{known}){rest})"


@lru_cache(maxsize=256)
def _plan(code: str) -> _Plan | None:
    """Return the plan of a calling code such as ``33``; ``None`` if it is unknown or belongs to no country."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code), (_NON_GEOGRAPHIC,))
    metadata = PhoneMetadata.metadata_for_region(regions[0])
    if metadata is None or metadata.general_desc is None:
        return None
    prefix = re.compile(metadata.national_prefix_for_parsing) if metadata.national_prefix_for_parsing else None
    return _Plan(
        acceptable=re.compile(_acceptable(tuple(regions))),
        general=re.compile(rf"(?:{metadata.general_desc.national_number_pattern})\Z"),
        prefix=prefix,
        rewrites=bool(metadata.national_prefix_transform_rule),
    )


@lru_cache(maxsize=512)
def _home(region: str) -> _Home | None:
    metadata = PhoneMetadata.metadata_for_region(region)
    code = "" if metadata is None else str(metadata.country_code)
    main = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code), ("",))[0] if code else ""
    plan = _plan(code) if main == region else None
    if metadata is None or plan is None:
        return None
    return _Home(code, re.compile(metadata.international_prefix or _NEVER), plan)


@lru_cache(maxsize=1024)
def _numbering(start: str) -> tuple[str, _Plan | None]:
    """Return (calling code, plan) for numbers whose first three digits are *start*; the code is empty if unknown."""
    for length in (1, 2, 3) if start.isdecimal() and start[0] != "0" else ():
        if int(start[:length]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
            return start[:length], _plan(start[:length])
    return "", None


def _national_part(plan: _Plan, national: str) -> str:
    """Return *national* without its prefix if the quick road is sure about it, else an empty string."""
    match = None if plan.prefix is None else plan.prefix.match(national)
    if match is not None and match.end() > 0:
        if plan.rewrites and match[match.re.groups] is not None:
            return ""
        national = national[match.end() :]
        if plan.general.match(national) is None:
            return ""
    return national if plan.acceptable.match(national) is not None else ""


def _quick(digits: str, region: str | None) -> str:
    """Return E.164 for *digits* (``+`` first if international) where the answer is certain, else an empty string."""
    if digits[:1] == "+":
        code, plan = _numbering(digits[1:4]) if len(digits) > 7 else ("", None)
        national = "" if plan is None else _national_part(plan, digits[1 + len(code) :])
        return f"+{code}{national}" if national else ""
    home = _home(region) if region is not None else None
    if home is None or digits.startswith(home.code) or home.foreign.match(digits) is not None:
        return ""
    national = _national_part(home.plan, digits)
    return f"+{home.code}{national}" if national else ""


def _exact(digits: str, region: str | None) -> str:
    """Return E.164 for *digits* as ``phonenumbers`` reads them, or an empty string if nobody can be reached there."""
    try:
        number = phonenumbers.parse(digits, None if digits[:1] == "+" else region)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_valid_number(number) or phonenumbers.number_type(number) in _REFUSED_TYPES:
        return ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _international(text: str, region: str | None) -> str:
    """Write a leading ``00`` as ``+`` unless *region* dials abroad by another prefix that *text* begins with."""
    home = _home(region) if region is not None else None
    dialled = home.foreign.match(text) if home is not None else None
    return text if dialled is not None and dialled.group() != "00" else "+" + text[2:]


def canonical(text: str, region: str | None, *, quick: bool = True) -> str:
    """Return E.164 for a number written in ASCII digits and punctuation, or an empty string if it is not one.

    *region* (ISO 3166 alpha-2, upper case) is used for numbers without ``+`` or ``00``. *quick* is for the test that
    compares both roads.
    """
    digits = text if text[1:].isalnum() else text.translate(_PUNCTUATION)
    if digits[:2] == "00":
        digits = _international(digits, region)
    if not (digits[1:] if digits[:1] == "+" else digits).isdigit() or not 3 <= len(digits) <= 18:
        return ""
    found = (_quick(digits, region) if quick else "") or _exact(digits, region)
    if not found and "(0)" in text and digits[:1] == "+":
        return canonical(text.replace("(0)", "", 1), region, quick=quick)
    return found


def _parsed(e164: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return None


@lru_cache(maxsize=256)
def _uniform(code: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the facts of a calling code all of whose numbers share one country and one set of zones."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code or 0), ())
    zones = {found for start, found in TIMEZONE_DATA.items() if start.startswith(code)}
    if len(regions) != 1 or len(zones) != 1 or regions[0] == _NON_GEOGRAPHIC:
        return None
    return regions[0], zones.pop()


def facts(e164: str) -> tuple[str | None, tuple[str, ...]]:
    """Return (country, zone names) of a canonical number; the country is ISO 3166 alpha-2.

    A mobile or free number may carry many zones; a number without a country has none of either.
    """
    code, _ = _numbering(e164[1:4])
    uniform = _uniform(code)
    if uniform is not None:
        return uniform
    number = _parsed(e164)
    if number is None:
        return None, ()
    country = phonenumbers.region_code_for_number(number)
    zones = phone_timezone.time_zones_for_number(number)
    known = tuple(zone for zone in zones if zone != phone_timezone.UNKNOWN_TIMEZONE)
    return (None if country == _NON_GEOGRAPHIC else country), known


def calling_code(e164: str) -> str:
    """Return the calling code of a canonical number, without ``+``; empty if there is none."""
    start = e164[1:4]
    return _numbering(start)[0] if len(start) == 3 else ""
