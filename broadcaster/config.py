"""The only reader of the environment.

    BROADCASTER_HOME           folder for the database file, keys and uploads     (default: ./data)
    BROADCASTER_DATABASE_URL   sqlite:///path or postgresql://user:pw@host/name   (default: a file in BROADCASTER_HOME)
    BROADCASTER_BROKER_URL     redis://... , or memory:// for one process         (default: memory://)
    BROADCASTER_KEYS           the key ring as JSON text                          (default: keys.json in the home)
    BROADCASTER_PUBLIC_URL     how customers and providers reach us               (default: http://127.0.0.1:8000)
    BROADCASTER_LISTEN         host:port the web server listens on                (default: 127.0.0.1:8000)
    BROADCASTER_LOG_LEVEL      debug, info, warning or error                      (default: info)

``DATABASE_URL`` and ``REDIS_URL`` are read where the first two are absent.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from broadcaster.core.errors import Misconfigured

PREFIX = "BROADCASTER_"
_FALLBACKS = {"BROADCASTER_DATABASE_URL": "DATABASE_URL", "BROADCASTER_BROKER_URL": "REDIS_URL"}
#: Read elsewhere (tests, the runner) and so no mistake when present.
_FOREIGN = frozenset({"BROADCASTER_TEST_PG"})


class Settings(BaseModel):
    """Everything that is configured from outside. Secrets stay out of ``repr``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    home: Path = Path("data")
    database_url: str = Field(default="", repr=False)
    broker_url: str = Field(default="memory://localhost/", repr=False)
    keys: str = Field(default="", repr=False)
    public_url: str = "http://127.0.0.1:8000"
    listen: str = "127.0.0.1:8000"
    trusted_proxies: int = Field(default=0, ge=0, le=5)
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("database_url")
    @classmethod
    def _driver(cls, value: str) -> str:
        for plain in ("postgres://", "postgresql://"):
            if value.startswith(plain):
                return "postgresql+psycopg://" + value.removeprefix(plain)
        if value and not value.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("use sqlite:///path or postgresql://user:password@host/name")
        return value

    @field_validator("broker_url")
    @classmethod
    def _broker(cls, value: str) -> str:
        if value.startswith("memory://"):
            return "memory://localhost/"
        if not value.startswith(("redis://", "rediss://", "amqp://", "amqps://")):
            raise ValueError("use redis://, rediss://, amqp:// or memory://")
        return value

    @field_validator("public_url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if not _is_site(value):
            raise ValueError("use the full address, such as https://news.example.org")
        return value.rstrip("/")

    @field_validator("listen")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not (port.isascii() and port.isdigit()) or int(port[:6]) > 65535:
            raise ValueError("use host:port, such as 127.0.0.1:8000")
        return value

    @property
    def database(self) -> str:
        """Return the database's URL, the file in the home folder by default."""
        return self.database_url or f"sqlite:///{self.home / 'broadcaster.sqlite3'}"

    @property
    def embedded(self) -> bool:
        """Say whether web and worker share one process and no broker is needed."""
        return self.broker_url.startswith("memory://")

    @property
    def keys_file(self) -> Path:
        return self.home / "keys.json"

    @property
    def uploads(self) -> Path:
        return self.home / "uploads"


def _is_site(address: str) -> bool:
    """Say whether links to us can begin with *address*: a scheme, a host, no more than a path behind it."""
    try:
        parts = urlsplit(address)
        odd = parts.username is not None or parts.query or parts.fragment or parts.port == 0
    except ValueError:
        return False
    plain = address.isascii() and address.isprintable() and not set(address) & set(" \\\"'<>")
    return parts.scheme in ("http", "https") and bool(parts.hostname) and plain and not odd


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings. Raises Misconfigured naming the variable, never its value."""
    given = dict(os.environ if environment is None else environment)
    values: dict[str, str] = {}
    for name, value in given.items():
        if not name.startswith(PREFIX) or name in _FOREIGN:
            continue
        field = name.removeprefix(PREFIX).lower()
        if field not in Settings.model_fields:
            raise Misconfigured(f"unknown setting {name}; see docs/configuration.md", code="unknown_setting")
        values[field] = value
    for name, other in _FALLBACKS.items():
        if other in given and name not in given:
            values[name.removeprefix(PREFIX).lower()] = given[other]
    try:
        return Settings.model_validate(values)
    except ValidationError as problem:
        first = problem.errors(include_input=False, include_url=False)[0]
        name = PREFIX + str(first["loc"][0]).upper()
        raise Misconfigured(f"{name}: {first['msg'].removeprefix('Value error, ')}", code="bad_setting") from None


def environment_for(settings: Settings) -> dict[str, str]:
    """Return the environment that gives a child process these very settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    for field in Settings.model_fields:
        value = str(getattr(settings, field))
        if value:
            own[PREFIX + field.upper()] = value
    return own


def terminal_language(environment: Mapping[str, str] | None = None) -> str:
    """Return the two letters of the language the terminal asks for, or nothing.

    Which variable counts first: POSIX.1-2017, Base Definitions, section 8.2.
    """
    given = os.environ if environment is None else environment
    named = next((given[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if given.get(name)), "")
    return named[:2]


def read_keys(settings: Settings) -> str:
    """Return the key ring's text: from the environment, else from the file in the home folder, else empty."""
    if settings.keys:
        return settings.keys
    try:
        return settings.keys_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
