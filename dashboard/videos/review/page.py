"""Review: one analysis, to watch, question and take home."""

from collections.abc import Callable

import streamlit as st

from dashboard.components.player import player
from dashboard.videos.review import export, header, marks, models, people, report, tables, trust, why
from fer_core.video.export import Excerpt

MANY_ROWS = 100_000

analysis = header.choose_analysis()
lens = header.header(analysis)
is_picture = analysis.record["source"]["is_picture"]
several = len(analysis.models) > 1
seek = tables.chosen_segment(analysis, lens) or (models.chosen_disagreement(analysis, lens) if several else None)
said = player(analysis, smoothing_s=lens.smoothing_s, model=lens.model, seek=seek or header.linked_moment())
chosen = Excerpt(said.start_s or 0.0, said.end_s, said.track)

views: dict[str, Callable[[], None]] = {
    "Faces": lambda: tables.faces_table(analysis, lens),
    "Segments": lambda: tables.segments_table(analysis, lens),
    "People": lambda: people.people_view(analysis, lens),
    "Selection": lambda: tables.selection_table(analysis, lens, chosen),
    "Marks": lambda: marks.marks_view(analysis, lens, said.track),
    "Trust": lambda: trust.trust_view(analysis, lens),
    "Models": lambda: models.models_view(analysis, lens),
    "Why": lambda: why.why_view(analysis, lens, chosen),
    "How it was measured": lambda: tables.facts(analysis),
    "Report": lambda: report.report_view(analysis, lens),
    "Downloads": lambda: export.downloads(analysis, lens, chosen),
}
left_out = ["Segments", "People", "Selection", "Marks"] if is_picture else ["Faces"]
left_out += [] if several else ["Models"]
views = {name: draw for name, draw in views.items() if name not in left_out}
first = next(iter(views)) if analysis.record["time_check"]["frames_analysed"] < MANY_ROWS else "How it was measured"
for tab, draw in zip(st.tabs(list(views), default=first, on_change="rerun"), views.values(), strict=True):
    if tab.open:
        with tab:
            draw()
