"""The shape of the project: imports make no circles, and no file is too long to be read at a sitting."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT

PACKAGES = ("fer_core", "training", "dashboard")
Arrows = dict[str, set[str]]
"""Modules by name, and the modules that each imports."""
MAX_PYTHON, MAX_SCRIPT = 400, 350
"""Lines of a file."""


def files(folder: str, ending: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob(f"*.{ending}"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def statements(tree: ast.AST, *, inside_functions: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Imports of a file, but for those that only a type checker follows."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from (found for each in node.orelse for found in statements(each, inside_functions=inside_functions))
        elif inside_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from statements(node, inside_functions=inside_functions)


def homes() -> dict[str, str]:
    """Full names that packages import late, and the modules that have them; see ``fer_core.lazy``."""
    return {
        f"{module_name(path)}.{alias.name}": str(node.module)
        for path in files("fer_core", "pyi")
        for node in statements(ast.parse(path.read_text(encoding="utf-8")), inside_functions=False)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def imported(node: ast.Import | ast.ImportFrom, known: set[str], late: dict[str, str]) -> set[str]:
    """The modules of ours that a statement names, itself or by a name that a package has from them."""
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names} & known
    full = {f"{node.module}.{alias.name}" for alias in node.names}
    return {name if name in known else late.get(name, str(node.module)) for name in full} & known


def arrows(*, inside_functions: bool) -> Arrows:
    """What imports what."""
    late = homes()
    paths = {module_name(path): path for folder in PACKAGES for path in files(folder, "py")}
    return {
        name: {
            target
            for node in statements(ast.parse(path.read_text(encoding="utf-8")), inside_functions=inside_functions)
            for target in imported(node, set(paths), late)
            if target != name
        }
        for name, path in paths.items()
    }


def circles(graph: Arrows) -> list[list[str]]:
    """Groups of modules in which each reaches each (Tarjan 1972), sorted."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    waiting: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        waiting.append(name)
        for other in graph.get(name, ()):
            if other not in order:
                visit(other)
            if other in waiting:
                low[name] = min(low[name], low[other])
        if low[name] == order[name]:
            group = waiting[waiting.index(name) :]
            del waiting[waiting.index(name) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in graph:
        if name not in order:
            visit(name)
    return sorted(found)


def rooms(graph: Arrows) -> Arrows:
    """The same between packages: ``fer_core.faces.crops`` is in ``fer_core.faces``."""

    def room(name: str) -> str:
        return ".".join(name.split(".")[:2])

    found: Arrows = {}
    for name, targets in graph.items():
        found.setdefault(room(name), set()).update(room(each) for each in targets if room(each) != room(name))
    return found


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": {"f"}, "f": {"e"}}) == [
        ["a", "b", "c"], ["e", "f"],
    ]  # fmt: skip
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
    code = "import a\nif TYPE_CHECKING:\n    import b\ndef f():\n    import c\nclass D:\n    import d\n"
    for inside, wanted in ((False, ["a", "d"]), (True, ["a", "c", "d"])):
        found = statements(ast.parse(code), inside_functions=inside)
        assert [alias.name for node in found for alias in node.names] == wanted


def test_modules_import_each_other_in_no_circle() -> None:
    graph = arrows(inside_functions=False)
    assert len(graph) > 200 and "fer_core.faces.records" in graph["fer_core.faces.mtcnn.detector"]
    assert circles(graph) == []


def test_packages_import_each_other_in_no_circle_even_late() -> None:
    assert circles(rooms(arrows(inside_functions=True))) == []


def test_no_module_is_imported_back_even_late() -> None:
    assert {name for circle in circles(arrows(inside_functions=True)) for name in circle} == set()


@pytest.mark.parametrize("folder", [*PACKAGES, "benchmarks"])
def test_no_python_file_is_long(folder: str) -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files(folder, "py")
    }
    assert {name: n for name, n in lengths.items() if n > MAX_PYTHON} == {}


def test_no_script_is_long() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in files("dashboard", "js")
    }
    assert {name for name, n in lengths.items() if n > MAX_SCRIPT} == set()


def test_no_two_classes_have_one_name() -> None:
    """A word stands for one thing, so that it can be searched for."""
    found: dict[str, list[str]] = {}
    for path in (path for folder in PACKAGES for path in files(folder, "py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name for name, where in found.items() if len(where) > 1} == set()
