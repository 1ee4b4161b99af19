"""The scripts of the components: what of them needs no page, test by test in Chromium, and how they are written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dashboard.components import gallery, live, matrix, player, scatter, shared, uploader
from tests.support import ROOT
from tests.support.app import new_tab

FOLDER = Path(__file__).parent
COMPONENTS = ROOT / "dashboard" / "components"
WRITTEN = {".js", ".css", ".html"}
MODULES = {
    "shared": shared.glued(shared._FOLDER, ()),
    **{
        each._FOLDER.name: shared.glued(each._FOLDER, each._SCRIPTS)
        for each in (gallery, live, matrix, player, scatter, uploader)
    },
}
"""By component."""
HARNESS = (FOLDER / "harness.js").read_text("utf-8")
TESTS = {path.stem: path.read_text("utf-8") for path in sorted(FOLDER.glob("test_*.js"))}
"""By name; its second word is the component."""
CASES = [
    (script, name) for script, text in TESTS.items() for name in re.findall(r'^test\("(.+)", ', text, re.MULTILINE)
]
RUN = """async ([source, name]) => {
  const { tests } = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
  await (name ? tests.get(name)() : null);
  return [...tests.keys()];
}"""


def with_tests(script: str) -> str:
    """A component's module with the tests of a script at its end."""
    return "\n".join([MODULES[script.split("_")[1]], HARNESS, TESTS[script]])


def exporting(module: str, *names: str) -> str:
    return f"{module}\nexport {{ {', '.join(names)} }};\n"


@pytest.fixture(scope="module")
def tab(browser: Any) -> Any:
    return new_tab(browser)


@pytest.mark.browser
@pytest.mark.parametrize(("script", "name"), CASES, ids=[f"{script[5:]}: {name}" for script, name in CASES])
def test_in_the_browser(tab: Any, script: str, name: str) -> None:
    tab.goto("about:blank")  # forgets what the test before has put in place of the browser's own functions
    tab.evaluate(RUN, [exporting(with_tests(script), "tests"), name])


@pytest.mark.browser
@pytest.mark.parametrize("script", TESTS)
def test_no_test_is_left_out(tab: Any, script: str) -> None:
    tab.goto("about:blank")
    assert tab.evaluate(RUN, [exporting(with_tests(script), "tests"), ""]) == [
        name for of, name in CASES if of == script
    ]


@pytest.mark.parametrize("module", [*MODULES, *TESTS])
def test_every_name_of_a_module_is_known_and_used(module: str, tmp_path: Path) -> None:
    text = with_tests(module) if module in TESTS else MODULES[module]
    lent = re.findall(r"^(?:const|function|class) (\w+)", MODULES["shared"] + HARNESS * (module in TESTS), re.MULTILINE)
    (tmp_path / "module.js").write_text(exporting(text, *lent), "utf-8")
    linter = Path(sys.executable).with_name("oxlint")
    command = [linter, "-c", COMPONENTS / ".oxlintrc.json", "--deny-warnings", tmp_path / "module.js"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_no_line_is_longer_than_120_columns() -> None:
    paths = [path for folder in (COMPONENTS, FOLDER) for path in folder.rglob("*") if path.suffix in WRITTEN]
    long = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in paths
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if len(line) > 120
    ]
    assert len(paths) > 20 and not long
