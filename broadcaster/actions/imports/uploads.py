"""Files handed to us: kept under the home folder with a name of our own until their import ends."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from broadcaster.actions.imports.files import MAX_BYTES, open_regular
from broadcaster.actions.runtime import Runtime
from broadcaster.core.errors import InvalidInput
from broadcaster.storage.imports import kept_paths

_FOLDER = "uploads"
_BLOCK = 1 << 20
_GRACE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Kept:
    """A file as kept: its path relative to the home folder, its size and its hash."""

    path: str
    size: int
    sha256: str


def keep(runtime: Runtime, source: IO[bytes] | Path) -> Kept:
    """Copy *source* into the home folder, at most 500 MB. Raises InvalidInput ``not_a_file``, ``file_size``."""
    folder = runtime.home / _FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = f"{_FOLDER}/import-{secrets.token_hex(8)}.data"
    target = runtime.home / path
    try:
        if isinstance(source, Path):
            with open_regular(source) as file:
                size, digest = _copy(file, target)
        else:
            size, digest = _copy(source, target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return Kept(path, size, digest)


def _copy(source: IO[bytes], target: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        while block := source.read(_BLOCK):
            size += len(block)
            if size > MAX_BYTES:
                raise InvalidInput("The file is larger than 500 MB; split it.", code="file_size", field="file")
            digest.update(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    return size, digest.hexdigest()


def forget(runtime: Runtime, path: str) -> None:
    """Delete a kept file; nothing happens if it is gone."""
    if path:
        (runtime.home / path).unlink(missing_ok=True)


def forget_orphans(runtime: Runtime) -> int:
    """Delete files that no import names any more: what a crash left behind; return how many.

    A file without a row may be one that is being taken in: it stays for an hour.
    """
    with runtime.db.reading() as session:
        named = kept_paths(session)
    latest, gone = time.time() - _GRACE_SECONDS, 0
    for path in (runtime.home / _FOLDER).glob("import-*.data"):
        if f"{_FOLDER}/{path.name}" not in named and path.stat().st_mtime < latest:
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def shown_name(name: str) -> str:
    """Return a file's own name as harmless text: it is shown, and never used as a path."""
    kept = "".join(one for one in name if unicodedata.category(one)[0] != "C")
    return kept[-100:] or "file"
