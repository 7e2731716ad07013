"""What somebody searches for may be a person's address: in a page's own address it stands only encrypted."""

from __future__ import annotations

import base64
import binascii
import hmac

from broadcaster.core.errors import IntegrityFailure, NotFound
from broadcaster.core.keys import open_sealed, seal
from web.context import runtime

_PLACE = b"search"
_MOST = 4000  #: characters of a token


def sealed(text: str) -> str:
    """Return *text* as a token for an address; nothing for nothing."""
    if not text:
        return ""
    key = hmac.digest(runtime().keys.session[0].secret, b"search", "sha256")
    return base64.urlsafe_b64encode(seal(key, text.encode(), _PLACE)).decode().rstrip("=")


def unsealed(token: str) -> str:
    """Return what a token hides; one that is not ours is a page that does not exist."""
    if not token:
        return ""
    if len(token) > _MOST or not token.isascii():
        raise NotFound("There is no such search.")
    for known in runtime().keys.session:
        key = hmac.digest(known.secret, b"search", "sha256")
        try:
            return open_sealed(key, base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)), _PLACE).decode()
        except (IntegrityFailure, binascii.Error, ValueError):
            continue
    raise NotFound("There is no such search.")
