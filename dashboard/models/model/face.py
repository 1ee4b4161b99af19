"""One face: what the network says, what people said, why, what lies beside it, and where it happens in videos."""

from __future__ import annotations

import numpy as np
import streamlit as st

from dashboard.addresses import FACE, REVIEW
from dashboard.components.frame import clock, moment_address, plain, show_errors
from dashboard.components.gallery import Face, gallery
from dashboard.components.waiting import is_there
from dashboard.models.model.faces import items
from dashboard.models.model.header import choose_face
from dashboard.models.model.labels import decide
from dashboard.services import checkpoints, datasets, explained, jobs, moments
from dashboard.services.evaluations import Question
from fer_core.data import vote_distribution
from fer_core.embeddings import neighbours
from fer_core.emotions import EMOTION_COLOURS, EMOTIONS8
from fer_core.evaluation import REASONS, Outcomes
from fer_core.explain import in_words

N_NEIGHBOURS, N_MOMENTS, WAIT_S = 12, 6, 1.5


def face_section(question: Question, found: Outcomes, face: str | None, in_view: list[str]) -> None:
    """Everything about the chosen face, with the way to those before and behind it; a hint where none is chosen, or it
    is not among the pictures."""
    if face is None:
        st.caption(
            "Choose a face to see what the network saw in it, what lies beside it, and where it happens in videos."
        )
        return
    rows = np.flatnonzero(found.ids == face)
    if not len(rows):
        st.info(plain(f"Picture {face} is not among the answers that are shown. Choose another one."))
        return
    row = int(rows[0])
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(plain(f"Picture {face}"), anchor=False, width="stretch")
        at = in_view.index(face) if face in in_view else -1
        for label, step, icon in (("Previous", -1, "left"), ("Next", 1, "right")):
            there = at >= 0 and 0 <= at + step < len(in_view)
            if st.button(label, icon=f":material/chevron_{icon}:", disabled=not there, key=f"face-{label}"):
                choose_face(in_view[at + step])
    left, middle = st.columns([4, 8], gap="large")
    with left:
        _picture(question, found, row)
        decide(question, face, _own_label(found, row), found.evaluation.classes)
    with middle:
        _why(question, found, row)
    st.markdown("**Nearest in the network's eyes**")
    if not found.evaluation.features.shape[1]:
        st.caption("This table holds no features, so no face is near another. Evaluate again to have them.")
    else:
        gallery(
            items=_beside(question, found, row), chosen=None, key="neighbours", height=250,
            empty="There is no other face.",
        )  # fmt: skip
    _moments(*_pair(found, row))


def _own_label(found: Outcomes, row: int) -> str:
    """What the data set itself says, whatever set of labels is looked at."""
    own = found.evaluation.labels[found.evaluation.own][found.rows[row]]
    return EMOTIONS8[own] if own >= 0 else found.names[found.label[row]]


def _picture(question: Question, found: Outcomes, row: int) -> None:
    label, answer = (found.names[values[row]] for values in (found.label, found.prediction))
    reason = REASONS[found.reason[row]]
    st.markdown(
        f"labelled **{label}**, answered **{answer}** ({found.confidence[row]:.0%} sure)"
        + (f"  \n:small[{reason}]" if reason else "")
    )
    st.html(_bars(found, row))
    can_explain = not (
        datasets.why_no_pictures(question.dataset, question.split) or checkpoints.why_not_runnable(question.checkpoint)
    )
    if can_explain and st.button("Explain further", icon=":material/center_focus_strong:"):
        asked = {"dataset": question.dataset, "split": question.split, "id": str(found.ids[row]), "target": label}
        st.switch_page(FACE, query_params={**asked, "checkpoint": question.checkpoint})


def _bars(found: Outcomes, row: int) -> str:
    """Probabilities, and the share of the votes beside each, as bars."""
    votes = found.evaluation.votes[found.rows[row]]
    shares = vote_distribution(votes[None])[0] if len(votes) else None
    lines = []
    for i, name in enumerate(found.evaluation.classes):
        p, voted = float(found.probabilities[row, i]), None if shares is None or i >= len(shares) else float(shares[i])
        colour = EMOTION_COLOURS[name]
        ticks = "" if voted is None else f'<i style="left:{100 * voted:.1f}%" title="{voted:.0%} of the votes"></i>'
        said = "" if voted is None else f", votes {voted:.0%}"
        lines.append(
            f'<tr><th>{name}</th><td><div><b style="width:{100 * p:.1f}%;background:{colour}"></b>{ticks}</div></td>'
            f"<td>{p:.0%}{said}</td></tr>"
        )
    return f"{_BAR_STYLE}<table class='bars'>{''.join(lines)}</table>"


_BAR_STYLE = """<style>
.bars{width:100%;border-collapse:collapse;font-size:.8rem}
.bars th{font-weight:400;text-align:left;width:4.5rem;padding:1px 0}
.bars td:last-child{width:7rem;text-align:right;font-variant-numeric:tabular-nums;opacity:.85}
.bars div{position:relative;height:.7rem;border-radius:.2rem;background:rgba(128,128,128,.18)}
.bars b{display:block;height:100%;border-radius:.2rem}
.bars i{position:absolute;top:-2px;bottom:-2px;width:3px;margin-left:-1px;background:currentColor;border-radius:1px}
</style>"""


def _why(question: Question, found: Outcomes, row: int) -> None:
    """Heatmaps for the label and the answer, and what speaks for the one and not for the other."""
    missing = datasets.why_no_pictures(question.dataset, question.split)
    if missing:
        st.info("Heatmaps need the picture itself. Point to the data set on the page Settings.")
        return
    if missing := checkpoints.why_not_runnable(question.checkpoint):
        st.info(plain(f"Heatmaps need the network itself. {missing}"), icon=":material/inventory_2:")
        return
    label, answer = (found.names[values[row]] for values in (found.label, found.prediction))
    known = found.evaluation.classes
    other = label if label != answer and label in known else found.evaluation.classes[_second(found, row)]
    asks = [
        explained.make_ask(question.checkpoint, answer),
        explained.make_ask(question.checkpoint, other),
        explained.make_ask(question.checkpoint, answer, other=other),
    ]
    source = {"dataset": question.dataset, "split": question.split, "id": str(found.ids[row])}
    key = explained.ask([source], asks)
    done = explained.wait(key, seconds=WAIT_S)
    active = done["state"] in jobs.ACTIVE
    st.fragment(_heats, run_every=0.5 if active else None)(key, answer, other, active)


def _second(found: Outcomes, row: int) -> int:
    return int(np.argsort(found.probabilities[row, : len(found.evaluation.classes)])[-2])


@show_errors()  # which the page does not do when only this runs again
def _heats(key: str, answer: str, other: str, was_active: bool) -> None:
    done = explained.answer(key)
    if not is_there(done, "Explaining. The first time after a start can take half a minute.", was_active=was_active):
        return
    (source,) = done["sources"]
    titles = (f"for {answer} (answer)", f"for {other}", f"for {answer}, not {other}")
    with st.container(horizontal=True):
        _image(source["crop"], "the face")
        for title, cell in zip(titles, source["answers"], strict=True):
            _image(cell["picture"], title)
    first = source["answers"][0]
    st.caption(
        f"{plain(in_words(first['method'], first['layer']))}: bright places speak for the emotion. In the last picture "
        "orange speaks for the one, blue for the other. **Explain further** checks whether the map can be trusted. "
        + plain(checkpoints.heat_doubt(first["checkpoint"]))
    )


def _image(picture: str, title: str) -> None:
    st.image(f"data:image/png;base64,{picture}", caption=title, width=150, alt=title)


def _beside(question: Question, found: Outcomes, row: int) -> list[Face]:
    features = found.evaluation.features[found.rows]
    near, distances = neighbours(features, np.array([row]), N_NEIGHBOURS)
    return items(question, found, near[0], [f"distance {each:.2f}" for each in distances[0]])


def _pair(found: Outcomes, row: int) -> tuple[str, str]:
    """The label and the answer; where they are the same, the two most probable emotions."""
    label, answer = found.names[found.label[row]], found.names[found.prediction[row]]
    classes = found.evaluation.classes
    return answer, label if label != answer and label in classes else classes[_second(found, row)]


def _moments(first: str, second: str) -> None:
    """Moments of own videos in which the two are the most probable emotions."""
    st.markdown(f"**Moments of your videos between {first} and {second}**")
    shown, searched = moments.between(first, second, N_MOMENTS)
    if not searched:
        st.caption("There is no analysed video yet. Analyse one, or try the sample, and its moments are found here.")
        return
    if not shown:
        st.caption(f"None of {searched} analysed videos has a moment whose two most probable emotions are these.")
    with st.container(horizontal=True):
        for i, (analysis, moment) in enumerate(shown):
            label = f"{analysis.name[:24]}, {analysis.state.name_of(moment.track)}, {clock(moment.peak_s)}"
            if st.button(
                plain(label), key=f"moment-{i}", icon=":material/play_circle:",
                help=f"{first} {moment.p_first:.0%}, {second} {moment.p_second:.0%}",
            ):  # fmt: skip
                st.switch_page(REVIEW, query_params=moment_address(analysis.id, moment.peak_s, moment.track))
