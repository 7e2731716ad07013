"""``gunicorn 'web.wsgi:app'``: the pages alone, for installations with a broker; workers run elsewhere."""

from __future__ import annotations

from broadcaster import config
from broadcaster.actions.runtime import open_runtime
from web.app import create_app

_settings = config.load()
app = create_app(
    open_runtime(
        database_url=_settings.database,
        keys_text=config.read_keys(_settings),
        home=_settings.home,
        public_url=_settings.public_url,
    ),
    trusted_proxies=_settings.trusted_proxies,
)
