"""How long pages take in Chromium, on this machine and beside the server: until each can be used, and in Review of two
hours with three people until it is drawn and until a zoom step is.

    python -m benchmarks.pages [--rounds 5]

Nothing is judged here; Chromium must be on the PATH.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from fer_core.emotions import EMOTIONS
from tests.support.app import chromium_path, running_app, running_chromium, watched_tab
from tests.support.long_analysis import PEAK, write_long_analysis
from tests.support.pages import ZOOM

HALF_HOUR, TWO_HOURS = "5e" * 16, "3c" * 16
PAGES = {
    "": "[class*=st-key-row-]",
    f"review?analysis={HALF_HOUR}": ".player[data-ready=yes]",
    "model": "h1",
    "models": "h1",
    "systems": "h1",
}
"""Pages, and what is there once they can be used."""
STEPS = 7


def visit(tab: Any, address: str, awaited: str) -> float:
    """Seconds until what is awaited is there; files that the browser keeps are not fetched again."""
    tab.goto("about:blank")
    started = time.perf_counter()
    tab.goto(address)
    tab.locator(awaited).first.wait_for()
    return time.perf_counter() - started


def visits(browser: Any, address: str, rounds: int) -> dict[str, tuple[float, float, float]]:
    """For each page the seconds of the first visit ever, and the medians of new visitors' first and second ones."""
    spent: dict[str, list[tuple[float, float]]] = {path: [] for path in PAGES}
    for _ in range(1 + rounds):
        for path, awaited in PAGES.items():
            with watched_tab(browser) as tab:
                url = f"{address}/{path}"
                spent[path].append((visit(tab, url, awaited), visit(tab, url, awaited)))
    medians = {path: [statistics.median(each) for each in zip(*all_[1:], strict=True)] for path, all_ in spent.items()}
    return {path: (spent[path][0][0], new, again) for path, (new, again) in medians.items()}


def long_review(browser: Any, address: str) -> tuple[float, list[float]]:
    """Seconds from the click on Open until the timeline of two hours is drawn, and ms of the zoom steps after it."""
    with watched_tab(browser) as tab:
        tab.goto(f"{address}/")
        row = tab.locator("[class*=st-key-row-]", has_text="two hours.mp4").first
        opened = row.get_by_role("button", name="Open")
        opened.wait_for()
        tab.wait_for_timeout(1000)
        began = tab.evaluate("() => performance.now()")
        opened.click()
        player = tab.locator(".player[data-ready=yes]")
        player.wait_for()
        first_ms = float(player.get_attribute("data-first")) - began
        tab.wait_for_timeout(3000)
        steps = [player.evaluate(ZOOM, [PEAK / 30, EMOTIONS.index("disgust")])["took"] for _ in range(STEPS)]
    return first_ms / 1000, steps


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="new visitors to each page (default 5)")
    rounds = parser.parse_args().rounds
    chromium = chromium_path()
    if chromium is None:
        raise SystemExit("Chromium is not on the PATH.")
    with tempfile.TemporaryDirectory() as folder, running_chromium(chromium) as browser:
        write_long_analysis(Path(folder) / "half" / "analyses" / HALF_HOUR, frames=54_000)
        write_long_analysis(Path(folder) / "long" / "analyses" / TWO_HOURS)
        with running_app(Path(folder) / "half") as (address, _):
            print("seconds until a page can be used: the first time, a new visitor, the same once more")
            for path, seconds in visits(browser, address, rounds).items():
                print(f"  /{path.split('?')[0]:12}", *(f"{each:5.2f}" for each in seconds))
        with running_app(Path(folder) / "long") as (address, _):
            drawn, steps = long_review(browser, address)
    print(f"two hours of three people: drawn {drawn:.2f} s after the click on Open; zoom steps", end=" ")
    print(", ".join(f"{each:.0f}" for each in steps), "ms")


if __name__ == "__main__":
    main()
