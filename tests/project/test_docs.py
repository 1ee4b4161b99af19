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


def test_the_index_lists_every_page() -> None:
    listed = set(
        re.findall(r"\]\(([a-z-]+\.(?:md|ipynb))\)", (ROOT / "docs" / "README.md").read_text(encoding="utf-8"))
    )
    assert listed == {path.name for path in (ROOT / "docs").glob("*.*")} - {"README.md"}


def test_figures_of_accuracy_are_those_of_the_shipped_table() -> None:
    """And their intervals: all follow from the answers that the command of the page writes."""
    from fer_core.evaluation import intervals_of, outcomes, read_evaluation, report

    text = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    (name,) = re.findall(r"evaluate (\S+) --data /path/to/fer2013 --labels ferplus7", text)
    path = ROOT / "checkpoints" / name / "evaluations" / "fer2013-private_test.parquet"
    found = outcomes(read_evaluation(path, name), "ferplus7")
    figures, spread = (
        report(found.probabilities, found.label),
        intervals_of(found.probabilities, found.label, found.people),
    )
    told = {
        "accuracy": "accuracy", "macro recall": "macro_recall", "three groups, accuracy": "groups_accuracy",
        "three groups, macro recall": "groups_macro_recall", "ECE": "ece",
    }  # fmt: skip
    rows = [(title, len(found), figures[key], spread.of[key]) for title, key in told.items()]
    recalls = figures["recalls"]
    assert isinstance(recalls, dict)
    rows += [(f"recall of {each}", spread.pictures[each], recalls[each], spread.recalls[each]) for each in recalls]
    for title, n, share, (low, high) in rows:
        assert f"| {title} | {n:,} | {100 * float(share):.1f} | {100 * low:.1f} – {100 * high:.1f} |" in text


def test_columns_that_a_page_names_are_known() -> None:
    from fer_core.data.label_tables import COLUMNS

    text = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    for title, kind in (("the picture", "file"), ("the emotion, in words", "label"), ("who is shown", "person")):
        (row,) = re.findall(rf"^\| {title} \| (.*) \|$", text, re.MULTILINE)
        assert set(re.findall(r"`(\w+)`", row)) <= set(COLUMNS[kind])


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
