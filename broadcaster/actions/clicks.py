"""Counted clicks: a short link per message and place, derived, and the one click we keep of it."""

from __future__ import annotations

from sqlmodel import Session

from broadcaster.actions.runtime import Runtime
from broadcaster.core import templates, tracking
from broadcaster.core.errors import NotFound
from broadcaster.storage import clicks as rows
from broadcaster.storage import content, people
from broadcaster.storage.tables import Run


def keep_links(session: Session, run: Run, template_id: int) -> None:
    """Keep the links of a run's template whose clicks are to be counted."""
    urls: dict[str, None] = {}
    for row in content.variants(session, template_id, run.template_version):
        urls |= dict.fromkeys(tracking.links_in(templates.Content.model_validate(row.content)))
    rows.add_links(session, run.id, list(urls))


def target(runtime: Runtime, token: str) -> str:
    """Return where a short link leads: only ever to what stands in our table. Raises NotFound."""
    link_id, _step = runtime.keys.read_click_token(token)
    with runtime.db.reading() as session:
        found = rows.target(session, link_id)
    if found is None:
        raise NotFound("This link is incomplete or not one of ours.", code="bad_link")
    return found


def count(runtime: Runtime, token: str) -> None:
    """Keep the first click of a person on a link. Raises NotFound."""
    link_id, step_id = runtime.keys.read_click_token(token)
    with runtime.db.reading() as session:
        address_id = rows.unclicked(session, link_id, step_id)
    if address_id is None:
        return
    with runtime.db.transaction("person") as session:
        people.share_address(session, address_id)  # an erasure waits, or has been
        if rows.unclicked(session, link_id, step_id) is not None:
            rows.add(session, link_id, step_id, at=runtime.db.now(session))
