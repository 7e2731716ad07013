"""One campaign under one fault: who is in it, who said stop and when they were answered, what was counted."""

from __future__ import annotations

import itertools
import queue
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from broadcaster.actions import accounts, campaigns
from broadcaster.channels.contract import boottime
from broadcaster.core.errors import Unavailable
from tests import factories, servers
from tests.actions.scene import Scene, scene
from tests.proof.provider import Provider, Sent
from tests.proof.site import Site

WORDS = "Hello {{ contact.first_name }}, {{ unsubscribe_url }} or STOP. Example"
STRANGERS = 20  #: people who never agreed
STOP_WORD = "unsubscribe"  #: to us and not to the provider, who would otherwise keep the promise for us
PATIENCE = 300.0
_TRIES = 1000  #: how often a provider repeats a call that was not answered with 2xx


@dataclass
class Trial:
    site: Site
    provider: Provider
    scene: Scene
    hook: str
    people: int
    seed: int
    started: float = field(default_factory=time.monotonic)
    launched: list[int] = field(default_factory=list)
    answered: dict[str, float] = field(default_factory=dict)  #: number -> when its first refusal was answered
    statuses: Counter[str] = field(default_factory=Counter)  #: what webhooks were answered
    figures: dict[str, Any] = field(default_factory=dict)
    blows: int = 0  #: kills, each of which may leave what was in flight unknown
    doubts: int = 0  #: outcomes that this fault may leave unknown in another way
    ended: list[str] = field(default_factory=list)  #: reasons that this fault brings about
    waits: list[float] = field(default_factory=list)  #: seconds until a refusal was answered

    @cached_property
    def dice(self) -> random.Random:
        return random.Random(self.seed)

    # what people and marketers do

    def campaign(self, **options: Any) -> int:
        """Draft a campaign to everybody."""
        s = self.scene
        lanes, common = [(s.channel, s.account)], {"text": WORDS, "launch": False, **options}
        return factories.campaign(s.runtime, brand_id=s.brand, purpose_id=s.purpose, lanes=lanes, **common)

    def launch(self, campaign: int = 0) -> int:
        """Launch a campaign to everybody."""
        self.launched.append(campaign or self.campaign())
        campaigns.launch(self.scene.runtime, self.launched[-1], actor=factories.ACTOR)
        return self.launched[-1]

    def stop(self, number: str, *, sid: str = "") -> None:
        """Let a person say stop; the provider repeats it until it is taken."""
        sid = sid or f"SM{self.dice.getrandbits(128):032x}"
        self.repeat(lambda: self.provider.say(self.hook, number, STOP_WORD, sid=sid), number)

    def repeat(self, call: Callable[[], int], number: str) -> None:
        """Make a provider's call until it is answered with 2xx, and note when."""
        for _ in range(_TRIES):
            began = boottime()
            try:
                status = call()
            except (OSError, HTTPException):
                status = 0
            self.statuses[f"{status or 'none'}"] += 1
            if 200 <= status < 300:
                self.answered.setdefault(number, boottime())
                self.waits.append(boottime() - began)
                return
            time.sleep(0.25)  # a provider waits before it tries again

    # what is seen

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """Read rows, also while the database is away for a moment."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self.scene.rows(query, **values)
            except Unavailable:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def numbers(self) -> list[str]:
        """Return the numbers of those who agreed, in the order of their ids."""
        return [factories.address_value(self.scene.channel, n) for n in range(1, self.people + 1)]

    def until(self, happened: Callable[[], object], what: str, *, seconds: float = PATIENCE) -> float:
        """Wait for something; return how long that took."""
        began = time.monotonic()
        while not happened():
            waited = time.monotonic() - began
            assert waited < seconds, f"{what} never happened, seed {self.seed}, {self.progress()}"
            time.sleep(0.02)
        return time.monotonic() - began

    def until_sent(self, share: float) -> None:
        """Wait until the provider has seen this share of the people."""
        seconds = max(PATIENCE, self.people / 5)
        what = f"{share:.0%} of the messages"
        self.until(lambda: len(self.provider.sent) >= share * self.people, what, seconds=seconds)

    @contextmanager
    def going(self, *, stops: float = 0.1) -> Iterator[None]:
        """Run a campaign with two workers, of which a tenth is sent before the block and the rest after it."""
        self.site.start()
        self.site.start_worker()
        self.launch()
        with Aim(self, share=stops)():
            self.until_sent(0.1)
            yield
            self.until_finished()

    def page(self, path: str) -> float:
        """Look at a page and return the seconds it took; the longest is noted."""
        began = time.monotonic()
        with urlopen(f"{self.site.public_url}{path}", timeout=60) as answer:
            answer.read()
        took = time.monotonic() - began
        self.figures["slowest_page_ms"] = max(round(1000 * took), self.figures.get("slowest_page_ms", 0))
        return took

    def until_finished(self, *, seconds: float = PATIENCE) -> None:
        self.until(self.finished, "the end", seconds=seconds)

    def finished(self) -> bool:
        ids = ", ".join(map(str, self.launched))
        return not self.rows(f"SELECT 1 FROM campaign WHERE id IN ({ids}) AND state <> 'finished' LIMIT 1")

    def recovered(self) -> None:
        """Note how long after the fault the next message comes."""
        before = len(self.provider.sent)
        took = self.until(lambda: len(self.provider.sent) > before or self.finished(), "a message after the fault")
        self.figures["recovered_s"] = round(max(took, self.figures.get("recovered_s", 0.0)), 1)

    def progress(self) -> str:
        return f"{len(self.provider.sent)} sent, {self.rows('SELECT state, reason, count(*) FROM step GROUP BY 1, 2')}"

    # who is shot

    def kill_worker(self) -> None:
        """SIGKILL a supervisor with all below it, and start another."""
        workers = [one for one in self.site.running if "worker" in one.args]  # type: ignore[operator]
        self.site.kill(self.dice.choice(workers))
        self.blows += 1
        self.site.start_worker()


class Aim:
    """Fires a stop at people whose message the provider sees now, and at those whose turn comes next."""

    def __init__(self, trial: Trial, *, share: float = 0.5, fire: Callable[[str], None] | None = None) -> None:
        self._trial = trial
        self._fire = fire or trial.stop
        self._share = share
        self._numbers = trial.numbers()
        self._place = {number: place for place, number in enumerate(self._numbers)}
        self._counter = itertools.count()
        self._targets: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._fired: set[str] = set()

    def _see(self, sent: Sent) -> None:
        if self._trial.dice.random() < self._share:
            number = next(self._counter)
            ahead = self._place[sent.to] + (0 if number % 2 else 4 + number % 9)
            self._targets.put(self._numbers[min(ahead, len(self._numbers) - 1)])

    def _shoot(self) -> None:
        while (target := self._targets.get()) is not None:
            if target not in self._fired:
                self._fired.add(target)
                self._fire(target)

    @contextmanager
    def __call__(self, threads: int = 8) -> Iterator[None]:
        """Shoot as long as the block runs, and until everybody aimed at has been answered."""
        self._trial.provider.seen = self._see
        with ThreadPoolExecutor(threads) as pool:
            shots = [pool.submit(self._shoot) for _ in range(threads)]
            try:
                yield
            finally:
                for _ in range(threads):
                    self._targets.put(None)
        for shot in shots:
            shot.result()


@contextmanager
def trial(engine: str, home: Path, *, people: int, seed: int, pause: float = 0.05, **account: Any) -> Iterator[Trial]:
    """Yield an installation with its people, an account at the provider, and nothing running yet."""
    with ExitStack() as stack:
        valkey = stack.enter_context(servers.valkey())
        if engine == "sqlite":
            site = Site(home, f"sqlite:///{home / 'test.sqlite3'}", valkey=valkey)
        else:
            postgres = stack.enter_context(servers.postgres(durable=True))
            site = Site(home, postgres.url(postgres.create_database()), postgres=postgres, valkey=valkey)
        stack.callback(site.stop)
        provider = stack.enter_context(Provider(pause=pause))
        runtime = stack.enter_context(factories.installation(site.database_url, home))
        site.ring = runtime.keys.dump()
        runtime = replace(runtime, public_url=site.public_url)
        s = scene(runtime, provider, people, **{"concurrency": 8, **account})
        factories.contacts(
            runtime, STRANGERS, start=people + 1, purpose_id=s.purpose, channel=s.channel, consenting=False
        )
        with runtime.db.reading() as session:
            hook = accounts.config(runtime, session, s.account).public_url
        yield Trial(site, provider, s, hook, people, seed)


@contextmanager
def again_and_again(blow: Callable[[], None], *, every: tuple[float, float], dice: random.Random) -> Iterator[None]:
    """Strike at random moments as long as the block runs."""
    ended = threading.Event()

    def strike() -> None:
        while not ended.wait(dice.uniform(*every)):
            blow()

    with ThreadPoolExecutor(1) as pool:
        striking = pool.submit(strike)
        try:
            yield
        finally:
            ended.set()
            striking.result()
