"""The card of a checkpoint: everything that inference and a reader need to know about its weights."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fer_core.emotions import EMOTIONS, EMOTIONS8, Prior
from fer_core.errors import CheckpointError, InputError
from fer_core.faces.geometry import CropGeometry
from fer_core.files import replacing

FORMAT = "fer-workbench-checkpoint/1"
MAX_CARD_BYTES, MAX_TITLE = 1_000_000, 80
WEIGHTS, ONNX_WEIGHTS = "model.safetensors", "model.onnx"
"""Files that hold weights; a folder without one is for looking at evaluations only."""
INT8_GRAPH = "int8.onnx"
"""The same network in whole numbers of 8 bits, for CPUs that are faster with them; see ``training.int8``."""
ONNX = "onnx"
"""Architecture of a network that ONNX Runtime runs; its options tell which checkpoint it is ``of``, that one's
``architecture`` and the ``precision`` of its numbers."""
ONNX_PRECISIONS = ("float32", "int8")
ENSEMBLE, MEMBER_SHA256 = "ensemble", "weights_sha256"
"""Architecture of several networks in one, and the option of a member whose weights are in a folder of their own."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # becomes part of file names
_SHA256 = re.compile(r"[0-9a-f]{64}")
_AT_MOST = re.compile(r" \(at most [^)]*\)")
TEST, CHOOSE = "test", "choose"
"""Sides of a training that are measured at its end; figures of a card say theirs under ``side``."""
PART = "_part"
"""Ending of a split that is not whole; its figures say under ``left_out`` what is not there, and why."""
COMMAND_OPTIONS = ("dataset", "classes", "fold", "epochs", "minutes", "limit", "seed", "lr", "batch-size")
"""Options of ``training.train`` that a card's ``data["command"]`` may name beside ``recipe``; ``set`` lists others."""
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._,=+-]{0,127}")


@dataclass(frozen=True)
class InputSpec:
    """What the network takes: side in px, channels (1 grey, 3 RGB), normalisation of pixels in 0-1, and the share of
    the face crop that it sees (1 is all of it)."""

    size: int
    channels: int
    mean: list[float]
    std: list[float]
    field: float = 1.0

    def check(self) -> None:
        """Raise ``CheckpointError`` unless all values are possible."""
        if not isinstance(self.mean, list) or not isinstance(self.std, list):
            raise CheckpointError(f"mean and std must be lists, got {self}.")
        numbers = [*self.mean, *self.std, self.field]
        if not all(isinstance(n, int | float) and math.isfinite(n) for n in numbers):
            raise CheckpointError(f"mean, std and field must be finite numbers, got {numbers}.")
        if not all(isinstance(n, int) for n in (self.size, self.channels)):
            raise CheckpointError(f"sizes and channels must be whole numbers, got {self}.")
        if not (8 <= self.size <= 1024 and self.channels in (1, 3) and 0.2 <= self.field <= 1.0):
            raise CheckpointError(f"input {self} is outside 8-1024 px, 1 or 3 channels, field 0.2-1.")
        if len(self.mean) != self.channels or len(self.std) != self.channels or min(self.std) <= 0:
            raise CheckpointError(f"input needs {self.channels} mean and positive std values, got {self}.")


def check_name(name: object) -> None:
    """Raise ``CheckpointError`` unless a checkpoint can be called so."""
    if not _matches(_NAME, name):
        raise CheckpointError(f"name {name!r} must be 1-64 letters, digits, dots, dashes and underscores.")


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


@dataclass(frozen=True)
class Card:
    """The content of ``card.json``.

    Inference needs ``name``, ``architecture``, ``options``, ``labels``, ``input``, ``crop`` and ``temperature``, and
    ``preprocess`` (a file of the folder with which crops are reconstructed first). ``prior`` says how common each
    emotion was in what it was taught, None where nobody measured it; ``int8`` the ``sha256`` of ``INT8_GRAPH`` and its
    ``costs`` in accuracy, where there is one; the rest where the weights come from and what was measured with them.
    """

    name: str
    architecture: str
    labels: list[str]
    input: InputSpec
    crop: CropGeometry
    temperature: float
    options: Mapping[str, Any] = field(default_factory=dict)
    preprocess: Mapping[str, str] = field(default_factory=dict)
    prior: Prior | None = None
    title: str = ""
    int8: Mapping[str, Any] = field(default_factory=dict)
    system: str = ""
    recipe: str = ""
    recipe_sha256: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    revision: str = ""
    date: str = ""
    hardware: str = ""
    wall_s: float = 0.0
    n_params: int = 0
    metrics: list[Mapping[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def answers(self) -> list[str]:
        """The labels that its network may say: those it was taught. The probability of the others is 0."""
        taught = self.data.get("classes")
        known = [label for label in self.labels if label in taught] if isinstance(taught, list | tuple) else []
        return known or list(self.labels)

    def __post_init__(self) -> None:
        check_name(self.name)
        if not isinstance(self.options, Mapping):
            raise CheckpointError(f"options are {self.options!r}; expected names and values.")
        if tuple(self.labels) not in (EMOTIONS, EMOTIONS8):
            raise CheckpointError(f"labels are {self.labels}; expected {list(EMOTIONS)} (and contempt last, if there).")
        if self.preprocess not in ({}, {"pca": "pca.safetensors"}):
            raise CheckpointError(
                f"preprocess is {self.preprocess!r}; expected nothing or {{'pca': 'pca.safetensors'}}."
            )
        if self.prior is not None and len(self.prior.shares) != len(self.labels):
            raise CheckpointError(f"prior has {len(self.prior.shares)} shares; expected {len(self.labels)}.")
        if self.int8 and not (isinstance(self.int8, Mapping) and _matches(_SHA256, self.int8.get("sha256"))):
            raise CheckpointError(f"int8 is {self.int8!r}; expected nothing, or sha256 and costs of {INT8_GRAPH}.")
        if not isinstance(self.data, Mapping) or not all(isinstance(each, Mapping) for each in self.metrics):
            raise CheckpointError(f"data and each of the metrics must be names and values, got {self.data!r}.")
        if not isinstance(self.title, str) or len(self.title) > MAX_TITLE or not self.title.isprintable():
            raise CheckpointError(f"title must be a line of at most {MAX_TITLE} characters, got {self.title!r}.")
        if not all(isinstance(each, str) for each in (self.date, *self.notes)):
            raise CheckpointError("the date and every note must be text.")
        for place, name, sha256 in self.members:
            if not (_matches(_NAME, name) and _matches(_SHA256, sha256)):
                raise CheckpointError(
                    f"member {place} is {str(name)[:80]!r}; expected a name and the SHA-256 of its weights."
                )
        self.input.check()
        numbers = [self.temperature, self.crop.margin]
        if not all(isinstance(n, int | float) and math.isfinite(n) for n in numbers):
            raise CheckpointError(f"temperature and margin must be finite numbers, got {numbers}.")
        if not isinstance(self.crop.size, int):
            raise CheckpointError(f"sizes must be whole numbers, got {self.crop}.")
        if not 0.05 <= self.temperature <= 20:
            raise CheckpointError(f"temperature {self.temperature} is outside 0.05-20.")

    @property
    def headline(self) -> Mapping[str, Any]:
        """The figures that say most: of the test side, by the labels that it was taught, single view; where nothing was
        measured on a test side those of the side it was chosen on, and nothing where there are no figures."""

        def rank(figures: Mapping[str, Any]) -> tuple[bool, ...]:
            wanted = (("labels", self.data.get("labels")), ("tta", "none"))
            return self.side_of(figures) == TEST, *(figures.get(key) == value for key, value in wanted)

        return max(self.metrics, key=rank, default={})

    def side_of(self, figures: Mapping[str, Any]) -> str:
        """``test``, or ``choose`` for figures of pictures on which the epoch was chosen and the temperature fitted;
        "" where the card does not tell."""
        if (told := figures.get("side")) in (TEST, CHOOSE):
            return str(told)
        split = str(figures.get("split", "")).removesuffix(PART)  # cards of before say it by the splits of their data
        names = {split, f"{figures.get('data')} {split}"}
        for side in (TEST, CHOOSE):
            if names & set(_AT_MOST.sub("", str(self.data.get(side, ""))).split(", ")):
                return side
        return ""

    @property
    def weights_file(self) -> str:
        """Name of the file in the checkpoint's folder that holds the weights."""
        return ONNX_WEIGHTS if self.architecture == ONNX else WEIGHTS

    @property
    def network(self) -> str:
        """The architecture in words: for an ONNX file that of the network in it, and its precision."""
        if self.architecture != ONNX:
            return self.architecture
        return f"{self.options.get('architecture', '?')}, ONNX {self.options.get('precision', '?')}"

    @property
    def members(self) -> list[tuple[int, str, str]]:
        """Members of an ensemble whose weights are in their own folders: place, name and SHA-256 of the weights."""
        listed = self.options.get("members") if self.architecture == ENSEMBLE else None
        found = [each if isinstance(each, Mapping) else {} for each in listed] if isinstance(listed, list) else []
        return [(i, each.get("name", ""), each[MEMBER_SHA256]) for i, each in enumerate(found) if MEMBER_SHA256 in each]

    @property
    def training_command(self) -> str:
        """What trains these weights again; "" where the card names no recipe, or names that are none."""
        if self.architecture == ONNX and self.options.get("of") != "":
            return f"python -m training.edge {self.options.get('of', 'CHECKPOINT')}"
        if isinstance(pruned := self.data.get("pruned"), Mapping):
            epochs = self.data.get("epochs")
            more = f" --epochs {epochs}" if isinstance(epochs, int) else ""
            return f"python -m training.edge {pruned.get('of')} --prune {pruned.get('share')}{more}"
        said = self.data.get("command")
        words = dict(said) if isinstance(said, Mapping) else {"recipe": self.recipe}
        recipe, given = words.get("recipe", ""), [(key, words[key]) for key in COMMAND_OPTIONS if key in words]
        if isinstance(settings := words.get("set"), list):
            given += [("set", each) for each in settings]
        if not (_matches(_NAME, recipe) and all(_WORD.fullmatch(str(word)) for _, word in given)):
            return ""  # it is shown to be copied into a shell
        return " ".join(["python -m training.train", recipe, *(f"--{key} {word}" for key, word in given)])

    def to_json(self) -> str:
        """The text of ``card.json``."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=2, ensure_ascii=False) + "\n"


def write_card(folder: Path, card: Card) -> None:
    """Write ``card.json`` of a checkpoint folder, whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(folder / "card.json") as new:
        new.write_text(card.to_json(), encoding="utf-8")


def read_card(path: Path) -> Card:
    """Read and check ``card.json``.

    Raises:
        CheckpointError: missing, too large, not JSON, of another format, or a value is missing or impossible; the
            message names the file.
    """
    where = f"{path.parent.name}/{path.name}"
    if not path.is_file():
        raise CheckpointError(f"{where} is missing; a checkpoint folder needs card.json and its weights.")
    if path.stat().st_size > MAX_CARD_BYTES:
        raise CheckpointError(f"{where} is larger than 1 MB; this is not a card.")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{where} is not valid JSON ({error}); copy the folder again.") from error
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        got = values.get("format") if isinstance(values, dict) else type(values).__name__
        raise CheckpointError(f"{where} has format {got!r}, expected {FORMAT!r}; export it again with training.train.")
    try:
        return _card(values)
    except (TypeError, ValueError, KeyError, CheckpointError, InputError) as error:
        raise CheckpointError(f"{where}: {error}") from error


def _card(values: dict[str, Any]) -> Card:
    known = {f.name for f in dataclasses.fields(Card)}
    needed = {"name", "architecture", "labels", "input", "crop", "temperature"}
    if missing := needed - set(values):
        raise CheckpointError(f"missing {', '.join(sorted(missing))}.")
    chosen = {key: value for key, value in values.items() if key in known - {"prior"}}
    card = Card(**{**chosen, "input": InputSpec(**values["input"]), "crop": CropGeometry(**values["crop"])})
    told = values.get("prior")
    return card if told is None else dataclasses.replace(card, prior=Prior.from_json(told, len(card.labels)))
