"""Each condition in SQL, on both engines, against what the same words mean in Python; not known is never a match."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select

from broadcaster.actions.runtime import Runtime
from broadcaster.core.audiences import parse_rule
from broadcaster.storage import audiences
from broadcaster.storage.tables import Contact
from tests.actions.scene import Scene, scene

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NASTY = ["'; DROP TABLE contact; --", "%", "_", "a%b", "\\", '"', "é", "É", "ß", "50%_off", "$.x", "' OR '1'='1"]


class Person(NamedTuple):
    """What the oracle knows of a contact."""

    id: int
    kind: str
    language: str | None
    country: str | None
    zone: str | None
    born: int | None
    profession: str | None
    attributes: dict[str, Any]


def invent(number: int, contact: int, dice: random.Random) -> Person:
    attributes: dict[str, Any] = {}
    if dice.random() < 0.8:
        attributes["plan"] = dice.choice(["gold", "silver", "Goldfish", 7, True, None, *NASTY])
    if dice.random() < 0.8:
        attributes["visits"] = dice.choice([0, 1, 2.5, 10, "10", True, None, [1], {"a": 1}])
    if dice.random() < 0.8:
        attributes["member"] = dice.choice([True, False, "true", 1, None])
    if dice.random() < 0.8:
        attributes["since"] = dice.choice(["2025-12-31", "2026-01-01", 20260101, None])
    return Person(
        contact,
        dice.choice(["consumer", "professional", "internal"]),
        dice.choice([None, "fr", "fr-CA", "en", "fro"]),
        dice.choice([None, "FR", "BE"]),
        dice.choice([None, "Europe/Paris", "Asia/Tokyo"]),
        dice.choice([None, 1980, 1996, 2008]),
        dice.choice([None, "Baker", "baker", "smith", *NASTY[:4]]),
        attributes,
    )


@pytest.fixture
def people(runtime: Runtime) -> tuple[Scene, list[Person]]:
    s, dice = scene(runtime, None, 60), random.Random(11)
    made = [invent(number, contact, dice) for number, (contact, _) in enumerate(s.people)]
    cast = ":attributes" if runtime.db.sqlite else "CAST(:attributes AS jsonb)"
    for one in made:
        s.change(
            "UPDATE contact SET kind = :kind, language = :language, country = :country, time_zone = :zone, "
            f"birth_year = :born, profession = :profession, attributes = {cast} WHERE id = :id",
            **{**one._asdict(), "attributes": json.dumps(one.attributes)},
        )
    return s, made


def found(s: Scene, rule: dict[str, Any]) -> set[int]:
    with s.runtime.db.reading() as session:
        condition = audiences.where(session, parse_rule(rule), now=NOW)
        table: Any = Contact.__table__  # type: ignore[attr-defined]
        return set(session.connection().execute(select(table.c.id).where(condition)).scalars())


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def text_of(one: Person) -> str | None:
    value = one.attributes.get("plan")
    return value if isinstance(value, str) else None


def number_of(one: Person) -> float | None:
    value: Any = one.attributes.get("visits")
    return float(value) if is_number(value) else None


def date_of(one: Person) -> str | None:
    value = one.attributes.get("since")
    return value if isinstance(value, str) else None


def compared(get: Callable[[Person], Any], say: Callable[[Any], bool]) -> Callable[[Person], bool]:
    return lambda one: (value := get(one)) is not None and say(value)


def attribute(key: str, of: str, op: str, value: Any = None) -> dict[str, Any]:
    rule = {"type": "attribute", "key": key, "of": of, "op": op}
    return rule if value is None else {**rule, "value": value}


CASES: list[tuple[dict[str, Any], Callable[[Person], bool]]] = [
    ({"type": "everybody"}, lambda one: True),
    ({"type": "kind", "values": ["consumer", "internal"]}, lambda one: one.kind != "professional"),
    ({"type": "language", "values": ["fr"]}, lambda one: one.language in ("fr", "fr-CA")),
    ({"type": "language", "values": ["fr-CA"]}, lambda one: one.language == "fr-CA"),
    ({"type": "country", "values": ["FR"]}, lambda one: one.country == "FR"),
    ({"type": "time_zone", "values": ["Asia/Tokyo"]}, lambda one: one.zone == "Asia/Tokyo"),
    ({"type": "age", "min": 30}, lambda one: one.born is not None and 2026 - one.born >= 30),
    ({"type": "age", "max": 30}, lambda one: one.born is not None and 2026 - one.born <= 30),
    ({"type": "age", "min": 18, "max": 46}, lambda one: one.born is not None and 18 <= 2026 - one.born <= 46),
    ({"type": "profession", "values": ["BAKER"]}, lambda one: (one.profession or "").lower() == "baker"),
    (attribute("plan", "text", "is_set"), lambda one: text_of(one) is not None),
    (attribute("plan", "text", "is_not_set"), lambda one: text_of(one) is None),
    (attribute("plan", "text", "ne", "gold"), compared(text_of, lambda v: v != "gold")),
    (attribute("plan", "text", "in", ["gold", "silver"]), compared(text_of, lambda v: v in ("gold", "silver"))),
    (attribute("plan", "text", "contains", "OLD"), compared(text_of, lambda v: "old" in v.lower())),
    (attribute("plan", "text", "starts_with", "gold"), compared(text_of, lambda v: v.lower().startswith("gold"))),
    (attribute("visits", "number", "gte", 2), compared(number_of, lambda v: v >= 2)),
    (attribute("visits", "number", "lt", 2.5), compared(number_of, lambda v: v < 2.5)),
    (attribute("visits", "number", "eq", 10), compared(number_of, lambda v: v == 10)),
    (attribute("visits", "number", "is_not_set"), lambda one: number_of(one) is None),
    (attribute("since", "date", "gt", "2025-12-31"), compared(date_of, lambda v: v > "2025-12-31")),
    (attribute("since", "date", "lte", "2025-12-31"), compared(date_of, lambda v: v <= "2025-12-31")),
    (attribute("member", "boolean", "eq", True), lambda one: one.attributes.get("member") is True),
    (attribute("member", "boolean", "eq", False), lambda one: one.attributes.get("member") is False),
    (attribute("member", "boolean", "is_set"), lambda one: isinstance(one.attributes.get("member"), bool)),
    (attribute("nobody", "text", "ne", "x"), lambda one: False),
]


def test_each_condition_selects_whom_it_says(people: tuple[Scene, list[Person]]) -> None:
    s, made = people
    for rule, oracle in CASES:
        assert found(s, rule) == {one.id for one in made if oracle(one)}, rule


def test_groups_of_conditions_combine_as_words_do_and_what_is_not_known_is_no(
    people: tuple[Scene, list[Person]],
) -> None:
    """In random trees: ``none`` of something unknown holds, as nobody said that it was so."""
    s, made = people
    dice = random.Random(12)

    def tree(depth: int) -> tuple[dict[str, Any], Callable[[Person], bool]]:
        if depth == 0 or dice.random() < 0.3:
            return dice.choice(CASES)
        parts = [tree(depth - 1) for _ in range(dice.randint(1, 3))]
        kind = dice.choice(["all", "any", "none"])
        says = {
            "all": lambda one: all(oracle(one) for _, oracle in parts),
            "any": lambda one: any(oracle(one) for _, oracle in parts),
            "none": lambda one: not any(oracle(one) for _, oracle in parts),
        }
        return {"type": kind, "rules": [rule for rule, _ in parts]}, says[kind]

    for _ in range(40):
        rule, oracle = tree(3)
        assert found(s, rule) == {one.id for one in made if oracle(one)}, rule


def test_values_with_a_meaning_in_sql_mean_only_themselves(people: tuple[Scene, list[Person]]) -> None:
    s, made = people
    for value in NASTY:
        equal = {one.id for one in made if text_of(one) == value}
        assert found(s, attribute("plan", "text", "eq", value)) == equal, value
        starts = {one.id for one in made if (text_of(one) or "").startswith(value)}
        if value.isascii():
            assert found(s, attribute("plan", "text", "starts_with", value)) == starts, value
            within = {one.id for one in made if value.lower() in (text_of(one) or "").lower()}
            assert found(s, attribute("plan", "text", "contains", value)) == within, value
    assert len(found(s, {"type": "everybody"})) == len(made)


def test_letters_beyond_ascii_are_compared_without_case_too(people: tuple[Scene, list[Person]]) -> None:
    s, made = people
    expected = {one.id for one in made if "é" in (text_of(one) or "").lower()}
    assert found(s, attribute("plan", "text", "contains", "É")) == expected


def test_a_key_with_a_dot_is_one_key(people: tuple[Scene, list[Person]]) -> None:
    s, made = people
    cast = ":v" if s.runtime.db.sqlite else "CAST(:v AS jsonb)"
    s.change(f"UPDATE contact SET attributes = {cast} WHERE id = :id", v='{"a.b": "yes"}', id=made[0].id)
    s.change(f"UPDATE contact SET attributes = {cast} WHERE id = :id", v='{"a": {"b": "yes"}}', id=made[1].id)
    assert found(s, attribute("a.b", "text", "eq", "yes")) == {made[0].id}


def test_consent_is_of_any_usable_address_on_the_channel(people: tuple[Scene, list[Person]]) -> None:
    s, _ = people
    (stopped, address), (gone, _), (ran_out, expired), *rest = s.people
    s.stop(address)
    s.change("UPDATE contact_address SET valid_to = '2020-01-01 00:00:00.000000' WHERE contact_id = :c", c=gone)
    s.change("UPDATE consent_state SET expires_at = :at WHERE address_id = :a", at=str(NOW)[:19], a=expired)
    granted = {"type": "consent", "channel": "email", "purpose": "offers", "state": "granted"}
    assert found(s, granted) == {contact for contact, _ in rest}
    assert found(s, {**granted, "state": "objected"}) == {stopped}
    assert found(s, {**granted, "state": "none"}) == {gone}
    assert found(s, {**granted, "channel": "sms"}) == set()
    assert found(s, {"type": "has_channel", "channel": "email"}) == {contact for contact, _ in s.people} - {gone}
    assert ran_out not in found(s, granted)


def test_what_people_did_with_a_campaign(people: tuple[Scene, list[Person]]) -> None:
    s, _ = people
    s.stop(s.people[0][1])
    run = s.launch()
    s.drain()
    everybody = {contact for contact, _ in s.people}
    received = {"type": "behaviour", "what": "received", "campaign": s.campaign}
    assert found(s, received) == everybody - {s.people[0][0]}
    assert found(s, {**received, "did": False}) == {s.people[0][0]}
    assert found(s, {**received, "campaign": s.campaign + 1}) == set()
    s.change("UPDATE step SET replied_at = gate_at WHERE address_id = :a", a=s.people[5][1])
    assert found(s, {**received, "what": "replied"}) == {s.people[5][0]}
    s.change("UPDATE step SET gate_at = :old", old=str(NOW - timedelta(days=31))[:19])
    assert found(s, {**received, "within_days": 30}) == set()
    assert len(found(s, {**received, "within_days": 32})) == len(everybody) - 1
    assert run
