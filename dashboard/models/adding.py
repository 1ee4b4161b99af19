"""A model of one's own: uploaded, checked, and told what became of it."""

from __future__ import annotations

import time

import streamlit as st

from dashboard.addresses import MODEL
from dashboard.components.frame import plain, show_errors
from dashboard.services import checkpoints, jobs
from dashboard.services.kinds import ConvertRequest

SAID_FOR_S = 10.0


def add_form(is_open: bool) -> None:
    """Upload of a model."""
    with st.expander("Add a model", is_open, icon=":material/upload:"):
        st.caption(
            "A model of the workbench: its .safetensors with the card.json beside it; history.csv, "
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
        files = st.file_uploader("Files of one model", accept_multiple_files=True, key=f"files-{round_}")
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
        st.session_state["removed-said"] = name, time.monotonic()
    name, at_s = st.session_state.get("removed-said", ("", -SAID_FOR_S))
    if time.monotonic() - at_s < SAID_FOR_S:  # also where the page is drawn twice, as it is on the way from another
        st.success(plain(f"{name} was removed."), icon=":material/delete:")
    if error := st.session_state.pop("add-said", ""):
        st.error(plain(error), icon=":material/error:")
    if name := st.session_state.pop("add-done", ""):
        st.success(plain(f"{name} was added. It can be chosen everywhere now."), icon=":material/check_circle:")
        asked = {"checkpoint": name, "view": "Card"}
        st.page_link(MODEL, label="Next: evaluate it", icon=":material/arrow_forward:", query_params=asked)
