"""How something was measured, in the words that the methods of a paper need, written from what was set.

Nothing is said that is not in the analysis, its edits, the card of its network or the code that made it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import fer_core
from fer_core.emotions import HALFWAY, PRIORS
from fer_core.errors import CheckpointError
from fer_core.faces.detectors import DETECTORS
from fer_core.models.card import Card, read_card
from fer_core.models.folders import with_weights
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
    "children and an uneven mix of skin tones and cultures. How right they are about these people was not measured.",
    "A probability is calibrated on such pictures; on another camera, light or population it may be off.",
)
_LABELS = {
    "own": "the labels of its authors", "fer2013": "the labels of its authors",
    "ferplus": "the votes of ten people for each picture",
}  # fmt: skip
_JUDGED = {
    "ferplus7": "the emotion that most of ten people chose, of seven", "fer2013": "the labels of its authors",
    "ferplus8_majority": "the emotion that more than half of ten people chose, of eight",
    "ferplus8_argmax": "the emotion that most of ten people chose, of eight",
}  # fmt: skip
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
    with_what = f"FER workbench {version or f'(report by {fer_core.__version__})'}"
    size = f"{source['width']} × {source['height']} px"
    if source["is_picture"]:
        yield f"Facial expressions were measured with {with_what} in a picture of {size}."
        return
    yield (
        f"Facial expressions were measured with {with_what} in a recording of {size}, {source['mean_fps']:.4g} "
        f"frames/s and {source['duration_s']:.2f} s."
    )
    rate = settings.rate
    what = f"{rate:g} frames per second" if rate else "every frame"
    end_s = settings.end_s
    part = "" if not settings.start_s and end_s is None else (
        f" from {settings.start_s:g} s to {'its end' if end_s is None else f'{end_s:g} s'}"
    )  # fmt: skip
    n, seen = check["frames_analysed"], check["frames_with_faces"]
    yield (
        f"Of it{part}, {what} was analysed ({n:,} frames), of which {seen:,} "
        f"({percent(seen / max(n, 1))}) held at least one face."
    )


def _faces(analysis: Analysis, cite: _Citing) -> Iterator[str]:
    settings = plan_of(analysis).analysis
    kind = DETECTORS.get(settings.detector)
    found = f"{kind.title if kind else settings.detector}{cite(OF_DETECTOR.get(settings.detector))}"
    how = ""
    if not analysis.record["source"]["is_picture"]:
        how = {
            "fast": ", looking anew a few times a second and at every cut and refining the boxes in between",
            "exact": ", looking anew in every frame",
        }.get(settings.mode, "")
    yield f"Faces with a shorter side of at least {settings.min_face_px} px were found by {found}{how}."
    if not analysis.record["source"]["is_picture"]:
        same = (
            f"and joined into people by descriptors of their faces (dlib{cite('king2009')})"
            if settings.identity
            else "and were not compared by identity, so that whoever left the picture may be counted anew"
        )
        yield f"They were followed from frame to frame by place and look {same}."


def _networks(analysis: Analysis, lens: Lens, cite: _Citing) -> Iterator[str]:
    names = list(analysis.models) if lens.model == MEAN else [lens.model or analysis.models[0]]
    if lens.model == MEAN:
        yield f"Scores are the mean of the probabilities of {len(names)} networks."
    for checkpoint in analysis.checkpoints:
        if checkpoint["name"] in names:
            yield from _network(checkpoint, cite)


def _network(checkpoint: Mapping[str, Any], cite: _Citing) -> Iterator[str]:
    name, sha256, card = checkpoint["name"], str(checkpoint.get("sha256") or ""), card_of(checkpoint)
    weights = f"weights SHA-256 {sha256[:16]}…" if sha256 else "weights of unknown hash"
    if card is None:
        yield f"Expressions were scored by the network {name} ({weights}), whose card is not here."
        return
    parameters = f", {card.n_params / 1e6:.1f} million parameters" if card.n_params else ""
    yield (
        f"Each face was turned upright by eyes and mouth, cut to {card.crop.size} × {card.crop.size} px and scored by "
        f"“{card.title or name}” ({name}; {card.network}{cite(OF_ARCHITECTURE.get(card.architecture))}{parameters}; "
        f"{weights})."
    )
    yield from _training(card, cite)
    yield from _how_good(card)


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
    n = f" ({sum(counts.values()):,} pictures)" if isinstance(counts, Mapping) and counts else ""
    split = data.get("train", "training")
    yield f"It was trained on the {split} split of {pictures}{n}{told}, for {len(card.labels)} emotions."


def _how_good(card: Card) -> Iterator[str]:
    figures = card.headline
    if "accuracy" not in figures or "n" not in figures:
        return
    judged = _JUDGED.get(str(figures.get("labels")), f"the labels {figures.get('labels')}")
    side = "held-out " if card.side_of(figures) == "test" else ""
    more = [f"macro recall {percent(figures['macro_recall'])}"] if "macro_recall" in figures else []
    more += [f"expected calibration error {percent(figures['ece'])}"] if "ece" in figures else []
    clean = figures.get("clean")
    if isinstance(clean, Mapping) and "accuracy" in clean and clean.get("n") != figures["n"]:
        more += [f"{percent(clean['accuracy'])} of the {clean['n']:,} that are no pixel copies of training pictures"]
    told = f" ({', '.join(more)})" if more else ""
    yield (
        f"On the {side}{figures.get('split', '?')} split ({figures['n']:,} pictures, judged by {judged}) it is right, "
        f"as trained, in {percent(figures['accuracy'])}{told}."
    )


def _scores(analysis: Analysis, lens: Lens, cite: _Citing) -> Iterator[str]:
    cards = [card_of(each) for each in analysis.checkpoints if lens.model in ("", MEAN, each["name"])]
    cards = cards if lens.model == MEAN else cards[:1]
    if temperatures := ", ".join(f"{card.temperature:.3f}" for card in cards if card is not None):
        yield f"Probabilities are calibrated by temperature scaling (T = {temperatures}){cite('guo2017')}."
    names = analysis.models if lens.model == MEAN else [lens.model or analysis.models[0]]
    held = {name: each for name, each in priors_in_force(analysis).items() if name in names}
    for name, (prior, tau) in held.items():
        whose = f"Those of {name}" if len(held) > 1 else "They"
        fitted = f", fitted on {prior.fitted_on}" if prior.fitted_on and analysis.prior == HALFWAY else ""
        yield (
            f"{whose} were divided by how common each emotion was in training ({prior.source or 'its class prior'}) to "
            f"the power of {tau:g}, and scaled to sum to 1 ({PRIORS[analysis.prior]}{fitted}){cite('menon2021')}."
        )
    if not held:
        yield "They were not adjusted for how common each emotion was in training."
    smoothed = f"smoothed by the mean over {lens.smoothing_s:g} s" if lens.smoothing_s else "not smoothed"
    groups: dict[str, list[str]] = {}
    labels = next(each["labels"] for each in analysis.checkpoints if each["name"] == names[0])
    for emotion, group in analysis.state.groups.items():
        if emotion in labels:
            groups.setdefault(group, []).append(emotion)
    told = "; ".join(f"{group}: {', '.join(emotions)}" for group, emotions in groups.items())
    yield f"They were {smoothed}. A face shows the emotion of the highest probability, and its group ({told})."


def _excluded(analysis: Analysis) -> Iterator[str]:
    limits = analysis.state.limits
    if holding := [told for name in LIMITS if (told := limit_in_words(name, getattr(limits, name)))]:
        yield f"A face counts as not usable where one of these holds: {'; '.join(holding)}."
        yield "Such faces are marked, and count in every figure that does not say otherwise."
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
    rate = "varies" if check["variable_rate"] else "is constant"
    yield (
        f"Times are the presentation times of the file; its rate {rate}, and {check['frames_dropped']:,} frames were "
        "dropped. Means and shares are weighted by how long each frame is on screen."
    )
    if not analysis.record["complete"]:
        yield "The analysis is not complete."


def _planned(analysis: Analysis, lens: Lens) -> Iterator[str]:
    now = plan_of(analysis, lens.smoothing_s, lens.model).sha256[:16]
    plan = kept_plan(analysis)
    if plan is None:
        yield f"No plan was registered; the settings have the hash {now}…."
        return
    found = deviations(analysis, plan, lens)
    named = f" “{plan.title}”" if plan.title else ""
    how = (
        "was followed" if not found else f"was followed but for {len(found)} deviation{'' if len(found) == 1 else 's'}"
    )
    yield f"The plan{named} (hash {plan.sha256[:16]}…) {how}; the settings have the hash {now}…."
    yield from found


__all__ = ["NOT_CLAIMED", "Methods", "card_of", "limit_in_words", "methods"]
