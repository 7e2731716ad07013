"""What a refusal, a request for one's data, doubt, joining and a call for help are made of, in any language.

A pattern is a regular expression over the names of ``symbols.CLASSES``; spaces in it mean nothing. Every gap is
bounded, so that matching is linear in the text. The order of work: ``CUT`` is taken out first (idioms, a stop that is
denied, another object, our own instructions), then ``RIGHTS``, ``STOP`` and ``DOUBT`` are searched in what is left;
``JOIN`` and ``HELP`` must be the whole message.
"""

from __future__ import annotations

import re

from broadcaster.core.keywords.symbols import BREAK, CLASSES, NUMBER

_MORE_NAMES = {
    "number": NUMBER,
    "begin": rf"(?:^|(?<={BREAK}))",
    "end": rf"(?={BREAK}|$)",
    "break": BREAK,
    "any": rf"[^{BREAK}{CLASSES['other']}{CLASSES['idiom']}]",
    "word": rf"[^{BREAK}]",
}
_SMALL = ("aux", "me", "more", "again", "everywhere", "courtesy", "thanks")
_MORE_NAMES["small"] = "[" + "".join(CLASSES[name] for name in _SMALL) + "]"
_MORE_NAMES["wish"] = "[" + "".join(CLASSES[name] for name in (*_SMALL, "want", "id")) + "]"
_MORE_NAMES["writes"] = "[" + "".join(CLASSES[name] for name in ("send", "both", "harass")) + "]"
_MORE_NAMES["mail"] = "[" + "".join(CLASSES[name] for name in ("msg", "letter", "both", "harass")) + "]"
_MORE_NAMES["comes"] = "[" + "".join(CLASSES[name] for name in ("send", "both", "msg", "letter", "harass", "get")) + "]"
_MORE_NAMES["ends"] = f"[{CLASSES['stop']}{CLASSES['cease']}]"
_MORE_NAMES["quits"] = "[" + "".join(CLASSES[n] for n in ("stop", "cease", "cancel", "unsub", "remove", "revoke")) + "]"
_MORE_NAMES["aside"] = (
    "[^" + BREAK + "".join(CLASSES[name] for name in ("send", "both", "msg", "letter", "harass", "unsub", "list")) + "]"
)
_LETTERS = {**CLASSES, **_MORE_NAMES, "courtesy": re.escape(CLASSES["courtesy"])}
_DENIES = "not small{0,3} want | want small{0,3} not | nowant"
_NO_WISH = rf"(?: {_DENIES} | uninterested )"


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"[a-z]+", lambda name: _LETTERS[name.group()], pattern).replace(" ", ""))


def _table(**patterns: str) -> dict[str, re.Pattern[str]]:
    return {name.replace("_", "-"): _compiled(pattern) for name, pattern in patterns.items()}


#: Tried in this order, each taken out before the next is tried.
CUT = tuple(
    _compiled(pattern)
    for pattern in (
        # our own words: "reply STOP to unsubscribe", "STOP 36111"
        r"(?<=.{5}) break? (?: unsub word{0,3} )? (?: reply|writes ) word{0,3} (?: stop|unsub )"
        r"(?: word{0,3} (?: unsub|stop|number ))? word{0,2} $",
        r"(?<=.{5}) break? (?: unsub|nomore small{0,3} get ) word{0,4} stop word{0,2} $",
        r"(?<=.{5}) break? stop mail? small{0,2} (?: number|unsub ) word{0,2} $",
        # a stop that is denied: "don't stop", "n'arrêtez pas", and what one does not want to miss
        r"not (?: aux|me|want|more ){0,4} quits (?: not )? (?: any{0,3} comes )?",
        r"(?: stop|cease|unsub|remove ) me{0,2} not (?! comes|more|me ) (?: any{0,3} comes )?",
        rf"(?: {_DENIES} ) small{{0,3}} (?: miss|quits ) (?: any{{0,3}} comes )?",
        r"not small{0,2} miss (?: any{0,3} comes )?",
        r"miss small{0,2} (?: nowant|not )",
        r"later small{0,2} (?: send|both )? nosend",
        r"quits (?: any{0,3} comes )? small{0,2} nowant",
        # another object: "cancel my order", "Bestellung stornieren"
        r"(?: quits|nomore|nosend ) aside{0,4} other",
        r"other aside{0,4} (?: quits|nosend )",
        rf"{_NO_WISH} aside{{0,5}} (?: get|send )? aside{{0,3}} other",
        r"not small{0,3} (?: send|get ) aside{0,3} other",
    )
)

RIGHTS = _table(
    named="rights",
    erase="remove any{0,4} data | data any{0,4} remove",
    object="revoke any{0,4} data | data any{0,4} revoke",
    access="know any{0,4} data | data any{0,4} know",
)

_UNTIL = "(?! word{0,6} until )"
_LATER = "(?! word{0,5} (?: later|until ))"
STOP = _table(
    unsubscribe=rf"unsub (?! word{{0,3}} link ) {_UNTIL}",
    alone=rf"out {_LATER}",
    stop_sending=rf"(?: ends any{{0,4}} (?: comes|nosend ) | cancel any{{0,3}} (?: mail|list ) ) {_UNTIL}",
    stop_sent=rf"(?: comes any{{0,2}} ends | mail small{{0,3}} cancel | mail small{{0,2}} nomore"
    rf"| send small{{0,2}} cease ) {_UNTIL}",
    stop_alone=rf"begin wish* stop (?: wish|stop )* end {_UNTIL}",
    no_wish=rf"{_NO_WISH} any{{0,5}}? (?: comes|join ) {_LATER} | want small{{0,3}} no any{{0,2}} mail {_LATER}"
    r"| want small{0,3} mail{1,3} small{0,2} not small* end | begin small* mail small* (?: no|not ) small* end",
    no_wish_for=rf"comes any{{0,3}} {_NO_WISH} {_LATER}",
    no_sending=rf"not small{{0,3}} writes small{{0,2}} (?: me|mail|more|id ) {_LATER}"
    rf"| not small{{0,2}} (?: me|more ) small{{0,2}} writes {_LATER} | nosend {_LATER}",
    no_sending_more=rf"writes small{{0,3}} (?: mail small{{0,2}} )? (?: no|not ) small{{0,1}} (?: more|mail ) {_LATER}"
    rf"| writes small{{0,1}} me any{{0,1}} not (?! word{{0,3}} word ) {_LATER}",
    no_getting=rf"not small{{0,2}} more small{{0,2}} get {_LATER}"
    rf"| not small{{0,3}} get small{{0,3}} (?: mail|more ) {_LATER}",
    no_more=r"nomore any{0,3} comes | begin small* (?: no|not ) small{0,2} mail small* end"
    rf"| (?: no|not ) any{{0,2}} mail small{{0,2}} more {_LATER}",
    remove_me=r"remove small{0,2} me any{0,3} (?: list|id|end ) | (?: remove|cease ) any{0,2} (?: id|list )"
    r"| id any{0,4} remove | list any{0,3} remove | me small{0,2} remove wish* end",
    consent=r"(?: quits ) any{0,3} consent | consent any{0,4} (?: revoke|cancel|remove )"
    rf"| (?: not|no|nowant|{_NO_WISH} ) any{{0,3}} consent | consent any{{0,1}} (?: no|not|nowant )"
    rf"| revoke any{{0,4}} (?: comes|list )",
)

DOUBT = _table(
    pause="pause | (?: ends|cancel|unsub|remove|nosend|nowant|not|no|nomore ) word{0,8} until",
    often="often",
    hostile="hostile | harass",
    stranger="stranger",
    uninterested="uninterested",
    later="out",
    removal="remove any{0,4} mail | (?: no|not ) any{0,4} list | id any{0,3} list",
    no_get="not small{0,2} get | uninterested",
    no_mail=rf"(?: not|no|nowant|nosend ) any{{0,2}} (?: mail|writes ) {_LATER} | mail any{{0,2}} (?: nowant|nosend )",
    no_wish=rf"begin (?: wish|not )* {_NO_WISH} small* end"
    r"| (?: not|no|nomore ) small{0,2} comes (?: small|comes )* end",
    no_more="me writes more small* end",
    short="begin small* (?: remove|cancel|nomore ) small* end",
    stop_word="stop | unsub",
)

JOIN = _table(
    ask="(?= .* join ) (?: small|want|join|get|mail|list|id|send|break )*",
    again="(?= .* want ) (?= .* get ) (?= .* mail ) (?: small|want|get|mail|break )*",
    letter_again="(?= .* again ) (?= .* (?: want|send ) ) (?= .* (?: letter|list ) )"
    "(?: small|want|get|send|letter|list|break )*",
)
HELP = _table(ask="(?! .* thanks ) (?= .* assist ) (?: small|want|id|assist|break )*")
