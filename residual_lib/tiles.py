"""Images larger than memory, a tile at a time.

Ronneberger et al. 2015 (arXiv 1505.04597), section 2 and figure 2: the overlap-tile strategy. The
network sees each tile with its surroundings, and only the tile itself is kept, so the seams don't
show. Where the surroundings lie outside of the image, the image is mirrored.
"""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor
from tqdm.auto import tqdm

from residual_lib.models import UNet


@torch.no_grad()
def predict_in_tiles(model: UNet, x: Tensor, *, tile: int = 256, progress: bool = True) -> Tensor:
    """Return the model's output for each position of `x`, computed a tile at a time.

    A network without padding gives what it gives for the whole image mirrored at its border. A
    padded one gives what it gives for the whole image, but for positions nearer to the border than
    ``model.context + model.alignment``: they may see mirrored pixels in the place of its padding's
    zeros. Both hold because a tile begins at a multiple of ``model.alignment``, where max-pooling
    pairs positions as it does in the whole image. Neither holds with ``norm_layer="layer"``, whose
    means are taken over what the network sees.

    Args:
        model: on any device. It is left in evaluation mode.
        x: ``(batch, in_chans, ...)``, on any device, such as the CPU's larger memory.
        tile: positions of a tile on each axis, a multiple of ``model.alignment``. What the network
            sees at once is longer by twice its context (2 x 92 for ``unet_2015``).
        progress: whether to show a bar.

    Returns:
        ``(batch, num_classes, ...)``, with the size and on the device of `x`.

    Raises:
        ValueError: `tile` is no multiple of the model's alignment.
    """
    if not isinstance(tile, int) or tile < 1 or tile % model.alignment:
        raise ValueError(f"tile must be a multiple of {model.alignment}, got {tile!r}")
    model.eval()
    place = next(model.parameters()).device
    seen = tile + 2 * model.context
    while model.output_size(seen) < tile:
        seen += 1
    # From where in a tile's output it is what the whole image would give.
    first = model.context - model.lost
    sizes = x.shape[2:]
    output: Tensor | None = None
    corners = list(product(*(range(0, size, tile) for size in sizes)))
    for corner in tqdm(corners, desc="tiles", disable=not progress, leave=False):
        part = x
        for axis, (begin, size) in enumerate(zip(corner, sizes, strict=True), start=2):
            positions = torch.arange(seen, device=x.device) + begin - model.context
            part = part.index_select(axis, mirrored(positions, size))
        y = model(part.to(place)).to(x.device)
        if output is None:
            output = y.new_empty(*y.shape[:2], *sizes)
        target = output
        for axis, (begin, size) in enumerate(zip(corner, sizes, strict=True), start=2):
            length = min(tile, size - begin)
            y, target = y.narrow(axis, first, length), target.narrow(axis, begin, length)
        target.copy_(y)
    assert output is not None
    return output


def mirrored(positions: Tensor, size: int) -> Tensor:
    """Positions on an endless axis -> those in an image of `size` that is mirrored at its ends.

    The outermost pixel isn't repeated: -1 is 1, and `size` is ``size - 2``. The mirror images are
    mirrored in turn, so any distance will do.
    """
    period = max(1, 2 * (size - 1))
    positions = positions % period
    return torch.minimum(positions, (period - positions) % max(period, size))
