"""The organisation's own closed days, beside the public holidays that come with the program."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from broadcaster.actions import closed_days
from broadcaster.actions.organisation import setting
from broadcaster.actions.staff import actor
from broadcaster.core.closed import EVERYWHERE, Closed
from broadcaster.core.schedule import HOLIDAY_SOURCE
from web.access import Area, require
from web.context import me, runtime
from web.forms import Form, FormModel, Line, blank, read
from web.language import _, _n, language
from web.settings import countries

pages = Blueprint("closed_days", __name__)


class NewDays(FormModel):
    """Days to close, both ends included; without a last one it is a single day, without a country everywhere."""

    first: date
    last: date | None = None
    country: Line = EVERYWHERE
    label: Line


class Which(FormModel):
    country: Line
    first: date
    last: date


@pages.get("/settings/closed-days")
@require(Area.SETTINGS)
def index() -> ResponseReturnValue:
    return _page(blank(NewDays, country=EVERYWHERE))


@pages.post("/settings/closed-days")
@require(Area.SETTINGS)
def add() -> ResponseReturnValue:
    filled = read(NewDays)
    data = filled.data
    if data is not None:
        with filled.refusals():
            asked = Closed(data.country, data.first, data.last or data.first, data.label)
            count = closed_days.add(runtime(), asked, actor=actor(me().id))
            flash(_n("%(num)s day closed.", "%(num)s days closed.", count), "success")
            return redirect(url_for("closed_days.index"), 303)
    return _page(filled), 422


@pages.post("/settings/closed-days/remove")
@require(Area.SETTINGS)
def remove() -> ResponseReturnValue:
    """Open days again."""
    which = read(Which).data
    if which is not None:
        closed_days.remove(runtime(), which.country, which.first, which.last, actor=actor(me().id))
        flash(_("These days are open again."), "success")
    return redirect(url_for("closed_days.index"), 303)


def _page(form: Form[NewDays]) -> str:
    with runtime().db.reading() as session:
        home, demo = str(setting(session, "default_region")), bool(setting(session, "demo"))
    known = countries()
    asked = request.args.get("country", "")[:2].upper()
    country = asked if asked in known else home
    return render_template(
        "settings/closed_days.html",
        form=form,
        rows=closed_days.coming(runtime()),
        everywhere=EVERYWHERE,
        countries=known,
        country=country,
        holidays=closed_days.holidays(runtime(), country, language=language()),
        source=HOLIDAY_SOURCE,
        demo=demo,
    )
