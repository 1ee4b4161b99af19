"""How often a network errs where a reason for doubt holds: what limits and reasons of ``fer_core.video.trust`` rest on.

    python -m benchmarks.doubts [CHECKPOINT] --data /path/to/fer2013 [--n 1000] [--json FILE] [--limit NAME=VALUE …]

Pictures of public_test (labels ``ferplus7``) as they are and shifted: every corruption of ``fer_core.evaluation`` at
two strengths, less light with a camera's noise, and faces that reach over the edge of the picture. Single views, scores
as trained. Printed are accuracy by shift; how well each measure finds wrong answers (AUROC; the area under the
risk-coverage curve; what is right among the 85 % that it doubts least); error by bins of each measure; from which value
on it is twice that of all, and so many times that of all that 85 % of the faces stay usable when every reason begins
there; and what each reason marks with the default limits, alone and together with the others.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_auc_score

from fer_core.data import ferplus_labels, load_fer2013
from fer_core.data.locate import find_dataset
from fer_core.evaluation.corruptions import CORRUPTIONS, corrupt
from fer_core.faces import crop_qualities
from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import DEFAULT_CHECKPOINT, find_checkpoint
from fer_core.models.reference import Reference, load_reference
from fer_core.models.runtime import fastest
from fer_core.video.reasons import REASONS, Limits

Pictures = NDArray[np.uint8]
Values = NDArray[np.float64]
STRENGTHS = (2, 4)
LIGHT = (0.5, 0.25, 0.1)
OUTSIDE = (0.1, 0.2, 0.3, 0.4, 0.5)
KEPT, BINS = 0.85, 12
DECIDING = ("entropy", "distance", "occlusion", "sharpness", "brightness", "outside")
SIGNS = {"sharpness": -1, "brightness": -1, "probability": -1}
"""Measures of which small values are doubtful."""


def shifted(images: Pictures, rows: NDArray[np.int64]) -> Iterator[tuple[str, Pictures, float]]:
    """Name, pictures, and the share of them that lies outside of the picture they were cut from."""
    yield "as they are", images, 0.0
    for name in CORRUPTIONS:
        for strength in STRENGTHS:
            yield f"{name} {strength}", corrupt(images, name, strength, rows=rows), 0.0
    random = np.random.default_rng(0)
    for light in LIGHT:
        dark = np.rint(images * light + random.normal(0, 2, images.shape))
        yield f"light × {light}", dark.clip(0, 255).astype(np.uint8), 0.0
    for share in OUTSIDE:
        yield f"outside {share}", cut_off(images, share, random), share


def cut_off(images: Pictures, share: float, random: np.random.Generator) -> Pictures:
    """Without ``share`` of each picture at one of three sides, which is filled as cutting faces fills it."""
    n = round(images.shape[1] * share)
    made = np.empty_like(images)
    for i, (image, side) in enumerate(zip(images, random.integers(0, 3, len(images)), strict=True)):
        rest = (image[:, n:], image[:, : image.shape[1] - n], image[n:])[side]
        top, left, right = ((0, n, 0), (0, 0, n), (n, 0, 0))[side]
        made[i] = cv2.copyMakeBorder(np.ascontiguousarray(rest), top, 0, left, right, cv2.BORDER_REPLICATE)
    return made


def measured(classifier: Classifier, reference: Reference, pictures: Pictures) -> tuple[NDArray, dict[str, Values]]:
    """Answers (n,), and measures (n,) by name: those that reasons are decided on, and others that might be."""
    scores = classifier.predict(pictures)
    p, mirrored = scores.probabilities, classifier.predict(np.ascontiguousarray(pictures[:, :, ::-1])).probabilities
    quality = crop_qualities(pictures)
    found = {
        "entropy": entropy(p),
        "probability": p.max(axis=1),
        "distance": reference.distance(scores.features),
        "occlusion": reference.occlusion(pictures),
        "sharpness": quality["sharpness"],
        "brightness": quality["brightness"],
        "energy": -np.log(np.exp(scores.logits.astype(np.float64)).sum(axis=1)),
        "largest logit": -scores.logits.max(axis=1),
        "mirror images disagree": np.abs(p - mirrored).sum(axis=1) / 2,
        "entropy of both mirror images": entropy((p + mirrored) / 2),
        "outside of the training pictures' plane": residual(reference, scores.features),
    }
    return p.argmax(axis=1), {name: np.asarray(values, np.float64) for name, values in found.items()}


def entropy(p: NDArray[np.floating]) -> Values:
    """In units of the largest possible one, (n,)."""
    return np.asarray(-(p * np.log(np.maximum(p, 1e-12))).sum(axis=1) / np.log(p.shape[1]))


def residual(reference: Reference, features: NDArray[np.float32]) -> Values:
    """What the main directions of the training features leave of the features (Wang et al. 2022, ViM), (n,)."""
    middle = reference.features.mean(axis=0)
    _, _, directions = np.linalg.svd(reference.features - middle, full_matrices=False)
    main = directions[: len(directions) // 2]
    off = features - middle
    return np.linalg.norm(off - (off @ main.T) @ main, axis=1)


def bins_of(values: Values, wrong: NDArray[np.bool_], sign: int) -> list[tuple[float, float]]:
    """Bins of as many pictures each, from least to most doubtful: first value, error."""
    order = np.argsort(sign * values, kind="stable")
    return [(float(values[part[0]]), float(wrong[part].mean())) for part in np.array_split(order, BINS)]


def rising(values: Values, wrong: NDArray[np.bool_], sign: int) -> Values:
    """The error at each value (n,), fitted so that it never falls with doubt (isotonic regression)."""
    return np.asarray(IsotonicRegression().fit_transform(sign * values, wrong.astype(np.float64)))


def begins(values: Values, errors: Values, least: float, sign: int) -> float:
    """The least doubtful value at which the error is at least ``least``; NaN where it never is."""
    there = errors >= least
    return float(sign * (sign * values[there]).min()) if there.any() else float("nan")


def times_for(errors: Mapping[str, Values], wrong: NDArray[np.bool_]) -> float:
    """How many times the error of all every limit must stand for, at least twice, so that ``KEPT`` stay usable."""
    highest = np.max(list(errors.values()), axis=0) / wrong.mean()
    return max(2.0, float(np.quantile(highest, KEPT)))


def risk(doubt: Values, wrong: NDArray[np.bool_]) -> dict[str, float]:
    """How well a measure of doubt finds wrong answers, see the module's docstring."""
    errors = wrong[np.argsort(doubt, kind="stable")]
    share = np.cumsum(errors) / np.arange(1, len(errors) + 1)
    return {
        "auroc": float(roc_auc_score(wrong, doubt)),
        "aurc": float(share.mean()),
        "right_of_85": float(1 - share[int(KEPT * len(share)) - 1]),
    }


def held(found: dict[str, Values], limits: Limits) -> dict[str, NDArray[np.bool_]]:
    """Which reasons hold, for those whose measures a face of 48 px has."""
    holds = {}
    for reason in REASONS:
        known = [limit for limit in reason.limits if limit.measure in found and getattr(limits, limit.name) is not None]
        if known:
            holds[reason.code] = np.any(
                [
                    found[each.measure] > getattr(limits, each.name)
                    if each.above
                    else found[each.measure] < getattr(limits, each.name)
                    for each in known
                ],
                axis=0,
            )
    return holds


def study(
    classifier: Classifier,
    reference: Reference,
    images: Pictures,
    truth: NDArray,
    rows: NDArray,
    limits: Limits = Limits(),
) -> dict[str, Any]:
    """Everything that is printed, as numbers."""
    answers, measures, shifts = [], [], []
    for name, pictures, outside in shifted(images, rows):
        answer, found = measured(classifier, reference, pictures)
        answers.append(answer != truth)
        measures.append(found | {"outside": np.full(len(truth), outside)})
        shifts += [name] * len(truth)
    wrong, kind = np.concatenate(answers), np.array(shifts)
    every = {name: np.concatenate([each[name] for each in measures]) for name in measures[0]}
    holds = held(every, limits)
    usable = ~np.any(list(holds.values()), axis=0)
    plain = kind == "as they are"
    alone = {code: mask & (sum(other.astype(int) for other in holds.values()) == 1) for code, mask in holds.items()}
    errors = {name: rising(every[name], wrong, SIGNS.get(name, 1)) for name in DECIDING}
    times = times_for(errors, wrong)
    people = np.tile(np.arange(len(truth)), len(shifts) // len(truth))
    return {
        "pictures": len(truth),
        "right": {name: float(1 - wrong[kind == name].mean()) for name in dict.fromkeys(shifts)},
        "measures": {
            name: {
                side: risk(SIGNS.get(name, 1) * values[mask], wrong[mask])
                for side, mask in (("plain", plain), ("all", np.ones(len(wrong), bool)))
            }
            for name, values in every.items()
            if name != "outside"
        },
        "bins": {name: bins_of(every[name], wrong, SIGNS.get(name, 1)) for name in DECIDING if name != "outside"},
        "times": times,
        "limits": {
            name: [begins(every[name], error, n * wrong.mean(), SIGNS.get(name, 1)) for n in (2, times)]
            for name, error in errors.items()
        },
        "reasons": {
            code: {
                "share": float(mask.mean()),
                "share_plain": float(mask[plain].mean()),
                "error": float(wrong[mask].mean()) if mask.any() else float("nan"),
                "alone": float(alone[code].mean()),
                "error_alone": float(wrong[alone[code]].mean()) if alone[code].any() else float("nan"),
            }
            for code, mask in holds.items()
        },
        "all": {"share": 1.0, "right": float(1 - wrong.mean())},
        "usable": {
            "share": float(usable.mean()), "right": float(1 - wrong[usable].mean()),
            "gain": float(wrong.mean() - wrong[usable].mean()), "gain_95": gain_interval(wrong, usable, people),
        },
        "usable_plain": {"share": float(usable[plain].mean()), "right": float(1 - wrong[usable & plain].mean())},
    }  # fmt: skip


def gain_interval(wrong: NDArray[np.bool_], usable: NDArray[np.bool_], people: NDArray[np.int64]) -> list[float]:
    """Bootstrap over pictures, each with all that was made of it (95 %)."""
    n = int(people.max()) + 1
    sums = [np.bincount(people, weights, n) for weights in (np.ones(len(wrong)), wrong, usable, wrong & usable)]
    random = np.random.default_rng(0)
    gains = []
    for _ in range(1000):
        drawn = random.integers(0, n, n)
        every, bad, kept, bad_kept = (each[drawn].sum() for each in sums)
        gains.append(bad / every - bad_kept / max(kept, 1))
    return [float(each) for each in np.percentile(gains, (2.5, 97.5))]


def show(found: dict[str, Any]) -> None:
    """Print it as the tables of docs/trust.md."""
    print(f"{found['pictures']} pictures, {found['all']['right']:.1%} right over all shifts\n")
    print("| shift | right |\n| --- | --- |")
    for name, right in found["right"].items():
        print(f"| {name} | {right:.1%} |")
    heads = ("measure", "AUROC, as they are", "AUROC, all", "AURC", f"right of the {KEPT:.0%} least doubtful")
    print(f"\n| {' | '.join(heads)} |\n|{' --- |' * len(heads)}")
    for name, each in sorted(found["measures"].items(), key=lambda item: -item[1]["all"]["auroc"]):
        both = each["all"]
        figures = f"{each['plain']['auroc']:.3f} | {both['auroc']:.3f} | {both['aurc']:.3f} | {both['right_of_85']:.1%}"
        print(f"| {name} | {figures} |")
    for name, bins in found["bins"].items():
        print(f"\n| {name} from | {' | '.join(f'{start:.3g}' for start, _ in bins)} |\n|{' --- |' * (len(bins) + 1)}")
        print(f"| wrong | {' | '.join(f'{error:.1%}' for _, error in bins)} |")
    times = found["times"]
    print(f"\n| wrong so many times as often as over all, from | 2 | {times:.2f} |\n| --- | --- | --- |")
    for name, edges in found["limits"].items():
        print(f"| {name} | {' | '.join('nowhere' if np.isnan(edge) else f'{edge:.3g}' for edge in edges)} |")
    print("\n| reason | marks | of those as they are | wrong there | marks alone | wrong there |\n|" + " --- |" * 6)
    for code, each in found["reasons"].items():
        print(f"| `{code}` | {' | '.join(f'{value:.1%}' for value in each.values())} |")
    usable, plain = found["usable"], found["usable_plain"]
    low, high = usable["gain_95"]
    print(
        f"\nusable: {usable['share']:.1%}, {usable['right']:.1%} right, {100 * usable['gain']:+.1f} points "
        f"({100 * low:.1f} to {100 * high:.1f}); as they are {plain['share']:.1%}, {plain['right']:.1%} right"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", nargs="?", default=DEFAULT_CHECKPOINT)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--n", type=int, default=1000)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--limit", action="append", default=[], metavar="NAME=VALUE", help="instead of the default")
    args = parser.parse_args()
    reference = load_reference(find_checkpoint(args.checkpoint))
    assert reference is not None, "the checkpoint folder has no reference.safetensors"
    faces = load_fer2013(find_dataset("fer2013", args.data), "public_test")
    truth = ferplus_labels(faces.votes, "ferplus7")
    rows = np.sort(np.random.default_rng(0).permutation(np.flatnonzero(truth >= 0))[: args.n])
    limits = Limits(**{name: float(value) for name, value in (each.split("=") for each in args.limit)})
    found = study(fastest(load(args.checkpoint))[0], reference, faces.images[rows], truth[rows], rows, limits)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    show(found)


if __name__ == "__main__":
    main()
