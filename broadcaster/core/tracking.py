"""Links whose clicks are counted: which of a template's can be, and putting the short ones in their place.

Only a link that is the same for everybody is counted: one with a merge field in it would keep a person's own words in a
table that is about the campaign. So our own stop links are never touched.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import replace

from broadcaster.core.errors import InvalidInput
from broadcaster.core.links import check_link
from broadcaster.core.messages import ButtonKind
from broadcaster.core.templates import Content, Rendered

_ANCHOR = re.compile(r"(<a\b[^<>]{0,2000}?\shref\s*=\s*)([\"'])([^\"'<>]{1,6000})\2", re.IGNORECASE)
_PLAIN = re.compile(r"https?://[^\s<>\"]{1,2000}", re.IGNORECASE)
_AFTER = ".,;:!?)]'\u2019\u00bb"  #: ends a sentence, not a link


def links_in(content: Content) -> list[str]:
    """Return the links of a content that are the same for everybody, each once, in order."""
    found = [html.unescape(one[3]).strip() for one in _ANCHOR.finditer(content.html)]
    found += [_bare(one[0]) for one in _PLAIN.finditer(content.text)]
    found += [one.value for one in content.buttons if one.kind is ButtonKind.URL]
    return list(dict.fromkeys(one for one in found if _same_for_everybody(one)))


def track(rendered: Rendered, short: Mapping[str, str]) -> Rendered:
    """Return a message with every link that is in *short* replaced."""
    if not short:
        return rendered
    return replace(
        rendered,
        html=_ANCHOR.sub(lambda one: _anchor(one, short), rendered.html),
        text=_PLAIN.sub(lambda one: _plain(one[0], short), rendered.text),
        buttons=tuple(
            replace(one, value=short.get(one.value, one.value)) if one.kind is ButtonKind.URL else one
            for one in rendered.buttons
        ),
    )


def _anchor(found: re.Match[str], short: Mapping[str, str]) -> str:
    link = short.get(html.unescape(found[3]).strip())
    return found[0] if link is None else f"{found[1]}{found[2]}{html.escape(link)}{found[2]}"


def _plain(written: str, short: Mapping[str, str]) -> str:
    link = _bare(written)
    return short.get(link, link) + written[len(link) :]


def _bare(written: str) -> str:
    return written.rstrip(_AFTER)


def _same_for_everybody(link: str) -> bool:
    if "{" in link:
        return False
    try:
        check_link(link, field="url")
    except InvalidInput:
        return False
    return True
