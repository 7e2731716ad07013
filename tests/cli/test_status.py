"""One command says what the engine is doing now."""

from __future__ import annotations

import json

from click.testing import CliRunner

from broadcaster.actions.runtime import Runtime
from broadcaster.cli.status import status
from broadcaster.storage import workers
from tests import factories
from tests.actions.scene import scene


class Terminal:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def runtime(self) -> Runtime:
        return self._runtime


def test_it_tells_of_campaigns_accounts_and_workers(runtime: Runtime) -> None:
    s = scene(runtime, None, 5, rate_per_second=3.0)
    s.launch()
    workers.beat(runtime)
    s.drain(0.5)
    told = json.loads(CliRunner().invoke(status, ["--json"], obj=Terminal(runtime)).output)
    [campaign], [account], [worker] = told["under_way"], told["accounts"], told["workers"]
    assert (campaign["id"], campaign["state"], campaign["planned"]) == (s.campaign, "running", 5)
    assert campaign["sent"] >= 3
    assert campaign["sent"] + campaign["left"] == 5
    assert (account["channel"], account["rate_per_second"], account["in_flight"]) == ("email", 3.0, 0)
    assert (worker["channels"], told["unserved"]) == (["all"], [])


def test_it_warns_of_a_channel_that_nobody_serves(runtime: Runtime) -> None:
    brand, _, _ = factories.brand_and_purpose(runtime)
    factories.account(runtime, brand, "sandbox")
    text = CliRunner().invoke(status, obj=Terminal(runtime)).output
    assert "NO WORKER SENDS ON: email" in text
    workers.beat(runtime)
    text = CliRunner().invoke(status, obj=Terminal(runtime)).output
    assert "NO WORKER" not in text
