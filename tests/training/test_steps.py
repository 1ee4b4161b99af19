"""Steps of a training: what they ask of a device, where memory ends, and a run that is killed within an epoch."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from fer_core.errors import RecipeError
from fer_core.evaluation.history import read_history
from fer_core.models.card import read_card
from fer_core.models.folders import file_sha256
from training import data, trainer
from training.augment import train_batch
from training.data import AheadLoader, Draw, EpochBatches, FaceTensors
from training.module import EmotionModule, MultiHead
from training.prepare import PreparedData, choose_pictures, find_all, prepare
from training.recipe import FERPLUS, FERPLUS7, OWN, Recipe, network_recipe
from training.settings import Augment, Balance, Mix, Target, Teacher
from training.tally import Tally

WEIGHTS = "model.safetensors"
OPTIONS = {"widths": [4, 4, 8, 8], "kernels": [3, 3, 3, 3], "hidden": [8], "dropout": 0.2, "map_dropout": 0.1}
DEMO = dataclasses.replace(network_recipe("demo"), options=OPTIONS, batch_size=16)


def prepared(recipe: Recipe, drawn: Path, run: Path) -> PreparedData:
    return prepare(recipe, choose_pictures(recipe, find_all(recipe.data, {"drawn": drawn})), run / "pictures")


class Asked(TorchDispatchMode):
    """Copies from the computer to ``meta``, here in the place of a GPU, that are waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = func(*args, **kwargs)
        copied = func in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
        if copied and isinstance(found, Tensor) and not kwargs.get("non_blocking", False):
            source = args[1] if func is torch.ops.aten.copy_.default else args[0]
            if source.device.type == "cpu" and found.device.type == "meta":
                self.waits.append(str(func))
        return found


@pytest.fixture
def on_meta(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """Tensors on ``meta`` have no values, so that whoever asks for one, or for the rows that a mask leaves, fails; what
    is sent there and waited for is in ``waits``."""
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(EmotionModule, "progress", 0.1)
    asked = Asked()
    for name in ("tensor", "as_tensor"):
        real = getattr(torch, name)

        def told(values: Any, *args: Any, real: Any = real, **more: Any) -> Any:
            if torch.device(more.get("device") or "cpu").type == "meta":
                asked.waits.append(f"a tensor of {values}")
            return real(values, *args, **more)

        monkeypatch.setattr(torch, name, told)
    with asked:
        yield asked


def test_the_guard_sees_what_waits_for_a_device(on_meta: Asked) -> None:
    there = torch.ones(4, device="meta")
    for ask in (
        lambda: there.sum().item(), lambda: bool(there.any()), lambda: there.cpu(), lambda: there[there > 0],
        lambda: there.tolist(),
    ):  # fmt: skip
        with pytest.raises((RuntimeError, NotImplementedError)):
            ask()
    torch.ones(4).to("meta", non_blocking=True)
    assert on_meta.waits == []
    torch.ones(4).to("meta")
    torch.tensor([1.0], device="meta")
    assert len(on_meta.waits) == 2


def test_a_step_asks_the_device_for_nothing(on_meta: Asked) -> None:
    targets = {
        OWN: Target(1.0, 0.1, "own", Teacher(["teacher"])), FERPLUS: Target(1.0, 0.0, "votes"),
    }  # fmt: skip
    augment = Augment(20, 0.1, 0.1, 5, 0.5, 0.2, 0.2, noise=0.5, erase=0.5)
    recipe = dataclasses.replace(
        DEMO, targets=targets, augment=augment, balance=Balance("augment", augment=augment), mix=Mix(1.0, 1.0, 1.0),
        transforms=[{"ColorJitter": {"brightness": 0.2}}], input=dataclasses.replace(DEMO.input, mean=[0.5], std=[0.2]),
    )  # fmt: skip
    module = trainer.build_module(recipe).to("meta")
    n, meta = 12, {"device": "meta"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        average = trainer.MovingAverage(0.9)
        average._average_model = torch.optim.swa_utils.AveragedModel(copy.deepcopy(module), use_buffers=True)
    batch = {
        "images": torch.zeros(n, 48, 48, dtype=torch.uint8, **meta), OWN: torch.zeros(n, dtype=torch.int64, **meta),
        FERPLUS: torch.zeros(n, 7, **meta), FERPLUS7: torch.zeros(n, dtype=torch.int64, **meta),
        "teacher_own": torch.zeros(n, 7, **meta), "copies": torch.zeros(4, dtype=torch.int64, **meta),
        "originals": torch.zeros(8, dtype=torch.int64, **meta),
    }  # fmt: skip
    optimiser = module.configure_optimizers()
    for step in range(2):
        on_meta.waits.clear()  # the first one sends what stays there
        for name, tally in module.learnt.items():
            tally.counts, tally.loss = tally.counts.to("meta"), tally.loss.to("meta")
            assert name in recipe.targets
        loss = module.training_step(batch, step)
        loss.backward()
        optimiser.step()
        for name, logits, labels, part in module._pending:
            module.learnt[name].add(logits, labels, part)
        average.take(module, first=step == 0)
    assert on_meta.waits == [], "the second step sends nothing that it waits for"


def test_a_tally_tells_loss_accuracy_and_macro_f1() -> None:
    rng = np.random.default_rng(0)
    logits = torch.tensor(rng.normal(size=(40, 7)), dtype=torch.float32)
    labels = torch.tensor(rng.integers(0, 5, 40))
    labels[::9] = -1
    tally, half = Tally(7), Tally(7)
    tally.add(logits[:25], labels[:25], torch.tensor(1.0))
    tally.add(logits[25:], labels[25:], torch.tensor(3.0))
    half.add(logits[:25], labels[:25], torch.tensor(1.0))
    here = torch.device("cpu")
    found = tally.figures(lambda value: value, here)
    known = labels >= 0
    truth, said = labels[known].numpy(), logits.argmax(dim=1)[known].numpy()
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, said))
    assert found["f1"] == pytest.approx(f1_score(truth, said, average="macro"))
    assert found["loss"] == pytest.approx((25 * 1.0 + 15 * 3.0) / 40)
    again = Tally(7)
    again.load(half.state(lambda value: value, here))
    again.add(logits[25:], labels[25:], torch.tensor(3.0))
    assert again.figures(lambda value: value, here) == found
    assert half.figures(lambda value: 2 * value, here) == half.figures(lambda value: value, here), "two alike"
    assert Tally(7).figures(lambda value: value, here) == {"loss": 0.0, "accuracy": 0.0, "f1": 0.0}


def test_batches_that_are_cut_ahead_are_those_of_the_sampler(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = FaceTensors(prepared(DEMO, drawn, tmp_path).train, needs_votes=False)
    rows = np.concatenate([np.arange(len(faces)), len(faces) + np.arange(5)])
    sampler = EpochBatches(Draw(rows), 3, seed=1, shuffle=True)
    cut: list[int] = []
    loader = AheadLoader(faces, sampler, pins=False)
    cut_one = loader._cut
    monkeypatch.setattr(loader, "_cut", lambda index: cut.append(1) or cut_one(index))
    monkeypatch.setattr(data, "BATCHES_AHEAD", 2)
    assert len(loader) == len(sampler) > 5
    for wanted, found in zip([faces[index] for index in sampler], loader, strict=True):
        assert wanted.keys() == found.keys()
        assert all(torch.equal(wanted[name], found[name]) for name in wanted)
    cut.clear()
    some = iter(loader)
    next(some)
    assert len(cut) <= 4, "no more than lie ready, and the one that is asked for"
    some.close()  # type: ignore[attr-defined]
    monkeypatch.setattr(loader, "_cut", lambda index: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        next(iter(loader))


def test_a_run_learns_the_same_from_batches_cut_ahead(
    drawn: Path, tmp_path: Path, run_tiny: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_tiny("--epochs", "1", "--name", "plain")[0] == 0
    monkeypatch.setattr(data, "DataLoader", lambda faces, sampler, batch_size: AheadLoader(faces, sampler, pins=False))
    assert run_tiny("--epochs", "1", "--name", "ahead")[0] == 0
    assert len({file_sha256(tmp_path / "out" / name / WEIGHTS) for name in ("plain", "ahead")}) == 1


def test_transforms_that_draw_nothing_take_the_whole_batch() -> None:
    """And those that draw change every picture on its own."""
    shapes: list[int] = []
    recipe = dataclasses.replace(
        DEMO, augment=Augment(), input=dataclasses.replace(DEMO.input, mean=[0.0], std=[1.0]),
        transforms=[{"GaussianBlur": {"kernel_size": 3, "sigma": [1.0, 1.0]}}, {"CenterCrop": {"size": 40}}],
    )  # fmt: skip
    images = torch.randint(0, 256, (5, 48, 48), dtype=torch.uint8)
    from torchvision.transforms import v2

    with pytest.MonkeyPatch.context() as patch:
        for name in ("CenterCrop", "GaussianBlur"):
            real = getattr(v2, name).transform

            def seen(self: Any, x: Tensor, params: Any, real: Any = real) -> Tensor:
                shapes.append(x.ndim)
                return real(self, x, params)

            patch.setattr(getattr(v2, name), "transform", seen)
        x = train_batch(images, recipe, 40)
    assert shapes == [3] * 5 + [4]
    alone = torch.cat([train_batch(each[None], recipe, 40) for each in images])
    torch.testing.assert_close(x, alone)


class SmallMemory:
    """A network that has memory for so many pictures at once."""

    def __init__(self, patch: pytest.MonkeyPatch, most: int) -> None:
        self.sizes: list[int] = []
        real = MultiHead.forward

        def forward(model: MultiHead, x: Tensor) -> dict[str, Tensor]:
            if model.training:
                self.sizes.append(len(x))
                if len(x) > most:
                    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return real(model, x)

        patch.setattr(MultiHead, "forward", forward)


def test_where_memory_ends_a_batch_is_learnt_in_parts(
    tmp_path: Path, run_tiny: Callable[..., tuple[int, str, str]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        memory = SmallMemory(patch, 5)
        status, _, complaint = run_tiny("--name", "whole")
        assert status == 0 and max(memory.sizes[3:]) <= 5
        assert "from here on a batch of 16 is learnt in 4 parts" in complaint and complaint.count("Out of memory") == 2
        assert memory.sizes[:6] == [16, 8, 4, 4, 4, 4]
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(trainer.HistoryFile, "on_train_epoch_end", stop_at(1))
            assert run_tiny("--name", "broken")[0] == 2
        assert "Out of memory" not in run_tiny("--name", "broken")[2], "it knows its parts"
    hashes = {file_sha256(tmp_path / "out" / name / WEIGHTS) for name in ("whole", "broken")}
    assert len(hashes) == 1


def stop_at(epoch: int) -> Callable[..., None]:
    append = trainer.HistoryFile.on_train_epoch_end

    def stop(self: trainer.HistoryFile, lightning: Any, module: Any) -> None:
        if lightning.current_epoch == epoch:
            raise RecipeError("stopped")
        append(self, lightning, module)

    return stop


def test_parts_add_up_to_the_batch(drawn: Path, tmp_path: Path) -> None:
    """Without layers that see a batch as a whole or draw."""
    plain = dataclasses.replace(
        DEMO, options={**OPTIONS, "dropout": 0.0, "map_dropout": 0.0}, epochs=1, precision="32-true", ema=0.0,
        mix=Mix(mixup=0.5, probability=1.0), optimiser=dataclasses.replace(DEMO.optimiser, name="sgd", lr=0.05),
        batch_size=15,
    )  # fmt: skip
    states = []
    for name, most in (("whole", 15), ("parts", 8)):
        run = tmp_path / name
        run.mkdir()
        ready = prepared(plain, drawn, run)
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            memory = SmallMemory(patch, most)
            patch.setattr(torch.nn.BatchNorm2d, "forward", lambda norm, x: x)
            patch.setattr(torch.nn.BatchNorm1d, "forward", lambda norm, x: x)
            trainer.train(ready, run)
        assert memory.sizes[-2:] == ([15, 15] if most == 15 else [7, 8])
        states.append(torch.load(trainer.kept_state(run, plain), weights_only=True)["state_dict"])
    for key, whole in states[0].items():
        torch.testing.assert_close(states[1][key], whole, rtol=1e-4, atol=1e-5, msg=key)


def test_too_little_memory_for_two_pictures_is_said(run_tiny: Callable[..., tuple[int, str, str]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        SmallMemory(patch, 1)
        status, _, complaint = run_tiny()
    assert status == 2 and "Memory does not suffice for 2 pictures at once" in complaint


def test_a_run_that_is_killed_within_an_epoch_goes_on_within_it(
    drawn: Path, tmp_path: Path, run_tiny: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    often = ("--batch-size", "8", "--state-every", "1e-9")
    assert run_tiny("--name", "whole", *often)[0] == 0
    step = EmotionModule.training_step
    seen: list[tuple[int, int]] = []

    def killed(module: EmotionModule, batch: Any, batch_idx: int) -> Tensor:
        if (module.current_epoch, batch_idx) == (1, 3):
            raise RecipeError("killed in its second epoch")
        return step(module, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(EmotionModule, "training_step", killed)
        assert run_tiny("--name", "broken", *often)[0] == 2

    assert run_tiny("--name", "broken", *often, "--export-only")[0] == 0
    assert read_card(tmp_path / "out" / "broken" / "card.json").data["epochs"] == 1, "whole ones"

    def watched(module: EmotionModule, batch: Any, batch_idx: int) -> Tensor:
        seen.append((module.current_epoch, batch_idx))
        return step(module, batch, batch_idx)

    monkeypatch.setattr(EmotionModule, "training_step", watched)
    assert run_tiny("--name", "broken", *often)[0] == 0
    assert seen[0] == (1, 3) and {epoch for epoch, _ in seen} == {1}, "nothing is learnt twice"
    hashes = {file_sha256(tmp_path / "out" / name / WEIGHTS) for name in ("whole", "broken")}
    assert len(hashes) == 1
    rows = [read_history(tmp_path / "out" / name).columns for name in ("whole", "broken")]
    for name in rows[0]:
        if name != "minutes":
            np.testing.assert_array_equal(rows[0][name], rows[1][name], err_msg=name)


def test_a_state_within_an_epoch_is_never_a_broken_one(
    tmp_path: Path, run_tiny: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = EmotionModule._loss

    def breaks(module: EmotionModule, name: str, logits: Any, batch: Any) -> Any:
        return loss(module, name, logits, batch) * (float("nan") if module.trainer.global_step >= 3 else 1)

    monkeypatch.setattr(EmotionModule, "_loss", breaks)
    often = ("--batch-size", "8", "--state-every", "1e-9")
    status, _, complaint = run_tiny(*often)
    assert "no whole epoch to export" in run_tiny(*often, "--export-only")[2]
    assert status == 2 and "The state within epoch 1 is kept" in complaint
    state = torch.load(tmp_path / "runs" / "tiny" / "last.ckpt", weights_only=True)
    assert state["global_step"] == 3 and all(value.isfinite().all() for value in state["state_dict"].values())


def test_deterministic_is_asked_of_torch(
    run_tiny: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[bool, bool]] = []

    def note(*_: Any, **__: Any) -> None:
        asked.append((torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark))

    before = torch.backends.cudnn.benchmark
    monkeypatch.setattr(EmotionModule, "on_train_epoch_start", note)
    try:
        for more in ((), ("--deterministic",)):
            assert run_tiny("--epochs", "1", "--name", f"net{len(more)}", *more)[0] == 0
    finally:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.benchmark = before
    assert asked == [(False, True), (True, False)]
    assert "give 0 or more" in run_tiny("--state-every", "-1")[2]
