"""The ``broadcaster`` command.

Exit codes: 0 done · 2 wrong usage · 3 not acceptable · 4 not found · 5 conflict · 6 refused by consent or policy ·
7 unavailable, try again · 8 integrity · 70 our mistake · 130 interrupted.
"""

from __future__ import annotations

import importlib
import io
import logging
import sys
import traceback
from collections.abc import Sequence

import click

from broadcaster import __version__
from broadcaster.cli.context import Context
from broadcaster.core.errors import BroadcasterError

#: Verb -> (module, name, short help). A module is imported only when its verb is used, so that ``--help`` is quick.
VERBS = {
    "init": ("setup", "init", "Make keys and database, or bring them up to date."),
    "serve": ("serving", "serve", "Run the web pages (and, without a broker, the worker)."),
    "worker": ("serving", "worker", "Run a worker on the configured broker."),
    "demo": ("demo", "demo", "Show the main job on invented people, then leave the pages running."),
    "contacts": ("contacts", "contacts", "Import, find and show contacts."),
    "consent": ("consent", "consent", "Show and record consent."),
    "purposes": ("catalogue", "purposes", "Brands, purposes and wordings."),
    "audiences": ("audiences", "audiences", "Save and count audiences."),
    "templates": ("templates", "templates", "Save, check and preview templates."),
    "campaigns": ("campaigns", "campaigns", "Dry-run, launch, pause, resume, cancel, report."),
    "accounts": ("accounts", "accounts", "Configure and check sender accounts."),
    "keywords": ("keywords", "keywords", "Say what inbound messages mean; words of your own."),
    "log": ("audit", "log", "Verify the log."),
    "audit": ("audit", "audit", "Export the consent log."),
    "privacy": ("privacy", "privacy", "Give a person their data, or erase them."),
    "status": ("status", "status", "Say what the engine is doing now."),
    "fake-provider": ("fakes", "fake_provider", "Run a provider's fake, to try things without an account."),
}


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, name, _ = VERBS[cmd_name]
        found: click.Command = getattr(importlib.import_module(f"broadcaster.cli.{module}"), name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, told[2]) for name, told in VERBS.items()])


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="broadcaster")
@click.pass_context
def broadcaster(ctx: click.Context) -> None:
    """Send campaigns only to people who agreed, and prove it."""
    ctx.obj = ctx.obj or Context()


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code; a user's mistake gets one clear line, never a stack trace."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without our letters is no reason to end
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        result = broadcaster.main(args=None if argv is None else list(argv), standalone_mode=False)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.Abort:
        click.echo("interrupted", err=True)
        return 130
    except click.ClickException as wrong:
        wrong.show()
        return wrong.exit_code
    except BroadcasterError as problem:
        click.echo(f"broadcaster: {_where(problem)}{problem.message}", err=True)
        return problem.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception:
        return _our_mistake()
    return result if isinstance(result, int) else 0


def _where(problem: BroadcasterError) -> str:
    line, field = getattr(problem, "line", None), getattr(problem, "field", None)
    return "".join([f"line {line}: " if line else "", f"{field}: " if field else ""])


def _our_mistake() -> int:
    kind, _, trace = sys.exc_info()
    last = traceback.extract_tb(trace)[-1]
    name = "error" if kind is None else kind.__name__
    click.echo(f"broadcaster: this is a mistake of ours ({name} in {last.name}, line {last.lineno})", err=True)
    if logging.getLogger("broadcaster").isEnabledFor(logging.DEBUG):
        traceback.print_exc()
    return 70
