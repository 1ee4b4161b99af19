"""Maps of faces: layouts, figures about them, neighbours, and how a map is kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fer_core import embeddings
from fer_core.embeddings import METHODS, Map, load_map, make_map, map_key, neighbours, place, project, quality, save_map
from fer_core.errors import Cancelled, InputError
from fer_core.progress import Progress

N = 120


@pytest.fixture(scope="module")
def clouds() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features (N, 16) of four overlapping clouds, their labels 0-3, and groups of two labels each."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, N)
    features = rng.normal(size=(4, 16))[labels] + rng.normal(size=(N, 16)) * 0.8
    return features.astype(np.float32), labels, labels // 2


class Watch:
    """Notes the progress, and asks to stop when ``limit`` shares were reported."""

    def __init__(self, limit: int = 10**9) -> None:
        self.seen: list[float] = []
        self.limit = limit

    def progress(self, now: Progress) -> None:
        self.seen.append(now.share)

    def should_stop(self) -> bool:
        return len(self.seen) >= self.limit


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_same_seed_gives_the_same_map(method: str, dimensions: int, clouds: tuple) -> None:
    features, labels, _ = clouds
    watch = Watch()
    first = project(features, method, dimensions=dimensions, progress=watch.progress, should_stop=watch.should_stop)
    again = project(features.astype(np.float64), method, dimensions=dimensions)
    other = project(features, method, dimensions=dimensions, seed=1)
    assert first.shape == (N, dimensions) and first.dtype == np.float32 and np.isfinite(first).all()
    assert np.array_equal(first, again)
    assert np.array_equal(first, other) == (method == "pca")
    assert watch.seen == sorted(watch.seen) and watch.seen[0] >= 0 and watch.seen[-1] == 1
    figures = quality(features, first, labels, labels)
    assert figures["purity_emotions_map"] > figures["chance_emotions"] + 0.3, "the clouds are apart"


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_cancelling_stops_between_the_steps_of_a_layout(method: str, clouds: tuple) -> None:
    everything = Watch()
    project(clouds[0], method, progress=everything.progress)
    middle = len(everything.seen) // 2
    assert 0.3 < everything.seen[middle] < 0.9, "so that a stop there is a stop within the layout"
    watch = Watch(limit=middle)
    with pytest.raises(Cancelled):
        project(clouds[0], method, progress=watch.progress, should_stop=watch.should_stop)
    assert watch.seen == everything.seen[:middle]
    with pytest.raises(Cancelled):
        project(clouds[0], "pca", should_stop=lambda: True)


def test_pca_is_that_of_scikit_learn_up_to_signs(clouds: tuple) -> None:
    from sklearn.decomposition import PCA

    ours, theirs = project(clouds[0], "pca", dimensions=3), PCA(3).fit_transform(clouds[0])
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n", [4, 5, 17])
def test_few_faces_and_faces_that_are_there_twice(method: str, n: int) -> None:
    rng = np.random.default_rng(n)
    features = rng.normal(size=(n, 6)).astype(np.float32)
    features[1] = features[0]
    made = make_map(features, np.arange(n) % 2, np.zeros(n, int), method, dimensions=3)
    assert made.positions.shape == (n, 3)
    assert np.isnan(made.quality["silhouette_groups_space"]) and made.quality["purity_groups_map"] == 1
    assert all(0 <= made.quality[name] <= 1 for name in ("trustworthiness", "stability", "procrustes"))


def test_what_cannot_be_mapped_is_refused(clouds: tuple) -> None:
    features = clouds[0]
    broken = features.copy()
    broken[3, 1], broken[7, 2] = np.nan, np.inf
    for values, message in (
        (features[:3], "at least 4 faces"),
        (features[:, :1], "at least 2 features"),
        (features[0], "Expected features"),
        (broken, "2 of 120 faces are not finite"),
        (np.ones((9, 5)), "All 9 faces have the same features"),
    ):
        with pytest.raises(InputError, match=message):
            project(values, "pca")
    for method, dimensions, seed in (("lda", 2, 0), ("pca", 4, 0), ("pca", 2, -1)):
        with pytest.raises(InputError, match="expected one of umap, tsne, pca"):
            project(features, method, dimensions=dimensions, seed=seed)
    with pytest.raises(InputError, match="labels"):
        make_map(features, clouds[1][1:], clouds[2], "pca")
    with pytest.raises(InputError, match="labels"):
        quality(features, features[:, :2], clouds[1], clouds[2][1:])
    with pytest.raises(InputError, match="maps"):
        quality(features, features[:, :2], clouds[1], clouds[2], other=features[:, :3])


# figures


def test_figures_equal_those_of_scikit_learn(clouds: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.manifold import trustworthiness
    from sklearn.metrics import silhouette_score

    monkeypatch.setattr("fer_core.embeddings.measures.BLOCK", 7 * N)  # several blocks, the last one short
    features, labels, groups = clouds
    positions = project(features, "pca")
    for k in (5, 15):
        figures = quality(features, positions, labels, groups, k=k)
        assert figures["trustworthiness"] == pytest.approx(trustworthiness(features, positions, n_neighbors=k))
    for name, classes in (("emotions", labels), ("groups", groups)):
        for where, points in (("space", features), ("map", positions)):
            expected = silhouette_score(points, classes)
            assert figures[f"silhouette_{name}_{where}"] == pytest.approx(expected, abs=1e-6)
            assert figures[f"purity_{name}_{where}"] == pytest.approx(purity_by_hand(points, classes, 15))


def purity_by_hand(points: np.ndarray, labels: np.ndarray, k: int) -> float:
    shares = []
    for i, point in enumerate(points.astype(float)):
        others = sorted((np.linalg.norm(point - other), j) for j, other in enumerate(points) if j != i)
        shares.append(np.mean([labels[j] == labels[i] for _, j in others[:k]]))
    return float(np.mean(shares))


def test_faces_without_a_label_do_not_count(clouds: tuple) -> None:
    from sklearn.metrics import silhouette_score

    features, labels, _ = clouds
    partly = np.where(np.arange(N) % 5 == 0, -1, labels)
    partly[1] = 9  # alone in its class
    figures = quality(features, features[:, :2], partly, np.full(N, -1))
    kept = partly >= 0
    expected = silhouette_score(features[kept], partly[kept])
    assert figures["silhouette_emotions_space"] == pytest.approx(expected, abs=1e-6)
    assert all(np.isnan(figures[f"{name}_groups_map"]) for name in ("silhouette", "purity"))
    assert np.isnan(figures["chance_groups"])


def test_purity_and_chance_on_a_line() -> None:
    """Faces at 0 1 2 10 11 12; with k = 2 each has the other two of its three as neighbours."""
    line = np.array([[0, 0], [1, 0], [2, 0], [10, 0], [11, 0], [12, 0]], np.float32)
    figures = quality(line, line, np.array([0, 0, 1, 1, 1, -1]), np.array([0, 0, 0, 1, 1, 1]), k=2)
    # shares of the labelled neighbours: 1/2, 1/2, 0, 1, 1, and the last face has no label
    assert figures["purity_emotions_space"] == figures["purity_emotions_map"] == pytest.approx(3 / 5)
    assert figures["purity_groups_space"] == 1
    assert figures["chance_emotions"] == pytest.approx((2 * 1 + 3 * 2) / (5 * 4))
    assert figures["trustworthiness"] == 1


def test_two_maps_are_compared_by_their_neighbours_and_shapes(clouds: tuple) -> None:
    from scipy.spatial import procrustes

    features, labels, groups = clouds
    points = project(features, "pca")
    turned = (points @ np.array([[0, 3], [-3, 0]]) + 7).astype(np.float32)
    same = quality(features, points, labels, groups, other=turned)
    assert same["stability"] == 1 and same["procrustes"] == pytest.approx(0, abs=1e-9)
    shuffled = quality(features, points, labels, groups, other=points[::-1])
    assert shuffled["stability"] < 0.3
    assert shuffled["procrustes"] == pytest.approx(procrustes(points, points[::-1])[2])
    assert "stability" not in quality(features, points, labels, groups)
    line = np.array([[0, 0], [1, 0], [3, 0], [6, 0], [10, 0]], np.float32)
    moved = line[[0, 1, 2, 4, 3]]  # nearest, in line: 1 0 1 2 3; in moved: 1 0 1 4 2
    assert quality(line, line, np.zeros(5, int), np.zeros(5, int), other=moved, k=1)["stability"] == 0.6


def test_quality_reports_and_stops(clouds: tuple) -> None:
    features, labels, groups = clouds
    watch = Watch()
    quality(features, features[:, :2], labels, groups, progress=watch.progress)
    assert watch.seen == sorted(watch.seen) and watch.seen[-1] == 1
    watch = Watch(limit=2)
    with pytest.raises(Cancelled):
        quality(features, features[:, :2], labels, groups, progress=watch.progress, should_stop=watch.should_stop)


# neighbours and places


def test_neighbours_are_exact(clouds: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    features = clouds[0] + 100  # far from the origin, where float32 is coarse
    distances = np.linalg.norm(features[:, None].astype(float) - features, axis=2)
    monkeypatch.setattr("fer_core.embeddings.nearest.BLOCK", 7 * N)
    rows, lengths = neighbours(features, np.arange(N), 4)
    np.fill_diagonal(distances, np.inf)
    assert np.array_equal(rows, distances.argsort(axis=1)[:, :4])
    np.testing.assert_allclose(lengths, np.sort(distances, axis=1)[:, :4], rtol=1e-5)
    rows, lengths = neighbours(features, features[[5, 9]], 3)
    assert rows[:, 0].tolist() == [5, 9] and lengths[:, 0].tolist() == [0, 0]
    assert neighbours(features, np.array([], int), 4)[0].shape == (0, 4)
    assert neighbours(features[:3], np.array([2]), 12)[0].tolist() == neighbours(features[:3], [2], 2)[0].tolist()


def test_equally_near_faces_are_in_order() -> None:
    same = np.zeros((30, 4), np.float32)
    same[20:] = 1
    rows, lengths = neighbours(same, np.array([5, 25]), 6)
    assert rows.tolist() == [[0, 1, 2, 3, 4, 6], [20, 21, 22, 23, 24, 26]] and not lengths.any()


def test_neighbours_of_what_does_not_exist(clouds: tuple) -> None:
    for queries in (np.array([N]), np.array([-1]), np.array([0.5]), np.zeros((2, 3)), np.full((1, 16), np.nan)):
        with pytest.raises(InputError):
            neighbours(clouds[0], queries, 3)
    with pytest.raises(InputError, match="at least 1"):
        neighbours(clouds[0], np.array([0]), 0)


def test_a_stored_face_is_placed_where_it_is(clouds: tuple) -> None:
    features = clouds[0]
    positions = np.random.default_rng(0).normal(size=(N, 2)).astype(np.float32)
    placed, ratio = place(features[[4, 40]], features, positions)
    np.testing.assert_array_equal(placed, positions[[4, 40]])
    assert placed.dtype == np.float32 and (ratio < 1).all()
    assert place(features[:0], features, positions)[0].shape == (0, 2)
    with pytest.raises(InputError, match="positions of 120 faces"):
        place(features, features, positions[1:])


def test_a_new_face_lies_between_its_neighbours() -> None:
    """At 1 between faces at 0 and 4: weights 3 to 1. Those are 4 apart, and it is 2 away on average."""
    features = np.array([[0, 0], [4, 0], [100, 0], [104, 0]], np.float32)
    positions = np.array([[0, 0], [8, 4], [50, 50], [60, 60]], np.float32)
    placed, ratio = place(np.array([[1, 0]]), features, positions, k=2)
    np.testing.assert_allclose(placed, [[2, 1]], rtol=1e-6)
    # 0 has neighbours at 4 and 100 away, 4 at 4 and 96
    np.testing.assert_allclose(ratio, [2 / ((52 + 50) / 2)], rtol=1e-6)
    _, far = place(np.array([[1000, 0]]), features, positions, k=1)
    np.testing.assert_allclose(far, [896 / 4], rtol=1e-6)


def test_pca_places_new_faces_by_its_own_formula(clouds: tuple) -> None:
    features, labels, groups = clouds
    made = make_map(features, labels, groups, "pca")
    placed, ratio = made.place(features + 1, features)
    step = np.ones(16, np.float32) @ made.components.T
    np.testing.assert_allclose(placed - made.positions, np.tile(step, (N, 1)), atol=1e-4)
    assert ratio.shape == (N,)
    guessed = Map(made.key, "umap", 0, made.positions)
    np.testing.assert_array_equal(guessed.place(features, features)[0], made.positions)


# maps that are kept


def test_a_map_comes_back_as_it_was_made(clouds: tuple, tmp_path: Path) -> None:
    features, labels, groups = clouds
    for method in METHODS:
        watch = Watch()
        made = make_map(features, labels, groups, method, seed=5, progress=watch.progress)
        assert watch.seen == sorted(watch.seen) and watch.seen[0] == 0 and watch.seen[-1] == 1
        assert np.array_equal(made.positions, project(features, method, seed=5))
        assert made.key == map_key(features, labels, groups, method, seed=5)
        assert load_map(tmp_path / "maps", made.key) is None
        save_map(tmp_path / "maps", made)
        back = load_map(tmp_path / "maps", made.key)
        assert back is not None and (back.method, back.seed, back.dimensions) == (method, 5, 2)
        assert back.quality == dict(made.quality) and back.stability == made.stability
        for name in ("positions", "mean", "components"):
            np.testing.assert_array_equal(getattr(back, name), getattr(made, name))
        assert 0 < made.stability <= 1 and (made.stability == 1) >= (method == "pca")
    assert len(list((tmp_path / "maps").iterdir())) == len(METHODS)


def test_figures_of_a_map_are_those_of_quality(clouds: tuple) -> None:
    features, labels, groups = clouds
    made = make_map(features, labels, groups, "umap")
    other = project(features, "umap", seed=1)
    assert made.quality == quality(features, made.positions, labels, groups, other=other)
    assert 0.3 < made.stability < 1


def test_a_key_changes_with_what_the_map_depends_on(clouds: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels, groups = clouds
    other = features.copy()
    other[0, 0] += 1
    keys = [
        map_key(features, labels, groups, "pca"),
        map_key(features, labels, groups, "umap"),
        map_key(features, labels, groups, "pca", 3),
        map_key(features, labels, groups, "pca", 2, 1),
        map_key(features, labels[::-1], groups, "pca"),
        map_key(features, labels, groups[::-1], "pca"),
        map_key(other, labels, groups, "pca"),
    ]
    monkeypatch.setattr("fer_core.embeddings.maps.version", lambda name: "0.0")
    keys.append(map_key(features, labels, groups, "pca"))
    assert len(set(keys)) == len(keys)
    assert map_key(features.tolist(), labels.astype(np.int8), groups, "pca") == keys[-1]


def test_a_damaged_file_counts_as_no_map(clouds: tuple, tmp_path: Path) -> None:
    made = make_map(*clouds, "pca")
    path = save_map(tmp_path, made)
    whole = path.read_bytes()
    elsewhere = "0" * 64
    (tmp_path / f"{elsewhere}.safetensors").write_bytes(whole)
    assert load_map(tmp_path, elsewhere) is None, "it is not what its name says"
    for damaged in (
        b"", whole[:-8], whole[:40], whole[50:], b"\0" * len(whole),
        whole.replace(b"workbench-map/1", b"workbench-map/0"),  # of another version
        whole.replace(b'\\"pca\\"', b'\\"pcb\\"'),  # of no known method
        whole.replace(b'\\"seed\\": 0', b'\\"seed\\"; 0'),  # no JSON
    ):  # fmt: skip
        assert damaged != whole
        path.write_bytes(damaged)
        assert load_map(tmp_path, made.key) is None
    path.write_bytes(whole)
    assert load_map(tmp_path, made.key) is not None
    for key in ("", "../x", made.key.upper(), f"{made.key}\n"):
        with pytest.raises(InputError, match="not the key"):
            load_map(tmp_path, key)


def test_a_map_is_checked() -> None:
    good = {"key": "a" * 64, "method": "umap", "seed": 0, "positions": np.zeros((5, 2), np.float32)}
    assert Map(**good).dimensions == 2 and np.isnan(Map(**good).stability)
    for wrong in (
        {"key": "a"}, {"method": "pca"}, {"method": "lda"}, {"seed": 0.5}, {"positions": np.zeros((5, 4), np.float32)},
        {"positions": np.zeros(5, np.float32)}, {"positions": np.zeros((5, 2))},
        {"positions": np.full((5, 2), np.nan, np.float32)}, {"components": np.zeros((2, 3), np.float32)},
    ):  # fmt: skip
        with pytest.raises(InputError, match="Expected"):
            Map(**(good | wrong))


def test_the_package_loads_nothing_heavy() -> None:
    names = ("torch", "umap", "numba", "sklearn", "openTSNE", "scipy", "pandas")
    code = (
        "import sys, numpy as np, fer_core.embeddings as e; "
        "f = np.eye(9, dtype='f4'); e.neighbours(f, [1], 3); e.place(f, f, f[:, :2]); "
        f"e.load_map('.', 'a' * 64); print(*[n for n in {names!r} if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    assert all(getattr(embeddings, name) is not None for name in embeddings.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'lda'"):
        _ = embeddings.lda


def test_features_that_are_no_numbers_are_said() -> None:
    with pytest.raises(InputError, match="as numbers"):
        project([["a", "b"]] * 5, "pca")
