"""What is said of a network's heatmaps follows from its figures, and only from those of its own weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from fer_core.errors import CheckpointError
from fer_core.explain import doubt_of, in_words, pick_layer, pick_method
from fer_core.explain.earned import HEATMAPS, Figures, read_figures
from fer_core.models.classifier import load
from fer_core.models.folders import file_sha256

GOOD = Figures(
    weights_sha256="0" * 64, method="hirescam", layer="backbone.6", faces=500, smiles=200, checked=32, pointing=0.7,
    fixed=0.4, mouth=0.75, gain=1.0, gain_random=-1.0, gain_fixed=0.5, check=0.5,
)  # fmt: skip


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        (GOOD, ""),
        (replace(GOOD, pointing=0.69), "in 69% of faces (expected 70%)"),
        (replace(GOOD, fixed=0.7), "one map for all faces points as well (70%)"),
        (replace(GOOD, mouth=0.74), "the mouth in 74% (expected 75%)"),
        (replace(GOOD, gain_fixed=1.0), "find what counts as well"),
        (replace(GOOD, gain_random=1.1), "find what counts as well"),
    ],
)
def test_each_limit_decides(figures: Figures, said: str) -> None:
    assert said in figures.doubt and bool(figures.doubt) == bool(said)
    assert figures.cells()[-1] == ("no" if said else "yes")
    assert len(figures.cells()) == len(Figures.HEAD)


def test_figures_count_for_the_weights_they_were_measured_with(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    assert "Nobody measured" in doubt_of(folder) and "benchmarks.heatmaps mine --write" in doubt_of(folder)
    own = replace(GOOD, weights_sha256=file_sha256(folder / "model.safetensors"))
    (folder / HEATMAPS).write_text(own.to_json())
    assert read_figures(folder) == own and doubt_of(folder) == ""
    (folder / "model.safetensors").write_bytes(b"trained anew")
    assert "Nobody measured" in doubt_of(folder)


@pytest.mark.parametrize("change", [{"pointing": 1.2}, {"gain": "much"}, {"faces": -1}, {"more": 1}])
def test_damaged_figures_are_told(tmp_path: Path, change: dict[str, object]) -> None:
    (tmp_path / HEATMAPS).write_text(json.dumps(json.loads(GOOD.to_json()) | change))
    with pytest.raises(CheckpointError, match=r"heatmaps\.json cannot be read .* measure again"):
        read_figures(tmp_path)
    (tmp_path / HEATMAPS).write_text("[")
    with pytest.raises(CheckpointError, match="cannot be read"):
        doubt_of(tmp_path)


def test_architectures_say_how_their_maps_are_made() -> None:
    small = load("mobilenetv2-ferplus")
    assert (pick_method(small), pick_layer(small)) == ("elementwise", "backbone.7")
    assert pick_method(small, "gradcam") == "gradcam" and pick_layer(small, "backbone.3") == "backbone.3"
    both = load("workbench-ensemble-ferplus")  # the members' maps together
    layers = [f"backbone.{i}.net.backbone.{k}" for i in (0, 1) for k in (6, 4)]
    assert pick_layer(both).split("+") == layers
    assert in_words("layercam", "a.1+b.2") == "LayerCAM on a.1 and b.2"
