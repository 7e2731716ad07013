"""Campaigns: the list, and a draft with everything that can be chosen in it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from broadcaster.actions import campaigns
from broadcaster.actions.calendar import calendar_of
from broadcaster.actions.staff import TIME_ZONES, actor
from broadcaster.core.campaigns import CampaignState
from broadcaster.core.errors import Conflict, InvalidInput, Refused
from broadcaster.storage import campaign_sizes, listings
from broadcaster.storage.tables import Campaign
from web import campaign_forms as forms
from web import campaign_view, words
from web import campaign_words as say
from web.access import Area, require
from web.campaign_forms import CampaignForm, NewCampaign
from web.context import me, runtime
from web.forms import Form, blank, read
from web.language import _
from web.paging import cursor, page
from web.settings import countries

pages = Blueprint("campaigns", __name__)

SHOWN = 20
_A_MONDAY = date(2024, 1, 1)


@pages.get("/campaigns")
@require(Area.CAMPAIGNS)
def index() -> ResponseReturnValue:
    wanted = request.args.get("state", "")
    if wanted not in say.FILTERS:
        abort(404)
    states = say.FILTERS[wanted][1]
    with runtime().db.reading() as session:
        rows = listings.campaigns(session, states=states, before=cursor(), limit=SHOWN + 1)
        found = page(rows, lambda row: row.id, limit=SHOWN)
        sizes = campaign_sizes.sizes(session, [row.id for row in found.rows])
    return render_template("campaigns/index.html", page=found, sizes=sizes, wanted=wanted, say=say)


@pages.get("/campaigns/calendar")
@require(Area.CAMPAIGNS)
def calendar() -> ResponseReturnValue:
    """Show a month: what went out, what is scheduled, and the dates of what repeats."""
    found = calendar_of(runtime(), request.args.get("month", ""))
    week = [_A_MONDAY + timedelta(days=one) for one in range(7)]
    return render_template("campaigns/calendar.html", found=found, say=say, week=week, countries=countries())


@pages.get("/campaigns/new")
@require(Area.CAMPAIGNS)
def new() -> ResponseReturnValue:
    return _new(blank(NewCampaign))


@pages.post("/campaigns/new")
@require(Area.CAMPAIGNS)
def create() -> ResponseReturnValue:
    filled = read(NewCampaign)
    data = filled.data
    if data is not None:
        offered = forms.offers()
        with filled.refusals():
            brand = data.brand or (int(offered.brands[0][0]) if len(offered.brands) == 1 else None)
            if brand is None:
                raise InvalidInput("choose a brand", field="brand", code="brand")
            offered.check(brand=brand, purpose=data.purpose)
            made = campaigns.create(
                runtime(),
                name=data.name,
                brand_id=brand,
                purpose_id=data.purpose,
                staff_id=me().id,
                actor=actor(me().id),
            )
            return redirect(url_for("campaigns.show", campaign_id=made), 303)
    return _new(filled), 422


@pages.get("/campaigns/<id:campaign_id>")
@require(Area.CAMPAIGNS)
def show(campaign_id: int) -> ResponseReturnValue:
    """Show a draft to be edited, anything else as it goes out or as it went."""
    row = find(campaign_id)
    if row.state == CampaignState.DRAFT:
        return _edit(row, forms.of_row(row))
    return campaign_view.shown(row)


@pages.post("/campaigns/<id:campaign_id>/save")
@require(Area.CAMPAIGNS)
def save(campaign_id: int) -> ResponseReturnValue:
    """Save a draft; a form older than what is stored is not written, the difference is shown instead."""
    filled = read(CampaignForm)
    if filled.data is None:
        return _edit(find(campaign_id), filled), 422
    try:
        _save(campaign_id, filled.data)
        if request.args.get("then") == "check":
            return redirect(url_for("campaigns.dry_run", campaign_id=campaign_id), 303)
        flash(_("Saved."), "success")
        return redirect(url_for("campaigns.show", campaign_id=campaign_id), 303)
    except Conflict as problem:
        row = find(campaign_id)
        if problem.code != "changed_meanwhile" or row.state != CampaignState.DRAFT:
            raise
        theirs = forms.differences(filled, forms.of_row(row), forms.offers())
        filled.values["revision"] = [str(row.revision)]
        filled.errors[""] = words.problem(problem)
        return _edit(row, filled, theirs), 409
    except (InvalidInput, Refused) as problem:
        filled.refuse(problem)
        if problem.code == "local_time_ambiguous":
            filled.errors["fold"] = _("Choose one of the two.")
    return _edit(find(campaign_id), filled), 422


def _save(campaign_id: int, data: CampaignForm) -> None:
    offered = forms.offers()
    offered.check(brand=data.brand, purpose=data.purpose, template=data.template)
    offered.check(audience=data.audience, exclude=data.exclude)
    offered.check(**{name: getattr(data, name) for name in forms.WAYS})
    with runtime().db.reading() as session:
        now = runtime().db.now(session)
    plan = forms.plan_of(data, now)
    told = forms.changes_of(data, plan)
    campaigns.update(runtime(), campaign_id, revision=data.revision, actor=actor(me().id), **told)


@pages.post("/campaigns/<id:campaign_id>/duplicate")
@require(Area.CAMPAIGNS)
def duplicate(campaign_id: int) -> ResponseReturnValue:
    made = campaigns.duplicate(runtime(), campaign_id, actor=actor(me().id))
    flash(_("This is the copy: a draft of its own."), "success")
    return redirect(url_for("campaigns.show", campaign_id=made), 303)


def find(campaign_id: int) -> Campaign:
    """Return a campaign. Raises NotFound."""
    with runtime().db.reading() as session:
        return listings.find(session, Campaign, campaign_id)


def _new(form: Form[NewCampaign]) -> str:
    return render_template("campaigns/new.html", form=form, offered=forms.offers())


def _edit(row: Campaign, form: Form[CampaignForm], theirs: list[tuple[str, str, str]] | None = None) -> str:
    return render_template(
        "campaigns/edit.html",
        row=row,
        form=form,
        offered=forms.offers(),
        dates=forms.next_dates(row, datetime.now(UTC)),
        theirs=theirs or [],
        zones=[(one, one.replace("_", " ")) for one in sorted(TIME_ZONES) if "/" in one or one == "UTC"],
        say=say,
        ways=forms.WAYS,
    )
