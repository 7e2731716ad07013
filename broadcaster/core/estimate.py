"""When an account will have sent what falls due: its rate, its warm-up, and the hours in which it may write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from broadcaster.core.schedule import Span
from broadcaster.core.warmup import Day

Hours = Callable[[datetime], Span | None]  #: the open hours that end after an instant; None: none in sight
#: So many days and openings are looked at one by one; what is left then is reckoned by the rate alone.
_MOST_STEPS = 1000


def always(at: datetime) -> Span | None:
    """Hours that never close."""
    return at, at + timedelta(days=365)


def finish(
    due: Mapping[datetime, int], rate: float, *, hours: Hours, warm_up: Sequence[int], last_day: Day, zone_name: str
) -> datetime:
    """Return when *rate* per second has sent what falls due (how many at which instants).

    *last_day*: how far the warm-up is. Ignores pauses, retries, other campaigns on the account, and refusals to come.
    """
    at, day, steps = min(due), last_day, 0
    for moment, waiting in sorted(due.items()):
        at = max(at, moment)
        while waiting:
            steps += 1
            span = hours(at)
            if span is None or steps > _MOST_STEPS:
                at += timedelta(seconds=waiting / rate)
                break
            at = max(at, span[0])
            day = day.at(at, zone_name)
            most = day.most(warm_up)
            fit = max(int((_end(span, day, warm=most is None) - at).total_seconds() * rate), 1)
            sent = min(waiting, fit if most is None else min(fit, most - day.sent))
            at, day, waiting = at + timedelta(seconds=sent / rate), day.after(sent), waiting - sent
            if waiting and most is not None and day.sent >= most and day.ends is not None:
                at = max(at, day.ends)
    return at


def _end(span: Span, day: Day, *, warm: bool) -> datetime:
    return span[1] if warm or day.ends is None else min(span[1], day.ends)
