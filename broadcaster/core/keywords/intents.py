"""What a message may want."""

from __future__ import annotations

from enum import StrEnum


class Intent(StrEnum):
    """What the person wants."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    HELP = "help"
    RIGHTS = "rights"  #: a data-protection request
    UNSURE = "unsure"  #: may be a refusal; pause and ask a person
    NONE = "none"
