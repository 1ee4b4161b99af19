"""Photos of whoever people have: which face is taken and what is said of the others; other tools on the same faces."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from fer_core import cli
from fer_core.data import open_dataset
from fer_core.emotions import EMOTIONS
from fer_core.errors import DataError, InputError
from fer_core.evaluation import faces_found, read_evaluation, report
from fer_core.evaluation.batches import BATCH_PIXELS, PHOTO_PX, FaceFinder, Reader
from fer_core.evaluation.peers import PEERS, PeerKind, answers_of, base, load_peer, peer_kind, register
from fer_core.evaluation.run import BOXES, evaluate_faces, table_array, write_table
from fer_core.faces import CropGeometry, Faces, make_detector
from fer_core.models.classifier import Classifier
from tests.support import layouts

MODEL = "mobilenetv2-ferplus"
RGB = NDArray[np.uint8]


class Recorder:
    """A peer that says what it is told, and remembers what it was shown."""

    def __init__(self, said: Sequence[float] = (0, 0, 0, 1, 0, 0, 0)) -> None:
        self.said, self.shown = np.array(said), list[tuple[RGB, NDArray[np.float32]]]()

    def answers(self, pictures: Sequence[RGB], boxes: NDArray[np.float32]) -> NDArray[np.float64]:
        self.shown += list(zip(pictures, boxes, strict=True))
        return np.tile(self.said, (len(pictures), 1))


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    """A peer ``toy`` that is installed."""
    peer = Recorder()
    monkeypatch.setattr(base, "PEERS", PEERS)
    register(PeerKind("toy", "a toy", "json", "install Python.", lambda: peer))
    yield peer
    del PEERS["toy"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory, portrait: RGB) -> Path:
    """A table of four: a portrait, two beside each other (the left one larger), a wall, and the right one by a box."""
    root = tmp_path_factory.mktemp("photos")
    small = cv2.resize(portrait, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    both = np.full((portrait.shape[0], 2 * portrait.shape[1], 3), 128, np.uint8)
    both[:, : portrait.shape[1]] = portrait
    both[: small.shape[0], portrait.shape[1] : portrait.shape[1] + small.shape[1]] = small
    for name, image in (("one", portrait), ("two", both), ("wall", np.full((200, 300, 3), 128, np.uint8))):
        cv2.imwrite(str(root / f"{name}.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    (box,) = make_detector().detect([small])[0].boxes[:1]
    x, y, width, height = box[0] + portrait.shape[1], box[1], *(box[2:] - box[:2])
    rows = ["one.png,happy,anna,,,,", "two.png,happy,anna,,,,", "wall.png,sad,bo,,,,",
            f"two.png,happy,carla,{x},{y},{width},{height}"]  # fmt: skip
    (root / "labels.csv").write_text("file,label,person,x,y,w,h\n" + "\n".join(rows) + "\n")
    return root


@pytest.fixture(scope="module")
def answered(photos: Path, classifier: Classifier) -> pd.DataFrame:
    return evaluate_faces(classifier, open_dataset(photos).read("all"))


def test_the_largest_face_is_taken_unless_a_box_says_which(
    answered: pd.DataFrame, portrait: RGB, tmp_path: Path
) -> None:
    assert answered["id"].tolist() == ["one.png", "two.png", "wall.png", "two.png#2"]
    assert answered["n_faces"].tolist() == [1, 2, 0, 1] and answered["face_found"].tolist() == [True, True, False, True]
    assert answered["person"].tolist() == ["anna", "anna", "bo", "carla"]
    boxes = answered[list(BOXES)].to_numpy()
    np.testing.assert_allclose(boxes[1], boxes[0], atol=8)
    assert boxes[2].tolist() == [0, 0, 300, 200] and boxes[3][0] > portrait.shape[1]
    logits = table_array(answered, "logit_")
    assert np.abs(logits[1] - logits[0]).max() < 1 < np.abs(logits[2] - logits[0]).max()
    write_table(answered, tmp_path / "photos-all.parquet")
    table = read_evaluation(tmp_path / "photos-all.parquet", "net")
    assert table.people.tolist() == answered["person"].tolist() and table.n_faces.tolist() == [1, 2, 0, 1]


def test_odd_photos_are_counted_and_named(answered: pd.DataFrame) -> None:
    found = faces_found(answered["id"].to_numpy(str), answered["n_faces"].to_numpy())
    assert (found.none, found.several) == (("wall.png",), ("two.png",))
    assert found.sentences() == [
        "1 picture without a face that was found, taken whole: wall.png.",
        "1 picture with several faces, the largest one taken: two.png.",
    ]
    many = faces_found(np.array(list("abcde")), np.zeros(5, np.int64)).sentences(most=2)
    assert many == ["5 pictures without a face that was found, taken whole: a, b and 3 more."]


class Nobody:
    """A detector that notes the sizes of what it is shown, and sees a face in large pictures alone."""

    name = "nobody"

    def __init__(self, from_px: float = np.inf) -> None:
        self.from_px, self.widths = from_px, list[int]()

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        self.widths += [image.shape[1] for image in images]
        return [self._face(image.shape[1]) if image.shape[1] > self.from_px else Faces.none() for image in images]

    def _face(self, width: int) -> Faces:
        marks = np.array([[0.4, 0.4], [0.6, 0.4], [0.5, 0.5], [0.42, 0.6], [0.58, 0.6]]) * width / 10
        box = np.array([[0.3, 0.3, 0.7, 0.7]]) * width / 10
        return Faces(box.astype(np.float32), np.ones(1, np.float32), marks[None].astype(np.float32))


def test_huge_photos_are_looked_at_again_and_cut_as_they_are() -> None:
    detector = Nobody(from_px=2000)
    photo = np.zeros((100, 5000, 3), np.uint8)
    photo[:, :1000] = 200
    cut = FaceFinder(detector, CropGeometry(48))([photo, photo[:, :900]])
    assert detector.widths == [PHOTO_PX[0], 900, PHOTO_PX[1]] and cut.n_faces.tolist() == [1, 0]
    np.testing.assert_allclose(cut.boxes[0], [150, 150, 350, 350], rtol=1e-3)
    assert cut.crops.shape == (2, 48, 48, 3) and cut.crops[0].min() == 200


def test_a_box_without_a_face_is_cut_itself() -> None:
    photo = np.zeros((100, 200, 3), np.uint8)
    photo[20:60, 30:70] = 200
    told = np.array([[35, 20, 65, 60], [190, 90, 300, 300]], np.float32)
    cut = FaceFinder(Nobody(), CropGeometry(48))([photo, photo], told)
    assert cut.n_faces.tolist() == [0, 0] and cut.crops[0].min() == 200 and cut.crops[1].max() == 0
    np.testing.assert_array_equal(cut.boxes, told)


def test_huge_photos_are_read_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    faces = open_dataset(layouts.per_emotion(tmp_path, {"angry": 5})).read("all")
    assert BATCH_PIXELS >= 50_000_000
    monkeypatch.setattr("fer_core.evaluation.batches.BATCH_PIXELS", 5000)
    (tmp_path / "angry/3.jpg").write_bytes(b"damaged")
    batches = [rows for rows, _ in Reader(faces, lambda: False, []).batches(3)]
    assert batches == [[0, 1], [2, 4]]


# --- the command


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[dict[str, object], str]:
    assert cli.main(["evaluate", MODEL, "--tta", "none", "--json", *arguments]) == 0
    said = capsys.readouterr()
    return json.loads(said.out), said.err


def test_the_command_tells_intervals_odd_photos_and_peers(
    photos: Path, toy: Recorder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = Path(shutil.copytree(photos, tmp_path / "photos"))
    with (photos / "labels.csv").open("a") as file:
        file.write("gone.png,sad,bo,,,,\none.png,bored,bo,,,,\n")
    where = ["--data", str(photos), "--skip-unreadable", "--table", str(tmp_path / "a.parquet")]
    found, told = run(capsys, *where, "--peer", "toy")
    assert found["faces"] == {"looked_at": 4, "none": ["wall.png"], "several": ["two.png"]}
    assert found["left_out"] == {next(iter(found["left_out"])): 1} and len(found["unreadable"]) == 1  # type: ignore
    for words in ("wall.png", "two.png", "gone.png cannot be read", "label 'bored'", "a table of pictures (file: file"):
        assert words in told
    assert found["n"] == 4 and found["with_face"]["n"] == 3 and found["intervals"]["people"] == 3  # type: ignore
    (peer,) = found["peers"]  # type: ignore[misc]
    table = pd.read_parquet(tmp_path / "a.parquet")
    for (image, box), row in zip(toy.shown, table.itertuples(), strict=True):
        edges = [0, 0, *image.shape[1::-1]]
        np.testing.assert_allclose(box, np.clip([getattr(row, name) for name in BOXES], 0, np.tile(edges[2:], 2)))
    assert (peer["peer"], peer["n"], peer["accuracy"], peer["without_answer"]) == ("toy", 4, 0.75, 0)
    assert peer["difference"]["accuracy"][0] == pytest.approx(found["accuracy"] - 0.75)  # type: ignore[operator]
    assert cli.main(["evaluate", MODEL, "--tta", "none", *where, "--peer", "toy"]) == 0
    text = capsys.readouterr().out
    assert "by person (3 people)" in text and "with face" in text and "recall of sad" in text
    assert "toy (a toy) on the same 4 faces" in text and "no interval" in text


def test_one_person_has_no_interval_and_the_command_says_so(
    toy: Recorder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for i in range(3):
        layouts.draw(tmp_path / f"{i}.png", i)
    (tmp_path / "one.csv").write_text("file,label,person\n0.png,angry,anna\n1.png,disgust,anna\n2.png,fear,anna\n")
    found, _ = run(capsys, "--data", str(tmp_path), "--peer", "toy")
    assert "accuracy" not in found["intervals"] and found["intervals"]["recalls"] == {}  # type: ignore
    assert found["peers"][0]["difference"]["accuracy"][1:] == [None, None]  # type: ignore[index]
    assert cli.main(["evaluate", MODEL, "--data", str(tmp_path), "--tta", "none", "--peer", "toy"]) == 0
    text = capsys.readouterr().out
    assert "No intervals: all of it shows one person, which says nothing of others." in text
    assert text.count("no interval") == 3 * (5 + 3)


def test_a_peer_sees_cut_faces_whole(toy: Recorder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = layouts.per_emotion(tmp_path, {"angry": 2, "happy": 2})
    found, _ = run(capsys, "--data", str(root), "--peer", "toy", "--peer", "toy")
    assert [box.tolist() for _, box in toy.shown] == [[0, 0, image.shape[1], image.shape[0]] for image, _ in toy.shown]
    assert len(toy.shown) == 4 and "faces" not in found and len(found["peers"]) == 1  # type: ignore[arg-type]
    assert found["intervals"]["by"] == "picture"  # type: ignore[index]


def test_faces_are_looked_for_or_not_as_told(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, _ = run(capsys, "--data", str(photos), "--no-find-faces", "--skip-unreadable")
    assert "faces" not in found and "with_face" not in found


def test_what_a_peer_says_nothing_of_counts_in_no_comparison(answered: pd.DataFrame) -> None:
    given = np.eye(len(EMOTIONS))[[3, 3, 4, 3]]
    given[1] = np.nan
    kind = PeerKind("toy", "a toy", "json", "", Recorder)
    found = base.compared_with(kind, given, answered, own(answered))
    assert (found["n"], found["without_answer"], found["accuracy"]) == (3, 1, 1.0)
    mine = table_array(answered, "p_").astype(np.float64)[[0, 2, 3]]
    expected = float(report(mine, np.array([3, 4, 3]))["accuracy"]) - 1  # type: ignore[arg-type]
    assert found["difference"]["accuracy"][0] == pytest.approx(expected)
    with pytest.raises(DataError, match="toy answers none of these pictures"):
        base.compared_with(kind, np.full((4, 7), np.nan), answered, own(answered))


def own(table: pd.DataFrame) -> str:
    return next(name for name in table if str(name).startswith("label_")).removeprefix("label_")


@pytest.mark.parametrize("said", [(1, 1, 0, 0, 0, 0, 0), (0.5, 0.5), (-1, 2, 0, 0, 0, 0, 0)])
def test_answers_that_are_no_shares_are_refused(photos: Path, answered: pd.DataFrame, said: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match=r"Expected \(4, 7\) probabilities of a peer"):
        answers_of(Recorder(said), open_dataset(photos).read("all"), answered)


# --- the package fer

STUB = """
import numpy as np
class FER:
    def __init__(self, cascade_file=None, mtcnn=False, tfserving=False, use_tflite=True, scale_factor=1.1,
                 min_face_size=50, min_neighbors=5, offsets=(10, 10)):
        assert not mtcnn
    def detect_emotions(self, img, face_rectangles=None):
        assert img.dtype == np.uint8 and img.ndim == 3
        (x, y, w, h), = face_rectangles
        assert all(type(each) is int for each in (x, y, w, h))
        part = img[y:y + h, x:x + w].reshape(-1, 3).mean(axis=0)  # BGR
        if part[1] > 200:
            return []
        names = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
        scores = dict.fromkeys(names, 0.0) | {"happy": round(float(part[2]) / 255, 2), "sad": round(float(part[0]) / 255, 2)}
        self.size = (w, h)
        return [{"box": face_rectangles[0], "emotions": scores}]
"""  # noqa: E501


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package ``fer`` of the same signature, which reads red as happy, blue as sad, and nothing in green."""
    for name in [name for name in sys.modules if name.split(".")[0] == "fer"]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "stub/fer").mkdir(parents=True)
    (tmp_path / "stub/fer/__init__.py").write_text('__version__ = "25.10.3"\n')
    (tmp_path / "stub/fer/fer.py").write_text(STUB)
    monkeypatch.syspath_prepend(tmp_path / "stub")
    yield tmp_path / "stub/fer"
    for name in [name for name in sys.modules if name.split(".")[0] == "fer"]:
        del sys.modules[name]


def test_fer_gets_the_picture_as_it_wants_it_and_its_scores_become_shares(stub: Path) -> None:
    peer = load_peer(peer_kind("fer"))
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[20:60, 30:70], picture[:, 100:150] = (100, 0, 50), (0, 255, 0)
    boxes = np.array([[30.4, 19.6, 70.2, 60], [100, 0, 150, 100]], np.float32)
    red, green = peer.answers([picture, picture], boxes)
    assert red[EMOTIONS.index("happy")] == pytest.approx(0.39 / 0.59) and red.sum() == pytest.approx(1)
    assert red[EMOTIONS.index("sad")] == pytest.approx(0.2 / 0.59) and np.isnan(green).all()
    (black,) = peer.answers([np.zeros((48, 48, 3), np.uint8)], np.array([[0, 0, 48, 48]], np.float32))
    assert np.isnan(black).all(), "scores that are all zero say nothing"
    sizes = peer._detect.__self__  # type: ignore[attr-defined]
    assert sizes.size == (640, 640), "a cut face is enlarged, or a part of what it sees is grey"


def test_fer_runs_in_the_same_command(stub: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = layouts.per_emotion(tmp_path / "faces", {"happy": 2, "sad": 1})
    found, _ = run(capsys, "--data", str(root), "--peer", "fer")
    (peer,) = found["peers"]  # type: ignore[misc]
    assert (peer["peer"], peer["n"] + peer["without_answer"]) == ("fer", 3)


@pytest.mark.parametrize(
    ("code", "words"),
    [("raise ImportError('no tensorflow')", r"does not load \(ImportError: no tensorflow\)"), ("", "AttributeError")],
)
def test_a_fer_that_does_not_load_is_told_in_a_sentence(
    stub: Path, code: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (stub / "fer.py").write_text(code)
    with pytest.raises(InputError, match=words):
        load_peer(peer_kind("fer"))
    root = layouts.per_emotion(tmp_path / "faces", {"happy": 1})
    assert cli.main(["evaluate", MODEL, "--data", str(root), "--peer", "fer"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_peer_that_is_not_there_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(base, "find_spec", lambda name: None)
    monkeypatch.setattr("fer_core.models.classifier.load", lambda *_, **__: pytest.fail("loaded"))
    for name, words in (("fer", "fer is not installed here"), ("nothing", "Unknown peer 'nothing'; known are fer")):
        assert cli.main(["evaluate", MODEL, "--data", str(tmp_path), "--peer", name]) == 1
        said = capsys.readouterr()
        assert words in said.err and said.err.count("\n") == 1 and not said.out
    with pytest.raises(ValueError, match="'fer' is registered twice"):
        register(PEERS["fer"])


def test_a_table_is_the_same_when_it_is_read_again(tmp_path: Path) -> None:
    """Its numbers are stored split by bytes, in which most of the features' bytes resemble each other."""
    random = np.random.default_rng(0)
    columns = {f"f_{i:03d}": random.normal(size=500).astype(np.float16) for i in range(20)}
    whole = {"id": np.arange(500).astype(str), "votes": np.arange(500, dtype=np.int16), "odd": [np.nan, np.inf] * 250}
    table = pd.DataFrame(whole | columns)
    write_table(table, tmp_path / "new" / "a.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "new" / "a.parquet"), table)
    table.to_parquet(tmp_path / "plain.parquet", index=False, compression="zstd")
    assert (tmp_path / "new" / "a.parquet").stat().st_size < 0.9 * (tmp_path / "plain.parquet").stat().st_size
