"""How many frames of a camera the app answers a second, and how late, on this machine.

    python -m benchmarks.live [--seconds 10] [--minutes 10] [--rounds 3] [--checkpoint NAME] [--detector mtcnn]

The app is started as ``make run`` does, and asked over HTTP as its page asks it: a camera gives 30 frames a second of
640×480, one frame is on its way at a time, and the next one that is sent is the newest. The delay of an answer is the
time since the camera gave its frame. One face: the bundled sample; four: faces of it side by side, see
``benchmarks.street``. Then the page itself is asked, in Chromium on the same cores, with a film of one face before its
camera: answers a second, and how many of the boxes on screen lie on the face of that very frame (IoU of 0.8 or more).
Then the process is killed, and the time is told until it answers again. Last, without the app, the cost of a frame
beside that of looking for faces in every frame. ``--minutes`` goes on with one face and tells the memory of the process
and of the server.
"""

from __future__ import annotations

import argparse
import http.client
import io
import itertools
import json
import os
import signal
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import street
from dashboard.sample.make import SAMPLE
from fer_core.video.reader import VideoReader
from tests.support.app import children_of, chromium_path, running_app, running_chromium
from tests.support.entry import cookie, let_in
from tests.support.filmed import WATCH, browser_with_camera, overlaps, smiling_film, write_motion_jpeg

RGB = NDArray[np.uint8]
FPS, SIZE, QUALITY = 30, (640, 480), 80
FRAMES = 150
SHARES = (50, 95)
GOOD_IOU = 0.8


def one_face() -> list[RGB]:
    """The first frames of the bundled sample."""
    with VideoReader(SAMPLE) as reader:
        return [cv2.resize(frame.image, SIZE) for frame in itertools.islice(reader.frames(), FRAMES)]


def four_faces() -> list[RGB]:
    """Four people side by side."""
    return list(street.frames(FRAMES / FPS, SIZE, 4, sitting=True))


def encoded(images: Iterable[RGB]) -> list[bytes]:
    """As JPEG, as a browser sends them."""
    found = []
    for image in images:
        data = io.BytesIO()
        Image.fromarray(image).save(data, "JPEG", quality=QUALITY)
        found.append(data.getvalue())
    return found


class Tab:
    """A client with one session."""

    def __init__(self, address: str, session: str, chosen: dict[str, str]) -> None:
        where = urlsplit(address)
        self._server = http.client.HTTPConnection(where.netloc, timeout=120)
        self._headers = {"Cookie": cookie(where.port or 80)}
        self._path, self._chosen = f"/api/live/{session}", chosen

    def ask(self, picture: bytes) -> dict[str, Any]:
        """The answer to a frame of now."""
        told = urlencode({"time_ms": 1000 * time.monotonic(), **self._chosen})
        self._server.request("POST", f"{self._path}?{told}", picture, self._headers)
        answer: dict[str, Any] = json.loads(self._server.getresponse().read())
        if "error" in answer:
            raise SystemExit(answer["error"])
        return answer

    def until_ready(self, picture: bytes) -> float:
        """Seconds until the first frame is answered."""
        began = time.monotonic()
        while self.ask(picture)["state"] != "ok":
            time.sleep(0.02)
        return time.monotonic() - began

    def watch(self, pictures: Sequence[bytes], seconds: float) -> tuple[list[float], list[int]]:
        """Delays in ms of the answers to a camera that shows the pictures over and over, and faces in each answer."""
        began, before, delays, faces = time.monotonic(), -1, list[float](), list[int]()
        while (now := time.monotonic() - began) < seconds:
            i = int(now * FPS)
            if i == before:
                time.sleep(max((i + 1) / FPS - now, 0))
                continue
            before = i
            answer = self.ask(pictures[i % len(pictures)])
            if answer["state"] == "ok":
                delays.append(1000 * (time.monotonic() - began - i / FPS))
                faces.append(len(answer["faces"]))
        return delays, faces


def told(title: str, delays: list[float], faces: list[int], seconds: float) -> str:
    """One line of the report."""
    middle, late = np.percentile(delays, SHARES)
    return (
        f"{title}: {len(delays) / seconds:.1f} answers a second, delay {middle:.0f} ms (median), {late:.0f} ms "
        f"(95 %), {np.mean(faces):.2f} faces found"
    )


def in_browser(address: str, seconds: float, chosen: dict[str, str]) -> str:
    """What the page itself reaches, as one line of the report."""
    if not (path := chromium_path()):
        return "no Chromium on the PATH, so the page itself was not asked"
    film = smiling_film()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_chromium(path) as browser,
        browser_with_camera(browser, write_motion_jpeg(Path(folder) / "film.mjpeg", film)) as chromium,
    ):
        context = chromium.new_context(viewport={"width": 1280, "height": 1000})
        let_in(context)
        page = context.new_page()
        page.goto(f"{address}/live?{urlencode(chosen)}")
        live = page.locator(".live[data-ready=yes]")
        live.wait_for()
        page.get_by_role("button", name="Start camera").click()
        page.wait_for_timeout(4000)
        before = int(live.get_attribute("data-answers") or 0)
        page.wait_for_timeout(1000 * seconds)
        answers = int(live.get_attribute("data-answers") or 0) - before
        said = page.locator(".pace").inner_text()
        live.evaluate(WATCH)
        page.wait_for_timeout(1000 * seconds)
        page.get_by_role("button", name="Stop camera").click()
        answered, drawn = overlaps(page, film)
    return (
        f"in Chromium: {answers / seconds:.1f} answers a second ({said}); boxes on the face: "
        f"{np.mean(answered >= GOOD_IOU):.1%} of answers, {np.mean(drawn >= GOOD_IOU):.1%} of {len(drawn)} on screen"
    )


def resident_mb(pid: int) -> float:
    """Memory of a process, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmRSS"))


def spent_s(pid: int) -> float:
    """CPU time of a process, in s."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cost(images: list[RGB], checkpoint: str, detector: str, rounds: int) -> tuple[float, float]:
    """CPU time of a frame in ms, median of the rounds: as it is, and with a look in every frame."""
    from fer_core.faces import make_detector
    from fer_core.live.live_view import LiveView
    from fer_core.models.classifier import load
    from fer_core.signals.emotion import EmotionScores

    class Looking:
        """A detector that cannot follow."""

        name = "looking"

        def __init__(self) -> None:
            self.detect = make_detector(detector).detect

    scores = EmotionScores.of_checkpoint(load(checkpoint, device="cpu"))
    spent: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(rounds):
        for i, finder in enumerate((make_detector(detector), Looking())):
            view = LiveView(finder, scores)
            view.warm_up()
            began = time.process_time()
            for n, image in enumerate(images):
                view.see(image, n / FPS)
            spent[i].append(1000 * (time.process_time() - began) / len(images))
    followed, looked = (float(np.median(each)) for each in spent.values())
    return followed, looked


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    from fer_core.faces.detectors import DEFAULT_DETECTOR, DETECTORS
    from fer_core.models.folders import DEFAULT_CHECKPOINT

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each part (default: %(default)s)")
    parser.add_argument("--minutes", type=int, default=0, help="watch the memory for so long (default: not)")
    parser.add_argument("--rounds", type=int, default=3, help="of the comparison at the end (default: %(default)s)")
    parser.add_argument("--checkpoint", default=DEFAULT_CHECKPOINT)
    parser.add_argument("--detector", default=DEFAULT_DETECTOR, choices=DETECTORS)
    args = parser.parse_args(argv)
    chosen = {"checkpoint": args.checkpoint, "detector": args.detector}
    scenes = {"one face": one_face(), "four faces": four_faces()}
    pictures = {title: encoded(images) for title, images in scenes.items()}
    first = pictures["one face"]
    with tempfile.TemporaryDirectory() as home, running_app(Path(home)) as (address, server):
        tab = Tab(address, "benchmark1", chosen)
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {args.checkpoint}, {args.detector}")
        print(f"first answer after {tab.until_ready(first[0]):.1f} s")
        for i, (title, each) in enumerate(pictures.items()):
            tab = Tab(address, f"benchmark{i}", chosen)
            tab.until_ready(each[0])
            (process,) = children_of(server, "live_worker")
            before = [spent_s(pid) for pid in (process, server)]
            delays, faces = tab.watch(each, args.seconds)
            print(told(title, delays, faces, args.seconds))
            spent = [1000 * (spent_s(pid) - was) for pid, was in zip((process, server), before, strict=True)]
            own, servers = (each / len(delays) for each in spent)
            print(f"  CPU an answer: {own:.1f} ms in the process for live views, {servers:.1f} ms in the server")
        print(in_browser(address, args.seconds, chosen), flush=True)
        tab = Tab(address, "benchmark9", chosen)  # the server has closed the connection of the one before
        tab.until_ready(first[0])
        for minute in range(args.minutes + 1 if args.minutes else 0):
            print(f"minute {minute}: {resident_mb(process):.0f} MB, server {resident_mb(server):.0f} MB", flush=True)
            tab.watch(first, 60.0 if minute < args.minutes else 0.0)
        os.kill(process, signal.SIGKILL)
        print(f"killed: answers again after {tab.until_ready(first[0]):.1f} s")
    for title, images in scenes.items() if args.rounds else ():
        followed, looked = cost(images, args.checkpoint, args.detector, args.rounds)
        times = f"{looked:.1f} with a look in every frame ({looked / followed:.1f}×)"
        print(f"{title}: {followed:.1f} ms CPU a frame, {times}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
