"""F27: one campaign is launched by everybody at once, from pages and from the command line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from html import unescape
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

from tests.proof.trial import Trial
from tests.web.people import ADMIN, PASSWORD, add, first

COLLEAGUE = "ben@example.org"
PRESSES, COMMANDS = 44, 6


class Browser:
    """Somebody of ours, signed in over HTTP."""

    def __init__(self, site: str, email: str) -> None:
        self._site = site
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()))
        assert self.post("/sign-in", "/sign-in", email=email, password=PASSWORD, next="") == 200

    def _get(self, path: str) -> str:
        with self._opener.open(f"{self._site}{path}", timeout=60) as answer:
            return str(answer.read().decode())

    def post(self, page: str, path: str, **form: str) -> int:
        """Press a button of *page*; return the status of where that leads."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self._get(page))
        assert found, "the page has a form"
        body = urlencode({"csrf_token": unescape(found[1]), **form}).encode()
        try:
            with self._opener.open(f"{self._site}{path}", body, timeout=60) as answer:
                return int(answer.status)
        except HTTPError as refused:
            with refused:
                return refused.code


def fifty_times(t: Trial) -> None:
    """Two people and the command line press "launch" together: one run."""
    admin = first(t.scene.runtime)
    add(t.scene.runtime, COLLEAGUE, "marketer", by=admin)
    campaign = t.campaign()
    t.launched.append(campaign)
    t.site.start()
    browsers = [Browser(t.site.public_url, email) for email in (ADMIN, COLLEAGUE)]
    page = f"/campaigns/{campaign}"
    presses: list[Callable[[], int]] = [
        partial(browsers[n % 2].post, "/profile", f"{page}/launch", revision="1") for n in range(PRESSES)
    ]
    command = ("campaigns", "launch", str(campaign), "--yes")
    presses += [lambda: t.site.command(*command).returncode for _ in range(COMMANDS)]
    t.dice.shuffle(presses)
    with ThreadPoolExecutor(len(presses)) as pool:
        answers = Counter(done.result() for done in [pool.submit(press) for press in presses])
    t.figures["answers"] = " ".join(f"{answer}:{times}" for answer, times in sorted(answers.items()))
    t.until_finished()
    assert answers[0] + answers[200] == 1, f"launched more or less than once: {answers}"
    assert not [answer for answer in answers if answer >= 500], f"{answers}"
