"""Review in a real browser, on real video: what the component shows is what the table says, at the stream's times."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import expect

from dashboard.services import playback
from fer_core.emotions import EMOTIONS, PRIORS
from fer_core.models.classifier import Classifier, load
from fer_core.video.annotate import browser_proxy
from fer_core.video.pipeline import analyze
from fer_core.video.reader import VideoReader
from fer_core.video.store import Analysis, open_analysis
from fer_core.video.view import Lens, view
from tests.support.app import at_rest, open_button, running_app, watched_tab
from tests.support.clips import grey_level, write_clip
from tests.support.long_analysis import PEAK, write_long_analysis
from tests.support.pages import ZOOM

pytestmark = pytest.mark.browser
TALK, PHONE, LONG = "1a" * 16, "2b" * 16, "3c" * 16
RATES = {Fraction(24000, 1001): "4a" * 16, Fraction(24): "4b" * 16, Fraction(30): "4c" * 16, Fraction(60): "4d" * 16}
"""Frames per second at which a time in ms lies before the frame that it means, each with an analysis."""
LATE = {"late.mp4": "5a" * 16, "late.webm": "5b" * 16}
"""Recordings whose clock does not begin at 0, as cut from a stream."""
MODELS = ("mobilenetv2-ferplus", "mobilenetv2-fer2013")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, videos_dir: Path, classifier: Classifier) -> Path:
    """A data folder with three analyses: a constant rate seen by two models, a variable rate, two hours made up."""
    home = tmp_path_factory.mktemp("review")
    store = home / "analyses"
    talk, phone = videos_dir / "sad_to_happy.mp4", videos_dir / "face_then_none_vfr_hevc.mov"
    analyze(talk, store / TALK, checkpoint=[classifier, load(MODELS[1])])
    analyze(phone, store / PHONE, checkpoint=classifier)
    shutil.copyfile(talk, store / TALK / "source.mp4")
    shutil.copyfile(phone, store / PHONE / "source.mov")
    browser_proxy(phone, store / PHONE / "proxy.mp4")
    playback.overview(open_analysis(write_long_analysis(store / LONG)), Lens())  # as the worker does at the end
    for rate, folder in RATES.items():
        write_long_analysis(store / folder, frames=20, people=1, fps=float(rate))
        times = [index / rate for index in range(20)]
        write_clip(store / folder / "source.mp4", times, time_base=1 / rate / 1000)
    for name, folder in LATE.items():
        write_long_analysis(store / folder, frames=50, people=1, fps=25.0)
        source, times = store / folder / f"source{Path(name).suffix}", [5.4 + index / 25 for index in range(50)]
        write_clip(source, times, codec="libx264" if name.endswith("mp4") else "libvpx")
    return home


@pytest.fixture(scope="module")
def address(library: Path, browser: Any) -> Iterator[str]:
    with running_app(library) as (address, _):
        yield address


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    with watched_tab(browser) as tab:
        yield tab


def open_player(page: Any, address: str, query: str) -> Any:
    page.goto(f"{address}/review?{query}")
    player = page.locator(".player[data-ready=yes]")
    player.wait_for(timeout=60_000)
    page.wait_for_function("player => player.player.shown !== null", arg=player.element_handle())
    return player


def analysis_of(library: Path, name: str) -> Analysis:
    return open_analysis(library / "analyses" / name)


def shown(player: Any) -> dict[str, Any]:
    """What the overlay shows, as the component itself says."""
    return player.evaluate("player => player.player.shown")


def seek(page: Any, player: Any, time_s: float) -> dict[str, Any]:
    """Go to a time, wait until the video has shown it, and read the overlay back."""
    return player.evaluate(
        """async (player, time) => {
            const own = player.player;
            const arrived = new Promise((done) => own.video.addEventListener('seeked', done, { once: true }));
            own.seek(time);
            await arrived;
            await new Promise((done) => setTimeout(done, 150));
            return own.shown;
        }""",
        time_s,
    )


def arrives(page: Any, player: Any, time_s: float, within_s: float = 2e-3) -> None:
    """Wait until the player shows a time."""
    page.wait_for_function(
        """([player, time, within]) =>
            Math.abs(Number(player.dataset.time) - time) < within && !player.player.video.seeking""",
        arg=[player.element_handle(), float(time_s), within_s],
    )


def check_boxes(found: dict[str, Any], table: pd.DataFrame, times: np.ndarray) -> None:
    """The overlay's boxes are those that the table has for the frame on screen, or for a neighbouring one."""
    on_screen = int(np.searchsorted(times, found["time"] + 5e-4, side="right")) - 1
    assert abs(found["frame"] - on_screen) <= 1
    rows = table[(table["time_s"] == times[found["frame"]]) & (table["track"] >= 0)]
    boxes = {face["track"]: face["box"] for face in found["faces"]}
    assert boxes.keys() == set(rows["track"])
    for row in rows.itertuples():
        np.testing.assert_allclose(boxes[row.track], [row.x0, row.y0, row.x1, row.y1], atol=0.01)


@pytest.mark.parametrize("name", [TALK, PHONE])
def test_the_overlay_is_the_tables_box_at_ten_times_paused(page: Any, address: str, library: Path, name: str) -> None:
    table = view(analysis_of(library, name))
    times = np.unique(table["time_s"])
    player = open_player(page, address, f"analysis={name}")
    for time_s in np.linspace(times[0] + 0.01, times[-1] - 0.05, 10):
        found = seek(page, player, float(time_s))
        check_boxes(found, table, times)
        assert abs(found["time"] - times[np.searchsorted(times, time_s, side="right") - 1]) < 0.05


@pytest.mark.parametrize("name", [TALK, PHONE])
def test_the_overlay_is_the_tables_box_at_ten_times_playing(page: Any, address: str, library: Path, name: str) -> None:
    """While it plays the overlay is read together with the time of the frame that the browser says it presents."""
    table = view(analysis_of(library, name))
    times = np.unique(table["time_s"])
    player = open_player(page, address, f"analysis={name}")
    page.keyboard.press("Space")
    found = player.evaluate(
        """async (player) => {
            const { video } = player.player;
            const seen = [];
            while (seen.length < 10 && !video.ended) {
                const presented = await new Promise((done) =>
                    video.requestVideoFrameCallback((_, { mediaTime }) => done(mediaTime)));
                await new Promise((done) => setTimeout(done, 0));
                seen.push({ presented, shown: player.player.shown });
                await new Promise((done) => setTimeout(done, 250));
            }
            return seen;
        }"""
    )
    assert len(found) == 10 and found[-1]["presented"] > found[0]["presented"] + 1
    for each in found:
        check_boxes(each["shown"], table, times)
        presented = int(np.searchsorted(times, each["presented"] + 5e-4, side="right")) - 1
        assert abs(each["shown"]["frame"] - presented) <= 1


def test_stepping_lands_on_every_presentation_time_of_a_variable_rate(page: Any, address: str, library: Path) -> None:
    times = np.unique(analysis_of(library, PHONE).timeline()["time_s"])
    player = open_player(page, address, f"analysis={PHONE}")
    first = int(np.abs(np.diff(times, n=2)).argmax()) - 3  # where the rate varies most
    seek(page, player, float(times[first]))
    assert np.ptp(np.diff(times[first : first + 13])) > 0.01  # it is variable
    for step in range(1, 13):
        page.keyboard.press(".")
        arrives(page, player, times[first + step])
    for _ in range(3):
        page.keyboard.press(",")
    arrives(page, player, times[first + 9])
    assert abs(player.locator("video").evaluate("video => video.currentTime") - times[first + 9]) < 2e-3


def test_keys_wheel_and_selection(page: Any, address: str, library: Path) -> None:
    player = open_player(page, address, f"analysis={TALK}")
    timeline = player.locator(".timeline")
    seek(page, player, 2.0)
    page.keyboard.press("]")  # the next change of emotion after a long sad stretch
    table = view(analysis_of(library, TALK))
    changes = table["time_s"][table["emotion"].ne(table["emotion"].shift())]
    arrives(page, player, changes[changes > 2.01].iloc[0])
    page.keyboard.press("[")
    arrives(page, player, changes[changes < 2.01].iloc[-1])
    box = timeline.bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 50)
    for _ in range(5):
        page.mouse.wheel(0, -120)
    page.wait_for_function("player => player.player.view", arg=player.element_handle())
    low, high = player.evaluate("player => player.player.inView()")
    assert high - low < 10 and low < 9.85 < high
    page.keyboard.press("0")
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 50, steps=4)
    page.mouse.up()
    start, end = player.evaluate("player => player.player.span")
    assert (start, end) == pytest.approx((0.6 * 19.69, 0.7 * 19.69), abs=0.05)
    page.get_by_role("tab", name="Selection").click()
    page.get_by_text(f"Of {start:.3f} to {end:.3f} s").wait_for()
    page.keyboard.press("l")
    turns = player.evaluate(
        """async (player) => {
            const { video } = player.player;
            let [before, turns] = [video.currentTime, 0];
            while (turns < 2 && !video.paused) {
                await new Promise((done) => setTimeout(done, 20));
                if (video.currentTime < before) turns++;
                before = video.currentTime;
            }
            return turns;
        }"""
    )
    assert turns == 2, "the selection is played again and again"
    assert start - 0.1 < float(player.get_attribute("data-time")) < end + 0.1
    player.locator(".play").click()
    page.keyboard.press("Escape")
    page.get_by_text("Of everything").wait_for()


def test_keys_work_after_clicks_and_no_step_is_lost(page: Any, address: str, library: Path) -> None:
    player = open_player(page, address, f"analysis={TALK}&t=2")
    page.get_by_role("heading", name="sad_to_happy.mp4").click()
    player.locator(".points").click()
    seek(page, player, 2.0)
    first = float(player.get_attribute("data-time"))
    for _ in range(20):
        page.keyboard.press(".")
    times = np.unique(analysis_of(library, TALK).timeline()["time_s"])
    here = int(np.searchsorted(times, first + 5e-4, side="right")) - 1
    arrives(page, player, times[here + 20])


def test_a_reload_goes_on_where_one_was(page: Any, address: str) -> None:
    player = open_player(page, address, f"analysis={PHONE}")
    seek(page, player, 1.2)
    player.evaluate(
        "player => { player.player.select([0.5, 2]); player.player.settle(); player.player.zoomTo([0, 3]); }"
    )
    player.locator(".mode").select_option("deviation")
    page.reload()
    player = open_player(page, address, f"analysis={PHONE}")
    assert player.evaluate("player => [player.player.span, player.player.view]") == [[0.5, 2], [0, 3]]
    assert float(player.get_attribute("data-time")) == pytest.approx(1.2, abs=0.05)
    assert player.locator(".mode").input_value() == "deviation"
    page.get_by_role("tab", name="Selection").click()
    page.get_by_text("Of 0.500 to 2.000 s").wait_for()


def test_how_common_emotions_are_is_followed_kept_and_taken_back(page: Any, address: str, library: Path) -> None:
    """By the panel's shares at the moment where the choices differ most, which are those of the table."""
    made = analysis_of(library, PHONE)
    tables = {choice: view(made.do({"do": "prior", "choice": choice})) for choice in PRIORS}
    made.undo(), analysis_of(library, PHONE).undo(), analysis_of(library, PHONE).undo()
    columns = [f"p_{name}" for name in EMOTIONS]
    apart = np.abs(tables["as_trained"][columns] - tables["all_alike"][columns]).max(axis=1)
    at_s = float(tables["halfway"]["time_s"].iloc[int(apart.argmax())])
    player = open_player(page, address, f"analysis={PHONE}&t={at_s + 0.001}")

    def check(choice: str) -> None:
        table = tables[choice]
        row = table[(table["track"] == 0) & (table["time_s"] == at_s)].iloc[0]
        expect(player.locator(".reading .top-emotion").first).to_have_text(re.compile(f"^{row['emotion']}"))
        told = player.locator(".reading .bars .share").all_inner_texts()
        shares = [float(each.replace("\u00a0", " ").split()[0]) / 100 for each in told]
        np.testing.assert_allclose(shares, row[columns].astype(float), atol=0.006)

    def choose(title: str) -> None:
        page.get_by_role("button", name="How common").click()
        page.get_by_test_id("stRadioGroup").get_by_text(title, exact=True).click()
        page.get_by_role("button", name=f"How common: {title}").wait_for()
        page.keyboard.press("Escape")
        page.wait_for_function(
            "([player, now]) => player.player.analysis.revision === now",
            arg=[player.element_handle(), analysis_of(library, PHONE).revision],
        )
        page.wait_for_timeout(1000)

    check("halfway")
    choose("as in the training pictures")
    check("as_trained")
    choose("all seven alike")
    check("all_alike")
    page.reload()
    player = open_player(page, address, f"analysis={PHONE}&t={at_s + 0.001}")
    page.get_by_role("button", name="How common: all seven alike").wait_for()
    check("all_alike")
    page.get_by_role("tab", name="Downloads").click()
    page.get_by_text("not smoothed, how common emotions are: all seven alike").wait_for()
    player.locator(".undo").click()
    page.get_by_role("button", name="How common: as in the training pictures").wait_for()


def test_the_chosen_person_is_the_one_that_is_exported(page: Any, address: str) -> None:
    player = open_player(page, address, f"analysis={LONG}")
    player.evaluate("player => { player.player.select([10, 12]); player.player.settle(); }")
    player.locator(".person .pick").nth(1).click()
    page.get_by_role("tab", name="Downloads").click()
    page.get_by_text("Only the chosen person").click()
    page.get_by_text("10.000 to 12.000 s, only Person 2").wait_for()
    at_rest(page)  # a button of the run before has nothing to give any more
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    table = pd.read_csv(download.value.path())
    assert set(table["person"]) == {"Person 2"} and len(table) == 60


def test_a_deep_link_opens_exactly_there_and_can_be_copied(page: Any, address: str) -> None:
    player = open_player(page, address, f"analysis={TALK}&t=12.4&person=1")
    arrives(page, player, 12.387, within_s=0.02)  # the frame on screen at 12.4 s
    player.locator(".link").click()
    page.wait_for_function("player => player.dataset.link", arg=player.element_handle())
    link = player.get_attribute("data-link")
    found = re.fullmatch(re.escape(f"{address}/review?analysis={TALK}&t=") + r"([0-9.]+)&person=1", link)
    assert found and 12.386 < float(found[1]) <= 12.4  # the frame's own time, or the one that was asked for


SHOWN_LEVEL = """async (player) => {
    const own = player.player;
    const level = () => {
        const pen = Object.assign(document.createElement('canvas'), { width: 8, height: 8 }).getContext('2d');
        pen.drawImage(own.video, 0, 0, 8, 8);
        return pen.getImageData(4, 4, 1, 1).data[1];
    };
    while (own.video.readyState < 2 || own.video.seeking) await new Promise((done) => setTimeout(done, 20));
    await new Promise((done) => setTimeout(done, 100));
    return level();
}"""
"""Brightness of the frame that is really on screen."""


@pytest.mark.parametrize(
    "rate",
    [rate if rate in (Fraction(24000, 1001), 60) else pytest.param(rate, marks=pytest.mark.nightly) for rate in RATES],
    ids=lambda rate: f"{float(rate):g}",
)
def test_a_link_opens_its_very_frame_at_every_rate(page: Any, address: str, rate: Fraction) -> None:
    """Times in addresses are rounded, to ms in those of earlier versions; frames are told apart by their brightness."""
    folder = RATES[rate]
    for index, digits in ((1, 3), (7, 6), (14, 3)):
        player = open_player(page, address, f"analysis={folder}&t={float(index / rate):.{digits}f}&person=1")
        assert player.evaluate(SHOWN_LEVEL) == pytest.approx(grey_level(index), abs=3), (index, digits)
    player.locator(".link").click()
    page.wait_for_function("player => player.dataset.link", arg=player.element_handle())
    page.goto(player.get_attribute("data-link"))
    player.wait_for()
    assert player.evaluate(SHOWN_LEVEL) == pytest.approx(grey_level(14), abs=3)


@pytest.mark.parametrize("folder", LATE.values(), ids=LATE)
def test_the_clock_of_a_file_may_begin_anywhere(page: Any, address: str, library: Path, folder: str) -> None:
    with VideoReader(next((library / "analyses" / folder).glob("source.*"))) as reader:
        assert [frame.time_s for frame in reader.frames()][:2] == pytest.approx([0.0, 0.04])
    player = open_player(page, address, f"analysis={folder}")
    assert player.evaluate(SHOWN_LEVEL) == pytest.approx(grey_level(0), abs=3)
    page.wait_for_function("player => player.player.transport.origin > 5", arg=player.element_handle())
    box = player.locator(".timeline").bounding_box()
    for index in (25, 12, 40):
        player.evaluate("(player, time) => player.player.seek(time)", index / 25)
        arrives(page, player, index / 25, within_s=0.002)
        assert player.evaluate(SHOWN_LEVEL) == pytest.approx(grey_level(index), abs=3)
        assert shown(player)["frame"] == index and shown(player)["faces"]
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_function("player => Math.abs(player.player.shown.time - 1) < 0.1", arg=player.element_handle())
    assert shown(player)["faces"]


def test_split_merge_and_undo(page: Any, address: str, library: Path) -> None:
    player = open_player(page, address, f"analysis={TALK}&t=10")
    arrives(page, player, 10.0, within_s=0.05)
    names = player.locator(".person .name")
    sheet = player.locator(".sheet")
    player.get_by_role("button", name="Change Person 1").click()
    sheet.get_by_role("button", name="Split at").click()
    page.wait_for_function("player => player.player.analysis.people.length === 2", arg=player.element_handle())
    assert names.all_inner_texts() == ["Person 1", "Person 2"]
    page.get_by_role("tab", name="People").click()
    at_rest(page)
    player.get_by_role("button", name="Change Person 2").click()
    sheet.get_by_label("Name", exact=True).fill("Ada")
    sheet.get_by_role("button", name="Rename").click()
    player.locator(".person .name", has_text="Ada").wait_for()
    player.get_by_role("button", name="Change Ada").click()
    sheet.get_by_role("button", name="Merge into").click()
    page.wait_for_function("player => player.player.analysis.people.length === 1", arg=player.element_handle())
    assert names.all_inner_texts() == ["Ada"]
    assert set(view(analysis_of(library, TALK))["track"]) == {0}
    page.keyboard.press("Control+z")
    page.wait_for_function("player => player.player.analysis.people.length === 2", arg=player.element_handle())
    for left in (1, 0):
        player.locator(".undo").click()
        page.wait_for_function(
            "([player, left]) => player.player.analysis.undo === left > 0", arg=[player.element_handle(), left]
        )
    assert names.all_inner_texts() == ["Person 1"] and player.locator(".undo").is_disabled()
    assert analysis_of(library, TALK).edits.done == ()


def test_marks_are_set_with_a_key_and_named(page: Any, address: str, library: Path) -> None:
    player = open_player(page, address, f"analysis={PHONE}&t=1")
    arrives(page, player, 1.0, within_s=0.05)
    page.keyboard.press("m")
    player.locator(".sheet").get_by_label("Label").fill("<b>smile</b>")
    page.keyboard.press("Enter")
    flag = player.locator(".flag")
    flag.wait_for()
    assert flag.inner_text() == "<b>smile</b>"
    page.get_by_role("tab", name="Marks").click()
    page.get_by_text("Around marks").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export marks").click()
    lines = Path(download.value.path()).read_text("utf-8-sig").splitlines()
    assert lines[0] == "start_s,end_s,label,note,person" and "<b>smile</b>" in lines[1]
    assert float(lines[1].split(",")[0]) == pytest.approx(1.0, abs=0.05)
    flag.click()
    player.locator(".sheet").get_by_role("button", name="Delete").click()
    flag.wait_for(state="detached")


def test_two_models_disagree_in_the_list_in_the_strip_and_on_the_keys(page: Any, address: str) -> None:
    player = open_player(page, address, f"analysis={TALK}")
    assert "models differ" in player.locator(".gutter .names").inner_text()
    page.get_by_role("tab", name="Models").click()
    page.get_by_text("stretches, the longest first").wait_for()
    seek(page, player, 0.5)
    page.keyboard.press(")")  # also with the focus on a tab
    player.locator(".reading .facts", has_text="models disagree").first.wait_for()
    before = player.locator(".reading .top-emotion").first.inner_text()
    page.get_by_label("Scores of").click()
    page.get_by_role("option", name="mean of all").click()
    page.wait_for_function(
        "([player, before]) => player.querySelector('.reading .top-emotion').textContent !== before",
        arg=[player.element_handle(), before],
    )
    page.get_by_role("link", name="Videos").first.click()
    open_button(page, "sad_to_happy.mp4").click()
    expect(page.get_by_label("Scores of")).to_have_value(
        "mean of all", timeout=60_000
    )  # also after a look at another page


def test_why_shows_a_heatmap_of_the_face_under_the_cursor(page: Any, address: str) -> None:
    player = open_player(page, address, f"analysis={TALK}&t=15")
    arrives(page, player, 15.0, within_s=0.05)
    player.get_by_label("Explain").select_option("happy")
    player.get_by_role("button", name="Why?").click()
    player.locator(".why img").wait_for(timeout=120_000)
    assert "What speaks for happy" in player.locator(".why").inner_text()
    shares = [float(text.removesuffix("\u00a0%")) for text in player.locator(".why dd").all_inner_texts()]
    assert len(shares) == 6 and sum(shares) == pytest.approx(100, abs=2)
    assert player.locator(".why img").get_attribute("title").startswith("HiResCAM on backbone.6 and backbone.4 of ")


def test_figures_come_as_svg_and_png(page: Any, address: str) -> None:
    player = open_player(page, address, f"analysis={TALK}")
    for kind, start in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        player.get_by_role("button", name="figure").click()
        with page.expect_download() as download:
            player.locator(".sheet").get_by_role("button", name=kind).click()
        assert Path(download.value.path()).read_bytes().startswith(start)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_works_at_420_px(page: Any, address: str, scheme: str) -> None:
    page.set_viewport_size({"width": 420, "height": 900})
    page.emulate_media(color_scheme=scheme)
    player = open_player(page, address, f"analysis={TALK}")
    width = page.evaluate("() => document.scrollingElement.scrollWidth")
    assert width <= 420
    for name in (".timeline", ".reading", ".controls", ".stage"):
        box = player.locator(name).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 420, name
    player.locator(".timeline").click(position={"x": 150, "y": 40})
    page.wait_for_function("player => Number(player.dataset.time) > 3", arg=player.element_handle())


def test_two_hours_of_three_people_draw_and_zoom(page: Any, address: str) -> None:
    """648,000 rows: a peak of one frame is never lost."""
    player = open_player(page, address, f"analysis={LONG}")
    found = [player.evaluate(ZOOM, [PEAK / 30, EMOTIONS.index("disgust")]) for _ in range(7)]
    assert min(each["peak"] for each in found) > 0.97


IN_SIGHT = """player => ['.picture', '.timeline', '.person .strip']
    .map((name) => player.querySelector(name).getBoundingClientRect())
    .every(({ top, bottom, height }) => height > 20 && top >= 0 && bottom <= window.innerHeight)"""
"""Whether picture, timeline with its axis and the first person's strip are seen whole."""


def test_a_laptop_shows_picture_timeline_and_first_strip_also_beside_why(page: Any, address: str) -> None:
    for size in ((1280, 720), (1440, 900)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        player = open_player(page, address, f"analysis={TALK}&t=2")
        page.wait_for_function(IN_SIGHT, arg=player.element_handle(), timeout=5000)
    page.set_viewport_size({"width": 1280, "height": 720})  # the window shrinks while the page is open
    page.wait_for_function(IN_SIGHT, arg=player.element_handle(), timeout=5000)
    player.locator(".ask-why").click()
    player.locator(".why img").wait_for(timeout=60_000)
    assert player.evaluate(IN_SIGHT)
    reading = player.locator(".reading")
    assert reading.evaluate("place => place.scrollWidth <= place.clientWidth"), "nothing is cut beside the picture"


def test_the_menu_of_a_phone_closes_on_choice_and_stays_closed(page: Any, address: str) -> None:
    page.set_viewport_size({"width": 420, "height": 900})
    page.goto(address)
    menu = page.get_by_test_id("stSidebar")
    for place in (1, 2):  # also from a page that was not the first one
        page.get_by_test_id("stExpandSidebarButton").click()
        link = page.get_by_test_id("stSidebarNavLink").nth(place)
        address_of_place = link.get_attribute("href")
        link.click()
        page.wait_for_url(f"**{address_of_place}*")
        expect(menu).not_to_be_in_viewport()
    page.reload()
    page.get_by_text("Measures facial expressions").wait_for()
    expect(menu).not_to_be_in_viewport()
