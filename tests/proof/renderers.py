"""F29: a message whose rendering ends the process that does it."""

from __future__ import annotations

from tests.proof.site import ROOT
from tests.proof.trial import Trial

#: Run by Python itself as it starts: the seventh person's message is the end.
POISON = """
import os
from broadcaster.actions.rendering import Composer
compose = Composer.compose
def deadly(self, variant, person, **more):
    if person.first_name == "Ann7":
        os._exit(1)
    return compose(self, variant, person, **more)
Composer.compose = deadly
"""


def deadly(t: Trial) -> None:
    """The message is left out with its reason after a few processes, and everybody else gets theirs."""
    folder = t.site.home.parent / "poison"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(POISON)
    t.site.start_pages()
    t.site.start_worker(PYTHONPATH=f"{folder}:{ROOT}")
    t.site.start_worker(PYTHONPATH=f"{folder}:{ROOT}")
    t.launch()
    t.blows, t.ended = 4, ["render_failed"]  # a process takes what it had in flight with it
    t.until_finished()
    [[failed]] = t.rows("SELECT count(*) FROM step WHERE reason = 'render_failed'")
    assert failed == 1, f"{failed} messages were taken for the poison"
