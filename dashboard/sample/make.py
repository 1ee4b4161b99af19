"""Render the sample video: one portrait whose expression changes, warped and repainted by this script alone.

    python -m dashboard.sample.make            # writes dashboard/sample/sample.mp4
    python -m dashboard.sample.make --check    # reads it with the default checkpoint and prints what is seen when

The portrait is NASA's picture of Eileen Collins, in the public domain, which scikit-image ships as ``data.astronaut``.
All positions are in its 512 x 512 pixels.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

SAMPLE = Path(__file__).with_name("sample.mp4")
RGB = NDArray[np.uint8]
FPS, WIDTH, HEIGHT = 25, 640, 360
MOUTH = (224.0, 143.0)
BROWS = ((200.0, 91.0), (251.0, 94.0))  # middle of each brow, the subject's right first
INNER_BROWS = ((213.0, 91.0), (239.0, 93.0))
EYES = ((202.5, 100.7), (246.3, 103.0))
# what is shown: (from second, expression); between two the picture fades for FADE_S
SCENES = ((0.0, "smile"), (3.6, "surprise"), (8.2, "sadness"), (12.2, "smile"))
FADE_S, LENGTH_S = 0.5, 15.0
COVERED_S = (6.4, 7.4)  # a card passes in front of the face


def warp(image: RGB, moves: list[tuple[tuple[float, float], tuple[float, float], float]]) -> RGB:
    """Move the neighbourhood of points: each move is (centre, displacement, radius), all in pixels."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
    from_x, from_y = x.copy(), y.copy()
    for (cx, cy), (dx, dy), radius in moves:
        weight = np.exp(-((x - cx - dx) ** 2 + (y - cy - dy) ** 2) / (2 * radius**2))
        from_x -= weight * dx
        from_y -= weight * dy
    return np.asarray(cv2.remap(image, from_x, from_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT), np.uint8)


def without_mouth(image: RGB) -> RGB:
    """The portrait with plain skin where the mouth was: the colours around it, drawn smoothly together."""
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.ellipse(mask, (round(MOUTH[0]), round(MOUTH[1])), (29, 13), 1.0, 0, 360, 255, -1)
    left, top, width, height = cv2.boundingRect(mask)
    plain = np.full_like(image, 180)
    filled = cv2.seamlessClone(plain, image, mask, (left + width // 2, top + height // 2), cv2.NORMAL_CLONE)
    grain = np.random.default_rng(0).normal(0, 1.6, image.shape[:2])[..., None] * (mask[..., None] > 0)
    return np.asarray(np.clip(filled + grain, 0, 255), np.uint8)


def paint(image: RGB, points: NDArray[np.float64], colour: tuple[int, int, int], *, softness: float = 0.8) -> RGB:
    """Fill a polygon, points (n, 2) in pixels, with a soft edge."""
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, shift=4)
    alpha = cv2.GaussianBlur(mask, (0, 0), softness)[..., None] / 255.0
    return np.asarray(image * (1 - alpha) + np.array(colour) * alpha, np.uint8)


def ellipse(centre: tuple[float, float], half: tuple[float, float]) -> NDArray[np.float64]:
    angle = np.linspace(0, 2 * np.pi, 60)
    return np.stack([centre[0] + half[0] * np.cos(angle), centre[1] + half[1] * np.sin(angle)], axis=1)


def lips(centre: tuple[float, float], half: float, bend: float, thick: float) -> NDArray[np.float64]:
    """A closed mouth: ``bend`` lowers its corners (pixels), ``thick`` is the height of both lips in the middle."""
    t = np.linspace(-1, 1, 40)
    middle = centre[1] + bend * t**2
    height = thick / 2 * (1 - t**2) ** 0.6 + 0.3
    across = centre[0] + half * t
    return np.concatenate([np.stack([across, middle - height], 1), np.stack([across, middle + height], 1)[::-1]])


def surprise(portrait: RGB) -> RGB:
    """Raised brows, wide eyes, an open round mouth."""
    face = without_mouth(portrait)
    x, y = MOUTH[0], MOUTH[1] + 3
    face = paint(face, ellipse((x, y), (10.5, 12.0)), (192, 124, 116), softness=1.2)
    face = paint(face, ellipse((x, y), (7.5, 9.0)), (74, 30, 32), softness=1.0)
    face = paint(face, ellipse((x, y + 5.5), (5.0, 2.6)), (146, 78, 80), softness=1.2)
    moves = [((bx, by), (0.0, -4.5), 9.0) for bx, by in BROWS] + [
        ((bx, by), (0.0, -2.0), 7.0) for bx, by in INNER_BROWS
    ]
    for ex, ey in EYES:
        moves += [((ex, ey - 4), (0.0, -1.2), 5.0), ((ex, ey + 4), (0.0, 0.8), 5.0)]
    return warp(face, [*moves, ((x, 170.0), (0.0, 5.0), 12.0)])


def sadness(portrait: RGB) -> RGB:
    """Inner brows up, lids down, the corners of the mouth drawn down."""
    face = without_mouth(portrait)
    x, y = MOUTH[0], MOUTH[1] - 1
    face = paint(face, lips((x, y), 16.5, 5.0, 8.0), (190, 122, 114), softness=1.2)
    face = paint(face, lips((x, y), 17.0, 5.0, 1.0), (120, 62, 60), softness=0.8)
    moves = [((bx, by), (0.0, -6.0), 7.0) for bx, by in INNER_BROWS]
    moves += [((192.0, 91.0), (0.0, 4.0), 7.0), ((260.0, 95.0), (0.0, 4.0), 7.0)]
    for ex, ey in EYES:
        moves.append(((ex, ey - 4), (0.0, 2.5), 6.0))
    return warp(face, moves)


def smile(portrait: RGB) -> RGB:
    """The portrait as it is."""
    return portrait


EXPRESSIONS = {"smile": smile, "surprise": surprise, "sadness": sadness}


def frame_at(faces: dict[str, RGB], time_s: float) -> RGB:
    """The picture shown at a time: expression, card, and a slow drift of the camera."""
    current = max(i for i, (start, _) in enumerate(SCENES) if start <= time_s)
    start, name = SCENES[current]
    image = faces[name].astype(np.float32)
    if current and time_s - start < FADE_S:
        share = (time_s - start) / FADE_S
        image = share * image + (1 - share) * faces[SCENES[current - 1][1]]
    zoom = WIDTH / 440 * (1 + 0.05 * np.sin(2 * np.pi * time_s / LENGTH_S))
    turn = np.radians(2.5 * np.sin(2 * np.pi * time_s / 5.0))
    centre = np.array([226 + 8 * np.sin(2 * np.pi * time_s / 7.5), 130 + 3 * np.sin(2 * np.pi * time_s / 3.0)])
    rotation = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    matrix = np.hstack([rotation, (np.array([WIDTH / 2, HEIGHT / 2]) - rotation @ centre)[:, None]])
    shown = cv2.warpAffine(
        np.clip(image, 0, 255).astype(np.uint8),
        matrix,
        (WIDTH, HEIGHT),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    )
    return np.asarray(_card(shown, time_s), np.uint8)


def _card(image: RGB, time_s: float) -> RGB:
    """A plain card that slides in from the right, stays in front of the face, and leaves again."""
    begin, end = COVERED_S
    inside = min(1.0, (time_s - begin + 0.4) / 0.4, (end + 0.4 - time_s) / 0.4)
    if inside <= 0:
        return image
    left = round(WIDTH - inside * (WIDTH - 190))
    cv2.rectangle(image, (left, 20), (left + 260, HEIGHT - 20), (222, 214, 196), -1)
    cv2.rectangle(image, (left, 20), (left + 260, HEIGHT - 20), (150, 138, 112), 2)
    return image


def render(path: Path) -> None:
    """Write the video: H.264 with a quiet tone whose pitch marks the expression."""
    from skimage.data import astronaut

    portrait = np.asarray(astronaut(), np.uint8)  # type: ignore[no-untyped-call]
    faces = {name: make(portrait) for name, make in EXPRESSIONS.items()}
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"crf": "23", "preset": "slow", "bf": "0"}
        tone = container.add_stream("aac", rate=48_000, layout="mono")
        for index in range(round(LENGTH_S * FPS)):
            frame = av.VideoFrame.from_ndarray(frame_at(faces, index / FPS), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        for start in range(0, round(LENGTH_S * 48_000), 1024):
            time_s = (start + np.arange(1024)) / 48_000
            pitch = 220 * 2 ** (max(i for i, (begin, _) in enumerate(SCENES) if begin <= time_s[0]) / 4)
            sound = av.AudioFrame.from_ndarray(
                (0.03 * np.sin(2 * np.pi * pitch * time_s))[None].astype(np.float32), format="fltp", layout="mono"
            )
            sound.sample_rate, sound.pts, sound.time_base = 48_000, start, Fraction(1, 48_000)
            container.mux(tone.encode(sound))
        container.mux(tone.encode())


def check(path: Path) -> None:
    """Print the segments that the default checkpoint sees in the sample."""
    import tempfile

    import fer_core
    from fer_core.video.timeline import segments

    with tempfile.TemporaryDirectory() as folder:
        analysis = fer_core.open_analysis(fer_core.analyze(path, Path(folder) / "sample"))
        print(segments(analysis.timeline()).to_string(index=False))
    print(f"{path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="analyse the sample that is there instead of rendering it")
    if parser.parse_args().check:
        check(SAMPLE)
    else:
        render(SAMPLE)
