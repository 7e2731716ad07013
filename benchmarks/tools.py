"""What the benchmarks share: compiled helpers, processes, what they cost, one table and one JSON file."""

from __future__ import annotations

import json
import os
import platform
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
_TICKS = os.sysconf("SC_CLK_TCK")


def compiled(name: str, folder: Path) -> list[str]:
    """Return the command that runs ``name.c``, or its Python stand-in where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return [sys.executable, "-m", "benchmarks.fallback", name]
    target = folder / name
    if not target.exists():
        subprocess.run([compiler, "-O2", "-o", str(target), str(HERE / f"{name}.c")], check=True)
    return [str(target)]


@contextmanager
def process(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a program in a session of its own; end it politely, then not."""
    running = subprocess.Popen([*command], text=True, cwd=ROOT, start_new_session=True, **options)
    try:
        yield running
    finally:
        if running.poll() is None:
            running.send_signal(signal.SIGTERM)
            try:
                running.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()


@contextmanager
def sink(command: Sequence[str], key: str = "port") -> Iterator[tuple[int, int, Callable[[], dict[str, Any]]]]:
    """Start a sink; yield its port, its process id, and what ends it and returns its totals."""
    with process(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        port = json.loads(running.stdout.readline())[key]

        def end() -> dict[str, Any]:
            running.send_signal(signal.SIGTERM)
            told, _ = running.communicate(timeout=20)
            totals: dict[str, Any] = json.loads(told.strip().splitlines()[-1])
            return totals

        yield port, running.pid, end


def tree(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:
                pass  # ended meanwhile
    return found


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, of its descendants, and of those that ended already."""
    total = 0
    for one in tree(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(int(ticks) for ticks in fields[11:15])
    return total / _TICKS


def memory_mb(pid: int) -> float:
    """Return what a process and its descendants hold, pages they share counted once (Pss), in MB."""
    total = 0
    for one in tree(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
    return total * 1024 / 1e6


def peak_mb() -> float:
    """Return the most memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def machine() -> dict[str, Any]:
    """Say what was measured on, without naming it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    names = ("sqlalchemy", "sqlmodel", "celery", "pycurl", "psycopg", "cryptography")
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(memory),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in names},
        "load": [round(one, 1) for one in os.getloadavg()],
    }


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows of equal keys as a table: a line for each key, a column for each row."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[str(row.get(name, "")) for row in rows] for name in names]
    wide = max(len(name) for name in names)
    widths = [max(len(line[n]) for line in cells) for n in range(len(rows))]
    for name, line in zip(names, cells, strict=True):
        print(f"{name:<{wide}}  " + "  ".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)))


def keep(path: Path, figures: Mapping[str, Any]) -> None:
    """Write figures with the machine and the command they came from."""
    name = sys.argv[0].split()[-1]  # __main__ puts it there
    command = " ".join(["./run bench", name, *sys.argv[1:]])
    path.write_text(json.dumps({"command": command, "machine": machine(), **figures}, indent=1) + "\n")
    print(f"\nwritten to {path}")
