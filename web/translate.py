"""Catalogues: ``python -m web.translate`` finds new messages, drops old ones, compiles, and names what is missing.

Translate in ``web/translations/<language>/LC_MESSAGES/messages.po``, then run it again. Both files are committed:
nothing compiles them at installation. A language that staff cannot choose has the messages of the pages for customers.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from broadcaster.actions.staff import LANGUAGES

HERE = Path(__file__).parent
UNDATED = datetime(2026, 1, 1, tzinfo=UTC)  #: the same messages give the same files
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
PUBLIC_METHODS = [("public*.py", "python"), ("templates/public/**.html", "jinja2")]
KEYWORDS = {"_": None, "_l": None, "marked": None, "_n": (1, 2), "gettext": None, "ngettext": (1, 2)}


def used(language: str) -> Catalog:
    """Return every message that code and templates use where *language* is spoken."""
    found = Catalog()
    methods = METHODS if language in LANGUAGES else PUBLIC_METHODS
    options = {pattern: {"silent": "false", "trimmed": "true"} for pattern, kind in methods if kind == "jinja2"}
    for _file, _line, message, comments, context in extract_from_dir(
        HERE, methods, options, keywords=KEYWORDS, strip_comment_tags=True
    ):
        found.add(message, auto_comments=comments, context=context)
    return found


def catalogue(language: str) -> Path:
    return HERE / "translations" / language / "LC_MESSAGES" / "messages.po"


def translated(language: str) -> Catalog:
    """Read a language's catalogue, an empty one if there is none yet."""
    path = catalogue(language)
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def untranslated(known: Catalog) -> list[str]:
    """Return the messages without words of their own, or with words somebody should look at."""
    return [str(message.id) for message in known if message.id and (message.fuzzy or not _complete(message))]


def languages() -> list[str]:
    return sorted(path.name for path in HERE.joinpath("translations").iterdir() if path.is_dir())


def refresh(language: str) -> list[str]:
    """Bring a language's files up to date with the code; return what is untranslated."""
    known = translated(language)
    known.update(used(language), no_fuzzy_matching=True)
    known.obsolete.clear()
    known.creation_date = known.revision_date = UNDATED
    path = catalogue(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, known, width=120, sort_output=True, omit_header=True, no_location=True)
    with path.with_suffix(".mo").open("wb") as file:
        write_mo(file, known)
    return untranslated(known)


def _complete(message: Message) -> bool:
    words = message.string
    return all(words) if isinstance(words, (list, tuple)) else bool(words)


def main() -> int:
    missing = {language: refresh(language) for language in languages()}
    for language, messages in missing.items():
        sys.stdout.writelines(f"{language}: {message}\n" for message in messages)
    return 1 if any(missing.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
