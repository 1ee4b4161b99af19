"""The inspection pages and their services, without a browser: what they show, keep, refuse and compute in workers."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from dashboard.models.listing import right
from dashboard.services import (
    checkpoints,
    datasets,
    evaluations,
    explained,
    jobs,
    maps,
    pictures,
    places,
    selections,
    warm,
    work,
)  # fmt: skip
from dashboard.services.evaluations import Question
from fer_core.emotions import EMOTIONS, EMOTIONS8
from fer_core.errors import CheckpointError, DataError, InputError, StoreError, UploadError
from fer_core.evaluation import confusion
from fer_core.models.folders import DEFAULT_CHECKPOINT, added_folder, checkpoint_names, checkpoints_folder
from tests.support.layouts import draw, per_emotion
from tests.support.pages import open_page, words

TABLE = "fer2013-private_test"
OWN = Question(DEFAULT_CHECKPOINT, TABLE, "fer2013")


@pytest.fixture(autouse=True)
def without_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a fresh clone; a test that needs a data set points to it."""
    monkeypatch.delenv("FER_DATA", raising=False)


@pytest.fixture
def faces(home: Path, tmp_path: Path) -> str:
    """The workbench is pointed to a small data set of drawn pictures; its name."""
    per_emotion(tmp_path / "drawn", dict.fromkeys(EMOTIONS, 2), split="test")
    return datasets.add(str(tmp_path / "drawn")).name


def run(job_id: str) -> jobs.Job:
    """What the worker does."""
    work.run_job(job_id)
    job = jobs.get(job_id)
    assert job is not None
    return job


def query(**values: str) -> AppTest:
    return open_page("model", **values)


def single_view(checkpoint: str, labels: str) -> float:
    """Accuracy (0-1) on the private test that the card tells."""
    card = json.loads((checkpoints_folder() / checkpoint / "card.json").read_text())
    asked = ("private_test", labels, "none")
    return float(next(m["accuracy"] for m in card["metrics"] if (m["split"], m["labels"], m["tta"]) == asked))


def test_inspect_opens_on_the_shipped_evaluations_without_any_picture(home: Path) -> None:
    app = query()
    assert not app.exception and not app.error
    text = words(app).replace("\\", "")
    assert "Numbers without pictures" in text and "not pointed to a data set 'fer2013'" in text
    told = single_view(DEFAULT_CHECKPOINT, "ferplus7")  # FER+ votes taught it, and judge it at first
    assert f"{round((1 - told) * 3350)} of 3,350 pictures" in text, "it begins with the errors"
    accuracy = next(metric for metric in app.metric if metric.label == "Accuracy")
    assert accuracy.value == f"{told:.1%}"


KINDS = (DEFAULT_CHECKPOINT, "mobilenetv2-fer2013", "workbench-ensemble-ferplus", "mbstu-2021-resnet18")
"""A network of our own, one of a source system, a mean of networks, and one whose weights are not here."""
REST = [name for name in checkpoint_names() if name not in KINDS]


@pytest.mark.parametrize("name", [*KINDS, *(pytest.param(name, marks=pytest.mark.nightly) for name in REST)])
def test_every_view_opens_for_every_kind_of_checkpoint(home: Path, name: str) -> None:
    for view in ("Confusion", "Calibration", "Map", "Label quality", "Compare"):
        app = query(checkpoint=name, view=view, labels="fer2013")
        assert not app.exception and not app.error, view


def test_a_selection_in_the_address_is_what_the_table_has(home: Path) -> None:
    app = query(labels="fer2013", true="fear", predicted="sad", outcome="any")
    found = evaluations.outcomes(OWN)
    n = confusion(found)[found.names.index("fear"), found.names.index("sad")]
    assert f"{n:,} of 3,589 pictures" in words(app)
    assert "fear taken for sad" in words(app)
    app.selectbox(key="outcome").set_value("right").run()
    assert "0 of 3,589 pictures" in words(app)
    next(button for button in app.button if button.label == "Clear").click().run()
    assert f"{int((~found.right).sum()):,} of 3,589 pictures" in words(app)


def test_groups_and_reasons_select_too(home: Path) -> None:
    app = query(labels="fer2013", true="negative (group)", predicted="neutral (group)", people="label doubtful")
    found = evaluations.outcomes(OWN)
    negative = np.isin(np.array(found.names)[found.label], ["angry", "disgust", "fear", "sad"])
    neutral = np.isin(np.array(found.names)[found.prediction], ["neutral", "surprise"])
    n = int((negative & neutral & (found.reason == 2)).sum())
    assert n > 0 and f"{n:,} of 3,589 pictures" in words(app)


@pytest.mark.parametrize(
    "asked",
    [{"true": "<b>"}, {"sure": "nan"}, {"checkpoint": "../etc"}, {"data": "x"}, {"view": "x"}, {"face": "none"}],
)
def test_addresses_with_nonsense_are_no_crash(home: Path, asked: dict[str, str]) -> None:
    app = query(**asked)
    assert not app.exception
    if "checkpoint" in asked:
        assert "There is no model" in words(app).replace("\\", "")
    if "face" in asked:
        assert "is not among the answers" in words(app)


def test_faces_chosen_by_hand_are_kept_and_can_be_named(home: Path) -> None:
    key = selections.keep(["32298", "32299"])
    assert selections.keep(["32299", "32298", "32299"]) == key
    assert selections.kept(key) == {"32298", "32299"}
    assert "2 of 3,589 pictures" in words(query(labels="fer2013", set=key, outcome="any"))
    for bad in ("0" * 16, "../../etc"):
        with pytest.raises(InputError, match="not kept"):
            selections.kept(bad)
    app = query(labels="fer2013", set="0" * 16)
    assert not app.exception and "not kept" in app.error[0].value


def test_a_face_shows_its_answer_and_what_lies_beside_it(home: Path) -> None:
    app = query(labels="fer2013", face="32298")
    assert not app.exception and not app.error
    text = words(app)
    assert "Picture 32298" in text and "Nearest in the network's eyes" in text
    assert "There is no analysed video yet" in text


def test_moments_of_own_videos_lead_to_review(home: Path, analysis: object, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard.services import moments
    from fer_core.video.store import Analysis

    assert isinstance(analysis, Analysis)
    shutil.copytree(analysis.folder, places.store().folder("ab" * 16))
    table = analysis.timeline()
    p = table.loc[table["track"] >= 0, [name for name in table if name.startswith("p_")]]
    first, second = (name.removeprefix("p_") for name in p.iloc[0].nlargest(2).index)
    shown, searched = moments.between(first, second, 6)
    assert searched == 1 and shown
    video, moment = shown[0]
    assert video.id == "ab" * 16 and moment.start_s <= moment.peak_s <= moment.end_s
    row = table[(table["track"] == moment.track) & (np.isclose(table["time_s"], moment.peak_s))].iloc[0]
    assert {first, second} == {name.removeprefix("p_") for name in row[p.columns].astype(float).nlargest(2).index}
    assert moments.between("angry", "disgust", 6) == ([], 1)


def test_the_list_of_models_has_one_yardstick(home: Path) -> None:
    app = open_page("models")
    assert not app.exception and not app.error
    opened = {each.key.removeprefix("open-") for each in app.button if each.key and each.key.startswith("open-")}
    assert opened == set(checkpoint_names()) and "Recommended" in words(app)
    for labels, share in ((labels, single_view(DEFAULT_CHECKPOINT, labels)) for labels in ("ferplus7", "fer2013")):
        assert right(checkpoints.entry(DEFAULT_CHECKPOINT), labels) == pytest.approx(share)
        assert f"**{share:.1%}**" in words(app)
    app.segmented_control(key="whose").set_value("From the papers").run()
    assert DEFAULT_CHECKPOINT not in words(app).replace("\\", "") and "mru-2025-cnn" in words(app).replace("\\", "")
    app.segmented_control(key="whose").set_value("Added").run()
    assert not app.exception and "None of these is here yet" in words(app)


def test_the_worst_confusion_is_named_first_and_a_difference_says_which_way_is_better(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = query()
    said = [each.label for each in app.button if each.key and each.key.startswith("pair-")]
    assert said[0].startswith("36 % of disgust is taken for angry")
    drawn: list[dict[str, Any]] = []
    monkeypatch.setattr("dashboard.models.model.confusion.matrix", lambda **given: drawn.append(given))
    app = query(against="mobilenetv2-ferplus")
    assert not app.exception and "is better there" in words(app)
    for given in drawn:
        change, shade = np.array([[float(each) for each in row] for row in given["shown"]]), np.array(given["shade"])
        is_right = np.eye(len(change), dtype=bool)
        assert (np.sign(shade[is_right]) == np.sign(change[is_right]))[np.abs(change[is_right]) > 0.1].all()
        assert (np.sign(shade[~is_right]) == -np.sign(change[~is_right]))[np.abs(change[~is_right]) > 0.1].all()
    assert len(drawn) == 2


@pytest.mark.parametrize("view", ["Robustness", "Curves", "Card", "Reproduction"])
def test_what_else_is_known_of_a_model(home: Path, view: str) -> None:
    app = open_page("model", checkpoint="mru-2025-cnn", view=view)
    assert not app.exception and not app.error and app.title[0].value.startswith("CNN")


def test_a_damaged_checkpoint_is_listed_with_its_reason(home: Path) -> None:
    folder = added_folder() / "broken"
    folder.mkdir(parents=True)
    try:
        (folder / "card.json").write_text("{")
        assert "not valid JSON" in words(open_page("models")).replace("\\", "")
        app = open_page("model", checkpoint="broken")
        assert not app.exception and "not valid JSON" in app.error[0].value.replace("\\", "")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def copied() -> list[tuple[str, bytes]]:
    """The files of the default checkpoint under another name."""
    folder = checkpoints_folder() / DEFAULT_CHECKPOINT
    card = json.loads((folder / "card.json").read_text()) | {"name": "mine"}
    return [("net.safetensors", (folder / "model.safetensors").read_bytes()), ("card.json", json.dumps(card).encode())]


def test_a_checkpoint_is_added_used_and_removed(home: Path, copied: list[tuple[str, bytes]]) -> None:
    job = run(checkpoints.add(copied))
    assert (job.state, job.error, job.info) == ("done", "", {"checkpoint": "mine"})
    try:
        assert "mine" in checkpoint_names()
        assert evaluations.tables("mine") == {}
        assert "was not evaluated yet" in words(query(checkpoint="mine", view="Errors"))
        again = run(checkpoints.add(copied))
        assert again.state == "failed" and "already" in again.error
    finally:
        checkpoints.remove("mine")
    assert "mine" not in checkpoint_names()
    with pytest.raises(CheckpointError, match="not removed from here"):
        checkpoints.remove(DEFAULT_CHECKPOINT)


@pytest.mark.parametrize("name", ["model.pt", "weights.PTH", "a.ckpt", "a.pkl", "pytorch_model.bin", "net.h5"])
def test_pickles_are_refused_with_the_reason(home: Path, copied: list[tuple[str, bytes]], name: str) -> None:
    with pytest.raises(UploadError, match="can hold a program"):
        checkpoints.add([(name, b"x"), copied[1]])
    assert jobs.with_state("ready", "queued") == [] and list(places.uploads().iterdir()) == []


@pytest.mark.parametrize("spoil", ["no card", "truncated", "a pickle in disguise", "another network", "two weights"])
def test_what_is_no_checkpoint_is_refused_and_leaves_nothing(
    home: Path, copied: list[tuple[str, bytes]], spoil: str
) -> None:
    (weights_name, weights), (_, card) = copied
    files = {
        "no card": [copied[0]],
        "two weights": [*copied, ("b.safetensors", weights)],
        "truncated": [(weights_name, weights[:1000]), copied[1]],
        "a pickle in disguise": [(weights_name, b"\x80\x04\x95" + bytes(100)), copied[1]],
        "another network": [copied[0], ("card.json", card.replace(b'"hidden": [128]', b'"hidden": [64]'))],
    }[spoil]
    if spoil in ("no card", "two weights"):
        with pytest.raises(UploadError, match="two files"):
            checkpoints.add(files)
    else:
        job = run(checkpoints.add(files))
        assert job.state == "failed" and job.error and "mistake" not in job.error
    assert "mine" not in checkpoint_names() and list(places.uploads().iterdir()) == []


def test_a_data_set_is_pointed_to_evaluated_and_forgotten(faces: str, tmp_path: Path) -> None:
    assert [each.name for each in datasets.pointed()] == [faces]
    app = open_page("settings")
    assert not app.exception and not app.error and faces in words(app)
    opened = datasets.find(faces).open()
    classes = datasets.classes(faces)
    assert {row.name.lower(): row.emotion for row in classes}["angry"] == "angry"
    assert sum(row.n for row in classes) == sum(sum(opened.counts(each).values()) for each in opened.splits)
    split = opened.default_split
    job = run(evaluations.ask(DEFAULT_CHECKPOINT, faces, split, skip_unreadable=False, find_faces=False))
    assert (job.state, job.error) == ("done", "")
    table = f"{faces}-{split}"
    n = len(datasets.faces(faces, split))
    try:
        assert table in evaluations.tables(DEFAULT_CHECKPOINT)
        app = query(data=table, outcome="any")
        assert not app.exception and not app.error and f"{n} of {n} pictures" in words(app)
        assert "Numbers without pictures" not in words(app)
        shutil.rmtree(tmp_path / "drawn")
        app = query(data=table)
        assert not app.exception and "Numbers without pictures" in words(app)
    finally:
        shutil.rmtree(places.below("evaluations"))
    datasets.forget(faces)
    assert datasets.pointed() == []


def test_an_unreadable_picture_stops_an_evaluation_with_its_name_or_is_counted(faces: str) -> None:
    found = datasets.faces(faces, datasets.find(faces).open().default_split)
    broken = next(datasets.find(faces).path.rglob(Path(str(found.ids[0])).name))
    broken.write_bytes(b"no picture")
    job = run(evaluations.ask(DEFAULT_CHECKPOINT, faces, found.split, skip_unreadable=False, find_faces=False))
    assert job.state == "failed" and broken.name in job.error
    job = run(evaluations.ask(DEFAULT_CHECKPOINT, faces, found.split, skip_unreadable=True, find_faces=False))
    assert job.state == "done" and job.info["left_out"] == 1 and job.info["n"] == len(found) - 1
    assert broken.name in job.info["first"]
    shutil.rmtree(places.below("evaluations"))


def test_a_table_of_photos_and_people_is_shown_with_intervals_and_odd_photos(home: Path, tmp_path: Path) -> None:
    for i in range(6):
        draw(tmp_path / "faces" / f"{i}.png", i, size=(200, 150))
    rows = [f"{i}.png,{EMOTIONS[i]},p{i % 3}" for i in range(5)] + ["5.png,bored,p0"]
    (tmp_path / "faces/list.csv").write_text("\n".join(["picture,emotion,subject", *rows]))
    name = datasets.add(str(tmp_path / "faces/list.csv")).name
    app = open_page("settings")
    assert not app.exception and not app.error
    for told in (
        "file: picture, label: emotion, person: subject",
        "3 people are told apart",
        "faces are looked for: all",
        "1 left out, label 'bored' is no emotion",
    ):
        assert told in words(app).replace("\\", ""), told
    pointed = datasets.Pointed("folder", tmp_path / "faces")
    (tmp_path / "faces/list.csv").write_text("\n".join(["picture,emotion,subject", *rows[:2]]) + "\n")
    assert pointed.open().counts("all") == {"angry": 1, "disgust": 1}
    (tmp_path / "faces/list.csv").write_text("\n".join(["picture,emotion,subject", *rows]))
    assert pointed.open().counts("all") == dict.fromkeys(EMOTIONS[:5], 1)
    job = run(evaluations.ask(DEFAULT_CHECKPOINT, name, "all", skip_unreadable=False, find_faces=True))
    assert (job.state, job.error) == ("done", "")
    try:
        n_faces = evaluations.evaluation(DEFAULT_CHECKPOINT, f"{name}-all").n_faces
        none = [f"{i}.png" for i in np.flatnonzero(n_faces == 0)]
        assert ([*job.info["faces"]] != []) == bool((n_faces != 1).any())
        app = query(data=f"{name}-all", outcome="any")
        said = words(app).replace("\\", "")
        assert not app.exception and "95 % intervals by person (3 people); so few" in said
        assert bool(none) == (f"taken whole: {', '.join(none)}" in said)
        accuracy = next(metric for metric in app.metric if metric.label == "Accuracy")
        assert re.fullmatch(r"\d+\.\d – \d+\.\d", accuracy.delta)
    finally:
        shutil.rmtree(places.below("evaluations"))


@pytest.mark.parametrize("path", ["", "relative/folder", "/nowhere/at/all"])
def test_pointing_to_nothing_says_what_to_do(home: Path, path: str) -> None:
    with pytest.raises((InputError, DataError)) as caught:
        datasets.add(path)
    assert len(str(caught.value)) > 20
    assert datasets.pointed() == []


def test_pictures_are_served_by_id_and_by_row(client: TestClient, faces: str) -> None:
    split = datasets.find(faces).open().default_split
    found = datasets.faces(faces, split)
    answer = client.get(f"/api/picture/{faces}/{split}", params={"id": str(found.ids[0])})
    assert answer.status_code == 200 and answer.content == found.encoded(0)[0]
    assert client.get(f"/api/picture/{faces}/{split}", params={"id": "../../etc/passwd"}).status_code == 422
    assert client.get(f"/api/picture/none/{split}", params={"id": "1"}).status_code == 422
    assert client.get(f"/api/faces/{DEFAULT_CHECKPOINT}/{TABLE}/0").status_code == 422
    assert client.get("/api/map/../../etc").status_code == 404
    assert client.get("/api/map/" + "0" * 64).status_code == 404


def test_heatmaps_of_a_face_are_made_once_and_kept(faces: str) -> None:
    split = datasets.find(faces).open().default_split
    source = {"dataset": faces, "split": split, "id": str(datasets.faces(faces, split).ids[0])}
    asks = [
        explained.make_ask(DEFAULT_CHECKPOINT),
        explained.make_ask(DEFAULT_CHECKPOINT, "happy", other=["angry", "sad"]),
    ]
    key = explained.ask([source], asks)
    assert run(key).error == ""
    (found,) = explained.answer(key)["sources"]
    first, second = found["answers"]
    assert first["explained"] == first["answer"] == max(first["scores"], key=first["scores"].get)
    assert second["explained"] == "happy" and first["layers"] == second["layers"] and len(first["layers"]) > 5
    assert len({found["crop"], first["picture"], second["picture"]}) == 3
    assert (first["method"], first["layer"]) == ("hirescam", "backbone.6+backbone.4")  # its own, by name
    assert explained.ask([source], asks) == key and jobs.get(key).state == "done"  # type: ignore[union-attr]
    with pytest.raises(CheckpointError):
        explained.ask([source], [explained.make_ask("../../etc")])


def test_a_picture_without_a_face_is_told_and_others_can_be_chosen(home: Path, portrait: np.ndarray) -> None:
    import cv2

    def ask(picture: np.ndarray) -> jobs.Job:
        data = cv2.imencode(".png", picture[..., ::-1])[1].tobytes()
        source = {"picture": pictures.keep("a.PNG", data), "face": 3}
        return run(explained.ask([source], [explained.make_ask(DEFAULT_CHECKPOINT)]))

    assert "No face was found" in ask(np.full((200, 200, 3), 90, np.uint8)).error
    job = ask(portrait)
    assert job.state == "done" and explained.answer(job.id)["sources"][0]["n_faces"] == 1
    for name, data in (("a.png", b""), ("a.exe", b"x"), ("a.svg", b"<svg/>"), ("b.jpg", b"not a picture")):
        with pytest.raises(UploadError, match="no picture"):
            pictures.keep(name, data)
    cut = cv2.imencode(".png", portrait)[1].tobytes()[:60]
    broken = {"picture": pictures.keep("scan", cut), "face": 0}
    assert run(explained.ask([broken], [explained.make_ask(DEFAULT_CHECKPOINT)])).state == "failed"
    escaped = {"picture": "../../jobs.sqlite", "face": 0}
    assert "not kept" in run(explained.ask([escaped], [explained.make_ask(DEFAULT_CHECKPOINT)])).error


def test_a_map_is_made_by_the_worker_and_found_by_its_content(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = evaluations.evaluation(DEFAULT_CHECKPOINT, TABLE)
    key = maps.key_of(table, "pca", 2, 0)
    assert maps.found(key) is None
    job_id = maps.ask(DEFAULT_CHECKPOINT, TABLE, "pca", 2, 0)
    assert maps.ask(DEFAULT_CHECKPOINT, TABLE, "pca", 2, 0) == job_id  # it waits already
    assert run(job_id).error == ""
    made = maps.found(key)
    assert made is not None and made.positions.shape == (len(table), 2)
    sent = np.frombuffer(client.get(f"/api/map/{key}").content, "<f4").reshape(-1, 2)
    np.testing.assert_array_equal(sent, made.positions)
    app = query(view="Map", projection="PCA")
    assert not app.exception and not app.error and "Trustworthiness" in words(app)


def test_decisions_about_labels_change_the_figures_and_can_be_undone(home: Path) -> None:
    app = query(view="Label quality", labels="fer2013", face="32298")
    app.selectbox(key="new-32298").set_value("happy").run()
    next(button for button in app.button if button.label == "Relabel").click().run()
    assert evaluations.review("fer2013").corrections == {"32298": "happy"}
    corrected = evaluations.outcomes(Question(DEFAULT_CHECKPOINT, TABLE, "fer2013", corrected=True))
    row = int(np.flatnonzero(corrected.ids == "32298")[0])
    assert corrected.names[corrected.label[row]] == "happy"
    next(button for button in app.button if button.label == "Drop").click().run()
    corrected = evaluations.outcomes(Question(DEFAULT_CHECKPOINT, TABLE, "fer2013", corrected=True))
    assert len(corrected) == 3588
    app.button(key="review-undo").click().run()
    app.button(key="review-undo").click().run()
    assert evaluations.review("fer2013").corrections == {} and not app.exception
    shutil.rmtree(places.below("reviews"))


def test_explain_says_what_to_do_without_faces(home: Path) -> None:
    for kind in ("Data set", "Picture", "Webcam", "Video"):
        app = open_page("face", **{"from": kind})
        assert not app.exception and not app.error, kind
    assert "no analysed video" in words(open_page("face", **{"from": "Video"}))


def test_tables_of_an_analysis_hold_what_the_csv_of_a_selection_says(home: Path) -> None:
    from fer_core.evaluation import Selection, selection_table

    found = evaluations.outcomes(OWN)
    mask = Selection(true="fear", predicted="sad").mask(found)
    table = selection_table(found, mask)
    assert isinstance(table, pd.DataFrame) and len(table) == mask.sum()
    assert set(table["label"]) == {"fear"} and set(table["prediction"]) == {"sad"}


def put_table(
    labels: list[str], *, k: int = 7, d: int = 4, sure: float = 1.0, checkpoint: str = DEFAULT_CHECKPOINT
) -> list[str]:
    """An evaluation on a data set called odd, with ids as hostile as file names can be; the ids."""
    ids = [f"angry/ä #{i}?&'\"<b>.png" for i in range(len(labels))]
    logits = sure * np.random.default_rng(0).normal(size=(len(labels), k))
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    columns = {"id": ids, "label_odd": labels}
    columns |= {f"logit_{name}": logits[:, i] for i, name in enumerate(EMOTIONS8[:k])}
    columns |= {f"p_{name}": (p / p.sum(axis=1, keepdims=True))[:, i] for i, name in enumerate(EMOTIONS8[:k])}
    columns |= {f"f_{i:03}": logits[:, i] for i in range(d)}
    folder = places.below("evaluations") / checkpoint
    folder.mkdir(exist_ok=True)
    pd.DataFrame(columns).to_parquet(folder / "odd-test.parquet")
    return ids


@pytest.fixture
def tables(home: Path) -> Iterator[None]:
    """Leaves no table behind."""
    yield
    shutil.rmtree(places.below("evaluations"))


def test_networks_of_seven_and_of_eight_emotions_are_compared(tables: None) -> None:
    other = checkpoint_names()[1]
    put_table(["sad", "happy"] * 8)
    put_table(["sad", "happy"] * 8, k=8, checkpoint=other)
    for first, second in ((DEFAULT_CHECKPOINT, other), (other, DEFAULT_CHECKPOINT)):
        app = query(checkpoint=first, data="odd-test", against=second)
        assert not app.exception and not app.error


@pytest.mark.parametrize(("labels", "d"), [(["sad", "happy"] * 4, 0), (["contempt", "sad"] * 4, 4), (["sad"], 4)])
def test_small_and_poor_tables_open(tables: None, labels: list[str], d: int) -> None:
    ids = put_table(labels, d=d, sure=500.0)
    app = query(data="odd-test", outcome="any", face=ids[0])
    assert not app.exception and not app.error
    assert ("holds no features" in words(app)) == (d == 0)


def test_a_selected_emotion_that_other_labels_do_not_know_is_no_crash(home: Path) -> None:
    app = query(labels="ferplus8_majority", true="contempt")
    app.selectbox(key="labels").set_value("fer2013").run()
    assert not app.exception and not app.error and app.selectbox(key="true").value == "any"


@pytest.mark.parametrize("what", ["evaluations", "reviews", "selections", "a list", "an entry"])
def test_damaged_files_are_told_and_no_crash(tables: None, what: str) -> None:
    folder = places.below("evaluations") / DEFAULT_CHECKPOINT
    folder.mkdir()
    spoilt, text = {
        "evaluations": (folder / f"{TABLE}.parquet", "no table"),
        "reviews": (places.below("reviews") / "fer2013.json", "{"),
        "selections": (places.below("selections") / f"{'a' * 16}.json", "[1"),
        "a list": (places.home() / "datasets.json", "7"),
        "an entry": (places.home() / "datasets.json", '[{"name": "x"}, {"name": "y", "path": 3}, 5]'),
    }[what]
    spoilt.write_text(text)
    try:
        app = query(labels="fer2013", **({"set": "a" * 16} if what == "selections" else {}))
        assert not app.exception and bool(app.error) == (spoilt.name != "datasets.json")
    finally:
        spoilt.unlink()


def test_two_pages_that_ask_the_same_at_once_make_one_job(home: Path) -> None:
    jobs.add("d" * 32, kind="explain", name="first")
    jobs.add("d" * 32, kind="explain", name="second")
    job = jobs.get("d" * 32)
    assert job is not None and job.name == "first"


def test_a_checkpoint_that_takes_the_name_of_another_inherits_nothing(
    tables: None, copied: list[tuple[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(checkpoints.add(copied))
    try:
        before = warm.classifier("mine")
        assert warm.classifier("mine") is before
        checkpoints.remove("mine")
        put_table(["sad"], checkpoint="mine")  # as of an evaluation that ended after the checkpoint was removed
        card = json.loads(copied[1][1]) | {"temperature": 3.0}
        assert run(checkpoints.add([copied[0], ("card.json", json.dumps(card).encode())])).state == "done"
        assert evaluations.tables("mine") == {}
        assert warm.classifier("mine").card.temperature == 3.0
    finally:
        checkpoints.remove("mine")


def test_an_evaluation_of_a_removed_checkpoint_is_not_kept(
    faces: str, tables: None, copied: list[tuple[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(checkpoints.add(copied))
    classifier = warm.classifier("mine")
    job_id = evaluations.ask("mine", faces, "test", skip_unreadable=False, find_faces=False)
    checkpoints.remove("mine")
    monkeypatch.setattr(warm, "classifier", lambda _: classifier)
    assert "no checkpoint 'mine'" in run(job_id).error and not (places.below("evaluations") / "mine").exists()


def test_heatmaps_follow_the_data_set_and_survive_damage(faces: str, tmp_path: Path) -> None:
    source = {"dataset": faces, "split": "test", "id": str(datasets.faces(faces, "test").ids[0])}
    asks = [explained.make_ask(DEFAULT_CHECKPOINT)]
    key = explained.ask([source], asks)
    assert run(key).state == "done"
    (places.below("explained") / f"{key}.json").write_text("{")
    with pytest.raises(StoreError, match="damaged"):
        explained.answer(key)
    assert explained.ask([source], asks) == key and run(key).state == "done" and explained.answer(key)["sources"]
    datasets.forget(faces)
    per_emotion(tmp_path / "other", dict.fromkeys(EMOTIONS, 2), split="test")
    datasets.add(str(tmp_path / "other"), faces)
    assert explained.ask([source], asks) != key, "the same id is another picture now"


def test_heatmaps_without_weights_say_so(home: Path, copied: list[tuple[str, bytes]]) -> None:
    folder = added_folder() / "mine"
    folder.mkdir(parents=True)
    try:
        (folder / "card.json").write_bytes(copied[1][1])
        with pytest.raises(CheckpointError, match="weights of mine are missing"):
            explained.ask([{"picture": "x.png", "face": 0}], [explained.make_ask("mine")])
    finally:
        shutil.rmtree(folder)


def test_pictures_that_came_or_went_are_noticed(faces: str, tmp_path: Path) -> None:
    n = len(datasets.faces(faces, "test"))
    some = next((tmp_path / "drawn").rglob("*.*g"))
    os.utime(some.parent, (0, 0))  # however coarse the clock of the file system is
    shutil.copy(some, some.with_name(f"new{some.suffix}"))
    assert len(datasets.faces(faces, "test")) == n + 1


def test_the_same_data_set_twice_below_fer_data_has_two_names(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("a", "b"):
        per_emotion(tmp_path / folder / "faces", dict.fromkeys(EMOTIONS, 1), split="test")
    monkeypatch.setenv("FER_DATA", str(tmp_path))
    assert [each.name for each in datasets.pointed()] == ["faces", "b"]
    assert not open_page("settings").exception


@pytest.mark.parametrize("path", ["~nobody-of-this-name/data", "/" + "x" * 5000, "/a\0b"])
def test_paths_that_cannot_be_are_told(home: Path, path: str) -> None:
    with pytest.raises(DataError):
        datasets.add(path)


@pytest.mark.parametrize("change", [{"data": []}, {"metrics": ["x"]}, {"notes": [1]}, {"metrics": [{"ece": "x"}]}])
def test_a_card_with_nonsense_does_not_break_the_pages(
    home: Path, copied: list[tuple[str, bytes]], change: dict[str, object]
) -> None:
    folder = added_folder() / "mine"
    folder.mkdir(parents=True)
    try:
        (folder / "card.json").write_text(json.dumps(json.loads(copied[1][1]) | change))
        (folder / "history.csv").write_text("epoch,val_loss,minutes\n1,0.5,\n")
        for page in ("models", "model"):
            assert not open_page(page, checkpoint="mine").exception
        entry = next(entry for entry in checkpoints.entries() if entry.name == "mine")
        assert bool(entry.error) == (change != {"metrics": [{"ece": "x"}]})
    finally:
        shutil.rmtree(folder)


def test_copies_are_those_of_the_folder_that_is_pointed_to(faces: str, tables: None, tmp_path: Path) -> None:
    from dashboard.services import quality

    def ids() -> list[str]:
        found = quality._pairs(datasets.faces(faces, "test"))
        return found[0]

    before = ids()
    datasets.forget(faces)
    per_emotion(tmp_path / "other", dict.fromkeys(EMOTIONS, 3), split="test")
    datasets.add(str(tmp_path / "other"), faces)
    assert len(ids()) == 3 * len(EMOTIONS) > len(before)


def test_explain_follows_a_change_of_the_data_set(faces: str, tmp_path: Path) -> None:
    per_emotion(tmp_path / "zother", dict.fromkeys(EMOTIONS[:2], 1), split="val")
    other = datasets.add(str(tmp_path / "zother")).name
    app = open_page("face", dataset=faces, id=str(datasets.faces(faces, "test").ids[-1]))
    assert not app.exception and not app.error
    app.selectbox(key="dataset").set_value(other).run()
    assert not app.exception and not app.error


def test_an_emotion_beside_itself_is_no_crash(faces: str) -> None:
    asked = {"dataset": faces, "target": "happy", "other": "happy", "check": "true"}
    open_page("face", **asked)
    (job,) = [job for job in jobs.with_state("queued") if job.kind == "explain"]
    assert run(job.id).error == ""
    app = open_page("face", **asked)
    assert not app.exception and not app.error


def test_damaged_features_of_a_video_are_told(home: Path, analysis: object) -> None:
    from dashboard.services import paths
    from fer_core.video.store import Analysis

    assert isinstance(analysis, Analysis)
    folder = places.store().folder("ab" * 16)
    shutil.copytree(analysis.folder, folder)
    (folder / "features.parquet").write_bytes(b"no table")
    table = evaluations.evaluation(DEFAULT_CHECKPOINT, TABLE)
    job = maps.ask(DEFAULT_CHECKPOINT, TABLE, "pca", 2, 0)
    run(job)
    made = maps.found(maps.key_of(table, "pca", 2, 0))
    assert made is not None
    with pytest.raises(StoreError, match="damaged"):
        paths.video_path(("ab" * 16, 0), DEFAULT_CHECKPOINT, table, made)


@pytest.mark.parametrize("odd", ["", "inf", "1e999", "%00", "[]", "-1"])
def test_every_key_of_an_address_may_hold_nonsense(faces: str, odd: str) -> None:
    keys = ("true", "predicted", "outcome", "sure", "set", "face", "labels", "surprise", "cells", "against", "least")
    more = ("projection", "dimensions", "seed", "colour", "beside", "clean")
    for view in ("Confusion", "Map", "Calibration", odd):
        assert not query(view=view, **dict.fromkeys((*keys, *more), odd)).exception, view
    asked = ("from", "beside", "target", "other", "methods", "check", "features", "split", "id", "analysis")
    for kind in ("Data set", "Video", odd):
        assert not open_page("face", **dict.fromkeys(asked, odd) | {"from": kind}).exception, kind
