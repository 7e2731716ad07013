"""The rows of the law, and what follows from them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from broadcaster.core.consent import Basis
from broadcaster.core.deliveries import Reason
from broadcaster.core.errors import InvalidInput
from broadcaster.core.law.own import Own, own_rules
from broadcaster.core.law.rows import rules
from broadcaster.core.law.terms import Law, Person, months_before

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATELY = datetime(2026, 11, 1, tzinfo=UTC)
BUYER = Person("professional", "FR", profession="Buyer ")


def refusal(
    person: Person, basis: str, *, law: Law | None = None, channel: str = "email", since: datetime = LATELY
) -> Reason | None:
    return (law or Law()).refusal(person, channel=channel, basis=basis, since=since, now=NOW)


def test_every_row_names_its_source_its_date_and_how_sure_we_are() -> None:
    told = rules()
    rows = (*told.basis, *told.age, *told.inactivity, *told.footer, *told.sender, *told.stop)
    assert {"FR", "EU", "GB", "US", "CA", "*"} <= {row.place for row in rows}
    assert all(row.source.strip() and row.date <= date(2026, 11, 23) for row in rows)
    assert len(told.members("EU")) == 30


@pytest.mark.parametrize("country", ["FR", "DE", "GB", "US", "CA", "JP", None])
def test_consent_holds_everywhere_and_nothing_else_where_no_row_says_so(country: str | None) -> None:
    assert refusal(Person("consumer", country), Basis.CONSENT) is None
    assert refusal(Person("consumer", country), Basis.CONTRACT) is Reason.NO_BASIS
    assert (refusal(Person("consumer", country), Basis.SOFT_OPT_IN) is None) is (country not in ("JP", None))


def test_a_text_message_to_the_united_states_needs_consent() -> None:
    assert refusal(Person("consumer", "US"), Basis.SOFT_OPT_IN, channel="sms") is Reason.NO_BASIS
    assert refusal(Person("consumer", "US"), Basis.SOFT_OPT_IN, channel="email") is None


def test_business_interest_needs_a_professional_in_a_role_the_purpose_concerns() -> None:
    buyers = Law(roles=frozenset({"buyer"}))
    assert refusal(BUYER, Basis.B2B_INTEREST, law=buyers) is None
    assert refusal(BUYER, Basis.B2B_INTEREST) is Reason.NO_BASIS
    assert refusal(BUYER, Basis.B2B_INTEREST, law=buyers, channel="sms") is Reason.NO_BASIS
    for other in (Person("consumer", "FR", profession="buyer"), Person("professional", "FR", profession="driver")):
        assert refusal(other, Basis.B2B_INTEREST, law=buyers) is Reason.NO_BASIS


@pytest.mark.parametrize("born,country,reason", [(None, "FR", None), (2010, "FR", None), (2011, "FR", Reason.MINOR),
                                                 (2010, "DE", Reason.MINOR), (2012, "GB", None)])  # fmt: skip
def test_below_the_age_of_the_country_nothing_counts(born: int | None, country: str, reason: Reason | None) -> None:
    assert refusal(Person("consumer", country, birth_year=born), Basis.CONSENT) is reason


def test_somebody_silent_for_three_years_has_run_out_in_france_and_not_elsewhere() -> None:
    old, later = datetime(2023, 11, 23, 12, tzinfo=UTC), datetime(2023, 11, 24, tzinfo=UTC)
    assert refusal(Person("consumer", "FR"), Basis.CONSENT, since=old) is Reason.EXPIRED
    assert refusal(Person("consumer", "FR", last_contact_at=later), Basis.CONSENT, since=old) is None
    assert refusal(Person("consumer", "DE"), Basis.CONSENT, since=old) is None


def test_implied_consent_in_canada_holds_two_years() -> None:
    assert refusal(Person("consumer", "CA"), Basis.SOFT_OPT_IN, since=months_before(NOW, 24)) is Reason.EXPIRED
    assert refusal(Person("consumer", "CA"), Basis.SOFT_OPT_IN, since=months_before(NOW, 23)) is None


def test_an_organisation_can_only_be_stricter() -> None:
    own = own_rules({"FR": {"consent_months": 12, "age": 10, "inactive_months": 60, "without": ["soft_opt_in"]}})
    terms = Law(own=own).of("FR")
    assert (terms.age, terms.inactive_months) == (15, 36)
    assert terms.life(Basis.CONSENT, kind="consumer", channel="email") == 12
    assert terms.life(Basis.SOFT_OPT_IN, kind="consumer", channel="email") is None
    assert Law(own={"CA": Own(consent_months=60)}).of("CA").life("soft_opt_in", kind="consumer", channel="sms") == 24


@pytest.mark.parametrize(
    "given", [{"France": {}}, {"FR": {"ages": 3}}, {"FR": {"age": -1}}, {"FR": {"without": ["x"]}}]
)
def test_a_rule_of_ones_own_that_does_not_exist_is_refused_by_its_field(given: Any) -> None:
    with pytest.raises(InvalidInput) as refused:
        own_rules(given)
    assert (refused.value.field or "").startswith("legal.")


def test_the_law_is_of_no_weight_for_what_is_no_marketing() -> None:
    assert refusal(Person("consumer", None, birth_year=2020), Basis.CONTRACT, law=Law(applies=False)) is None


def test_the_parts_of_a_message_are_those_of_every_country_it_goes_to() -> None:
    assert Law().footer(["FR", "DE"], "email") == {"brand", "opt_out"}
    assert Law().footer(["FR", "US"], "email") == {"brand", "opt_out", "postal_address"}
    assert Law().footer(["US"], "sms") == {"brand", "opt_out"}


def test_months_end_on_the_last_day_of_a_shorter_month() -> None:
    assert months_before(datetime(2026, 3, 31, tzinfo=UTC), 1).day == 28
    assert months_before(datetime(2026, 1, 15, tzinfo=UTC), 13) == datetime(2024, 12, 15, tzinfo=UTC)
