"""Which emotion is taken for which: seven classes and three groups; of one checkpoint, or the difference of two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard.components.frame import plain
from dashboard.components.matrix import matrix
from dashboard.models.model.header import group_map, select
from dashboard.services.evaluations import Question, intervals, outcomes
from fer_core.emotions import groups_of
from fer_core.evaluation import (
    Outcomes,
    Selection,
    class_report,
    confusion,
    detected,
    group_confusion,
    group_report,
    in_words,
    most_confused,
    percent_of,
)

UNITS = ("% of the label", "% of the answer", "pictures")


def _choose_unit() -> str:
    """What the cells say."""
    unit = st.segmented_control("Cells", UNITS, key="cells", bind="query-params", required=True, default=UNITS[0])
    return unit or UNITS[0]  # an address may have an empty one


def confusion_view(found: Outcomes, selection: Selection, against: Question | None) -> None:
    """Both matrices, the most confused pairs, and the figures of each class."""
    unit = _choose_unit()
    other = outcomes(against) if against else None
    less = f": {found.evaluation.checkpoint} minus {against.checkpoint}" if against else ""
    names = max(found.names, other.names if other else (), key=len)  # one of the two may know contempt
    emotions = [_padded(confusion(each), len(names)) for each in (found, other) if each is not None]
    groups = [group_confusion(each, group_map()) for each in (found, other) if each is not None]
    draw(f"{len(names)} emotions{less}", names, emotions, unit, (selection.true, selection.predicted))
    if against:
        st.caption(
            f"Filled in the colour of buttons: {plain(found.evaluation.checkpoint)} is better there, with more right "
            "or fewer wrong answers; in orange: worse."
        )
    left, right = st.columns([3, 2], gap="large")
    with left:
        draw(f"3 groups{less}", groups_of(group_map()), groups, unit, (selection.true_group, selection.predicted_group))
    with right:
        _told(emotions[0], names, f" by {found.evaluation.checkpoint}" if against else "")
    with st.expander("Precision, recall and F1 of each class and group"):
        reports(found)
    st.download_button(
        "Report", partial(_report, found, group_map()), f"{found.evaluation.checkpoint}-report.html", "text/html",
        on_click="ignore", icon=":material/summarize:", help="One page that opens offline in any browser.",
    )  # fmt: skip


def _report(found: Outcomes, groups: Mapping[str, str]) -> bytes:
    from fer_core.report.evaluation import evaluation_report

    return evaluation_report(found, group_map=groups)


def _padded(counts: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Counts (k, k), with none of the emotions that are not known."""
    return np.pad(counts, (0, k - len(counts)))


def draw(
    title: str, names: Sequence[str], counts: list[NDArray[np.int64]], unit: str, chosen: tuple[str, str] | None,
    key: str = "matrix",
) -> None:  # fmt: skip
    """One matrix, or the difference of two; what is clicked in it has the key ``KEY-K``."""
    is_difference = len(counts) == 2
    shares = [
        each / max(each.sum(), 1)
        if unit == UNITS[2]
        else percent_of(each, "row" if unit == UNITS[0] else "column") / 100
        for each in counts
    ]
    values = shares[0] - shares[1] if is_difference else shares[0]
    whole = counts[0] - counts[1] if is_difference else counts[0]
    better = 4 * (2 * np.eye(len(names)) - 1)  # more right answers, fewer wrong ones
    shown = [
        [_text(value, count, unit, is_difference) for value, count in zip(row, line, strict=True)]
        for row, line in zip(values, whole, strict=True)
    ]
    matrix(
        names=names, counts=whole, shown=shown,
        shade=np.clip((values * better if is_difference else values) * (2 if unit == UNITS[2] else 1), -1, 1).tolist(),
        detected=detected(counts[0]).tolist(), chosen=chosen, title=title, key=f"{key}-{len(names)}",
    )  # fmt: skip


def _text(value: float, count: int, unit: str, is_difference: bool) -> str:
    if unit == UNITS[2]:
        return f"{count:+d}" if is_difference else str(count)
    if not np.isfinite(value):
        return "–"
    return f"{100 * value:+.1f}" if is_difference else f"{100 * value:.1f}"


def _told(counts: NDArray[np.int64], names: Sequence[str], by: str) -> None:
    """What the matrix says, in words."""
    st.markdown(
        f"**{int(detected(counts).sum())} of {int((counts.sum(axis=1) > 0).sum())}** emotions are detected{plain(by)}: "
        "the right answer is their most frequent one. Most confused:"
    )
    with st.container(gap=None):
        for pair in most_confused(counts, names, 4):
            if st.button(plain(in_words(pair)), key=f"pair-{pair.true}-{pair.predicted}", type="tertiary"):
                select(true=pair.true, predicted=pair.predicted)


def reports(found: Outcomes) -> None:
    """Precision, recall with its interval, F1 and support of each class, and of each group."""
    percent = st.column_config.NumberColumn(format="%.1f %%")
    spread = intervals(found, group_map())
    for table, between in (
        (class_report(found), spread.recalls), (group_report(found, group_map()), spread.groups),
    ):  # fmt: skip
        shown = pd.DataFrame(table)
        figures = ["precision", "recall", "f1"]
        shown[figures] = 100 * shown[figures]
        ends = [between.get(name) for name in shown["class"]]
        told = [f"{100 * each[0]:.1f} – {100 * each[1]:.1f}" if each else "" for each in ends]
        shown.insert(3, "recall, 95 %", told)
        st.dataframe(shown, hide_index=True, column_config=dict.fromkeys(figures, percent))
    st.caption(plain(spread.told))
