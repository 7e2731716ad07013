"""F20, F21: people refuse at the moment the provider sees their message, by every road there is."""

from __future__ import annotations

from collections import Counter
from urllib.parse import urlencode

from broadcaster.actions.rendering import stop_link
from broadcaster.fakes.server import post
from tests.proof.provider import Sent
from tests.proof.trial import Aim, Trial, again_and_again

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ONE_CLICK, PAGE = b"List-Unsubscribe=One-Click", b"scope=channel"
BLOCKED, NOBODY = "21610", "30005"
COMMANDS = 20  #: each is a process of its own


def in_flight(t: Trial) -> None:
    """Every second message brings a stop, of its own person or of one who comes next; meanwhile workers are killed."""
    t.site.start()
    t.site.start_worker()
    t.launch()
    with Aim(t)():
        t.until_sent(0.05)
        with again_and_again(t.kill_worker, every=(2, 6), dice=t.dice):
            t.until_sent(0.8)
        t.until_finished()


class Roads:
    """The other ways to refuse, one after the other; two campaigns go to everybody, so that one can stop the other."""

    def __init__(self, t: Trial) -> None:
        self._t = t
        self._address = dict(zip(t.numbers(), (address for _, address in t.scene.people), strict=True))
        self._digests = dict(t.rows("SELECT id, digest FROM address"))
        self.taken: Counter[str] = Counter()

    def __call__(self, number: str) -> None:
        road = self._t.dice.choice(["one_click", "page", "blocked", "nobody", "command"])
        last = next((one for one in reversed(self._t.provider.sent) if one.to == number), None)
        if road in ("blocked", "nobody") and last is not None:
            self._receipt(last, BLOCKED if road == "blocked" else NOBODY)
        elif road == "command" and self.taken["command"] < COMMANDS:
            self._command(number)
        else:
            road = "page" if road == "page" else "one_click"
            self._press(number, ONE_CLICK if road == "one_click" else PAGE)
        self.taken[road] += 1

    def _press(self, number: str, body: bytes) -> None:
        s = self._t.scene
        link = stop_link(s.runtime, self._digests[self._address[number]], s.purpose, 0)
        self._t.repeat(lambda: post(link, body, FORM), number)

    def _receipt(self, sent: Sent, code: str) -> None:
        provider, hook = self._t.provider, f"{self._t.hook}?ref=s{sent.step}.{sent.attempt}"
        items = [("MessageSid", sent.provider_id), ("AccountSid", provider.account_sid), ("To", sent.to)]
        items += [("From", "+15550100"), ("MessageStatus", "undelivered"), ("ErrorCode", code)]
        self._t.repeat(lambda: provider.call_back(hook, items), sent.to)

    def _command(self, number: str) -> None:
        words = [
            "--action",
            "object",
            "--channel",
            "sms",
            "--address",
            number,
            "--source",
            "call",
            "--proof",
            "by telephone",
        ]
        self._t.repeat(lambda: 503 if self._t.site.command("consent", "record", *words).returncode else 200, number)


def other_roads(t: Trial) -> None:
    """One-click, page, staff's command, and receipts that say blocked or nobody there, at that same moment."""
    t.site.start()
    t.site.start_worker()
    t.launch(t.campaign(name="First"))
    t.launch(t.campaign(name="Second"))
    roads = Roads(t)
    with Aim(t, fire=roads)():
        t.until_finished()
    t.figures["roads"] = urlencode(roads.taken)
    t.ended += ["provider_opt_out", "unreachable", "address_invalid", "expired"]
