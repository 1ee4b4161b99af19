"""How something was measured, in the words that the methods of a paper need, written from what was set.

Nothing is said that is not in the analysis, its edits, the card of its network or the code that made it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import fer_core
from fer_core.emotions import HALFWAY, PRIORS, Prior
from fer_core.errors import CheckpointError, FerError
from fer_core.evaluation import outcomes, read_evaluation, report
from fer_core.faces.detectors import DETECTORS
from fer_core.models.card import Card, read_card
from fer_core.models.folders import find_checkpoint, with_weights
from fer_core.report.html import percent
from fer_core.report.references import OF_ARCHITECTURE, OF_DETECTOR, REFERENCES, bibtex, cited
from fer_core.video.plan import deviations, kept_plan, plan_of
from fer_core.video.reasons import LIMITS
from fer_core.video.store import Analysis
from fer_core.video.view import MEAN, Lens, priors_in_force

NOT_CLAIMED = (
    "Scores describe how observers label a face that looks like this. They are no measure of what the person felt, "
    "thought or intended.",
    "The networks that come with the workbench learned from pictures of the web of 2013, with few older people, few "
    "children and an uneven mix of skin tones and cultures. Their accuracy for the people in this recording, and "
    "for each "
    "of these groups, was not measured.",
    "A probability is calibrated on such pictures; on another camera, light or population it may be off, and "
    "whether it "
    "is was not checked here.",
)
_LABELS = {
    "own": "the labels of its authors", "fer2013": "the labels of its authors",
    "ferplus": "the votes of ten people for each picture",
}  # fmt: skip
_JUDGED = {
    "ferplus7": "for which one of seven emotions got more of ten people's votes than any other category",
    "fer2013": "by the labels of its authors",
    "ferplus8_majority": "for which more than half of ten people chose one of eight emotions",
    "ferplus8_argmax": "for which one of eight emotions got the most of ten people's votes",
}
_STEPS = {
    "merge": "two people were merged",
    "split": "one person was split",
    "exclude": "a span or person was excluded",
}


@dataclass(frozen=True)
class Methods:
    """A paragraph, and the keys of what it refers to (``fer_core.report.references``)."""

    text: str
    keys: tuple[str, ...]

    @property
    def references(self) -> list[str]:
        """As a list of references, by author."""
        return [each.whole for each in cited(self.keys)]

    @property
    def bibtex(self) -> str:
        """The same for BibTeX."""
        return bibtex(self.keys)


class _Citing:
    """Remembers what was referred to."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def __call__(self, *keys: str | None) -> str:
        """``(Zhang et al., 2016)`` with a space before it; empty without a key."""
        found = [key for key in keys if key]
        self.keys += found
        return f" ({'; '.join(REFERENCES[key].short for key in found)})" if found else ""


def card_of(checkpoint: Mapping[str, Any]) -> Card | None:
    """The card of a checkpoint that an analysis names, where one with the same weights is here."""
    folder = with_weights(str(checkpoint["name"]), checkpoint.get("sha256"))
    try:
        return None if folder is None else read_card(folder / "card.json")
    except CheckpointError:
        return None


def methods(analysis: Analysis, lens: Lens = Lens()) -> Methods:
    """How the figures of an analysis, as it is seen through ``lens``, came about."""
    cite = _Citing()
    sentences = [
        *_recording(analysis),
        *_faces(analysis, cite),
        *_networks(analysis, lens, cite),
        *_scores(analysis, lens, cite),
        *_excluded(analysis),
        *_times(analysis),
        *_planned(analysis, lens),
        f"Scores describe facial configurations as observers label them, not felt emotion{cite('barrett2019')}.",
    ]
    return Methods(" ".join(sentences), tuple(dict.fromkeys(cite.keys)))


def _recording(analysis: Analysis) -> Iterator[str]:
    record = analysis.record
    source, check, settings = record["source"], record["time_check"], plan_of(analysis).analysis
    version = record.get("versions", {}).get("fer-workbench")
    written = f"(version of the analysis not recorded; report written by version {fer_core.__version__})"
    with_what = f"FER workbench {version or written}"
    size = f"{source['width']} × {source['height']} px"
    if source["is_picture"]:
        yield f"Facial expressions were measured with {with_what} in a picture of {size}."
        return
    yield (
        f"Facial expressions were measured with {with_what} in a recording of {size}, {source['mean_fps']:.4g} "
        f"frames/s and {source['duration_s']:.2f} s."
    )
    rate = settings.rate
    end_s = settings.end_s
    part = "" if not settings.start_s and end_s is None else (
        f" from {settings.start_s:g} s to {'its end' if end_s is None else f'{end_s:g} s'}"
    )  # fmt: skip
    n, seen = check["frames_analysed"], check["frames_with_faces"]
    which = f"{n:,} frames{part} ({rate:g} a second)" if rate else f"All {n:,} frames{part}"
    yield f"{which} were analysed; a face was detected in {seen:,} ({percent(seen / max(n, 1))})."


def _faces(analysis: Analysis, cite: _Citing) -> Iterator[str]:
    settings = plan_of(analysis).analysis
    kind = DETECTORS.get(settings.detector)
    found = f"{kind.title if kind else settings.detector}{cite(OF_DETECTOR.get(settings.detector))}"
    how = ""
    if not analysis.record["source"]["is_picture"]:
        how = {
            "fast": ", run in full at least every 0.5 s or 15 frames and at every detected cut; in the frames "
            "between, boxes "
            "were predicted from their neighbours and judged again by the detector, in every other frame of a "
            "slow face by "
            "its first look alone",
            "exact": ", looking anew in every frame",
        }.get(settings.mode, "")
    yield f"Faces with a shorter side of at least {settings.min_face_px} px were found by {found}{how}."
    if not analysis.record["source"]["is_picture"]:
        same = (
            f"and joined into people by descriptors of their faces (dlib{cite('king2009')})"
            if settings.identity
            else "without face recognition; whoever left the picture and returned may therefore be counted twice"
        )
        yield f"They were tracked by position and appearance, {same}."


def _networks(analysis: Analysis, lens: Lens, cite: _Citing) -> Iterator[str]:
    names = list(analysis.models) if lens.model == MEAN else [lens.model or analysis.models[0]]
    if lens.model == MEAN:
        yield (
            f"The probabilities of {len(names)} networks were adjusted separately, as described below, and then "
            f"averaged."
        )
    for checkpoint in analysis.checkpoints:
        if checkpoint["name"] in names:
            yield from _network(analysis, checkpoint, cite)


def _network(analysis: Analysis, checkpoint: Mapping[str, Any], cite: _Citing) -> Iterator[str]:
    name, sha256, card = checkpoint["name"], str(checkpoint.get("sha256") or ""), card_of(checkpoint)
    weights = f"weights SHA-256 {sha256[:16]}…" if sha256 else "weights of unknown hash"
    if card is None:
        yield f"Expressions were scored by the network {name} ({weights}), whose card is not here."
        return
    parameters = f"; {card.n_params / 1e6:.1f} million parameters" if card.n_params else ""
    after = cite(OF_ARCHITECTURE.get(card.architecture)).replace("(", "after ", 1).removesuffix(")")
    side, colour = card.input.size, "in grey" if card.input.channels == 1 else "in colour"
    part = f"the middle of which, {side} × {side} px, was scored" if card.input.field < 1 else "which was scored"
    yield (
        f"Each face was rotated and scaled by its landmarks and cut to {card.crop.size} × {card.crop.size} px "
        f"{colour}, "
        f"{part} in a single view by “{card.title or name}” ({name}, {card.network}{after}{parameters}; {weights})."
    )
    yield from _training(card, cite)
    yield from _how_good(analysis, name, card)


def _training(card: Card, cite: _Citing) -> Iterator[str]:
    data = card.data
    if not data.get("dataset"):
        return
    is_fer2013 = data["dataset"] == "fer2013"
    pictures = f"FER2013{cite('goodfellow2013')}" if is_fer2013 else f"{data['dataset']}"
    targets = [str(each) for each in data.get("targets", [])] or [str(data.get("labels", ""))]
    taught = list(
        dict.fromkeys(_LABELS.get("ferplus" if each.startswith("ferplus") else each, each) for each in targets)
    )
    if is_fer2013 and any(each.startswith("ferplus") for each in targets):
        taught = [f"{each}{cite('barsoum2016')}" if each == _LABELS["ferplus"] else each for each in taught]
    told = f" with {' and '.join(taught)}" if any(taught) else ""
    counts = data.get("counts")
    n = f" ({sum(counts.values()):,} pictures)" if isinstance(counts, Mapping) and "own" in targets else ""
    split = data.get("train", "training")
    yield f"It was trained on the {split} split of {pictures}{n}{told}, for {len(card.labels)} emotions."
    yield from (note for note in card.notes if note.startswith("Started from") or " is taught by " in note)


def _how_good(analysis: Analysis, name: str, card: Card) -> Iterator[str]:
    """Figures of the pictures that it was tested on, with the adjustment that is in force."""
    figures = card.headline
    if "accuracy" not in figures or "n" not in figures:
        return
    judged = _JUDGED.get(str(figures.get("labels")), f"by the labels {figures.get('labels')}")
    told, clean = _in_figures(figures), figures.get("clean")
    if isinstance(clean, Mapping) and "accuracy" in clean and clean.get("n") != figures["n"]:
        told += f"; on the {clean['n']:,} of them that are not pixel-identical to a training picture "
        told += percent(clean["accuracy"])
    where = f"{figures.get('data', '?')} {figures.get('split', '?')}"
    chosen = "" if card.side_of(figures) == "test" else ", on which its epoch was chosen"
    yield f"On the {figures['n']:,} pictures of {where} {judged}{chosen}, its accuracy as trained was {told}."
    if held := priors_in_force(analysis).get(name):
        adjusted = _adjusted(name, figures, *held)
        told = f"was {_in_figures(adjusted)}" if adjusted else "was not measured"
        yield f"With the adjustment described below, it {told}."
    yield "Accuracy on frames of videos, and on the people recorded here, was not measured."


def _in_figures(figures: Mapping[str, Any]) -> str:
    more = [f"macro recall {percent(figures['macro_recall'])}"] if "macro_recall" in figures else []
    more += [f"expected calibration error in 15 bins {percent(figures['ece'])}"] if "ece" in figures else []
    return percent(figures["accuracy"]) + (f" ({', '.join(more)})" if more else "")


def _adjusted(name: str, figures: Mapping[str, Any], prior: Prior, tau: float) -> Mapping[str, Any]:
    """The same figures with the adjusted probabilities, from the evaluation table; empty where it is not here."""
    try:
        path = find_checkpoint(name) / "evaluations" / f"{figures.get('data')}-{figures.get('split')}.parquet"
        found = outcomes(read_evaluation(path, name), str(figures.get("labels")))
    except FerError:
        return {}
    k = len(prior.shares)
    adjusted = prior.adjusted(found.probabilities[:, :k].astype(np.float32), tau)
    return report(np.pad(adjusted, ((0, 0), (0, found.probabilities.shape[1] - k))), found.label)


def _scores(analysis: Analysis, lens: Lens, cite: _Citing) -> Iterator[str]:
    cards = [card_of(each) for each in analysis.checkpoints if lens.model in ("", MEAN, each["name"])]
    cards = cards if lens.model == MEAN else cards[:1]
    if temperatures := ", ".join(f"{card.temperature:.3f}" for card in cards if card is not None):
        yield (
            f"Logits were divided by a temperature (T = {temperatures}){cite('guo2017')}; calibration was not "
            f"checked on "
            "this recording."
        )
    names = analysis.models if lens.model == MEAN else [lens.model or analysis.models[0]]
    held = {name: each for name, each in priors_in_force(analysis).items() if name in names}
    for name, (prior, tau) in held.items():
        whose = f"The probabilities of {name}" if len(names) > 1 else "The probabilities"
        fitted = f", fitted on {prior.fitted_on}" if prior.fitted_on and analysis.prior == HALFWAY else ""
        yield (
            f"{whose} were divided by the relative frequency of each emotion in training "
            f"({prior.source or 'its class prior'}) raised to the power τ = {tau:g}, and renormalised "
            f"({PRIORS[analysis.prior]}{fitted}){cite('menon2021')}."
        )
    if not held:
        yield "The probabilities were not adjusted for how common each emotion was in training."
    smoothed = f"smoothed by the mean over {lens.smoothing_s:g} s" if lens.smoothing_s else "not smoothed"
    groups: dict[str, list[str]] = {}
    labels = next(each["labels"] for each in analysis.checkpoints if each["name"] == names[0])
    for emotion, group in analysis.state.groups.items():
        if emotion in labels:
            groups.setdefault(group, []).append(emotion)
    told = "; ".join(f"{group}: {', '.join(emotions)}" for group, emotions in groups.items())
    yield (
        f"The probabilities were {smoothed}. Each face was assigned the label of the highest probability, and the "
        f"group to "
        f"which that label belongs ({told})."
    )


def _excluded(analysis: Analysis) -> Iterator[str]:
    limits = analysis.state.limits
    if holding := [told for name in LIMITS if (told := limit_in_words(name, getattr(limits, name)))]:
        yield f"A face was flagged as not usable where one of these held: {'; '.join(holding)}."
        yield "Flagged faces were kept in all figures unless stated otherwise."
    else:
        yield "No limit was set from which on a face would count as not usable."
    steps = [step["do"] for step in analysis.state.steps]
    if steps:
        done = [f"{_STEPS.get(do, do)} ({_times_in_words(steps.count(do))})" for do in dict.fromkeys(steps)]
        yield f"By hand, {'; '.join(done)}."
    else:
        yield "Nobody was merged, split or excluded by hand."


def _times_in_words(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


def limit_in_words(name: str, value: float | None) -> str:
    """``small: side of the face below 20 px``; empty for a limit that asks for nothing."""
    limit = LIMITS[name]
    if value is None or (value >= limit.most if limit.above else value <= 0):
        return ""
    words = limit.words
    unit = words.rpartition(" (")[2].removesuffix(")") if words.endswith(")") else ""
    return f"{words.removesuffix(f' ({unit})')} {value:g}{f' {unit}' if unit else ''}"


def _times(analysis: Analysis) -> Iterator[str]:
    if analysis.record["source"]["is_picture"]:
        return
    check = analysis.record["time_check"]
    rate = "varied" if check["variable_rate"] else "was constant (within 2.5 ms)"
    yield (
        f"Times are the presentation timestamps of the video; its frame rate {rate}, and "
        f"{check['frames_dropped']:,} frames "
        "were dropped. Means and shares are weighted by frame duration and refer to the time in which the "
        "person's face was "
        "detected. A segment is an uninterrupted run of frames with the same label; no least duration was applied."
    )
    if not analysis.record["complete"]:
        yield "The analysis is not complete."


def _planned(analysis: Analysis, lens: Lens) -> Iterator[str]:
    now = plan_of(analysis, lens.smoothing_s, lens.model).sha256[:16]
    plan = kept_plan(analysis)
    if plan is None:
        yield f"The analysis was run without a plan; its settings have the hash {now}…."
        return
    found = deviations(analysis, plan, lens)
    named = f" “{plan.title}”" if plan.title else ""
    with_some = f"with {len(found)} deviation{'' if len(found) == 1 else 's'}"
    how = f"were applied {with_some if found else 'without deviation'}"
    yield f"The settings of the plan{named} (hash {plan.sha256[:16]}…) {how}; the settings have the hash {now}…."
    yield from found


__all__ = ["NOT_CLAIMED", "Methods", "card_of", "limit_in_words", "methods"]
