"""Whether every strip is one person: drawn scenes, in which it is known who is who, through the scan and the tracker.

    python -m benchmarks.identity [--data DIR] [--scenes cuts swaps passing returns light] [--mode fast exact]
        [--seed 0] [--descriptors dlib-resnet] [--out figures.json]

Without ``--mode`` every scene runs in *fast*, those of *passing* in *exact* too. Of each scene:

* ``idf1``: agreement of strips and people in 0-1, by the pairing that agrees in the most faces (Ristani et al. 2016); a
  face agrees if the boxes overlap by 0.5 or more (intersection over union);
* ``switches``: how often a person's face goes on in another strip;
* ``joins``: strips in which somebody else has more than 2 % of the faces; ``purity``: mean over the strips of the share
  of the person with the most faces; ``least``: that of the worst strip;
* ``strips`` and ``people``: how many there are; ``false``: faces where nobody is.

Faces that are mostly covered, outside, in the dark or in a flash may be found or not. No emotion is measured.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from benchmarks.identity_kinds import all_scenes
from benchmarks.identity_scenes import FPS, Drawn, Head, Scene, draw, heads
from fer_core.faces import (
    DEFAULT_DETECTOR,
    CropGeometry,
    Detector,
    Faces,
    Tracker,
    crop_faces,
    crop_qualities,
    iou_matrix,
    make_detector,
)  # fmt: skip
from fer_core.faces.identity.describers import DESCRIBERS, make_describer
from fer_core.video.people import Recogniser, picture_qualities, whole_strips
from fer_core.video.reader import Frame
from fer_core.video.scan import scan

MIN_IOU, FEW = 0.5, 0.02
MAY_BE = -2
"""Whose face it is does not matter: it may be found or not."""
KINDS = ("cuts", "swaps", "passing", "returns", "light")
Ints = NDArray[np.int64]


class People(Protocol):
    """Cuts strips and joins them to people after the last frame; a descriptor of faces looks at them as they come."""

    def see(self, frame: Frame, faces: Faces, strips: Ints) -> None:
        """The n faces of the next frame and their strips (n,)."""

    def people(self, frames: Ints, strips: Ints, same: Mapping[int, int]) -> Ints:
        """The person (n,) of faces, by frame and strip (n,) each; ``same`` as of ``Tracker``."""


class EveryStrip:
    """Every strip is somebody."""

    def see(self, frame: Frame, faces: Faces, strips: Ints) -> None:
        """Nothing is looked at."""

    def people(self, frames: Ints, strips: Ints, same: Mapping[int, int]) -> Ints:
        """Nothing more is cut or joined."""
        return whole_strips(strips, same)


class ByFace:
    """As an analysis does that recognises people by their faces."""

    def __init__(self, describer: str) -> None:
        self.recogniser, self.seen = Recogniser(make_describer(describer)), list[pd.DataFrame]()

    def see(self, frame: Frame, faces: Faces, strips: Ints) -> None:
        """Keep a few good pictures."""
        crops = crop_faces(frame.image, faces, CropGeometry())
        qualities = picture_qualities(faces, crop_qualities(crops)["sharpness"])
        self.recogniser.see(frame, faces, strips, qualities, crops)
        self.seen.append(pd.DataFrame({"frame": frame.index, "track": strips}))

    def people(self, frames: Ints, strips: Ints, same: Mapping[int, int]) -> Ints:
        """Describe them, cut and join."""
        seen = pd.concat(self.seen)
        found = self.recogniser.settle(seen.assign(track=whole_strips(seen["track"].to_numpy(), same)), same)
        own = found.strips(pd.DataFrame({"frame": frames, "track": whole_strips(strips, same)}))
        return np.array([found.numbers[strip] for strip in own.tolist()], np.int64)


DESCRIPTORS: Mapping[str, Callable[[], People]] = {
    "none": EveryStrip, **{name: partial(ByFace, name) for name in DESCRIBERS},
}  # fmt: skip


class Seen(NamedTuple):
    """Every face that was found: its frame, its strip and the person it shows, -1 for nobody; (n,) each. And every face
    that must be found, by frame and person (m, 2)."""

    frame: Ints
    strip: Ints
    who: Ints
    truth: Ints


def run(scene: Scene, people: Sequence[Head], detector: Detector, mode: str, seed: int, joiner: People) -> Seen:
    """One scene through the scan and the tracker."""
    drawn = list(draw(scene, people, np.random.default_rng(seed)))
    frames = (Frame(i, i / FPS, each.image) for i, each in enumerate(drawn))
    tracker, found = Tracker(), list[tuple[int, int, int]]()
    with closing(scan(frames, detector, mode)) as scanned:
        for frame, faces, *_ in scanned:
            strips = tracker.update(frame.time_s, faces, frame.image, frame.look).astype(np.int64)
            joiner.see(frame, faces, strips)
            shown = matched(faces.boxes, drawn[frame.index])
            found += [(frame.index, int(s), int(w)) for s, w in zip(strips, shown, strict=True) if w > MAY_BE]
    truth = [(i, int(who)) for i, each in enumerate(drawn) for who in each.who[each.counts]]
    rows = np.array(found, np.int64).reshape(-1, 3)
    strip = joiner.people(rows[:, 0], rows[:, 1], tracker.same)
    return Seen(rows[:, 0], strip, rows[:, 2], np.array(truth, np.int64).reshape(-1, 2))


def matched(boxes: NDArray[np.float32], drawn: Drawn) -> Ints:
    """Who is in each box (n,): -1 for nobody, ``MAY_BE`` for a face that may be found or not."""
    overlap = iou_matrix(boxes, drawn.boxes)
    who = np.full(len(boxes), -1)
    if overlap.size:
        rows, columns = linear_sum_assignment(-overlap)
        near = overlap[rows, columns] >= MIN_IOU
        who[rows[near]] = np.where(drawn.counts, drawn.who, MAY_BE)[columns[near]]
        hidden = iou_matrix(boxes, drawn.boxes[~drawn.counts])
        who[(who == -1) & (hidden.max(axis=1, initial=0) > 0.1)] = MAY_BE
    return who


def figures(seen: Seen) -> dict[str, float]:
    """The figures of one scene; see the module's docstring."""
    people, strips = np.unique(seen.truth[:, 1]), np.unique(seen.strip)
    shared = ((seen.strip[:, None] == strips)[:, :, None] & (seen.who[:, None] == people)[:, None, :]).sum(axis=0)
    rows, columns = linear_sum_assignment(-shared)
    own = shared.sum(axis=1)
    purity = shared[own > 0].max(axis=1) / own[own > 0]
    return {
        "idf1": 2 * float(shared[rows, columns].sum()) / max(len(seen.truth) + len(seen.strip), 1),
        "switches": switches(seen),
        "joins": int((np.sort(shared, axis=1)[:, :-1].sum(axis=1) > FEW * own).sum()),
        "purity": float(purity.mean()) if len(purity) else 1.0,
        "least": float(purity.min()) if len(purity) else 1.0,
        "strips": int((own > 0).sum()),
        "people": len(people),
        "false": int((seen.who == -1).sum()),
    }


def switches(seen: Seen) -> int:
    """How often a person goes on in another strip."""
    changes = 0
    for person in np.unique(seen.truth[:, 1]):
        own = seen.who == person
        strips = seen.strip[own][np.argsort(seen.frame[own], kind="stable")]
        changes += int((np.diff(strips) != 0).sum())
    return changes


def total(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Means of shares, sums of counts."""
    known = list(rows)
    means = {name: float(np.mean([row[name] for row in known])) for name in ("idf1", "purity")}
    counts = {name: int(sum(row[name] for row in known)) for name in ("switches", "joins", "strips", "people", "false")}
    return {**means, "least": float(min(row["least"] for row in known)), **counts}


def measure(
    data: Path, seed: int, kinds: Sequence[str], modes: Sequence[str], descriptors: str, detector_name: str
) -> list[dict[str, Any]]:
    """A row for every scene and mode."""
    detector = make_detector(detector_name)
    people = heads(data, make_detector(detector_name, min_face_px=20))
    rows = []
    for number, scene in enumerate(all_scenes(len(people), np.random.default_rng(seed))):
        for mode in modes or (("fast", "exact") if scene.kind == "passing" else ("fast",)):
            if scene.kind in kinds:
                seen = run(scene, people, detector, mode, 1000 * seed + number, DESCRIPTORS[descriptors]())
                rows.append({"kind": scene.kind, "scene": scene.name, "mode": mode, **figures(seen)})
    return rows


def told(rows: Sequence[Mapping[str, Any]]) -> str:
    """As a table, with a line for every kind and one for all."""
    names = ("idf1", "switches", "joins", "purity", "least", "strips", "people", "false")
    lines = ["| scenes | mode | " + " | ".join(names) + " |", "| --- | --- |" + " --- |" * len(names)]

    def line(title: str, mode: str, row: Mapping[str, Any]) -> str:
        cells = [f"{row[name]:.3f}" if isinstance(row[name], float) else str(row[name]) for name in names]
        return f"| {title} | {mode} | " + " | ".join(cells) + " |"

    for row in rows:
        lines.append(line(f"{row['kind']}: {row['scene']}", row["mode"], row))
    for kind, mode in dict.fromkeys((row["kind"], row["mode"]) for row in rows):
        lines.append(line(f"**{kind}**", mode, total(r for r in rows if (r["kind"], r["mode"]) == (kind, mode))))
    return "\n".join([*lines, line("**all**", "", total(rows))])


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("FER_DATA", "."), help="default: FER_DATA")
    parser.add_argument("--scenes", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--mode", nargs="+", choices=("fast", "exact"), default=())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--detector", default=DEFAULT_DETECTOR)
    parser.add_argument("--descriptors", choices=DESCRIPTORS, default="none")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args(argv)
    rows = measure(args.data, args.seed, args.scenes, args.mode, args.descriptors, args.detector)
    print(told(rows))
    if args.out:
        args.out.write_text(json.dumps({"seed": args.seed, "scenes": rows, "all": total(rows)}, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
