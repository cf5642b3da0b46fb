"""How often a model is right on images."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn
from tqdm.auto import tqdm

from residual_lib.data.images import ImageFolder, ImageTensor
from residual_lib.train import pick_device

#: Mean and standard deviation of each channel, of pixels from 0 to 1: what most public weights
#: were trained with. CIFAR-10's own are those of its training set.
NORMALISATIONS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}


def evaluate(
    model: nn.Module,
    images: ImageFolder | ImageTensor,
    *,
    normalise: str | tuple[Sequence[float], Sequence[float]] = "imagenet",
    batch_size: int = 128,
    limit: int | None = None,
    device: str = "auto",
    progress: bool = True,
) -> dict[str, float]:
    """Return how often the model's best guess, and one of its best five, is right.

    Args:
        model: (B, 3, H, W) -> (B, classes). It is left on `device`, in evaluation mode.
        images: see `residual_lib.data.images.open_images`.
        normalise: one of `NORMALISATIONS`, or a mean and a standard deviation for each channel.
            It must be what the weights were trained with: no file says so.
        batch_size: images at once.
        limit: only so many, the first ones. Default: all.
        device: for `residual_lib.train.pick_device`.
        progress: show a bar.

    Returns:
        ``images``, how many there were; ``top1`` and ``top5``, fractions from 0 to 1 (without
        ``top5`` where there are five classes or fewer); ``loss``, the mean cross-entropy in nats.

    Raises:
        ValueError: an argument is wrong, or the model has fewer outputs than there are classes.
    """
    if isinstance(normalise, str):
        if normalise not in NORMALISATIONS:
            raise ValueError(
                f"normalise must be one of {', '.join(NORMALISATIONS)}, got {normalise!r}"
            )
        normalise = NORMALISATIONS[normalise]
    if batch_size < 1 or (limit is not None and limit < 1):
        raise ValueError(f"batch_size and limit must be from 1, got {batch_size} and {limit}")
    place = pick_device(device)
    mean, std = (torch.tensor(values, device=place).view(-1, 1, 1) for values in normalise)
    model = model.to(place).eval()
    total = min(len(images), limit or len(images))
    sums = {"top1": 0.0, "top5": 0.0, "loss": 0.0}
    with torch.no_grad(), tqdm(total=total, unit="image", disable=not progress) as bar:
        for x, y in images.batches(batch_size, limit):
            logits = model((x.to(place).float() / 255 - mean) / std)
            y = y.to(place)
            classes = logits.shape[1]
            if classes < len(images.classes):
                raise ValueError(
                    f"model must have an output for each of {len(images.classes)} classes, "
                    f"got {classes}"
                )
            sums["loss"] += F.cross_entropy(logits, y, reduction="sum").item()
            best = logits.topk(min(5, classes), dim=1).indices == y[:, None]
            sums["top1"] += best[:, 0].sum().item()
            sums["top5"] += best.any(1).sum().item()
            bar.update(len(x))
    if classes <= 5:
        del sums["top5"]
    return {"images": total, **{name: value / total for name, value in sums.items()}}
