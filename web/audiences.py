"""Audiences: a rule in words, how many people it means, and lists made from a group."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from broadcaster.actions import content
from broadcaster.actions.staff import actor
from broadcaster.core.errors import Conflict, InvalidInput, Refused
from broadcaster.core.ids import to_id
from broadcaster.storage import listings
from broadcaster.storage.tables import Audience
from web import audience_builder as builder
from web import audience_words, rule_form, words
from web.access import Area, Level, require
from web.audience_builder import Sent
from web.context import me, runtime
from web.forms import FormModel, Line, blank, read
from web.language import _

pages = Blueprint("audiences", __name__)


class FromGroup(FormModel):
    name: Line
    group: int


@pages.get("/audiences")
@require(Area.AUDIENCES)
def index() -> ResponseReturnValue:
    with runtime().db.reading() as session:
        rows = listings.audiences(session)
        sizes = listings.list_sizes(session, (row.id for row in rows))
    offered = builder.offers()
    seen = {row.id: _sentence(row, offered) for row in rows}
    return render_template("audiences/index.html", rows=rows, sizes=sizes, seen=seen)


@pages.get("/audiences/new")
@require(Area.AUDIENCES)
def new() -> ResponseReturnValue:
    offered = builder.offers()
    return _page(Sent(rule_form.change(rule_form.of_rule({}), "add", "r"), None), offered)


@pages.get("/audiences/<id:audience_id>")
@require(Area.AUDIENCES)
def show(audience_id: int) -> ResponseReturnValue:
    with runtime().db.reading() as session:
        row = listings.find(session, Audience, audience_id)
        sizes = listings.list_sizes(session, [row.id])
    offered = builder.offers()
    found = builder.checked(rule_form.of_rule(row.rule), offered)
    return _page(Sent(found.root, dict(row.rule)), offered, row=row, size=_fixed(row, sizes))


@pages.post("/audiences/draft")
@require(Area.AUDIENCES, level=Level.READ)
def draft() -> ResponseReturnValue:
    """Show the builder as it would be after a change, with its count; saves nothing."""
    offered = builder.offers()
    row = _row(request.form.get("audience", ""))
    return _page(builder.sent(offered), offered, row=row)


@pages.post("/audiences/save")
@require(Area.AUDIENCES)
def save() -> ResponseReturnValue:
    """Create an audience or change one, unless somebody else changed it since the form was made."""
    offered = builder.offers()
    found = builder.sent(offered)
    row = _row(request.form.get("audience", ""))
    error = ""
    if found.rule is not None:
        try:
            made = content.save_audience(
                runtime(),
                name=request.form.get("name", ""),
                rule=found.rule,
                audience_id=None if row is None else row.id,
                seen=_seen_at(request.form.get("seen", "")),
                actor=actor(me().id),
            )
            flash(_("Saved."), "success")
            return redirect(url_for("audiences.show", audience_id=made), 303)
        except (InvalidInput, Conflict, Refused) as problem:
            error = words.problem(problem)
            if problem.code == "changed_meanwhile" and row is not None:
                theirs = _("It now reads: %(rule)s Saving again replaces it.", rule=_sentence(row, offered))
                return _page(found, offered, row=row, error=f"{error} {theirs}", fresh=True), 409
    return _page(found, offered, row=row, error=error), 422


@pages.get("/audiences/list")
@require(Area.AUDIENCES)
def new_list() -> ResponseReturnValue:
    return _list_page(blank(FromGroup))


@pages.post("/audiences/list")
@require(Area.AUDIENCES)
def save_list() -> ResponseReturnValue:
    """Make a list of exactly those who are in a group now."""
    filled = read(FromGroup)
    data = filled.data
    if data is not None:
        with filled.refusals():
            with runtime().db.reading() as session:
                if data.group not in {one.id for one in listings.groups(session)}:
                    raise InvalidInput("choose a group", field="group", code="unknown_choice")
                members = listings.group_members(session, data.group)
            if not members:
                raise InvalidInput("nobody is in this group", field="group", code="group_empty")
            made = content.save_list(runtime(), name=data.name, contact_ids=members, actor=actor(me().id))
            flash(_("The list was made. It stays as it is, whoever joins or leaves the group."), "success")
            return redirect(url_for("audiences.show", audience_id=made), 303)
    return _list_page(filled), 422


@pages.post("/audiences/<id:audience_id>/archive")
@require(Area.AUDIENCES)
def archive(audience_id: int) -> ResponseReturnValue:
    content.archive(runtime(), "audience", audience_id, actor=actor(me().id))
    flash(_("Put away. Campaigns that used it keep it."), "success")
    return redirect(url_for("audiences.index"), 303)


def _sentence(row: Audience, offered: builder.Offers) -> str:
    try:
        return builder.sentence(row.rule, offered)
    except InvalidInput:
        return ""


def _row(told: str) -> Audience | None:
    audience_id = to_id(told)
    if audience_id is None:
        return None
    with runtime().db.reading() as session:
        return listings.find(session, Audience, audience_id)


def _fixed(row: Audience, sizes: dict[int, int]) -> int | None:
    """Return the size of a list that is made of its own members, None for a rule."""
    return sizes.get(row.id, 0) if row.rule.get("type") == "list" and row.rule.get("audience") == row.id else None


def _seen_at(told: str) -> datetime | None:
    try:
        return datetime.fromisoformat(told) if told else None
    except ValueError:
        raise InvalidInput("this form is not one of ours", code="unknown_choice", field="seen") from None


def _page(
    found: Sent,
    offered: builder.Offers,
    *,
    row: Audience | None = None,
    error: str = "",
    size: int | None = None,
    fresh: bool = False,
) -> str:
    """Return the builder; *fresh*: as made from what is stored now, whatever the form says."""
    purpose = to_id(request.form.get("reach", ""))
    seen = None
    if found.rule is not None:
        seen = builder.look(found.rule, offered, purpose_id=purpose)
    posted: Any = request.form
    return render_template(
        "audiences/edit.html",
        root=found.root,
        problem=found.problem,
        error=error,
        seen=seen,
        offered=offered,
        row=row,
        size=size,
        name=posted.get("name", "") if posted else ("" if row is None else row.name),
        seen_at=("" if fresh else posted.get("seen", "")) or ("" if row is None else row.updated_at.isoformat()),
        reach=str(purpose or ""),
        rule_json="" if found.rule is None else json.dumps(found.rule, indent=2, ensure_ascii=False),
        say=audience_words,
    )


def _list_page(form: Any) -> str:
    with runtime().db.reading() as session:
        groups = [(one.id, one.name) for one in listings.groups(session)]
    return render_template("audiences/list.html", form=form, groups=groups)
