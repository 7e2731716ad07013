"""What a provider says later of a message it took: kept once, in any order, for whoever it means."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from broadcaster.actions import receipts
from broadcaster.core.deliveries import Outcome, ReceiptKind
from broadcaster.core.messages import Receipt
from broadcaster.fakes.server import Behaviour
from broadcaster.fakes.twilio import FakeTwilio
from broadcaster.storage import conversations
from tests.actions.scene import Scene, until
from tests.actions.talk import NOW, a_key, standing, tell, together


def receipt(provider_id: str, kind: ReceiptKind, *, key: str = "", **more: Any) -> Receipt:
    return Receipt(key or a_key(), provider_id, kind, datetime.now(UTC), **more)


@pytest.fixture
def sent(s: Scene) -> tuple[Scene, str]:
    """A message the provider took, with its id there."""
    s.launch()
    s.drain()
    return s, s.rows("SELECT provider_id FROM step ORDER BY id")[0][0]


def state_of(s: Scene, provider_id: str) -> list[tuple[Any, ...]]:
    return s.rows("SELECT state, reason, receipt FROM step WHERE provider_id = :p", p=provider_id)


KINDS = [ReceiptKind.SENT, ReceiptKind.DELIVERED, ReceiptKind.READ]


def test_receipts_in_any_order_and_twice_come_to_the_same(sent: tuple[Scene, str]) -> None:
    s, provider_id = sent
    for order in itertools.permutations(KINDS):
        s.change("UPDATE step SET receipt = NULL")
        told = [receipt(provider_id, kind) for kind in order]
        tell(s, *told, *told)
        assert state_of(s, provider_id) == [("accepted", None, "read")], order


def test_receipts_told_at_once_do_not_overwrite_one_another(sent: tuple[Scene, str]) -> None:
    s, provider_id = sent
    for _ in range(5):
        s.change("UPDATE step SET receipt = NULL")
        told = [receipt(provider_id, kind) for kind in KINDS]
        assert together(*[lambda one=one: tell(s, one) for one in told]) == []
        receipts.match_parked(s.runtime)
        assert state_of(s, provider_id) == [("accepted", None, "read")]


def test_a_receipt_that_comes_before_the_answer_is_kept_for_it(s: Scene) -> None:
    s.launch()
    early = receipt("SM" + "0" * 31 + "1", ReceiptKind.DELIVERED)
    tell(s, early)
    s.drain()
    receipts.match_parked(s.runtime)
    assert state_of(s, early.provider_id) == [("accepted", None, "delivered")]


def test_receipts_of_messages_nobody_knows_stand_in_nobodys_way(sent: tuple[Scene, str]) -> None:
    s, provider_id = sent
    with s.runtime.db.transaction() as session:
        for n in range(501):
            values = {"account": s.account, "key": f"u{n}", "provider_id": f"nobody{n}", "kind": "sent"}
            moments = {"occurred": NOW, "now": NOW, "outcome": None, "code": None, "step": None, "attempt": None}
            conversations.store_receipt(session, {**values, **moments})
    tell(s, receipt(provider_id, ReceiptKind.DELIVERED))
    assert state_of(s, provider_id) == [("accepted", None, "delivered")]


def test_a_receipt_with_our_reference_settles_a_call_without_an_answer(s: Scene, fake: FakeTwilio) -> None:
    fake.script(Behaviour.ERROR_500, Behaviour.ERROR_500)
    s.launch()
    s.drain()
    assert s.states() == {"unknown": 2}
    [(first, attempt), (second, _)] = s.rows("SELECT id, attempt FROM step ORDER BY id")
    tell(s, receipt("SMa", ReceiptKind.DELIVERED, reference=f"s{first}.{attempt}"))
    tell(s, receipt("SMb", ReceiptKind.DELIVERED, reference=f"s{second}.{attempt + 1}"))
    assert s.rows("SELECT state, receipt FROM step ORDER BY id") == [("accepted", "delivered"), ("unknown", None)]
    assert s.verified().problems == []


def test_a_failed_receipt_fails_the_step_and_a_block_reaches_the_ledger(sent: tuple[Scene, str]) -> None:
    s, provider_id = sent
    tell(s, receipt(provider_id, ReceiptKind.FAILED, outcome=Outcome.RECIPIENT_OPTED_OUT))
    assert state_of(s, provider_id) == [("failed", "provider_opt_out", "failed")]
    assert "objected" in {standing(s, 1), standing(s, 2)}
    assert s.verified().problems == []


def test_a_block_is_obeyed_before_its_receipt_is_answered(s: Scene, fake: FakeTwilio) -> None:
    """Also where it overtakes the answer to its own message: another campaign may be about to write to them."""
    fake.slow_seconds = 0.5
    fake.script(Behaviour.SLOW, Behaviour.SLOW)
    s.launch()
    sending = threading.Thread(target=s.drain)
    sending.start()
    until(lambda: len(fake.recorded) == 2, what="both on the wire")
    [(step, attempt)] = s.rows("SELECT id, attempt FROM step WHERE address_id = :a", a=s.people[0][1])
    told = receipt("SMearly", ReceiptKind.FAILED, reference=f"s{step}.{attempt}")
    [recorded] = tell(s, dataclasses.replace(told, outcome=Outcome.RECIPIENT_OPTED_OUT))
    assert (standing(s, 1), list(recorded.closed), recorded.in_flight) == ("objected", [s.people[0][1]], 0)
    sending.join()
    tell(s, dataclasses.replace(told, outcome=Outcome.RECIPIENT_OPTED_OUT))
    assert s.rows("SELECT count(*) FROM consent_event WHERE action = 'objected'") == [(1,)]


def test_a_receipt_goes_to_the_step_it_names_though_two_have_one_id(sent: tuple[Scene, str]) -> None:
    s, _ = sent
    s.change("UPDATE step SET provider_id = 'SMsame'")
    steps = s.rows("SELECT id, attempt FROM step ORDER BY id")
    for (step, attempt), kind in zip(steps, (ReceiptKind.DELIVERED, ReceiptKind.FAILED), strict=True):
        tell(s, receipt("SMsame", kind, reference=f"s{step}.{attempt}"))
    assert s.rows("SELECT receipt FROM step ORDER BY id") == [("delivered",), ("failed",)]


def test_proof_of_delivery_outlives_a_failed_receipt(sent: tuple[Scene, str]) -> None:
    s, provider_id = sent
    tell(s, receipt(provider_id, ReceiptKind.DELIVERED), receipt(provider_id, ReceiptKind.FAILED))
    assert state_of(s, provider_id) == [("accepted", None, "delivered")]


def test_proof_of_delivery_after_a_failed_receipt_takes_the_failure_back(sent: tuple[Scene, str]) -> None:
    """Receipts are shuffled: what was delivered must not stay in the report as failed."""
    s, provider_id = sent
    tell(s, receipt(provider_id, ReceiptKind.FAILED), receipt(provider_id, ReceiptKind.DELIVERED))
    assert state_of(s, provider_id) == [("accepted", None, "delivered")]
