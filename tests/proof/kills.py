"""Everything is killed with SIGKILL, at random and again and again: workers, broker, database."""

from __future__ import annotations

from tests.proof.trial import Trial, again_and_again


def of_everything(t: Trial) -> None:
    """A blow every few seconds until nine tenths have been sent."""

    def broker() -> None:
        assert t.site.valkey is not None
        t.site.valkey.kill()
        t.site.valkey.start()

    def database() -> None:
        assert t.site.postgres is not None
        t.site.postgres.kill()
        t.site.postgres.start()
        t.blows += 1

    blows = [t.kill_worker, t.kill_worker, broker, *([database] if t.site.postgres else [])]
    t.site.start()
    t.site.start_worker()
    t.launch()
    t.until_sent(0.02)
    t.figures["blows"] = 0

    def blow() -> None:
        t.dice.choice(blows)()
        t.figures["blows"] += 1

    with again_and_again(blow, every=(3, 20), dice=t.dice):
        t.until(lambda: len(t.provider.sent) >= 0.9 * t.people, "nine tenths", seconds=t.people)
    t.until_finished()
