"""Which addresses of pages may stand in a message."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from broadcaster.core.errors import InvalidInput

MAX_LINK_CHARACTERS = 2000
_SCHEMES = frozenset({"https", "http"})
_NOT_IN_A_LINK = re.compile(r"[\s\\<>\"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def check_link(url: str, *, field: str, also: frozenset[str] = frozenset()) -> None:
    """Refuse what is no plain web address: other schemes (``javascript:``), ``//host``, ``https://bank@evil``.

    *also* are further schemes that are good here (``mailto``, ``tel``). Raises InvalidInput ``link_scheme``.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _refusal("This is not a web address.", field) from None
    if len(url) > MAX_LINK_CHARACTERS or _NOT_IN_A_LINK.search(url) or port == 0:
        raise _refusal("This is not a web address.", field)
    if parts.scheme in also and not parts.netloc:
        return
    if parts.scheme not in _SCHEMES or not host:
        raise _refusal("A link begins with https:// and the name of a site.", field)
    if parts.username is not None or parts.password is not None:
        raise _refusal("A link with a name before an @ leads elsewhere than it seems.", field)


def is_secure(url: str) -> bool:
    """Say whether nobody on the way can read or change what the link leads to."""
    return not url.lower().startswith("http://")


def is_local(url: str) -> bool:
    """Say whether the link leads nowhere for anybody outside: this machine, a private network."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))


def _refusal(message: str, field: str) -> InvalidInput:
    return InvalidInput(message, code="link_scheme", field=field)
