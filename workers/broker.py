"""Redis as our queue, where a message that is no task of ours is dropped and not a reason to fall.

Whoever can write to the broker could otherwise bring down every worker, one message at a time: kombu and Celery let
what they cannot read end the process.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from kombu.transport import redis as kombu_redis
from redis import RedisError

log = logging.getLogger(__name__)

_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError)


class Channel(kombu_redis.Channel):
    """Reads what kombu can read, and passes on what Celery can use."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]  # the stubs leave it out
        except _UNREADABLE as problem:
            _dropped(problem)
            return True

    def basic_consume(
        self, queue: str, no_ack: bool, callback: Callable[..., Any] | None, consumer_tag: str | None, **more: Any
    ) -> str:
        """Consume, rejecting what the callback cannot take."""
        assert callback is not None, "a worker always has one"

        def guarded(message: Any) -> Any:
            try:
                return callback(message)
            except (OSError, RedisError):
                raise  # says nothing against the message
            except Exception as problem:
                _dropped(problem)
                message.reject()

        tag: str = super().basic_consume(queue, no_ack, guarded, consumer_tag, **more)
        return tag


def _dropped(problem: Exception) -> None:
    log.warning("a message that is no task of ours was dropped", extra={"error": type(problem).__name__})


class Transport(kombu_redis.Transport):
    """Named in ``celery_config.py``."""

    Channel = Channel
