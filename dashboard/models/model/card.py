"""What is known of a model: its figures, its evaluations and a form for a new one, its card; the way to remove it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.addresses import MODEL, SETTINGS
from dashboard.components.frame import interruption, megabytes, plain, show_errors
from dashboard.services import checkpoints, datasets, evaluations, jobs, kinds
from dashboard.services.checkpoints import Entry
from dashboard.videos.review.commonness import under_priors
from fer_core.errors import DataError
from fer_core.models.folders import CARD

CLEAN = "clean accuracy"


def _percent(figures: Mapping[str, Any], key: str) -> float | None:
    """A figure of a card, which may hold anything."""
    value = figures.get(key)
    return 100 * value if isinstance(value, int | float) else None


def _without_copies(figures: Mapping[str, Any]) -> dict[str, str | float | None]:
    """Accuracy on the pictures that are no copies of training pictures, where the card has it."""
    clean = figures.get("clean")
    return {CLEAN: _percent(clean, "accuracy")} if isinstance(clean, Mapping) else {}


def card_view(entry: Entry) -> None:
    """What it is, its figures, its evaluations and a form for a new one, its card."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(plain(_in_short(entry)), width="stretch")
        _remove(entry)
    if missing := checkpoints.why_not_runnable(entry.name):
        st.info(plain(missing), icon=":material/inventory_2:")
    if told := entry.answers():
        st.info(plain(told), icon=":material/info:")
    _figures(entry)
    _evaluations(entry)
    _card(entry)


def _in_short(entry: Entry) -> str:
    """Folder, network, what taught it, size, day."""
    card = entry.card
    assert card is not None
    taught = " of ".join(dict.fromkeys(str(card.data.get(key, "?")) for key in ("labels", "dataset")))
    size = megabytes(entry.n_bytes) if entry.is_runnable else "evaluations only"
    return ", ".join([entry.name, card.network, f"trained on {taught}", size, card.date or "no date"])


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
        st.info("The card has no figures. Evaluate the model below.")
    _classes(entry)


def _classes(entry: Entry) -> None:
    found = evaluations.tables(entry.name)
    if not found:
        return
    from dashboard.models.model.confusion import reports

    table = st.selectbox("Each class on", list(found), key=f"classes-{entry.name}", width=260)
    sets = list(evaluations.evaluation(entry.name, table).labels)
    taught = (entry.card.data if entry.card else {}).get("labels")
    first = taught if taught in sets else sets[0]
    labels = st.segmented_control("Judged by", sets, default=first, required=True, key=f"labels-{entry.name}")
    assert labels is not None
    judged = evaluations.outcomes(evaluations.Question(entry.name, table, labels))
    reports(judged)
    if entry.card is not None and entry.card.prior is not None:
        under_priors(judged, entry.card.labels, entry.card.prior)


def _card(entry: Entry) -> None:
    assert entry.card is not None
    for note in entry.card.notes:
        st.caption(plain(note))
    st.json((entry.folder / CARD).read_text(encoding="utf-8"), expanded=1)


def _evaluations(entry: Entry) -> None:
    """The tables that are there, and a form for a new one."""
    for name, path in evaluations.tables(entry.name).items():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(name)}**  \n:small[{megabytes(path.stat().st_size)}]", width="stretch")
            if st.button("Inspect", key=f"inspect-{name}", icon=":material/search:"):
                st.switch_page(MODEL, query_params={"checkpoint": entry.name, "data": name, "view": "Errors"})
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
        elif job is not None and job.state == "done":
            if n := job.info.get("left_out"):
                said = "1 picture could not be read and was" if n == 1 else f"{n} pictures could not be read and were"
                st.info(plain(f"{said} left out. {job.info['first']}"))
            for said in job.info.get("faces", ()):
                st.info(plain(said), icon=":material/person_search:")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        words = ", ".join([f"{plain(job.name)}: {job.frames} pictures", f"{job.share:.0%}", *interruption(job)])
        st.progress(job.share, text=words, width="stretch")
        if st.button("Cancel", icon=":material/stop:", disabled=job.cancel):
            jobs.cancel(job.id)


def _form(entry: Entry) -> None:
    known = datasets.pointed()
    if not known:
        st.info("The workbench was not pointed to a data set yet.")
        st.page_link(SETTINGS, label="Point to a data set", icon=":material/folder_open:")
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
            st.rerun()  # the page itself leads to the list, which says it
