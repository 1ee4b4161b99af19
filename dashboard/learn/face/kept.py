"""What the page Try a face keeps: the pictures it was given, each to be deleted, and its heatmaps."""

from __future__ import annotations

from datetime import datetime

import streamlit as st
from PIL import Image

from dashboard.components.frame import counted, plain, show_errors, size
from dashboard.services import pictures, places
from fer_core.video.store import folder_bytes


def kept() -> None:
    """The list, where there is anything in it."""
    given = pictures.given()
    n_bytes = sum(folder_bytes(places.below(name)) for name in ("explained", pictures.FOLDER))
    if not n_bytes:
        return
    told = f"{counted(len(given), 'picture')} and the newest heatmaps, {size(n_bytes)}"
    with st.expander(f"Kept on this machine: {told}", icon=":material/photo_library:", key="kept"), show_errors():
        for each in given:
            _row(each)
        if st.button("Delete all, with the heatmaps", icon=":material/delete:", key="delete-all-kept"):
            pictures.forget_all()
            st.rerun()


def _row(picture: pictures.Given) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key=f"kept-{picture.key}"):
        if (small := _small(picture)) is not None:
            st.image(small, width=48, alt=f"The picture {picture.name}")
        when = datetime.fromtimestamp(picture.given).strftime("%Y-%m-%d %H:%M")
        st.markdown(
            f"**{plain(picture.name)}**  \n:small[{plain(f'{when}, {size(picture.n_bytes)}')}]", width="stretch"
        )
        if st.button("Delete", key=f"delete-{picture.key}", icon=":material/delete:", type="tertiary"):
            pictures.forget(picture.key)
            st.rerun()


def _small(picture: pictures.Given) -> Image.Image | None:
    if picture.small is None:
        return None
    try:
        with Image.open(picture.small) as small:
            return small.convert("RGB")
    except OSError:  # damaged
        return None
