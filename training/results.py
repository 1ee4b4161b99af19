"""Where results go: a checkpoint's folder is there whole or not at all, and never takes another one's place unasked.

Results of training go to the user's own folder (``checkpoints/`` of ``FER_HOME``), unless ``--out`` names another.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fer_core.errors import RecipeError
from fer_core.files import replacing, replacing_folder
from fer_core.models.card import check_name
from fer_core.models.folders import added_folder, checkpoints_folder, file_sha256, weights_in
from fer_core.places import data_home

EXPORTED = "exported.json"
"""File of a run: hashes of the weights that it wrote, by the folders they went to."""


@dataclass(frozen=True)
class Results:
    """Where the checkpoints of a run go.

    Attributes:
        out: folder of their folders.
        run: folder of the run, which remembers what it wrote and may write it again.
        replaces: whether another one's checkpoint may be replaced.
    """

    out: Path
    run: Path
    replaces: bool = False

    def check(self, names: Iterable[str]) -> None:
        """Make sure that these names are free, before any time is spent on them.

        Raises:
            RecipeError: there is a checkpoint of that name which this run did not write.
            CheckpointError: a name that none can have.
        """
        for name in names:
            check_name(name)
            if not self.replaces and (taken := self._taken(name)) is not None:
                raise RecipeError(
                    f"There is a checkpoint {name!r} in {taken.parent} already, which this run did not write. Give the "
                    "new one another name with --name NAME, another place with --out FOLDER, or say --replace."
                )

    @contextmanager
    def folder(self, name: str) -> Iterator[Path]:
        """A folder to write a checkpoint into; when the block ends well it stands in ``out`` under its name, without
        anything of the one that was there before, and so do no evaluations that the dashboard made of that one.

        Raises:
            RecipeError: as ``check``.
        """
        self.check([name])
        place = self.out / name
        self.out.mkdir(parents=True, exist_ok=True)
        with replacing_folder(place) as new:
            yield new
        if self.out.resolve() in (added_folder(), checkpoints_folder().resolve()):
            shutil.rmtree(data_home() / "evaluations" / name, ignore_errors=True)
        self._remember(place)

    def _taken(self, name: str) -> Path | None:
        """Folder of a checkpoint that has the name here, or hides what would have it."""
        place, shipped = self.out / name, checkpoints_folder() / name
        if place.exists() and _hash(place) != self._exported().get(str(place.resolve())):
            return place
        if self.out.resolve() == added_folder() and weights_in(shipped) is not None:
            return shipped
        return None

    def _exported(self) -> dict[str, str]:
        path = self.run / EXPORTED
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}

    def _remember(self, place: Path) -> None:
        self.run.mkdir(parents=True, exist_ok=True)
        with replacing(self.run / EXPORTED) as new:
            new.write_text(json.dumps(self._exported() | {str(place.resolve()): _hash(place)}), encoding="utf-8")


def _hash(folder: Path) -> str:
    weights = weights_in(folder)
    return file_sha256(weights) if weights else ""
