"""Changes of images that leave their meaning, for a whole batch at once, on its device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
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
    padded = F.pad(x, (pad,) * 4)
    which = torch.arange(batch, device=device)
    # One gather: indices on axes 0, 2 and 3 put the channels last.
    picked = padded[which[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return picked.permute(0, 3, 1, 2).contiguous()


def elastic(
    x: Tensor, y: Tensor, generator: torch.Generator, *, grid: int = 3, sigma: float = 10.0
) -> tuple[Tensor, Tensor]:
    """Bend each image, and its labels alike, as if it were printed on rubber.

    Ronneberger et al. 2015 (arXiv 1505.04597), section 3.1: random displacements on a coarse grid,
    and between them by bicubic interpolation. What comes from outside of the image is mirrored.

    Args:
        x: ``(B, C, H, W)``, of real numbers.
        y: labels ``(B, H, W)``, of whole numbers, or anything else for `displace`.
        generator: of random numbers, on the device of `x`.
        grid: points on each axis, the outermost in the image's corners.
        sigma: standard deviation of their displacements along each axis, in pixels.

    Returns:
        New tensors of the shapes of `x` and `y`.

    Raises:
        ValueError: `grid` or `sigma` is out of its range.
    """
    field = displacements(len(x), x.shape[2:], generator, grid=grid, sigma=sigma)
    return displace(x, field), displace(y, field)


def displacements(
    batch: int,
    size: Sequence[int],
    generator: torch.Generator,
    *,
    grid: int = 3,
    sigma: float = 10.0,
) -> Tensor:
    """Draw smooth random displacements ``(batch, 2, H, W)`` in pixels: of rows, then of columns.

    Args:
        batch: how many.
        size: ``(H, W)``.
        generator, grid, sigma: as for `elastic`.

    Raises:
        ValueError: `grid` or `sigma` is out of its range.
    """
    if not isinstance(grid, int) or grid < 2:
        raise ValueError(f"grid must be a whole number from 2, got {grid!r}")
    if not sigma >= 0:
        raise ValueError(f"sigma must be 0 or above, got {sigma!r}")
    shape = (batch, 2, grid, grid)
    coarse = sigma * torch.randn(shape, generator=generator, device=generator.device)
    return F.interpolate(coarse, size=tuple(size), mode="bicubic", align_corners=True)


def displace(x: Tensor, field: Tensor) -> Tensor:
    """Give each pixel the value that lies a displacement further.

    Args:
        x: ``(B, C, H, W)`` or ``(B, H, W)``. Real numbers are interpolated linearly; of whole
            numbers (up to 2^24) the nearest is taken, so that no label is invented.
        field: ``(B, 2, H, W)``, of rows and columns, in pixels.

    Returns:
        A new tensor of the shape and type of `x`. Beyond its border an image is mirrored.
    """
    height, width = x.shape[-2:]
    rows = torch.arange(height, device=x.device)[:, None] + field[:, 0]
    columns = torch.arange(width, device=x.device) + field[:, 1]
    # PyTorch counts columns first, and from -1 at the first to 1 at the last.
    ends = [max(1, n - 1) / 2 for n in (width, height)]
    where = torch.stack([columns / ends[0] - 1, rows / ends[1] - 1], dim=-1)
    real = x.is_floating_point()
    values = x if x.dim() == 4 else x.unsqueeze(1)
    y = F.grid_sample(
        values if real else values.to(where.dtype),
        where.to(x.dtype) if real else where,
        mode="bilinear" if real else "nearest",
        padding_mode="reflection",
        align_corners=True,
    )
    return y.reshape(x.shape).to(x.dtype)
