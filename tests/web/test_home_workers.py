"""The dashboard says which channels nobody sends on."""

from __future__ import annotations

from dataclasses import replace

from broadcaster.actions.runtime import Runtime
from broadcaster.storage import workers
from tests import factories
from tests.web.people import Visitor


def test_the_dashboard_names_the_channels_that_no_worker_serves(runtime: Runtime, staffed: dict[str, Visitor]) -> None:
    brand, purpose, _ = factories.brand_and_purpose(runtime)
    account = factories.account(runtime, brand, "sandbox")
    factories.contacts(runtime, 1, purpose_id=purpose)
    said = "No worker is sending on: e-mail"
    workers.beat(replace(runtime, channels=frozenset({"sms"})))
    assert said not in staffed["marketer"].get("/").text, "nothing is to be sent"
    factories.campaign(runtime, brand_id=brand, purpose_id=purpose, lanes=[("email", account)])
    assert said in staffed["marketer"].get("/").text
    workers.leave(runtime)
    workers.beat(runtime)
    assert said not in staffed["marketer"].get("/").text, "a worker without names serves all"
