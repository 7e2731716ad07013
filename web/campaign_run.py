"""From the dry run to the report: look, launch, stop, and find out about one person."""

from __future__ import annotations

from typing import Any, Literal, cast

from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from broadcaster.actions import campaigns, forecast
from broadcaster.actions.contact_views import search
from broadcaster.actions.forecast_people import WILL_GET, people
from broadcaster.actions.report_members import members
from broadcaster.actions.report_person import Explanation, explain
from broadcaster.actions.report_unknown import DECISIONS, resolve_unknown, unknown
from broadcaster.actions.staff import actor
from broadcaster.core.deliveries import Reason, State
from broadcaster.core.errors import Conflict, InvalidInput
from broadcaster.core.ids import to_id
from web import campaign_view, words
from web import campaign_words as say
from web.access import Area, require
from web.campaigns import find
from web.campaigns import pages as pages
from web.context import me, runtime
from web.forms import FormModel, Line, read
from web.language import _, language
from web.paging import cursor

PEOPLE = 50


class Launch(FormModel):
    revision: int


class Decided(FormModel):
    decision: Line
    steps: list[int]
    sure: Line | None = None


@pages.get("/campaigns/<id:campaign_id>/dry-run")
@require(Area.CAMPAIGNS)
def dry_run(campaign_id: int) -> ResponseReturnValue:
    """Show what the campaign would come to if it were launched now; writes nothing."""
    return _dry_run(campaign_id)


def _dry_run(campaign_id: int, problem: str = "") -> str:
    row = find(campaign_id)
    found = forecast.forecast(runtime(), campaign_id)
    return render_template("campaigns/dry_run.html", row=row, found=found, say=say, problem=problem)


@pages.get("/campaigns/<id:campaign_id>/people")
@require(Area.CAMPAIGNS)
def who(campaign_id: int) -> ResponseReturnValue:
    """Show the dry run person by person: for one reason, or those who get it."""
    reason = request.args.get("reason", WILL_GET)
    if reason not in (WILL_GET, *Reason):
        abort(404)
    after = cursor("after") or 0
    found = people(runtime(), campaign_id, after=after, limit=PEOPLE, reason=reason)
    return render_template(
        "campaigns/people.html", row=find(campaign_id), found=found, reason=reason, first=not after, will_get=WILL_GET
    )


@pages.post("/campaigns/<id:campaign_id>/launch")
@require(Area.CAMPAIGNS)
def launch(campaign_id: int) -> ResponseReturnValue:
    """Launch what was looked at; a campaign changed since is shown again instead."""
    filled = read(Launch)
    if filled.data is None:
        abort(400)
    try:
        forecast.launch(runtime(), campaign_id, revision=filled.data.revision, actor=actor(me().id))
    except (InvalidInput, Conflict) as problem:
        if find(campaign_id).state != "draft":
            raise
        return _dry_run(campaign_id, words.problem(problem)), problem.status
    flash(_("Launched. You can close this page: the campaign goes on by itself."), "success")
    return redirect(url_for("campaigns.show", campaign_id=campaign_id), 303)


@pages.post("/campaigns/<id:campaign_id>/move/<verb>")
@require(Area.CAMPAIGNS)
def move(campaign_id: int, verb: str) -> ResponseReturnValue:
    """Pause, resume, cancel, or take back to draft."""
    told = {
        "pause": (campaigns.pause, _("Paused. What is on the wire ends; everybody else waits.")),
        "resume": (campaigns.resume, _("Resumed where it stopped. Nobody gets it twice.")),
        "cancel": (campaigns.cancel, _("Cancelled. Who has not got it will not get it.")),
        "unschedule": (campaigns.unschedule, _("A draft again. Nothing has been sent.")),
    }
    if verb not in told:
        abort(404)
    act, said = told[verb]
    act(runtime(), campaign_id, actor=actor(me().id))
    flash(said, "success")
    return redirect(url_for("campaigns.show", campaign_id=campaign_id), 303)


@pages.get("/campaigns/<id:campaign_id>/live")
@require(Area.CAMPAIGNS)
def live(campaign_id: int) -> ResponseReturnValue:
    return campaign_view.live(find(campaign_id))


@pages.get("/campaigns/<id:campaign_id>/members")
@require(Area.CONTACTS)
def behind(campaign_id: int) -> ResponseReturnValue:
    """Show who stands behind a number of the report: one state, or one reason."""
    state, reason = request.args.get("state", ""), request.args.get("reason", "")
    if (state, reason) == ("", "") or state not in ("", *State) or reason not in ("", *Reason):
        abort(404)
    after = cursor("after") or 0
    found = members(runtime(), campaign_id, state=state, reason=reason, after=after, limit=PEOPLE)
    return render_template(
        "campaigns/members.html",
        row=find(campaign_id),
        found=found,
        chosen={"state": state or None, "reason": reason or None},
        first=not after,
        say=say,
    )


@pages.get("/campaigns/<id:campaign_id>/why")
@require(Area.CAMPAIGNS)
def why(campaign_id: int) -> ResponseReturnValue:
    """Say why somebody did or did not get it: found by address, customer number or name."""
    row, asked = find(campaign_id), request.args.get("who", "").strip()
    chosen = to_id(request.args.get("contact", ""))
    found: Any = ()
    if chosen is None and asked:
        found = search(runtime(), asked[:200], limit=20).lines
        chosen = found[0].id if len(found) == 1 else None
    answer = None if chosen is None else explain(runtime(), campaign_id, chosen)
    return render_template(
        "campaigns/why.html", row=row, asked=asked, found=found, answer=answer, said=_said(answer), say=say
    )


def _said(answer: Explanation | None) -> str:
    return "" if answer is None else answer.sentence(cast(Literal["en", "fr"], language()))


@pages.get("/campaigns/<id:campaign_id>/unknown")
@require(Area.CAMPAIGNS)
def unsure(campaign_id: int) -> ResponseReturnValue:
    return _unknown(campaign_id)


@pages.post("/campaigns/<id:campaign_id>/unknown")
@require(Area.CAMPAIGNS)
def decide(campaign_id: int) -> ResponseReturnValue:
    """Apply a decision to calls whose end nobody knows; sending again asks for a confirmation."""
    filled = read(Decided)
    data = filled.data
    if data is None:
        return _unknown(campaign_id, next(iter(filled.errors.values()), "")), 422
    if data.decision == "resend" and not data.sure:
        return _unknown(campaign_id, _("Confirm that some people may get it twice.")), 422
    if data.decision not in DECISIONS:
        abort(400)
    known = {one.step_id for one in unknown(runtime(), campaign_id, limit=1000)}
    steps = [one for one in data.steps if one in known]
    if not steps:
        return _unknown(campaign_id, _("These have been settled meanwhile.")), 409
    count = resolve_unknown(runtime(), steps, data.decision, actor=actor(me().id))
    flash(_("Decided: %(count)s.", count=count), "success")
    return redirect(url_for("campaigns.show", campaign_id=campaign_id), 303)


def _unknown(campaign_id: int, problem: str = "") -> str:
    found = unknown(runtime(), campaign_id, limit=100)
    return render_template("campaigns/unknown.html", row=find(campaign_id), found=found, say=say, problem=problem)
