"""Own rules beyond the law on screen: who may, what is refused and where, and what was before."""

from __future__ import annotations

import pytest

from broadcaster.actions import own_law
from broadcaster.actions.runtime import Runtime
from tests import factories
from tests.web.people import Visitor

FORM = {"age": "18", "source": "our board", "stop_everywhere": "2027-01-01"}


@pytest.mark.parametrize("role,status", [("marketer", 403), ("agent", 403), ("auditor", 403)])
def test_only_an_administrator_changes_own_rules(staffed: dict[str, Visitor], role: str, status: int) -> None:
    for path in ("/settings/law/FR", "/settings/law/FR/end", "/settings/roles/offers"):
        assert staffed[role].post(path, FORM).status_code == status
    assert staffed[role].get("/settings/law/FR").status_code == status


def test_a_rule_is_set_changed_and_ended_with_what_was_before(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    admin = staffed["admin"]
    assert "CNIL" in admin.get("/settings/law/FR").text
    assert admin.post("/settings/law/FR", FORM).status_code == 303
    assert 'value="2027-01-01"' in admin.get("/settings/law/FR").text
    assert admin.post("/settings/law/FR", {**FORM, "age": "20", "stop_everywhere": ""}).status_code == 303
    page = staffed["auditor"].get("/settings/law").text
    for said in ("age 18, a stop closes all marketing on every channel 2027-01-01", "age 20", "our board"):
        assert said in page
    assert "until then: age 18" in admin.get("/log").text
    assert admin.post("/settings/law/FR/end").status_code == 303
    assert own_law.own(runtime, "FR").told() == {}


@pytest.mark.parametrize(
    "country,given,field,said",
    [
        ("FR", {"age": "14"}, "age", "the law asks at least 15 years (FR: Loi Informatique"),
        ("FR", {"inactive_months": "37"}, "inactive_months", "the law asks at most 36 months (FR: CNIL"),
        ("FR", {"age": "99"}, "age", "This is not valid."),
        ("FR", {"source": ""}, "source", "on whose word"),
        ("FR", {"off": "everywhere"}, "stop_everywhere", "no row of the law to switch off"),
        ("FR", {"stop_channel": "soon"}, "stop_channel", "not a day"),
    ],
)
def test_what_cannot_be_is_said_at_its_field(
    staffed: dict[str, Visitor], runtime: Runtime, country: str, given: dict[str, str], field: str, said: str
) -> None:
    page = staffed["admin"].post(f"/settings/law/{country}", {**FORM, **given})
    assert page.status_code == 422
    problem = page.text.partition(f'id="e-{field}">')[2].partition("</div>")[0]
    assert said in problem
    assert own_law.own(runtime, country).told() == {}


def test_the_contested_row_of_the_united_states_can_be_switched_off_and_no_other(
    staffed: dict[str, Visitor], runtime: Runtime
) -> None:
    admin = staffed["admin"]
    assert 'value="categories"' in admin.get("/settings/law/US").text
    assert 'value="categories"' not in admin.get("/settings/law/FR").text
    admin.post("/settings/law/US", {"off": "categories", "source": "counsel"})
    assert own_law.own(runtime, "US").told()["stop"] == {"categories": None}


def test_roles_are_set_for_a_purpose(staffed: dict[str, Visitor], runtime: Runtime) -> None:
    factories.brand_and_purpose(runtime)
    admin = staffed["admin"]
    assert admin.post("/settings/roles/offers", {"roles": "Buyer\nhead of sales; x"}).status_code == 303
    assert own_law.roles(runtime)[0][1] == ["buyer", "head of sales", "x"]
    assert "buyer, head of sales, x" in admin.get("/settings/law").text
    assert admin.get("/settings/roles/nothing").status_code == 404
    assert admin.get("/settings/law/ZZ").status_code == 404
