"""The report of an analysis."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fer_core.emotions import PRIORS, groups_of
from fer_core.errors import InputError
from fer_core.report import FRAMES
from fer_core.report.charts import around_svg, bar
from fer_core.report.html import ReportPage, code, percent
from fer_core.report.key_frames import Reported, clock, key_frames
from fer_core.report.methods import NOT_CLAIMED, card_of, limit_in_words, methods
from fer_core.report.notice import kept_notice
from fer_core.video.edits import left_out
from fer_core.video.figure import timeline_svg
from fer_core.video.modes import MODES
from fer_core.video.plan import deviations, kept_plan, plan_of
from fer_core.video.reasons import LIMITS, REASONS
from fer_core.video.statistics import around
from fer_core.video.store import Analysis
from fer_core.video.timeline import frame_steps, people_summary, score_columns, segments
from fer_core.video.view import Lens, choices, edited, prior_in_words, view

MAX_PEOPLE, MAX_SEGMENTS, MAX_MARKS, MAX_COURSES = 12, 300, 200, 6
AROUND_S = 2.0
_FLAGS = {
    "ended_early": "The file ends early.", "interlaced": "The recording is interlaced.",
    "variable_rate": "The rate varies.",
}  # fmt: skip


def analysis_report(
    analysis: Analysis, lens: Lens = Lens(), *, frames: str = FRAMES[0], video: Path | None = None
) -> bytes:
    """The report as one HTML file that needs nothing else; the same input gives the same bytes.

    Args:
        analysis: a stored analysis, with its edits.
        lens: smoothing, and whose scores.
        frames: key frames with faces ``blurred``, ``plain``, or ``none`` at all.
        video: where the video is; None takes the one that is kept with the analysis.

    Raises:
        InputError: another choice of frames, an impossible lens, or another video than the one that was analysed.
        StoreError: the analysis is damaged.
    """
    if frames not in FRAMES:
        raise InputError(f"Key frames are {frames!r}; expected one of {', '.join(FRAMES)}.")
    if lens.model and lens.model not in choices(analysis):
        raise InputError(f"There are no scores of {lens.model!r} here; expected one of {', '.join(choices(analysis))}.")
    shown = Reported(analysis, lens, view(analysis, lens))
    page = ReportPage(f"Report: {analysis.name}")
    _head(page, shown)
    key_frames(page, shown, frames, video)
    for add in (_timelines, _people, _trust, _segments, _marks, _settings, _time_check, _models, _methods, _origin):
        add(page, shown)
    return page.to_bytes()


def _head(page: ReportPage, shown: Reported) -> None:
    analysis, record = shown.analysis, shown.analysis.record
    source, check = record["source"], record["time_check"]
    page.heading("Facial expressions in " + analysis.name, 1)
    where = f"{source['width']} × {source['height']} px"
    if not source["is_picture"]:
        where += f", {source['duration_s']:.2f} s, {source['mean_fps']:.4g} frames/s"
    page.say(f"{source['name']}: {where}. Analysed on {record['created'][:10]}.", "small")
    for message in record.get("messages", ()):
        page.say(message, "note")
    seen, n = check["frames_with_faces"], max(check["frames_analysed"], 1)
    page.facts(
        {
            "People": len(shown.people),
            "Frames with a face": f"{percent(seen / n)} of {n:,} analysed",
            "Scores of": shown.lens.model or analysis.models[0],
            "How": f"{prior_in_words(analysis, shown.lens.model)}; {_smoothing(shown.lens)}",
            "Told and agreed": _agreed(analysis),
        },
        "In short",
    )
    page.heading("What is not claimed", 3)
    page.items(NOT_CLAIMED)


def _smoothing(lens: Lens) -> str:
    return f"smoothed over {lens.smoothing_s:g} s" if lens.smoothing_s else "not smoothed"


def _agreed(analysis: Analysis) -> str:
    said, notice = analysis.agreed, kept_notice(analysis)
    told = "not recorded" if said is None else f"{said['date']} {said['note']}".strip()
    return f"{told}; the notice is kept with the analysis" if notice else told


# results


def _timelines(page: ReportPage, shown: Reported) -> None:
    analysis = shown.analysis
    if analysis.record["source"]["is_picture"] or not shown.people:
        return
    page.heading("Timelines")
    raw, (times, lasts) = edited(analysis, shown.lens.model), frame_steps(shown.table)
    if len(times) < 2:
        page.say("A single frame has no course over time.")
        return
    for track in shown.people[:MAX_PEOPLE]:
        drawing = timeline_svg(
            raw, track=track, name=shown.name_of(track), start_s=float(times[0]), end_s=float(times[-1] + lasts[-1]),
            marks=analysis.state.marks, width=920, smoothing_s=shown.lens.smoothing_s,
            group_map=analysis.state.groups, prior=prior_in_words(analysis, shown.lens.model),
        )  # fmt: skip
        page.figure(drawing.replace('"unseen"', f'"unseen-{track}"').replace("#unseen", f"#unseen-{track}"))
    if len(shown.people) > MAX_PEOPLE:
        page.say(f"{len(shown.people) - MAX_PEOPLE} people who are seen for a shorter time are in the tables alone.")


def _people(page: ReportPage, shown: Reported) -> None:
    page.heading("People")
    found = people_summary(shown.table)
    if not found:
        page.say("No face was found.")
        return
    emotions = [name.removeprefix("p_") for name in score_columns(shown.table)]
    emotions = [name for name in emotions if any(name in each["emotion_share"] for each in found)]
    groups = [g for g in groups_of(shown.analysis.state.groups) if any(g in each["group_share"] for each in found)]
    names = [f"group: {name}" for name in groups]
    page.table(
        ["person", "seen (s)", *emotions, *names, "changes", "longest"],
        [
            [
                shown.name_of(each["track"]),
                f"{each['seen_s']:.2f}",
                *(percent(each["emotion_share"].get(name, 0.0)) for name in emotions),
                *(percent(each["group_share"].get(name, 0.0)) for name in groups),
                each["changes"],
                f"{each['longest']['emotion']}, {each['longest']['duration_s']:.2f} s",
            ]
            for each in found
        ],
        "Share of the time seen in which an expression, or a group, is the most probable",
    )
    if gone := [shown.analysis.state.name_of(track) for track in left_out(shown.analysis.state)]:
        page.say(f"Left out by hand: {', '.join(gone)}.", "note")


def _trust(page: ReportPage, shown: Reported) -> None:
    seen = shown.table[shown.table["track"] >= 0]
    if seen.empty:
        return
    page.heading("How far to trust it")
    times, lasts = frame_steps(shown.table)
    weight = lasts[np.searchsorted(times, seen["time_s"].to_numpy(float))]
    weight = weight if weight.sum() > 0 else np.ones(len(seen))
    limits = shown.analysis.state.limits
    usable = float(weight[seen["usable"].to_numpy(bool)].sum() / weight.sum())
    page.say(f"{percent(usable)} of the time in which somebody is seen is usable: no reason to doubt holds.")
    page.table(
        ["reason", "what it means", "from where on", "share of the time seen"],
        [
            [
                reason.title,
                reason.text,
                "; ".join(
                    told.partition(": ")[2]
                    for limit in reason.limits
                    if (told := limit_in_words(limit.name, getattr(limits, limit.name)))
                )
                or "off",
                bar(float(weight[seen[f"why_{reason.code}"].to_numpy(bool)].sum() / weight.sum())),
            ]
            for reason in REASONS
        ],
    )


def _segments(page: ReportPage, shown: Reported) -> None:
    if shown.analysis.record["source"]["is_picture"]:
        return
    found = segments(shown.table)
    if found.empty:
        return
    page.heading("Segments")
    page.table(
        ["person", "from", "to", "seconds", "expression", "group", "mean probability"],
        [
            [
                shown.name_of(int(row.track)), clock(row.start_s), clock(row.end_s), f"{row.duration_s:.2f}",
                row.emotion, row.group, "> 0.99" if row.confidence > 0.99 else f"{row.confidence:.2f}",
            ]
            for row in found.head(MAX_SEGMENTS).itertuples()
        ],
        "Stretches in which a person keeps one expression",
    )  # fmt: skip
    if len(found) > MAX_SEGMENTS:
        page.say(f"The first {MAX_SEGMENTS} of {len(found):,}; all of them are in the tables.", "small")


def _marks(page: ReportPage, shown: Reported) -> None:
    marks = shown.analysis.state.marks
    if not marks:
        return
    page.heading("Marks")
    page.table(
        ["mark", "from", "to", "person"],
        [
            [
                mark.label, clock(mark.start_s), "" if mark.end_s is None else clock(mark.end_s),
                "all" if mark.track is None else shown.name_of(mark.track),
            ]
            for mark in marks[:MAX_MARKS]
        ],
    )  # fmt: skip
    if len(marks) > MAX_MARKS:
        page.say(f"The first {MAX_MARKS} of {len(marks):,}.", "small")
    labels = list(dict.fromkeys(mark.label for mark in marks))
    for label in labels[:MAX_COURSES]:
        own = [mark for mark in marks if mark.label == label]
        track = next((mark.track for mark in own if mark.track is not None), None)
        track = track if track in shown.people else next(iter(shown.people), None)
        if track is None:
            return
        course = around(
            shown.table, [mark.start_s for mark in own], track=track, before_s=AROUND_S, after_s=AROUND_S, step_s=0.1
        )
        n = len(own)
        title = f"{shown.name_of(track)}, mean around “{label}” ({n} mark{'' if n == 1 else 's'})"
        page.figure(
            around_svg(course, title), f"{title}: probabilities from {AROUND_S:g} s before to {AROUND_S:g} s after."
        )
    if len(labels) > MAX_COURSES:
        page.say(f"Means around {len(labels) - MAX_COURSES} other labels are in Review.", "small")


# how it came about


def _settings(page: ReportPage, shown: Reported) -> None:
    analysis, lens = shown.analysis, shown.lens
    plan_now = plan_of(analysis, lens.smoothing_s, lens.model)
    settings = plan_now.analysis
    page.heading("Settings")
    rate = settings.per_second
    page.facts(
        {
            "Detector": settings.detector,
            "Smallest face": f"{settings.min_face_px} px",
            "Mode": f"{settings.mode}: {MODES.get(settings.mode, '')}",
            "Frames per second": "as many as the mode takes" if rate is None else f"{rate:g}",
            "Clip range": f"{settings.start_s:g} s to {_end(settings.end_s)}",
            "People by their faces": "yes" if settings.identity else "no",
            "How common emotions are": PRIORS[analysis.prior],
            "Smoothing": _smoothing(lens),
            "Groups": "; ".join(f"{emotion}: {group}" for emotion, group in analysis.state.groups.items()),
            "Limits": "; ".join(
                told for name in LIMITS if (told := limit_in_words(name, getattr(analysis.state.limits, name)))
            ),
            "Edits": _edits(analysis),
            "Hash of all settings": code(plan_now.sha256),
        }
    )
    plan = kept_plan(analysis)
    if plan is None:
        page.say("It was made without a plan.")
        return
    found = deviations(analysis, plan, lens)
    named = f" “{plan.title}”" if plan.title else ""
    page.say(f"Plan{named}, hash {plan.sha256}: {'not as planned:' if found else 'followed.'}")
    if found:
        page.items(found)


def _end(end_s: float | None) -> str:
    return "the end" if end_s is None else f"{end_s:g} s"


def _edits(analysis: Analysis) -> str:
    done = [str(edit["do"]) for edit in analysis.edits.done]
    return ", ".join(f"{do} ({done.count(do)})" for do in dict.fromkeys(done)) or "none"


def _time_check(page: ReportPage, shown: Reported) -> None:
    if shown.analysis.record["source"]["is_picture"]:
        return
    check = shown.analysis.record["time_check"]
    page.heading("Time check")
    page.facts(
        {
            "Frames": f"{check['frames_decoded']:,} read, {check['frames_analysed']:,} analysed, "
            f"{check['frames_dropped']:,} dropped, {check.get('frames_corrupt', 0):,} corrupt",
            "From – to": f"{check['first_s']:.3f} s – {check['last_s']:.3f} s",
            "Between frames": "–"
            if check.get("shortest_step_s") is None
            else f"{check['shortest_step_s']:.4f} to {check['longest_step_s']:.4f} s",
            "Error of counting frames instead": f"{check['drift_s']:.4f} s at most",
            "Unusual": " ".join(text for key, text in _FLAGS.items() if check.get(key)) or "nothing",
        }
    )


def _models(page: ReportPage, shown: Reported) -> None:
    page.heading("Models")
    for checkpoint in shown.analysis.checkpoints:
        card = card_of(checkpoint)
        name = str(checkpoint["name"])
        page.heading(name if card is None else f"{card.title or name}", 3)
        facts: dict[str, Any] = {"Folder": name, "Weights": code(str(checkpoint.get("sha256") or "unknown"))}
        if card is None:
            page.facts(facts | {"Card": "not here, or of other weights"})
            continue
        figures, trained = card.headline, card.data
        facts |= {
            "Network": f"{card.network}, {card.n_params:,} parameters",
            "Trained on": f"{trained.get('dataset', '?')} {trained.get('train', '')}, "
            f"labels {trained.get('labels', '?')}",
            "Recipe": f"{card.recipe}, seed {card.seed}, {card.date}",
        }
        if figures:
            facts["Measured on"] = (
                f"{figures.get('data')} {figures.get('split')}, {figures.get('labels')}, n = {figures.get('n')}"
            )
            facts |= {
                words: percent(figures.get(key))
                for key, words in (
                    ("accuracy", "Accuracy"), ("macro_recall", "Macro recall"),
                    ("groups_accuracy", "Accuracy, three groups"), ("ece", "Calibration error (ECE)"),
                )
            }  # fmt: skip
            recalls = figures.get("recalls")
            if isinstance(recalls, Mapping):
                facts["Recall of each"] = ", ".join(f"{each} {percent(value, 0)}" for each, value in recalls.items())
        page.facts(facts)
        page.items(card.notes)


def _methods(page: ReportPage, shown: Reported) -> None:
    told = methods(shown.analysis, shown.lens)
    page.heading("Methods, for a paper")
    page.say(told.text)
    page.heading("References", 3)
    page.items(told.references)
    page.heading("The same for BibTeX", 3)
    page.text(told.bibtex)


def _origin(page: ReportPage, shown: Reported) -> None:
    record = shown.analysis.record
    page.heading("Versions and hashes")
    page.facts(
        {
            "Video, SHA-256": code(str(record["source"].get("sha256", "unknown"))),
            "Video, bytes": record["source"].get("size"),
            "Device": record.get("device", "?"),
            "Computed by": record["checkpoint"].get("runtime", "?"),
            "Versions": ", ".join(f"{name} {version}" for name, version in record.get("versions", {}).items()),
            "Edits": shown.analysis.revision,
        }
    )


__all__ = ["analysis_report"]
