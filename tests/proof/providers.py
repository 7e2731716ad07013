"""F13, F16: a provider that says odd things about when to come back, or names two messages alike."""

from __future__ import annotations

import time
from collections import defaultdict

from broadcaster.fakes.server import Behaviour
from tests.proof.trial import Trial

#: What the header says, and the seconds within which we come back.
RETRY_AFTER = {
    "5": (3, 5),
    "120": (100, 120),
    "-1": (0, 1),
    "soon": (0, 3600),
    "Thu, 01 Jan 1970 00:00:00 GMT": (0, 1),
    "1000000000": (3500, 3600),
    "1e400": (3500, 3600),
    "nan": (0, 3600),
}
QUIET_SECONDS = 2.0


def odd_retry_after(t: Trial) -> None:
    """Each value once: waited for as far as it makes sense, at least a second and at most an hour, and no busy loop."""
    with t.going():
        for value, (least, most) in RETRY_AFTER.items():
            t.provider.retry_after = value
            refused = _refused(t)
            t.provider.script(Behaviour.THROTTLED)
            t.until(lambda refused=refused: _refused(t) > refused, f"429 with {value}")  # type: ignore[misc]
            t.until(lambda: _wait(t) is not None, f"a pause after {value}")
            wait = _wait(t)
            assert wait is None or least - 1 <= wait <= most, f"{value} became {wait} s"
            if least > QUIET_SECONDS:
                time.sleep(0.5)  # what had passed the gate ends
                before = len(t.provider.sent)
                time.sleep(QUIET_SECONDS)  # and then it is quiet
                assert len(t.provider.sent) == before, f"sent during a pause of {value}"
            t.scene.make_due()  # as if the time had passed
        t.figures["refused"] = _refused(t)


def _refused(t: Trial) -> int:
    return sum(not one.accepted for one in t.provider.sent)


def _wait(t: Trial) -> float | None:
    """Return the seconds the account is left alone, None if it is not."""
    seconds = (
        "(julianday(refilled_at) - julianday('now')) * 86400"
        if t.scene.runtime.db.sqlite
        else "extract(epoch FROM refilled_at - clock_timestamp())"
    )
    found = t.rows(f"SELECT {seconds} FROM rate_bucket WHERE {seconds} > 0")
    return float(found[0][0]) if found else None


def same_id(t: Trial) -> None:
    """Pairs of people whose messages get one id: a receipt that names its step is never given to the other."""
    with t.going():
        for _ in range(10):
            t.provider.repeat_id()
            before = len(t.provider.sent)
            t.until(lambda before=before: len(t.provider.sent) > before + 4, "the next messages")  # type: ignore[misc]
    steps = defaultdict(list)
    for one in t.provider.sent:
        steps[one.provider_id].append(one)
    pairs = [found for found in steps.values() if len(found) == 2]
    assert pairs, "no two had one id"
    t.figures["pairs"] = len(pairs)
    for first, second in pairs:
        for sent, status in ((second, "undelivered"), (first, "delivered")):
            items = [("MessageSid", sent.provider_id), ("AccountSid", t.provider.account_sid), ("To", sent.to)]
            items += [("MessageStatus", status), ("From", "+15550100")]
            items += [("ErrorCode", "30003")] if status == "undelivered" else []
            hook = f"{t.hook}?ref=s{sent.step}.{sent.attempt}"
            t.until(lambda hook=hook, items=items: t.provider.call_back(hook, items) == 200, "a receipt")  # type: ignore[misc]
        told = dict(t.rows("SELECT id, receipt FROM step WHERE id IN (:a, :b)", a=first.step, b=second.step))
        assert told == {first.step: "delivered", second.step: "failed"}, "a receipt was given to somebody else"
    t.ended += [row[0] for row in t.rows("SELECT DISTINCT reason FROM step WHERE state = 'failed'")]
