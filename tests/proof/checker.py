"""The twelve properties, checked after every fault from what the provider saw, what we say, and what we left behind.

K1 nothing starts after an answered refusal     K2 nobody twice                     K3 the sums are the audience
K4 sent means the provider has it               K5 what it has is sent or unknown   K6 refusals kept, each once
K7 it ended by itself (``Trial.until_finished``) K8 at most the configured rate at the provider;
                                                others that go on: ``tests/actions/test_breaker.py``
K9 the log verifies                             K10 no personal data outside the rows
K11 exit codes and answers as they should be    K12 no process, lease or file left behind
"""

from __future__ import annotations

import re
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from statistics import median

import redis

from broadcaster.actions import dispatch
from broadcaster.storage import rates
from tests.proof.trial import STRANGERS, Trial

#: What may be in flight in all the processes that one blow kills: two processes, two lanes each, 2 x 8 calls.
IN_FLIGHT = 2 * 2 * 16
#: Over so long the rate is looked at: a burst weighs little in it, a worker too many shows.
RATE_SECONDS = 10.0
_PERSONAL = re.compile(rb"3361[0-9]{7}|Ann[0-9]|Hello Ann|/u/[A-Za-z0-9_-]{16}")
_STEPS = "SELECT id, run_id, state, provider_id FROM step"
_REFUSALS = "SELECT address_id FROM consent_event WHERE action IN ('objected', 'withdrawn', 'expired')"
_ENDS = """
    SELECT coalesce(d.reason, CASE WHEN s.state IN ('skipped', 'failed') THEN s.reason ELSE s.state END), count(*)
    FROM delivery d LEFT JOIN step s ON s.delivery_id = d.id AND s.current GROUP BY 1
"""
_LEFT = """
    SELECT (SELECT count(*) FROM step WHERE state IN ('dispatching', 'planned', 'held')),
           (SELECT count(*) FROM batch WHERE lease_owner IS NOT NULL OR open)
"""


def check(t: Trial) -> list[str]:
    """Return what is broken, nothing if all is well; the figures are noted in the trial."""
    broken = [*_consent(t), *_books(t), *_refusals(t)]
    broken += [*_rate(t), *_personal(t)]
    codes = t.site.terminate()
    if any(codes):
        broken.append(f"K11: exit codes {codes}")
    broken += _left(t)
    verified = t.site.command("log", "verify")
    if verified.returncode:
        broken.append(f"K9: {verified.stdout[-300:]}")
    t.figures["seconds"] = round(time.monotonic() - t.started, 1)
    return broken


def _consent(t: Trial) -> Iterable[str]:
    late = [one for one in t.provider.sent if one.at > t.answered.get(one.to, float("inf"))]
    t.figures |= {"stopped": len(t.answered), "after_stop": len(late)}
    if late:
        yield f"K1: {len(late)} of {len(t.answered)} after their answer, the first by {_lateness(t)} ms"
    agreed = set(t.numbers())
    if strange := sum(one.to not in agreed for one in t.provider.sent):
        yield f"K1: {strange} messages to people who never agreed"
    if t.waits:
        longest = sorted(t.waits)[-max(len(t.waits) // 100, 1)]
        t.figures |= {"answer_ms": round(1000 * median(t.waits)), "answer_p99_ms": round(1000 * longest)}


def _lateness(t: Trial) -> int:
    gaps = [one.at - t.answered[one.to] for one in t.provider.sent if one.to in t.answered]
    return round(1000 * max(gaps))


def _books(t: Trial) -> Iterable[str]:
    steps = {row[0]: row[1:] for row in t.rows(_STEPS)}
    accepted = [one for one in t.provider.sent if one.accepted]
    times = Counter((steps[one.step][0], one.to) for one in accepted)
    twice = times.total() - len(times)
    ends: Counter[str] = Counter(dict(t.rows(_ENDS)))
    audience = (t.people + STRANGERS) * len(t.launched)
    runs = t.rows("SELECT count(*) FROM run")[0][0]
    unknown, lost = ends["unknown"], audience - ends.total()
    t.figures |= {
        "n": t.people,
        "kills": t.blows,
        "sent": len(accepted),
        "unknown": unknown,
        "duplicates": twice,
        "lost": lost,
    }
    if twice:
        yield f"K2: {twice} messages twice"
    if runs != len(t.launched):
        yield f"K2: {runs} runs of {len(t.launched)} campaigns"
    if lost or set(ends) - {"accepted", "unknown", "no_consent", "objected", "withdrawn", *t.ended}:
        yield f"K3: {dict(ends)} of {audience}"
    if ends["no_consent"] != STRANGERS * len(t.launched):
        yield f"K3: {ends['no_consent']} without consent"
    if unknown > t.blows * IN_FLIGHT + t.doubts:
        yield f"K3: {unknown} unknown after {t.blows} blows"
    ids = {one.provider_id for one in accepted}
    if ghosts := [step for step, (_, state, given) in steps.items() if state == "accepted" and given not in ids]:
        yield f"K4: {len(ghosts)} called sent that the provider does not have"
    kept = {"accepted", "unknown", *(["failed"] if t.ended else [])}
    if hidden := [one for one in accepted if steps[one.step][1] not in kept]:
        yield f"K5: {len(hidden)} that the provider has and we call otherwise"


def _refusals(t: Trial) -> Iterable[str]:
    told = Counter(row[0] for row in t.rows(_REFUSALS))
    of_number = dict(zip(t.numbers(), (address for _, address in t.scene.people), strict=True))
    if forgotten := [number for number in t.answered if not told[of_number[number]]]:
        yield f"K6: {len(forgotten)} answered refusals are not in the ledger"
    if doubled := [address for address, times in told.items() if times > 1]:
        yield f"K6: {len(doubled)} refusals recorded twice"
    if strange := set(t.statuses) - {"200", "204", "503", "none"}:
        yield f"K11: webhooks answered {strange}"


def _rate(t: Trial) -> Iterable[str]:
    """Look at the fullest ``RATE_SECONDS``: the rate, what an idle second saved, what the gate's deadline shifts."""
    rate = t.rows("SELECT rate_per_second FROM account WHERE id = :id", id=t.scene.account)[0][0]
    times = sorted(one.at for one in t.provider.sent)
    fullest = max((bisect_left(times, at + RATE_SECONDS) - place for place, at in enumerate(times)), default=0)
    t.figures["fullest_per_s"] = round(fullest / RATE_SECONDS, 1)
    most = None if rate is None else rate * (RATE_SECONDS + rates.BURST_SECONDS + dispatch.GATE_SECONDS) + 1
    if most is not None and fullest > most:
        yield f"K8: {fullest} requests in {RATE_SECONDS:.0f} s at {rate} per second"


def _personal(t: Trial) -> Iterable[str]:
    """Search logs of ours, of the database and what is in the broker."""
    places = [t.site.home / "output.log", *([t.site.postgres.daemon.folder / "log"] if t.site.postgres else [])]
    for place in places:
        if found := _PERSONAL.findall(place.read_bytes()):
            yield f"K10: {len(found)} times in {place.name}: {found[0]!r}"
    if t.site.valkey is not None and _PERSONAL.search(_queued(t.site.valkey.url)):
        yield "K10: in the broker"


def _queued(url: str) -> bytes:
    with redis.Redis.from_url(url) as client:
        dumps = [client.dump(key) or b"" for key in client.scan_iter(count=1000)]
    return b"".join(dumps)


def _left(t: Trial) -> Iterable[str]:
    if (counted := t.rows(_LEFT)) != [(0, 0)]:
        yield f"K12: open steps, held batches: {counted}"
    if not t.blows and t.rows("SELECT count(*) FROM worker") != [(0,)]:  # the killed could not say that they left
        yield "K12: workers that have left are listed"
    if orphans := t.site.orphans():
        yield f"K12: processes {orphans}"
    known = {"output.log", "uploads", "setup-token"}
    names = sorted(one.name for one in t.site.home.iterdir())
    if files := [one for one in names if one not in known and not one.startswith("test.sqlite3")]:
        yield f"K12: files {files}"
