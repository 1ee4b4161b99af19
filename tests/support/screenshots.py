"""Pictures of every page with the sample, for the documents and for a look at changes.

python -m tests.support.screenshots docs/images            # those that the documents show
python -m tests.support.screenshots FOLDER --all           # every page: wide, narrow, light, dark
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from tests.support.app import chromium_path, open_button, running_app, running_chromium
from tests.support.entry import let_in

PAGES = {
    "videos": "/",
    "live": "/live",
    "review": "/review",
    "models": "/models",
    "errors": "/model?view=Errors",
    "map": "/model?view=Map",
    "calibration": "/model?view=Calibration",
    "labels": "/model?view=Label+quality",
    "slices": "/model?view=Slices",
    "compare": "/model?view=Compare&against=mobilenetv2-fer2013",
    "robustness": "/model?view=Robustness",
    "curves": "/model?view=Curves",
    "card": "/model?view=Card",
    "systems": "/systems",
    "learn": "/learn",
    "face": "/face",
    "settings": "/settings",
    "storage": "/settings?part=Storage",
}
SIZES = {"wide": (1280, 1000), "narrow": (390, 844)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    os.environ.pop("FER_DATA", None)  # pictures of a data set are not ours to show
    chromium = chromium_path()
    assert chromium, "Chromium is needed"
    with (
        tempfile.TemporaryDirectory() as home,
        running_app(Path(home)) as (address, _),
        running_chromium(chromium) as browser,
    ):
        review = _analyse_sample(browser, address)
        if not args.all:
            _documents(browser, review, args.folder)
            _inspection(browser, address, args.folder)
            return
        for scheme in ("light", "dark"):
            for size, (width, height) in SIZES.items():
                context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
                let_in(context)
                for name, path in PAGES.items():
                    tab = context.new_page()
                    tab.goto(review if name == "review" else address + path)
                    if name == "review":
                        _point(tab)
                    tab.wait_for_timeout(2500)
                    tab.screenshot(path=args.folder / f"{name}-{size}-{scheme}.png", full_page=True)
                    tab.close()
                context.close()


def _documents(browser: Any, review: str, folder: Path) -> None:
    """Review as it opens, and a closer look: a span in lines, smoothed, with the reasons of the network."""
    tab = browser.new_page(viewport={"width": 1280, "height": 1000})
    let_in(tab.context)
    tab.goto(review)
    _point(tab)
    tab.wait_for_timeout(2500)
    tab.screenshot(path=folder / "review.png")
    tab.set_viewport_size({"width": 1280, "height": 1120})
    tab.get_by_text("0.5 s", exact=True).click()
    tab.wait_for_timeout(2500)
    timeline = tab.locator(".timeline")
    box = timeline.bounding_box()
    tab.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 40)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 40, steps=5)
    tab.mouse.up()
    tab.locator(".mode").select_option("lines")
    tab.locator(".points").check()
    tab.keyboard.press("z")
    tab.keyboard.press("Escape")
    tab.locator(".ask-why").click()
    tab.locator(".why img").wait_for(timeout=120_000)
    tab.mouse.move(5, 5)
    tab.wait_for_timeout(1500)
    tab.screenshot(path=folder / "review-close.png")


def _inspection(browser: Any, address: str, folder: Path) -> None:
    """The matrices, and the map with a lasso; without a data set, so that no face of one is shown."""
    tab = browser.new_page(viewport={"width": 1280, "height": 1120})
    let_in(tab.context)
    tab.goto(f"{address}/model?labels=fer2013&true=fear&predicted=sad")
    tab.get_by_role("grid", name="7 emotions").wait_for()
    tab.wait_for_timeout(2000)
    tab.screenshot(path=folder / "inspect.png")
    tab.goto(f"{address}/model?labels=fer2013&view=Map")
    tab.get_by_role("button", name="Make the map").click()
    tab.locator(".scatter[data-ready=yes]").wait_for(timeout=240_000)
    box = tab.locator(".stage").first.bounding_box()
    tab.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.3 * box["height"])
    tab.mouse.down()
    for x, y in ((0.6, 0.3), (0.6, 0.7), (0.3, 0.7)):
        tab.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=8)
    tab.mouse.up()
    tab.mouse.move(5, 5)
    tab.wait_for_timeout(2500)
    tab.screenshot(path=folder / "map.png")
    tab.close()


def _analyse_sample(browser: Any, address: str) -> str:
    """Analyse the sample; returns the address of its review."""
    tab = browser.new_page()
    let_in(tab.context)
    tab.goto(address)
    tab.get_by_role("button", name="Try the sample").click()
    open_button(tab, "Sample.mp4").click(timeout=240_000)
    tab.locator(".player[data-ready=yes]").wait_for()
    url = str(tab.url)
    tab.close()
    return url


def _point(tab: Any) -> None:
    """Go to the moment at two thirds, where the sample looks sad."""
    tab.locator(".player[data-ready=yes]").wait_for()
    timeline = tab.locator(".timeline")
    timeline.click(position={"x": timeline.bounding_box()["width"] * 0.66, "y": 40})
    tab.mouse.move(5, 5)


if __name__ == "__main__":
    main()
