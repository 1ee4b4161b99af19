"""The suite about itself: files that do not lean on each other, and groups that the parallel run respects."""

from __future__ import annotations

import ast
import os

import pytest

from tests.support import ROOT


@pytest.fixture(scope="module")
def shared() -> object:
    return object()


def test_what_shares_a_fixture_runs_in_one_process(shared: object, request: pytest.FixtureRequest) -> None:
    """A pytest that the parallel run does not know would start every fixture in every process, without a word."""
    own = "tests/project/test_suite.py"
    name = "::test_what_shares_a_fixture_runs_in_one_process"
    assert request.node.nodeid == own + name + (f"@{own}" if "PYTEST_XDIST_WORKER" in os.environ else "")


def test_no_test_file_imports_another() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[-1].startswith("test_")], path
