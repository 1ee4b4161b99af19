"""The page Live with a camera that shows a known film: boxes on faces, recordings that become analyses, every failure
in words, and nothing that stays behind."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_core.faces.detectors import DETECTORS
from fer_core.faces.records import RGB
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.systems import system
from fer_core.video.reader import VideoReader
from fer_core.video.store import open_analysis
from tests.support.app import NOISE, new_tab, running_app
from tests.support.entry import let_in
from tests.support.filmed import (
    WATCH,
    browser_with_camera,
    iou,
    number_of,
    overlaps,
    sample_film,
    smiling_film,
    write_motion_jpeg,
)  # fmt: skip

pytestmark = pytest.mark.browser
SLOW_MS, RECORDED_MS = 240_000, 16_000


@pytest.fixture(scope="module")
def frames() -> list[RGB]:
    return smiling_film()


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory, browser: Any, frames: list[RGB]) -> Iterator[Any]:
    """Chromium with somebody who smiles before its camera."""
    path = write_motion_jpeg(tmp_path_factory.mktemp("film") / "film.mjpeg", frames)
    with browser_with_camera(browser, path) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    home = tmp_path_factory.mktemp("home")
    with running_app(home) as (address, _):
        yield address, home


@pytest.fixture
def page(filmed: Any) -> Iterator[Any]:
    with quiet_tab(filmed) as tab:
        yield tab


@contextmanager
def quiet_tab(chromium: Any) -> Iterator[Any]:
    """A tab. Afterwards: no error of a script or of the browser."""
    tab = new_tab(chromium, height=1000)
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield tab
    tab.close()
    assert [text for text in errors if not NOISE.search(text)] == []


def open_live(
    page: Any, server: tuple[str, Path], checkpoint: str = DEFAULT_CHECKPOINT, detector: str = "mtcnn"
) -> Any:
    page.goto(f"{server[0]}/live?checkpoint={checkpoint}&detector={detector}")
    live = page.locator(".live[data-ready=yes]")
    live.wait_for()
    return live


def answers(live: Any) -> int:
    return int(live.get_attribute("data-answers") or 0)


def wait_for_answers(page: Any, live: Any, more: int) -> None:
    wanted = answers(live) + more
    page.wait_for_function(
        "([live, n]) => Number(live.dataset.answers ?? 0) >= n", arg=[live.element_handle(), wanted], timeout=SLOW_MS
    )


def start(page: Any, live: Any, more: int = 1) -> None:
    page.get_by_role("button", name="Start camera").click()
    wait_for_answers(page, live, more)


def fake(failure: str) -> str:
    """What makes the browser refuse its camera."""
    return f"() => {{ navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', '{failure}')); }}"


def test_boxes_are_on_the_face_that_is_shown_and_nothing_stays(
    page: Any, server: tuple[str, Path], frames: list[RGB]
) -> None:
    live = open_live(page, server)
    start(page, live, 3)
    before = _stored(server[1])
    live.evaluate(WATCH)
    page.wait_for_function("window.shown.length > 30 && window.answers.length > 5", timeout=SLOW_MS)
    page.get_by_role("button", name="Stop camera").click()
    on_its_frame, on_screen = overlaps(page, frames)
    assert np.mean(on_its_frame >= 0.8) >= 0.95, sorted(on_its_frame)
    assert np.mean(on_screen >= 0.8) >= 0.8, sorted(on_screen)
    page.wait_for_timeout(500)
    assert _stored(server[1]) == before
    assert "%" in page.locator(".spoken").inner_text() and not page.locator(".reading .card").count()


def _stored(home: Path) -> set[str]:
    """Files of the data folder other than tables of jobs; none of them, nor a log, has a picture in it."""
    kept = set()
    for path in filter(Path.is_file, home.rglob("*")):
        data = path.read_bytes()
        if path.suffix in (".log", ".out", ".sqlite"):
            assert b"\xff\xd8\xff" not in data and b"base64" not in data, path
        elif "sqlite" not in path.name and not {"runtimes", "logs"} & set(path.parts):
            kept.add(str(path))
    return kept


@pytest.mark.nightly
def test_a_recording_becomes_an_analysis_that_agrees_with_what_was_live(
    browser: Any, server: tuple[str, Path], tmp_path: Path
) -> None:
    path = write_motion_jpeg(tmp_path / "film.mjpeg", sample_film())
    with browser_with_camera(browser, path) as chromium, quiet_tab(chromium) as page:
        live = open_live(page, server)
        start(page, live, 3)
        live.evaluate(WATCH)
        page.get_by_role("button", name="Record").click()
        page.locator(".live[data-light=records]").wait_for()
        page.wait_for_timeout(RECORDED_MS)
        page.get_by_role("button", name="Stop recording").click()
        page.get_by_text("is analysed now").wait_for()
        seen = page.evaluate("window.answers")
        wait_for_answers(page, live, 2)  # the run of the page that began the analysis left the camera alone
        page.get_by_role("button", name="Stop camera").click()
        page.get_by_role("button", name="Open", exact=True).click(timeout=SLOW_MS)
        page.locator(".player[data-ready=yes]").wait_for()
    boxes, emotions = _agreement(seen, next((server[1] / "analyses").iterdir()))
    assert len(boxes) >= 10 and np.mean(boxes) >= 0.95, f"{np.mean(boxes):.3f} of {len(boxes)} boxes agree"
    assert np.mean(emotions) >= 0.9, f"{np.mean(emotions):.3f} of {len(emotions)} emotions agree"


def _agreement(seen: list[Any], folder: Path) -> tuple[list[bool], list[bool]]:
    """Whether boxes and surely seen emotions of live answers are those that the analysis of the recording has for the
    same frames."""
    analysis = open_analysis(folder)
    source = analysis.source()
    assert source is not None and analysis.record["source"]["duration_s"] > RECORDED_MS / 2000
    with VideoReader(source) as reader:
        numbers = [number_of(frame.image) for frame in reader.frames()]
    rows = analysis.timeline(["frame", "track", "x0", "y0", "x1", "y1", "emotion"])
    there = {numbers[row.frame]: row for row in rows[rows["track"] >= 0].itertuples()}
    boxes, emotions = [], []
    for number, width, box, p in seen:
        if (row := there.get(number)) is not None:
            boxes.append(iou(np.array(box) * 640 / width, np.array([row.x0, row.y0, row.x1, row.y1])) >= 0.8)
            top = max(p, key=p.__getitem__)
            emotions += [top == row.emotion] if p[top] > 0.6 else []
    return boxes, emotions


def test_every_failure_says_what_to_do_and_a_picture_is_offered(page: Any, server: tuple[str, Path]) -> None:
    live = open_live(page, server)
    begin, picture = (page.get_by_role("button", name=name) for name in ("Start camera", "Analyze a picture instead"))
    for failure, words in {
        "NotFoundError": "No camera is connected.", "NotAllowedError": "This page may not use the camera.",
        "NotReadableError": "The camera is busy", "OddError": "could not be started",
    }.items():  # fmt: skip
        page.evaluate(fake(failure))
        begin.click()
        live.get_by_role("alert").filter(has_text=words).wait_for()
        assert len(page.locator(".next").inner_text()) > 20 and picture.is_visible() and begin.is_enabled()
    page.evaluate("Object.defineProperty(window, 'isSecureContext', { configurable: true, value: false })")
    begin.click()
    live.get_by_role("alert").filter(has_text="over HTTPS").wait_for()
    picture.click()
    page.locator(".uploader").wait_for()


def test_a_camera_that_is_unplugged_and_a_hidden_tab_and_leaving_the_page(page: Any, server: tuple[str, Path]) -> None:
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if "/api/live/" in request.url else None)
    page.add_init_script("""
        window.tracks = [];
        const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async (wanted) => {
            const stream = await ask(wanted);
            window.tracks.push(...stream.getTracks());
            return stream;
        };
    """)
    live = open_live(page, server)
    page.locator(".start").focus()
    page.keyboard.press("Enter")
    wait_for_answers(page, live, 1)
    _hide(page, True)
    page.locator(".live[data-light=paused]").wait_for()
    assert _ends(page, sent)
    _hide(page, False)
    page.get_by_text("Nothing was sent while").wait_for()
    wait_for_answers(page, live, 1)
    page.evaluate("window.tracks[0].stop(), window.tracks[0].dispatchEvent(new Event('ended'))")
    live.get_by_role("alert").filter(has_text="The camera is gone").wait_for()
    page.locator(".start").focus()
    page.keyboard.press("Enter")
    wait_for_answers(page, live, 1)
    assert page.locator(".stop").evaluate("button => button.getRootNode().activeElement === button")
    page.get_by_role("link", name="Models").first.click()
    page.get_by_role("heading", name="Models").wait_for()
    page.wait_for_function(
        "window.tracks.length === 2 && window.tracks.every(({ readyState }) => readyState === 'ended')"
    )
    assert sum(url.endswith("/end") for url in sent) == 2 and _ends(page, sent)


def _ends(page: Any, sent: list[str]) -> bool:
    """Whether nothing more is sent, once what was under way is there: a busy machine takes its time."""
    for _ in range(10):
        n = len(sent)
        page.wait_for_timeout(700)
        if len(sent) == n:
            return True
    return False


def _hide(page: Any, hidden: bool) -> None:
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


@pytest.mark.nightly
def test_a_slow_machine_answers_fewer_frames_and_says_so(page: Any, server: tuple[str, Path]) -> None:
    under_way = [0, 0]

    def slowly(route: Any) -> None:
        under_way[0] += 1
        under_way[1] = max(under_way)
        page.wait_for_timeout(450)
        time_ms = float(re.search(r"time_ms=([\d.]+)", route.request.url)[1])  # type: ignore[index]
        route.fulfill(json={"time_ms": time_ms, "width": 640, "height": 360, "faces": [], "state": "ok"})
        under_way[0] -= 1

    page.route(re.compile(r"/api/live/\w+\?"), slowly)
    live = open_live(page, server)
    start(page, live)
    page.get_by_text("This machine answers seldom").wait_for()
    assert under_way[1] == 1
    behind = int(re.search(r"(\d+) ms behind", page.locator(".pace").inner_text())[1])  # type: ignore[index]
    assert 400 < behind < 1500
    page.get_by_text("No face here.").first.wait_for()
    page.get_by_role("button", name="Stop camera").click()
    page.unroute_all(behavior="ignoreErrors")


@pytest.mark.nightly
def test_two_tabs_share_the_machine_fairly(page: Any, server: tuple[str, Path], filmed: Any) -> None:
    first = open_live(page, server)
    start(page, first, 3)
    other = page.context.browser.new_context()
    let_in(other)
    second_page = other.new_page()
    second = open_live(second_page, server)
    start(second_page, second, 3)
    counts, began = [answers(first), answers(second)], time.monotonic()
    while time.monotonic() - began < 8:
        page.wait_for_timeout(100)
    gained = [answers(first) - counts[0], answers(second) - counts[1]]
    other.close()
    assert min(gained) >= 3 and max(gained) <= 2 * min(gained), gained


@pytest.mark.parametrize("name", ["shsu-2023", "mru-2025"])
def test_a_system_leads_to_live_with_its_settings(page: Any, server: tuple[str, Path], name: str) -> None:
    settings = system(name).live
    assert settings is not None
    page.goto(f"{server[0]}/systems?system={name}")
    page.get_by_role("link", name=f"Live with {settings.checkpoint}").click()
    page.locator(".live[data-ready=yes]").wait_for()
    assert page.locator(".checkpoint").input_value() == settings.checkpoint
    kind = DETECTORS[settings.detector]
    if kind.missing:
        page.locator(".note").filter(has_text="needs weights").wait_for()
    else:
        assert page.locator(".detector").input_value() == kind.name
