"""The real app in a real browser: what users do, and what they must never see."""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support import ROOT
from tests.support.app import at_rest, children_of, loose, new_tab, open_button, row_of, running_app
from tests.support.bad_files import write_bad
from tests.support.clips import write_clip

pytestmark = pytest.mark.browser
SLOW_MS, LONG = 240_000, 600


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[tuple[str, Path, int]]:
    """The app with a data folder of its own: address, folder and process."""
    home = tmp_path_factory.mktemp("home")
    with running_app(home) as (address, pid):
        yield address, home, pid


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory, portrait: np.ndarray) -> Path:
    """One that takes long enough to be watched: 24 s."""
    import cv2

    picture = cv2.resize(portrait, (960, 720))
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    return write_clip(path, [i / 25 for i in range(LONG)], pictures=[picture] * LONG, key_every=50)


@pytest.fixture
def page(server: tuple[str, Path, int], browser: Any) -> Iterator[Any]:
    """A fresh tab on the first page. Afterwards: no script error, and nothing was asked of another host."""
    address = server[0]
    tab = new_tab(browser, height=1000)
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("request", lambda request: None if _is_local(request.url, address) else errors.append(request.url))
    tab.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
    tab.goto(address)
    tab.locator(".uploader").wait_for()
    yield tab
    tab.close()
    assert errors == []


def _is_local(url: str, address: str) -> bool:
    return url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))


def open_sample(page: Any) -> None:
    """The sample in Review; analyses it first where no other test did."""
    page.get_by_role("link", name="Videos").first.click()
    page.locator(".uploader").wait_for()
    at_rest(page)
    if not row_of(page, "Sample.mp4").count():
        page.get_by_role("button", name="Try the sample").click()
    open_review(page, "Sample.mp4")


def job(page: Any, name: str) -> Any:
    return page.locator("[class*=st-key-job-]", has_text=name).first


def open_review(page: Any, name: str) -> None:
    open_button(page, name).click(timeout=SLOW_MS)
    page.locator(".player[data-ready=yes]").wait_for()


def start(page: Any, path: Path, name: str = "") -> None:
    """Send a file, under another name where one is given, and analyse it."""
    sent = {"name": name, "mimeType": "video/mp4", "buffer": path.read_bytes()} if name else str(path)
    page.locator(".uploader input").set_input_files(sent)
    page.get_by_role("button", name=re.compile("^(play_arrow )?Analyze( all .*)?$")).click()


def test_sample_to_progress_to_review_to_click_to_download(page: Any, server: tuple[str, Path, int]) -> None:
    page.get_by_role("button", name="Try the sample").click()
    page.get_by_role("progressbar").first.wait_for()
    open_review(page, "Sample.mp4")
    player, timeline = page.locator(".player"), page.locator(".timeline")
    box = timeline.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 5, box["y"] + 40)
    end = float(timeline.get_attribute("aria-valuemax"))
    page.wait_for_function(
        "player => Math.abs(player.querySelector('video').currentTime - Number(player.dataset.time)) < 0.2",
        arg=player.element_handle(),
    )
    assert abs(page.locator(".player video").evaluate("video => video.currentTime") - end / 5) < 0.05
    page.locator(".reading .bars").first.wait_for()
    shares = page.locator(".reading .face").first.locator(".share").all_inner_texts()
    assert abs(sum(float(text.removesuffix("\u00a0%")) for text in shares) - 100) < 3
    page.get_by_role("tab", name="Downloads").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0].startswith("frame,time_s,track,") and len(lines) > 100
    page.get_by_role("button", name="Make annotated video").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Annotated video").click(timeout=SLOW_MS)
    assert download.value.suggested_filename == "Sample-annotated.mp4"
    assert loose(server[1]) == [], "what the workers wrote is for its owner alone"


def test_a_page_can_send_nothing_elsewhere(server: tuple[str, Path, int], browser: Any) -> None:
    """Whatever runs in a page, the browser itself keeps it here."""
    tab = new_tab(browser)
    tab.goto(server[0])
    tab.locator(".uploader").wait_for()
    tab.evaluate("""() => {
        window.refused = [];
        document.addEventListener("securitypolicyviolation", (event) => window.refused.push(event.effectiveDirective));
        fetch("http://127.0.0.1:9/").catch(() => 0);
        new Image().src = "http://127.0.0.1:9/x.png";
        navigator.sendBeacon("http://127.0.0.1:9/", "face");
    }""")
    tab.wait_for_function("window.refused.length >= 3")
    assert set(tab.evaluate("window.refused")) == {"connect-src", "img-src"}
    tab.close()


def test_a_refresh_in_the_middle_loses_nothing(page: Any, long_clip: Path) -> None:
    """Upload, refresh while it is analysed, and open a second tab: the result still arrives in both."""
    start(page, long_clip)
    page.get_by_text(re.compile(r"analysing, [1-9]\d?%")).wait_for(timeout=SLOW_MS)
    page.reload()
    page.get_by_text(re.compile(r"analysing, \d+%")).wait_for(timeout=SLOW_MS)
    second = page.context.new_page()
    second.goto(page.url)
    for tab in (page, second):
        open_button(tab, "long.mp4").wait_for(timeout=SLOW_MS)
    open_review(page, "long.mp4")


@pytest.mark.nightly
def test_a_dead_worker_is_replaced_and_the_job_goes_on(
    page: Any, server: tuple[str, Path, int], long_clip: Path
) -> None:
    start(page, long_clip, "again.mp4")
    page.get_by_text(re.compile(r"analysing, [1-9]\d?%")).wait_for(timeout=SLOW_MS)
    (worker,) = children_of(server[2], "dashboard.services.worker analyses")
    os.kill(worker, signal.SIGKILL)
    open_review(page, "again.mp4")
    page.get_by_text(f"{LONG} frames").first.wait_for()


def test_several_files_of_kinds_that_browsers_do_not_show(page: Any, tmp_path: Path, portrait: np.ndarray) -> None:
    """A video, an animation, and a TIFF without an ending; the latter two are seen as copies."""
    clip = write_clip(tmp_path / "part.mp4", [j / 10 for j in range(10)], pictures=[portrait] * 10)
    pictures = [Image.fromarray(np.roll(portrait, j, axis=1)) for j in range(5)]
    pictures[0].save(tmp_path / "moves.webp", save_all=True, append_images=pictures[1:], duration=100)
    pictures[0].save(tmp_path / "scan", "TIFF")
    page.locator(".uploader input").set_input_files([str(clip), str(tmp_path / "moves.webp"), str(tmp_path / "scan")])
    page.get_by_role("button", name="Analyze all 3").click()
    open_review(page, "scan")
    page.locator(".player .picture img").wait_for()
    assert page.locator(".player .picture img").evaluate("img => img.naturalWidth") == portrait.shape[1]
    page.locator(".reading").filter(has_text="happy").wait_for()
    assert not page.locator(".timeline").is_visible()
    page.get_by_role("link", name="Videos").first.click()
    open_review(page, "moves.webp")
    seconds = page.locator(".player video").evaluate("""video => new Promise(done => {
        if (video.readyState) done(video.duration);
        video.addEventListener("loadedmetadata", () => done(video.duration));
    })""")
    assert seconds == pytest.approx(0.5, abs=0.11)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("empty", "is empty (0 bytes)"), ("text", "cannot be opened as a video"), ("truncated", "cut off"),
        ("sound", "no picture track"), ("heic", "HEIC picture"),
    ],
)  # fmt: skip
def test_bad_files_get_a_clear_message(
    page: Any, server: tuple[str, Path, int], tmp_path: Path, kind: str, words: str
) -> None:
    before = set((server[1] / "uploads").iterdir())  # of analyses that still run
    page.locator(".uploader input").set_input_files(str(write_bad(tmp_path, kind)))
    alert = page.locator(".uploader [role=alert]")
    alert.wait_for()
    assert words in alert.inner_text() and f"{kind}.mp4" in alert.inner_text()
    assert not page.get_by_text("Ready to analyze").is_visible()
    assert set((server[1] / "uploads").iterdir()) <= before


def test_a_hostile_name_is_only_text_and_a_single_frame_is_a_result(
    page: Any, tmp_path: Path, portrait: np.ndarray
) -> None:
    name = "<img src=x onerror=document.title='hacked'> **b** [a](javascript:x).mp4"
    start(page, write_clip(tmp_path / name, [0.0], pictures=[portrait]))
    open_review(page, "<img src=x")
    assert page.get_by_role("heading", name="<img src=x").is_visible()
    assert page.get_by_text("has a single frame").is_visible()
    assert "hacked" not in page.title()


def test_a_video_that_browsers_cannot_play_opens_at_once_and_plays_soon(
    page: Any, tmp_path: Path, portrait: np.ndarray
) -> None:
    clip = write_clip(tmp_path / "phone.mkv", [i / 25 for i in range(50)], pictures=[portrait] * 50, codec="libx265")
    start(page, clip)
    open_review(page, "phone.mkv")
    page.locator(".player video").wait_for(timeout=SLOW_MS)  # the copy is made meanwhile; nobody reloads anything
    page.get_by_role("button", name="Why?").wait_for()


def test_cancel_keeps_a_partial_result_and_says_so(page: Any, long_clip: Path) -> None:
    start(page, long_clip, "endless.mp4")
    page.get_by_text(re.compile(r"analysing, [1-9]\d?%")).wait_for(timeout=SLOW_MS)
    job(page, "endless.mp4").get_by_role("button", name="Cancel").click()
    stopped = re.compile(r"Stopped at 0:\d\d of 0:24 \(\d+ %\)")
    row_of(page, "endless.mp4").get_by_text(stopped).wait_for(timeout=SLOW_MS)
    open_review(page, "endless.mp4")
    assert page.get_by_text(stopped).first.is_visible()
    assert page.get_by_text("Stopped by request").is_visible()


def test_chosen_settings_outlast_another_page_and_a_reload(page: Any, tmp_path: Path, portrait: np.ndarray) -> None:
    clip = write_clip(tmp_path / "kept.mp4", [i / 10 for i in range(20)], pictures=[portrait] * 20)
    page.locator(".uploader input").set_input_files(str(clip))
    page.get_by_text("1 model · fast · whole clip · faces from 40 px").wait_for()
    page.locator("[data-testid=stExpander]").get_by_text("Settings", exact=True).click()
    page.get_by_role("radio", name="exact").click()
    page.get_by_text("1 model · exact").wait_for()
    models = page.locator("[data-testid=stMultiSelect]")
    for _ in range(5):  # a choice is lost if the page is drawn anew just then
        if not models.get_by_text("mobilenetv2-fer2013").count():
            at_rest(page)
            models.locator("input").click()
            page.get_by_role("option", name="mobilenetv2-fer2013").click()
            page.wait_for_timeout(200)
    page.keyboard.press("Escape")
    chosen = page.get_by_text("2 models · exact · whole clip · faces from 40 px")
    chosen.wait_for()
    page.get_by_role("link", name="Models").first.click()
    page.get_by_role("heading", name="Models").wait_for()
    page.get_by_role("link", name="Videos").first.click()
    chosen.wait_for()
    page.reload()
    chosen.wait_for()
    page.get_by_role("button", name="Remove").click()
    chosen.wait_for(state="detached")


def test_removing_an_added_checkpoint_says_so_and_goes_on(page: Any, server: tuple[str, Path, int]) -> None:
    added = server[1] / "checkpoints" / "of-mine"
    shutil.copytree(ROOT / "checkpoints" / "mru-2025-cnn", added)
    page.goto(f"{server[0]}/checkpoints?checkpoint=of-mine")  # as a link of an earlier version
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    page.get_by_text("of-mine was removed").wait_for()
    page.get_by_role("dialog").wait_for(state="detached")
    assert not page.locator("[data-testid=stException]").count() and not added.exists()
    page.wait_for_function("() => !location.search.includes('of-mine')")


def test_an_entry_is_renamed_and_deleted_after_asking(page: Any, tmp_path: Path, portrait: np.ndarray) -> None:
    start(page, write_clip(tmp_path / "library.mp4", [0.0, 0.1], pictures=[portrait] * 2))
    row = row_of(page, "library.mp4")
    row.wait_for(timeout=SLOW_MS)
    _more(page, row, "Rename")
    page.get_by_role("dialog").get_by_label("Name").fill("Renamed clip")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    row = row_of(page, "Renamed clip")
    row.wait_for()
    _more(page, row, "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Keep").click()
    row.wait_for()
    _more(page, row, "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    row.wait_for(state="detached")


def _more(page: Any, row: Any, what: str) -> None:
    row.get_by_role("button", name="More").click()
    page.get_by_role("menuitem", name=what, exact=True).click()


def test_the_segments_table_moves_the_player(page: Any) -> None:
    open_sample(page)
    table = page.locator("[data-testid=stDataFrame]").first
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    page.mouse.click(box["x"] + 15, box["y"] + 35 * 2 + 17)  # the box at the left of the second row
    player = page.locator(".player")
    page.wait_for_function("player => Number(player.dataset.time) > 3", arg=player.element_handle())
    assert "surprise" in page.locator(".reading").inner_text()


def test_keyboard_moves_by_seconds_and_frames(page: Any) -> None:
    open_sample(page)
    player, timeline = page.locator(".player[data-ready=yes]"), page.locator(".timeline")
    timeline.focus()
    times = []
    for key in ("ArrowRight", "ArrowRight", ".", ",", "ArrowLeft"):
        before = player.get_attribute("data-time")
        page.keyboard.press(key)
        page.wait_for_function(
            "([player, before]) => player.dataset.time !== before && !player.player.video.seeking",
            arg=[player.element_handle(), before],
        )
        times.append(float(player.get_attribute("data-time")))
    step = times[2] - times[1]
    assert 0 < step < 0.1
    np.testing.assert_allclose(np.diff(times), [1.0, step, -step, -1.0], atol=0.045)


def test_an_upload_goes_on_after_a_reload(page: Any, tmp_path: Path) -> None:
    """Three slices, of which the first arrives; the file chosen again is sent from there on."""
    clip = write_clip(tmp_path / "long way.mp4", [0.0, 0.5, 1.0])
    with clip.open("ab") as file:
        file.write((20_000_000).to_bytes(4, "big") + b"free" + bytes(19_999_992))
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "PUT" else None)
    later = re.compile(r"/api/upload/.*offset=[1-9]")
    page.route(later, lambda route: route.abort())
    page.locator(".uploader input").set_input_files(str(clip))
    page.locator(".files").get_by_text("8.4 MB of 20.0 MB").wait_for()
    page.on("dialog", lambda dialog: dialog.accept())  # a file is on its way
    page.reload()
    page.unroute(later)
    row = page.locator(".files li", has_text="long way.mp4")
    row.get_by_text("8.4 MB of 20.0 MB are here; choose the file again to go on").wait_for()
    sent.clear()
    page.locator(".uploader input").set_input_files(str(clip))
    page.get_by_role("button", name=re.compile("Analyze$")).wait_for()
    assert [re.search(r"offset=(\d+)", url)[1] for url in sent] == ["8388608", "16777216"]
    page.locator(".files li").wait_for(state="detached")
