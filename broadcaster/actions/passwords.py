"""Passwords of staff: what is accepted, how it is stored, how it is compared in the same time for everybody."""

from __future__ import annotations

import re

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from broadcaster.core.errors import InvalidInput

MIN_LENGTH = 10
MAX_LENGTH = 256  #: in UTF-8 bytes; longer input is refused before anything is hashed

_HASHER = PasswordHasher()
#: Compared with when there is no such person, so that the answer takes as long.
_NOBODY = _HASHER.hash("nobody has this password")

#: What is left of the most used passwords of ten characters and more once digits and signs are taken off.
_COMMON_WORDS = (
    "password passwort motdepasse qwerty qwertyuiop azerty azertyuiop qwertz letmein iloveyou welcome bienvenue monkey"
    " dragon football baseball superman batman princess sunshine trustno master administrator admin login abc abcd"
    " abcde abcdef abcdefg abcdefgh abcdefghij qazwsx qazwsxedc asdfgh asdfghjkl zxcvbn zxcvbnm changeme default secret"
    " test testtest testing user username root toor guest soleil doudou loulou marseille chouchou jetaime nicolas"
    " camille whatever starwars computer internet passw pass broadcaster campaign marketing"
)
_COMMON = frozenset(_COMMON_WORDS.split(" "))
_ROWS = ("01234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "azertyuiopqsdfghjklmwxcvbn")
_LEET = str.maketrans("@4301!5$7", "aaeoiisst")


def check(password: str, *, email: str = "") -> None:
    """Refuse a password that is short, too long, among the most used or made of the person's address.

    Raises InvalidInput with code ``password_short``, ``password_long`` or ``password_common``.
    """
    if len(password) < MIN_LENGTH:
        raise InvalidInput(f"choose at least {MIN_LENGTH} characters", code="password_short", field="password")
    if not fits(password):
        raise InvalidInput(f"choose at most {MAX_LENGTH} bytes", code="password_long", field="password")
    if _common(password) or _made_of(password, email):
        raise InvalidInput("this password is easy to guess", code="password_common", field="password")


def fits(password: str) -> bool:
    """Say whether a password may be hashed at all: not longer than the bound, no NUL."""
    return len(password.encode("utf-8", "surrogatepass")) <= MAX_LENGTH and "\0" not in password


def hash_password(password: str) -> str:
    """Return the argon2id hash; about a tenth of a second, so never inside a transaction."""
    return _HASHER.hash(password)


def matches(stored: str | None, password: str) -> bool:
    """Compare in the same time whether or not there is a *stored* hash."""
    try:
        _HASHER.verify(stored or _NOBODY, password)
    except (VerifyMismatchError, VerificationError, InvalidHashError):
        return False
    return bool(stored)


def outdated(stored: str) -> bool:
    """Say whether the hash was made with weaker parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


def _common(password: str) -> bool:
    plain = password.lower()
    bare = re.sub(r"[\W\d_]+", "", plain)
    bare_leet = re.sub(r"^[\W\d_]+|[\W\d_]+$", "", plain).translate(_LEET)
    if bare in _COMMON or bare_leet in _COMMON or len(set(plain)) < 4:
        return True
    return any(plain in row * 3 or plain in row[::-1] * 3 for row in _ROWS) or _repeats(plain)


def _repeats(plain: str) -> bool:
    """Say whether a piece of up to five characters repeated gives the whole."""
    return any(plain == (plain[:size] * len(plain))[: len(plain)] for size in range(1, 6))


def _made_of(password: str, email: str) -> bool:
    local = re.sub(r"[^a-z]", "", email.partition("@")[0].lower())
    letters = re.sub(r"[^a-z]", "", password.lower())
    return len(local) > 3 and letters in {local, local * 2}
