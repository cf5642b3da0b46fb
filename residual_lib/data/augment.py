"""Changes of images that leave their meaning, for a whole batch at once, on its device."""

from __future__ import annotations

import torch
from torch import Tensor


def crop_and_flip(x: Tensor, generator: torch.Generator, *, pad: int = 4) -> Tensor:
    """Shift each image by up to `pad` pixels each way, and mirror half of them.

    Lee et al. 2015 (arXiv 1409.5185), as used by He et al. 2015, section 4.2: 4 pixels of zeros on
    each side, a random crop of the old size, or of the image mirrored.

    Args:
        x: ``(B, C, H, W)``, normalised, so that 0 is the mean.
        generator: of random numbers, on the device of `x`.
        pad: pixels of zeros on each side.

    Returns:
        A new tensor of the shape of `x`.
    """
    batch, _, height, width = x.shape
    device = x.device

    def draw(high: int) -> Tensor:
        return torch.randint(high, (batch, 1), generator=generator, device=device)

    rows = torch.arange(height, device=device) + draw(2 * pad + 1)
    columns = torch.arange(width, device=device) + draw(2 * pad + 1)
    columns = torch.where(draw(2) == 1, columns.flip(1), columns)
    padded = torch.nn.functional.pad(x, (pad,) * 4)
    which = torch.arange(batch, device=device)
    # One gather: indices on axes 0, 2 and 3 put the channels last.
    picked = padded[which[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return picked.permute(0, 3, 1, 2).contiguous()
