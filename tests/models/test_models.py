"""Checkpoints: what ships, what is refused, and a classifier that does not depend on batches."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from fer_core import cli
from fer_core.data import open_dataset
from fer_core.emotions import EMOTIONS
from fer_core.errors import CheckpointError, InputError
from fer_core.evaluation.metrics import report
from fer_core.evaluation.run import evaluate_faces
from fer_core.models import registry
from fer_core.models.card import read_card
from fer_core.models.checkpoint import load_network
from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import (
    DEFAULT_CHECKPOINT,
    checkpoint_named,
    checkpoint_names,
    checkpoints_folder,
    find_checkpoint,
    titled,
)
from fer_core.models.preprocess import view, views
from training.recipe import EnsembleRecipe, load_recipe

SHIPPED = (
    "compact-resnet-votes1-ferplus", "compact-resnet-settled1-fer2013", "compact-resnet-votes0-ferplus",
    "compact-resnet-settled0-fer2013", "mobilenetv2-ferplus", "mobilenetv2-fer2013",
)  # fmt: skip
RGB = NDArray[np.uint8]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a checkpoint that a test may damage."""
    target = tmp_path / "mine"
    target.mkdir()
    for name in ("card.json", "model.safetensors"):
        shutil.copy(find_checkpoint(SHIPPED[0]) / name, target / name)
    return target


@pytest.fixture(scope="module")
def crops(portrait: RGB) -> RGB:
    """Seven different coloured crops (7, 48, 48, 3)."""
    face = cv2.resize(portrait[40:180, 80:220], (48, 48), interpolation=cv2.INTER_AREA)
    return np.stack([np.roll(np.clip(face * (0.6 + 0.1 * i), 0, 255).astype(np.uint8), i, axis=1) for i in range(7)])


# --- what ships


def test_the_default_comes_first() -> None:
    assert checkpoint_names()[0] == DEFAULT_CHECKPOINT
    assert set(SHIPPED) <= set(checkpoint_names())


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_folders_are_complete_and_small(name: str) -> None:
    folder = checkpoints_folder() / name
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files - {"robustness.csv", "robustness.json", "heatmaps.json"} == {
        "card.json", "model.safetensors", "history.csv", "reference.safetensors",
        "evaluations/fer2013-public_test.parquet", "evaluations/fer2013-private_test.parquet",
    }  # fmt: skip
    assert (folder / "model.safetensors").stat().st_size <= 12e6
    assert load_file(folder / "model.safetensors")["head.weight"].dtype == np.float16
    reference = load_file(folder / "reference.safetensors")
    assert {key: value.shape for key, value in reference.items()} == {
        "means": (7, 128), "covariance": (128, 128), "features": (2000, 128), "occlusion_weights": (900,),
        "occlusion_bias": (1,),
    }  # fmt: skip


@pytest.mark.parametrize(("name", "labels"), [(SHIPPED[0], "ferplus7"), (SHIPPED[1], "fer2013")])
def test_stored_tables_give_the_figures_of_the_card(name: str, labels: str) -> None:
    folder = checkpoints_folder() / name
    card = json.loads((folder / "card.json").read_text())
    table = pd.read_parquet(folder / "evaluations/fer2013-private_test.parquet")
    column = table["label_ferplus" if labels == "ferplus7" else "label_fer2013"]
    kept = column.notna()
    p = table.loc[kept, [f"p_{name}" for name in EMOTIONS]].to_numpy(np.float64)
    measured = report(p, np.array([EMOTIONS.index(label) for label in column[kept]]))
    wanted = {"split": "private_test", "labels": labels, "tta": "none"}
    (told,) = [entry for entry in card["metrics"] if wanted.items() <= entry.items()]
    for key in ("n", "accuracy", "macro_recall", "worst_recall", "groups_macro_recall", "ece", "nll"):
        assert measured[key] == pytest.approx(told[key], abs=2e-5), key
    logits = table.loc[kept, [f"logit_{name}" for name in EMOTIONS]].to_numpy(np.float64) / card["temperature"]
    softmax = np.exp(logits - logits.max(axis=1, keepdims=True))
    np.testing.assert_allclose(softmax / softmax.sum(axis=1, keepdims=True), p, atol=1e-5)


@pytest.mark.parametrize("name", [*SHIPPED[:2], "mobilenetv2-fer2013", "workbench-ensemble-ferplus"])
def test_the_weights_give_the_stored_tables(fer2013_dir: Path, name: str) -> None:
    """A sample of the private test, whose tables give the figures of the cards."""
    faces = open_dataset(fer2013_dir).read("private_test")
    sample = faces.take(np.random.default_rng(0).choice(len(faces), 64, replace=False))
    found = evaluate_faces(load(name, device="cpu"), sample).set_index("id")
    stored = pd.read_parquet(checkpoints_folder() / name / "evaluations/fer2013-private_test.parquet").set_index("id")
    columns = [f"p_{label}" for label in EMOTIONS]
    np.testing.assert_allclose(found[columns], stored.loc[found.index, columns], atol=2e-3)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("name", "labels", "n"),
    [
        (SHIPPED[0], "ferplus7", 3350),
        (SHIPPED[1], "fer2013", 3589),
        ("workbench-ensemble-ferplus", "ferplus7", 3350),
        ("mobilenetv2-fer2013", "fer2013", 3589),
    ],
)
def test_the_figures_come_out_again_from_the_weights(
    fer2013_dir: Path, name: str, labels: str, n: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command on the private test, mirror average: above what the project promises, and as the card says."""
    assert cli.main(["evaluate", name, "--data", str(fer2013_dir), "--labels", labels, "--tta", "flip", "--json"]) == 0
    got = json.loads(capsys.readouterr().out)
    assert got["n"] == n and {"macro_recall", "worst_recall", "groups_macro_recall"} <= got.keys()
    card = json.loads((checkpoints_folder() / name / "card.json").read_text())
    wanted = {"split": "private_test", "labels": labels, "tta": "flip"}
    (told,) = [entry for entry in card["metrics"] if wanted.items() <= entry.items()]
    assert got["accuracy"] == pytest.approx(told["accuracy"], abs=0.001)
    assert got["accuracy"] >= (0.68 if name.startswith("mobilenet") else {"ferplus7": 0.85, "fer2013": 0.71}[labels])
    assert got["ece"] <= 0.03


# --- what is refused


def damage_card(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        values = json.loads((folder / "card.json").read_text())
        values.update(changes)
        (folder / "card.json").write_text(json.dumps({k: v for k, v in values.items() if v is not None}))

    return change


def write(name: str, data: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(data) and None


def truncate(folder: Path) -> None:
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[: len(data) // 2])


def not_finite(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    state["head.bias"][0] = np.nan
    save_file(state, folder / "model.safetensors")


def other_weights(folder: Path) -> None:
    save_file({"a": np.zeros(3, np.float16)}, folder / "model.safetensors")


def pickle_instead(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model.pth")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda folder: (folder / "card.json").unlink(), "mine/card.json is missing"),
        (write("card.json", b"{"), "mine/card.json is not valid JSON"),
        (write("card.json", b"[" * 100_000), "mine/card.json is not valid JSON"),
        (write("card.json", b" " * 2_000_000), "mine/card.json is larger than 1 MB"),
        (damage_card(format="onnx"), "mine/card.json has format 'onnx'"),
        (damage_card(labels=None), "mine/card.json: missing labels"),
        (damage_card(labels=["happy", "sad"]), "mine/card.json: labels are"),
        (damage_card(temperature=0), "mine/card.json: temperature 0 is outside"),
        (damage_card(input={"size": 10**9, "channels": 1, "mean": [0], "std": [1]}), "mine/card.json: input"),
        (damage_card(input="large"), "mine/card.json: "),
        (damage_card(architecture="os.system"), "Unknown architecture 'os.system'; known are compact-resnet"),
        (damage_card(name="../../evil"), "mine/card.json: name '../../evil' must be"),
        (damage_card(options=[1]), "mine/card.json: options are [1]"),
        (damage_card(options={"hidden": [-1]}), "does not take these options"),
        (damage_card(options={"hidden": [10**11]}), "does not take these options"),
        (damage_card(options={"dropout": 5}), "does not take these options"),
        (damage_card(options={"stem_stride": 0}), "does not take these options"),
        (damage_card(input={"size": 44, "channels": 1, "mean": ["x"], "std": [1]}), "must be finite numbers"),
        (damage_card(input={"size": 44, "channels": 1, "mean": [0], "std": [float("nan")]}), "must be finite numbers"),
        (damage_card(input={"size": 44.5, "channels": 1, "mean": [0], "std": [1]}), "must be whole numbers"),
        (damage_card(options={"hidden": [64]}), "mine/model.safetensors does not fit architecture"),
        (damage_card(options={"shell": "rm"}), "does not take these options"),
        (lambda folder: (folder / "model.safetensors").unlink(), "mine/model.safetensors is missing"),
        (pickle_instead, "model.pth is a pickle, which is never opened"),
        (truncate, "mine/model.safetensors is not a whole safetensors file"),
        (write("model.safetensors", b"\x80\x04\x95evil."), "mine/model.safetensors is not a whole safetensors file"),
        (not_finite, "mine/model.safetensors holds values that are not finite"),
        (other_weights, "mine/model.safetensors does not fit architecture"),
    ],
)  # fmt: skip
def test_damaged_folders_are_refused_with_the_file_named(
    folder: Path, harm: Callable[[Path], None], words: str
) -> None:
    harm(folder)
    with pytest.raises(CheckpointError) as error:
        load(folder)
    assert words in str(error.value)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(CheckpointError, match=DEFAULT_CHECKPOINT):
        load("resnet-of-a-friend")


def test_a_device_that_is_not_there_is_refused() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(InputError, match="Device 'cuda' is not available here; use one of cpu"):
        load(DEFAULT_CHECKPOINT, device="cuda")


def test_architectures_are_registered_once() -> None:
    assert "mobilenetv2" in registry.architectures()
    with pytest.raises(ValueError, match="registered twice"):
        registry.register("mobilenetv2")(lambda: None)  # type: ignore[arg-type,return-value]


def test_half_precision_weights_run_in_single(folder: Path) -> None:
    net, _ = load_network(folder)
    assert not net.training
    assert {p.dtype for p in net.parameters()} == {torch.float32}


# --- the classifier


@pytest.mark.parametrize("tta", ["none", "flip", "tencrop"])
def test_a_batch_is_its_singles(classifier: Classifier, crops: RGB, tta: str) -> None:
    together = classifier.predict(crops, tta=tta)
    singles = [classifier.predict(crops[i : i + 1], tta=tta) for i in range(len(crops))]
    in_threes = classifier.predict(crops, tta=tta, batch_size=3)
    for name in ("logits", "probabilities", "features"):
        np.testing.assert_allclose(
            np.concatenate([getattr(s, name) for s in singles]), getattr(together, name), atol=2e-4
        )
        np.testing.assert_allclose(getattr(in_threes, name), getattr(together, name), atol=2e-4)
    np.testing.assert_allclose(together.probabilities.sum(axis=1), 1, atol=1e-5)
    assert (together.logits.shape, together.features.shape) == ((7, 7), (7, 128))


def test_no_crop_gives_no_score(classifier: Classifier) -> None:
    scores = classifier.predict(np.zeros((0, 48, 48, 3), np.uint8))
    assert (len(scores), scores.features.shape) == (0, (0, 128))


@pytest.mark.parametrize(("shift", "mirror"), views("tencrop"))
def test_a_view_of_whole_pixels_is_what_sampling_gives(shift: tuple[float, float], mirror: bool) -> None:
    pictures = torch.rand(3, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    taken = view(pictures, size=44, field=44 / 48, mean=[0.5], std=[0.25], shift=shift, mirror=mirror)
    nearly = view(pictures, size=44, field=44 / 48 - 1e-6, mean=[0.5], std=[0.25], shift=shift, mirror=mirror)
    assert not torch.equal(taken, nearly), "that one is sampled between pixels"
    torch.testing.assert_close(taken, nearly, atol=1e-3, rtol=0)


def test_probabilities_are_the_temperature_scaled_softmax(classifier: Classifier, crops: RGB) -> None:
    scores = classifier.predict(crops)
    z = torch.from_numpy(scores.logits) / classifier.card.temperature
    np.testing.assert_allclose(scores.probabilities, z.softmax(dim=1).numpy(), atol=1e-6)
    assert classifier.card.temperature != 1.0


def test_the_mirror_average_does_not_know_left_from_right(classifier: Classifier, crops: RGB) -> None:
    one, other = (classifier.predict(x, tta="flip").logits for x in (crops, np.ascontiguousarray(crops[:, :, ::-1])))
    np.testing.assert_allclose(one, other, atol=2e-4)


def test_a_bgr_picture_would_have_been_noticed(classifier: Classifier, crops: RGB) -> None:
    """The grey net sees Rec. 601 grey of RGB. A face lit red from above and blue from below shows swapped channels."""
    light = np.linspace(1, 0, 48)[:, None] * [1.0, 0.2, 0.0] + np.linspace(0, 1, 48)[:, None] * [0.0, 0.2, 1.0]
    lit = (crops * light[None, :, None]).astype(np.uint8)
    rgb = classifier.predict(lit)
    bgr = classifier.predict(np.ascontiguousarray(lit[..., ::-1]))
    grey = classifier.predict(np.stack([cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in lit]))
    rounding, swapped = (np.abs(rgb.logits - other.logits).max() for other in (grey, bgr))
    assert swapped > 4 * rounding


def test_arrays_of_another_kind_are_refused(classifier: Classifier) -> None:
    for wrong in (
        np.zeros((2, 48, 48, 3), np.float32),
        np.zeros((48, 48), np.uint8),
        np.zeros((2, 48, 48, 4), np.uint8),
    ):
        with pytest.raises(InputError, match="Expected crops uint8"):
            classifier.predict(wrong)


def test_a_smiling_face_is_happy(portrait: RGB) -> None:
    from fer_core.faces import crop_faces, make_detector

    faces = make_detector("mtcnn").detect([portrait])[0]
    for name in SHIPPED:
        classifier = load(name)
        top = classifier.predict(crop_faces(portrait, faces, classifier.card.crop)).probabilities[0].argmax()
        assert classifier.labels[top] == "happy", name


def test_a_name_is_that_of_a_checkpoint_whatever_lies_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = SHIPPED[0]
    (tmp_path / name).mkdir()
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_checkpoint(name) == checkpoint_named(name) == checkpoints_folder() / name
    assert find_checkpoint(f"./{name}") == Path(name) and find_checkpoint("mine") == Path("mine")
    for path in ("mine", f"./{name}", str(checkpoints_folder() / name)):
        with pytest.raises(CheckpointError, match="There is no checkpoint"):
            checkpoint_named(path)


def test_what_ships_is_a_short_list_with_titles() -> None:
    """Those of the recipes; weights of all but two, which are for looking at evaluations."""
    names = checkpoint_names(checkpoints_folder())
    titles = {name: read_card(checkpoint_named(name) / "card.json").title for name in names}
    assert all(titles.values()) and len(set(titles.values())) == len(names) <= 15, titles
    for name, title in titles.items():
        recipe = load_recipe(read_card(checkpoint_named(name) / "card.json").recipe)
        exports = [recipe] if isinstance(recipe, EnsembleRecipe) else recipe.targets.values()
        assert [each.title for each in exports if each.checkpoint == name] == [title]
    assert titled(DEFAULT_CHECKPOINT) == f"Recommended: {titles[DEFAULT_CHECKPOINT]} ({DEFAULT_CHECKPOINT})"
    assert titled("mru-2025-cnn") == "CNN from scratch (mru-2025) (mru-2025-cnn)" and titled("nobody") == "nobody"
    size = sum(path.stat().st_size for path in checkpoints_folder().rglob("*") if path.is_file())
    assert size < 128e6, "what ships grew"


def test_a_title_is_a_line(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text())
    for title in ("two\nlines", "x" * 81, 5, "bell\a"):
        (folder / "card.json").write_text(json.dumps(card | {"title": title}))
        with pytest.raises(CheckpointError, match="title must be a line of at most 80"):
            read_card(folder / "card.json")
