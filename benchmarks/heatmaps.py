"""Which layer and method point at what counts for a network, and whether its heatmaps can be believed.

    python -m benchmarks.heatmaps [CHECKPOINT …] [--choose | --dots] [--faces 500] [--smiles 200] [--write]

With ``--choose``, every layer and method on faces of FER2013's training split. Without it, what the architecture's
registration says (``fer_core.models.registry.Heat``), on faces of the public test, which chose nothing; ``--write``
keeps the figures as ``heatmaps.json`` in the checkpoint's folder, where the pages read whether the maps earn belief.

- *pointing*: the hottest place lies in the tenth of the view over which covering costs the explained score most.
  Covered are 8 by 8 squares of a quarter of the view, by blur; a place counts the mean of what those over it cost.
- *fixed*: the same for one map for all faces, the mean of what covering costs on faces of the training split.
- *mouth*: of smiles that nine of ten people call happy, explained for happy, the hottest place lies on the mouth
  (``fer_core.explain.region_masks``, by MTCNN's landmarks).
- *gain*: insertion minus deletion (``fer_core.explain.Curves``), in logits, of the map, of random places, of the fixed
  map.
- *check*: how many maps stand ``fer_core.explain.sanity``.

What covering costs is kept below the data folder, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.crop_geometry import landmarks_of
from fer_core.data import load_fer2013
from fer_core.data.locate import find_dataset
from fer_core.data.records import VOTES
from fer_core.explain import METHODS, REGIONS, region_masks, sanity
from fer_core.explain.cams import BY_GRADIENTS, with_gradients
from fer_core.explain.checks import curves_of
from fer_core.explain.earned import HEATMAPS, Figures
from fer_core.explain.gradcam import maps_of_input, onto_crop
from fer_core.explain.methods import TOGETHER
from fer_core.explain.network import cells_along, copy_network, map_sides, pick_layer, pick_method
from fer_core.explain.placing import blurred, dots_seen, hot_spots, placing, tiled
from fer_core.files import replacing
from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import DEFAULT_CHECKPOINT, find_checkpoint
from fer_core.models.runtime import EXACT, fastest
from fer_core.places import data_home

ArrayF = NDArray[np.float32]
WINDOWS, WINDOW, TENTH = 8, 1 / 4, 0.9
CELLS = (5, 24)
"""Of the layers that are tried, along a side."""
BLURS = (0.0, 0.042, 0.07, 0.11)
AT_ONCE, CURVED, TRIED = 32, 64, 3


@dataclass(frozen=True)
class FaceSample:
    """Crops (n, s, s, 3) with their row numbers, and landmarks in pixels of the crop where they are wanted."""

    rows: list[int]
    crops: NDArray[np.uint8]
    landmarks: NDArray[np.float64] | None = None


def faces_of(split: str, n: int, data: Path | None) -> FaceSample:
    """Drawn faces of a split."""
    images = load_fer2013(find_dataset("fer2013", data), split).images
    rows = np.random.default_rng(0).permutation(len(images))[:n]
    return FaceSample(rows.tolist(), np.repeat(images[rows][..., None], 3, axis=3))


def smiles_of(split: str, n: int, data: Path | None) -> FaceSample:
    """Drawn smiles of a split on which nine of ten people agree and MTCNN finds one face."""
    faces = load_fer2013(find_dataset("fer2013", data), split)
    assert faces.votes is not None
    clear = np.flatnonzero(faces.votes[:, VOTES.index("happy")] >= 9)
    kept = data_home() / "heatmaps" / f"landmarks-{split}.json"
    known: dict[str, list[list[float]]] = json.loads(kept.read_text()) if kept.is_file() else {}
    kept.parent.mkdir(parents=True, exist_ok=True)
    found: list[int] = []
    for row in np.random.default_rng(1).permutation(clear).tolist():
        if str(row) not in known:
            one = landmarks_of(faces.images[row : row + 1]) * faces.images.shape[1]
            known[str(row)] = one[0].tolist() if len(one) else []
        found += [row] if known[str(row)] else []
        if len(found) == n:
            break
    _keep(kept, known)
    crops = np.repeat(faces.images[found][..., None], 3, axis=3)
    return FaceSample(found, crops, np.array([known[str(row)] for row in found]))


class Covering:
    """One network's answers on some faces: what covering costs, and how maps compare with it."""

    def __init__(self, classifier: Classifier, faces: FaceSample, split: str) -> None:
        self.classifier, self.faces = classifier, faces
        self.by = fastest(classifier, EXACT)[0]
        self.size = classifier.card.input.size
        self.classes = [int(top) for top in classifier.predict(faces.crops).logits.argmax(axis=1)]
        self.kept = data_home() / "heatmaps" / f"{classifier.name}-{classifier.sha256[:12]}-{split}-{WINDOWS}.json"

    @cached_property
    def windows(self) -> list[tuple[slice, slice]]:
        """What is covered at a time."""
        side = round(self.size * WINDOW)
        starts = np.linspace(-side / 4, self.size - side * 3 / 4, WINDOWS).round().astype(int)
        spans = [slice(max(start, 0), min(start + side, self.size)) for start in starts]
        return list(itertools.product(spans, spans))

    @cached_property
    def cost(self) -> ArrayF:
        """What covering each place costs (n, size, size)."""
        known: dict[str, list[float]] = json.loads(self.kept.read_text()) if self.kept.is_file() else {}
        self.kept.parent.mkdir(parents=True, exist_ok=True)
        for i, (row, crop) in enumerate(zip(self.faces.rows, self.faces.crops, strict=True)):
            if str(row) not in known:
                known[str(row)] = self._covered(crop, self.classes[i])
                if i % 50 == 49:
                    _keep(self.kept, known)
        _keep(self.kept, known)
        covers = np.zeros((len(self.windows), self.size, self.size), np.float32)
        for each, window in zip(covers, self.windows, strict=True):
            each[window] = 1
        costs = np.array([known[str(row)] for row in self.faces.rows], np.float32)
        return np.einsum("nw,wyx->nyx", costs, covers / covers.sum(axis=0))

    @torch.inference_mode()
    def _covered(self, crop: NDArray[np.uint8], target: int) -> list[float]:
        clear = self.classifier.network_input(crop[None])
        planes = [cv2.GaussianBlur(plane, (0, 0), self.size / 8) for plane in clear[0].cpu().numpy()]
        blurred = torch.from_numpy(np.stack(planes)).to(clear)
        shown = clear.repeat(len(self.windows) + 1, 1, 1, 1)
        for picture, window in zip(shown, self.windows, strict=False):
            picture[:, *window] = blurred[:, *window]
        logits = torch.cat([self.by.net.features_and_logits(some)[1] for some in torch.split(shown, AT_ONCE)])[
            :, target
        ]
        return [round(float(each), 4) for each in logits[-1] - logits[:-1]]

    @cached_property
    def important(self) -> NDArray[np.bool_]:
        """The tenth of the view over which covering costs most, of each face."""
        return self.cost >= np.quantile(self.cost, TENTH, axis=(1, 2), keepdims=True)

    def pointing(self, maps: ArrayF) -> float:
        """Share of maps whose hottest place lies there; an empty map points nowhere."""
        y, x = hottest(maps)
        return float((self.important[np.arange(len(maps)), y, x] & maps.any(axis=(1, 2))).mean())

    def gain(self, maps: ArrayF) -> float:
        """Mean gain of the first few maps."""
        some = zip(self.faces.crops[:CURVED], self.classes, maps, strict=False)
        return float(np.mean([
            curves_of(self.by, crop, self.classifier.labels[target], heat[None]).gains[0]
            for crop, target, heat in some
        ]))  # fmt: skip


def _keep(path: Path, values: object) -> None:
    with replacing(path) as new:
        new.write_text(json.dumps(values))


def hottest(maps: ArrayF) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of each map's hottest place."""
    at = maps.reshape(len(maps), -1).argmax(axis=1)
    return at // maps.shape[2], at % maps.shape[2]


def fixed_map(cost: ArrayF) -> ArrayF:
    """What covering costs on the mean over faces (size, size), each face counting the same."""
    scaled: ArrayF = (cost / cost.std(axis=(1, 2), keepdims=True)).mean(axis=0)
    return scaled - scaled.min()


def on_mouth(classifier: Classifier, smiles: FaceSample, maps: ArrayF) -> float:
    """Share of maps over the network's input whose hottest place lies on the mouth."""
    assert smiles.landmarks is not None
    side = smiles.crops.shape[1]
    y, x = hottest(onto_crop(maps, side, classifier.card.input.field))
    mouth = REGIONS.index("mouth")
    hits = [region_masks(own, side)[mouth, i, j] for own, i, j in zip(smiles.landmarks, y, x, strict=True)]
    return float(np.mean(hits))


def candidates(classifier: Classifier) -> list[str]:
    """Layers to try: each, and the last ones of two sizes together."""
    sides = {name: side for name, side in map_sides(classifier).items() if CELLS[0] <= side <= CELLS[1]}
    last: dict[int, str] = {}
    for name, side in sides.items():
        last.setdefault(side, name)
    return [*sides, *(TOGETHER.join(pair) for pair in itertools.combinations(last.values(), 2))]


def all_maps(classifier: Classifier, crops: NDArray[np.uint8], classes: Sequence[int]) -> dict[tuple[str, str], ArrayF]:
    """Maps (n, size, size) of every layer and method that needs gradients, in one pass."""
    names, size, net = candidates(classifier), classifier.card.input.size, copy_network(classifier)
    single = [name for name in names if TOGETHER not in name]
    onto = {name: placing(classifier, name).onto for name in single}
    found: dict[tuple[str, str], list[ArrayF]] = {}
    for i in range(0, len(crops), AT_ONCE):
        x = classifier.network_input(crops[i : i + AT_ONCE]).clone()
        held = with_gradients(net, x, [[each] for each in classes[i : i + AT_ONCE]], single)
        for method, make in BY_GRADIENTS.items():
            here = {}
            for name, each in zip(single, held, strict=True):
                placed = onto[name](make(*each).relu(), size=size)
                here[name] = (placed / placed.amax(dim=(1, 2), keepdim=True).clamp(min=1e-10)).numpy()
            here |= {
                name: np.sum([here[each] for each in name.split(TOGETHER)], axis=0)
                for name in names
                if name not in here
            }
            for name, maps in here.items():
                found.setdefault((name, method), []).append(maps.astype(np.float16))
    return {key: np.concatenate(each).astype(np.float32) for key, each in found.items()}


def choose(classifier: Classifier, faces: FaceSample, smiles: FaceSample) -> None:
    """The table of all layers and methods on the training split, best pointing first, gains for the first few."""
    seen = Covering(classifier, faces, "training")
    fixed = np.repeat(fixed_map(seen.cost)[None], len(faces.crops), axis=0)
    maps = all_maps(classifier, faces.crops, seen.classes)
    happy = all_maps(classifier, smiles.crops, [classifier.labels.index("happy")] * len(smiles.crops))
    rows = sorted(
        ((seen.pointing(_blurred(each, blur)), blur, *key) for key, each in maps.items() for blur in BLURS),
        reverse=True,
    )
    noise = np.random.default_rng(0).random(fixed.shape, np.float32)
    print(f"{classifier.name}: {len(faces.crops)} faces and {len(smiles.crops)} smiles of the training split")
    print(f"{'layer':40}{'cells':>6}  {'method':14}{'blur':>6}{'pointing':>9}{'mouth':>7}{'gain':>7}")
    print(f"{'fixed map':68}{seen.pointing(fixed):9.1%}{'':7}{seen.gain(fixed):7.2f}")
    print(f"{'random places':68}{seen.pointing(noise):9.1%}{'':7}{seen.gain(noise):7.2f}")
    for place, (pointing, blur, layer, method) in enumerate(rows):
        mouth = on_mouth(classifier, smiles, _blurred(happy[layer, method], blur))
        gain = f"{seen.gain(_blurred(maps[layer, method], blur)):7.2f}" if place < TRIED else ""
        cells = cells_along(classifier, layer)
        print(f"{layer:40}{cells:6}  {method:14}{blur:6.3f}{pointing:9.1%}{mouth:7.1%}{gain}", flush=True)


def _blurred(maps: ArrayF, blur: float) -> ArrayF:
    return blurred(torch.from_numpy(maps), blur * maps.shape[1]).numpy()


def report(classifier: Classifier, fixed: ArrayF, faces: FaceSample, smiles: FaceSample, checked: int) -> Figures:
    """The figures of a network's own layer and method on the public test."""
    seen, method, layer = Covering(classifier, faces, "public_test"), pick_method(classifier), pick_layer(classifier)
    net = copy_network(classifier)

    def maps_of(crops: NDArray[np.uint8], classes: Sequence[int]) -> ArrayF:
        return maps_of_input(classifier, net, crops, [[each] for each in classes], method, layer)

    maps = maps_of(faces.crops, seen.classes)
    noise = np.random.default_rng(0).random(maps.shape, np.float32)
    same = np.repeat(fixed[None], len(maps), axis=0)
    happy = maps_of(smiles.crops, [classifier.labels.index("happy")] * len(smiles.crops))
    stood = [
        sanity(classifier, crop, classifier.labels[target], seed=i, by=seen.by).passed
        for i, (crop, target) in enumerate(zip(faces.crops[:checked], seen.classes, strict=False))
    ]
    return Figures(
        weights_sha256=classifier.sha256, method=method, layer=layer, faces=len(maps), smiles=len(happy),
        checked=len(stood), pointing=seen.pointing(maps), fixed=seen.pointing(same),
        mouth=on_mouth(classifier, smiles, happy), gain=seen.gain(maps), gain_random=seen.gain(noise),
        gain_fixed=seen.gain(same), check=float(np.mean(stood)),
    )  # fmt: skip


def tell_dots(classifier: Classifier) -> None:
    """How far hot spots lie from dots that placed nothing, in pixels of the input: with tiled cells, and as placed."""
    size = classifier.card.input.size
    for layer, cells in map_sides(classifier).items():
        if not CELLS[0] <= cells <= CELLS[1]:
            continue
        places, seen = dots_seen(classifier, layer, seed=1)
        found = [
            np.hypot(*(hot_spots(each.onto(torch.from_numpy(seen), size).numpy()) - places).T).mean()
            for each in (tiled(size, cells, size / cells), placing(classifier, layer))
        ]
        print(f"{classifier.name} {layer:30}{cells:4} tiled {found[0]:.2f} placed {found[1]:.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="*", default=[DEFAULT_CHECKPOINT], metavar="CHECKPOINT")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--choose", action="store_true", help="try every layer and method on the training split")
    for name, value in (("faces", 500), ("smiles", 200), ("checked", 32)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--dots", action="store_true", help="only tell how well cells are placed, by drawn dots")
    parser.add_argument("--write", action="store_true", help=f"keep the figures as {HEATMAPS} beside the weights")
    args = parser.parse_args()
    if args.dots:
        for name in args.checkpoints:
            tell_dots(load(name))
        return
    taught = faces_of("training", args.faces, args.data)
    split = "training" if args.choose else "public_test"
    smiles = smiles_of(split, args.smiles, args.data)
    if not args.choose:
        print(f"| checkpoint | layer | method | {' | '.join(Figures.HEAD)} |")
    for name in args.checkpoints:
        folder = find_checkpoint(name)
        classifier = load(folder)
        if args.choose:
            choose(classifier, taught, smiles)
            continue
        fixed = fixed_map(Covering(classifier, taught, "training").cost)
        found = report(classifier, fixed, faces_of(split, args.faces, args.data), smiles, args.checked)
        print(
            f"| `{classifier.name}` | {found.layer} | {METHODS[found.method]} | {' | '.join(found.cells())} |",
            flush=True,
        )
        if args.write:
            with replacing(folder / HEATMAPS) as new:
                new.write_text(found.to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
