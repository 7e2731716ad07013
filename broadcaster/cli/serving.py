"""``serve`` and ``worker``: the one place that may start web and workers together."""

from __future__ import annotations

import logging
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from broadcaster.actions import staff
from broadcaster.actions.runtime import Runtime, open_runtime
from broadcaster.channels import registry
from broadcaster.cli.context import Context
from broadcaster.cli.setup import prepare
from broadcaster.cli.supervisor import Supervisor
from broadcaster.config import Settings, read_keys

if TYPE_CHECKING:
    from workers.embedded import EmbeddedWorker

_WEB_THREADS = 8
#: A provider reports a whole campaign at once: its calls wait inside, and not before a closed door.
_CONNECTIONS = 500


@click.command()
@click.option("--no-worker", is_flag=True, help="Run the web pages only, also without a broker.")
@click.pass_obj
def serve(obj: Context, no_worker: bool) -> None:
    """Run the web pages; without a broker the worker runs in the same process.

    A new installation is made ready first.
    """
    settings = obj.settings
    prepare(settings)
    logging.getLogger().setLevel(settings.log_level.upper())
    logging.getLogger("alembic").setLevel(logging.WARNING)
    engine = start_engine(settings, worker=settings.embedded and not no_worker)
    try:
        token = staff.setup_token(engine.runtime)
        if token is not None:
            click.echo(f"First start: open {settings.public_url}/welcome?token={token}")
        click.echo(f"Listening on http://{settings.listen} (Ctrl-C to stop)")
        serve_pages(engine.runtime, settings)
    finally:
        engine.stop()


@dataclass(frozen=True, slots=True)
class Engine:
    """An open installation, and the worker in this process, if there is one."""

    runtime: Runtime
    worker: EmbeddedWorker | None

    def stop(self) -> None:
        if self.worker is not None:
            self.worker.stop()
        self.runtime.close()


def start_engine(settings: Settings, *, worker: bool) -> Engine:
    """Open the installation, with a worker in this process if asked."""
    from workers import doorbell

    runtime = open_runtime(
        database_url=settings.database,
        keys_text=read_keys(settings),
        home=settings.home,
        public_url=settings.public_url,
        ring=doorbell.ring,
    )
    if not worker:
        return Engine(runtime, None)
    from workers.embedded import EmbeddedWorker

    embedded = EmbeddedWorker(runtime)
    embedded.start()
    return Engine(runtime, embedded)


def page_server(runtime: Runtime, settings: Settings) -> Any:
    """Return the web server, listening; ``run`` serves and ``close`` ends it."""
    logging.getLogger("waitress").setLevel(logging.ERROR)  # it warns of every short wait and of every full house

    from web.app import create_app
    from web.server import listening

    host, _, port = settings.listen.rpartition(":")
    return listening(
        create_app(runtime, trusted_proxies=settings.trusted_proxies),
        host=host,
        port=int(port),
        threads=_WEB_THREADS,
        connection_limit=_CONNECTIONS,
        asyncore_use_poll=True,
    )


def serve_pages(runtime: Runtime, settings: Settings) -> None:
    """Serve until interrupted or terminated."""
    server = page_server(runtime, settings)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.run()
    except (KeyboardInterrupt, SystemExit):
        pass
    finally:
        server.close()


def _channel_names(_ctx: click.Context, _param: click.Parameter, given: str) -> tuple[str, ...]:
    """Read names separated by commas; an unknown one is wrong usage."""
    known = registry.channels_of(registry.SANDBOX)
    names = tuple(dict.fromkeys(name.strip() for name in given.split(",") if name.strip()))
    strange = [name for name in names if name not in known]
    if strange:
        raise click.BadParameter(f"there is no channel {strange[0]}; there are {', '.join(known)}")
    return names


@click.command()
@click.option("--processes", default=2, show_default=True, type=click.IntRange(1, 64), help="Worker processes.")
@click.option("--threads", is_flag=True, help="One process with threads instead of forked processes.")
@click.option("--channels", default="", callback=_channel_names, help="Send only on these: email,sms (default: all).")
@click.option("--unsupervised", is_flag=True, hidden=True)
@click.pass_obj
def worker(obj: Context, processes: int, threads: bool, channels: tuple[str, ...], unsupervised: bool) -> None:
    """Run a worker on the configured broker until it is stopped; if it falls, it is started again.

    SIGTERM lets calls under way end, and leaves no outcome unknown.
    """
    settings = obj.settings
    if settings.embedded:
        raise click.UsageError("without a broker, `broadcaster serve` runs the worker; set BROADCASTER_BROKER_URL")
    if not unsupervised:
        prepare(settings)
        again = [f"--processes={processes}", f"--channels={','.join(channels)}", *(["--threads"] if threads else [])]
        command = [sys.executable, "-m", "broadcaster", "worker", "--unsupervised", *again]
        sys.exit(Supervisor(command).run())
    _run_celery(settings, pool="threads" if threads else "prefork", processes=processes, channels=channels)


def _run_celery(settings: Settings, *, pool: str, processes: int, channels: tuple[str, ...]) -> None:
    from workers import process

    process.serve_only(channels)
    options = ["--without-gossip", "--without-mingle", "--without-heartbeat", f"--loglevel={settings.log_level}"]
    queues = f"--queues={','.join(process.queues())}"
    process.app.worker_main(["worker", f"--pool={pool}", f"--concurrency={processes}", queues, *options])
