"""Whatever the verifier or an account's check can say, a French page says in French."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType

import pytest
from flask import Flask
from flask_babel import force_locale  # type: ignore[import-untyped]

from broadcaster.actions import sequencer
from broadcaster.channels import dkim, payload, sandbox, smtp, telegram, twilio
from broadcaster.core import checkpoints
from web import sentences

TELLING = {"CheckResult", "Misconfigured", "Unavailable", "IntegrityFailure", "problems", "_EXPLAINED"}


def told_by(module: ModuleType) -> Iterator[str]:
    """Yield the sentences a module hands out, with a 7 where a value stands."""
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Yield | ast.YieldFrom) or _names(node) & TELLING:
            yield from (words for words in _words(node) if " " in words.strip() and words == words.strip())


def _names(node: ast.AST) -> set[str]:
    """Return what a call, an assignment or a function goes by."""
    if isinstance(node, ast.Call):
        called = node.func.value if isinstance(node.func, ast.Attribute) else node.func
        return {called.id} if isinstance(called, ast.Name) else set()
    if isinstance(node, ast.Assign):
        return {target.id for target in node.targets if isinstance(target, ast.Name)}
    return set()


def _words(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(one.value) if isinstance(one, ast.Constant) else "7" for one in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    else:
        for part in ast.iter_child_nodes(node):
            yield from _words(part)


@pytest.mark.parametrize("module", [sequencer, checkpoints, dkim, payload, sandbox, smtp, telegram, twilio])
def test_every_sentence_is_said_in_french(app: Flask, module: ModuleType) -> None:
    told = set(told_by(module))
    assert told
    with app.test_request_context(), force_locale("fr"):
        assert [one for one in told if sentences.said(one) == one] == []


def test_what_stands_in_a_sentence_stays_and_what_is_quoted_is_translated(app: Flask) -> None:
    with app.test_request_context(), force_locale("fr"):
        assert "12.3" in sentences.said("send 12.3: the row is not what was committed to")
        nested = sentences.said("checkpoint 9: no known key has signed this checkpoint")
    assert "9" in nested
    assert "aucune clé" in nested
    with app.test_request_context():
        assert sentences.said("a sentence of tomorrow") == "a sentence of tomorrow"
