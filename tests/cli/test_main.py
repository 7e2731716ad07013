"""The command line as a process: what is typed wrong ends with a line and a number, never with a trace."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from broadcaster.fakes.providers import PROVIDERS

LINE = '{"id": "文", "text": "stop"}\n'.encode()
ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "broadcaster"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initialised home; nothing in these tests changes it."""
    made = tmp_path_factory.mktemp("home")
    assert run(made, "init").returncode == 0
    return made


def environment(home: Path, **more: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("BROADCASTER_")}
    return own | {"BROADCASTER_HOME": str(home), "PYTHONPATH": str(ROOT)} | more


def run(home: Path, *argv: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *argv],
        env=environment(home, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("code,argv", [
    (2, ["nonsense"]), (2, ["contacts", "show"]), (2, ["contacts", "find", "x", "--limit=abc"]),
    *((4, ["contacts", "show", "--", one]) for one in ("0", "-1", "1e3", "1.0", str(2**63), "٣", "../1", "1")),
    (4, ["privacy", "erase", "1", "--yes"]), (4, ["campaigns", "launch", "1"]),
    *((3, ["contacts", "import", one]) for one in ("/", "/dev/null", "/dev/zero", "/nonexistent")),
])  # fmt: skip
def test_what_is_typed_wrong_has_its_code(home: Path, code: int, argv: list[str]) -> None:
    """B14, B35, B77, B81."""
    ended = run(home, *argv)
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stderr.strip()
    assert ended.stdout == ""


@pytest.mark.parametrize("code,url", [
    (7, "postgresql://u:geheim@127.0.0.1:1/x"), (3, "postgresql://u:geheim@127.0.0.1:xx/x"),
    (3, f"sqlite:///{__file__}"), (7, "sqlite:////nonexistent/x"),
])  # fmt: skip
@pytest.mark.parametrize("verb", ["status", "init"])
def test_a_database_that_cannot_be_used_is_said_to_be_so(home: Path, verb: str, code: int, url: str) -> None:
    """B75, B76."""
    ended = run(home, verb, BROADCASTER_DATABASE_URL=url)
    assert ended.returncode == code, ended.stderr
    assert "geheim" not in ended.stderr + ended.stdout


def test_a_closed_pipe_is_no_mistake(home: Path) -> None:
    """B77: ``broadcaster ... | head``."""
    with subprocess.Popen(
        [*COMMAND, "keywords", "classify"],
        env=environment(home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write(LINE * 2000)
        process.stdin.close()
        process.wait(60)
        assert process.stderr.read() == b""


def test_an_interrupt_is_quiet(home: Path) -> None:
    """B77: Ctrl-C while it waits for input."""
    with subprocess.Popen(
        [*COMMAND, "keywords", "classify"],
        env=environment(home, PYTHONUNBUFFERED="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(LINE)
        process.stdin.flush()
        process.stdout.readline()  # it is at work
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert b"Traceback" not in process.stderr.read()


def test_a_terminal_without_our_letters_gets_others(home: Path) -> None:
    """B77"""
    ended = subprocess.run(
        [*COMMAND, "keywords", "classify"],
        env=environment(home, PYTHONIOENCODING="latin-1"),
        input=LINE,
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert b"\\u6587" in ended.stdout


@pytest.mark.parametrize("name", list(PROVIDERS))
def test_every_fake_that_is_offered_starts_and_says_where(home: Path, name: str) -> None:
    command = [*COMMAND, "fake-provider", name]
    with subprocess.Popen(command, env=environment(home), stdout=subprocess.PIPE, text=True) as fake:
        assert fake.stdout is not None
        line = fake.stdout.readline()
        fake.send_signal(signal.SIGINT)
    assert any(character.isdigit() for character in line), line
