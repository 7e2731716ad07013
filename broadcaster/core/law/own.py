"""What an organisation asks beyond the law, country by country. Nothing here can open what a row of the law closes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from broadcaster.core.consent import Basis
from broadcaster.core.errors import InvalidInput
from broadcaster.core.law.rows import Part, Row, StopRow, StopScope, rules
from broadcaster.core.schedule import country_zones

SOURCE_MOST = 300


class Own(BaseModel):
    """One country's own rules.

    ``stop`` says from which day a stop reaches so far; None: a row of the law whose source is contested is off.
    ``source`` says on whose word, ``changed`` when it was last changed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    consent_months: Annotated[int, Field(ge=1, le=240)] | None = None
    inactive_months: Annotated[int, Field(ge=1, le=240)] | None = None
    age: Annotated[int, Field(ge=0, le=25)] | None = None
    without: tuple[Basis, ...] = ()
    parts: tuple[Part, ...] = ()
    senders: tuple[Annotated[str, Field(min_length=1, max_length=30)], ...] = ()
    stop: Mapping[StopScope, date | None] = Field(default_factory=dict)
    source: Annotated[str, Field(max_length=SOURCE_MOST)] = ""
    changed: date | None = None

    def told(self) -> dict[str, Any]:
        """Return what it says as JSON, without what it leaves to the law."""
        return self.model_dump(mode="json", exclude_defaults=True)


#: What a country's own rules may say, each by itself.
NAMES = tuple(name for name in Own.model_fields if name not in ("source", "changed"))


class Looser(InvalidInput):
    """An own rule asks less than the law. ``row`` is the stricter one."""

    code = "looser"

    def __init__(self, field: str, asks: str, row: Row) -> None:
        super().__init__(f"the law asks {asks} ({row.place}: {row.source}, {row.date})", field=field)
        self.row = row


def own_rules(given: Any) -> dict[str, Own]:
    """Read what an organisation asks beyond the law. Raises InvalidInput ``legal`` naming the country and field."""
    return {country: own_rule(country, told) for country, told in dict(given or {}).items()}


def own_rule(country: Any, told: Any) -> Own:
    """Read one country's own rules. Raises InvalidInput ``legal`` naming the country and field."""
    if not (isinstance(country, str) and len(country) == 2 and country.isascii() and country.isupper()):
        raise InvalidInput("name a country by its two letters", field=f"legal.{country}", code="legal")
    try:
        return Own.model_validate(told)
    except ValidationError as problem:
        where = ".".join(str(part) for part in problem.errors(include_input=False)[0]["loc"])
        raise InvalidInput(
            f"there is no such rule, or no such value: {where}", field=f"legal.{country}.{where}", code="legal"
        ) from None


def check_stricter(country: str, own: Own) -> None:
    """Raise Looser naming the field and the row of the law that asks more; InvalidInput for what rests on nothing."""
    if not country_zones(country):
        raise InvalidInput("there is no such country", field="country", code="country")
    told = rules()
    reach = told.reach(country)
    age = next(row for place in reach for row in told.age if row.place == place)
    if own.age is not None and own.age < age.years:
        raise Looser("age", f"at least {age.years} years", age)
    idle = next((row for place in reach for row in told.inactivity if row.place == place), None)
    if own.inactive_months is not None and idle is not None and own.inactive_months > idle.months:
        raise Looser("inactive_months", f"at most {idle.months} months", idle)
    for scope, since in own.stop.items():
        _check_stop(country, scope, since)
    if any(getattr(own, name) for name in NAMES) and not own.source.strip():
        raise InvalidInput("say on whose word: a rule needs its source", field="source", code="source_missing")


def _check_stop(country: str, scope: StopScope, since: date | None) -> None:
    rows = [row for row in shipped_stops(country) if row.scope is scope]
    settled = next((row for row in rows if not movable(row)), None)
    if settled is not None and (since is None or since > settled.since):
        raise Looser(f"stop_{scope.value}", f"{settled.since} at the latest", settled)
    if since is None and not rows:
        raise InvalidInput("there is no row to switch off", field=f"stop_{scope.value}", code="stop_no_row")


def shipped_stops(country: str) -> list[StopRow]:
    """Return the rows of the law for stops in a country."""
    return [row for row in rules().stop if row.place in rules().reach(country)]


def movable(row: StopRow) -> bool:
    """Say whether an organisation may put a row at another day, or off: only while its law is not settled."""
    return row.certainty == "contested"
