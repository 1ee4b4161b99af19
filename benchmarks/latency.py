"""Accuracy beside cost: milliseconds a face for every checkpoint with weights, on this machine.

    python -m benchmarks.latency [--threads 2] [--json] [--figure docs/images/accuracy-latency.png]

Crops go in as the video pipeline gives them, uint8 RGB, one at a time, 8 and 32 at once, through the runtime that it
chooses here (``fer_core.models.runtime``). Checkpoints take turns; the median of the rounds counts. Accuracy is that of
single views on the test split, with the labels that the checkpoint was taught, from its card.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import checkpoints_folder, runnable_names, weights_bytes
from fer_core.models.runtime import fastest

BATCHES, ROUNDS = (1, 8, 32), 15


def milliseconds(classifier: Classifier, batch: int) -> float:
    """Time for one face in a batch, in ms."""
    size = classifier.card.crop.size
    crops = np.random.default_rng(0).integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
    started = time.perf_counter()
    classifier.predict(crops)
    return 1000 * (time.perf_counter() - started) / batch


def measure(names: list[str], rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """One row for each checkpoint: what it is, its accuracy, and ``ms_1``, ``ms_8``, ``ms_32`` a face."""
    loaded = [fastest(load(name, device="cpu")) for name in names]
    found: dict[tuple[str, int], list[float]] = {}
    for turn in range(rounds + 1):
        for classifier, _ in loaded:
            for batch in BATCHES:
                spent = milliseconds(classifier, batch)
                if turn:  # the first one warms up
                    found.setdefault((classifier.name, batch), []).append(spent)
    return [
        _what(each)
        | {"runtime": runtime.name}
        | {f"ms_{batch}": round(float(np.median(found[each.name, batch])), 3) for batch in BATCHES}
        for each, runtime in loaded
    ]


def _what(classifier: Classifier) -> dict[str, Any]:
    card = classifier.card
    wanted = {"split": card.data.get("test"), "labels": card.data.get("labels"), "tta": "none"}
    told = next((each for each in card.metrics if wanted.items() <= each.items()), {})
    folder = checkpoints_folder() / card.name
    return {
        "checkpoint": card.name,
        "network": card.network,
        "labels": card.data.get("labels"),
        "accuracy": told.get("accuracy"),
        "parameters": card.n_params,
        "megabytes": round(weights_bytes(folder, card) / 1e6, 1) if folder.is_dir() else None,
    }


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Accuracy over milliseconds a face at batch 8, as a picture. Needs Chromium and Playwright."""
    from tests.support.app import chromium_path, running_chromium

    chromium = chromium_path()
    if chromium is None:
        raise SystemExit("A picture needs Chromium on the PATH.")
    with tempfile.TemporaryDirectory() as folder, running_chromium(chromium) as browser:
        page = Path(folder) / "plot.html"
        page.write_text(_figure(rows).to_html(include_plotlyjs=True, config={"staticPlot": True}), encoding="utf-8")
        tab = browser.new_page(viewport={"width": 1060, "height": 480})
        tab.goto(page.as_uri())
        tab.wait_for_selector(".js-plotly-plot .main-svg")
        tab.screenshot(path=str(path))


def _figure(rows: list[dict[str, Any]]) -> Any:
    """One panel for each label set, as accuracies of two label sets cannot be compared."""
    from plotly.subplots import make_subplots

    from dashboard.components.charts import FIRST, SECOND

    panels = (("fer2013", "FER2013 labels", FIRST), ("ferplus7", "FER+ labels (ferplus7)", SECOND))
    chart = make_subplots(rows=1, cols=2, subplot_titles=[title for _, title, _ in panels], horizontal_spacing=0.09)
    for i, (labels, _, colour) in enumerate(panels, start=1):
        mine = [row for row in rows if row["labels"] == labels and row["accuracy"] is not None]
        chart.add_scatter(
            x=[row["ms_8"] for row in mine], y=[100 * row["accuracy"] for row in mine], row=1, col=i,
            text=[row["checkpoint"].removesuffix("-fer2013").removesuffix("-ferplus") for row in mine],
            textposition=[_label_place(row, mine) for row in mine],
            mode="markers+text", marker={"size": 10, "color": colour}, textfont={"size": 11}, cliponaxis=False,
        )  # fmt: skip
    chart.update_xaxes(title="ms a face, 8 at once, 2 CPU cores", rangemode="tozero")
    chart.update_yaxes(title="accuracy, private test, single view (%)", col=1)
    chart.update_layout(width=1040, height=460, template="plotly_white", showlegend=False)
    chart.update_layout(margin={"l": 60, "r": 60, "t": 40, "b": 50})
    return chart


def _label_place(row: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Among points of about the same cost: above the best, below the worst, to the sides of those between."""
    near = 0.05 * max(each["ms_8"] for each in rows)
    column = sorted(
        (each for each in rows if abs(each["ms_8"] - row["ms_8"]) < near), key=lambda each: -each["accuracy"]
    )
    place = column.index(row)
    if place == 0:
        return "top center"
    return "bottom center" if place == len(column) - 1 else ("middle right", "middle left")[place % 2]


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="checkpoints (default: all that have weights)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--figure", type=Path, metavar="FILE.png")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    rows = measure(args.names or runnable_names(checkpoints_folder()))
    if args.figure:
        draw(rows, args.figure)
    if args.json:
        print(json.dumps(rows))
        return 0
    print(f"{args.threads} threads, torch {torch.__version__.split('+')[0]}, median of {ROUNDS} rounds")
    print("| checkpoint | network | labels | accuracy | million parameters | MB | runtime | ms, 1 | ms, 8 | ms, 32 |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for row in rows:
        accuracy = f"{100 * row['accuracy']:.1f} %" if row["accuracy"] is not None else ""
        times = " | ".join(f"{row[f'ms_{batch}']:.2f}" for batch in BATCHES)
        millions = f"{row['parameters'] / 1e6:.1f}"
        print(
            f"| `{row['checkpoint']}` | {row['network']} | {row['labels']} | {accuracy} | {millions} | "
            f"{row['megabytes']} | {row['runtime']} | {times} |"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
