"""Tiles and chunks: means, peaks and gaps by hand, at every level."""

from __future__ import annotations

import numpy as np
import pytest

from fer_core.errors import InputError
from fer_core.video.tiles import TILE, Course, Pyramid


def course(position: list[int], happy: list[float], *, doubtful: list[bool] | None = None) -> Course:
    """A person of two emotions, the first given, the other the rest."""
    p = np.stack([np.array(happy), 1 - np.array(happy)], axis=1).astype(np.float32)
    n = len(position)
    reasons = np.where(doubtful or [False] * n, 4, 0).astype(np.uint16)
    differs = np.zeros((n, 2), bool)
    return Course(0, np.array(position), p, p, np.array(doubtful or [False] * n), reasons, differs, p[:, :1])


def test_buckets_of_a_variable_rate_by_hand() -> None:
    """Frames at 0, 1, 2 and 4 s; buckets of 2 s; the person is away in the third frame."""
    start, end = np.array([0.0, 1, 2, 4]), np.array([1.0, 2, 4, 5])
    pyramid = Pyramid(start, end, [course([0, 1, 3], [0.2, 0.8, 0.6], doubtful=[False, True, False])])
    assert pyramid.width_s == 2.0  # two typical frames
    buckets = pyramid.levels[0][0]
    np.testing.assert_allclose(buckets.seen, [1, 0, 0.5])
    np.testing.assert_allclose(buckets.mean[:, 0], [0.5, 0, 0.6])
    np.testing.assert_allclose(buckets.lines[:, 0], [0.5, 0, 0.6])
    np.testing.assert_allclose(buckets.low[:, 0], [0.2, 0, 0.6])
    np.testing.assert_allclose(buckets.high[:, 0], [0.8, 0, 0.6])
    np.testing.assert_allclose(buckets.doubtful, [0.5, 0, 0])
    assert buckets.reasons.tolist() == [4, 0, 0]
    coarse = buckets.coarser()
    np.testing.assert_allclose(coarse.seen, [0.5, 0.25])
    np.testing.assert_allclose(coarse.mean[:, 0], [0.5, 0.6])
    np.testing.assert_allclose(coarse.low[:, 0], [0.2, 0.6])  # a bucket in which nobody is seen has no minimum


def test_a_frame_counts_in_every_bucket_that_it_touches() -> None:
    start, end = np.array([0.0, 1, 2, 3]), np.array([1.0, 2, 3, 6.5])
    buckets = Pyramid(start, end, [course([0, 3], [0.0, 1.0])]).levels[0][0]
    np.testing.assert_allclose(buckets.seen, [0.5, 0.5, 1, 0.25])
    np.testing.assert_allclose(buckets.mean[:, 0], [0, 1, 1, 1])


@pytest.fixture(scope="module")
def hour() -> Pyramid:
    """An hour at 30 frames/s: flat 0.1 with a single frame of 0.9, and a minute away."""
    rng = np.random.default_rng(0)
    n = 108_000
    p = np.full(n, 0.1) + rng.uniform(0, 0.01, n)
    p[54_321] = 0.9
    position = np.delete(np.arange(n), np.arange(1800, 3600))
    start = np.arange(n) / 30
    return Pyramid(start, start + 1 / 30, [course(position.tolist(), p[position].tolist())])


def test_a_peak_of_one_frame_is_in_every_level(hour: Pyramid) -> None:
    assert len(hour.levels) == 8 and len(hour.levels[-1][0].seen) <= TILE
    for level, people in enumerate(hour.levels):
        peak = int(people[0].high[:, 0].argmax())
        assert people[0].high[peak, 0] == np.float32(0.9)
        width = hour.width_s * 2**level
        assert peak * width <= 54_321 / 30 < (peak + 1) * width
        assert people[0].low[people[0].seen > 0, 0].min() >= 0.1


def test_every_level_has_the_same_mean_and_the_same_time_seen(hour: Pyramid) -> None:
    course = hour.courses[0]
    for level, people in enumerate(hour.levels):
        width = hour.width_s * 2**level
        assert people[0].seen.sum() * width == pytest.approx(len(course.position) / 30, rel=1e-4)
        mean = np.average(people[0].mean[:, 0], weights=people[0].seen)
        assert mean == pytest.approx(course.p[:, 0].mean(), rel=1e-4)


def test_tiles_cover_a_level_without_overlap(hour: Pyramid) -> None:
    whole, level = hour.levels[2][0], 2
    tiles = [hour.tile(level, i) for i in range(-(-len(whole.seen) // TILE))]
    joined = np.concatenate([tile[0].mean if 0 in tile else np.zeros((TILE, 2)) for tile in tiles])
    np.testing.assert_allclose(joined, whole.mean)
    for wrong in ((-1, 0), (99, 0), (0, -1)):
        with pytest.raises(InputError, match="no tile"):
            hour.tile(*wrong)
    assert hour.tile(level, 10**6) == {}


def test_chunks_hold_every_frame_once(hour: Pyramid) -> None:
    chunks = [hour.chunk(i) for i in range(hour.n_chunks)]
    assert sum(span.stop - span.start for span, _ in chunks) == len(hour.start)
    assert sum(people[0].stop - people[0].start for _, people in chunks if 0 in people) == len(hour.courses[0].position)
    assert 0 not in hour.chunk(4)[1]  # frames 2048-2559 lie in the minute away
    with pytest.raises(InputError, match="no chunk"):
        hour.chunk(hour.n_chunks)


def test_a_picture_and_an_empty_timeline_have_a_level_too() -> None:
    one = Pyramid(np.array([0.0]), np.array([0.0]), [course([0], [0.7])])
    assert one.levels[0][0].high[0, 0] == np.float32(0.7) and one.n_chunks == 1
    empty = Pyramid(np.zeros(0), np.zeros(0))
    assert empty.levels == [{}] and empty.chunk(0) == (slice(0, 0), {})


def test_shapes_are_checked() -> None:
    good = course([0, 1], [0.1, 0.2])
    with pytest.raises(ValueError, match="n = 1"):
        Course(0, good.position[:1], good.p, good.raw, good.doubtful, good.reasons, good.differs, good.lines)
