"""The rooms of the house: who may import whom, what loads when, and what the public surface is."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fer_core
from dashboard.addresses import SCRIPTS
from tests.support import ROOT

# a package may import what stands before it
ORDER = (
    "errors",
    "files",
    "progress",
    "typed_yaml",
    "places",
    "lazy",
    "emotions",
    "systems",
    "data",
    "faces",
    "models",
    "signals",
    "evaluation",
    "embeddings",
    "explain",
    "video",
    "report",
    "live",
    "home",
)
ABOVE = (
    "cli", "cli_parts", "cli_convert", "cli_doctor", "cli_evaluate", "cli_live", "cli_report", "cli_robustness",
    "__main__", "__init__",
)  # fmt: skip


def modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Full names of everything a file imports, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def offenders(folder: str, *forbidden: str) -> list[str]:
    """Files of a folder that import any of ``forbidden`` (top-level packages)."""
    return [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(folder)
        for name in imports(path)
        if name.split(".")[0] in forbidden
    ]


def loaded_by(statement: str, *packages: str) -> list[str]:
    """Which of ``packages`` a fresh interpreter has loaded after ``statement``."""
    code = f"import sys; {statement}; print(*[name for name in {packages!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.split()


def test_imports_point_one_way() -> None:
    assert offenders("fer_core", "streamlit", "dashboard", "training", "huey", "plotly") == []
    assert offenders("training", "streamlit", "dashboard", "facenet_pytorch", "huey") == []
    assert offenders("dashboard", "training") == []


def test_only_the_adapter_knows_facenet() -> None:
    assert offenders("fer_core", "facenet_pytorch") == [
        "fer_core/faces/mtcnn/detector.py imports facenet_pytorch.models",
        "fer_core/faces/mtcnn/detector.py imports facenet_pytorch.models.mtcnn",
    ]
    assert offenders("dashboard", "facenet_pytorch", "torch") == []


def test_packages_of_the_core_import_only_what_stands_before_them() -> None:
    wrong = []
    for path in modules("fer_core"):
        mine = path.relative_to(ROOT / "fer_core").with_suffix("").parts[0]
        if mine in ABOVE:
            continue
        for name in imports(path):
            parts = name.split(".")
            if (
                parts[0] == "fer_core"
                and len(parts) > 1
                and parts[1] in ORDER
                and ORDER.index(parts[1]) > ORDER.index(mine)
            ):
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert wrong == []


@pytest.mark.parametrize("folder", ["fer_core", "training", "dashboard"])
def test_only_command_lines_print_and_parse_arguments(folder: str) -> None:
    allowed = {
        "fer_core/cli.py",
        "fer_core/cli_convert.py",
        "fer_core/cli_doctor.py",
        "fer_core/cli_parts.py",
        "fer_core/cli_evaluate.py",
        "fer_core/cli_live.py",
        "fer_core/cli_report.py",
        "fer_core/cli_robustness.py",
        "fer_core/faces/convert.py",
        "training/train.py",
        "training/drawn.py",
        "training/class_prior.py",
        "training/edge.py",
        "training/measure.py",
        "training/options.py",
        "training/pretrained.py",
        "training/recipes/__main__.py",
        "training/reference.py",
        "dashboard/sample/make.py",
    }
    found = {str(path.relative_to(ROOT)) for path in modules(folder) if "argparse" in imports(path)}
    assert found <= allowed


def circles(folder: str) -> list[list[str]]:
    """Modules of a folder that import each other in a ring, whether at once or inside functions."""
    paths = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in modules(folder)}
    arrows = {name: sorted(set(imports(path)) & paths.keys()) for name, path in paths.items()}
    rings: list[list[str]] = []
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> None:
        if name in way:
            rings.append([*way[way.index(name) :], name])
        elif name not in done:
            for each in arrows[name]:
                walk(each, [*way, name])
            done.add(name)

    for name in arrows:
        walk(name, [])
    return rings


def test_services_import_each_other_in_no_circle() -> None:
    assert circles("dashboard/services") == []


def test_only_a_worker_knows_what_jobs_do() -> None:
    """Everything else asks for work and never does it."""
    work = [path.name for path in modules("dashboard") if "dashboard.services.work" in imports(path)]
    assert work == ["worker.py"]


def test_only_the_command_line_knows_of_peers() -> None:
    """Other people's tools, which need packages of their own."""
    peers = "fer_core.evaluation.peers"
    paths = [path for folder in ("fer_core", "training", "dashboard") for path in modules(folder)]
    who = {str(path.relative_to(ROOT)) for path in paths if any(name.startswith(peers) for name in imports(path))}
    assert {name for name in who if "/peers/" not in name} == {"fer_core/cli_evaluate.py"}


def test_pickles_are_opened_nowhere() -> None:
    risky = {"pickle", "joblib", "dill", "shelve", "marshal"}
    assert [entry for folder in ("fer_core", "training", "dashboard") for entry in offenders(folder, *risky)] == []
    for folder in ("fer_core", "training", "dashboard"):
        for path in modules(folder):
            for line in path.read_text(encoding="utf-8").splitlines():
                assert "torch.load(" not in line or "weights_only=True" in line, path


def test_what_loads_when() -> None:
    assert loaded_by("import fer_core, fer_core.emotions", "torch", "cv2", "av", "pandas", "streamlit") == []
    tables = "import fer_core.video.export, fer_core.video.dictionary, dashboard.services.playback"
    assert loaded_by(tables, "torch", "facenet_pytorch", "streamlit") == []
    networks = "import training.train, fer_core.models.classifier, fer_core.evaluation, fer_core.cli_evaluate"
    assert loaded_by(networks, "facenet_pytorch", "streamlit", "av", "fer_core.evaluation.peers") == []
    first_page = "import dashboard.services.routes, dashboard.videos.queue, dashboard.videos.form"
    assert loaded_by(first_page, "pandas", "torch", "cv2", "av", "scipy") == []


def test_pages_do_not_load_torch(tmp_path: Path) -> None:
    """All pages in one interpreter, one after the other; the first one that loads it is named."""
    pages = sorted(path.relative_to(ROOT / "dashboard").as_posix() for path in (ROOT / "dashboard").rglob("*page.py"))
    assert pages == sorted(SCRIPTS.values())
    code = f"""
import os, sys
os.environ['FER_HOME'] = {str(tmp_path)!r}
from streamlit.testing.v1 import AppTest
app = AppTest.from_file('dashboard/main.py', default_timeout=90).run()
for page in {pages}:
    app.switch_page(page).run()
    assert not app.exception, page
    print(page, *[name for name in ('torch', 'facenet_pytorch', 'av') if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == pages and len(pages) == 9


def test_the_public_surface_is_what_it_was() -> None:
    """A change here is a change for everybody who uses the library: say so in the changelog."""
    assert sorted(fer_core.__all__) == [
        "FerError", "Settings", "__version__", "analyze", "evaluate", "load", "open_analysis", "progress_bar",
    ]  # fmt: skip
    assert all(getattr(fer_core, name) is not None for name in fer_core.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'predict'"):
        _ = fer_core.predict


@pytest.mark.parametrize("package", sorted(path.parent for path in (ROOT / "fer_core").rglob("__init__.pyi")))
def test_what_a_stub_promises_is_there(package: Path) -> None:
    """The stub is the one place that lists the names; it says so in one form, and every name is where it says."""
    stub = (package / "__init__.pyi").read_text(encoding="utf-8")
    listed = re.findall(r"^from \S+ import (\w+) as \1$", stub, re.MULTILINE)
    assert len(listed) == stub.count("\nfrom ")
    module = importlib.import_module(".".join(package.relative_to(ROOT).parts))
    assert sorted(set(module.__all__) - {"__version__"}) == sorted(listed)
    assert set(listed) <= set(dir(module)) and "__name__" in dir(module), "Tab finds what there is"
    assert all(getattr(module, name) is not None for name in listed)
    with pytest.raises(AttributeError, match=f"module '{module.__name__}' has no attribute 'nothing'"):
        _ = module.nothing


def test_version_and_layout() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == fer_core.__version__
    assert f"## {fer_core.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_lists_of_exact_versions_name_no_host() -> None:
    for path in (ROOT / "requirements.txt", ROOT / "tests/requirements.txt"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert all("==" in line and "://" not in line and not line.startswith("-") for line in lines if line), path
        assert not any(line.startswith("torch==2.13.0") for line in lines)


def test_the_list_with_hashes_is_the_plain_one() -> None:
    """Versions and conditions, each with at least one hash and nothing else."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pinned = [line.removesuffix(" \\") for line in lines if not line.startswith(" ")]
    assert pinned == (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    hashes = [line.strip().removesuffix(" \\") for line in lines if line.startswith(" ")]
    assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line) for line in hashes)
    assert all(later.startswith(" ") for line, later in itertools.pairwise(lines) if not line.startswith(" "))


def test_the_notice_names_what_comes_under_other_terms() -> None:
    """Packages of the plain list that are not permissive, and the libraries in PyAV's wheel."""
    said = (ROOT / "NOTICE").read_text(encoding="utf-8")
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = {line.split("==")[0]: _licence(line.split("==")[0]) for line in lines}
    bound = {name for name, licence in found.items() if re.search(r"GPL|MPL|Mozilla|NVIDIA", licence)}
    named = {name for name in bound if name in said or name.startswith("nvidia-")}
    assert bound - named == set() and "tqdm" in bound
    folder = Path(importlib.metadata.distribution("av").locate_file("av.libs"))
    libraries = {re.split(r"[-.](?=[0-9a-f]{8}\b|so\b)", path.name)[0] for path in folder.glob("lib*")}
    assert {name for name in libraries if name.split("-x")[0].split("-s")[0] not in said} == set()


def _licence(package: str) -> str:
    """What an installed package says of its licence; empty for what this system does not install."""
    try:
        told = importlib.metadata.metadata(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
    classified = [each for each in told.get_all("Classifier", []) if each.startswith("License")]
    return " ".join([told.get("License-Expression", ""), *classified, told.get("License", "")[:100]])


def _literal(node: ast.expr | None) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


def bound_parameters(tree: ast.AST) -> set[str]:
    """Keys of the widgets of a file that stand in the address."""
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    named = ({word.arg or "": word.value for word in call.keywords} for call in calls)
    return {_literal(words["key"]) for words in named if "bind" in words and "key" in words} - {""}


def written_parameters(tree: ast.AST) -> set[str]:
    """Parameters of the address that a file sets, deletes or pops by name."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.Delete):
            targets = [each for each in node.targets if isinstance(each, ast.Subscript)]
            found |= {_literal(each.slice) for each in targets if ast.unparse(each.value) == "st.query_params"}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "st.query_params.pop":
            found.add(_literal(node.args[0]))
    return found - {""}


def test_parameters_that_are_bound_to_a_widget_are_never_written() -> None:
    """Streamlit refuses that with a traceback; ``hand_over`` gives the widget its value."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in modules("dashboard")]
    bound, written = (set[str]().union(*map(names, trees)) for names in (bound_parameters, written_parameters))
    assert {"data", "view"} <= bound and "analysis" in written
    assert bound & written == set()


def test_no_page_stops_the_run() -> None:
    """``st.stop`` drops a click in a dialog or a fragment that came while the page was drawn; ``end_page`` does not."""
    calls = (
        ast.unparse(node.func)
        for path in modules("dashboard")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    )
    found = set(calls)
    assert "end_page" in found and not found & {"st.stop", "stop"}
