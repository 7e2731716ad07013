"""What the organisation writes for: its brands, the tree of purposes, and the exact words people agree to."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from pydantic import StringConstraints

from broadcaster.actions import catalogue, optin, staff
from broadcaster.core.consent import Basis
from broadcaster.core.errors import Conflict, InvalidInput, NotFound
from broadcaster.core.ids import to_id
from broadcaster.storage import catalogue as stored
from broadcaster.storage import consent_history
from broadcaster.storage.tables import Purpose
from web import consent_words as say
from web.access import Area, Level, require
from web.context import me, runtime
from web.forms import Form, FormModel, Line, Text, blank, read
from web.language import _, _l

pages = Blueprint("purposes", __name__)

BASES = {
    "consent": (_l("Consent"), _l("The person agreed to these very words.")),
    "soft_opt_in": (_l("Existing customer"), _l("They bought something similar and could refuse then.")),
    "b2b_interest": (_l("Business interest"), _l("To professionals, about their profession.")),
    "contract": (_l("Contract"), _l("Needed for what the person ordered.")),
}
PARENTS = ("marketing", "service", "internal")
Optional = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000)]


class NewBrand(FormModel):
    key: Line
    name: Line
    contact: Line
    postal_address: Optional = ""
    website: Optional = ""


class NewPurpose(FormModel):
    key: Line
    parent: Line
    brand: Line
    label_en: Optional = ""
    label_fr: Optional = ""
    basis: Line = "consent"
    double_opt_in: Optional = ""


class NewWording(FormModel):
    language: Line
    text: Text


@pages.get("/purposes")
@require(Area.PURPOSES)
def index() -> ResponseReturnValue:
    with runtime().db.reading() as session:
        every = consent_history.purposes(session)
        words = stored.wordings(session)
        brands = consent_history.brands(session)
    groups = [(row, _below(every, row)) for row in every.values() if row.key in PARENTS]
    counts: dict[int, int] = {}
    for one in words:
        counts[one.purpose_id] = counts.get(one.purpose_id, 0) + 1
    return render_template(
        "purposes/index.html",
        groups=groups,
        counts=counts,
        brands=brands,
        names={one.id: one.name for one in brands},
        bases=BASES,
        say=say,
    )


def _below(every: dict[int, Purpose], root: Purpose) -> list[Purpose]:
    """Return the purposes in a group that people can agree to, by name."""
    found = [row for row in every.values() if row.parent_id == root.id and row.archived_at is None]
    return sorted(found, key=lambda row: say.purpose(row).casefold())


@pages.get("/purposes/new")
@require(Area.PURPOSES, level=Level.WRITE)
def new() -> ResponseReturnValue:
    return _new_page(blank(NewPurpose, parent="marketing", basis="consent"))


@pages.post("/purposes/new")
@require(Area.PURPOSES)
def create() -> ResponseReturnValue:
    """Add a purpose and go on to its words."""
    filled = read(NewPurpose)
    if filled.data is not None:
        with filled.refusals():
            return redirect(url_for("purposes.show", purpose_id=_create(filled.data)), 303)
    return _new_page(filled), 422


def _create(data: NewPurpose) -> int:
    labels = {code: text for code, text in (("en", data.label_en), ("fr", data.label_fr)) if text}
    if not labels:
        raise InvalidInput("name it in words a customer understands", field="label_en", code="label_missing")
    if data.basis not in BASES or data.parent not in PARENTS:
        raise InvalidInput("choose", field="basis" if data.basis not in BASES else "parent", code="unknown_choice")
    try:
        return catalogue.create_purpose(
            runtime(),
            key=data.key,
            parent=data.parent,
            brand_id=_brand(data.brand),
            label=labels,
            basis=Basis(data.basis),
            double_opt_in=bool(data.double_opt_in),
            actor=staff.actor(me().id),
        )
    except Conflict as problem:
        raise InvalidInput(problem.message, field="key", code=problem.code) from None


def _brand(said: str) -> int:
    with runtime().db.reading() as session:
        known = {one.id for one in consent_history.brands(session)}
    brand_id = to_id(said)
    if brand_id not in known:
        raise InvalidInput("choose a brand", field="brand", code="unknown_choice")
    return brand_id


def _new_page(form: Form[NewPurpose]) -> str:
    with runtime().db.reading() as session:
        brands = [(one.id, one.name) for one in consent_history.brands(session)]
        every = consent_history.purposes(session).values()
    parents = [(one.key, say.purpose(one)) for one in every if one.key in PARENTS]
    bases = [(key, name, about) for key, (name, about) in BASES.items()]
    return render_template("purposes/new.html", form=form, brands=brands, parents=parents, bases=bases)


@pages.get("/purposes/<id:purpose_id>")
@require(Area.PURPOSES)
def show(purpose_id: int) -> ResponseReturnValue:
    return _show(purpose_id, blank(NewWording, language=request.args.get("language", me().language)[:10]))


@pages.post("/purposes/<id:purpose_id>/wordings")
@require(Area.PURPOSES)
def add_wording(purpose_id: int) -> ResponseReturnValue:
    """Add the next version of the words; earlier ones stay as they are, for those who agreed to them."""
    filled = read(NewWording)
    if filled.data is not None:
        with filled.refusals():
            data = filled.data
            if data.language not in {"en", "fr"} and not _is_language(data.language):
                raise InvalidInput("write a language as en, fr or pt-BR", field="language", code="language_invalid")
            catalogue.add_wording(
                runtime(),
                purpose_id=purpose_id,
                language=data.language,
                text=data.text,
                actor=staff.actor(me().id),
            )
            flash(_("Added. Consents recorded from now on can point to these words."), "success")
            return redirect(url_for("purposes.show", purpose_id=purpose_id), 303)
    return _show(purpose_id, filled), 422


def _is_language(code: str) -> bool:
    main, _dash, region = code.partition("-")
    return (
        main.isascii()
        and main.isalpha()
        and main.islower()
        and len(main) in (2, 3)
        and (not region or (region.isascii() and region.isalnum() and len(region) <= 8))
    )


def _show(purpose_id: int, form: Form[NewWording]) -> str:
    with runtime().db.reading() as session:
        row = consent_history.purposes(session).get(purpose_id)
        if row is None or row.key in optin.ROOTS:
            raise NotFound("there is no such purpose")
        words = stored.wordings(session, purpose_id)
        brands: dict[int, Any] = {one.id: one for one in consent_history.brands(session)}
    return render_template(
        "purposes/show.html",
        purpose=row,
        wordings=words,
        brand=brands.get(row.brand_id or 0),
        form=form,
        bases=BASES,
        say=say,
    )


@pages.get("/brands/new")
@require(Area.PURPOSES, level=Level.WRITE)
def new_brand() -> ResponseReturnValue:
    return render_template("purposes/brand.html", form=blank(NewBrand))


@pages.post("/brands/new")
@require(Area.PURPOSES)
def create_brand() -> ResponseReturnValue:
    filled = read(NewBrand)
    if filled.data is not None:
        with filled.refusals():
            try:
                catalogue.create_brand(runtime(), **filled.data.model_dump(), actor=staff.actor(me().id))
            except Conflict as problem:
                raise InvalidInput(problem.message, field="key", code=problem.code) from None
            flash(_("Added."), "success")
            return redirect(url_for("purposes.index"), 303)
    return render_template("purposes/brand.html", form=filled), 422
