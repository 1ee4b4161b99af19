"""Corruptions of face crops in five strengths: noise, blur, compression, light, occlusion, and crops that are off.

The protocol, a fixed set of corruptions in five strengths on the pictures of a test split, is that of Hendrycks &
Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations" (2019), and of RAF-DB-C by
Greco et al., "Benchmarking deep networks for facial emotion recognition in the wild" (2022), written anew: amplitudes
are chosen for faces of 48 px, and occlusions and the errors of a face detector (turned, shifted, too near) are added.

The random numbers of a picture come from the seed, the corruption, the strength and the picture's row, so it does not
matter in which batch it goes through. Where a corruption has two directions (marked with ±), even rows go one way and
odd rows the other; motion and shift have a direction drawn for each picture.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_core.data.records import Picture
from fer_core.errors import InputError

STRENGTHS = (1, 2, 3, 4, 5)
FACE_PX = 48
"""Side of the faces that the amplitudes are chosen for."""
EYES_Y, MOUTH_Y = 0.36, 0.80
"""How far down eyes and mouth are in a crop, as shares of its side: measured, see docs/crops.md."""

Random = np.random.Generator
Change = Callable[[Picture, float, Random, int], NDArray]
"""Picture, amplitude, random numbers and direction (1 or -1) → the changed picture in 0-255, not yet rounded."""


@dataclass(frozen=True)
class Corruption:
    """One way to spoil a picture.

    Attributes:
        name, family: as in tables.
        title: the name in words.
        amplitudes: one for each of ``STRENGTHS``; lengths are shares of the picture's side.
        form: format of an amplitude, of the number itself or (``px``) of that many px of 48.
        unit: what the number is.
        change: does it.
    """

    name: str
    family: str
    title: str
    amplitudes: tuple[float, ...]
    form: str
    unit: str
    change: Change = field(repr=False, compare=False)

    def number(self, strength: int) -> str:
        """The amplitude of a strength, without its unit."""
        amplitude = self.amplitudes[strength - 1]
        return self.form.format(amplitude, px=FACE_PX * amplitude)

    def told(self, strength: int) -> str:
        """The amplitude of a strength in words."""
        return f"{self.number(strength)} ({self.unit})"


def corrupt(
    crops: NDArray[np.uint8], name: str, strength: int, *, seed: int = 0, rows: NDArray[np.int64] | None = None
) -> NDArray[np.uint8]:
    """Face crops with a corruption.

    Args:
        crops: uint8 (n, s, s) grey or (n, s, s, 3) RGB; not changed.
        name: one of ``CORRUPTIONS``.
        strength: 1 to 5.
        seed: 0 or more; the same one makes the same pictures.
        rows: int64 (n,), the row of each picture in its data set; default: 0 to n - 1.

    Returns:
        A new array of the same shape and type.

    Raises:
        InputError: an unknown name, or an impossible strength, seed, row or array.
    """
    corruption = find_corruption(name)
    where = np.arange(len(crops)) if rows is None else np.asarray(rows)
    _check(crops, strength, seed, where)
    amplitude, kind = corruption.amplitudes[strength - 1], zlib.crc32(name.encode())
    made = np.empty_like(crops)
    for i, row in enumerate(where.tolist()):
        random = np.random.default_rng((seed, kind, strength, row))
        changed = corruption.change(crops[i], amplitude, random, 1 - 2 * (row % 2))
        made[i] = np.rint(changed).clip(0, 255)
    return made


def find_corruption(name: str) -> Corruption:
    """A corruption by its name.

    Raises:
        InputError: there is none; the message lists those that there are.
    """
    if name not in CORRUPTIONS:
        raise InputError(f"Unknown corruption {name!r}; expected one of {', '.join(CORRUPTIONS)}.")
    return CORRUPTIONS[name]


def _check(crops: NDArray[np.uint8], strength: int, seed: int, rows: NDArray[np.int64]) -> None:
    shape = crops.shape
    if crops.dtype != np.uint8 or len(shape) not in (3, 4) or shape[1] != shape[2] or shape[3:] not in ((), (3,)):
        raise InputError(f"Expected crops uint8 (n, s, s) or (n, s, s, 3), got {crops.dtype} {shape}.")
    if strength not in STRENGTHS or seed < 0:
        raise InputError(f"Expected a strength of 1 to 5 and a seed of 0 or more, got {strength} and {seed}.")
    if rows.shape != shape[:1] or rows.dtype.kind not in "iu" or (len(rows) and rows.min() < 0):
        raise InputError(f"Expected rows ({len(crops)},) from 0, got {rows.dtype} {rows.shape} or below 0.")


# --- noise


def _gaussian_noise(picture: Picture, amplitude: float, random: Random, sign: int) -> NDArray:
    return picture + random.normal(0, 255 * amplitude, picture.shape)


def _shot_noise(picture: Picture, amplitude: float, random: Random, sign: int) -> NDArray:
    return random.poisson(picture / 255 * amplitude) * (255 / amplitude)


def _impulse_noise(picture: Picture, amplitude: float, random: Random, sign: int) -> NDArray:
    drawn = random.random(picture.shape)
    return np.where(drawn < amplitude / 2, 0, np.where(drawn >= 1 - amplitude / 2, 255, picture))


# --- blur


def _gaussian_blur(picture: Picture, amplitude: float, random: Random, sign: int) -> NDArray:
    sigma = amplitude * len(picture)
    return cv2.GaussianBlur(picture.astype(np.float32), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)


def _defocus_blur(picture: Picture, amplitude: float, random: Random, sign: int) -> NDArray:
    return _filtered(picture, _disk(amplitude * len(picture)))


def _motion_blur(picture: Picture, amplitude: float, random: Random, sign: int) -> NDArray:
    return _filtered(picture, _line(amplitude * len(picture), random.uniform(0, math.pi)))


def _filtered(picture: Picture, kernel: NDArray[np.float32]) -> NDArray:
    return cv2.filter2D(picture.astype(np.float32), -1, kernel, borderType=cv2.BORDER_REPLICATE)


@lru_cache(maxsize=32)
def _disk(radius_px: float) -> NDArray[np.float32]:
    """Share of each pixel that a circle around the middle covers, with a sum of 1."""
    half, fine = math.ceil(radius_px), 9
    at = (np.arange((2 * half + 1) * fine) + 0.5) / fine - half - 0.5
    inside = at[:, None] ** 2 + at**2 <= radius_px**2
    covered = inside.reshape(2 * half + 1, fine, 2 * half + 1, fine).mean(axis=(1, 3))
    return (covered / covered.sum()).astype(np.float32)


def _line(length_px: float, angle: float) -> NDArray[np.float32]:
    """A line through the middle, its points shared among the four pixels around each, with a sum of 1."""
    half = math.ceil(length_px / 2) + 1
    along = (np.arange(64) + 0.5) / 64 * length_px - length_px / 2
    x, y = along * math.cos(angle) + half, along * math.sin(angle) + half
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    kernel = np.zeros((2 * half + 1, 2 * half + 1))
    for dx in (0, 1):
        for dy in (0, 1):
            np.add.at(kernel, (top + dy, left + dx), np.abs((1 - dx - x + left) * (1 - dy - y + top)))
    return (kernel / kernel.sum()).astype(np.float32)


# --- compression and resolution


def _jpeg(picture: Picture, amplitude: float, random: Random, sign: int) -> NDArray:
    shown = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    encoded = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, round(amplitude)])[1]
    way = cv2.IMREAD_GRAYSCALE if picture.ndim == 2 else cv2.IMREAD_COLOR_RGB
    return np.asarray(cv2.imdecode(encoded, way))


def _pixelation(picture: Picture, amplitude: float, random: Random, sign: int) -> NDArray:
    cells = max(round(amplitude * len(picture)), 1)
    small = cv2.resize(picture, (cells, cells), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, picture.shape[:2], interpolation=cv2.INTER_NEAREST_EXACT)


# --- light


def _gamma(picture: Picture, amplitude: float, random: Random, sign: int) -> NDArray:
    return 255 * (picture / 255) ** (amplitude**sign)


def _contrast(picture: Picture, amplitude: float, random: Random, sign: int) -> NDArray:
    return picture.mean() + amplitude * (picture - picture.mean())


def _side_light(picture: Picture, amplitude: float, random: Random, sign: int) -> NDArray:
    ramp = 1 + sign * amplitude * np.linspace(-1, 1, picture.shape[1])
    return picture * ramp.reshape(1, -1, *[1] * (picture.ndim - 2))


# --- occlusion


def _eyes(picture: Picture, amplitude: float, random: Random, sign: int) -> NDArray:
    return _without_band(picture, EYES_Y, amplitude)


def _mouth(picture: Picture, amplitude: float, random: Random, sign: int) -> NDArray:
    return _without_band(picture, MOUTH_Y, amplitude)


def _without_band(picture: Picture, middle: float, height: float) -> NDArray:
    """The band from side to side is filled with the mean grey."""
    first, last = (round((middle + half * height) * len(picture)) for half in (-0.5, 0.5))
    made = picture.astype(np.float64)
    made[first:last] = picture.mean()
    return made


def _half(picture: Picture, amplitude: float, random: Random, sign: int) -> NDArray:
    """From one side on, up to a half, filled with the mean grey."""
    width = round(amplitude * len(picture))
    made = picture.astype(np.float64)
    made[:, slice(0, width) if sign > 0 else slice(len(picture) - width, None)] = picture.mean()
    return made


# --- a crop that is off


def _rotation(picture: Picture, amplitude: float, random: Random, sign: int) -> NDArray:
    return _moved(picture, angle=math.radians(sign * amplitude))


def _shift(picture: Picture, amplitude: float, random: Random, sign: int) -> NDArray:
    """Left, right, up or down: by whole pixels in pictures of 48 px, so that nothing is interpolated."""
    way = ((-1, 0), (1, 0), (0, -1), (0, 1))[random.integers(4)]
    return _moved(picture, by_px=(way[0] * amplitude * len(picture), way[1] * amplitude * len(picture)))


def _scale(picture: Picture, amplitude: float, random: Random, sign: int) -> NDArray:
    return _moved(picture, scale=1 + sign * amplitude)


def _moved(
    picture: Picture, *, angle: float = 0.0, scale: float = 1.0, by_px: tuple[float, float] = (0.0, 0.0)
) -> NDArray:
    """Turned and scaled around the middle, then shifted; what comes in from outside repeats the edge."""
    middle = (len(picture) - 1) / 2
    along, across = scale * math.cos(angle), scale * math.sin(angle)
    matrix = np.array([[along, across, 0.0], [-across, along, 0.0]])
    matrix[:, 2] = middle - matrix[:, :2].sum(axis=1) * middle + by_px
    size = picture.shape[1::-1]
    return cv2.warpAffine(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


_ALL = (
    Corruption("gaussian_noise", "noise", "Gaussian noise", (0.02, 0.03, 0.045, 0.06, 0.08), "{:.1%}",
               "standard deviation, of white", _gaussian_noise),
    Corruption("shot_noise", "noise", "Shot noise", (800, 400, 200, 120, 75), "{:.0f}", "photons in a white pixel",
               _shot_noise),
    Corruption("impulse_noise", "noise", "Black and white pixels", (0.01, 0.03, 0.06, 0.1, 0.16), "{:.0%}",
               "of the pixels", _impulse_noise),
    Corruption("gaussian_blur", "blur", "Gaussian blur", (0.6 / 48, 0.9 / 48, 1.2 / 48, 1.7 / 48, 2.4 / 48),
               "{px:.1f}", "standard deviation, px of 48", _gaussian_blur),
    Corruption("defocus_blur", "blur", "Out of focus", (1.2 / 48, 1.7 / 48, 2.3 / 48, 3 / 48, 4 / 48), "{px:.1f}",
               "radius, px of 48", _defocus_blur),
    Corruption("motion_blur", "blur", "Motion blur", (3 / 48, 5 / 48, 7 / 48, 9 / 48, 12 / 48), "{px:.0f}",
               "length, px of 48", _motion_blur),
    Corruption("jpeg", "digital", "JPEG", (40, 25, 15, 10, 6), "{:.0f}", "quality", _jpeg),
    Corruption("pixelation", "digital", "Pixelation", (40 / 48, 32 / 48, 26 / 48, 20 / 48, 16 / 48), "{px:.0f}",
               "cells a side, of 48", _pixelation),
    Corruption("gamma", "light", "Gamma", (1.3, 1.7, 2.2, 2.8, 3.5), "{:.1f}", "exponent, or 1 over it", _gamma),
    Corruption("contrast", "light", "Low contrast", (0.7, 0.5, 0.35, 0.22, 0.12), "{:.0%}", "of the contrast left",
               _contrast),
    Corruption("side_light", "light", "Light from a side", (0.25, 0.4, 0.55, 0.7, 0.85), "±{:.0%}",
               "brightness at the edges", _side_light),
    Corruption("eyes", "occlusion", "Eyes covered", (0.1, 0.16, 0.22, 0.28, 0.34), "{:.0%}", "of the height", _eyes),
    Corruption("mouth", "occlusion", "Mouth covered", (0.1, 0.16, 0.22, 0.28, 0.34), "{:.0%}", "of the height",
               _mouth),
    Corruption("half", "occlusion", "One side covered", (0.1, 0.2, 0.3, 0.4, 0.5), "{:.0%}", "of the width", _half),
    Corruption("rotation", "crop", "Turned", (10, 15, 20, 25, 30), "±{:.0f}°", "angle", _rotation),
    Corruption("shift", "crop", "Shifted", (2 / 48, 3 / 48, 4 / 48, 5 / 48, 6 / 48), "±{px:.0f}", "px of 48", _shift),
    Corruption("scale", "crop", "Scaled", (0.03, 0.06, 0.09, 0.12, 0.15), "±{:.0%}", "of the size", _scale),
)  # fmt: skip
CORRUPTIONS: Mapping[str, Corruption] = MappingProxyType({each.name: each for each in _ALL})
"""All corruptions by name, family after family, with their amplitudes."""
