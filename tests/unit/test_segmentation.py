"""Measures of segmentations: against cases by hand, and against scikit-learn and brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from sklearn.metrics import jaccard_score, pair_confusion_matrix

from residual_lib import segmentation as seg


def mask(text):
    return np.array([[letter == "#" for letter in row] for row in text.split()])


def drawn(seed, share=0.6, size=9):
    return np.random.default_rng(seed).random((size, size)) < share


@pytest.mark.parametrize("seed", range(4))
def test_iou_is_scikit_learns(seed):
    p, t = drawn(seed), drawn(seed + 10, 0.4)
    assert seg.iou(p, t) == pytest.approx(jaccard_score(t.ravel(), p.ravel()))


def test_overlap_by_hand():
    p, t = mask("##.. ##.."), mask(".##. .##.")
    assert seg.iou(p, t) == pytest.approx(2 / 6)
    assert seg.pixel_error(p, t) == 0.5
    empty = np.zeros((2, 4), bool)
    assert seg.iou(empty, empty) == 1
    assert seg.iou(empty, t) == 0


def test_a_boundary_is_inside_and_the_images_border_is_none():
    block = mask("..... .###. .###. .###. .....")
    assert (seg.boundary(block) == mask("..... .###. .#.#. .###. .....")).all()
    assert not seg.boundary(np.ones((4, 4))).any()


def test_boundary_f_score_by_hand():
    t = np.zeros((12, 12), bool)
    t[3:9, 3:9] = True
    shifted = np.roll(t, 2, axis=1)
    assert seg.boundary_f_score(t, t, tolerance=0) == 1
    # 20 pixels each; of either outline the 2 x 3 pixels of the rows that go along, and the two
    # corners' columns, meet: rows 3 and 8 share columns 5 to 8.
    assert seg.boundary_f_score(shifted, t, tolerance=0) == pytest.approx(8 / 20)
    assert seg.boundary_f_score(shifted, t, tolerance=2) == 1
    empty = np.zeros_like(t)
    assert seg.boundary_f_score(empty, empty) == 1
    assert seg.boundary_f_score(empty, t) == 0


@pytest.mark.parametrize("tolerance", [0, 1, 1.5, 3])
def test_boundary_f_score_by_all_distances(tolerance):
    p, t = drawn(1), drawn(2)
    points = [np.argwhere(seg.boundary(one)) for one in (p, t)]
    apart = np.linalg.norm(points[0][:, None] - points[1][None], axis=-1)
    precision, recall = ((apart.min(axis=axis) <= tolerance).mean() for axis in (1, 0))
    expected = 2 * precision * recall / (precision + recall)
    assert seg.boundary_f_score(p, t, tolerance=tolerance) == pytest.approx(expected)


def test_thin_parts_are_where_no_square_fits():
    found = seg.thin_parts(mask(".......  .......  ..###..  ..###..  ..####.  .......  ......."))
    assert found.sum() == 1
    assert found[4, 5]
    # What the border cuts may go on beyond it.
    assert not seg.thin_parts(mask("###. ###. ###. ....")).any()


def test_thin_recall_by_hand():
    truth = mask("..... ..... ##### ..... .....")
    half = mask("..... ..... ##... ..... .....")
    assert seg.thin_recall(half, truth) == pytest.approx(0.4)
    assert seg.thin_recall(np.ones_like(truth), truth) == 1
    assert seg.thin_recall(np.roll(truth, 1, axis=0), truth) == 0
    assert math.isnan(seg.thin_recall(truth, np.zeros_like(truth)))


def brute_rand(predicted, truth):
    """The score from all ordered pairs of pixels, a pixel with itself included."""
    s, t = seg.cells(predicted), seg.cells(truth)
    pixels = np.argwhere(t > 0)
    both = in_s = in_t = 0
    for a, b in itertools.product(pixels, pixels):
        same_t = t[tuple(a)] == t[tuple(b)]
        same_s = (a == b).all() or (s[tuple(a)] == s[tuple(b)] > 0)
        both += same_s and same_t
        in_s += same_s
        in_t += same_t
    return both / (in_s / 2 + in_t / 2)


@pytest.mark.parametrize("seed", range(4))
def test_rand_score_by_all_pairs(seed):
    p, t = drawn(seed, 0.7), drawn(seed + 5, 0.6)
    assert seg.rand_score(p, t) == pytest.approx(brute_rand(p, t))


def test_rand_score_by_hand():
    truth = mask("##.## ##.##")
    assert seg.rand_score(truth, truth) == 1
    # Merged: 8 pixels together, 4 + 4 of the pairs right: 32 / (64 / 2 + 32 / 2).
    merged = mask("##### ##.##")
    assert seg.rand_score(merged, truth) == pytest.approx(32 / 48)
    # Nothing predicted: eight cells of one pixel.
    assert seg.rand_score(np.zeros_like(truth), truth) == pytest.approx(8 / (8 / 2 + 32 / 2))
    assert seg.rand_score(truth, np.zeros_like(truth)) == 1
    # Numbers that are given are kept: two cells without a gap.
    numbers = np.array([[1, 1, 2, 2]])
    assert seg.rand_score(numbers, numbers) == 1
    assert seg.rand_score(np.ones((1, 4), int), numbers) == pytest.approx(8 / (16 / 2 + 8 / 2))


def test_rand_score_is_of_scikit_learns_pairs():
    """Without pixels by themselves: counted pairs of different pixels, plus each with itself."""
    s, t = (np.random.default_rng(k).integers(1, 4, (6, 6)) for k in (0, 1))
    (_, in_s), (in_t, both) = pair_confusion_matrix(t.ravel(), s.ravel())
    n = s.size
    expected = (both + n) / ((both + in_s + n) / 2 + (both + in_t + n) / 2)
    assert seg.rand_score(s, t) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: seg.iou(np.ones((2, 2)), np.ones((2, 3))), r"shape of truth \(2, 3\), got"),
        (lambda: seg.rand_score(np.ones((2, 2)), np.ones((2, 3))), "shape of truth"),
        (lambda: seg.boundary_f_score([[1]], [[1]], tolerance=-1), "tolerance must be .* got -1"),
        (lambda: seg.thin_parts([[1]], width=1), "width must be .* got 1"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
