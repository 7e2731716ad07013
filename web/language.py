"""Words and times for the person at the screen: English and French, their time zone; customers also read German.

``_`` translates now, ``_l`` when it is shown (for tables made at import), ``_n`` by number.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, cast

import flask_babel  # type: ignore[import-untyped]
from babel.dates import format_interval
from flask import Flask, request

from broadcaster.actions.staff import LANGUAGES
from web.context import anybody

NAMES = {"en": "English", "fr": "Français"}
PUBLIC_NAMES = {**NAMES, "de": "Deutsch"}  #: of the pages for customers
LOCALES = {"en": "en_GB"}  #: 24 hours, day before month: what most of the world reads


def install(app: Flask) -> None:
    """Choose language and zone by the signed-in person, else the browser."""
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = "translations"
    flask_babel.Babel(app, locale_selector=_locale, timezone_selector=time_zone)
    app.jinja_env.globals.update(language=language, time_zone=time_zone, language_names=NAMES)
    app.jinja_env.filters.update(moment=moment, day=day, until=until, number=number, percent=percent, money=money)


def language() -> str:
    """Return the language of this answer."""
    person = anybody()
    if person is not None:
        return person.language
    return request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def _locale() -> str:
    return LOCALES.get(language(), language())


def time_zone() -> str:
    """Return the zone in which times are shown and understood."""
    person = anybody()
    return "UTC" if person is None else person.time_zone


def _(message: str, **values: object) -> str:
    return str(flask_babel.gettext(message, **values))


def _l(message: str, **values: object) -> str:
    return cast(str, flask_babel.lazy_gettext(message, **values))


def marked(message: str) -> str:
    """Name a message for the catalogues that is translated elsewhere."""
    return message


def _n(singular: str, plural: str, num: int, **values: object) -> str:
    return str(flask_babel.ngettext(singular, plural, num, **values))


def moment(value: datetime | None, form: str = "") -> str:
    """Return day, hour and minute in the person's zone, nothing for None; *form* ``full`` adds seconds and zone."""
    if value is None or form:
        return "" if value is None else str(flask_babel.format_datetime(value, form))
    return f"{flask_babel.format_date(value, 'medium')}, {flask_babel.format_time(value, 'short')}"


def day(value: Any, form: str = "medium") -> str:
    """Return a date in the person's language, nothing for None."""
    return "" if value is None else str(flask_babel.format_date(value, form))


def until(first: date, last: date) -> str:
    """Return days from one to another, both included, in the person's language; one day where they are the same."""
    return format_interval(first, last, "yMMMd", locale=flask_babel.get_locale())


def number(value: float) -> str:
    return str(flask_babel.format_decimal(value))


def money(micros: int, currency: str) -> str:
    """Return an amount given in millionths; small ones keep the digits that matter."""
    amount = Decimal(micros) / 1_000_000
    digits = "0.00##" if 0 < amount < 1 else "0.00"
    pattern = f"¤#,##{digits}" if language() == "en" else f"#,##{digits} ¤"
    return str(flask_babel.format_currency(amount, currency, format=pattern, currency_digits=False))


def percent(value: float) -> str:
    return str(flask_babel.format_percent(value))
