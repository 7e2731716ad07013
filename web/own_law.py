"""What the organisation asks beyond the law, and which roles a purpose concerns: set, change, end."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from pydantic import Field, StringConstraints

from broadcaster.actions import law_view, own_law, staff
from broadcaster.core.consent import Basis
from broadcaster.core.errors import InvalidInput, NotFound
from broadcaster.core.law.own import SOURCE_MOST, Own, movable, shipped_stops
from broadcaster.core.law.rows import Part, StopScope
from web import law as say
from web import vocabulary
from web.access import Area, Level, require
from web.context import me, runtime
from web.forms import Form, FormModel, blank, read
from web.language import _

pages = Blueprint("own_law", __name__)

Day = Annotated[str, StringConstraints(strip_whitespace=True, max_length=10)]


class Rules(FormModel):
    """A country's own rules; an empty field leaves it to the law."""

    age: int | None = None
    consent_months: int | None = None
    inactive_months: int | None = None
    without: list[Basis] = Field(default_factory=list)
    parts: list[Part] = Field(default_factory=list)
    senders: Annotated[str, StringConstraints(strip_whitespace=True, max_length=1000)] = ""
    stop_channel: Day = ""
    stop_categories: Day = ""
    stop_everywhere: Day = ""
    off: list[Literal["channel", "categories", "everywhere"]] = Field(default_factory=list)
    source: Annotated[str, StringConstraints(strip_whitespace=True, max_length=SOURCE_MOST)] = ""


class Roles(FormModel):
    roles: Annotated[str, StringConstraints(strip_whitespace=True, max_length=20_000)] = ""


@pages.get("/settings/law/<country>")
@require(Area.SETTINGS, level=Level.WRITE)
def rules(country: str) -> ResponseReturnValue:
    """Show a country's own rules beside what the law asks there."""
    own = own_law.own(runtime(), _known(country))
    plain = ("age", "consent_months", "inactive_months", "source")
    begin: dict[str, Any] = {name: getattr(own, name) for name in plain}
    for scope in StopScope:
        begin[f"stop_{scope.value}"] = own.stop.get(scope)
    off = [scope.value for scope, since in own.stop.items() if since is None]
    without = [one.value for one in own.without]
    senders = ", ".join(own.senders)
    return _page(blank(Rules, **begin, without=without, parts=own.parts, senders=senders, off=off), country, own)


@pages.post("/settings/law/<country>")
@require(Area.SETTINGS)
def save(country: str) -> ResponseReturnValue:
    """Set a country's own rules; one that asks less than the law is refused with the row that asks more."""
    filled = read(Rules)
    before = own_law.own(runtime(), _known(country))
    if filled.data is not None:
        with filled.refusals():
            own_law.change(runtime(), country, _values(filled.data), actor=staff.actor(me().id))
            flash(_("Saved. It binds the next message and the next stop."), "success")
            return redirect(url_for("law.index", country=country), 303)
    _at_their_fields(filled, country)
    return _page(filled, country, before), 422


@pages.post("/settings/law/<country>/end")
@require(Area.SETTINGS)
def end(country: str) -> ResponseReturnValue:
    """End all own rules of a country."""
    own_law.end(runtime(), _known(country), actor=staff.actor(me().id))
    flash(_("Ended. The law’s own rows hold there again; nobody’s consent has changed."), "success")
    return redirect(url_for("law.index", country=country), 303)


@pages.get("/settings/roles/<purpose>")
@require(Area.SETTINGS, level=Level.WRITE)
def roles(purpose: str) -> ResponseReturnValue:
    """Show which roles a purpose concerns."""
    return _roles(purpose, blank(Roles, roles="\n".join(_roles_of(purpose)[1])))


@pages.post("/settings/roles/<purpose>")
@require(Area.SETTINGS)
def save_roles(purpose: str) -> ResponseReturnValue:
    """Say which roles a purpose concerns."""
    _roles_of(purpose)
    filled = read(Roles)
    if filled.data is not None:
        with filled.refusals():
            told = own_law.words_of(filled.data.roles)
            own_law.change_roles(runtime(), purpose, told, actor=staff.actor(me().id))
            flash(_("Saved. It binds the next message."), "success")
            return redirect(url_for("law.index"), 303)
    return _roles(purpose, filled), 422


def _known(country: str) -> str:
    if country not in dict(vocabulary.countries()):
        raise NotFound("there is no such country")
    return country


def _values(data: Rules) -> dict[str, Any]:
    """Return what the form says, each rule by its name; None ends one."""
    stop: dict[str, date | None] = {}
    for scope in StopScope:
        given = getattr(data, f"stop_{scope.value}")
        if scope.value in data.off:
            stop[scope.value] = None
        elif given:
            stop[scope.value] = _day(given, f"stop_{scope.value}")
    told: dict[str, Any] = {name: getattr(data, name) for name in ("age", "consent_months", "inactive_months")}
    lists = {"without": data.without, "parts": data.parts, "senders": own_law.words_of(data.senders), "stop": stop}
    return {**told, **{name: one or None for name, one in lists.items()}, "source": data.source or None}


def _day(given: str, field: str) -> date:
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise InvalidInput("this is not a day", field=field, code="moment") from None


def _at_their_fields(filled: Form[Rules], country: str) -> None:
    """Bring what a rule's own shape refuses (``legal.FR.age``) to its field."""
    start = f"legal.{country}."
    for name in [one for one in filled.errors if one.startswith(start)]:
        filled.errors.pop(name)
        field, _dot, rest = name.removeprefix(start).partition(".")
        filled.errors[f"stop_{rest}" if field == "stop" else field] = _("This is not valid.")


def _page(form: Form[Rules], country: str, own: Own) -> str:
    found = law_view.shown(runtime(), country)
    return render_template(
        "settings/own_law.html",
        form=form,
        country=country,
        name=vocabulary.country(country),
        own=own,
        rows=found.rows,
        says=say.says,
        what=say.WHAT,
        place=say.place,
        facts=say.facts(own),
        bases=[(key, words, "") for key, words in say.BASES.items()],
        parts=[(key, words, "") for key, words in say.PARTS.items()],
        scopes=say.SCOPES,
        movable={row.scope.value for row in shipped_stops(country) if movable(row)},
    )


def _roles_of(purpose: str) -> tuple[Any, list[str]]:
    for one, told in own_law.roles(runtime()):
        if one.key == purpose:
            return one, told
    raise NotFound("there is no such purpose")


def _roles(purpose: str, form: Form[Roles]) -> str:
    one, _told = _roles_of(purpose)
    return render_template("settings/roles.html", form=form, key=purpose, name=vocabulary.purpose(one))
