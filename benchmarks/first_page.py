"""How long a user waits for the first page: from the start of the server, and from opening the address.

    python -m benchmarks.first_page [--runs 5]

Chromium is needed. "Usable" means that the drop area for videos is on the screen.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from tests.app import chromium_path, running_app, running_chromium


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    chromium = chromium_path()
    assert chromium, "Chromium is needed"
    from_start, from_open = [], []
    with running_chromium(chromium) as browser:
        for _ in range(runs):
            started = time.perf_counter()
            with tempfile.TemporaryDirectory() as home, running_app(Path(home)) as (address, _):
                context = browser.new_context()
                tab = context.new_page()
                opened = time.perf_counter()
                tab.goto(address)
                tab.locator(".uploader").wait_for()
                usable = time.perf_counter()
                from_start.append(usable - started)
                from_open.append(usable - opened)
                context.close()
    print(
        f"from the start of the server: median {statistics.median(from_start):.2f} s, longest {max(from_start):.2f} s"
    )
    print(f"from opening the address:     median {statistics.median(from_open):.2f} s, longest {max(from_open):.2f} s")


if __name__ == "__main__":
    main()
