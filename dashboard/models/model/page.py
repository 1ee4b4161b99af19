"""One model: where it errs, and what else is known of it. What is selected in one view is selected in all of them."""

import streamlit as st

from dashboard.components.frame import end_page, plain, show_errors
from dashboard.models.model import about, calibration, compare, confusion, face, faces, header, labels, maps, slices
from dashboard.services.evaluations import outcomes
from fer_core.evaluation import Selection

title = st.empty()
of_what, views = st.container(horizontal=True, vertical_alignment="bottom"), st.container()
with of_what:
    entry = header.choose_entry()
title.title(plain(entry.card.title if entry.card and entry.card.title else entry.name))
with views:
    view = header.choose_view(entry)
if view not in header.VIEWS:
    with show_errors():
        about.about_view(view, entry)
    end_page()
found = None
with show_errors():
    with of_what:
        question = header.choose_question(entry.name)
        against = compare.choose_other(question)
    found = header.summary(question)
if found is None:
    end_page()
view_area, panel_area = st.columns([5, 3], gap="large")
selection, looked_at, in_view = Selection(), None, list[str]()
with panel_area, header.panel(), show_errors():  # first, so that the views know what is selected
    face_area = st.container()
    header.missing_pictures(question)
    selection = faces.filter_bar(found)
    looked_at, in_view = faces.gallery_section(question, found, selection, outcomes(against) if against else None)
with view_area, show_errors():
    if view == "Errors":
        confusion.confusion_view(found, selection, against)
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
