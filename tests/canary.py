"""Words planted in a person's data, and a search for them in raw bytes, in every way they might be written."""

from __future__ import annotations

import base64
import hashlib
import json
import quopri
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote


def spellings(word: str) -> dict[str, bytes]:
    """Return *word* as bytes, by the name of the way it is written."""
    plain = word.encode()
    found = {
        "utf-8": plain,
        "utf-16-le": word.encode("utf-16-le"),
        "utf-16-be": word.encode("utf-16-be"),
        "hex": plain.hex().encode(),
        "HEX": plain.hex().upper().encode(),
        "percent": quote(word, safe="").encode(),
        "quoted-printable": quopri.encodestring(plain).strip(),
        "json": json.dumps(word).strip('"').encode(),
        "\\u": "".join(f"\\u{ord(one):04x}" for one in word).encode(),
        "html": "".join(f"&#{ord(one)};" for one in word).encode(),
        "reversed": word.partition("@")[0][::-1].encode(),
        "md5": hashlib.md5(plain).digest(),
        "sha1": hashlib.sha1(plain).digest(),
        "sha256": hashlib.sha256(plain).digest(),
    }
    for name in ("md5", "sha1", "sha256"):
        found[f"{name} hex"] = found[name].hex().encode()
    for shift in range(3):  # where in its group of three the word begins; the ends depend on the neighbours
        for kind, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            whole = encode(b"\0" * shift + plain)
            end = -4 if (shift + len(plain)) % 3 else None
            found[f"{kind} +{shift}"] = whole[4 if shift else 0 : end]
    return found


def hits(words: Iterable[str], places: Iterable[Path]) -> list[str]:
    """Return ``file: word, way`` for everything found in these files, and in those below these folders."""
    needles = [(word, way, bytes_) for word in words for way, bytes_ in spellings(word).items()]
    found = []
    for place in places:
        for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if file.is_file():
                content = file.read_bytes()
                found += [f"{file.name}: {word}, {way}" for word, way, needle in needles if needle in content]
    return found
