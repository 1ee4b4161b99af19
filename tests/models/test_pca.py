"""Pictures rebuilt from principal components: as scikit-learn does it, the same after saving, checked when loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.decomposition import PCA as Theirs  # noqa: N811

from fer_core.data.drawn import draw_face, grey
from fer_core.errors import CheckpointError, InputError
from fer_core.models import pca
from fer_core.models.pca import PCA, Pca


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """200 drawn faces, RGB (200, 20, 20, 3)."""
    random = np.random.default_rng(0)
    return np.stack([draw_face(i % 7, random, size=(20, 20)) for i in range(200)])


def by_theirs(crops: np.ndarray, share: float) -> tuple[np.ndarray, int]:
    """Rebuilt crops (n, s, s) of one channel, and the number of components."""
    flat = crops.reshape(len(crops), -1).astype(np.float64)
    model = Theirs(n_components=share, svd_solver="full").fit(flat)
    return model.inverse_transform(model.transform(flat)).reshape(crops.shape), model.n_components_


@pytest.mark.parametrize("exact_px", [64, 8])
def test_it_is_what_scikit_learn_does_with_each_channel(
    crops: np.ndarray, exact_px: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by the way for large pictures, which starts with fewer directions than are needed: nearly as well."""
    monkeypatch.setattr(pca, "EXACT_SIDE_PX", exact_px)
    monkeypatch.setattr(pca, "_FIRST_WIDTH", 24)
    monkeypatch.setattr(pca, "_BLOCK", 64)
    model = Pca.fit(crops, 0.9)
    rebuilt = model.reconstruct(crops)
    assert (rebuilt.shape, rebuilt.dtype, model.channels, model.size) == (crops.shape, np.uint8, 3, 20)
    for channel in range(3):
        expected, k = by_theirs(crops[..., channel], 0.9)
        assert len(model.components[channel]) == pytest.approx(k, abs=0 if exact_px == 64 else 1)
        expected = np.clip(expected, 0, 255)
        best, ours = (
            np.square(crops[..., channel] - each.astype(float)).mean() for each in (expected, rebuilt[..., channel])
        )
        assert ours == pytest.approx(best, rel=0.005 if exact_px == 64 else 0.03)
        assert exact_px == 8 or np.abs(rebuilt[..., channel] - expected).max() < 2
    assert not np.array_equal(rebuilt, crops)


def test_grey_crops_have_one_channel(crops: np.ndarray) -> None:
    flat = np.stack([grey(each) for each in crops])
    model = Pca.fit(flat, 0.95)
    assert (model.channels, model.mean.shape) == (1, (1, 20, 20))
    expected, k = by_theirs(flat, 0.95)
    assert len(model.components[0]) == k
    assert np.abs(model.reconstruct(flat) - np.clip(expected, 0, 255)).mean() < 0.5


def test_a_larger_share_keeps_more_of_the_picture(crops: np.ndarray) -> None:
    errors, counts = [], []
    for share in (0.5, 0.8, 0.99, 1.0):
        model = Pca.fit(crops, share)
        errors.append(float(np.abs(model.reconstruct(crops).astype(int) - crops).mean()))
        counts.append(len(model.components[0]))
    assert errors == sorted(errors, reverse=True) and counts == sorted(counts)
    assert errors[-1] < 0.6, "all of the variance is the picture itself"


def test_pictures_that_were_not_fitted_are_rebuilt_too(crops: np.ndarray) -> None:
    model = Pca.fit(crops[:150], 0.9)
    apart = np.abs(model.reconstruct(crops[150:]).astype(int) - crops[150:]).mean()
    assert 1 < apart < np.abs(crops[150:] - crops[:150].mean(axis=0)).mean() / 2
    assert model.reconstruct(crops[:0]).shape == (0, 20, 20, 3)


def test_a_batch_is_like_its_pictures_one_by_one(crops: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Pca.fit(crops, 0.9)
    together = model.reconstruct(crops[:70]).astype(int)
    monkeypatch.setattr(pca, "_BLOCK", 1)
    assert np.abs(together - model.reconstruct(crops[:70])).max() <= 1  # where rounding has a tie


def test_what_is_loaded_gives_the_same_pixels(crops: np.ndarray, tmp_path: Path) -> None:
    model = Pca.fit(crops, 0.9)
    model.save(tmp_path / PCA)
    loaded = Pca.load(tmp_path / PCA)
    assert loaded.share == 0.9
    np.testing.assert_array_equal(loaded.reconstruct(crops), model.reconstruct(crops))


def test_pictures_may_lie_in_a_mapped_file(crops: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "crops.npy", crops)
    mapped = np.load(tmp_path / "crops.npy", mmap_mode="r")
    np.testing.assert_array_equal(Pca.fit(mapped).reconstruct(mapped), Pca.fit(crops).reconstruct(crops))


def test_pictures_that_are_all_the_same() -> None:
    same = np.full((5, 8, 8), 77, np.uint8)
    np.testing.assert_array_equal(Pca.fit(same).reconstruct(same), same)
    np.testing.assert_array_equal(Pca.fit(same[:1]).reconstruct(same), same)


@pytest.mark.parametrize(
    ("shape", "share"),
    [
        ((3, 8, 8, 4), 0.9), ((3, 64), 0.9), ((0, 8, 8), 0.9), ((3, 8, 9), 0.9), ((3, 8, 8), 0.0), ((3, 8, 8), 1.1),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted(shape: tuple[int, ...], share: float) -> None:
    with pytest.raises(InputError, match="Expected"):
        Pca.fit(np.zeros(shape, np.uint8), share)
    with pytest.raises(InputError, match="got float32"):
        Pca.fit(np.zeros((3, 8, 8), np.float32))


def test_crops_of_another_kind_are_refused(crops: np.ndarray) -> None:
    model = Pca.fit(crops, 0.5)
    for wrong in (crops[..., 0], crops[:, :10, :10], crops.astype(np.float32)):
        with pytest.raises(InputError, match=r"Expected crops uint8 \(n, 20, 20\) with 3 channels"):
            model.reconstruct(wrong)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.pop("mean"), "expected mean, share and components_0"),
        (lambda a: a.pop("share"), "expected mean, share"),
        (lambda a: a.update(extra=np.zeros(1)), "expected mean, share"),
        (lambda a: a.update(share=np.zeros((2, 2))), "expected mean, share"),
        (lambda a: a.update(share=np.array([np.nan])), "a share of nan"),
        (lambda a: a.update(mean=a["mean"][:, :7]), "Expected a mean float32"),
        (lambda a: a.update(mean=np.float32(1)), "Expected a mean float32"),
        (lambda a: a.update(mean=a["mean"].astype(np.float64)), "Expected a mean float32"),
        (lambda a: a.update(mean=a["mean"] * np.float32(np.inf)), "not finite"),
        (lambda a: a.update(components_0=a["components_0"][:, :-1]), "Expected a mean float32"),
        (lambda a: a.update(components_0=a["components_0"][0]), "Expected a mean float32"),
        (lambda a: a.update(components_0=a["components_0"].astype(np.float32)), "Expected a mean float32"),
        (lambda a: a.update(components_1=a["components_0"]), "Expected a mean float32"),
    ],
)
def test_files_that_are_wrong_are_refused(tmp_path: Path, change: object, words: str) -> None:
    path = tmp_path / PCA
    Pca.fit(np.arange(640, dtype=np.uint16).astype(np.uint8).reshape(10, 8, 8)).save(path)
    arrays = load_file(path)
    change(arrays)  # type: ignore[operator]
    save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, path)
    with pytest.raises(CheckpointError, match=words) as error:
        Pca.load(path)
    assert PCA in str(error.value)


def test_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match=r"pca\.safetensors is missing"):
        Pca.load(tmp_path / PCA)
    (tmp_path / PCA).write_bytes(b"\x80\x04pickle")
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        Pca.load(tmp_path / PCA)
    monkeypatch.setattr(pca, "MAX_BYTES", 5)
    with pytest.raises(CheckpointError, match="is larger than"):
        Pca.load(tmp_path / PCA)
