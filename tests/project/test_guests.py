"""Someone else can build here: a toy of each kind of thing is added the public way, as ``docs/developing.md`` says, and
works, although no other file knows of it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from torch import Tensor, nn

from dashboard.services.playback import frames, overview
from fer_core import cli
from fer_core.data import layouts, open_dataset
from fer_core.data.layout import Layout, coded
from fer_core.data.pictures import Listed, faces_of_files
from fer_core.data.records import DataSet, FaceSet
from fer_core.emotions import EMOTIONS
from fer_core.evaluation import peers
from fer_core.evaluation.peers import PeerKind
from fer_core.evaluation.run import evaluate_faces
from fer_core.faces import CropGeometry, Faces, detectors
from fer_core.faces.detectors import DetectorKind
from fer_core.models import registry
from fer_core.models.card import Card, InputSpec
from fer_core.models.checkpoint import save_checkpoint
from fer_core.models.classifier import load
from fer_core.models.registry import EmotionNetwork
from fer_core.signals import Column, Seen, base
from fer_core.video import export
from fer_core.video.dictionary import dictionary
from fer_core.video.pipeline import Settings, analyze
from fer_core.video.statistics import span_statistics
from fer_core.video.store import Analysis, open_analysis
from fer_core.video.view import Lens, view
from tests.support.clips import write_clip

RGB = NDArray[np.uint8]


class Centre:
    """A detector that takes the middle of every picture for a face."""

    name = "centre"

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        return [self._middle(*image.shape[:2]) for image in images]

    def _middle(self, height: int, width: int) -> Faces:
        corner, side = 3 * np.array([width, height]) / 8, np.array([width, height]) / 4
        marks = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
        boxes = np.concatenate([corner, corner + side])[None].astype(np.float32)
        return Faces(boxes, np.ones(1, np.float32), (corner + marks * side)[None].astype(np.float32))


class Tiny(EmotionNetwork):
    """A network of one layer."""

    def __init__(self, n_labels: int, channels: int) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(4, n_labels)

    def features(self, x: Tensor) -> Tensor:
        out: Tensor = self.backbone(x)
        return out


class Redness:
    """How much redder than blue a face is."""

    name, needs = "redness", base.CROPS
    columns = (
        Column("redness", "mean of red less mean of blue, -1 to 1", least=-1, most=1, smooths=True, averages=True,
               drawn="Redness"),
    )  # fmt: skip

    def of(self, seen: Seen) -> NDArray[np.float32]:
        assert seen.crops is not None
        mean = seen.crops.mean(axis=(1, 2)) / 255
        return np.asarray(mean[:, :1] - mean[:, 2:], np.float32)


class Optimist:
    """A peer that sees joy everywhere."""

    def answers(self, pictures: Sequence[RGB], boxes: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.eye(len(EMOTIONS))[[EMOTIONS.index("happy")] * len(pictures)]


def find_toy(root: Path, name: str) -> DataSet | None:
    """Pictures ``a1.png``, ``b2.png``, … beside a file ``toy.txt``."""
    if not (root / "toy.txt").is_file():
        return None

    def read(called: str, split: str) -> FaceSet:
        listed = [Listed(path.name, TOY.label_of(path.name[0]), "") for path in sorted(root.glob("*.png"))]
        return faces_of_files(root, called, split, listed, cut=True)

    return TOY.opened(name, "by a list", root, ("all",), read)


TOY = Layout("toy", "Toy faces", coded("ab", ("happy", "sad")), names=("glad", "low"), find=(find_toy,))


def as_text(analysis: Analysis, timeline: pd.DataFrame, lens: Lens) -> bytes:
    return f"{analysis.name}: {len(timeline)} rows\n".encode()


@pytest.fixture(scope="module")
def guests() -> Iterator[None]:
    """All toys, registered; the registries forget them afterwards."""
    known: list[dict[str, Any]] = [
        detectors.DETECTORS, registry._BUILDERS, registry._DESCRIPTIONS, base.SIGNALS, export.KINDS,
        peers.PEERS,
    ]  # fmt: skip
    before, before_layouts = [dict(each) for each in known], layouts.LAYOUTS
    detectors.register(DetectorKind("centre", "Centre", "a face in the middle", lambda min_face_px, device: Centre()))
    registry.register("toy", input_px=48, min_px=8)(Tiny)
    base.register(Redness())
    peers.register(PeerKind("optimist", "sees joy", "json", "install Python.", Optimist))
    export.register(export.ExportFormat("txt", "Text", "text/plain", as_text))
    layouts.LAYOUTS = layouts.registered((TOY, *before_layouts.values()))
    yield
    layouts.LAYOUTS = before_layouts
    for each, old in zip(known, before, strict=True):
        each.clear()
        each.update(old)


@pytest.fixture(scope="module")
def checkpoint(guests: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints") / "toy"
    folder.mkdir()
    net = registry.build("toy", n_labels=7, channels=1)
    card = Card("toy", "toy", [*EMOTIONS], InputSpec(48, 1, [0.5], [0.25]), CropGeometry(size=48), 1.0)
    save_checkpoint(folder, net, card)
    return folder


@pytest.fixture(scope="module")
def analysis(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    """A clip that turns from red to blue, by the toy detector and the toy network."""
    top = tmp_path_factory.mktemp("toys")
    grain = np.random.default_rng(0).normal(0, 40, (80, 100, 3))
    pictures = [np.full((240, 320, 3), 128, np.uint8) for _ in range(20)]
    for picture, shade in zip(pictures, np.linspace((143, 130, 113), (113, 130, 143), 20), strict=True):
        picture[80:160, 110:210] = np.clip(shade + grain, 0, 255)
    clip = write_clip(top / "toy.mp4", [i / 10 for i in range(20)], pictures=pictures)
    settings = Settings(detector="centre", min_face_px=12)
    return open_analysis(analyze(clip, top / ("a" * 32), checkpoint=checkpoint, settings=settings, device="cpu"))


def test_a_detector_and_an_architecture_analyse_a_video(analysis: Analysis) -> None:
    assert analysis.record["settings"]["detector"] == "centre" and analysis.models == ["toy"]
    seen = analysis.timeline()
    assert len(seen) == 20 and (seen["track"] == 0).all() and (seen["source"] == "detected").all()
    assert any("The detector centre cannot refine faces" in each for each in analysis.record["messages"])


def test_a_signal_is_kept_shown_exported_explained_and_summed_up(analysis: Analysis) -> None:
    kept = analysis.timeline()["redness"].to_numpy()
    assert kept[0] == pytest.approx(30 / 255, abs=0.03) and kept[-1] == pytest.approx(-30 / 255, abs=0.03)
    assert view(analysis, Lens(0.6))["redness"].iloc[0] < kept[0] - 0.003
    table = pd.read_csv(io.BytesIO(export.export(analysis, "csv")))
    np.testing.assert_allclose(table["redness"], kept, rtol=1e-6)
    (told,) = dictionary(analysis, ["redness"]).to_dict("records")
    assert told["meaning"] == Redness.columns[0].text and (told["least"], told["most"]) == ("-1", "1")
    first = json.loads(export.export(analysis, "json"))["frames"][0]["faces"][0]
    assert first["signals"]["redness"] == pytest.approx(kept[0], abs=1e-4)
    (person,) = span_statistics(view(analysis), start_s=0, end_s=1)
    assert person["signals"]["redness"] == pytest.approx(float(kept[:10].mean()), abs=0.02)
    data = overview(analysis, Lens())
    assert [line["title"] for line in data["lines"]] == ["Redness", "Valence"]
    assert len(frames(analysis, Lens(), 0)["people"]["0"]["lines"]) > 0


def test_an_export_is_made_by_its_name(analysis: Analysis) -> None:
    assert export.export(analysis, "txt") == b"toy.mp4: 20 rows\n"


def test_a_data_set_is_found_and_evaluated(checkpoint: Path, tmp_path: Path) -> None:
    (tmp_path / "toy.txt").write_text("these are toys")
    for i, code in enumerate("abba"):
        cv2.imwrite(str(tmp_path / f"{code}{i}.png"), np.full((48, 48), 60 * i, np.uint8))
    faces = open_dataset(tmp_path).read("all")
    assert faces.name == "toy" and [EMOTIONS[label] for label in faces.labels] == ["happy", "happy", "sad", "sad"]
    table = evaluate_faces(load(checkpoint, device="cpu"), faces)
    assert len(table) == 4 and {"label_toy", "p_happy"} <= set(table.columns)


def test_a_peer_runs_in_the_command(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((48, 48), 60, np.uint8))
    cv2.imwrite(str(tmp_path / "b.png"), np.full((48, 48), 90, np.uint8))
    (tmp_path / "faces.csv").write_text("file,label,person\na.png,joy,x\nb.png,sad,y\n")
    told = ["evaluate", str(checkpoint), "--data", str(tmp_path), "--tta", "none", "--json", "--peer", "optimist"]
    assert cli.main(told) == 0
    (peer,) = json.loads(capsys.readouterr().out)["peers"]
    assert (peer["peer"], peer["accuracy"], peer["intervals"]["people"]) == ("optimist", 0.5, 2)
