"""Who may import whom. Start reading at ALLOWED.

web ─────┐                         ┌──> storage ──┐
workers ─┼──> broadcaster.actions ─┤              ├──> broadcaster.core
cli ─────┘                         └──> channels ─┘
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

CORE, STORAGE, CHANNELS = "broadcaster.core", "broadcaster.storage", "broadcaster.channels"
ACTIONS, FAKES, CLI, CONFIG = "broadcaster.actions", "broadcaster.fakes", "broadcaster.cli", "broadcaster.config"

# What belongs to one kind of room. Names that stand in none of these sets may be imported anywhere.
SQL = {"sqlmodel", "sqlalchemy", "alembic", "psycopg", "sqlite3"}
SOCKETS = {
    *("socket", "ssl", "socketserver", "http.client", "http.server", "urllib.request"),
    *("smtplib", "imaplib", "poplib", "ftplib", "pycurl", "requests", "urllib3", "aiosmtpd"),
}
PAGES = {"flask", "flask_wtf", "flask_babel", "wtforms", "werkzeug", "jinja2"}
QUEUE = {"celery", "kombu", "billiard", "redis"}
TERMINAL = {"click", "rich"}

# A row or a connection passes through an action; only storage asks it for anything.
HANDLES = {
    *("sqlmodel.Session", "sqlalchemy.Connection", "sqlalchemy.Engine"),
    *("sqlalchemy.orm.Session", "sqlalchemy.engine.Connection", "sqlalchemy.engine.Engine"),
}

ALLOWED = {
    CORE: {CORE},
    STORAGE: {CORE, STORAGE, *SQL},
    CHANNELS: {CORE, CHANNELS, *SOCKETS},
    FAKES: {CORE, FAKES, *SOCKETS},
    ACTIONS: {CORE, STORAGE, CHANNELS, ACTIONS, *HANDLES},
    CONFIG: {CORE, CONFIG},
    CLI: {"broadcaster", "workers", "web", *HANDLES, *TERMINAL},
    "broadcaster.__main__": {CLI},
    "broadcaster": set(),
    "workers": {CORE, STORAGE, CHANNELS, ACTIONS, CONFIG, "workers", "celery_config", *HANDLES, *QUEUE},
    "web": {CORE, STORAGE, CHANNELS, ACTIONS, CONFIG, "web", *HANDLES, *PAGES},
    "celery_config": {CONFIG, *QUEUE},
}
WATCHED = {"broadcaster", "workers", "web", "celery_config", *SQL, *SOCKETS, *PAGES, *QUEUE, *TERMINAL}

# `commit()` and `with engine.begin()` end a transaction, and only here: every write passes one door.
# The schema's own changes (migrations) have another.
COMMITS = {"broadcaster/storage/database.py", "broadcaster/storage/schema.py"}

# Time and chance come to the rules as arguments.
CLOCK_AND_CHANCE = {"time", "random", "secrets", "uuid.uuid4", "os.urandom"}


def within(name: str, place: str) -> bool:
    return name == place or name.startswith(place + ".")


def room_of(module: str) -> str:
    """The most particular line of ALLOWED that the module falls under."""
    if module == "broadcaster":
        return module
    rooms = [room for room in ALLOWED if room != "broadcaster" and within(module, room)]
    assert rooms, f"{module} is in no room: give it a line in ALLOWED"
    return max(rooms, key=len)


def sources() -> Iterator[Path]:
    for top in ("broadcaster", "workers", "web"):
        yield from sorted(ROOT.joinpath(top).rglob("*.py"))
    yield from ROOT.glob("celery_config.py")


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported_names(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "use absolute imports"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def forbidden_imports(module: str, tree: ast.AST) -> set[str]:
    allowed = ALLOWED[room_of(module)]
    watched = {name for name in imported_names(tree) if any(within(name, place) for place in WATCHED)}
    return {name for name in watched if not any(within(name, place) for place in allowed)}


def environment_readers(module: str, tree: ast.AST) -> list[int]:
    """Lines that read the environment; the command line may hand the whole of it to a child process."""
    if within(module, CONFIG):
        return []
    handed_on = {id(node) for node in _handed_on(tree)} if within(module, CLI) else set()
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and id(node) not in handed_on]
    lines = [node.lineno for node in attributes if ast.unparse(node) in {"os.environ", "os.environb", "os.getenv"}]
    by_name = imported_names(tree) & {"os.environ", "os.environb", "os.getenv"}
    return lines + ([0] if by_name else [])


def _handed_on(tree: ast.AST) -> Iterator[ast.AST]:
    """X in `{**X}`, `dict(X)`, `X.copy()` and `X | {...}`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            yield from (value for key, value in zip(node.keys, node.values, strict=True) if key is None)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "dict":
            yield from node.args
        elif isinstance(node, ast.Attribute) and node.attr == "copy":
            yield node.value
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
            yield node.left


def commits(tree: ast.AST) -> list[int]:
    # with arguments it is another verb: committing to a value, beginning a campaign
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call) and not node.args + node.keywords]
    return [call.lineno for call in calls if isinstance(call, ast.Attribute) and call.attr in {"commit", "begin"}]


def clock_and_chance(tree: ast.AST) -> set[str]:
    attributes = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names = imported_names(tree)
    read = {name for name in names | attributes if any(within(name, place) for place in CLOCK_AND_CHANCE)}
    called = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return read | {name for name in called if name.split(".")[-1] in {"now", "utcnow", "today"}}


def import_graph(trees: Mapping[str, ast.AST]) -> dict[str, set[str]]:
    """Module -> modules it imports, also inside functions: an import put off is still an arrow."""
    graph: dict[str, set[str]] = {}
    for module, tree in trees.items():
        targets = {target for name in imported_names(tree) if (target := _module_in(name, trees))}
        graph[module] = targets - {module}
    return graph


def _module_in(name: str, trees: Mapping[str, ast.AST]) -> str | None:
    while name and name not in trees:
        name = name.rpartition(".")[0]
    return name or None


def parsed() -> dict[str, ast.AST]:
    return {module_of(path): ast.parse(path.read_text(encoding="utf-8"), str(path)) for path in sources()}


def test_every_import_is_allowed() -> None:
    broken = {module: sorted(names) for module, tree in parsed().items() if (names := forbidden_imports(module, tree))}
    assert not broken, f"imports that ALLOWED does not allow: {broken}"


def test_only_config_reads_the_environment() -> None:
    broken = {module: lines for module, tree in parsed().items() if (lines := environment_readers(module, tree))}
    assert not broken, f"the environment is read outside broadcaster.config: {broken}"


def test_one_place_commits() -> None:
    places = {
        path.relative_to(ROOT).as_posix(): lines
        for path in sources()
        if (lines := commits(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert places.keys() <= COMMITS, f"a transaction ends outside {COMMITS}: {places}"


def test_rules_know_neither_clock_nor_chance() -> None:
    rules = {module: tree for module, tree in parsed().items() if within(module, CORE)}
    broken = {module: sorted(names) for module, tree in rules.items() if (names := clock_and_chance(tree))}
    assert not broken, f"time and randomness are arguments in {CORE}: {broken}"


def test_no_module_imports_itself_by_a_detour() -> None:
    try:
        TopologicalSorter(import_graph(parsed())).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


# The controls: each rule above finds what it is for.


@pytest.mark.parametrize(
    "module,line",
    [
        ("broadcaster.core.consent", "from broadcaster.storage import contacts"),
        ("broadcaster.core.consent", "import sqlmodel"),
        ("broadcaster.storage.log", "import broadcaster.channels.smtp"),
        ("broadcaster.storage.log", "from urllib import request"),
        ("broadcaster.channels.smtp", "from broadcaster.storage.tables import Contact"),
        ("broadcaster.actions.consent", "from sqlmodel import select"),
        ("broadcaster.actions.consent", "import workers.app"),
        ("broadcaster.fakes.mail", "from broadcaster import channels"),
        ("broadcaster.cli.run", "from celery import Celery"),
        ("workers.sending", "from web.app import create_app"),
        ("workers.sending", "import smtplib"),
        ("web.app", "def late():\n    import workers"),
        ("web.api", "from sqlalchemy.orm import joinedload"),
        ("broadcaster", "from broadcaster.core import errors"),
    ],
)
def test_control_forbidden_import(module: str, line: str) -> None:
    assert forbidden_imports(module, ast.parse(line))


@pytest.mark.parametrize(
    "module,line",
    [
        ("broadcaster.core.consent", "from broadcaster.core.errors import Refused"),
        ("broadcaster.core.links", "from urllib.parse import urlsplit"),
        ("broadcaster.storage.log", "from sqlalchemy.dialects import postgresql"),
        ("broadcaster.channels.transport", "import pycurl"),
        ("broadcaster.actions.consent", "from sqlmodel import Session"),
        ("broadcaster.cli.run", "from workers.app import app"),
        ("workers.app", "from celery import Celery"),
        ("web.app", "from flask import Flask"),
    ],
)
def test_control_allowed_import(module: str, line: str) -> None:
    assert not forbidden_imports(module, ast.parse(line))


def test_control_module_without_a_room() -> None:
    with pytest.raises(AssertionError, match="in no room"):
        forbidden_imports("broadcaster.attic", ast.parse(""))


@pytest.mark.parametrize(
    "module,line,reads",
    [
        ("broadcaster.config", "os.environ['KEY']", False),
        ("web.app", "os.environ['KEY']", True),
        ("web.app", "os.getenv('KEY')", True),
        ("web.app", "from os import environ", True),
        ("web.app", "dict(os.environ)", True),
        ("broadcaster.cli.demo", "os.environ.get('KEY')", True),
        ("broadcaster.cli.demo", "run(env={**os.environ, 'KEY': '1'})", False),
        ("broadcaster.cli.demo", "run(env=os.environ | {'KEY': '1'})", False),
    ],
)
def test_control_environment(module: str, line: str, reads: bool) -> None:
    assert bool(environment_readers(module, ast.parse(line))) is reads


def test_control_commit() -> None:
    assert commits(
        ast.parse("session.commit()\nwith engine.begin(): pass\nsession.begin_nested()\ncommit(1)\ntree.commit(value)")
    ) == [1, 2]


def test_control_clock() -> None:
    assert clock_and_chance(ast.parse("import time\ndatetime.now(UTC)\nuuid.uuid4()")) == {
        "time",
        "datetime.now",
        "uuid.uuid4",
    }


def test_control_circle() -> None:
    trees = {"a": ast.parse("import b"), "b": ast.parse("def late():\n    from a import name")}
    with pytest.raises(CycleError):
        TopologicalSorter(import_graph(trees)).prepare()
