"""Lightning data module: pictures as tensors that are mapped from a file, or in a GPU's memory where they fit, and
batches by index.

Pictures are decoded and cut before training starts, so a batch is only copied together, and no process has anything to
do beside this one. Where they stay outside of a GPU that learns, threads cut batches ahead of it, in pinned memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from fer_core.data import ferplus_labels, vote_distribution
from fer_core.errors import DataError
from training.reading import Side
from training.recipe import FERPLUS, FERPLUS7, Recipe
from training.settings import Balance

Batch = dict[str, Tensor]
MAX_SHARE_OF_GPU = 0.4
"""So much of a GPU's free memory may be filled with pictures; larger sets stay in the computer's."""
THREADS, BATCHES_AHEAD = 4, 8
"""Threads that cut batches for a GPU, and batches that lie ready for it."""
NOBODY: Mapping[str, NDArray[np.float32]] = MappingProxyType({})


def teacher_of(target: str) -> str:
    """Key of a batch under which the teachers' answers to a target are."""
    return f"teacher_{target}"


def vote_targets(votes: NDArray[np.int64]) -> NDArray[np.float32]:
    """Vote shares (n, 7) that are taught of votes (n, 10): zero for pictures that ``ferplus7`` drops for anything but a
    tie."""
    seven, rest = votes[:, :7].max(axis=1), votes[:, 7:].max(axis=1)
    return np.asarray(vote_distribution(votes) * (seven > rest)[:, None].astype(np.float32), np.float32)


class FaceTensors(Dataset[Batch]):
    """A side as tensors; an index list gives a whole batch.

    A batch holds ``images`` uint8 (n, h, w) or (n, h, w, 3), ``own`` int (n,); with ``needs_votes`` ``ferplus`` float
    (n, 7) vote shares and ``ferplus7`` int (n,) label or -1. Images that ``ferplus7`` drops for anything but a tie
    teach no vote shares. ``teachers`` adds their answers to a target, float (n, k), as ``teacher_of(target)``. An index
    of ``len`` or more means the picture again, as an augmented copy; a batch with such has their rows as ``copies`` int
    (m,) and those of the others as ``originals`` int (n - m,).
    """

    def __init__(self, side: Side, *, needs_votes: bool, teachers: Mapping[str, NDArray[np.float32]] = NOBODY) -> None:
        if needs_votes and not side.votes.shape[1]:
            raise DataError("This recipe needs FER+ votes; put fer2013new.csv beside fer2013.csv, or drop the target.")
        self.tensors: Batch = {"images": torch.from_numpy(side.images), "own": torch.from_numpy(side.labels)}
        if needs_votes:
            self.tensors[FERPLUS] = torch.from_numpy(vote_targets(side.votes))
            self.tensors[FERPLUS7] = torch.from_numpy(ferplus_labels(side.votes, FERPLUS7))
        self.tensors |= {teacher_of(target): torch.from_numpy(answers) for target, answers in teachers.items()}

    def __len__(self) -> int:
        return len(self.tensors["images"])

    @property
    def device(self) -> torch.device:
        """Where batches are cut."""
        return self.tensors["own"].device

    def move_to(self, device: torch.device) -> None:
        """Cut batches on a GPU from now on, unless it has too little memory, or on the CPU again."""
        needed = sum(tensor.nbytes for tensor in self.tensors.values())
        if device.type == "cpu" or (device.type == "cuda" and needed <= MAX_SHARE_OF_GPU * _free_bytes(device)):
            self.tensors = {name: tensor.to(device) for name, tensor in self.tensors.items()}

    def __getitem__(self, index: list[int]) -> Batch:
        chosen = torch.tensor(index, dtype=torch.int64)
        rows = self._sent(chosen % len(self))
        batch = {name: tensor[rows] for name, tensor in self.tensors.items()}
        if max(index, default=0) >= len(self):
            is_copy = chosen >= len(self)
            batch["copies"], batch["originals"] = (self._sent(each.nonzero()[:, 0]) for each in (is_copy, ~is_copy))
        return batch

    def _sent(self, rows: Tensor) -> Tensor:
        """Row numbers where batches are cut; they are few, so that no GPU is waited for."""
        return rows.to(self.device, non_blocking=True)


def _free_bytes(device: torch.device) -> int:
    """Memory of a GPU that nobody uses; what torch keeps for itself is free."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(torch.cuda.mem_get_info(device)[0]) + kept


@dataclass(frozen=True)
class Draw:
    """How often an epoch shows each picture: ``rows`` int (m,), where n + i means picture i as an augmented copy, and
    ``shares`` float (m,), the probability of each row in every draw, or None where each row comes once."""

    rows: NDArray[np.int64]
    shares: NDArray[np.float64] | None = None


def balanced(labels: NDArray[np.int64], balance: Balance, seed: int) -> Draw:
    """The rows of an epoch under a recipe's balance."""
    rows = np.arange(len(labels))
    counts = np.bincount(labels)
    if balance.by == "sample":
        weights = 1 / counts[labels]
        return Draw(rows, weights / weights.sum())
    if balance.by != "augment":
        return Draw(rows)
    rng, goal = np.random.default_rng(seed), int(counts.max() * balance.to)
    copies = [_fill(np.flatnonzero(labels == k), goal, rng) for k in np.flatnonzero(counts)]
    return Draw(np.concatenate([rows, *(each + len(labels) for each in copies)]))


def _fill(rows: NDArray[np.int64], goal: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows of a class to show again so that it has ``goal`` pictures: each as often as the others, give or take one."""
    missing = max(goal - len(rows), 0)
    return np.concatenate([rng.permutation(rows) for _ in range(-(-missing // len(rows)))] or [rows])[:missing]


def shown_counts(side: Side, balance: Balance, seed: int) -> dict[str, int]:
    """Pictures of each emotion that an epoch shows under a balance, copies counted; expected ones where they are
    drawn."""
    draw = balanced(side.labels, balance, seed)
    if draw.shares is None:
        return side.take(draw.rows % len(side)).counts()
    present = side.counts()
    return {name: round(len(side) / len(present)) for name in present}


class EpochBatches(Sampler[list[int]]):
    """Batches of row numbers, drawn by seed and epoch, so that a resumed run sees what an unbroken one would.

    With several processes each gets its part of every batch; ``batch_size`` is that of all together. ``done`` says how
    many batches of the epoch a resumed run has behind it.
    """

    def __init__(
        self, draw: Draw, batch_size: int, *, seed: int, shuffle: bool, rank: int = 0, n_ranks: int = 1,
        done: Callable[[], int] = lambda: 0,
    ) -> None:  # fmt: skip
        if shuffle and batch_size % n_ranks:
            raise DataError(f"A batch of {batch_size} cannot be shared among {n_ranks} processes; change batch_size.")
        self.draw, self.batch_size, self.seed, self.shuffle = draw, batch_size, seed, shuffle
        self.rank, self.n_ranks, self.done = rank, n_ranks, done
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this at the start of every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        n = len(self.draw.rows)
        return max(n // self.batch_size, 1) if self.shuffle else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = self.draw.rows
        if self.shuffle:
            rng = np.random.default_rng([self.seed, self.epoch])
            shares = self.draw.shares
            order = rng.permutation(order) if shares is None else rng.choice(order, len(order), p=shares)
        for i in range(self.done(), len(self)):
            yield order[i * self.batch_size : (i + 1) * self.batch_size][self.rank :: self.n_ranks].tolist()


class AheadLoader(DataLoader[Batch]):
    """The batches of a sampler in its order, cut by threads before they are asked for, at most ``BATCHES_AHEAD``.

    Cutting is copying, during which torch lets other threads run. ``pins`` puts batches into memory that a GPU fetches
    from by itself.
    """

    def __init__(self, faces: FaceTensors, sampler: EpochBatches, *, pins: bool) -> None:
        super().__init__(faces, sampler=sampler, batch_size=None)
        self.faces, self.pins = faces, pins

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        waiting: deque[Future[Batch]] = deque()
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="batches")
        try:
            for index in self.sampler:
                waiting.append(pool.submit(self._cut, index))
                if len(waiting) > BATCHES_AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _cut(self, index: list[int]) -> Batch:
        batch = self.faces[index]
        return {name: tensor.pin_memory() for name, tensor in batch.items()} if self.pins else batch


class FerDataModule(pl.LightningDataModule):
    """Train and validation batches of a recipe."""

    def __init__(
        self, recipe: Recipe, train: Side, choose: Side, teachers: Mapping[str, NDArray[np.float32]] = NOBODY
    ) -> None:
        super().__init__()
        self.recipe = recipe
        needs_votes = FERPLUS in recipe.targets
        self.train = FaceTensors(train, needs_votes=needs_votes, teachers=teachers)
        self.choose = FaceTensors(choose, needs_votes=needs_votes)
        self.draw = balanced(train.labels, recipe.balance, recipe.seed)

    def train_dataloader(self) -> DataLoader[Batch]:
        return self._loader(self.train, self.draw, shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        return self._loader(self.choose, Draw(np.arange(len(self.choose))), shuffle=False)

    def teardown(self, stage: str) -> None:
        """The GPU is free for the next run."""
        for faces in (self.train, self.choose):
            faces.move_to(torch.device("cpu"))

    def _loader(self, faces: FaceTensors, draw: Draw, *, shuffle: bool) -> DataLoader[Batch]:
        rank, n_ranks = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        faces.move_to(device)
        batches = EpochBatches(
            draw, min(self.recipe.batch_size, len(draw.rows)), seed=self.recipe.seed, shuffle=shuffle,
            rank=rank, n_ranks=n_ranks, done=self._done if shuffle else lambda: 0,
        )  # fmt: skip
        if device.type == "cuda" and faces.device.type == "cpu":
            return AheadLoader(faces, batches, pins=True)
        return DataLoader(faces, sampler=batches, batch_size=None)

    def _done(self) -> int:
        """Batches of this epoch that were learnt before the run was resumed; asked for when the first one is cut."""
        return int(self.trainer.fit_loop.epoch_loop.batch_progress.current.ready) if self.trainer else 0
