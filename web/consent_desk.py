"""The consent desk: consent of everybody, and the unclear messages that wait for a decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from broadcaster.actions import consent_desk, consent_history, reviews, staff
from broadcaster.actions.consent_desk import DAYS_AHEAD, Growth
from broadcaster.core.errors import InvalidInput
from broadcaster.core.periods import Step
from broadcaster.storage import listings
from broadcaster.storage.consent_desk import Change
from web import consent_words as say
from web import words
from web.access import Area, Level, may, require
from web.consent_forms import Decision, moment_of
from web.context import me, runtime
from web.forms import Form, blank, read
from web.language import _, moment, time_zone
from web.paging import cursor, page

pages = Blueprint("consent_desk", __name__)
Cause = Literal["source", "campaign", "rule"]
#: Wide enough for four seasons, short enough to be counted while one waits.
USUAL_DAYS = 180


@pages.get("/consent/desk")
@require(Area.CONSENT)
def index() -> ResponseReturnValue:
    """Show where everybody stands, now or at a moment, what runs out, and how many messages wait."""
    asked = request.args.get("at", "")[:40]
    wrong, at = False, None
    try:
        at = moment_of(asked, time_zone()) if asked else None
    except InvalidInput:
        wrong = True
    when, counts = consent_desk.totals(runtime(), moment=at)
    return render_template(
        "consent/desk.html",
        asked=asked,
        wrong=wrong,
        past=at is not None,
        when=when,
        counts=counts,
        ending=consent_desk.ending(runtime()),
        days=DAYS_AHEAD,
        waiting=len(reviews.waiting(runtime())),
        say=say,
    )


@pages.post("/consent/desk/again")
@require(Area.CAMPAIGNS)
def again() -> ResponseReturnValue:
    """Draft a campaign to those whose consent still holds and soon runs out."""
    told = {name: request.form.get(name, "")[:19] for name in ("purpose", "days")}
    purpose_id, days = (int(one) if one.isascii() and one.isdigit() else 0 for one in told.values())
    name = _("Ask again: ends within %(days)s days, %(now)s", days=days, now=moment(datetime.now(UTC), "medium"))
    made = consent_desk.ask_again(
        runtime(), purpose_id=purpose_id, days=days, name=name, staff_id=me().id, actor=staff.actor(me().id)
    )
    flash(_("A draft to those whose consent still holds; nobody else is in it."), "success")
    return redirect(url_for("campaigns.show", campaign_id=made), 303)


@pages.get("/consent/desk/growth")
@require(Area.CONSENT)
def growth() -> ResponseReturnValue:
    """Show what was gained and lost, period by period, and by what cause."""
    today = datetime.now(ZoneInfo(time_zone())).date()
    asked = {name: request.args.get(name, "")[:20] for name in ("from", "to", "by", "cause")}
    by: Step = "week" if asked["by"] == "week" else "month"
    cause: Cause = next((one for one in get_args(Cause) if one == asked["cause"]), "source")
    first, last = (today - timedelta(days=USUAL_DAYS)).replace(day=1), today
    problem, found = "", None
    try:
        first, last = _day(asked["from"], first, "from"), _day(asked["to"], last, "to")
        found = consent_desk.growth(runtime(), first=first, last=last, by=by)
    except InvalidInput as wrong:
        problem = words.problem(wrong)
    return render_template(
        "consent/growth.html",
        first=first,
        last=last,
        by=by,
        cause=cause,
        problem=problem,
        found=found,
        rows=[] if found is None else _rows(found),
        causes=[] if found is None else _causes(found, cause),
        say=say,
    )


def _day(text: str, usual: date, field: str) -> date:
    try:
        return date.fromisoformat(text) if text else usual
    except ValueError:
        raise InvalidInput("write the date as 2026-05-31", field=field, code="date_invalid") from None


def _rows(found: Growth) -> list[tuple[Any, int, int]]:
    """Return each period with its gain and loss."""
    return [
        (period, sum(one.count for one in changes if one.gained), sum(one.count for one in changes if not one.gained))
        for period, changes in zip(found.periods, found.changes, strict=True)
    ]


def _causes(found: Growth, cause: Cause) -> list[tuple[int, str, int, int]]:
    """Return (purpose, cause, gain, loss), the largest loss first."""
    named: dict[Cause, Callable[[Change], str]] = {
        "source": lambda one: one.source,
        "campaign": lambda one: "" if one.campaign_id is None else str(one.campaign_id),
        "rule": lambda one: one.rule or "",
    }
    won: Counter[tuple[int, str]] = Counter()
    lost: Counter[tuple[int, str]] = Counter()
    for changes in found.changes:
        for one in changes:
            (won if one.gained else lost)[one.purpose_id, named[cause](one)] += one.count
    keys = sorted({*won, *lost}, key=lambda key: (-lost[key], -won[key], key))
    names = _campaigns() if cause == "campaign" else {}
    return [(purpose, names.get(name, name), won[purpose, name], lost[purpose, name]) for purpose, name in keys]


def _campaigns() -> dict[str, str]:
    with runtime().db.reading() as session:
        return {str(one.id): one.name for one in listings.campaigns(session, limit=1000)}


@pages.get("/consent/desk/reviews")
@require(Area.CONSENT)
def waiting() -> ResponseReturnValue:
    return _reviews(blank(Decision))


@pages.post("/consent/desk/reviews/<id:conversation_id>")
@require(Area.CONSENT)
def decide(conversation_id: int) -> ResponseReturnValue:
    """End the hold of an unclear message, one way or the other."""
    filled = read(Decision)
    if filled.data is not None:
        with filled.refusals():
            done = reviews.decide(
                runtime(),
                conversation_id,
                filled.data.decision,
                reason=filled.data.reason,
                staff_id=me().id,
                actor=staff.actor(me().id),
            )
            flash(_("Recorded."), "success")
            if done.in_flight:
                flash(_("%(count)s messages were with the provider already.", count=done.in_flight), "warning")
            return redirect(url_for("consent_desk.waiting"), 303)
    return _reviews(filled, conversation_id), 422


def _reviews(form: Form[Decision], about: int | None = None) -> str:
    return render_template(
        "consent/reviews.html",
        rows=reviews.waiting(runtime()),
        form=form,
        about=about,
        whole=may(me().role, Area.CONTACTS, Level.WRITE),
        now=datetime.now(UTC),
    )


@pages.get("/consent/wording/<id:wording_id>")
@require(Area.CONSENT)
def wording(wording_id: int) -> ResponseReturnValue:
    """Show exact words and everything that happened by them, newest first."""
    told = consent_desk.by_words(runtime(), wording_id)
    found = consent_history.newest(runtime(), before=cursor(), limit=51, wording_id=wording_id)
    shown = page(found, lambda one: one.id)
    names = staff.names(runtime(), [one.staff_id for one in shown.rows if one.staff_id is not None])
    return render_template("consent/wording.html", told=told, page=shown, names=names, say=say)
