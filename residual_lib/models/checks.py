"""Checks of the arguments that the families share."""

from __future__ import annotations

from torch import Tensor


def check_depth(depth: int) -> int:
    """Return how many blocks of two layers a stack of `depth` layers has.

    A stem and a head are two of the layers: depth = 2 + 2 x blocks (He et al. 2015, section 4.2,
    has 6n + 2 for its three stages of n blocks).
    """
    if not isinstance(depth, int) or isinstance(depth, bool) or depth < 2 or depth % 2:
        raise ValueError(
            f"depth must be an even whole number from 2 (stem, head, 2 a block), got {depth!r}"
        )
    return (depth - 2) // 2


def check_starts(skip: bool, **options: object) -> None:
    """Raise ValueError if an option that makes branches small is chosen where there is no skip.

    Nothing would be left of the signal.
    """
    chosen = {name: value for name, value in options.items() if value}
    if chosen and not skip:
        name, value = next(iter(chosen.items()))
        raise ValueError(f"{name} needs skip=True, got {name}={value!r} in a plain network")


def check_tokens(idx: Tensor, block_size: int, start: int = 0) -> None:
    """Raise ValueError unless `idx` are whole numbers (batch, positions) that fit behind `start`.

    Whether each is below the vocabulary's size is left to the embedding: to look would make a GPU
    wait at every pass.
    """
    if idx.is_floating_point() or idx.ndim != 2:
        raise ValueError(
            "idx must be whole numbers of the shape (batch, positions), "
            f"got {idx.dtype} of {tuple(idx.shape)}"
        )
    end = start + idx.shape[1]
    if not start < end <= block_size:
        raise ValueError(f"idx must have 1 to {block_size} positions (block_size), got {end}")
