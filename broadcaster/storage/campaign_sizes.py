"""How far the campaigns of a list have come: deliveries of each newest run by state, in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlmodel import Session

from broadcaster.storage.database import any_id, id_list

_SIZES = """
    SELECT r.campaign_id, count(*) AS audience,
        sum(CASE WHEN s.state = 'accepted' THEN 1 ELSE 0 END) AS accepted,
        sum(CASE WHEN s.state IN ('planned', 'held', 'dispatching') THEN 1 ELSE 0 END) AS open,
        sum(CASE WHEN s.state = 'unknown' THEN 1 ELSE 0 END) AS unknown,
        sum(CASE WHEN s.state = 'failed' THEN 1 ELSE 0 END) AS failed
    FROM run r JOIN delivery d ON d.run_id = r.id
        LEFT JOIN step s ON s.run_id = d.run_id AND s.delivery_id = d.id AND s.current
    WHERE r.campaign_id {ids} AND r.ordinal = (SELECT max(o.ordinal) FROM run o WHERE o.campaign_id = r.campaign_id)
    GROUP BY r.campaign_id"""


@dataclass(frozen=True, slots=True)
class Size:
    """Deliveries of a campaign's newest run; what is in none of the states was skipped."""

    audience: int
    accepted: int
    open: int
    unknown: int
    failed: int

    @property
    def skipped(self) -> int:
        return self.audience - self.accepted - self.open - self.unknown - self.failed


def sizes(session: Session, campaign_ids: Sequence[int]) -> dict[int, Size]:
    """Return the sizes of campaigns that have begun, by id."""
    statement = text(_SIZES.format(ids=any_id(session)))
    found = session.connection().execute(statement, {"ids": id_list(session, campaign_ids)})
    return {row[0]: Size(*(int(one or 0) for one in row[1:])) for row in found}
