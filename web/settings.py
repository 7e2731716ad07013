"""The organisation's settings: name, languages, currency, and the hours in which each country may be written to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from typing import Annotated, Any

from babel import Locale
from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from pydantic import StringConstraints

from broadcaster.actions.organisation import set_settings, setting
from broadcaster.actions.staff import TIME_ZONES, actor
from broadcaster.actions.windows import window_of
from broadcaster.core import schedule
from broadcaster.core.errors import InvalidInput, NotFound
from web.access import Area, require
from web.context import me, runtime
from web.forms import Form, FormModel, Line, blank, read
from web.language import _, _l, language

pages = Blueprint("settings", __name__)

Country = Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z]{2}$")]
Tongue = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")]
Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
DAYS = (
    _l("Monday"),
    _l("Tuesday"),
    _l("Wednesday"),
    _l("Thursday"),
    _l("Friday"),
    _l("Saturday"),
    _l("Sunday"),
)


class Organisation(FormModel):
    name: Line
    default_region: Country
    time_zone: Line | None = None
    default_language: Tongue
    languages: Line
    currency: Annotated[str, StringConstraints(strip_whitespace=True, to_upper=True, pattern=r"^[A-Za-z]{3}$")]


class Frequency(FormModel):
    """How often one person may get marketing; 0: no limit."""

    messages: int = 0
    days: int = 0
    hours: int = 0


class Hours(FormModel):
    country: Country
    opens: Clock
    closes: Clock
    days: list[int]


@pages.get("/settings")
@require(Area.SETTINGS)
def index() -> ResponseReturnValue:
    known = _known()
    begin = {**known, "languages": ", ".join(known["languages"])}
    return _page(blank(Organisation, **{name: begin[name] for name in Organisation.model_fields}))


@pages.post("/settings")
@require(Area.SETTINGS)
def save() -> ResponseReturnValue:
    filled = read(Organisation)
    data = filled.data
    if data is not None:
        with filled.refusals():
            _check(data)
            told = {**data.model_dump(), "languages": _languages(data), "time_zone": data.time_zone or ""}
            set_settings(runtime(), told, actor=actor(me().id))
            flash(_("Saved."), "success")
            return redirect(url_for("settings.index"), 303)
    return _page(filled), 422


@pages.get("/settings/frequency")
@require(Area.SETTINGS)
def frequency() -> ResponseReturnValue:
    return render_template("settings/frequency.html", form=blank(Frequency, **_known()["frequency"]))


@pages.post("/settings/frequency")
@require(Area.SETTINGS)
def save_frequency() -> ResponseReturnValue:
    """Set how often one person may get marketing, over all campaigns."""
    filled = read(Frequency)
    if filled.data is not None:
        with filled.refusals():
            set_settings(runtime(), {"frequency": filled.data.model_dump()}, actor=actor(me().id))
            flash(_("Saved. Campaigns that run follow the new limit at once."), "success")
            return redirect(url_for("settings.index"), 303)
    return render_template("settings/frequency.html", form=filled), 422


@pages.get("/settings/hours/<country>")
@require(Area.SETTINGS)
def hours(country: str) -> ResponseReturnValue:
    if country != "new" and country not in countries():
        raise NotFound("there is no such country")
    place = "" if country == "new" else country
    window = _window(place)
    begin = {"country": place, "opens": f"{window.opens:%H:%M}", "closes": f"{window.closes:%H:%M}"}
    return _hours(blank(Hours, days=window.days, **begin), place)


@pages.post("/settings/hours")
@require(Area.SETTINGS)
def save_hours() -> ResponseReturnValue:
    """Set the hours of one country; the law's own bounds hold."""
    filled = read(Hours)
    data = filled.data
    if data is not None:
        with filled.refusals():
            if data.country not in countries():
                raise InvalidInput("there is no such country", field="country", code="country")
            given = {"opens": data.opens, "closes": data.closes, "days": sorted(set(data.days))}
            _check_hours(data.country, given)
            windows = {**_known()["windows"], data.country: given}
            set_settings(runtime(), {"windows": windows}, actor=actor(me().id))
            flash(_("Saved. Campaigns that run follow the new hours at once."), "success")
            return redirect(url_for("settings.index"), 303)
    return _hours(filled, ""), 422


@pages.post("/settings/hours/<country>/usual")
@require(Area.SETTINGS)
def usual(country: str) -> ResponseReturnValue:
    """Go back to the usual hours of a country."""
    windows = {place: given for place, given in _known()["windows"].items() if place != country}
    set_settings(runtime(), {"windows": windows}, actor=actor(me().id))
    flash(_("The usual hours hold again."), "success")
    return redirect(url_for("settings.index"), 303)


def countries() -> Mapping[str, str]:
    """Return the names of countries in the reader's language, by ISO code."""
    territories = Locale.parse(language()).territories
    return {code: name for code, name in territories.items() if len(code) == 2 and schedule.country_zones(code)}


def _known() -> dict[str, Any]:
    names = (*Organisation.model_fields, "windows", "frequency", "demo")
    with runtime().db.reading() as session:
        return {name: setting(session, name) for name in names}


def _languages(data: Organisation) -> list[str]:
    """Return the languages one writes in, the default among them."""
    told = [one.strip() for one in data.languages.split(",") if one.strip()]
    for one in told:
        if not one.replace("-", "").isalnum() or not one[:2].islower():
            raise InvalidInput("write languages as codes: en, fr", field="languages", code="language_code")
    return list(dict.fromkeys([*told, data.default_language]))


def _check(data: Organisation) -> None:
    if data.default_region not in countries():
        raise InvalidInput("there is no such country", field="default_region", code="country")
    if data.currency not in Locale.parse("en").currencies:
        raise InvalidInput("there is no such currency", field="currency", code="currency")
    if data.time_zone is not None and data.time_zone not in TIME_ZONES:
        raise InvalidInput("there is no such time zone", field="time_zone", code="zone")


def _check_hours(country: str, given: Mapping[str, Any]) -> None:
    try:
        window_of(country, given)
    except InvalidInput as problem:
        raise InvalidInput(problem.message, field="closes", code=problem.code) from None


def _window(country: str) -> schedule.Window:
    own = {place: window_of(place, given) for place, given in _known()["windows"].items()}
    return schedule.window_for(country, own)


def _rows() -> list[tuple[str, schedule.Window, bool]]:
    """Return country, hours and whether they are the organisation's own, for every country with a line of its own."""
    own = _known()["windows"]
    places = sorted({*own, *schedule.WINDOWS})
    return [(place, _window(place), place in own) for place in places]


def _page(form: Form[Organisation]) -> str:
    return render_template(
        "settings/index.html",
        form=form,
        rows=_rows(),
        usual=schedule.DEFAULT_WINDOW,
        countries=countries(),
        zones=[(one, one.replace("_", " ")) for one in sorted(TIME_ZONES) if "/" in one or one == "UTC"],
        days=DAYS,
        demo=_known()["demo"],
        frequency=_known()["frequency"],
    )


def _hours(form: Form[Hours], country: str) -> str:
    return render_template(
        "settings/hours.html",
        form=form,
        country=country,
        own=country in _known()["windows"],
        countries=countries(),
        bounds=_bounds(form.value("country")),
        days=DAYS,
    )


def _bounds(country: str) -> tuple[time, time] | None:
    widest = schedule.WIDEST.get(country)
    return None if widest is None else (widest.opens, widest.closes)
