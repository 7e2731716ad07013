"""``purposes``: brands, purposes, and the exact words people agree to."""

from __future__ import annotations

import json
from typing import Any, TextIO

import click

from broadcaster.actions import catalogue
from broadcaster.cli.context import Context
from broadcaster.core.consent import Basis
from broadcaster.core.errors import NotFound
from broadcaster.storage import catalogue as stored
from broadcaster.storage import consent as ledger
from broadcaster.storage import consent_history


@click.group()
def purposes() -> None:
    """Brands, purposes and wordings."""


@purposes.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_obj
def list_(obj: Context, as_json: bool) -> None:
    """Show brands, purposes, and every version of their words."""
    runtime = obj.runtime()
    with runtime.db.reading() as session:
        brands = consent_history.brands(session)
        known, words = stored.purposes(session), stored.wordings(session)
    names = {one.id: one.key for one in brands}
    told: list[dict[str, Any]] = [
        {
            "key": one.key,
            "kind": one.kind,
            "brand": names.get(one.brand_id or 0),
            "label": one.label,
            "basis": one.basis,
            "double_opt_in": one.double_opt_in,
            "wordings": [
                {"id": w.id, "language": w.language, "version": w.version, "sha256": w.sha256, "text": w.text}
                for w in words
                if w.purpose_id == one.id
            ],
        }
        for one in known
    ]
    if as_json:
        shown = [{"key": one.key, "name": one.name, "contact": one.contact, "website": one.website} for one in brands]
        click.echo(json.dumps({"brands": shown, "purposes": told}, ensure_ascii=False, indent=2))
        return
    for brand in brands:
        click.echo(f"brand {brand.key}: {brand.name}")
    for one in told:
        double = ", double opt-in" if one["double_opt_in"] else ""
        click.echo(f"{one['kind']} / {one['key']} ({one['brand']}, {one['basis']}{double})")
        for w in one["wordings"]:
            click.echo(f"    wording {w['id']}: {w['language']} v{w['version']} {w['sha256'][:12]} “{w['text'][:100]}”")


@purposes.command("add-brand")
@click.argument("key")
@click.option("--name", required=True, help="What people know you by.")
@click.option("--contact", required=True, help="How people reach you; the answer to HELP.")
@click.option("--website", default="")
@click.option("--postal-address", default="")
@click.pass_obj
def add_brand(obj: Context, key: str, name: str, contact: str, website: str, postal_address: str) -> None:
    """Add a brand."""
    made = catalogue.create_brand(
        obj.runtime(),
        key=key,
        name=name,
        contact=contact,
        website=website,
        postal_address=postal_address,
        actor=obj.actor,
    )
    click.echo(f"brand {made}")


@purposes.command("add")
@click.argument("key")
@click.option("--brand", required=True, help="A brand's key.")
@click.option("--label", "labels", multiple=True, required=True, metavar="LANG=WORDS", help="en=Offers, fr=Offres ...")
@click.option(
    "--group", default="marketing", show_default=True, type=click.Choice(["marketing", "service", "internal"])
)
@click.option("--basis", default="consent", show_default=True, type=click.Choice([one.value for one in Basis]))
@click.option("--double-opt-in", is_flag=True, help="Everybody confirms before it counts.")
@click.pass_obj
def add(
    obj: Context, key: str, brand: str, labels: tuple[str, ...], group: str, basis: str, double_opt_in: bool
) -> None:
    """Add a purpose people can agree to."""
    named = dict(_pair(one, "--label en=Offers") for one in labels)
    runtime = obj.runtime()
    with runtime.db.reading() as session:
        brand_id = next((one.id for one in consent_history.brands(session) if one.key == brand), None)
    if brand_id is None:
        raise NotFound(f"there is no brand {brand!r}")
    made = catalogue.create_purpose(
        runtime,
        key=key,
        parent=group,
        brand_id=brand_id,
        label=named,
        basis=Basis(basis),
        double_opt_in=double_opt_in,
        actor=obj.actor,
    )
    click.echo(f"purpose {made}")


@purposes.command("add-wording")
@click.argument("purpose")
@click.option("--language", required=True, help="en, fr ...")
@click.option("--text", help="The exact words.")
@click.option("--file", "source", type=click.File("r", encoding="utf-8"), help="A file with the words; - is stdin.")
@click.pass_obj
def add_wording(obj: Context, purpose: str, language: str, text: str | None, source: TextIO | None) -> None:
    """Add the next version of the words people agree to; they can never be changed."""
    if (text is None) == (source is None):
        raise click.UsageError("say --text or --file")
    words = text if text is not None else source.read(catalogue.WORDING_MOST + 1) if source is not None else ""
    runtime = obj.runtime()
    with runtime.db.reading() as session:
        purpose_id = ledger.purpose_id(session, purpose)
    made = catalogue.add_wording(runtime, purpose_id=purpose_id, language=language, text=words, actor=obj.actor)
    click.echo(f"wording {made}")


def _pair(said: str, example: str) -> tuple[str, str]:
    name, equals, value = said.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise click.UsageError(f"write it as {example}")
    return name.strip(), value.strip()
