"""Pictures as other cameras, light and compression make them: each change by itself, and what a batch keeps."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from training import trainer
from training.augment import train_batch
from training.module import EmotionModule
from training.prepare import choose_pictures, find_all, prepare
from training.recipe import network_recipe
from training.settings import Augment, Optimiser, Variety
from training.variety import LUMINANCE, cut_otherwise, varied

KINDS = [each.name for each in dataclasses.fields(Variety)]
IN_PICTURES = [kind for kind in KINDS if kind != "cut"]
RECIPE = network_recipe("workbench-resnet")


def faces(n: int = 12, side: int = 96) -> Tensor:
    """Smooth pictures with some edges, (n, 1, side, side) in 0.1-0.9."""
    torch.manual_seed(2)
    x = F.interpolate(torch.rand(n, 1, 12, 12), (side, side), mode="bilinear") * 0.5 + 0.2
    x[:, :, side // 3 : side // 2, side // 4 : -side // 4] += 0.2
    return x


def changed(kind: str, x: Tensor, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return varied(x, Variety(**{kind: 1.0}), face_px=44)


def detail(x: Tensor) -> Tensor:
    """How much neighbouring pixels differ, (n,)."""
    return (x[..., 1:] - x[..., :-1]).abs().mean(dim=(1, 2, 3)) + (x[..., 1:, :] - x[..., :-1, :]).abs().mean(
        dim=(1, 2, 3)
    )


@pytest.mark.parametrize("kind", IN_PICTURES)
@pytest.mark.parametrize("side", [36, 96])
def test_each_change_keeps_shape_and_range_and_follows_from_the_seed(kind: str, side: int) -> None:
    x = faces(side=side)
    before = x.clone()
    one, again, other = changed(kind, x, 1), changed(kind, x, 1), changed(kind, x, 2)
    assert torch.equal(x, before) and torch.equal(one, again) and not torch.equal(one, other)
    assert one.shape == x.shape and one.min() >= 0 and one.max() <= 1
    assert ((one - x).abs().amax(dim=(1, 2, 3)) > 1e-4).all(), "every picture was asked for"
    assert (one - x).abs().mean() < 0.3, "a face stays a face"


@pytest.mark.parametrize("kind", IN_PICTURES)
def test_a_share_of_the_pictures_is_changed_and_the_others_are_not(kind: str) -> None:
    x = faces(400, 24)
    torch.manual_seed(0)
    differs = (varied(x, Variety(**{kind: 0.25}), 20) != x).flatten(1).any(dim=1)
    assert 0.17 < differs.float().mean() < 0.33
    rgb = x[:8].expand(8, 3, 24, 24)
    torch.manual_seed(0)
    found = varied(rgb, Variety(**{kind: 1.0}), 20)
    assert torch.equal(found[:, 0], found[:, 1]), "grey stays grey"


def test_what_is_off_draws_nothing() -> None:
    """So that a recipe without it sees the pictures that it saw before there was such a thing."""
    x, matrices = faces(), torch.eye(2, 3).expand(12, 2, 3)
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    assert varied(x, Variety(), 44) is x and cut_otherwise(matrices, 0.0) is matrices
    assert torch.equal(torch.rand(3), expected)


def test_lens_and_scale_take_detail_and_sharpening_gives_it() -> None:
    x = faces()
    before = detail(x)
    for kind in ("blur", "coarse"):
        assert (detail(changed(kind, x)) < before).all(), kind
    for kind in ("sharp", "grain"):
        assert (detail(changed(kind, x)) > before).all(), kind
    edge = torch.zeros(1, 1, 96, 96)
    edge[..., 48:] = 0.5
    shown = changed("blur", edge)
    assert shown[..., :40].max() < 0.01 and abs(float(shown[..., 56:].mean()) - 0.5) < 0.01, "no light is lost or moved"
    torch.testing.assert_close(changed("blur", torch.full((4, 1, 96, 96), 0.4)), torch.full((4, 1, 96, 96), 0.4))


def test_a_coarse_face_has_fewer_pixels_than_the_original() -> None:
    """Noise of single pixels is gone where a face of at most 0.8 times 44 px is enlarged to 96."""
    torch.manual_seed(0)
    noise = torch.rand(6, 1, 96, 96)
    for seed in range(5):
        assert (detail(changed("coarse", noise, seed)) < 0.4 * detail(noise)).all()


def test_light_from_a_side_darkens_along_one_direction() -> None:
    flat = torch.full((30, 1, 48, 48), 0.5)
    lit = changed("side_light", flat)
    halves = torch.stack([lit[..., :24].mean((1, 2, 3)), lit[..., 24:].mean((1, 2, 3)),
                          lit[..., :24, :].mean((1, 2, 3)), lit[..., 24:, :].mean((1, 2, 3))], dim=1)  # fmt: skip
    darker = (halves.amax(dim=1) - halves.amin(dim=1)) / halves.amax(dim=1)
    assert (darker > 0.05).all() and darker.max() > 0.4
    assert lit.min() >= 0.5 * 0.19 and lit.max() <= 0.5 * 1.16
    by_side = halves.argmin(dim=1)
    assert len(set(by_side.tolist())) == 4, "from every side"


def test_curves_keep_the_order_of_grey() -> None:
    ramp = torch.linspace(0, 1, 64).expand(20, 1, 64, 64)
    curved = changed("curve", ramp)
    assert (curved[..., 1:] - curved[..., :-1] >= -1e-6).all()
    assert torch.allclose(curved[..., 0], torch.zeros(()), atol=2e-2)
    assert torch.allclose(curved[..., -1], torch.ones(()), atol=1e-3)
    middle = curved[:, 0, 0, 32]
    assert middle.min() < 0.35 and middle.max() > 0.65


def test_blocks_are_those_of_jpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against OpenCV's transform, coefficients rounded to the steps of quality 50."""
    monkeypatch.setattr("training.variety._between", lambda x, low, high: torch.zeros(len(x), 1, 1, 1))
    x = faces(4)
    found = varied(x, Variety(blocks=1.0), face_px=96)  # at 96 px, so that nothing is scaled
    steps = np.array(LUMINANCE, np.float32).reshape(8, 8) / 255
    expected = x.numpy().copy()
    for picture in expected[:, 0]:
        for i, j in np.ndindex(12, 12):
            block = picture[8 * i : 8 * i + 8, 8 * j : 8 * j + 8]
            block[:] = cv2.idct(np.round(cv2.dct(block - 0.5) / steps) * steps) + 0.5
    assert np.isclose(found.numpy(), expected.clip(0, 1), atol=1e-4).mean() > 0.99, "but for halves, rounded either way"
    monkeypatch.undo()
    noise = torch.rand(4, 1, 96, 96)
    assert (detail(changed("blocks", noise)) < detail(noise)).all()


def test_cuts_move_turn_and_scale_about_as_much_as_a_detector_does() -> None:
    torch.manual_seed(0)
    plain = torch.eye(2, 3).expand(4000, 2, 3)
    found = cut_otherwise(plain, 0.5)
    moved = (found != plain).flatten(1).any(dim=1)
    assert 0.45 < moved.float().mean() < 0.55
    some = found[moved]
    assert 0.03 < float(some[:, :, 2].std() / 2) < 0.05, "4 % of the side"
    area = torch.linalg.det(some[:, :, :2]).sqrt()
    assert 0.04 < float(area.log().std()) < 0.06 and abs(float(area.log().mean())) < 0.01
    turn = torch.atan2(some[:, 1, 0], some[:, 0, 0])
    assert 3 < math.degrees(float(turn.std())) < 5


def test_a_recipe_switches_each_of_them() -> None:
    images = (faces(8, 48)[:, 0] * 255).to(torch.uint8)
    plain = dataclasses.replace(RECIPE, augment=Augment())
    for kind in KINDS:
        recipe = dataclasses.replace(RECIPE, augment=Augment(variety=Variety(**{kind: 1.0})))
        assert not torch.equal(train_batch(images, recipe, 48), train_batch(images, plain, 48)), kind
        assert recipe.sha256 != plain.sha256
    assert network_recipe("demo", {"augment.variety.blur": 0.5}).augment.variety.blur == 0.5
    with pytest.raises(ValueError, match="expected blur from 0 to 1, got 2"):
        Variety(blur=2)


def test_no_picture_is_nothing() -> None:
    for kind in IN_PICTURES:
        assert changed(kind, torch.zeros(0, 1, 32, 32)).shape == (0, 1, 32, 32)


@pytest.mark.filterwarnings("ignore:.*")  # Lightning has advice on runs of a few steps
def test_a_resumed_run_sees_the_changes_that_an_unbroken_one_sees(drawn: Path, tmp_path: Path) -> None:
    variety = Variety(**dict.fromkeys(KINDS, 0.5))
    optimiser = Optimiser(0.003, "adamw", backbone_lr=0.001, layer_decay=0.8, weight_decay=0.05)
    small = {"widths": [4, 4, 8, 8], "kernels": [3, 3, 3, 3], "hidden": [8], "dropout": 0.2}
    recipe = dataclasses.replace(
        network_recipe("demo"), options=small,
        epochs=2, batch_size=16, ema=0.9, optimiser=optimiser, augment=Augment(variety=variety),
    )  # fmt: skip
    chosen = choose_pictures(recipe, find_all(recipe.data, {"drawn": drawn}))
    states = []
    for sittings in ([2], [1, 2]):
        run = tmp_path / str(len(sittings))
        for epochs in sittings:
            with pytest.MonkeyPatch.context() as patch:
                if epochs < recipe.epochs:  # stopped within the schedule of both
                    patch.setattr(EmotionModule, "on_train_epoch_end", stop)
                trainer.train(prepare(recipe, chosen, run / "pictures"), run)
            assert trainer.epochs_done(run) == epochs
            (run / "finished.txt").unlink(missing_ok=True)
        states.append(torch.load(run / "last.ckpt", weights_only=True))
    assert [state["epoch"] for state in states] == [1, 1]
    for name, value in states[0]["state_dict"].items():
        assert torch.equal(value, states[1]["state_dict"][name]), name


def stop(module: EmotionModule) -> None:
    module.trainer.should_stop = True
