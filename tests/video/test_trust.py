"""When scores are not to be trusted: every reason on a row computed by hand, and what a checkpoint's reference says."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from fer_core.errors import CheckpointError, InputError
from fer_core.faces.crops import SIDE_PER_EYE_DISTANCE, crop_squares
from fer_core.models.folders import checkpoint_names, checkpoints_folder
from fer_core.models.reference import EDGES, Reference, edge_histograms, load_reference
from fer_core.signals.pose import MEAN_FACE
from fer_core.video.columns import LANDMARK_COLUMNS
from fer_core.video.reasons import LIMITS, REASONS, Limits
from fer_core.video.trust import MEASURES, NOSE_HEIGHT, measures, nose_offsets, reasons, with_reasons
from tests.support.turned import rotation
from training.reference import OCCLUDERS, cover, fit_probe

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
FRONTAL = np.array([[80, 80], [120, 80], [100, 80 + 40 * NOSE_HEIGHT], [84, 120], [116, 120]], np.float64)
PICTURE = {"width": 200, "height": 200}
CODES = [reason.code for reason in REASONS]


def row(landmarks: np.ndarray = FRONTAL, **values: object) -> dict[str, object]:
    """A face with which all is well; ``values`` replace its columns."""
    p = dict.fromkeys((f"p_{label}" for label in LABELS), 0.01) | {"p_happy": 0.94}
    fine = {
        "frame": 0, "time_s": 0.0, "track": 0, "source": "detected", "sharpness": 900.0, "brightness": 0.5,
        "distance": 0.6, "occlusion": 0.1, **dict(zip(LANDMARK_COLUMNS, landmarks.ravel(), strict=True)), **p,
    }  # fmt: skip
    return fine | values


def codes(*rows: dict[str, object], **limits: float) -> list[list[str]]:
    found = reasons(pd.DataFrame(rows), **PICTURE, limits=Limits(**limits))
    assert found.shape == (len(rows), len(CODES)) and found.dtype == bool
    return [[code for code, holds in zip(CODES, each, strict=True) if holds] for each in found]


def turned(degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (FRONTAL - 100) @ turn + 100


def turned_face(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Landmarks of the mean face, in eye distances."""
    return (MEAN_FACE @ rotation(yaw, pitch, roll).T)[:, :2]


def test_a_good_face_has_no_reason_against_it() -> None:
    assert codes(row()) == [[]]


@pytest.mark.parametrize(
    ("name", "at", "beyond", "code"),
    [
        ("sharpness", Limits().min_sharpness, Limits().min_sharpness - 1, "blurred"),
        ("brightness", 0.5, Limits().min_brightness / 2, "dark"),
        ("occlusion", 0.1, Limits().max_occlusion + 0.01, "occluded"),
        ("distance", Limits().max_distance, Limits().max_distance + 0.01, "far"),
    ],
)
def test_values_beyond_a_limit(name: str, at: object, beyond: object, code: str) -> None:
    assert codes(row(**{name: at}), row(**{name: beyond})) == [[], [code]]


def test_small_is_the_side_of_the_square_that_is_cut() -> None:
    side = SIDE_PER_EYE_DISTANCE * 40  # the eyes are 40 px apart
    table = pd.DataFrame([row()])
    assert measures(table, **PICTURE)["side_px"][0] == pytest.approx(side, rel=1e-6)
    assert codes(row(), min_side_px=side + 0.1) == [["small"]]
    assert codes(row(), min_side_px=side - 0.1) == [[]]
    assert codes(row((FRONTAL - 100) / 6 + 100)) == [["small"]]


@pytest.mark.parametrize(("turn", "limit"), [((30, 0, 0), "max_yaw_deg"), ((-30, 0, 0), "max_yaw_deg"),
                                            ((0, 30, 0), "max_pitch_deg"), ((0, -30, 0), "max_pitch_deg"),
                                            ((0, 0, 30), "max_tilt_deg"), ((0, 0, -30), "max_tilt_deg")])  # fmt: skip
def test_turned_and_tilted_are_angles_of_the_head(turn: tuple[float, float, float], limit: str) -> None:
    face = 40 * turned_face(*turn) + 100
    code = "tilted" if limit == "max_tilt_deg" else "turned"
    assert codes(row(face), **{limit: 30.5}) == [[]]
    assert codes(row(face), **{limit: 29.5}) == [[code]]


def test_limits_of_earlier_versions_keep_deciding_by_eye_distances() -> None:
    old = {name: value for name, value in asdict(Limits(max_turn=0.26, max_nod=0.21)).items() if "_deg" not in name}
    limits = Limits.from_json(old | {"max_tilt_deg": 35.0})
    nose, nod = FRONTAL.copy(), FRONTAL.copy()
    nose[2, 0] += 0.25 * 40
    nod[2, 1] -= 0.2 * 40
    turn, height = nose_offsets(np.stack([nose, nod]).astype(np.float32))
    assert (turn[0], height[1]) == (pytest.approx(0.25), pytest.approx(0.2))
    assert codes(row(nose), row(nod), **asdict(limits)) == [[], []]
    assert codes(row(nose), row(nod), **asdict(limits) | {"max_turn": 0.24, "max_nod": 0.19}) == [["turned"]] * 2
    assert codes(row(40 * turned_face(80, 0, 0) + 100), **asdict(limits) | {"max_turn": 1e3, "max_nod": 1e3}) == [[]]
    assert Limits.from_json(asdict(limits)) == limits, "what was read is written so that it reads the same again"


def test_every_limit_belongs_to_one_reason_and_every_measure_exists() -> None:
    assert set(LIMITS) == {field.name for field in fields(Limits)}
    assert sum(len(reason.limits) for reason in REASONS) == len(LIMITS)
    assert {limit.measure for limit in LIMITS.values()} <= set(MEASURES)
    with pytest.raises(InputError, match="There is no limit max_jaw"):
        Limits.from_json({"max_jaw": 1})


def test_edge_is_the_share_of_the_square_outside_of_the_picture() -> None:
    origin, x_axis, _ = crop_squares(FRONTAL[None])[0]
    out = FRONTAL - (origin[0] + 0.25 * x_axis[0], 0)  # a quarter of the square lies left of the picture
    assert measures(pd.DataFrame([row(out)]), **PICTURE)["outside"][0] == pytest.approx(0.25, abs=1e-5)
    assert codes(row(out), max_outside=0.26) == [[]]
    assert codes(row(out), max_outside=0.24) == [["edge"]]
    assert measures(pd.DataFrame([row(FRONTAL - 1000)]), **PICTURE)["outside"][0] == 1


def test_the_share_outside_of_tilted_squares_is_that_of_their_points() -> None:
    rng = np.random.default_rng(0)
    rows = [row(turned(rng.uniform(-60, 60)) + rng.uniform(-110, 110, 2)) for _ in range(50)]
    at = (np.arange(100) + 0.5) / 100
    grid = np.stack(np.meshgrid(at, at), axis=2).reshape(-1, 2)
    table = pd.DataFrame(rows)
    squares = crop_squares(table[list(LANDMARK_COLUMNS)].to_numpy().reshape(-1, 5, 2))
    points = squares[:, None, 0] + grid @ squares[:, 1:]
    expected = ((points < 0) | (points > 200)).any(axis=2).mean(axis=1)
    np.testing.assert_allclose(measures(table, **PICTURE)["outside"], expected, atol=0.02)


def test_flat_and_uncertain_are_about_the_probabilities() -> None:
    even = dict.fromkeys((f"p_{label}" for label in LABELS), 1 / 7)
    two = dict.fromkeys((f"p_{label}" for label in LABELS), 0.0) | {"p_happy": 0.5, "p_sad": 0.5}
    table = pd.DataFrame([row(**even), row(**two)])
    assert measures(table, **PICTURE)["entropy"].tolist() == pytest.approx([1, np.log(2) / np.log(7)], rel=1e-5)
    assert codes(row(**even), row(**two)) == [["flat"], []]
    assert codes(row(**two), max_entropy=0.35) == [["flat"]]
    assert codes(row(**two), min_probability=0.51) == [["uncertain"]]
    assert codes(row(**two), min_probability=0.5) == [[]]
    assert codes(row(**even), max_entropy=1.1) == [[]], "uncertain is off unless asked for"


def test_faceless_rows_have_no_reason_and_are_not_usable() -> None:
    empty = {name: np.nan for name in row() if name not in ("frame", "time_s", "track", "source")}
    table = pd.DataFrame([row(), row(track=-1, source=None, **empty), row(track=-1, source="refined", brightness=0)])
    judged = with_reasons(table, **PICTURE, limits=Limits(min_probability=1.0))
    why = judged[[f"why_{code}" for code in CODES]]
    assert why.any(axis=1).tolist() == [True, False, False]
    assert judged["usable"].tolist() == [False, False, False]
    assert measures(table, **PICTURE).isna().all(axis=1).tolist() == [False, True, True]


def test_missing_columns_and_missing_values_raise_nothing() -> None:
    strict = Limits(1e9, 1e9, 1e9, *[-1] * 7, 1e9, -1, -1)
    nothing = row(**{name: np.nan for name in row() if name not in ("frame", "time_s", "track", "source")}, source=None)
    assert not reasons(pd.DataFrame([nothing]), **PICTURE, limits=strict).any()
    bare = pd.DataFrame([row()])[["frame", "time_s", "track"]]
    assert not reasons(bare, **PICTURE, limits=strict).any()
    assert with_reasons(bare, **PICTURE, limits=strict)["usable"].all()
    older = pd.DataFrame([row()]).drop(columns=["distance", "occlusion"])
    found = dict(zip(CODES, reasons(older, **PICTURE, limits=strict)[0], strict=True))
    assert [code for code, holds in found.items() if not holds] == ["occluded", "far"]


def test_an_empty_table_stays_empty() -> None:
    judged = with_reasons(pd.DataFrame([row()])[:0], **PICTURE)
    assert len(judged) == 0 and judged["usable"].dtype == bool


def test_the_table_is_not_changed_and_keeps_its_index() -> None:
    table = pd.DataFrame([row(), row(brightness=0.0)], index=[7, 3])
    before = table.copy()
    judged = with_reasons(table, **PICTURE)
    pd.testing.assert_frame_equal(table, before)
    assert judged.index.tolist() == [7, 3]
    assert judged["why_dark"].tolist() == [False, True] and judged["usable"].tolist() == [True, False]


def reference(**changes: np.ndarray) -> Reference:
    """Training pictures whose features point into 101 directions from 0° to 20°, 0.2° apart."""
    angles = np.radians(np.linspace(0, 20, 101))
    parts = {"features": (5 * np.stack([np.cos(angles), np.sin(angles)], axis=1)).astype(np.float32)}
    return Reference(**(parts | changes))


def test_distance_is_in_units_of_the_farthest_training_pictures() -> None:
    """At either end the tenth nearest is 2° away, in the middle 1°; lengths do not count."""
    angles = np.radians([10, 0, -3, 30, 180])
    faces = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32) * [[1], [7], [0.1], [2], [3]]
    tenth = np.radians([1.0, 1.8, 4.8, 11.8, 161.8])  # the face itself is none of those that are stored
    own = [1 - np.cos(np.radians(0.2 * max(5, 10 - min(i, 100 - i)))) for i in range(101)]
    found = reference().distance(np.asarray(faces, np.float32))
    np.testing.assert_allclose(found, (1 - np.cos(tenth)) / np.percentile(own, 99), rtol=0.01, atol=2e-3)
    assert found.dtype == np.float32 and reference().distance(faces[:0].astype(np.float32)).shape == (0,)


def test_few_training_pictures_and_none_that_points_anywhere() -> None:
    few = reference(features=np.array([[1, 0], [0, 1]], np.float32))
    assert np.isfinite(few.distance(np.array([[1, 1], [0, 0]], np.float32))).all()
    assert np.isfinite(reference(features=np.zeros((3, 2), np.float32)).distance(np.ones((1, 2), np.float32))).all()


def test_distances_do_not_depend_on_how_many_are_asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = np.random.default_rng(0).normal(size=(10, 2)).astype(np.float32)
    wanted = reference().distance(faces)
    monkeypatch.setattr("fer_core.models.reference.BATCH", 3)
    np.testing.assert_allclose(reference().distance(faces), wanted, atol=1e-4)


def test_occlusion_is_a_probability_or_unknown() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    assert np.isnan(reference().occlusion(crops)).all()
    zero = np.zeros(EDGES, np.float32)
    for bias, probability in ((0.0, 0.5), (np.log(3), 0.75), (1e4, 1.0), (-1e4, 0.0)):
        probe = reference(occlusion_weights=zero, occlusion_bias=np.array([bias], np.float32))
        np.testing.assert_allclose(probe.occlusion(crops), probability, rtol=1e-6)
    assert probe.occlusion(crops[:0]).shape == (0,) and probe.occlusion(crops).dtype == np.float32


def test_edge_histograms_see_grey_and_colour_alike() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (2, 48, 48), dtype=np.uint8)
    colour = np.repeat(grey[..., None], 3, axis=3)
    found = edge_histograms(grey)
    assert found.shape == (2, EDGES) and np.isfinite(found).all() and found.max() > 0
    np.testing.assert_array_equal(found, edge_histograms(colour))
    assert edge_histograms(np.zeros((1, 96, 96), np.uint8)).shape == (1, EDGES)
    for wrong in (grey.astype(np.float32), grey[0], colour[..., :2]):
        with pytest.raises(InputError, match="Expected crops uint8"):
            edge_histograms(wrong)


def test_features_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match=r"Expected features \(n, 2\), got \(3, 5\)"):
        reference().distance(np.zeros((3, 5), np.float32))


def test_a_folder_without_reference(tmp_path: Path) -> None:
    assert load_reference(tmp_path) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"features": np.zeros(2, np.float32)}, "of shapes"),
        ({"features": np.array(1, np.float32)}, "of shapes"),
        ({"features": np.zeros((0, 2), np.float32)}, "of shapes"),
        ({"features": np.full((2, 2), np.nan, np.float32)}, "not finite"),
        ({"occlusion_weights": np.zeros(2, np.float32)}, "of shapes"),
        ({"occlusion_weights": np.full(EDGES, np.inf, np.float32)}, "not finite"),
        ({"weights": np.zeros(2, np.float32)}, "expected features, occlusion_bias, occlusion_weights"),
    ],
)
def test_a_damaged_reference_is_refused(tmp_path: Path, change: dict[str, np.ndarray], words: str) -> None:
    good = {"features": reference().features}
    before = {"means": np.zeros((7, 2), np.float32), "covariance": np.eye(2, dtype=np.float32)}
    save_file(good | before, tmp_path / "reference.safetensors")
    assert load_reference(tmp_path) is not None, "a file of an earlier version"
    save_file(good, tmp_path / "reference.safetensors")
    assert load_reference(tmp_path) is not None
    save_file(good | change, tmp_path / "reference.safetensors")
    with pytest.raises(CheckpointError, match=words):
        load_reference(tmp_path)


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "reference.safetensors"
    save_file({"means": np.zeros((7, 4), np.float32)}, path)
    with pytest.raises(CheckpointError, match="expected features"):
        load_reference(tmp_path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        load_reference(tmp_path)


@pytest.mark.parametrize("name", checkpoint_names())
def test_shipped_references(name: str) -> None:
    """About one in a hundred of the stored training pictures is far, or fewer, as each is nearest to itself; every
    shipped folder can tell covered faces."""
    found = load_reference(checkpoints_folder() / name)
    assert found is not None
    assert 0.004 < (found.distance(found.features) > 1).mean() < 0.012
    assert np.isfinite(found.occlusion(np.zeros((1, 48, 48), np.uint8))).all()


def faces_like(rng: np.random.Generator, n: int) -> np.ndarray:
    """Pictures with the same edges in slightly other light: two eyes, a mouth."""
    y, x = np.mgrid[:48, :48]
    face = 150 - 90 * sum(np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 18) for cx, cy in ((14, 19), (34, 19), (24, 37)))
    return np.clip(face * rng.uniform(0.8, 1.2, (n, 1, 1)) + rng.normal(0, 4, (n, 48, 48)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", sorted(OCCLUDERS))
def test_every_cover_hides_a_part_and_only_a_part(kind: str) -> None:
    rng = np.random.default_rng(0)
    faces = faces_like(rng, 20)
    covered = cover(faces, rng, [kind])
    changed = (np.abs(covered.astype(int) - faces) > 8).mean(axis=(1, 2))
    assert covered.shape == faces.shape and covered.dtype == np.uint8
    assert 0.03 < np.median(changed) < 0.75


def test_the_probe_tells_covered_faces_from_free_ones() -> None:
    rng = np.random.default_rng(0)
    weights, bias = fit_probe(faces_like(rng, 150), rng)
    others = faces_like(rng, 40)
    free, covered = (edge_histograms(x) @ weights + bias for x in (others, cover(others, rng)))
    assert (free[:, None] < covered[None]).mean() > 0.9
    assert weights.shape == (EDGES,) and bias.shape == (1,)
