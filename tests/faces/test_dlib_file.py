"""dlib's network as ONNX Runtime runs it: its numbers are dlib's own, and no other file is read."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from fer_core.data.drawn.faces import draw_face
from fer_core.errors import InputError
from fer_core.faces import cut_squares, fitted_squares, make_detector
from fer_core.faces.identity.describers import dlib_weights, make_describer
from fer_core.faces.identity.dlib_file import BYTES, load_weights, read_weights
from fer_core.faces.identity.dlib_resnet import DlibResnet

RGB = NDArray[np.uint8]
FIRST = np.array(
    [
        [-0.061808, 0.109259, 0.056822, -0.019269, -0.086358, -0.021517],
        [-0.060489, 0.114459, 0.072382, -0.017369, -0.085959, -0.013655],
        [-0.059807, 0.133809, 0.094816, -0.001822, -0.100857, -0.031611],
    ],
    np.float32,
)
"""What dlib 20.0.1 says of ``waves``: the first six numbers."""


def waves() -> RGB:
    """Three pictures (3, 150, 150, 3) by a formula."""
    y, x, channel = np.meshgrid(np.arange(150), np.arange(150), np.arange(3), indexing="ij")
    return np.stack(
        [(127 + 120 * np.sin(x / (7 + k) + channel) * np.cos(y / (11 + 2 * k))).astype(np.uint8) for k in range(3)]
    )


@pytest.fixture(scope="module")
def weights() -> Path:
    path = dlib_weights()
    assert path is not None
    return path


@pytest.fixture(scope="module")
def content(weights: Path) -> bytes:
    return weights.read_bytes()


def by_dlib(weights: Path, chips: RGB) -> NDArray[np.float32]:
    dlib = pytest.importorskip("dlib")
    network = dlib.face_recognition_model_v1(str(weights))
    return np.array([np.asarray(each) for each in network.compute_face_descriptor(list(chips))], np.float32)


def test_the_numbers_are_those_that_dlib_gave() -> None:
    np.testing.assert_allclose(make_describer().describe(waves())[:, :6], FIRST, atol=1e-5)


def test_numbers_are_dlibs(weights: Path) -> None:
    """Of noise, plain pictures and drawn faces."""
    random = np.random.default_rng(0)
    drawn = [draw_face(i % 7, random, size=(150, 150)) for i in range(2)]
    noise = random.integers(0, 256, (1, 150, 150, 3)).astype(np.uint8)
    plain = np.stack([np.full((150, 150, 3), value, np.uint8) for value in (0, 255)])
    chips = np.concatenate([drawn, noise, plain, waves()[:1]])
    np.testing.assert_allclose(make_describer().describe(chips), by_dlib(weights, chips), atol=1e-5)


@pytest.mark.nightly
def test_numbers_of_50_faces_are_dlibs(weights: Path, data_dir: Path) -> None:
    """Of a photograph with 29 people, upright and mirrored and darker."""
    picture = cv2.cvtColor(cv2.imread(str(data_dir / "trials" / "solvay1927.jpg")), cv2.COLOR_BGR2RGB)
    describer = make_describer()
    squares = fitted_squares(make_detector("mtcnn").detect([picture])[0].landmarks, describer.places)
    chips = np.stack([cut_squares(picture, square[None], describer.size)[0] for square in squares])
    varied = np.concatenate([chips, (chips[:, :, ::-1] * 0.6).astype(np.uint8)])[:50]
    assert len(varied) == 50
    np.testing.assert_allclose(describer.describe(varied), by_dlib(weights, varied), atol=1e-5)


def test_many_at_once_are_as_one_at_a_time() -> None:
    """More than a batch, and pictures that lie mirrored in memory."""
    describer, chips = make_describer(), np.concatenate([waves()] * 3)[:, :, ::-1]
    together = describer.describe(chips)
    np.testing.assert_allclose(together[:3], together[6:], atol=1e-6)
    np.testing.assert_allclose(
        together[:2], np.concatenate([describer.describe(chips[i : i + 1]) for i in range(2)]), atol=1e-6
    )


# --- no other file


@pytest.mark.parametrize("size", [0, 1000, BYTES])
def test_another_file_is_refused_before_it_is_read(tmp_path: Path, size: int) -> None:
    path = tmp_path / "w.dat"
    with path.open("wb") as file:
        file.truncate(size)
    with pytest.raises(InputError, match="damaged or others"):
        DlibResnet(path)


def test_one_changed_number_is_noticed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.dat"
    path.write_bytes(content[:-1000] + bytes([content[-1000] ^ 1]) + content[-999:])
    with pytest.raises(InputError, match="its checksum differs"):
        load_weights(path)


@pytest.mark.parametrize("end", [0, 1, 3, 40, 291, 336, 345, 19_000, 94_700, 22_334_902, BYTES - 1])
def test_a_truncated_file_is_refused(content: bytes, end: int) -> None:
    with pytest.raises(InputError, match="install the package"):
        read_weights(content[:end])


def test_more_than_the_network_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match=f"near byte {BYTES:,}"):
        read_weights(content + b"\0")


@pytest.mark.parametrize("bits", [0x01, 0x7F, 0x80, 0xFF])
@pytest.mark.parametrize(
    "at",
    [
        *(0, 2, 4),  # versions and names
        *(17, 18, 22),  # a real number: its length, its value, its power of two
        *(29, 289, 313),  # layers, the means
        *(341, 343, 346),  # the sizes of a tensor
        *(19_301, 19_357),  # filters, flags
        *(19_381, 94_701, 467_840),  # how many pictures of one, what is added, a window
        *(22_334_907, BYTES - 1),
    ],
)
def test_any_other_tag_or_size_is_refused(content: bytes, at: int, bits: int) -> None:
    """Whatever it says, nothing of that size is asked for: all sizes are known before."""
    changed = bytearray(content)
    changed[at] ^= bits
    with pytest.raises(InputError, match="near byte"):
        read_weights(bytes(changed))


def test_a_number_that_is_none_is_refused(content: bytes) -> None:
    start = 352
    changed = content[:start] + np.array(np.nan, "<f4").tobytes() + content[start + 4 :]
    with pytest.raises(InputError, match="near byte"):
        read_weights(changed)


def test_every_number_of_the_file_is_taken(content: bytes) -> None:
    """29 convolutions with a bias, their scalings and the last layer leave little of the file."""
    found = read_weights(content)
    assert len(found.convolutions) == 29 and found.last.shape == (256, 128)
    n = sum(each.weights.size + 3 * each.bias.size for each in found.convolutions) + found.last.size
    assert BYTES - 4 * n < 20_000
