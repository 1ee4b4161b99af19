"""Heatmaps side by side: checkpoints and methods in rows; one emotion, another one, and their difference in columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.components.charts import FIRST, QUIET, SECOND, figure
from dashboard.components.choosing import NOTHING, choose_model
from dashboard.components.frame import plain, show_errors
from dashboard.components.waiting import is_there
from dashboard.services import checkpoints, explained, jobs
from fer_core.emotions import DEFAULT_GROUP_MAP, EMOTION_COLOURS, EMOTIONS, EMOTIONS8, GROUPS
from fer_core.explain import METHODS, in_words

OWN = "its own"
CHOICES = {OWN: "", **{title: name for name, title in METHODS.items()}}
WAIT_S = 2.0
_SHOWN = "maps-shown"
"""What was drawn last, in the session: it stays until something else is there."""
_DEFAULT = "default"
_CHECK = """Weights made random must change the map, and the places it names must matter more than others. About a
second for each map."""
ANSWER, _GROUP = "its answer", " (group)"
NAMES = (*EMOTIONS8, *(group + _GROUP for group in GROUPS))
Wanted = dict[str, Any]


def choose_wanted(source: explained.Source | None) -> Wanted | None:
    """Widgets: whose view, of what, by which method and layer; None where there is nothing to explain."""
    entries = checkpoints.entries()
    names = [entry.name for entry in entries if entry.is_runnable]
    asked = st.query_params.get("checkpoint", "")
    if asked in [entry.name for entry in entries if not entry.is_runnable]:
        st.warning(plain(checkpoints.why_not_runnable(asked)), icon=":material/warning:")
    if not names or source is None:
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        first = choose_model("Model", names, "checkpoint", width=330)
        others = [NOTHING, *(name for name in names if name != first)]
        second = choose_model("Compare with", others, "beside", width=330)
        target = st.selectbox("Explain", (ANSWER, *NAMES), key="target", bind="query-params", width=170)
        other = st.selectbox("and not", (NOTHING, *NAMES), key="other", bind="query-params", width=170)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        methods = st.pills(
            "Methods", list(CHOICES), selection_mode="multi", default=[OWN], key="methods", bind="query-params",
            help="Its own is what was measured to point best for this kind of network",
        )  # fmt: skip
        layer = _layer(first)
        check = st.toggle("Check the maps", key="check", bind="query-params", help=_CHECK)
        features = st.toggle(
            "Feature maps", key="features", bind="query-params", help="What the channels of the layer respond to"
        )
    return {
        "checkpoints": [each for each in (first, second) if each != NOTHING], "target": _labels(target),
        "other": _labels(other), "methods": [CHOICES[each] for each in methods] or [""], "layer": layer,
        "check": check, "features": features,
    }  # fmt: skip


def _layer(checkpoint: str) -> str:
    """Layers are known once the first map came; until then the default is taken."""
    known = st.session_state.get(f"layers-{checkpoint}", [])
    layer = st.selectbox("Layer", [_DEFAULT, *known], key=f"layer-{checkpoint}", width=170)
    return "" if layer == _DEFAULT else layer


def _labels(target: str) -> str | list[str]:
    """An emotion, the emotions of a group, or nothing."""
    if target in (ANSWER, NOTHING):
        return ""
    if not target.endswith(_GROUP):
        return target
    return [name for name in EMOTIONS if DEFAULT_GROUP_MAP[name] == target.removesuffix(_GROUP)]


def maps_view(source: explained.Source, wanted: Wanted) -> None:
    """Ask, wait a moment, and draw."""
    key = explained.ask([source], _asks(wanted))
    done = explained.wait(key, seconds=WAIT_S)
    active = done["state"] in jobs.ACTIVE
    st.fragment(_answer, run_every=0.5 if active else None)(key, wanted, active)


def _asks(wanted: Wanted) -> list[explained.Ask]:
    asks = []
    for checkpoint in wanted["checkpoints"]:
        for i, method in enumerate(wanted["methods"]):
            how = {"method": method, "layer": wanted["layer"] if checkpoint == wanted["checkpoints"][0] else ""}
            first = explained.make_ask(
                checkpoint, wanted["target"], **how, sanity=wanted["check"], features=wanted["features"] and not i
            )
            asks.append(first)
            if wanted["other"]:
                asks.append(explained.make_ask(checkpoint, wanted["other"], **how, sanity=wanted["check"]))
                asks.append(explained.make_ask(checkpoint, wanted["target"], other=wanted["other"], **how))
    return asks


@show_errors()  # which the page does not do when only this runs again
def _answer(key: str, wanted: Wanted, was_active: bool) -> None:
    done = explained.answer(key)
    if not is_there(done, "Explaining. The first time after a start can take half a minute.", was_active=was_active):
        if (before := st.session_state.get(_SHOWN)) and done["state"] in jobs.ACTIVE:
            st.caption("Until then, what was asked before:")
            _draw(*before)
        return
    (source,) = done["sources"]
    st.session_state[_SHOWN] = source, 3 if wanted["other"] else 1
    _draw(*st.session_state[_SHOWN])
    _remember_layers(source["answers"])


def _draw(source: dict[str, Any], per_row: int) -> None:
    """The maps of a face, with the probabilities behind each."""
    if source.get("n_faces", 1) > 1:
        st.caption(f"{source['n_faces']} faces were found; this is the one whose number is chosen, 1 is the largest.")
    answers = source["answers"]
    for start in range(0, len(answers), per_row):
        _row(source["crop"], answers[start : start + per_row])
    st.caption(
        "Bright places speak for the emotion; in a difference, orange speaks for the one and blue for the other. Each "
        "map is scaled to itself. It shows where the network looks, not whether it is right."
    )


def _remember_layers(answers: Sequence[dict[str, Any]]) -> None:
    """Offer the layers that the networks have."""
    for cell in answers:
        key = f"layers-{cell['checkpoint']}"
        if st.session_state.get(key) != cell["layers"]:
            st.session_state[key] = cell["layers"]
            st.rerun()


def _row(crop: str, cells: Sequence[dict[str, Any]]) -> None:
    first = cells[0]
    answer = first["answer"]
    st.markdown(
        f"**{plain(first['checkpoint'])}**, {plain(in_words(first['method'], first['layer'] or 'its own layer'))}: "
        f"answered **{answer}** ({first['scores'][answer]:.0%} sure)"
    )
    if doubt := checkpoints.heat_doubt(first["checkpoint"]):
        st.caption(plain(doubt))
    with st.container(horizontal=True):
        _figure(crop, "the face", failed=False)
        _scores(first["scores"])
        for cell in cells:
            _figure(cell["picture"], _title(cell), failed=any(map(_failed, cells if cell["other"] else [cell])))
    for place, cell in enumerate(cells):
        if cell.get("sanity"):
            _sanity(cell, place)
    if first.get("sheet"):
        channels, height, width = first["sheet_shape"]
        st.image(
            f"data:image/png;base64,{first['sheet']}", width=480, alt="What the layer's channels show",
            caption=f"The strongest of {channels} channels of the layer, {height} × {width} cells each",
        )  # fmt: skip


def _scores(scores: Mapping[str, float]) -> None:
    """Every probability as a bar."""
    rows = "".join(
        f'<div style="display:flex;align-items:center;gap:.4rem;height:25px">'
        f'<span style="width:4.2rem">{name}</span><span style="flex:1;height:9px;border:1px solid #8885">'
        f'<span style="display:block;height:100%;width:{100 * share:.1f}%;background:{EMOTION_COLOURS[name]}">'
        "</span></span>"
        f'<span style="width:2.9rem;text-align:right">{share:.0%}</span></div>'
        for name, share in scores.items()
    )
    st.html(f'<div style="width:230px;font-size:.85rem">{rows}</div>', width=230)


def _failed(cell: dict[str, Any]) -> bool:
    return bool(cell["is_empty"] or (cell.get("sanity") and not cell["sanity"]["passed"]))


def _name(target: str | Sequence[str]) -> str:
    """An emotion, or the group whose emotions these are."""
    if isinstance(target, str):
        return target
    group = {DEFAULT_GROUP_MAP.get(name) for name in target}
    return f"{group.pop()} ({', '.join(target)})" if len(group) == 1 else " or ".join(target)


def _title(cell: dict[str, Any]) -> str:
    if cell["other"]:
        return f"for {_name(cell['explained'])}, not {_name(cell['other'])}"
    return f"for {_name(cell['explained'])}" + (": the map is empty" if cell["is_empty"] else "")


def _figure(picture: str, title: str, *, failed: bool) -> None:
    """A picture; greyed out where its map failed."""
    style = "filter:grayscale(1);opacity:.35;" if failed else ""
    said = "<br>⚠ failed its check" if failed else ""
    st.html(
        f'<figure style="margin:0;width:200px"><img alt="{title}" width="200" height="200" '
        f'style="border-radius:.5rem;{style}" src="data:image/png;base64,{picture}">'
        f'<figcaption style="font-size:.8rem;line-height:1.3;opacity:.85">{title}{said}</figcaption></figure>',
        width=200,
    )  # fmt: skip


def _sanity(cell: dict[str, Any], place: int) -> None:
    """The verdict in words, and the curves behind it; ``place`` in its row, whose cells may explain the same."""
    checked = cell["sanity"]
    title = f"Check of the map for {_name(cell['explained'])}: {'passed' if checked['passed'] else 'failed'}"
    with st.expander(
        title,
        icon=":material/check_circle:" if checked["passed"] else ":material/warning:",
    ):
        st.markdown("It passes." if checked["passed"] else " ".join(plain(each) for each in checked["reasons"]))
        st.caption(
            "Deletion covers the places that the map names first: the sooner the probability falls, the smaller the "
            "area. Insertion shows them first: the sooner it rises, the larger the area. Gain is insertion minus "
            "deletion; a map that knows something has more of it than random orders."
        )
        st.dataframe(checked["figures"], hide_index=True)
        chart = figure(
            height=260,
            xaxis={"title": "share of the face covered or shown", "tickformat": ".0%"},
            yaxis={"title": "probability", "range": [0, 1]},
        )
        for name, colour, dash in (
            ("deletion", SECOND, "solid"),
            ("insertion", FIRST, "solid"),
            ("random deletion", QUIET, "dot"),
            ("random insertion", QUIET, "dash"),
        ):
            chart.add_scatter(
                x=checked["shares"],
                y=checked["curves"][name],
                name=name,
                line={"color": colour, "dash": dash, "width": 2},
            )
        st.plotly_chart(chart, key=f"check-{cell['checkpoint']}-{cell['method']}-{place}")
