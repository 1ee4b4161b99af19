"""A film before the browser's fake camera: the sample, each frame with its number in a strip of black and white fields,
so that every picture that a camera, a route or a recording has of it tells which frame it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from dashboard.sample.make import FPS, SAMPLE
from fer_core.faces import make_detector
from fer_core.faces.records import RGB
from tests.support.app import CHROMIUM_ARGUMENTS, chromium_path

SMILES_S = (12.8, 15.0), (0.0, 3.5)
"""Where the sample smiles; its end goes over into its beginning."""
BITS, FIELD_PX = 9, 24
NUMBER = f"""canvas => {{
    const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let number = 0;
    for (let bit = 0; bit < {BITS}; bit++) {{
        const x = Math.round(({FIELD_PX} * (bit + 0.5) * canvas.width) / 640);
        const y = canvas.height - Math.round(({FIELD_PX} / 2) * (canvas.width / 640));
        number += (pixels.data[4 * (y * canvas.width + x)] > 127) << bit;
    }}
    return number;
}}"""
"""The number of the frame on a canvas, in the browser's language."""
WATCH = """root => {
    const { live } = root;
    const numberOf = NUMBER;
    const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
    window.shown = [];
    window.answers = [];
    const [draw, hear] = [live.draw.bind(live), live.hear.bind(live)];
    live.draw = () => {
        draw();
        canvas.getContext("2d", { willReadFrequently: true }).drawImage(root.querySelector("video"), 0, 0, 640, 360);
        for (const { face, box } of live.shown.faces) {
            const behind = live.shown.time - live.followed.motions.get(face.track).time;
            if (behind < LATE_MS) window.shown.push([numberOf(canvas), ...box]);
        }
    };
    const picture = live.sender.picture.bind(live.sender);
    live.sender.picture = (video) => {
        const made = picture(video);
        live.number = numberOf(live.sender.canvas);
        return made;
    };
    live.hear = (answer, now) => {
        if (live.number !== undefined) {
            for (const { box, p } of answer.faces) window.answers.push([live.number, answer.width, box, p]);
        }
        hear(answer, now);
    };
}""".replace("NUMBER", NUMBER).replace("LATE_MS", "500")
"""In a page: keeps the boxes that are drawn and are not late even for a busy machine (``window.shown``: number of the
frame, shares of the picture), and the boxes of answers (``window.answers``)."""


def numbered(picture: RGB, number: int) -> RGB:
    """A copy with the number, lowest bit first, at the lower left."""
    marked = picture.copy()
    for bit in range(BITS):
        marked[-FIELD_PX:, bit * FIELD_PX : (bit + 1) * FIELD_PX] = 255 * (number >> bit & 1)
    return marked


def number_of(picture: RGB) -> int:
    """The number on a picture of any size and of the film's shape."""
    scale = picture.shape[1] / 640
    row = picture[-round(FIELD_PX * scale / 2)]
    return sum(int(row[round(FIELD_PX * (bit + 0.5) * scale)].mean() > 127) << bit for bit in range(BITS))


def sample_film() -> list[RGB]:
    """The whole sample, 640 × 360."""
    with av.open(str(SAMPLE)) as sample:
        pictures = [frame.to_ndarray(format="rgb24") for frame in sample.decode(video=0)]
    return [numbered(picture, i) for i, picture in enumerate(pictures)]


def smiling_film() -> list[RGB]:
    """A face that moves slowly and keeps its expression, there and back, so that its end goes over into its beginning:
    where it is says which frame is meant, however late an answer is."""
    whole = sample_film()
    there = [whole[i] for from_s, to_s in SMILES_S for i in range(round(from_s * FPS), round(to_s * FPS))]
    return [numbered(picture, i) for i, picture in enumerate([*there, *there[-2:0:-1]])]


def write_motion_jpeg(path: Path, pictures: list[RGB]) -> Path:
    """As Chromium's fake camera reads it, 30 frames per second, again and again."""
    with av.open(str(path), "w", format="mjpeg") as out:
        stream = out.add_stream("mjpeg", rate=30, options={"qmin": "2", "qmax": "2"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuvj420p"
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 30)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


@contextmanager
def browser_with_camera(browser: Any, path: Path) -> Iterator[Any]:
    """Another Chromium, whose camera shows a film and which asks nobody."""
    camera = (
        "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={path}",
    )  # fmt: skip
    chromium = browser.browser_type.launch(executable_path=chromium_path(), args=[*CHROMIUM_ARGUMENTS, *camera])
    yield chromium
    chromium.close()


def overlaps(page: Any, film: list[RGB]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """After ``WATCH``: how far boxes are those that a detector finds on the very frame (IoU), of answers on the frames
    that were sent, and as they were drawn over the frames on screen."""
    shown, said = page.evaluate("[window.shown, window.answers]")
    numbers = sorted({int(number) for number, *_ in (*shown, *said)})
    boxes = {
        n: each.boxes[0] for n, each in zip(numbers, make_detector().detect([film[n] for n in numbers]), strict=True)
    }
    answered = [iou(np.array(box) * 640 / width, boxes[number]) for number, width, box, _ in said]
    drawn = [iou(np.array(box) * (640, 360, 640, 360), boxes[int(number)]) for number, *box in shown]
    return np.array(answered), np.array(drawn)


def iou(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Of two boxes [left, top, right, bottom]."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    inner = np.prod(np.maximum(high - low, 0))
    return float(inner / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inner))
