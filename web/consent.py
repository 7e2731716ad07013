"""Consent: record what a person said, with its proof; read what happened, and what was known on an earlier day."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from broadcaster.actions import consent_history, double_optin, optin, staff, whereabouts
from broadcaster.actions.consent_history import Entry
from broadcaster.actions.optin import Proof, Told
from broadcaster.core.errors import InvalidInput, NotFound
from broadcaster.core.ids import to_id
from broadcaster.core.law.terms import Offer
from broadcaster.storage import consent_history as stored
from web import consent_words as say
from web.access import Area, Level, may, require
from web.consent_forms import Finder, Hold, Record, Withdrawal, extents, moment_of, place_choices, source_of, wordings
from web.context import me, runtime
from web.forms import Form, blank, read
from web.language import _, time_zone
from web.paging import cursor, page

pages = Blueprint("consent", __name__)
_WRITE = Level.WRITE


@pages.get("/consent")
@require(Area.CONSENT)
def index() -> ResponseReturnValue:
    return _index(blank(Finder, channel="email"))


@pages.post("/consent/find")
@require(Area.CONSENT, level=Level.READ)
def find() -> ResponseReturnValue:
    """Lead to an address; what was typed stands in no address of ours."""
    filled = read(Finder)
    if filled.data is not None:
        try:
            with filled.refusals():
                found = whereabouts.find(runtime(), filled.data.channel, filled.data.address)
                return redirect(url_for("consent.address", address_id=found), 303)
        except NotFound:
            filled.errors["address"] = _("We do not know this address: unknown means no.")
    return _index(filled), 422


def _index(form: Form[Finder]) -> str:
    found = page(consent_history.newest(runtime(), before=cursor(), limit=51), lambda one: one.id)
    return render_template("consent/index.html", form=form, page=found, places=place_choices(), **_people(found.rows))


@pages.get("/consent/record")
@require(Area.CONSENT, level=_WRITE)
def new() -> ResponseReturnValue:
    begun = blank(Record, known=request.args.get("address", "")[:19], channel="email", zone=time_zone())
    return _record_page(begun)


@pages.post("/consent/record")
@require(Area.CONSENT)
def create() -> ResponseReturnValue:
    """Record a yes with its proof, or send the person the question."""
    filled = read(Record)
    if filled.data is not None:
        with filled.refusals():
            return _recorded(filled.data)
    return _record_page(filled), 422


def _recorded(data: Record) -> ResponseReturnValue:
    wording = next((one for group in wordings() for one in group.wordings if str(one.id) == data.wording), None)
    if wording is None:
        raise InvalidInput("choose the wording", field="wording", code="unknown_choice")
    proof = Proof(source_of(data.source), moment_of(data.date, data.zone), data.proof, me().id)
    with runtime().db.reading() as session:
        now = runtime().db.now(session)
        optin.check_proof(proof, now=now)
        asks = bool(data.ask) or stored.purposes(session)[wording.purpose_id].double_opt_in
    address_id = _address(data.known, data.channel, data.address, by_person=False)
    what: dict[str, Any] = {"address_id": address_id, "purpose_id": wording.purpose_id, "wording_id": wording.id}
    if asks:
        evidence = {**proof.evidence(), "told": proof.at.isoformat()}
        double_optin.request(
            runtime(),
            **what,
            source=proof.source,
            evidence=evidence,
            by_person=False,
            staff_id=me().id,
            actor=staff.actor(me().id),
        )
        flash(_("The question is on its way. It counts once the person has confirmed; the link works for 7 days."))
    else:
        sold = data.order or data.family or data.refusal_offered
        offer = Offer(data.order, data.family, bool(data.refusal_offered)) if sold else None
        _tell(optin.grant(runtime(), **what, proof=proof, offer=offer, actor=staff.actor(me().id)))
    return redirect(url_for("consent.address", address_id=address_id), 303)


def _tell(told: Told) -> None:
    """Say what recording a yes did; nobody may believe that an address is open when it is not."""
    if told.refusal is None:
        flash(_("Recorded. The address is open for this purpose."), "success")
    else:
        why = say.REFUSALS.get(told.refusal, told.refusal.value)
        flash(_("Recorded, but it changes nothing: %(why)s", why=why), "warning")


@pages.get("/consent/withdraw")
@require(Area.CONSENT, level=_WRITE)
def no() -> ResponseReturnValue:
    known = request.args.get("address", "")[:19]
    now = datetime.now(ZoneInfo(time_zone())).strftime("%Y-%m-%dT%H:%M")
    return _withdrawal_page(
        blank(Withdrawal, known=known, channel="email", extent="marketing", source="call", date=now, zone=time_zone())
    )


@pages.post("/consent/withdraw")
@require(Area.CONSENT)
def withdraw() -> ResponseReturnValue:
    """Record a no, for an address we do not know as well; it holds before the page comes."""
    filled = read(Withdrawal)
    if filled.data is not None:
        with filled.refusals():
            return _withdrawn(filled.data)
    return _withdrawal_page(filled), 422


def _withdrawn(data: Withdrawal) -> ResponseReturnValue:
    if data.extent not in dict(extents()):
        raise InvalidInput("choose what should stop", field="extent", code="unknown_choice")
    proof = Proof(source_of(data.source), moment_of(data.date, data.zone), data.proof, me().id)
    with runtime().db.reading() as session:
        optin.check_proof(proof, now=runtime().db.now(session), needs_text=False)
    address_id = _address(data.known, data.channel, data.address, by_person=True)
    told = optin.refuse(
        runtime(),
        address_id=address_id,
        purpose_id=int(data.extent) if data.extent.isdigit() else None,
        everywhere=data.extent == "everywhere",
        proof=proof,
        actor=staff.actor(me().id),
    )
    if told.refusal is None:
        flash(_("Recorded. The person has agreed again since that day, so the address stays open."), "warning")
    else:
        flash(_("Recorded. Nothing more goes out to this address for what was stopped."), "success")
    if told.recorded.in_flight:
        flash(_("%(count)s messages were with the provider already.", count=told.recorded.in_flight), "warning")
    return redirect(url_for("consent.address", address_id=address_id), 303)


def _address(known: str, channel: str, typed: str, *, by_person: bool) -> int:
    """Return the address a form is about: the one it was opened for, else the one typed."""
    if known:
        address_id = to_id(known)
        if address_id is None:
            abort(404)
        return address_id
    if not typed.strip():
        raise InvalidInput("give the address", field="address", code="address_missing")
    return whereabouts.ensure(runtime(), channel, typed, by_person=by_person, actor=staff.actor(me().id))


@pages.get("/consent/address/<id:address_id>")
@require(Area.CONSENT)
def address(address_id: int) -> ResponseReturnValue:
    """Show where an address stands, now or at a moment, and everything that happened."""
    return _address_page(address_id, blank(Hold))


@pages.post("/consent/address/<id:address_id>/hold")
@require(Area.CONSENT)
def hold(address_id: int) -> ResponseReturnValue:
    """Put an address on hold, or end that."""
    filled = read(Hold)
    if filled.data is not None:
        verb = optin.release if filled.data.action == "release" else optin.restrict
        with filled.refusals():
            verb(
                runtime(),
                address_id=address_id,
                reason=filled.data.reason,
                staff_id=me().id,
                actor=staff.actor(me().id),
            )
            flash(_("Recorded."), "success")
            return redirect(url_for("consent.address", address_id=address_id), 303)
    return _address_page(address_id, filled), 422


@pages.get("/consent/contact/<id:contact_id>")
@require(Area.CONSENT)
def contact(contact_id: int) -> ResponseReturnValue:
    """Show where every address of a contact stands, now or at a moment, and everything that happened there."""
    moment, wrong = _as_of()
    with runtime().db.reading() as session:
        ids = consent_history.of_contact(session, contact_id)
        shown = whereabouts.show(runtime(), session, ids)
    found = consent_history.history(runtime(), ids)[::-1]
    return render_template(
        "consent/contact.html",
        contact_id=contact_id,
        addresses=[(shown[one], consent_history.standings(runtime(), one, moment=moment)) for one in ids],
        moment=moment,
        asked=request.args.get("at", "")[:40],
        wrong=wrong,
        **_people(found),
    )


def _address_page(address_id: int, form: Form[Hold]) -> str:
    moment, wrong = _as_of()
    with runtime().db.reading() as session:
        optin.address_of(session, address_id)
        shown = whereabouts.show(runtime(), session, [address_id])[address_id]
        contacts = stored.contacts_of(session, address_id)
    found = consent_history.history(runtime(), [address_id])[::-1]
    standings = consent_history.standings(runtime(), address_id, moment=moment)
    return render_template(
        "consent/address.html",
        address=shown,
        contacts=contacts,
        form=form,
        standings=standings,
        restricted=any(one.standing == "restricted" for one in standings),
        moment=moment,
        asked=request.args.get("at", "")[:40],
        wrong=wrong,
        **_people(found),
    )


def _as_of() -> tuple[datetime | None, bool]:
    """Return the moment the page is asked about, None for now, and whether it could not be read."""
    text = request.args.get("at", "")[:40]
    try:
        return (moment_of(text, time_zone()) if text else None), False
    except InvalidInput:
        return None, True


def _people(entries: Any) -> dict[str, Any]:
    """Return what every list of events needs."""
    rows: list[Entry] = list(entries)
    return {
        "entries": rows,
        "names": staff.names(runtime(), [one.staff_id for one in rows if one.staff_id is not None]),
        "say": say,
        "traces": may(me().role, Area.CONTACTS, _WRITE),
    }


def _record_page(form: Form[Record]) -> str:
    groups = wordings()
    return render_template("consent/record.html", form=form, groups=groups, **_shared(form))


def _withdrawal_page(form: Form[Withdrawal]) -> str:
    return render_template("consent/withdraw.html", form=form, extents=extents(), **_shared(form))


def _shared(form: Form[Any]) -> dict[str, Any]:
    known = to_id(form.value("known"))
    found = None
    if known is not None:
        with runtime().db.reading() as session:
            optin.address_of(session, known)
            found = whereabouts.show(runtime(), session, [known])[known]
    zones = [(zone, zone.replace("_", " ")) for zone in sorted(staff.TIME_ZONES) if "/" in zone or zone == "UTC"]
    return {"found": found, "places": place_choices(), "zones": zones}
