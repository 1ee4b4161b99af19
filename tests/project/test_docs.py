"""What the documents say can be done."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tests.support import ROOT, notebook


def test_the_notebook_example_runs_on_a_fresh_clone() -> None:
    """Every Python block of the document, one after the other, in one session."""
    text = (ROOT / "docs" / "inspection.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    assert len(blocks) == 2
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(blocks)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "is taken for" in done.stdout and "'p':" in done.stdout and "trustworthiness" in done.stdout


def test_links_between_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


_RUN = """
import json
from tests.support import ROOT, notebook
print()
print(json.dumps(notebook.run(notebook.read(ROOT / "docs" / "notebook.ipynb"))))
"""


@pytest.mark.nightly  # half a minute; in a process of its own, in which nothing else has begun threads
def test_the_notebook_runs_and_gives_out_what_stands_in_it() -> None:
    stored = notebook.read(ROOT / "docs" / "notebook.ipynb")
    kept = [cell["outputs"] for cell in stored["cells"] if cell["cell_type"] == "code"]
    run = subprocess.run([sys.executable, "-c", _RUN], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout.splitlines()[-1])
    kinds = [[sorted(each.get("data", {"stream": 0})) for each in outputs] for outputs in found]
    assert kinds == [[sorted(each.get("data", {"stream": 0})) for each in outputs] for outputs in kept]
    assert sum("image/png" in each for outputs in kinds for each in outputs) == 2
    for cell in (0, 4):  # what the classifier and the outcomes say of themselves
        assert found[cell] == kept[cell]
