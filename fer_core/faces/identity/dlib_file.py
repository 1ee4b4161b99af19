"""The numbers in the file of dlib's face recognition network, read by what they have to be.

dlib writes a network as a stream: the version of every layer from the last one inwards, then what each layer holds from
the first one outwards (``dlib/serialize.h``, ``dlib/dnn/core.h`` and ``layers.h`` of https://github.com/davisking/dlib;
``anet_type`` of its example ``dnn_face_recognition_ex.cpp`` is this network). An integer is a byte that says of how
many bytes it is, with the highest bit for a minus, and those, the lowest first; a real number is an integer and a power
of two; a text is its length and its bytes; a tensor is its version, four sizes and float32.

Nothing in the file decides what happens: the walk knows every value but the weights, and the first one that is another
ends it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_core.errors import InputError
from fer_core.faces.records import ArrayF

SHA256 = "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
BYTES = 22_466_066
"""Of the one file there is; see ``docs/identity.md``."""
SIZE, CHANNELS, NUMBERS = 150, 3, 128
"""Side of a picture in px, its channels, and how many numbers a face becomes."""
MEANS = np.array([122.782, 117.001, 104.298], np.float32)
"""Of the channels R, G and B, 0-255."""
BLOCKS = [(32, False)] * 3 + [(64, True)] + [(64, False)] * 3 + [(128, True)] + [(128, False)] * 2 + [(256, True)]
BLOCKS += [(256, False)] * 2 + [(256, True)]
"""Filters of every block from the first to the last, and whether it halves the picture."""
_LAYER, _TAG, _FIRST_LAYER, _LOSS, _TENSOR, _ALIAS = 2, 1, 3, 1, 2, 1
"""Versions in the file."""


@dataclass(frozen=True)
class Convolution:
    """One convolution and the scaling of its channels after it, as one.

    Attributes:
        weights: float32 (filters, channels, side, side).
        bias: float32 (filters,).
        stride: 1 or 2. With 1 the picture keeps its size, with 2 nothing is added at its edges.
    """

    weights: ArrayF
    bias: ArrayF
    stride: int

    @property
    def padding(self) -> int:
        return self.weights.shape[2] // 2 if self.stride == 1 else 0


@dataclass(frozen=True)
class Weights:
    """What the network consists of: the first convolution, two for every one of ``BLOCKS``, and ``last`` (256, 128)."""

    convolutions: list[Convolution]
    last: ArrayF


def load_weights(path: Path) -> Weights:
    """The weights in the file.

    Raises:
        InputError: it is another file than the one that was published.
    """
    n = path.stat().st_size
    content = path.read_bytes() if n == BYTES else b""
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise _problem(f"{n:,} bytes, {BYTES:,} expected" if n != BYTES else "its checksum differs")
    return read_weights(content)


def read_weights(content: bytes) -> Weights:
    """The weights in the content of the file.

    Raises:
        InputError: it is not exactly that network, or damaged.
    """
    stream = _Stream(content)
    stream.integers(_LOSS)
    stream.texts("loss_metric_2")
    stream.reals(0.04, 0.6)
    stream.integers(*_versions())
    stream.texts("input_rgb_image_sized")
    stream.reals(*MEANS.tolist())
    stream.integers(SIZE, SIZE)
    convolutions = [stream.convolution(CHANNELS, 32, 7, stride=2, is_first=True)]
    stream.relu()
    stream.pool("max_pool_2", 3, 3, 2, 2, 0, 0)
    before = 32
    for filters, halves in BLOCKS:
        convolutions.append(stream.convolution(before, filters, 3, stride=2 if halves else 1))
        stream.relu()
        convolutions.append(stream.convolution(filters, filters, 3, stride=1, before_relu=False))
        if halves:
            stream.pool("avg_pool_2", 2, 2, 2, 2, 0, 0)
        stream.texts("add_prev_")
        stream.layer_end(before_relu=True)
        stream.relu()
        before = filters
    stream.pool("avg_pool_2", 0, 0, 1, 1, 0, 0)
    last = stream.last(before, NUMBERS)
    stream.end()
    return Weights(convolutions, last)


def _versions() -> Iterator[int]:
    """Of the layers from the last one inwards. Tags mark what a later layer adds."""
    yield from [_LAYER] * 2
    for _, halves in reversed(BLOCKS):
        yield from [_LAYER] * 2
        yield from [_LAYER, _TAG, _TAG] * halves
        yield from [_LAYER] * 5
        yield _TAG
    yield from [_LAYER] * 3
    yield _FIRST_LAYER


class _Stream:
    """The content from its start on; whatever is not as expected raises."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def integers(self, *wanted: int) -> None:
        for each in wanted:
            self._expect(_integer(each))

    def texts(self, *wanted: str) -> None:
        for each in wanted:
            self._expect(_integer(len(each)) + each.encode())

    def reals(self, *wanted: float) -> None:
        """Each as float32."""
        for each in wanted:
            mantissa, exponent = self._integer(), self._integer()
            if abs(exponent) > 64 or np.float32(mantissa * 2.0**exponent) != np.float32(each):
                raise self._problem()

    def convolution(
        self, channels: int, filters: int, side: int, *, stride: int, before_relu: bool = True, is_first: bool = False
    ) -> Convolution:
        """``con`` and ``affine`` as one; the first layer says also how many pictures it makes of one."""
        padding = side // 2 if stride == 1 else 0
        self.texts("con_4")
        numbers = self._tensor(filters * channels * side * side + filters)
        self.integers(filters, side, side, stride, stride, padding, padding)
        self._aliases((filters, channels, side, side), (1, filters, 1, 1))
        self._learning_rates()
        self.layer_end()
        self.integers(*[1] * is_first)
        self.texts("affine_")
        scale, shift = self._tensor(2 * filters).reshape(2, filters).astype(np.float64)
        self._aliases((1, filters, 1, 1), (1, filters, 1, 1))
        self.integers(0)
        self.layer_end(before_relu=before_relu)
        weights = numbers[:-filters].reshape(filters, channels, side, side) * scale[:, None, None, None]
        bias = numbers[-filters:] * scale + shift
        return Convolution(weights.astype(np.float32), bias.astype(np.float32), stride)

    def relu(self) -> None:
        self.texts("relu_")
        self.layer_end()

    def pool(self, name: str, *sizes: int) -> None:
        """Height and width of its window, its strides, and what is added at the edges."""
        self.texts(name)
        self.integers(*sizes)
        self.layer_end()

    def last(self, inputs: int, outputs: int) -> ArrayF:
        """A full layer without a bias (inputs, outputs)."""
        self.texts("fc_2")
        self.integers(outputs, inputs)
        numbers = self._tensor(inputs, outputs)
        self._aliases((inputs, outputs, 1, 1), (0, 0, 0, 0))
        self.integers(1)
        self._learning_rates()
        self.layer_end()
        return numbers.reshape(inputs, outputs)

    def layer_end(self, *, before_relu: bool = False) -> None:
        """Three flags, and three tensors that only training fills."""
        self._expect(b"111" if before_relu else b"110")
        self.integers(*[_TENSOR, 0, 0, 0, 0] * 3)

    def end(self) -> None:
        if self._at != len(self._content):
            raise self._problem()

    def _aliases(self, *shapes: tuple[int, int, int, int]) -> None:
        """Which parts of the tensor before are what."""
        for shape in shapes:
            self.integers(_ALIAS, *shape)

    def _learning_rates(self) -> None:
        self.reals(1, 1, 1, 0)

    def _tensor(self, samples: int, channels: int = 1) -> ArrayF:
        self.integers(_TENSOR, samples, channels, 1, 1)
        numbers = np.frombuffer(self._take(4 * samples * channels), "<f4").astype(np.float32)
        if not np.isfinite(numbers).all():
            raise self._problem()
        return numbers

    def _integer(self) -> int:
        (control,) = self._take(1)
        if control & 0x7F > 4:
            raise self._problem()
        value = int.from_bytes(self._take(control & 0x7F), "little")
        return -value if control & 0x80 else value

    def _expect(self, wanted: bytes) -> None:
        if self._take(len(wanted)) != wanted:
            raise self._problem()

    def _take(self, n: int) -> bytes:
        taken = self._content[self._at : self._at + n]
        if len(taken) != n:
            raise self._problem()
        self._at += n
        return taken

    def _problem(self) -> InputError:
        return _problem(f"near byte {self._at:,} of {len(self._content):,}")


def _problem(where: str) -> InputError:
    return InputError(
        f"The weights of dlib's face recognition network are damaged or others ({where}); install the package "
        "face_recognition_models again."
    )


def _integer(value: int) -> bytes:
    """A number from 0 on, as dlib writes it."""
    n = max((value.bit_length() + 7) // 8, 1)
    return bytes([n]) + value.to_bytes(n, "little")
