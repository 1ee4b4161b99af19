"""Lightning data module: the whole data set as tensors in memory, batches by index, no worker processes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from fer_core.data import LabelledFaces, ferplus_labels, load_fer2013, vote_distribution
from fer_core.errors import DataError
from training.recipe import Recipe

Batch = dict[str, Tensor]


class FaceTensors(Dataset[Batch]):
    """A data set as tensors; an index list gives a whole batch.

    A batch holds ``images`` uint8 (n, h, w), ``fer2013`` int (n,), ``ferplus`` float (n, 7) vote shares,
    ``ferplus7`` int (n,) label or -1. Images that ``ferplus7`` drops for anything but a tie teach no vote shares.
    """

    def __init__(self, faces: LabelledFaces, *, needs_votes: bool) -> None:
        if needs_votes and not faces.has_votes:
            raise DataError("This recipe needs FER+ votes; put fer2013new.csv beside fer2013.csv, or drop the target.")
        self.tensors: Batch = {"images": torch.from_numpy(faces.images), "fer2013": torch.from_numpy(faces.emotion)}
        if needs_votes:
            seven, rest = faces.votes[:, :7].max(axis=1), faces.votes[:, 7:].max(axis=1)
            shares = vote_distribution(faces.votes) * (seven > rest)[:, None].astype(np.float32)
            self.tensors["ferplus"] = torch.from_numpy(shares)
            self.tensors["ferplus7"] = torch.from_numpy(ferplus_labels(faces.votes, "ferplus7"))

    def __len__(self) -> int:
        return len(self.tensors["images"])

    def __getitem__(self, index: list[int]) -> Batch:
        chosen = torch.as_tensor(index)
        return {name: tensor[chosen] for name, tensor in self.tensors.items()}


class EpochBatches(Sampler[list[int]]):
    """Batches of indices, shuffled by seed and epoch, so that a resumed run sees what an unbroken one would."""

    def __init__(self, n: int, batch_size: int, *, seed: int, shuffle: bool) -> None:
        self.n, self.batch_size, self.seed, self.shuffle = n, batch_size, seed, shuffle
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this at the start of every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.n // self.batch_size if self.shuffle else -(-self.n // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = np.arange(self.n)
        if self.shuffle:
            np.random.default_rng([self.seed, self.epoch]).shuffle(order)
        for i in range(len(self)):
            yield order[i * self.batch_size : (i + 1) * self.batch_size].tolist()


class FerDataModule(pl.LightningDataModule):
    """Train and validation batches of a recipe. ``limit`` cuts every split to its first rows (for trials)."""

    def __init__(self, recipe: Recipe, root: str, *, limit: int | None = None) -> None:
        super().__init__()
        self.recipe, self.root, self.limit = recipe, root, limit

    def setup(self, stage: str) -> None:
        self.train = self._read(self.recipe.data.train)
        self.choose = self._read(self.recipe.data.choose)

    def _read(self, split: str) -> FaceTensors:
        faces = load_fer2013(self.root, split)
        tensors = FaceTensors(faces, needs_votes="ferplus" in self.recipe.targets)
        if self.limit is not None:
            tensors.tensors = {name: tensor[: self.limit] for name, tensor in tensors.tensors.items()}
        return tensors

    def train_dataloader(self) -> DataLoader[Batch]:
        return self._loader(self.train, shuffle=True)

    def val_dataloader(self) -> DataLoader[Batch]:
        return self._loader(self.choose, shuffle=False)

    def _loader(self, faces: FaceTensors, *, shuffle: bool) -> DataLoader[Batch]:
        batch_size = min(self.recipe.batch_size, len(faces))
        batches = EpochBatches(len(faces), batch_size, seed=self.recipe.seed, shuffle=shuffle)
        return DataLoader(faces, sampler=batches, batch_size=None)
