"""Rows and details of the Checkpoints page: what each is, how good, how it was trained; add, evaluate, remove."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.components.charts import FIRST, NO_BAR, SECOND, figure, line_at
from dashboard.components.frame import clock, go_to, hand_over, megabytes, plain, show_errors
from dashboard.components.robustness import robustness_view
from dashboard.services import checkpoints, datasets, evaluations, jobs, kinds
from dashboard.services.checkpoints import Entry
from dashboard.services.kinds import ConvertRequest
from fer_core.errors import DataError, FerError
from fer_core.models.card import Card
from fer_core.models.folders import DEFAULT_CHECKPOINT

CLEAN = "clean accuracy"
INSPECT, DATASETS = "app_pages/inspect.py", "app_pages/datasets.py"


def overview(entries: list[Entry]) -> None:
    """One row for each checkpoint."""
    percent = st.column_config.NumberColumn(format="%.1f %%")
    st.dataframe(
        [_row(entry) for entry in entries], hide_index=True,
        column_config=dict.fromkeys(("Accuracy", "Macro recall", "ECE"), percent),
    )  # fmt: skip
    st.caption(
        "Accuracy, macro recall and ECE are those of the test split named beside them, single view, from the card. "
        "Where nothing else was measured they are of the split that it was chosen and calibrated on, which flatters."
    )


def _row(entry: Entry) -> dict[str, Any]:
    card, figures = entry.card, entry.figures()
    shares = {"Accuracy": "accuracy", "Macro recall": "macro_recall", "ECE": "ece"}
    return {
        "Name": entry.name,
        "Architecture": card.network if card else "cannot be used",
        "Taught by": _taught_by(card) if card else "",
        "Size": megabytes(entry.n_bytes) if entry.is_runnable or not card else "evaluations only",
        **{title: _percent(figures, key) for title, key in shares.items()},
        "Measured on": entry.measured_on(),
        "Trained": card.date if card else "",
        "Added": entry.is_added,
    }


def _taught_by(card: Card) -> str:
    """Labels, and of which data set; labels of its own bear the name of the data set."""
    return " of ".join(dict.fromkeys(str(card.data.get(key, "?")) for key in ("labels", "dataset")))


def _percent(figures: Mapping[str, Any], key: str) -> float | None:
    """A figure of a card, which may hold anything."""
    value = figures.get(key)
    return 100 * value if isinstance(value, int | float) else None


def _without_copies(figures: Mapping[str, Any]) -> dict[str, str | float | None]:
    """Accuracy on the pictures that are no copies of training pictures, where the card has it."""
    clean = figures.get("clean")
    return {CLEAN: _percent(clean, "accuracy")} if isinstance(clean, Mapping) else {}


def details(entry: Entry) -> None:
    """Everything about one checkpoint."""
    if entry.card is None:
        st.error(plain(entry.error), icon=":material/error:")
        _remove(entry)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(plain(entry.name), anchor=False, width="stretch")
        if st.button(
            "Inspect its errors", type="primary", icon=":material/search:", disabled=not evaluations.tables(entry.name)
        ):
            go_to(INSPECT, checkpoint=entry.name)
        _remove(entry)
    if missing := checkpoints.why_not_runnable(entry.name):
        st.info(plain(missing), icon=":material/inventory_2:")
    views = {
        "Figures": _figures, "Robustness": robustness_view, "Learning curves": _curves, "Evaluations": _evaluations,
        "Card": _card,
    }  # fmt: skip
    tabs = st.tabs(list(views), key="part", bind="query-params", on_change="rerun")
    for tab, draw in zip(tabs, views.values(), strict=True):
        if tab.open:
            with tab:
                draw(entry)


def _figures(entry: Entry) -> None:
    """The card's figures, and those of each class from the evaluation tables."""
    assert entry.card is not None
    keys = ("accuracy", "macro_recall", "worst_recall", "groups_accuracy", "groups_macro_recall", "ece")
    rows = [
        {
            "data": f"{each.get('data', '?')} {each.get('split', '?')}",
            "labels": str(each.get("labels", "?")),
            "view": str(each.get("tta", "?")),
            "pictures": str(each.get("n", "?")),
        }
        | {key: _percent(each, key) for key in keys if key in each}
        | _without_copies(each)
        for each in entry.card.metrics
    ]
    if rows:
        columns = {
            key: st.column_config.NumberColumn(key.replace("_", " ").replace("ece", "ECE"), format="%.1f %%")
            for key in (*keys, CLEAN)
        }
        st.dataframe(rows, hide_index=True, column_config=columns)
        if any(CLEAN in row for row in rows):
            st.caption("Clean: without the test pictures that are pixel copies of training pictures.")
    else:
        st.info("The card has no figures. Evaluate the checkpoint below.")
    _classes(entry)


def _classes(entry: Entry) -> None:
    found = evaluations.tables(entry.name)
    if not found:
        return
    from dashboard.components.inspect.confusion import reports

    table = st.selectbox("Each class on", list(found), key=f"classes-{entry.name}", width=260)
    sets = list(evaluations.evaluation(entry.name, table).labels)
    taught = (entry.card.data if entry.card else {}).get("labels")
    first = taught if taught in sets else sets[0]
    labels = st.segmented_control("Judged by", sets, default=first, required=True, key=f"labels-{entry.name}")
    assert labels is not None
    reports(evaluations.outcomes(evaluations.Question(entry.name, table, labels)))


def _curves(entry: Entry) -> None:
    """Loss and accuracy per epoch, from ``history.csv``."""
    path = entry.folder / "history.csv"
    if not path.is_file():
        st.info("There is no history.csv with this checkpoint.")
        return
    try:
        table = pd.read_csv(path)
    except (ValueError, OSError) as error:
        st.error(plain(f"history.csv cannot be read ({error})."), icon=":material/error:")
        return
    kinds_there = ["loss", "accuracy", *(["f1"] if any(name.endswith("_f1") for name in table.columns) else [])]
    columns = st.columns(len(kinds_there))
    for column, kind in zip(columns, kinds_there, strict=True):
        names = [name for name in table.columns if name.endswith(kind)]
        if "epoch" not in table or not names:
            column.info(f"history.csv has no column of {kind}.")
            continue
        chart = figure(
            height=300,
            xaxis_title="epoch",
            yaxis={"title": "macro F1" if kind == "f1" else kind} | ({} if kind == "loss" else {"tickformat": ".0%"}),
        )
        for name in names:
            line = {
                "color": (FIRST, SECOND)["fer2013" in name],
                "dash": "dot" if name.startswith("train") else "solid",
                "width": 2,
            }
            title = name.removesuffix(f"_{kind}").replace("choose", "validation").replace("_", " ")
            chart.add_scatter(x=table["epoch"], y=table[name], name=title, line=line)
        if kind == "accuracy":
            line_at(chart, *_ceiling(entry))
        column.plotly_chart(chart, key=f"curve-{kind}-{entry.name}", config=NO_BAR)
    minutes = pd.to_numeric(table.get("minutes", pd.Series(dtype=float)), errors="coerce").dropna()
    if len(minutes):
        st.caption(f"{len(table)} epochs in {clock(60 * float(minutes.iloc[-1]))}; dotted lines are training.")


def _ceiling(entry: Entry) -> tuple[float, str]:
    """What one person reaches on the table that the epochs were chosen on."""
    from fer_core.evaluation import human_agreement

    assert entry.card is not None
    table = f"{entry.card.data.get('dataset')}-{entry.card.data.get('choose')}"
    labels = str(entry.card.data.get("labels"))
    try:
        found = evaluations.outcomes(evaluations.Question(entry.name, table, labels))
    except FerError:
        return float("nan"), ""
    return human_agreement(found)[0], f"one person, {labels}"


def _card(entry: Entry) -> None:
    assert entry.card is not None
    for note in entry.card.notes:
        st.caption(plain(note))
    st.json((entry.folder / checkpoints.CARD).read_text(encoding="utf-8"), expanded=1)


def _evaluations(entry: Entry) -> None:
    """The tables that are there, and a form for a new one."""
    for name, path in evaluations.tables(entry.name).items():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(name)}**  \n:small[{megabytes(path.stat().st_size)}]", width="stretch")
            if st.button("Inspect", key=f"inspect-{name}", icon=":material/search:"):
                go_to(INSPECT, {"data": name}, checkpoint=entry.name)
    running = jobs.of_target(entry.name, kinds.EVALUATE.name)
    active = running is not None and running.state in jobs.ACTIVE
    if running is not None:
        st.fragment(_progress, run_every=1.0 if active else None)(running.id, active)
    if not active and entry.is_runnable:
        _form(entry)


def _progress(job_id: str, was_active: bool) -> None:
    job = jobs.get(job_id)
    if job is None or job.state not in jobs.ACTIVE:
        if was_active:
            st.rerun()
        elif job is not None and job.state == "failed":
            st.error(plain(f"{job.name}: {job.error}"), icon=":material/error:")
        elif job is not None and job.state == "done" and job.info.get("permuted"):
            st.warning(plain(f"{job.info['permuted']} Convert it again with its labels in another order."))
        elif job is not None and job.state == "done" and job.info.get("left_out"):
            n = job.info["left_out"]
            said = "1 picture could not be read and was" if n == 1 else f"{n} pictures could not be read and were"
            st.info(plain(f"{said} left out. {job.info['first']}"))
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(job.share, text=f"{plain(job.name)}: {job.frames} pictures, {job.share:.0%}", width="stretch")
        if st.button("Cancel", icon=":material/stop:", disabled=job.cancel):
            jobs.cancel(job.id)


def _form(entry: Entry) -> None:
    known = datasets.pointed()
    if not known:
        st.info("The workbench was not pointed to a data set yet.")
        st.page_link(DATASETS, label="Point to a data set", icon=":material/folder_open:")
        return
    st.markdown("**Evaluate on a data set**")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        where = st.selectbox("Data set", known, format_func=lambda each: each.name, width=220, key="evaluate-on")
        try:
            opened = where.open()
        except DataError as error:
            st.error(plain(str(error)), icon=":material/error:")
            return
        split = st.selectbox("Split", opened.splits, index=opened.splits.index(opened.default_split), width=180)
        faces = datasets.faces(where.name, split)
        find = st.toggle(
            "Find the face",
            not faces.cut,
            key=f"find-{where.name}",
            help="For photos. Off: the pictures are faces already.",
        )
        skip = st.toggle("Skip unreadable pictures", help="Else the first one stops the evaluation with its name.")
        if st.button("Evaluate", type="primary", icon=":material/play_arrow:"):
            evaluations.ask(entry.name, where.name, split, skip_unreadable=skip, find_faces=find)
            st.rerun()
    st.caption(f"{len(faces):,} pictures. About a minute for 3,600 faces on two cores; finding faces takes longer.")


def _remove(entry: Entry) -> None:
    if entry.is_added and st.button("Remove", icon=":material/delete:", type="tertiary", key=f"remove-{entry.name}"):
        _ask_remove(entry.name)


@st.dialog("Remove for good?")
def _ask_remove(name: str) -> None:
    st.markdown(f"**{plain(name)}** and its evaluations will be removed from this machine.")
    if needed := checkpoints.ensembles_with(name):
        st.warning(f"Ensembles that cannot be used without it: {', '.join(map(plain, needed))}.")
    with show_errors():
        if st.button("Remove", type="primary", icon=":material/delete:"):
            checkpoints.remove(name)
            st.session_state["removed"] = name
            hand_over(checkpoint=DEFAULT_CHECKPOINT)
            st.rerun()


def add_form() -> None:
    """Upload of a checkpoint."""
    with st.expander("Add a checkpoint", icon=":material/upload:"):
        st.caption(
            "A checkpoint of the workbench: its .safetensors with the card.json beside it; history.csv, "
            "reference.safetensors, pca.safetensors and evaluation tables (data-split.parquet) if you have them. "
            "A network that was trained elsewhere: its weights alone (.pth, .pt, .safetensors, .onnx), with the labels "
            "in the order of its outputs. Only numbers are read from them; nothing in them is ever run."
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            labels = st.text_input(
                "Labels, without a card", key="add-labels", placeholder="angry,disgust,fear,happy,neutral,sad,surprise",
                help="What the outputs stand for, in their order; ImageFolder's is alphabetical. - for one to drop.",
            )  # fmt: skip
            architecture = st.text_input(
                "Architecture", key="add-architecture", placeholder="resnet18", width=220,
                help="One of those of the recipes, or timm:NAME. An ONNX file needs none.",
            )  # fmt: skip
            size = st.number_input("Side in px", 0, 1024, 0, key="add-size", width=160, help="0: its own, or 224")
            st.download_button("Template of card.json", checkpoints.template(), "card.json", icon=":material/download:")
        round_ = st.session_state.get("added-rounds", 0)
        files = st.file_uploader("Files of one checkpoint", accept_multiple_files=True, key=f"files-{round_}")
        if st.button("Add", type="primary", disabled=not files, icon=":material/add:"):
            with show_errors():
                words = tuple(each.strip() for each in labels.split(",") if each.strip())
                origin = ConvertRequest(words, architecture.strip(), int(size))
                given = ((each.name, each.getvalue()) for each in files)
                st.session_state["adding"] = checkpoints.add(given, origin)
                st.session_state["added-rounds"] = round_ + 1
                st.rerun()
        if "adding" in st.session_state:
            st.fragment(_adding, run_every=0.5)(st.session_state["adding"])


def _adding(job_id: str) -> None:
    job = jobs.get(job_id)
    if job is not None and job.state in jobs.ACTIVE:
        st.caption("Checking the files …")
        return
    del st.session_state["adding"]
    if job is None or job.state != "done":
        st.session_state["add-said"] = (job and job.error) or "Stopped."
    else:
        st.session_state["add-done"] = job.info["checkpoint"]
    st.rerun()


def outcome() -> None:
    """What became of the last upload, or of the checkpoint that was removed."""
    if name := st.session_state.pop("removed", ""):
        st.success(plain(f"{name} was removed."), icon=":material/delete:")
    if error := st.session_state.pop("add-said", ""):
        st.error(plain(error), icon=":material/error:")
    if name := st.session_state.pop("add-done", ""):
        st.success(plain(f"{name} was added. It can be chosen everywhere now."), icon=":material/check_circle:")
