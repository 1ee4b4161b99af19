"""The features of all pictures as a map: seven classes beside three groups, with figures that say what it is worth."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import numpy as np
import streamlit as st

from dashboard.addresses import REVIEW
from dashboard.components.frame import interruption, moment_address, plain
from dashboard.components.scatter import Picked, Trail, scatter
from dashboard.models.model.colourings import NAMES, card_lines, colouring
from dashboard.models.model.faces import ERRORS
from dashboard.models.model.header import choose_face, group_map, select, select_errors
from dashboard.services import datasets, jobs, kinds, maps, paths, selections
from dashboard.services.evaluations import Question, evaluation, outcomes
from fer_core.evaluation import Outcomes, Selection

METHODS = {"UMAP": "umap", "t-SNE": "tsne", "PCA": "pca"}
MANY = 15_000
NOTHING = "nothing"


def map_view(question: Question, found: Outcomes, selection: Selection, against: Question | None) -> None:
    """Choose a projection, make it in the background, and draw it."""
    is_number = st.query_params.get("seed", "0").isdecimal()  # the widget itself would fail at infinity
    with st.container(horizontal=True, vertical_alignment="bottom"):
        method = st.segmented_control(
            "Projection", list(METHODS), key="projection", bind="query-params", required=True, default="UMAP",
        )  # fmt: skip
        dimensions = st.segmented_control(
            "Dimensions", [2, 3], key="dimensions", bind="query-params", required=True, default=2
        )
        seed = st.number_input("Seed", 0, 9999, 0, key="seed", bind="query-params" if is_number else None, width=110)
        names = NAMES if against else NAMES[:-1]
        left = st.selectbox("Colours", names, key="colour", bind="query-params", width=190)
        right = st.selectbox("Beside", [NOTHING, *names], index=2, key="beside", bind="query-params", width=190)
        video = _choose_video(question.checkpoint)
    method, dimensions = METHODS[method or "UMAP"], dimensions or 2  # an address may have empty ones
    key = maps.key_of(found.evaluation, method, dimensions, int(seed))
    if maps.found(key) is None:
        _make(question, key, method, dimensions, int(seed))
    else:
        _draw(
            question,
            found,
            selection,
            key,
            [name for name in (left, right) if name != NOTHING],
            video,
            outcomes(against) if against else None,
        )


def _choose_video(checkpoint: str) -> tuple[str, int] | None:
    videos: dict[tuple[str, int] | None, str] = {None: "none"}
    for video, name in paths.videos_seen_by(checkpoint).items():
        videos[video] = name
    return st.selectbox(
        "Path of a video", list(videos), format_func=videos.__getitem__, width=220, key="path",
        help="The faces of a person in a video analysed with this checkpoint, each among its nearest pictures",
    )  # fmt: skip


def _make(question: Question, key: str, method: str, dimensions: int, seed: int) -> None:
    job = jobs.of_target(key, kinds.MAP.name)
    if job is not None and job.state in jobs.ACTIVE:
        st.fragment(_progress, run_every=1.0)(job.id)
        return
    if job is not None and job.state == "failed":
        st.error(plain(job.error), icon=":material/error:")
    many = method == "tsne" and len(evaluation(question.checkpoint, question.table)) > MANY
    takes = "some minutes, in three dimensions ten or more" if many else "about a minute"
    st.info(f"This map is not made yet. It takes {takes}, in the background, and is then kept.")
    if st.button("Make the map", type="primary", icon=":material/scatter_plot:"):
        maps.ask(question.checkpoint, question.table, method, dimensions, seed)
        st.rerun()


def _progress(job_id: str) -> None:
    job = jobs.get(job_id)
    if job is None or job.state not in jobs.ACTIVE:
        st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        words = ", ".join([job.stage or "waiting", f"{job.share:.0%}", *interruption(job)])
        st.progress(job.share, text=words, width="stretch")
        if st.button("Cancel", icon=":material/stop:", disabled=job.cancel):
            jobs.cancel(job.id)


def _draw(
    question: Question,
    found: Outcomes,
    selection: Selection,
    key: str,
    names: list[str],
    video: tuple[str, int] | None,
    other: Outcomes | None,
) -> None:
    made = maps.found(key)
    assert made is not None
    colourings = [colouring(name, found, other, group_map()) for name in names]
    track = paths.video_path(video, question.checkpoint, found.evaluation, made) if video else None
    mask, n = selection.mask(found, group_map()), len(found.evaluation.ids)
    spread = np.zeros(n, bool)
    spread[found.rows[mask]] = True
    face = np.flatnonzero(found.evaluation.ids == st.query_params.get("face", ""))
    picked = scatter(
        f"map-{key}", positions=f"/api/map/{key}", n=n, dimensions=made.dimensions, colourings=colourings,
        panels=tuple(range(len(colourings))), selected=None if selection == ERRORS or mask.all() else spread,
        chosen=int(face[0]) if len(face) else None, pictures=_pictures(question), hover=card_lines(found),
        path=_trail(track, len(colourings)) if track else None,
    )  # fmt: skip
    if track is not None:
        _warn(track)
    _figures(made.quality)
    _follow(picked, found, track, video)


def _pictures(question: Question) -> str | None:
    if datasets.why_no_pictures(question.dataset, question.split):
        return None
    return f"/api/faces/{quote(question.checkpoint, safe='')}/{quote(question.table, safe='')}/{{row}}"


def _trail(track: paths.VideoPath, n: int) -> Trail:
    return Trail(track.name, track.positions, track.times_s, track.far, (None,) * n)


def _warn(track: paths.VideoPath) -> None:
    far = float(track.far.mean())
    said = (
        f"{track.name}: {len(track.far)} faces, each at the weighted mean of its ten nearest pictures. "
        f"{far:.0%} lie farther from the training pictures than 99 % of those do (hollow): their place means little."
    )
    (st.warning if far > 0.1 else st.caption)(plain(said))


def _figures(quality: Mapping[str, float]) -> None:
    """What the picture is worth, as numbers beside it."""

    def shown(*names: str) -> list[str]:
        return ["–" if (value := quality.get(name, float("nan"))) != value else f"{value:.3f}" for name in names]

    st.dataframe(
        {
            "": ["7 classes", "3 groups"],
            **{
                f"{title}, {where}": shown(*(f"{measure}_{classes}_{key}" for classes in ("emotions", "groups")))
                for measure, title in (("silhouette", "Silhouette"), ("purity", "15-NN purity"))
                for key, where in (("space", "all features"), ("map", "on the map"))
            },
            "Purity by chance": shown("chance_emotions", "chance_groups"),
        },
        hide_index=True,
    )
    trust, stable = shown("trustworthiness", "stability")
    st.caption(
        f"**Trustworthiness {trust}**: are neighbours on the map neighbours in the features (1 is best; Venna & Kaski "
        f"2001). **Stability {stable}**: share of a face's 15 nearest on the map that stay with another seed. "
        "Silhouette, from -1 to 1: how much nearer a face lies to its own class than to the next. Purity: share of the "
        "15 nearest faces with the same label. Distances between far groups on UMAP and t-SNE maps mean nothing."
    )


def _follow(picked: Picked, found: Outcomes, track: paths.VideoPath | None, video: tuple[str, int] | None) -> None:
    """A lasso becomes the selection, a point the face that is looked at, a point of the path a moment in Review."""
    ids = found.evaluation.ids
    if picked.rows is not None:
        if not picked.rows:
            select_errors()
        select(set=selections.keep(str(ids[row]) for row in picked.rows))
    if picked.point is not None:
        choose_face(str(ids[picked.point]))
    if picked.path_point is not None and track is not None and video is not None:
        moment = float(track.times_s[picked.path_point])
        st.switch_page(REVIEW, query_params=moment_address(video[0], moment, video[1]))
