"""Senders that may not carry marketing."""

from __future__ import annotations

import pytest

from broadcaster.core.law.own import Own
from broadcaster.core.law.senders import barred


@pytest.mark.parametrize("sender", ["+33612345678", "+33 7 12 34 56 78", "06 12 34 56 78", "0033612345678"])
def test_a_french_mobile_number_may_not_however_it_is_written(sender: str) -> None:
    found = barred({}, channel="sms", sender=sender)
    assert found is not None
    assert ("ARCEP" in str(found), "36xxx" in str(found)) == (True, True)


@pytest.mark.parametrize("sender", ["36123", "38123", "+33140000000", "EXAMPLE", "+15550100", "MG0123", ""])
def test_a_short_code_a_name_and_numbers_elsewhere_may(sender: str) -> None:
    assert barred({}, channel="sms", sender=sender) is None


def test_the_row_is_about_its_channel_and_an_own_one_about_all() -> None:
    assert barred({}, channel="whatsapp", sender="+33612345678") is None
    own = {"DE": Own(senders=("+4915",), source="our carrier")}
    found = barred(own, channel="whatsapp", sender="+4915112345678")
    assert found is not None
    assert (found.place, found.source) == ("DE", "our carrier")
