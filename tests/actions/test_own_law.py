"""Own rules beyond the law: only stricter, one act in the log each, and nobody upgraded."""

from __future__ import annotations

from typing import Any

import pytest

from broadcaster.actions import own_law, sequencer
from broadcaster.actions.organisation import law
from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import InvalidInput, NotFound
from broadcaster.core.law.own import Looser
from tests.actions.scene import Scene, scene
from tests.factories import ACTOR

WHY = "our board, 3 March"


def change(runtime: Runtime, country: str = "FR", **values: Any) -> Any:
    return own_law.change(runtime, country, {"source": WHY, **values}, actor=ACTOR).told()


def entries(s: Scene) -> int:
    found: int = s.rows("SELECT count(*) FROM log_entry")[0][0]
    return found


@pytest.fixture
def s(runtime: Runtime) -> Scene:
    return scene(runtime, None, 2)


@pytest.mark.parametrize(
    "country,values,field,row",
    [
        ("FR", {"age": 14}, "age", "Libertés"),
        ("DE", {"age": 15}, "age", "GDPR"),
        ("FR", {"inactive_months": 37}, "inactive_months", "CNIL"),
    ],
)
def test_what_asks_less_than_the_law_is_refused_with_the_row_that_asks_more(
    s: Scene, country: str, values: dict[str, Any], field: str, row: str
) -> None:
    with pytest.raises(Looser, match=row) as refused:
        change(s.runtime, country, **values)
    assert (refused.value.field, refused.value.code) == (field, "looser")
    assert own_law.own(s.runtime, country).told() == {}


@pytest.mark.parametrize(
    "country,values,field",
    [
        ("FR", {"stop": {"everywhere": None}}, "stop_everywhere"),
        ("FR", {"age": 18, "source": " "}, "source"),
        ("FR", {"age": 99}, "legal.FR.age"),
        ("ZZ", {"age": 18}, "country"),
    ],
)
def test_a_rule_that_cannot_be_names_its_field(s: Scene, country: str, values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        change(s.runtime, country, **values)
    assert refused.value.field == field


def test_a_change_is_one_act_in_the_log_with_what_was_before(s: Scene) -> None:
    first = entries(s)
    change(s.runtime, age=16, stop={"everywhere": "2027-01-01"})
    change(s.runtime, age=18)
    change(s.runtime, age=18)
    own_law.end(s.runtime, "FR", ["age"], actor=ACTOR)
    assert entries(s) == first + 3, "saying the same again is no act"
    with s.runtime.db.reading() as session:
        told = [(one.rule, one.before, one.after) for one in own_law.changes(session)]
    stop = "stop everywhere 2027-01-01"
    assert told == [
        ("FR", ("age 18", stop), (stop,)),
        ("FR", ("age 16", stop), ("age 18", stop)),
        ("FR", (), ("age 16", stop)),
    ]
    sequencer.sequence(s.runtime)
    assert not sequencer.verify(s.runtime).problems


def test_what_a_rule_rests_on_is_kept_beside_it_and_not_in_the_log(s: Scene) -> None:
    change(s.runtime, age=18)
    told = own_law.own(s.runtime, "FR").told()
    assert (told["source"], "changed" in told) == (WHY, True)
    assert not any(WHY.encode() in bytes(body) for (body,) in s.rows("SELECT body FROM log_payload"))


def test_ending_all_leaves_the_laws_own_rows_and_changes_nobodys_consent(s: Scene) -> None:
    query = "SELECT address_id, purpose_id, standing, basis, expires_at FROM consent_state ORDER BY 1, 2"
    before = s.rows(query)
    change(s.runtime, age=20, without=["soft_opt_in"], parts=["postal_address"], senders=["+338"])
    own_law.end(s.runtime, "FR", actor=ACTOR)
    assert (own_law.own(s.runtime, "FR").told(), s.rows(query)) == ({}, before)
    with pytest.raises(NotFound):
        own_law.end(s.runtime, "FR", actor=ACTOR)


def test_roles_are_kept_in_small_letters_and_bind_at_once(s: Scene) -> None:
    assert own_law.change_roles(s.runtime, "offers", ["Buyer ", "buyer", "Head of  Sales"], actor=ACTOR) == [
        "buyer",
        "head of sales",
    ]
    with s.runtime.db.reading() as session:
        assert law(session, purpose="offers", marketing=True).roles == {"buyer", "head of sales"}
        assert own_law.changes(session)[0].after == ("buyer", "head of sales")
    own_law.change_roles(s.runtime, "offers", [], actor=ACTOR)
    with s.runtime.db.reading() as session:
        assert law(session, purpose="offers", marketing=True).roles == set()


@pytest.mark.parametrize("purpose,roles,field", [("nothing", ["a"], "purpose"), ("offers", ["x" * 81], "roles")])
def test_roles_that_cannot_be_name_their_field(s: Scene, purpose: str, roles: list[str], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        own_law.change_roles(s.runtime, purpose, roles, actor=ACTOR)
    assert refused.value.field == field
