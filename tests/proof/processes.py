"""F19, F30, F42: processes that die before they answer, whose clocks are wrong, or that may open hardly anything."""

from __future__ import annotations

import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.proof.trial import Aim, Trial

DEATHS = 15
TOGETHER = 8
FILES = 64  #: a web server, a pool of connections and the code itself want more
MINUTES = 600
START_SECONDS = 20


def unanswered(t: Trial) -> None:
    """The pages are killed when a stop is in the rows and its answer is not out; the provider tells it again."""
    t.site.start()
    t.launch()
    people, before_answer = iter(t.numbers()[::-1]), 0
    with ThreadPoolExecutor(TOGETHER) as pool:
        for _ in range(DEATHS):
            told = _refusals(t)
            stops = [pool.submit(t.stop, next(people)) for _ in range(TOGETHER)]
            t.until(lambda told=told: _refusals(t) > told, "a stop in the rows")  # type: ignore[misc]
            pages = next(one for one in t.site.running if "serve" in one.args)  # type: ignore[operator]
            before_answer += _refusals(t) > len(t.answered)
            t.site.kill(pages)
            t.site.start_pages()
            for stop in stops:
                stop.result()
    t.until_finished()
    t.figures |= {"deaths": DEATHS, "died_before_an_answer": before_answer}
    assert before_answer, "every answer was out before the blow"
    stored = t.rows("SELECT count(*) FROM inbox_event")[0][0]
    assert stored == DEATHS * TOGETHER, f"{stored} of {DEATHS * TOGETHER} stops are stored"


def _refusals(t: Trial) -> int:
    return int(t.rows("SELECT count(*) FROM consent_event WHERE action = 'objected'")[0][0])


def clocks_apart(t: Trial) -> None:
    """Workers ten minutes ahead, ten behind and in another zone, pages behind: the database's clock is what counts."""
    shim = _shim(t.site.home.parent)
    t.site.start_worker(LD_PRELOAD=shim, CLOCK_SHIFT=f"{MINUTES}")
    t.site.start_worker(LD_PRELOAD=shim, CLOCK_SHIFT=f"-{MINUTES}")
    t.site.start_worker(TZ="Pacific/Kiritimati")
    t.site.start_pages(LD_PRELOAD=shim, CLOCK_SHIFT=f"-{MINUTES}")
    start = datetime.now(UTC) + timedelta(seconds=START_SECONDS)
    due = time.clock_gettime(time.CLOCK_BOOTTIME) + START_SECONDS
    t.launch(t.campaign(schedule={"start": start.isoformat()}))
    with Aim(t, share=0.3)():
        t.until_finished()
    early = [one for one in t.provider.sent if one.at < due]
    assert not early, f"{len(early)} messages before the start"


def _shim(folder: Path) -> str:
    built = folder / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(built), str(source), "-ldl"], check=True)
    return str(built)


def few_files(t: Trial) -> None:
    """64 open files for each process: slower, nothing lost, and every stop is taken."""
    t.site.files = FILES
    t.site.start()
    t.launch()
    with Aim(t, share=0.3)(threads=100):
        t.until_finished()
    assert set(t.statuses) == {"200"}, f"stops were answered {dict(t.statuses)}"
