"""Audiences and templates: what campaigns are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlmodel import Session

from broadcaster.actions.runtime import Runtime
from broadcaster.core import templates
from broadcaster.core.audiences import dump_rule, parse_rule
from broadcaster.core.errors import Conflict, InvalidInput, NotFound
from broadcaster.core.event_types import Changed
from broadcaster.storage import content as rows
from broadcaster.storage import log
from broadcaster.storage.tables import Audience, AudienceMember, Template, TemplateVariant

T = TypeVar("T", Audience, Template)


def save_audience(
    runtime: Runtime,
    *,
    name: str,
    rule: Mapping[str, Any] | str,
    audience_id: int | None = None,
    seen: datetime | None = None,
    actor: str,
) -> int:
    """Create or change an audience.

    *seen*: ``updated_at`` of the row the form was made from. Raises Conflict ``changed_meanwhile`` if somebody else has
    saved since, InvalidInput for a rule that is empty, too costly or wrong.
    """
    checked = dump_rule(parse_rule(rule))
    with runtime.db.transaction(actor) as session:
        now = runtime.db.now(session)
        row = _named(session, Audience, audience_id, name) or Audience(name=name, created_at=now, updated_at=now)
        if seen is not None and row.updated_at != seen:
            raise Conflict("somebody else changed this audience meanwhile", code="changed_meanwhile")
        row.name, row.rule, row.updated_at = name.strip(), checked, now
        session.add(row)
        session.flush()
        log.record(session, Changed(what="audience", id=row.id, verb="saved"), at=now)
        return row.id


def save_list(runtime: Runtime, *, name: str, contact_ids: Sequence[int], actor: str) -> int:
    """Create an audience of exactly these contacts."""
    with runtime.db.transaction(actor) as session:
        now = runtime.db.now(session)
        _named(session, Audience, None, name)
        row = Audience(name=name.strip(), created_at=now, updated_at=now)
        session.add(row)
        session.flush()
        row.rule = {"type": "list", "audience": row.id}
        session.add(row)
        session.add_all(AudienceMember(audience_id=row.id, contact_id=one) for one in sorted(set(contact_ids)))
        log.record(session, Changed(what="audience", id=row.id, verb="saved"), at=now)
        return row.id


def save_template(
    runtime: Runtime,
    *,
    name: str,
    brand_id: int,
    variants: Mapping[tuple[str, str], Mapping[str, Any]],
    default_language: str = "en",
    template_id: int | None = None,
    seen: int | None = None,
    actor: str,
) -> int:
    """Save a template as its next version: (channel, language) -> content.

    Running campaigns keep the version they were launched with. *seen*: the version the form was made from. Raises
    InvalidInput with field, line and column, Conflict ``changed_meanwhile`` if there is a newer one.
    """
    if not variants:
        raise InvalidInput("write the message for at least one channel", field="variants", code="required")
    checked = {place: templates.content_of(content) for place, content in variants.items()}
    for content in checked.values():
        templates.parse(content)
    with runtime.db.transaction(actor) as session:
        now = runtime.db.now(session)
        known = _named(session, Template, template_id, name)
        row = known or Template(brand_id=brand_id, name=name, version=0, created_at=now)
        row.name, row.brand_id, row.default_language = name.strip(), brand_id, default_language
        if seen is not None and row.version != seen:
            raise Conflict("somebody else changed this template meanwhile", code="changed_meanwhile")
        row.version += 1
        session.add(row)
        session.flush()
        session.add_all(
            TemplateVariant(
                template_id=row.id,
                version=row.version,
                channel=channel,
                language=language,
                content=content.model_dump(mode="json"),
                created_at=now,
            )
            for (channel, language), content in checked.items()
        )
        log.record(session, Changed(what="template", id=row.id, verb="saved", fields=(f"v{row.version}",)), at=now)
        return row.id


def archive(runtime: Runtime, what: str, row_id: int, *, actor: str) -> None:
    """Put an audience or a template away; campaigns that used it keep it."""
    table: type[Audience] | type[Template] = {"audience": Audience, "template": Template}[what]  # type: ignore[assignment]
    with runtime.db.transaction(actor) as session:
        row = session.get(table, row_id)
        if row is None:
            raise NotFound(f"there is no such {what}")
        now = runtime.db.now(session)
        row.archived_at = now
        session.add(row)
        log.record(session, Changed(what=what, id=row_id, verb="archived"), at=now)


def variants_of(session: Session, template: Template) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the newest version's contents by (channel, language)."""
    found = rows.variants(session, template.id, template.version)
    return {(row.channel, row.language): row.content for row in found}


def _named(session: Session, table: type[T], row_id: int | None, name: str) -> T | None:
    if not name.strip() or len(name) > 200:
        raise InvalidInput("give it a name of at most 200 characters", field="name", code="required")
    other = rows.id_by_name(session, table, name.strip())
    if other is not None and other != row_id:
        raise Conflict("another one has this name", code="name_taken")
    if row_id is None:
        return None
    found = session.get(table, row_id)
    if found is None:
        raise NotFound("there is no such thing")
    return found
