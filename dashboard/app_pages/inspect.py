"""Inspect: see why a model errs. Whatever is selected in one view is selected in all of them."""

import streamlit as st

from dashboard.components.frame import show_errors
from dashboard.components.inspect import calibration, compare, confusion, face, faces, header, labels, maps, slices
from dashboard.services.evaluations import outcomes
from fer_core.evaluation import Selection

st.title("See why it errs")
found = None
with show_errors():
    question = header.choose_question()
    found = header.summary(question)
if found is None:
    st.stop()
with st.container(horizontal=True, vertical_alignment="bottom"):
    view = st.segmented_control(
        "View", header.VIEWS, key="view", bind="query-params", required=True, default="Confusion"
    )
    view = view or "Confusion"  # an address with an empty one
    against = compare.choose_other(question) if view in ("Confusion", "Map", "Compare") else None
    unit = confusion.choose_unit() if view == "Confusion" else ""
view_area, faces_area, face_area = st.container(), st.container(), st.container()
selection, looked_at, in_view = Selection(), None, list[str]()
with faces_area, show_errors():  # first, so that the views know what is selected; drawn below them
    st.subheader("Faces", anchor=False)
    header.missing_pictures(question)
    selection = faces.filter_bar(found)
    looked_at, in_view = faces.gallery_section(question, found, selection, outcomes(against) if against else None)
with view_area, show_errors():
    if view == "Confusion":
        confusion.confusion_view(found, selection, against, unit)
    elif view == "Calibration":
        calibration.calibration_view(found)
    elif view == "Slices":
        slices.slices_view(found)
    elif view == "Map":
        maps.map_view(question, found, selection, against)
    elif view == "Label quality":
        labels.labels_view(question, found)
    else:
        compare.compare_view(question, against)
with face_area, show_errors():
    face.face_section(question, found, looked_at, in_view)
