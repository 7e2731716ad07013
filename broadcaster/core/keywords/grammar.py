"""Sentences that ask for something, per language, as patterns over folded text (``|`` stands between clauses).

A language without a grammar still has its word lists. The order of work: ``ignore`` is cut out first (idioms, a negated
stop, another object), then ``rights``, ``stop`` and ``doubt`` are searched in what is left; ``join`` and ``help`` must
be the whole message. Every gap is bounded, so matching is linear in the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from broadcaster.core.keywords.grammar_en import ENGLISH
from broadcaster.core.keywords.grammar_fr import FRENCH
from broadcaster.core.keywords.rules import Rules


@dataclass(frozen=True, slots=True)
class Grammar:
    """The compiled rules of one language."""

    code: str
    ignore: tuple[re.Pattern[str], ...]
    stop: tuple[tuple[str, re.Pattern[str]], ...]
    rights: tuple[tuple[str, re.Pattern[str]], ...]
    doubt: tuple[tuple[str, re.Pattern[str]], ...]
    join: tuple[tuple[str, re.Pattern[str]], ...]
    help: tuple[tuple[str, re.Pattern[str]], ...]


def _compiled(rules: Rules) -> Grammar:
    def named(kind: str, table: dict[str, str]) -> tuple[tuple[str, re.Pattern[str]], ...]:
        return tuple((f"{kind}.{rules.code}.{name}", re.compile(pattern)) for name, pattern in table.items())

    return Grammar(
        code=rules.code,
        ignore=tuple(re.compile(pattern) for pattern in rules.ignore),
        stop=named("rq", rules.stop),
        rights=named("rt", rules.rights),
        doubt=named("un", rules.doubt),
        join=named("in", rules.join),
        help=named("he", rules.help),
    )


GRAMMARS = tuple(_compiled(rules) for rules in (ENGLISH, FRENCH))
