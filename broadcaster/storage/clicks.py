"""Counted links and clicks in SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session, col, select

from broadcaster.storage.database import sql
from broadcaster.storage.tables import Address, Click, Step, TrackedLink


def add_links(session: Session, run_id: int, urls: Sequence[str]) -> None:
    """Keep the links of a run, each of *urls* once."""
    digests = {url: hashlib.sha256(url.encode()).hexdigest() for url in urls}
    session.add_all(TrackedLink(run_id=run_id, url=url, url_sha256=digest) for url, digest in digests.items())


def links_of(session: Session, run_id: int) -> dict[str, int]:
    """Return a run's links as address -> id."""
    found = session.exec(select(TrackedLink).where(TrackedLink.run_id == run_id)).all()
    return {one.url: one.id for one in found}


def target(session: Session, link_id: int) -> str | None:
    """Return where a link leads."""
    return session.exec(select(TrackedLink.url).where(TrackedLink.id == link_id)).first()


def unclicked(session: Session, link_id: int, step_id: int) -> int | None:
    """Return the address of a step that has not clicked a link yet, None if it has or the person was erased."""
    query = (
        select(Step.address_id)
        .join(TrackedLink, col(TrackedLink.run_id) == col(Step.run_id))
        .join(Address, col(Address.id) == col(Step.address_id))
        .where(Step.id == step_id, TrackedLink.id == link_id, Address.status != "erased")
        .where(~select(Click.id).where(Click.link_id == link_id, Click.step_id == step_id).exists())
    )
    return session.exec(query).first()


_CLICK = sql("INSERT INTO click (link_id, step_id, at) VALUES (:link, :step, :at) ON CONFLICT DO NOTHING", "at")
_STEP = sql("UPDATE step SET clicked_at = :at WHERE id = :step AND clicked_at IS NULL", "at")


def add(session: Session, link_id: int, step_id: int, *, at: datetime) -> None:
    """Keep a click, at most one per link and step."""
    session.connection().execute(_CLICK, {"link": link_id, "step": step_id, "at": at})
    session.connection().execute(_STEP, {"step": step_id, "at": at})


_COUNTS = text(
    """SELECT l.url, count(k.id) FROM tracked_link l LEFT JOIN click k ON k.link_id = l.id
    WHERE l.run_id = :run GROUP BY l.id, l.url ORDER BY 2 DESC, l.id"""
)


def counts(session: Session, run_id: int) -> dict[str, int]:
    """Return how many people clicked each link of a run, the most clicked first."""
    return {url: int(count) for url, count in session.connection().execute(_COUNTS, {"run": run_id})}
