"""The loss and the error by formula, at positions that count and at those that don't."""

import pytest
import torch
from torch.func import vmap

from residual_lib.objective import IGNORED, answers, error, loss


def by_hand(output, target):
    """Mean over what counts of log sum exp minus the right one's logit, and of being wrong."""
    losses, wrong = [], []
    for example, classes in zip(output, target, strict=True):
        columns = example.reshape(len(example), -1).T
        for logits, right in zip(columns, classes.flatten().tolist(), strict=True):
            if right != IGNORED:
                losses.append(logits.exp().sum().log() - logits[right])
                wrong.append(float(logits.argmax().item() != right))
    return torch.stack(losses).mean(), sum(wrong) / len(wrong)


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 5), (3, 4, 5, 2)])
@pytest.mark.parametrize("last", [False, True])
def test_classes_on_axis_1_whatever_lies_side_by_side(shape, last):
    """A view with the classes last in memory, as of a language model, gives the same."""
    torch.manual_seed(0)
    output = torch.randn(shape, dtype=torch.float64)
    if last:
        output = output.movedim(1, -1).contiguous().movedim(-1, 1)
    output.requires_grad_()
    target = torch.randint(4, shape[:1] + shape[2:])
    target.view(-1)[::3] = IGNORED
    expected, share = by_hand(output, target)
    torch.testing.assert_close(loss(output, target), expected)
    assert error(output, target).item() == pytest.approx(share)
    assert answers(target) == (target != IGNORED).sum()
    (ours,) = torch.autograd.grad(loss(output, target), output)
    (theirs,) = torch.autograd.grad(expected, output)
    torch.testing.assert_close(ours, theirs)
    stacked = torch.stack((output, 2 * output))
    torch.testing.assert_close(vmap(loss, in_dims=(0, None))(stacked, target)[0], expected)
    assert vmap(error, in_dims=(0, None))(stacked, target).tolist() == pytest.approx([share] * 2)


def test_targets_of_reals():
    output, target = torch.tensor([[1.0], [-100.0]]), torch.tensor([[3.0], [-100.0]])
    assert loss(output, target).item() == 2
    assert answers(target) == 2
