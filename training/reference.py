"""What "far from the training pictures" and "part of the face is covered" mean for a checkpoint.

    python -m training.reference mobilenetv2-ferplus --data /path/to/fer2013

writes ``reference.safetensors`` of an existing checkpoint folder anew from its weights. ``training.train`` writes it
with every checkpoint. Covered faces are training pictures with things drawn over them: hands, masks, sunglasses and
others; how well that carries over to real ones is told in ``docs/trust.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from fer_core.cli_parts import CAUSED_OUTSIDE, say
from fer_core.data import load_fer2013
from fer_core.data.locate import find_dataset
from fer_core.models.classifier import Classifier, load
from fer_core.models.folders import find_checkpoint
from fer_core.models.preprocess import as_channels
from fer_core.models.reference import REFERENCE, edge_histograms

Pictures = NDArray[np.uint8]
Drawn = tuple[NDArray[np.uint8], NDArray[np.float32]]
"""Where something covers the face (0-255), and its grey values, both (DRAWN_PX, DRAWN_PX)."""

N_REFERENCE = 2000
N_PROBE = 12_000
TINY_VARIANCE = 1e-6
"""Added to every feature, so that one which never changes has a covariance too."""
DRAWN_PX = 384
STRENGTH = 3.0
"""Inverse of the ridge penalty on the mean loss; the best of a few for covers of a kind that was left out."""


def write_reference(
    folder: Path, classifier: Classifier, images: Pictures, labels: NDArray[np.int64], seed: int
) -> None:
    """Class means (k, d), shared covariance (d, d), 2,000 training features, and the probe for covered faces.

    ``images`` are training pictures (n, s, s) or (n, s, s, 3) with their labels (n,). They may be sorted by class, as
    folders are: the features that are kept are spread evenly over all of them.
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(images))[: 5 * N_REFERENCE])
    features = classifier.predict(images[chosen]).features.astype(np.float64)
    labels = labels[chosen]
    n_labels = len(classifier.labels)
    means = np.stack(
        [features[labels == k].mean(axis=0) if (labels == k).any() else features.mean(axis=0) for k in range(n_labels)]
    )
    spread = np.cov((features - means[labels]).T) + np.eye(features.shape[1]) * TINY_VARIANCE
    half = np.finfo(np.float16).max
    arrays = {"means": means, "covariance": spread, "features": features[_even(len(features))].clip(-half, half)}
    rng = np.random.default_rng(seed)
    some = rng.permutation(len(images))[:N_PROBE]
    arrays["occlusion_weights"], arrays["occlusion_bias"] = fit_probe(as_channels(images[some], 1), rng)
    save_file(
        {name: value.astype(np.float16 if name == "features" else np.float32) for name, value in arrays.items()},
        folder / REFERENCE,
    )


def _even(n: int) -> NDArray[np.int64]:
    """Up to ``N_REFERENCE`` rows of n, evenly spread."""
    return np.linspace(0, n - 1, min(n, N_REFERENCE)).round().astype(np.int64)


def fit_probe(
    images: Pictures, rng: np.random.Generator, kinds: Sequence[str] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights (f,) and bias (1,) of a logistic regression on edge histograms that tells covered faces from free ones.

    Every picture (n, 48, 48) is shown free and covered by one of ``kinds`` (default: all).
    """
    from sklearn.linear_model import LogisticRegression

    shown = [_vary(images, rng), _vary(cover(images, rng, kinds), rng)]
    x = edge_histograms(np.concatenate(shown)).astype(np.float64)
    y = np.repeat([0, 1], len(images))
    mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-3
    fitted = LogisticRegression(C=STRENGTH / len(y), max_iter=500).fit((x - mean) / spread, y)
    weights = fitted.coef_[0] / spread
    return weights, fitted.intercept_ - weights @ mean


def cover(images: Pictures, rng: np.random.Generator, kinds: Sequence[str] | None = None) -> Pictures:
    """Pictures (n, 48, 48) with something of a random kind drawn over each face."""
    names = rng.choice(list(kinds or OCCLUDERS), len(images))
    others = images[rng.permutation(len(images))]
    pairs = zip(images, others, names, strict=True)
    return np.stack([_blend(image, OCCLUDERS[name](image, other, rng), rng) for image, other, name in pairs])


def _vary(images: Pictures, rng: np.random.Generator) -> Pictures:
    """Slightly moved, turned, blurred and lit otherwise, as a video's crops are."""
    return np.stack([_vary_one(image, rng) for image in images])


def _vary_one(image: Pictures, rng: np.random.Generator) -> Pictures:
    middle = (image.shape[1] - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), rng.normal(0, 4), np.exp(rng.normal(0, 0.06)))
    matrix[:, 2] += rng.normal(0, 1.5, 2)
    moved = cv2.warpAffine(image, matrix, image.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.5:
        moved = cv2.GaussianBlur(moved, (0, 0), rng.uniform(0.3, 1.0))
    mean, gain = float(moved.mean()), np.exp(rng.normal(0, 0.2))
    return np.clip((moved - mean) * gain + mean * np.exp(rng.normal(0, 0.15)), 0, 255).astype(np.uint8)


def _blend(image: Pictures, drawn: Drawn, rng: np.random.Generator) -> Pictures:
    """What was drawn, unevenly lit and slightly soft, over the picture."""
    mask, shade = (cv2.resize(part, image.shape[::-1], interpolation=cv2.INTER_AREA) for part in drawn)
    y, x = np.mgrid[: image.shape[0], : image.shape[1]] / image.shape[0] - 0.5
    slope = rng.normal(0, 25, 2)
    lit = shade + slope[0] * x + slope[1] * y + rng.normal(0, 3, image.shape)
    share = mask.astype(np.float32) / 255
    soft = cv2.GaussianBlur(lit.astype(np.float32), (0, 0), 0.6)
    return np.clip(image * (1 - share) + soft * share, 0, 255).astype(np.uint8)


def _plain(grey: float) -> NDArray[np.float32]:
    return np.full((DRAWN_PX, DRAWN_PX), np.clip(grey, 0, 255), np.float32)


def _empty() -> NDArray[np.uint8]:
    return np.zeros((DRAWN_PX, DRAWN_PX), np.uint8)


def _skin(image: Pictures) -> float:
    """Grey value of the face's skin: the median of its middle."""
    side = len(image)
    return float(np.median(image[side // 3 : -side // 6, side // 5 : -side // 5]))


def _point(xy: NDArray[np.float64]) -> tuple[int, int]:
    return int(xy[0]), int(xy[1])


def _hand(image: Pictures, other: Pictures, rng: np.random.Generator) -> Drawn:
    """Two to four fingers that reach into the face from below or from a side, lighter along their middle."""
    tone = float(np.clip(_skin(image) * rng.uniform(0.8, 1.25) + rng.normal(0, 8), 20, 250))
    mask, shade = _empty(), _plain(tone)
    width, fan, angle = rng.uniform(0.10, 0.17) * DRAWN_PX, rng.uniform(0, 0.08), np.pi / 2 + rng.uniform(-1.2, 1.2)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    fingertips = np.array([rng.uniform(0.2, 0.8), rng.uniform(0.3, 0.8)]) * DRAWN_PX
    fingers = np.arange(rng.integers(2, 5))
    for offset in fingers - fingers.mean():
        tip = fingertips + across * offset * width + along * abs(offset) * width * rng.uniform(0.1, 0.7)
        line = _point(tip), _point(tip + (along - across * offset * fan) * 1.2 * DRAWN_PX)
        cv2.line(mask, *line, 255, int(width))
        for share, lighter in ((1.0, -0.28), (0.8, -0.07), (0.5, 0.07)):
            cv2.line(shade, *line, tone * (1 + lighter * rng.uniform(0.4, 1.3)), max(int(width * share), 1))
    return mask, shade


def _blob(image: Pictures, other: Pictures, rng: np.random.Generator) -> Drawn:
    """A fist or a palm: skin-coloured ellipse over eyes or mouth."""
    mask = _empty()
    middle = np.array([rng.uniform(0.2, 0.8), rng.choice([rng.uniform(0.3, 0.45), rng.uniform(0.7, 0.9)])])
    axes = np.array([rng.uniform(0.18, 0.32), rng.uniform(0.14, 0.28)])
    cv2.ellipse(mask, _point(middle * DRAWN_PX), _point(axes * DRAWN_PX), rng.uniform(0, 180), 0, 360, 255, -1)
    return mask, _plain(_skin(image) * rng.uniform(0.75, 1.3))


def _half(image: Pictures, other: Pictures, rng: np.random.Generator) -> Drawn:
    """A door, a shoulder, a book: everything beyond a line, on the left, on the right or below."""
    y, x = np.mgrid[:DRAWN_PX, :DRAWN_PX] / DRAWN_PX - 0.5
    angle = rng.choice([0, np.pi / 2, np.pi]) + rng.uniform(-0.5, 0.5)
    beyond = np.cos(angle) * x + np.sin(angle) * y > rng.uniform(-0.05, 0.15)
    return beyond.astype(np.uint8) * 255, _plain(rng.uniform(10, 240))


def _mask(image: Pictures, other: Pictures, rng: np.random.Generator) -> Drawn:
    """A light or dark mask over mouth and nose."""
    mask, top, wide = _empty(), rng.uniform(0.52, 0.62), rng.uniform(0.3, 0.5)
    below = 0.9 * wide
    outline = [
        (0.5 - wide, top + 0.06), (0.5, top - 0.03), (0.5 + wide, top + 0.06), (0.5 + below, 1), (0.5 - below, 1)
    ]  # fmt: skip
    cv2.fillPoly(mask, [(np.array(outline) * DRAWN_PX).astype(np.int32)], 255)
    return mask, _plain(rng.choice([rng.uniform(10, 60), rng.uniform(150, 245)]))


def _glasses(image: Pictures, other: Pictures, rng: np.random.Generator) -> Drawn:
    """Sunglasses, or a dark bar over the eyes."""
    mask, height, apart = _empty(), rng.uniform(0.36, 0.44), rng.uniform(0.19, 0.23)
    axes = np.array([rng.uniform(0.13, 0.18), rng.uniform(0.09, 0.14)])
    for side in (-1, 1):
        middle = np.array([0.505 + side * apart, height])
        cv2.ellipse(mask, _point(middle * DRAWN_PX), _point(axes * DRAWN_PX), 0, 0, 360, 255, -1)
    ends = (
        (0, height - axes[1], 1, height + axes[1]) if rng.random() < 0.3 else (0.3, height - 0.04, 0.7, height - 0.01)
    )
    x0, y0, x1, y1 = (np.array(ends) * DRAWN_PX).astype(int).tolist()
    cv2.rectangle(mask, (x0, y0), (x1, y1), 255, -1)
    return mask, _plain(rng.uniform(5, 60))


def _patch(image: Pictures, other: Pictures, rng: np.random.Generator) -> Drawn:
    """A turned piece of another picture."""
    mask, (middle, size) = _empty(), (rng.uniform(0.25, 0.85, 2), rng.uniform(0.3, 0.55, 2))
    box = cv2.boxPoints((_point(middle * DRAWN_PX), _point(size * DRAWN_PX), rng.uniform(0, 90)))
    cv2.fillPoly(mask, [box.astype(np.int32)], 255)
    matrix = cv2.getRotationMatrix2D((len(other) / 2, len(other) / 2), rng.uniform(0, 360), rng.uniform(1, 3))
    turned = cv2.warpAffine(other, matrix, other.shape[::-1], borderMode=cv2.BORDER_REFLECT)
    return mask, cv2.resize(turned, (DRAWN_PX, DRAWN_PX)).astype(np.float32)


OCCLUDERS: dict[str, Callable[[Pictures, Pictures, np.random.Generator], Drawn]] = {
    "hand": _hand, "blob": _blob, "half": _half, "mask": _mask, "glasses": _glasses, "patch": _patch,
}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", help="name or folder of a checkpoint")
    parser.add_argument("--data", type=Path, help="folder of the data set (default: found in FER_DATA)")
    args = parser.parse_args(argv)
    try:
        folder = find_checkpoint(args.checkpoint)
        classifier = load(folder)
        card = classifier.card
        faces = load_fer2013(find_dataset(card.data["dataset"], args.data), card.data["train"])
        write_reference(folder, classifier, faces.images, faces.emotion, card.seed)
    except CAUSED_OUTSIDE as error:
        return say("error", error, failed=2)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
