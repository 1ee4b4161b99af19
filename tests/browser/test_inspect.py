"""The inspection pages in Chromium: one selection in every view, from a cell to a playing frame."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dashboard.services import evaluations
from dashboard.services.evaluations import Question
from fer_core.embeddings import make_map, save_map
from fer_core.emotions import EMOTIONS8, group_indices
from fer_core.evaluation import Outcomes, Selection, confusion
from fer_core.models.classifier import Classifier
from fer_core.models.folders import DEFAULT_CHECKPOINT
from fer_core.video.pipeline import Settings, analyze
from tests.support.app import at_rest, open_button, running_app, watched_tab

pytestmark = pytest.mark.browser
TALK, TABLE = "1a" * 16, "fer2013-private_test"


@pytest.fixture(scope="module")
def found() -> Outcomes:
    return evaluations.outcomes(Question(DEFAULT_CHECKPOINT, TABLE, "fer2013"))


@pytest.fixture(scope="module")
def address(
    tmp_path_factory: pytest.TempPathFactory, found: Outcomes, videos_dir: Path, fer2013_dir: Path,
    classifier: Classifier, browser: Any,
) -> Iterator[str]:  # fmt: skip
    """The app with an analysed video and a map by PCA."""
    home = tmp_path_factory.mktemp("inspect")
    analyze(
        videos_dir / "sad_to_happy.mp4",
        home / "analyses" / TALK,
        checkpoint=classifier,
        settings=Settings(per_second=6),
    )
    shutil.copyfile(videos_dir / "sad_to_happy.mp4", home / "analyses" / TALK / "source.mp4")
    table = found.evaluation
    labels = table.labels[table.own]
    save_map(home / "maps", make_map(table.features, labels, group_indices(EMOTIONS8)[labels], "pca"))
    with running_app(home) as (address, _):
        yield address


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    with watched_tab(browser, height=1600) as tab:
        yield tab


def tiles(page: Any) -> Any:
    return page.locator(".st-key-faces .tile")


def shown_ids(page: Any, among: Iterable[str]) -> set[str]:
    """Ids of the tiles, once all of them are ``among`` the given ones."""
    tiles(page).first.wait_for()
    page.locator(".st-key-faces .gallery").evaluate(
        """async (gallery, among) => {
            const known = new Set(among), tiles = () => [...gallery.querySelectorAll('.tile')];
            const later = () => new Promise((go) => setTimeout(go, 50));
            for (let i = 0; i < 200 && !tiles().every((tile) => known.has(tile.dataset.id)); i++) await later();
        }""",
        list(map(str, among)),
    )
    return set(tiles(page).evaluate_all("tiles => tiles.map(tile => tile.dataset.id)"))


def wait_for_count(page: Any, n: int) -> None:
    page.get_by_text(f"{n:,} of 3,589 pictures").wait_for()


def cell(page: Any, true: str, predicted: str) -> Any:
    return page.get_by_role("button", name=re.compile(f"labelled {true}, answered {predicted}: "))


def test_from_a_cell_to_a_playing_frame_in_four_clicks(page: Any, address: str, found: Outcomes) -> None:
    """Cell, face, moment, play; the address names the way, and heatmaps are the only thing that runs a model."""
    page.goto(f"{address}/model?labels=fer2013")
    wait_for_count(page, int((~found.right).sum()))
    expected = found.ids[Selection(true="sad", predicted="neutral").mask(found)]
    n = int(confusion(found)[found.names.index("sad"), found.names.index("neutral")])
    page.locator(".st-key-faces .tile img.face").first.evaluate("img => img.decode()")
    cell(page, "sad", "neutral").click()
    wait_for_count(page, n)
    assert shown_ids(page, expected) <= set(expected)
    page.locator(".st-key-faces .tile img.face").first.evaluate("img => img.decode()")
    assert len(shown_ids(page, expected)) == min(n, 60)
    assert "true=sad" in page.url and "predicted=neutral" in page.url

    tiles(page).first.click()
    page.get_by_text("for neutral, not sad").wait_for()  # the inspector's first heatmap loads its libraries
    second = tiles(page).nth(1).get_attribute("data-id")
    tiles(page).nth(1).click()
    page.get_by_role("heading", name=f"Picture {second}").wait_for()
    page.get_by_text("for neutral, not sad").wait_for()
    assert f"face={second}" in page.url
    page.locator(".st-key-neighbours .tile").nth(11).wait_for()
    assert page.locator(".st-key-neighbours .tile").count() == 12

    page.locator("[class*=st-key-moment-]").first.get_by_role("button").click()
    player = page.locator(".player[data-ready=yes]")
    player.wait_for()
    page.wait_for_function("player => player.player.shown !== null", arg=player.element_handle())
    assert f"analysis={TALK}" in page.url
    scores = player.evaluate("player => player.player.shown.faces[0].p ?? null")
    before = player.evaluate("player => player.player.video.currentTime")
    player.locator(".play").click()
    page.wait_for_function(
        "([player, before]) => player.player.video.currentTime > before + 0.1", arg=[player.element_handle(), before]
    )
    assert scores is None or len(scores) == 7


def test_an_address_brings_somebody_else_to_the_same_faces(page: Any, address: str, found: Outcomes) -> None:
    mask = Selection(true_group="negative", predicted_group="positive", reason="model alone").mask(found)
    assert mask.any()
    page.goto(f"{address}/model?labels=fer2013&true=negative+(group)&predicted=positive+(group)&people=model+alone"
              "&outcome=any")  # fmt: skip
    wait_for_count(page, int(mask.sum()))
    assert shown_ids(page, found.ids[mask]) == set(found.ids[mask])
    chosen = page.get_by_role("button", name=re.compile("labelled negative, answered positive"))
    assert chosen.get_attribute("aria-pressed") == "true"


def test_a_lasso_selects_everywhere(page: Any, address: str, found: Outcomes) -> None:
    page.goto(f"{address}/model?labels=fer2013&view=Map&projection=PCA")
    root = page.locator(".scatter[data-ready=yes]")
    root.wait_for()
    box = page.locator(".stage").first.bounding_box()
    corners = [(150, 100), (380, 100), (380, 320), (150, 320)]
    page.mouse.move(box["x"] + corners[0][0], box["y"] + corners[0][1])
    page.mouse.down()
    for x, y in corners[1:]:
        page.mouse.move(box["x"] + x, box["y"] + y, steps=8)
    page.mouse.up()
    page.get_by_text(re.compile(r"^[\d,]+ chosen")).wait_for()
    n = root.evaluate("root => root.scatter.selectedCount")
    assert 0 < n < 3589
    wait_for_count(page, n)
    places = root.evaluate("root => Array.from({length: 3589}, (_, row) => root.scatter.screen(row))")
    x, y = np.array(places, float).T
    inside = (x > 153) & (x < 377) & (y > 103) & (y < 317)
    outside = (x < 147) | (x > 383) | (y < 97) | (y > 323)
    assert inside.sum() <= n <= (~outside).sum()
    assert shown_ids(page, found.evaluation.ids[~outside]) <= set(found.evaluation.ids[~outside])
    assert "set=" in page.url

    page.get_by_text("Errors", exact=True).click()  # the same faces in another view
    page.get_by_role("grid", name="7 emotions").wait_for()
    wait_for_count(page, n)
    page.get_by_role("button", name="Clear", exact=True).click()
    wait_for_count(page, int((~found.right).sum()))


def test_a_bar_of_the_reliability_diagram_selects_its_faces(page: Any, address: str, found: Outcomes) -> None:
    page.goto(f"{address}/model?labels=fer2013&view=Calibration")
    bars = page.locator(".st-key-reliability-0 .bars .point path")
    bars.first.wait_for(state="attached")
    box = bars.last.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.get_by_text("more than 93.3 % sure").wait_for()
    wait_for_count(page, int((found.confidence > 14 / 15).sum()))


def test_what_is_clicked_shows_beside_it(browser: Any, address: str) -> None:
    """On a screen of 1440 by 900 without scrolling; on a phone as a sheet over the page's lower part."""
    for width, height in ((1440, 900), (420, 840)):
        with watched_tab(browser, width=width, height=height) as tab:
            tab.goto(f"{address}/model?labels=fer2013")
            tab.get_by_role("grid", name="7 emotions").wait_for()
            at_rest(tab)
            cell(tab, "sad", "neutral").click()
            tab.wait_for_url("**predicted=neutral**")
            at_rest(tab)
            tiles(tab).first.wait_for()
            panel = tab.locator(".st-key-panel").bounding_box()
            assert panel["y"] < height - 150 and panel["x"] + panel["width"] <= width, (width, panel)
            if width > 1000:
                assert tab.locator("[data-testid=stMain]").evaluate("main => main.scrollHeight") <= 2 * height


def test_the_four_jobs_are_two_clicks_away(page: Any, address: str) -> None:
    page.goto(address)
    page.get_by_role("link", name="See where a model errs").click()
    page.get_by_role("grid", name="7 emotions").wait_for()
    page.get_by_role("link", name="Videos").first.click()
    page.get_by_role("link", name="Map 7 against 3 classes").click()
    page.get_by_text(re.compile("Make the map|Trustworthiness")).first.wait_for()
    page.get_by_role("link", name="Videos").first.click()
    page.get_by_role("link", name="See what a model looks at").click()
    page.get_by_text(re.compile("^for ")).first.wait_for(timeout=120_000)
    page.get_by_role("link", name="Videos").first.click()
    open_button(page, "sad_to_happy.mp4").click()
    page.locator(".player[data-ready=yes]").wait_for()


def test_heatmaps_on_every_face_of_the_gallery(page: Any, address: str) -> None:
    page.goto(f"{address}/model?labels=fer2013&true=disgust&predicted=angry&outcome=any")
    tiles(page).first.wait_for()
    page.get_by_text("Heatmaps", exact=True).click()
    page.locator(".st-key-faces .tile img.heat").first.wait_for()
    assert page.locator(".st-key-faces .tile img.heat").count() == tiles(page).count()


@pytest.mark.nightly
def test_explain_checks_its_maps_and_compares(page: Any, address: str) -> None:
    page.goto(f"{address}/face?id=32300&target=neutral&other=sad&check=true&beside=mobilenetv2-fer2013")
    page.get_by_text("for neutral, not sad").nth(1).wait_for(timeout=120_000)
    verdicts = page.get_by_text(re.compile("Check of the map for (neutral|sad)"))
    verdicts.nth(3).wait_for(timeout=120_000)
    assert verdicts.count() == 4
    greyed = page.get_by_text("failed its check").count()
    failing = page.locator("[data-testid=stExpander]").filter(
        has_text=re.compile("cannot be told|does not depend|empty")
    )
    assert (greyed == 0) == (failing.count() == 0)


@pytest.mark.nightly
def test_explain_a_moment_of_a_video_as_strip_and_clip(page: Any, address: str) -> None:
    page.goto(f"{address}/face?from=Video&analysis={TALK}")
    page.get_by_text(re.compile("^for (sad|happy|neutral|angry|fear|surprise|disgust)")).first.wait_for()
    page.get_by_role("button", name="Clip with heatmaps").click()
    video = page.locator("video[src*='/api/clip/']")
    video.wait_for(timeout=120_000)
    page.wait_for_function("video => video.readyState >= 2", arg=video.element_handle())
    assert 5.5 < video.evaluate("video => video.duration") < 6.5
    page.get_by_role("button", name="Strip of faces").click()
    page.get_by_alt_text("Faces with heatmaps").wait_for()


def test_an_uploaded_picture_is_explained(page: Any, address: str, portrait: np.ndarray, tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "face.png"), portrait[..., ::-1])
    (tmp_path / "none.txt").write_text("no picture")
    page.goto(f"{address}/face?from=Picture")
    chooser = page.locator("input[type=file]")
    chooser.set_input_files(tmp_path / "none.txt")
    page.get_by_text("is no picture").wait_for()
    chooser.set_input_files(tmp_path / "face.png")
    page.get_by_text("for happy").wait_for()


@pytest.mark.parametrize("path", ["models", "model", "model?view=Map", "face", "settings", ""])
def test_no_page_scrolls_sideways_on_a_phone(browser: Any, address: str, path: str) -> None:
    with watched_tab(browser, width=390, height=844) as tab:
        tab.goto(f"{address}/{path}")
        tab.get_by_text("Measures facial expressions").wait_for()
        at_rest(tab)
        assert tab.evaluate("document.scrollingElement.scrollWidth") <= 390
        assert tab.get_by_text("Traceback").count() == 0


def test_a_checkpoint_is_uploaded_and_a_pickle_refused(page: Any, address: str, tmp_path: Path) -> None:
    import json

    from fer_core.models.folders import find_checkpoint

    folder = find_checkpoint(DEFAULT_CHECKPOINT)
    card = json.loads((folder / "card.json").read_text()) | {"name": "uploaded"}
    (tmp_path / "card.json").write_text(json.dumps(card))
    (tmp_path / "weights.pt").write_bytes(b"x")
    shutil.copyfile(folder / "model.safetensors", tmp_path / "net.safetensors")
    page.goto(f"{address}/models")
    page.get_by_text("Add a model").click()
    page.locator("input[type=file]").set_input_files([tmp_path / "weights.pt", tmp_path / "card.json"])
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("weights.pt is refused").wait_for()
    page.reload()
    page.get_by_text("Add a model").click()
    page.locator("input[type=file]").set_input_files([tmp_path / "net.safetensors", tmp_path / "card.json"])
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("uploaded was added").wait_for(timeout=120_000)


@pytest.mark.nightly
def test_weights_from_elsewhere_are_added_by_their_labels_and_architecture(
    page: Any, address: str, tmp_path: Path
) -> None:
    import timm
    import torch

    weights = tmp_path / "from elsewhere.pth"
    torch.save(timm.create_model("mobilenetv3_small_050", num_classes=7).state_dict(), weights)

    page.goto(f"{address}/models")
    page.get_by_text("Add a model").click()
    for field, text in (
        ("Labels, without a card", "angry,disgust,fear,happy,neutral,sad,surprise"),
        ("Architecture", "timm:mobilenetv3_small_050"), ("Side in px", "48"),
    ):  # fmt: skip
        page.get_by_label(field, exact=True).fill(text)
        page.keyboard.press("Enter")
        at_rest(page)
    page.locator("input[type=file]").set_input_files([weights])
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_text("from-elsewhere was added").wait_for(timeout=240_000)
    page.goto(f"{address}/model?checkpoint=from-elsewhere&view=Card")
    page.get_by_role("heading", name="from-elsewhere").wait_for()
    at_rest(page)
    page.get_by_text("timm:mobilenetv3_small_050").filter(
        visible=True
    ).first.wait_for()  # a cell of the table is hidden
