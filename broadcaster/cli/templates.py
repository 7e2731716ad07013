"""``broadcaster templates``: save, check and preview."""

from __future__ import annotations

import json
from typing import IO, Any

import click
from sqlmodel import Session

from broadcaster.actions import content, previews
from broadcaster.actions.forecast_words import facts_of, lint
from broadcaster.actions.organisation import footer_parts
from broadcaster.cli.campaign_tables import everyone, find, only_brand, print_json, print_rows, told
from broadcaster.cli.context import Context, Id, show
from broadcaster.core.errors import InvalidInput
from broadcaster.storage.tables import Brand, Template

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def templates() -> None:
    """Save, check and preview templates."""


@templates.command("list")
@_AS_JSON
@click.pass_obj
def list_(obj: Context, as_json: bool) -> None:
    """List templates with the channels and languages they speak."""
    with obj.runtime().db.reading() as session:
        rows = [
            {
                "id": row.id,
                "name": row.name,
                "version": row.version,
                "speaks": _spoken(session, row),
            }
            for row in everyone(session, Template)
        ]
    print_rows("templates", rows, as_json=as_json)


def _spoken(session: Session, row: Template) -> str:
    return ", ".join(f"{channel}/{language}" for channel, language in content.variants_of(session, row))


@templates.command("save")
@click.option("--name", required=True)
@click.option("--brand", help="Key of the brand, if there are several.")
@click.option(
    "--file", "source", required=True, type=click.File(encoding="utf-8"), metavar="FILE", help="JSON; - for input."
)
@click.option("--template", help="The next version of this one (id or name).")
@click.option("--default-language", default="en", show_default=True)
@_AS_JSON
@click.pass_obj
def save(
    obj: Context,
    name: str,
    brand: str | None,
    source: IO[str],
    template: str | None,
    default_language: str,
    as_json: bool,
) -> None:
    """Save the contents of FILE: {"email/en": {"subject": ..., "text": ..., "html": ...}, "sms/fr": {"text": ...}}."""
    variants = _variants(source.read())
    runtime = obj.runtime()
    with runtime.db.reading() as session:
        brand_id = only_brand(session) if brand is None else find(session, Brand, brand).id
        known = None if template is None else find(session, Template, template).id
    made = content.save_template(
        runtime,
        name=name,
        brand_id=brand_id,
        variants=variants,
        default_language=default_language,
        template_id=known,
        actor=obj.actor,
    )
    show({"template": made}, as_json=as_json)


def _variants(source: str) -> dict[tuple[str, str], dict[str, Any]]:
    try:
        told_ = json.loads(source)
    except (ValueError, RecursionError):
        raise InvalidInput("The file is not JSON.", field="file", code="json") from None
    variants: dict[tuple[str, str], dict[str, Any]] = {}
    for place, words in told_.items() if isinstance(told_, dict) else ():
        channel, slash, language = place.partition("/")
        if not (slash and channel and language and isinstance(words, dict)):
            raise InvalidInput('write {"channel/language": {...}}', field=place[:60], code="variant")
        variants[channel, language] = words
    return variants


@templates.command("lint")
@click.argument("template")
@_AS_JSON
@click.pass_context
def lint_(ctx: click.Context, template: str, as_json: bool) -> None:
    """Check TEMPLATE (id or name); exit 3 if something must be repaired before it can be sent."""
    with ctx.obj.runtime().db.reading() as session:
        row = find(session, Template, template)
        brand = session.get_one(Brand, row.brand_id)
        found = [
            problem
            for (channel, language), words in content.variants_of(session, row).items()
            for problem in lint(
                words,
                facts_of(channel),
                marketing=True,
                brand=brand.name,
                parts=footer_parts(session, channel),
                place=f"{channel}.{language}",
            )
        ]
    if as_json:
        print_json({"template": row.id, "problems": [told(one) for one in found]})
    for one in [] if as_json else found:
        click.echo(f"{'repair' if one.blocking else 'look at'}: {one.field}: {one.message}")
    if any(one.blocking for one in found):
        ctx.exit(InvalidInput.exit_code)


@templates.command("preview")
@click.argument("template")
@click.option("--channel", required=True)
@click.option("--language", default="", help="Not given: the template's own.")
@click.option("--contact", type=Id(), help="As this contact (an id).")
@click.option("--as", "persona", type=click.Choice(previews.PERSONAS), default="typical", show_default=True)
@_AS_JSON
@click.pass_obj
def preview(
    obj: Context, template: str, channel: str, language: str, contact: int | None, persona: Any, as_json: bool
) -> None:
    """Show TEMPLATE (id or name) as a contact would get it, or in the worst case."""
    runtime = obj.runtime()
    with runtime.db.reading() as session:
        template_id = find(session, Template, template).id
    shown = previews.preview_variant(
        runtime, template_id, channel=channel, language=language, contact_id=contact, persona=persona
    )
    if as_json:
        print_json(shown.told())
        return
    for part in (shown.subject, shown.text or shown.html):
        if part:
            click.echo(part)
    for kind, title, value in shown.buttons:
        click.echo(f"[{title}] ({kind}: {value})")
    if shown.sms is not None:
        click.echo(f"{shown.sms.parts} SMS of {shown.sms.alphabet}, {shown.sms.characters} characters")
    for name in shown.missing:
        click.echo(f"missing: {name}; this person would not get it")
    for one in shown.problems:
        click.echo(f"{'repair' if one.blocking else 'look at'}: {one.field}: {one.message}")
