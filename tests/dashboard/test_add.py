"""The page Add a checkpoint: networks from elsewhere, and what comes along with a checkpoint."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import timm
import torch

from dashboard.services import checkpoints, datasets, evaluations, jobs, work
from dashboard.services.kinds import ConvertRequest
from fer_core import evaluation
from fer_core.emotions import EMOTIONS
from fer_core.errors import UploadError
from fer_core.evaluation.label_order import BetterOrder
from fer_core.models.card import read_card
from fer_core.models.folders import DEFAULT_CHECKPOINT, added_folder, checkpoint_names, checkpoints_folder
from tests.support.layouts import per_emotion
from tests.support.pages import open_page

LABELS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
MODEL = "mobilenetv3_small_050"


def run(job_id: str) -> jobs.Job:
    work.run_job(job_id)
    job = jobs.get(job_id)
    assert job is not None
    return job


def state() -> bytes:
    file = io.BytesIO()
    torch.save({"state_dict": timm.create_model(MODEL, num_classes=7).state_dict()}, file)
    return file.getvalue()


def test_weights_and_labels_alone_become_a_checkpoint(home: Path) -> None:
    origin = ConvertRequest(LABELS, f"timm:{MODEL}", 48)
    job = run(checkpoints.add([("my net (1).pth", state())], origin))
    assert (job.state, job.error, job.info) == ("done", "", {"checkpoint": "my-net-1"})
    try:
        entry = checkpoints.entry("my-net-1")
        assert entry.is_runnable and entry.is_added and entry.card is not None
        assert entry.card.labels == list(EMOTIONS) and entry.card.input.size == 48
        assert not [path for path in entry.folder.iterdir() if path.suffix == ".pth"]
        assert not open_page("models", checkpoint="my-net-1").exception
    finally:
        checkpoints.remove("my-net-1")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([("a.pkl", b"x")], "Expected one file of weights"),
        ([("a.pth", b"x"), ("b.pth", b"x")], "Expected one file of weights"),
        ([], "Expected one file of weights"),
    ],
)
def test_other_files_beside_labels_are_refused(home: Path, files: list[tuple[str, bytes]], words: str) -> None:
    with pytest.raises(UploadError, match=words):
        checkpoints.add(files, ConvertRequest(LABELS, "resnet18"))


def test_a_file_that_does_not_fit_leaves_nothing(home: Path) -> None:
    job = run(checkpoints.add([("a.pth", b"PK no")], ConvertRequest(LABELS, "resnet18")))
    assert job.state == "failed" and "not a whole file of torch" in job.error
    assert not (added_folder() / "a").exists() and "a" not in checkpoint_names()


def test_evaluations_and_curves_come_along(home: Path) -> None:
    folder = checkpoints_folder() / DEFAULT_CHECKPOINT
    card = json.loads((folder / "card.json").read_text()) | {"name": "mine"}
    files = [("net.safetensors", (folder / "model.safetensors").read_bytes()), ("card.json", json.dumps(card).encode())]
    table = folder / "evaluations" / "fer2013-private_test.parquet"
    more = [(path.name, path.read_bytes()) for path in (table, folder / "history.csv")]
    assert run(checkpoints.add([*files, *more])).info == {"checkpoint": "mine"}
    try:
        assert list(evaluations.tables("mine")) == ["fer2013-private_test"]
        assert (added_folder() / "mine" / "history.csv").is_file()
    finally:
        checkpoints.remove("mine")
    job = run(checkpoints.add([*files, ("fer2013-private_test.parquet", b"PAR1")]))
    assert job.state == "failed" and "cannot be read as an evaluation" in job.error


def test_labels_that_look_permuted_are_told_after_an_evaluation(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets.add(str(per_emotion(tmp_path / "tiny", dict.fromkeys(EMOTIONS, 1), split="test")))
    ask = (DEFAULT_CHECKPOINT, "tiny", "test")
    job = run(evaluations.ask(*ask, skip_unreadable=False, find_faces=False))
    assert job.state == "done" and "permuted" not in job.info
    found = BetterOrder(0.2, 0.9, (1, 0, 2, 3, 4, 5, 6))
    monkeypatch.setattr(evaluation, "better_order", lambda probabilities, labels: found)
    job = run(evaluations.ask(*ask, skip_unreadable=False, find_faces=False))
    assert "90% would be if what it calls angry is disgust" in job.info["permuted"]
    app = open_page("model", checkpoint=DEFAULT_CHECKPOINT, view="Card")
    assert any("look permuted" in each.value for each in app.warning)


def test_the_template_is_a_card(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_text(checkpoints.template())
    assert read_card(tmp_path / "card.json").labels == list(EMOTIONS)
