"""Weights of pixels against equation 2 counted out, and the loss that uses them."""

import numpy as np
import pytest
import torch

from residual_lib.data.borders import border_weights
from residual_lib.objective import loss, weighted_loss


def counted_out(labels, w0, sigma, balance):
    """Equation 2 pixel by pixel: to a border is to the nearest pixel on its other side."""
    labels = np.asarray(labels)
    where = list(np.ndindex(labels.shape))
    cells = sorted(set(labels.ravel().tolist()) - {0})
    weights = np.ones(labels.shape)
    share = (labels != 0).mean()
    for at in where:
        if balance and 0 < share < 1:
            weights[at] = 1 / (2 * (share if labels[at] else 1 - share))
        distances = []
        for cell in cells:
            within = labels[at] == cell
            others = [np.subtract(at, p) for p in where if (labels[p] == cell) != within]
            distances.append(min(np.linalg.norm(step) for step in others))
        if len(distances) > 1:
            d1, d2 = sorted(distances)[:2]
            weights[at] += w0 * np.exp(-((d1 + d2) ** 2) / (2 * sigma**2))
    return torch.tensor(weights, dtype=torch.float32)


@pytest.mark.parametrize("balance", [True, False])
@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_weights_are_equation_2(number, balance):
    generator = torch.Generator().manual_seed(number)
    labels = torch.zeros(11, 9, dtype=torch.long)
    for cell in range(1, number + 1):
        top, left = torch.randint(0, 7, (2,), generator=generator).tolist()
        labels[top : top + 4, left : left + 3] = cell
    found = border_weights(labels, w0=7, sigma=2, balance=balance)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, counted_out(labels, 7, 2, balance))


def test_a_gap_by_hand():
    """Two cells with one pixel between them: d1 = d2 = 1, and w0 e^{-4 / 2 sigma^2} more."""
    labels = torch.tensor([3, 3, 0, 5, 5])
    weights = border_weights(labels, balance=False)
    assert weights[2].item() == pytest.approx(1 + 10 * np.exp(-4 / 50))
    assert weights.argmax() == 2
    assert border_weights(labels, balance=False, w0=0).tolist() == [1] * 5


def test_balance_gives_both_classes_the_same_sum():
    labels = torch.zeros(10, 10, dtype=torch.uint8)
    labels[2:5, 2:5] = 1
    weights = border_weights(labels)
    assert weights[labels == 1].sum().item() == pytest.approx(50)
    assert weights.mean().item() == pytest.approx(1)
    assert border_weights(torch.zeros(4, 4, dtype=torch.long)).tolist() == [[1] * 4] * 4
    assert border_weights(torch.ones(4, 4, dtype=torch.long)).tolist() == [[1] * 4] * 4


def test_weighted_loss_is_equation_1_over_the_pixels():
    output, weights = torch.randn(2, 3, 4, 5, dtype=torch.float64), torch.rand(2, 4, 5).double()
    target = torch.randint(0, 3, (2, 4, 5))
    chances = output.exp() / output.exp().sum(1, keepdim=True)
    right = chances.gather(1, target[:, None])[:, 0]
    expected = -(weights * right.log()).sum() / 40
    torch.testing.assert_close(weighted_loss(output, target, weights), expected)
    ones = torch.ones_like(weights)
    torch.testing.assert_close(weighted_loss(output, target, ones), loss(output, target))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: border_weights(torch.zeros(3, 3)), TypeError, "labels must be whole numbers"),
        (lambda: border_weights(torch.ones(3).long(), w0=-1), ValueError, "w0 must be .* got -1"),
        (lambda: border_weights(torch.ones(3).long(), sigma=0), ValueError, "sigma must .* got 0"),
        (
            lambda: weighted_loss(torch.zeros(2, 3, 4), torch.zeros(2, 4).long(), torch.ones(4)),
            ValueError,
            r"weights must have the shape of target \(2, 4\), got \(4,\)",
        ),
    ],
)
def test_wrong_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
