"""A clip for the benchmark where no real one may be shipped: six faces that enter, cross and leave, in 1920×1080.

    python -m benchmarks.street street.mp4 [--seconds 10] [--size 1920x1080] [--people 6] [--sitting]

Faces are those of the bundled sample (a public-domain portrait whose expression changes), 60 to 300 px wide, tinted and
mirrored so that people differ. They move before a textured wall that a camera pans over; halfway the scene is cut.
With ``--sitting`` they sit side by side, as around a table, in one scene before a camera that stands.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.pasted_faces import clouds
from dashboard.sample.make import SAMPLE
from fer_core.faces import make_detector
from fer_core.video.reader import VideoReader

RGB = NDArray[np.uint8]
FPS, SECONDS, SIZE, PEOPLE = 30, 10.0, (1920, 1080), 6
WIDTHS_PX = (60, 300)
HEAD = 1.9
"""Side of the pasted patch in widths of its face."""


@dataclass(frozen=True)
class Walker:
    """One face on its way: width in px, place of its middle at the scene's start and end, in shares of the frame."""

    width_px: float
    start: NDArray[np.float64]
    end: NDArray[np.float64]
    phase: int
    mirrored: bool
    tint: NDArray[np.float32]

    def middle(self, share: float, size: tuple[int, int]) -> NDArray[np.float64]:
        """Where the face is after this share of the scene, in px; it sways a little."""
        sway = 0.006 * np.array([np.sin(9 * share + self.phase), np.sin(14 * share + 2 * self.phase)])
        place: NDArray[np.float64] = (self.start + share * (self.end - self.start) + sway) * size
        return place


def patches() -> tuple[list[RGB], float]:
    """Squares around the face of the sample, every second frame, and the width of the face in them, in px.

    Frames in which the face is covered are left out.
    """
    detector = make_detector("mtcnn")
    with VideoReader(SAMPLE) as reader:
        found = [(frame.image, detector.detect([frame.image])[0]) for frame in reader.frames(per_second=12.5)]
    seen = [(image, faces.boxes[0]) for image, faces in found if len(faces) == 1]
    x0, y0, x1, y1 = np.median([box for _, box in seen], axis=0)
    half = HEAD * (x1 - x0) / 2
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    rows, columns = slice(round(max(y - half, 0)), round(y + half)), slice(round(x - half), round(x + half))
    return [image[rows, columns] for image, _ in seen], float(x1 - x0)


def walkers(random: np.random.Generator, n: int, size: tuple[int, int]) -> list[Walker]:
    """People of one scene: every second one enters at a side and leaves at the other, the others stay in the frame."""
    low, high = (np.log(each * size[0] / SIZE[0]) for each in WIDTHS_PX)
    widths = np.exp(np.linspace(low, high, n))
    rows = np.linspace(0.2, 0.8, n)
    random.shuffle(rows)
    made = []
    for i, (width, y) in enumerate(zip(widths, rows, strict=True)):
        ends = (-0.1, 1.1) if i % 2 else (random.uniform(0.1, 0.4), random.uniform(0.6, 0.9))
        turned = slice(None, None, -1) if random.random() < 0.5 else slice(None)
        start, end = (np.array([x, y + random.uniform(-0.1, 0.1)]) for x in ends[turned])
        tint = random.uniform(0.75, 1.15, 3).astype(np.float32)
        made.append(Walker(float(width), start, end, int(random.integers(1000)), bool(i % 2), tint))
    return made


def sitters(random: np.random.Generator, n: int, size: tuple[int, int]) -> list[Walker]:
    """People side by side, who stay where they are."""
    made = []
    for i in range(n):
        place = np.array([(i + 0.5) / n, random.uniform(0.4, 0.6)])
        width = random.uniform(0.35, 0.5) * size[0] / n
        tint = random.uniform(0.75, 1.15, 3).astype(np.float32)
        made.append(Walker(width, place, place, int(random.integers(1000)), bool(i % 2), tint))
    return made


def frames(seconds: float, size: tuple[int, int], n: int, seed: int = 0, sitting: bool = False) -> Iterator[RGB]:
    """The frames of the clip, RGB uint8 (h, w, 3): a cut halfway, or one scene of people who are ``sitting``."""
    random = np.random.default_rng(seed)
    faces, face_px = patches()
    soft = _soft(faces[0].shape[:2])
    total, scenes = round(seconds * FPS), 1 if sitting else 2
    spare = (1.0, 1.0) if sitting else (1.25, 1.1)
    for scene in range(scenes):
        wall = clouds(random, (round(size[0] * spare[0]), round(size[1] * spare[1])))
        people = (sitters if sitting else walkers)(random, n, size)
        count = total // scenes + (total % scenes) * scene
        for i in range(count):
            share = i / max(count - 1, 1)
            left, top = (
                np.array([share, 0.5 + 0.5 * np.sin(5 * share)]) * (np.array(wall.shape[1::-1]) - size)
            ).astype(int)
            image = wall[top : top + size[1], left : left + size[0]].copy()
            for person in people:
                face = faces[(i // 2 + person.phase) % len(faces)]
                _paste(image, face, soft, person, person.middle(share, size), person.width_px / face_px)
            yield image


def _soft(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """How much of a patch is seen: all in an ellipse, fading out."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    far = np.hypot((x + 0.5) / shape[1] * 2 - 1, (y + 0.5) / shape[0] * 2 - 1)
    return np.clip((1 - far) / 0.15, 0, 1).astype(np.float32)


def _paste(
    image: RGB, face: RGB, soft: NDArray[np.float32], person: Walker, middle: NDArray[np.float64], scale: float
) -> None:
    """Draw the patch around ``middle``, by parts of a pixel; what lies outside the frame is cut off."""
    height, width = face.shape[:2]
    if person.mirrored:
        face = face[:, ::-1]
    half = np.array([width, height]) * scale / 2
    low = np.maximum(np.floor(middle - half), 0).astype(int)
    high = np.minimum(np.ceil(middle + half), image.shape[1::-1]).astype(int)
    if (high <= low).any():
        return
    shift = middle - half - low
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    size = tuple((high - low).tolist())
    drawn = cv2.warpAffine(face, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(soft, matrix, size, flags=cv2.INTER_LINEAR)[..., None]
    part = image[low[1] : high[1], low[0] : high[0]]
    part[:] = np.clip(share * drawn * person.tint + (1 - share) * part, 0, 255)


def write(
    path: Path, *, seconds: float = SECONDS, size: tuple[int, int] = SIZE, n: int = PEOPLE, sitting: bool = False
) -> Path:
    """Write the clip as H.264; the same every time."""
    new = path.with_suffix(".new.mp4")
    with av.open(str(new), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "21", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for i, image in enumerate(frames(seconds, size, n, sitting=sitting)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    new.replace(path)
    return path


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--size", default="x".join(map(str, SIZE)), help="width x height in px")
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--sitting", action="store_true", help="they sit side by side instead of walking about")
    args = parser.parse_args(argv)
    width, height = (int(each) for each in args.size.split("x"))
    print(write(args.out, seconds=args.seconds, size=(width, height), n=args.people, sitting=args.sitting))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
