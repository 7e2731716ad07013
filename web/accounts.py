"""Sender accounts: connect, try, pause; a secret goes in and never comes out."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from broadcaster.actions import accounts
from broadcaster.actions.catalogue import create_brand
from broadcaster.actions.organisation import setting
from broadcaster.actions.staff import actor
from broadcaster.channels import registry
from broadcaster.channels.contract import CONCURRENCY
from broadcaster.core import domain_rates
from broadcaster.core.errors import Conflict, InvalidInput, NotFound
from broadcaster.storage import listings, rates
from broadcaster.storage.tables import Account
from web import account_words as say
from web import sentences
from web.access import Area, require
from web.account_forms import PREFIX, form_of, groups, refuse
from web.context import me, runtime
from web.forms import Form, blank, read
from web.language import _

pages = Blueprint("accounts", __name__)

_MOVES = {"pause": "paused", "resume": "active", "disable": "disabled"}


@pages.get("/accounts")
@require(Area.ACCOUNTS)
def index() -> ResponseReturnValue:
    with runtime().db.reading() as session:
        rows = sorted(listings.accounts(session), key=lambda row: (row.state == "disabled", row.name.casefold()))
        currency = setting(session, "currency")
    return render_template("accounts/index.html", rows=rows, say=say, currency=currency)


@pages.post("/accounts/sandbox")
@require(Area.ACCOUNTS)
def add_sandbox() -> ResponseReturnValue:
    """Make a sandbox account for a channel, and a brand if there is none, in one click."""
    channel = registry.get(registry.SANDBOX, request.form.get("channel", "")).capabilities.channel
    with runtime().db.reading() as session:
        known = [row for row in listings.accounts(session) if _tries(row, channel)]
        names = {row.name for row in listings.accounts(session)}
        brand = next((row.id for row in listings.brands(session)), None)
        organisation = str(setting(session, "name"))
    if known:
        flash(_("There is a sandbox account already."), "info")
        return redirect(url_for("accounts.show", account_id=known[0].id), 303)
    by = actor(me().id)
    if brand is None:
        name = organisation or "Broadcaster"
        brand = create_brand(runtime(), key="main", name=name, actor=by)
    plain = _sandbox_name(channel)
    name = next(one for one in (plain, *(f"{plain} {n}" for n in range(2, 1000))) if one not in names)
    made = accounts.create(
        runtime(), brand_id=brand, provider=registry.SANDBOX, channel=channel, name=name, settings={}, actor=by
    )
    flash(_("The sandbox is ready. It sends nothing; what would go out stands in the outbox."), "success")
    return redirect(url_for("accounts.show", account_id=made), 303)


def _tries(row: Account, channel: str) -> bool:
    return row.provider == registry.SANDBOX and row.channel == channel and row.state != "disabled"


def _sandbox_name(channel: str) -> str:
    return _("Sandbox for %(channel)s", channel=say.channel(channel))


@pages.get("/accounts/new")
@require(Area.ACCOUNTS)
def choose() -> ResponseReturnValue:
    """Show the providers to choose from."""
    return render_template(
        "accounts/choose.html", providers=sorted(registry.CHANNELS, key=lambda name: name != registry.SANDBOX), say=say
    )


@pages.get("/accounts/new/<provider>")
@require(Area.ACCOUNTS)
def new(provider: str) -> ResponseReturnValue:
    channel = registry.get(provider)
    begin: dict[str, Any] = {PREFIX + one.name: one.default for one in channel.fields if not one.secret}
    begin |= {
        "name": _sandbox_name("email") if provider == registry.SANDBOX else say.provider(provider),
        "rate_per_second": channel.capabilities.rate_per_second,
        "concurrency": CONCURRENCY,
    }
    return _form(provider, blank(form_of(provider), cost=0, **begin))


@pages.post("/accounts/new/<provider>")
@require(Area.ACCOUNTS)
def create(provider: str) -> ResponseReturnValue:
    filled = read(form_of(provider))
    data = filled.data
    if data is not None:
        try:
            made = accounts.create(
                runtime(),
                brand_id=_brand(data.brand),
                provider=provider,
                channel=data.channel or "",
                name=data.name or "",
                settings=data.settings(),
                actor=actor(me().id),
                **data.pace(),
            )
            flash(_("The account was added. Check it before the first campaign."), "success")
            return redirect(url_for("accounts.show", account_id=made), 303)
        except (InvalidInput, Conflict) as problem:
            refuse(filled, problem, provider)
    return _form(provider, filled), 422


@pages.get("/accounts/<id:account_id>")
@require(Area.ACCOUNTS)
def show(account_id: int) -> ResponseReturnValue:
    return _shown(account_id)


@pages.get("/accounts/<id:account_id>/edit")
@require(Area.ACCOUNTS)
def edit(account_id: int) -> ResponseReturnValue:
    row = _row(account_id)
    begin: dict[str, Any] = {
        PREFIX + one.name: row.settings.get(one.name, "") for one in registry.get(row.provider).fields if not one.secret
    }
    begin |= {"base_url": row.base_url, "concurrency": row.concurrency, "name": row.name}
    begin |= {"warm_up": ", ".join(map(str, row.warm_up)), "domain_rates": domain_rates.written(row.domain_rates)}
    begin |= {"rate_per_second": _plain(row.rate_per_second), "cost": _plain(row.cost_micros / 1_000_000)}
    return _form(row.provider, blank(form_of(row.provider), **begin), row)


@pages.post("/accounts/<id:account_id>/edit")
@require(Area.ACCOUNTS)
def update(account_id: int) -> ResponseReturnValue:
    row = _row(account_id)
    filled = read(form_of(row.provider))
    data = filled.data
    if data is not None:
        try:
            accounts.update(runtime(), account_id, settings=data.settings(), actor=actor(me().id), **data.pace())
            flash(_("Saved."), "success")
            return redirect(url_for("accounts.show", account_id=account_id), 303)
        except (InvalidInput, Conflict) as problem:
            refuse(filled, problem, row.provider)
    return _form(row.provider, filled, row), 422


@pages.post("/accounts/<id:account_id>/check")
@require(Area.ACCOUNTS)
def check(account_id: int) -> ResponseReturnValue:
    """Try the account for real and show what came of it; nothing is sent to anybody."""
    return _shown(account_id, found=accounts.check(runtime(), account_id))


@pages.post("/accounts/<id:account_id>/<move>")
@require(Area.ACCOUNTS)
def change(account_id: int, move: str) -> ResponseReturnValue:
    if move not in _MOVES:
        raise NotFound("there is no such page")
    accounts.set_state(runtime(), account_id, _MOVES[move], actor=actor(me().id))
    told = {
        "pause": _("Paused: nothing more goes out through this account until it is resumed."),
        "resume": _("Resumed."),
        "disable": _("Switched off: campaigns can no longer choose this account."),
    }
    flash(told[move], "success")
    return redirect(url_for("accounts.show", account_id=account_id), 303)


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}".rstrip("0").rstrip(".")


def _row(account_id: int) -> Account:
    with runtime().db.reading() as session:
        return listings.find(session, Account, account_id)


def _brand(chosen: int | None) -> int:
    with runtime().db.reading() as session:
        known = [row.id for row in listings.brands(session)]
    if chosen is None and len(known) == 1:
        return known[0]
    if chosen not in known:
        raise InvalidInput("choose a brand", field="brand", code="brand")
    return chosen


def _shown(account_id: int, found: Any = None) -> str:
    row = _row(account_id)
    channel = registry.get(row.provider)
    with runtime().db.reading() as session:
        hook = accounts.config(runtime(), session, account_id).public_url if channel.capabilities.webhook else ""
        currency = setting(session, "currency")
        resting = next((one for one in rates.resting(session) if one.account_id == row.id), None)
        day = accounts.warm_up_day(session, row, now=runtime().db.now(session))
        brand = next((one.name for one in listings.brands(session) if one.id == row.brand_id), "")
    return render_template(
        "accounts/show.html",
        row=row,
        brand=brand,
        hook=hook,
        currency=currency,
        found=found,
        said=sentences.said,
        say=say,
        details=_details(row),
        resting=resting,
        day=day,
        domain_rates=domain_rates.written(row.domain_rates),
        most=None if day is None else day.most(row.warm_up),
        held=say.held(row.state_reason) if row.state == "held" else None,
    )


def _details(row: Account) -> list[tuple[str, str]]:
    """Return the settings that are no secret and not empty, with their labels."""
    kept = accounts.stored_secrets(runtime(), row.id)
    told = []
    for field in registry.get(row.provider).fields:
        value = _("stored, not shown") if field.name in kept else str(row.settings.get(field.name, ""))
        if value and (field.secret or value != field.default):
            told.append((say.said(field.label), say.value(field, value)[:200]))
    return told


def _form(provider: str, form: Form[Any], row: Account | None = None) -> str:
    if provider not in say.PROVIDERS:
        raise NotFound("there is no such provider")
    with runtime().db.reading() as session:
        brands = [(one.id, one.name) for one in listings.brands(session)]
        currency = setting(session, "currency")
    channels = registry.channels_of(provider) if row is None else [row.channel]
    kept = accounts.stored_secrets(runtime(), row.id) if row is not None else frozenset()
    return render_template(
        "accounts/form.html",
        form=form,
        row=row,
        provider=provider,
        say=say,
        groups=groups(provider),
        channels=[(one, say.channel(one)) for one in channels],
        kept={PREFIX + name for name in kept},
        brands=brands,
        currency=currency,
        mail=any(registry.get(provider, one).capabilities.address_kind == "email" for one in channels),
    )
