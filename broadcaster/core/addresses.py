"""Addresses: one key for every way of writing the same e-mail address or telephone number.

What is taken as the same: letter case (also before the ``@``: no mail system in use tells ``Ann`` from ``ann``),
full-width and other compatibility forms, invisible characters, an internationalised domain and its punycode twin,
a final dot. What is not: dots and ``+tags`` before the ``@``; see ``mailbox_key``.

No error quotes the address.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Literal

from email_validator import EmailNotValidError, validate_email

from broadcaster.core import phones
from broadcaster.core.errors import InvalidInput

Kind = Literal["email", "phone", "opaque"]

MAX_EMAIL_OCTETS = 254  #: RFC 5321, 4.5.3.1.3, without the angle brackets
MAX_LOCAL_OCTETS = 64  #: RFC 5321, 4.5.3.1.1
MAX_TEXT = 1000  #: characters; nothing longer can be an address, and the bound limits the work
OPAQUE = re.compile(r"[\x21-\x7e]{1,255}")

#: Certain to be valid, and canonical once in lower case. Whatever does not match takes the exact road.
_PLAIN_EMAIL = re.compile(r"[a-z0-9_'+-]++(?:\.[a-z0-9_'+-]++)*+@(?:[a-z0-9]++(?:-[a-z0-9]++)*+\.)++([a-z]{2,63}+)")
_PLAIN_EMAIL_LENGTH = 64  #: so short that no part can be too long
_RESERVED = frozenset({"arpa", "invalid", "local", "localhost", "onion", "test"})  # RFC 6761

_SCIENTIFIC = re.compile(r"\+?\d(?:[.,]\d*)?\s*[eE]\s*\+?\d+")
_DECIMAL_TAIL = re.compile(r"\+?\d{5,}[.,]0+")
_PHONE_CHARACTERS = re.compile(r"\(?\+?[0-9 ().\-/]++")
_GMAIL = frozenset({"gmail.com", "googlemail.com"})


def _clean(text: str, code: str) -> str:
    """Return *text* trimmed, in compatibility form, without invisible characters.

    Raises ``InvalidInput`` with *code* if it is too long or cannot be encoded, and ``control_character`` for a line
    break or other control character inside: such a text could start a header of its own.
    """
    text = text.strip()
    if len(text) > MAX_TEXT:
        raise InvalidInput("This is too long to be an address.", code=code)
    if not text.isascii():
        text = "".join(character for character in text if unicodedata.category(character) != "Cf")
        text = unicodedata.normalize("NFKC", text).strip()
    for character in text:
        category = unicodedata.category(character)
        if category in ("Cc", "Zl", "Zp"):
            raise InvalidInput("An address cannot contain line breaks or control characters.", code="control_character")
        if category == "Cs":
            raise InvalidInput("This contains a character that cannot be stored.", code=code)
    return text


def _exact_email(text: str) -> str:
    """Return the canonical form as ``email-validator`` sees it.

    ``.test`` is allowed: it can never belong to a person, and trials need a domain that cannot receive.
    """
    text = _clean(text, "email_invalid").removesuffix(".").lower()
    try:
        checked = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        raise InvalidInput("This is not an e-mail address.", code="email_invalid") from None
    local = unicodedata.normalize("NFKC", checked.local_part.lower())
    domain = (checked.ascii_domain or "").lower()
    email = f"{local}@{domain}"
    if len(local.encode()) > MAX_LOCAL_OCTETS or len(email.encode()) > MAX_EMAIL_OCTETS or "." not in domain:
        raise InvalidInput("This e-mail address is too long or has no domain.", code="email_invalid")
    return email


def normalise_email(text: str) -> str:
    """Return the canonical form: lower case, the domain in ASCII.

    Raises ``InvalidInput``: ``email_invalid`` (quoted local parts included), ``control_character``.
    """
    lowered = text.strip().lower()
    match = _PLAIN_EMAIL.fullmatch(lowered)
    if match is not None and len(lowered) <= _PLAIN_EMAIL_LENGTH and match[1] not in _RESERVED:
        return lowered
    return _exact_email(text)


def _phone_text(text: str) -> str:
    """Return *text* in ASCII digits and punctuation.

    Raises ``InvalidInput``: ``phone_scientific`` for what a spreadsheet made of a number, ``phone_invalid`` for raised
    and circled digits: a footnote mark is not part of a number.
    """
    if any(not character.isdecimal() and character.isdigit() for character in text[:MAX_TEXT]):
        raise InvalidInput("This number contains a raised or circled digit.", code="phone_invalid")
    text = _clean(text, "phone_invalid")
    if not text.isascii():
        text = "".join(_ascii_phone_character(character) for character in text)
    if _SCIENTIFIC.fullmatch(text) is not None or _DECIMAL_TAIL.fullmatch(text) is not None:
        raise InvalidInput(
            "A spreadsheet has turned this number into a decimal; format the column as text and export again.",
            code="phone_scientific",
        )
    return text


def _ascii_phone_character(character: str) -> str:
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    return "-" if character == "\u2212" or unicodedata.category(character) == "Pd" else character


def normalise_phone(text: str, *, region: str | None) -> str:
    """Return the number in E.164, such as ``+33612345678``.

    *region* (ISO 3166 alpha-2) says how to read a number without ``+`` or ``00``. Premium-rate, shared-cost, emergency
    and short numbers are refused.

    Raises ``InvalidInput``: ``phone_invalid``, ``phone_scientific``, ``control_character``.
    """
    if _PHONE_CHARACTERS.fullmatch(text) is None or _DECIMAL_TAIL.fullmatch(text) is not None or len(text) > MAX_TEXT:
        text = _phone_text(text)
        if _PHONE_CHARACTERS.fullmatch(text) is None:
            raise InvalidInput("A telephone number has digits only, and a + at most in front.", code="phone_invalid")
    e164 = phones.canonical(text, region if region is None else region.upper())
    if not e164:
        hint = "" if region is not None else " Write it with + and the country code, or give a default country."
        raise InvalidInput(f"This is not a telephone number that can be written to.{hint}", code="phone_invalid")
    return e164


def normalise_opaque(text: str, pattern: re.Pattern[str] = OPAQUE) -> str:
    """Return a platform's own id, trimmed; letter case counts.

    Raises ``InvalidInput``: ``address_invalid`` if it does not match *pattern* as a whole, ``control_character``.
    """
    cleaned = _clean(text, "address_invalid")
    if pattern.fullmatch(cleaned) is None:
        raise InvalidInput("This is not an id of this channel.", code="address_invalid")
    return cleaned


def normalise(kind: Kind, text: str, *, region: str | None = None) -> str:
    """Return the canonical form of *text*, an address of *kind*; *region* matters for telephone numbers only."""
    if kind == "email":
        return normalise_email(text)
    if kind == "phone":
        return normalise_phone(text, region=region)
    return normalise_opaque(text)


def mailbox_key(email: str) -> str:
    """Return what identifies the mailbox behind a canonical address, for suppression only, never for sending.

    Gmail ignores dots and ``+tags`` and calls itself ``googlemail.com`` too, so a refusal by one spelling binds them
    all. Elsewhere dots and tags may separate people, and the address is returned as it is.
    """
    local, _, domain = email.rpartition("@")
    if domain not in _GMAIL:
        return email
    folded = local.partition("+")[0].replace(".", "")
    return f"{folded or local}@gmail.com"


def email_domain(value: str) -> str:
    """Return the domain of a canonical e-mail address."""
    return value.rpartition("@")[2]


@lru_cache(maxsize=65536)
def _phone_facts(e164: str) -> tuple[str | None, tuple[str, ...]]:
    return phones.facts(e164)


def phone_facts(e164: str) -> tuple[str | None, tuple[str, ...]]:
    """Return (country ISO 3166 alpha-2, zone names) of a canonical number; ``(None, ())`` if nothing is known."""
    return _phone_facts(e164)


def masked(kind: Kind, value: str) -> str:
    """Return *value* for a screen that must not show it: ``a***@e***.org``, ``+33 6 ** ** ** 78``, ``***42``.

    Never raises; what does not look like an address of *kind* becomes ``***``.
    """
    if kind == "email":
        local, at, domain = value.rpartition("@")
        name, dot, top = domain.rpartition(".")
        return f"{local[0]}***@{name[0]}***.{top}" if at and dot and local and name else "***"
    if kind == "phone":
        return _masked_phone(value)
    return f"***{value[-2:]}" if len(value) >= 6 else "***"


def _masked_phone(value: str) -> str:
    code = phones.calling_code(value)
    national = value[1 + len(code) :]
    if not code or len(national) < 6 or not national.isdigit():
        return "***"
    hidden = "*" * (len(national) - 3)
    pairs = " ".join(hidden[start : start + 2] for start in range(0, len(hidden), 2))
    return f"+{code} {national[0]} {pairs} {national[-2:]}"
