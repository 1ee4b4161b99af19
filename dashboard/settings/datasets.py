"""Data sets that the workbench was pointed to."""

from __future__ import annotations

import streamlit as st

from dashboard.addresses import MODELS
from dashboard.components.frame import plain, show_errors
from dashboard.services import datasets
from fer_core.emotions import EMOTIONS8
from fer_core.errors import FerError


def datasets_view() -> None:
    """Where they are on this machine, and what is in them."""
    st.write(
        "Point the workbench to data sets that are on this machine. Nothing is copied or changed; pictures are shown "
        "from where they are, and any model can be evaluated on them."
    )
    _add_form()
    known = datasets.pointed()
    if not known:
        st.info(
            "None yet. The shipped evaluations work without; with FER2013 at hand, their pictures are shown too.",
            icon=":material/folder_open:",
        )
    for where in known:
        _row(where)


def _add_form() -> None:
    """A path, a name, and what layouts are read."""
    with st.form("data"), st.container(horizontal=True, vertical_alignment="bottom"):
        path = st.text_input(
            "Folder or table on this machine", placeholder="/home/you/datasets/fer2013", width="stretch"
        )
        name = st.text_input("Name (optional)", placeholder="fer2013", width=180)
        asked = st.form_submit_button("Point to it", type="primary", icon=":material/folder_open:")
    if asked:
        with show_errors():
            added = datasets.add(path, name)
            st.success(plain(f"{added.name} can be used now."), icon=":material/check_circle:")
            st.page_link(MODELS, label="Next: evaluate a model on it", icon=":material/arrow_forward:")
    with st.expander("Layouts that are read"):
        st.markdown(_layouts())


def _layouts() -> str:
    """Every way in which a data set may lie, as a table in Markdown."""
    rows = [f"| {title} | {holds} |" for title, holds in datasets.known_layouts().items()]
    return "\n".join(["| layout | what the folder holds |", "| --- | --- |", *rows])


def _row(where: datasets.Pointed) -> None:
    """One data set: what it is and how many pictures of each emotion each split has."""
    with st.container(border=True, key=f"data-{where.name}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            try:
                opened = where.open()
                said, splits = opened.layout, opened.splits
            except (FerError, OSError) as error:
                said, splits = f"cannot be read: {error}", ()
            given = ", found through FER_DATA" if where.is_given else ""
            st.markdown(f"**{plain(where.name)}**  \n:small[{plain(f'{where.path}: {said}{given}')}]", width="stretch")
            if not where.is_given and st.button(
                "Forget", key=f"forget-{where.name}", type="tertiary", icon=":material/close:"
            ):
                datasets.forget(where.name)
                st.rerun()
        with show_errors():
            counts = {split: opened.counts(split) for split in splits}
            there = [name for name in EMOTIONS8 if any(name in each for each in counts.values())]
            if counts:
                rows = [
                    {"split": split, "pictures": sum(each.values()), **{name: each.get(name, 0) for name in there}}
                    for split, each in counts.items()
                ]
                st.dataframe(rows, hide_index=True)
                for note in datasets.notes(where.name):
                    st.caption(plain(note))
                _classes(where)


def _classes(where: datasets.Pointed) -> None:
    """What the data set calls its classes, and what they are read as."""
    with st.expander("How its classes are read"):
        rows = [
            {"code": row.code, "its own name": row.name, "read as": row.emotion, "pictures": row.n}
            for row in datasets.classes(where.name)
        ]
        st.dataframe(rows, hide_index=True)
        st.caption("Networks of seven emotions are not trained on pictures of contempt.")
