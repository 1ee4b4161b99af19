"""Pictures of every page with the sample, for the documents and for a look at changes.

python -m tests.screenshots docs/images            # the two that the README shows
python -m tests.screenshots FOLDER --all           # every page: wide, narrow, light, dark
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from tests.app import chromium_path, running_app, running_chromium

PAGES = {"analyze": "/", "review": "/review", "library": "/library", "responsible-use": "/responsible_use"}
SIZES = {"wide": (1280, 1000), "narrow": (390, 844)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    chromium = chromium_path()
    assert chromium, "Chromium is needed"
    with (
        tempfile.TemporaryDirectory() as home,
        running_app(Path(home)) as (address, _),
        running_chromium(chromium) as browser,
    ):
        review = _analyse_sample(browser, address)
        for scheme in ("light", "dark") if args.all else ("light",):
            for size in SIZES if args.all else ("wide",):
                width, height = SIZES[size]
                context = browser.new_context(
                    viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=1
                )
                for name in PAGES if args.all else ("review",):
                    tab = context.new_page()
                    tab.goto(review if name == "review" else address + PAGES[name])
                    if name == "review":
                        _point(tab)
                    tab.wait_for_timeout(2500)
                    path = args.folder / (f"{name}-{size}-{scheme}.png" if args.all else f"{name}.png")
                    tab.screenshot(path=path, full_page=args.all)
                    tab.close()
                context.close()


def _analyse_sample(browser: Any, address: str) -> str:
    """Analyse the sample; returns the address of its review."""
    tab = browser.new_page()
    tab.goto(address)
    tab.get_by_role("button", name="Try the sample").click()
    tab.get_by_role("button", name="Open in Review").click(timeout=240_000)
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
