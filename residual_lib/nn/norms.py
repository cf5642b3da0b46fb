"""Normalisations by name, for vectors, sequences and images alike."""

from __future__ import annotations

from torch import nn

NORMS = ("batch", "layer")
_BATCH = {0: nn.BatchNorm1d, 1: nn.BatchNorm1d, 2: nn.BatchNorm2d}


def create_norm(name: str | None, channels: int, *, dims: int = 0) -> nn.Module:
    """Return a normalisation of `channels` channels on axis 1.

    Args:
        name: ``"batch"`` (Ioffe and Szegedy 2015: each channel over batch and positions),
            ``"layer"`` (Ba et al. 2016: each example over its channels and positions; a
            GroupNorm of one group, which for vectors is LayerNorm), or None for the identity.
        channels: number of channels.
        dims: number of position axes: 0 for vectors (B, C), 1 for (B, C, L), 2 for (B, C, H, W).

    Raises:
        ValueError: `name` or `dims` is none of the above.
    """
    if name is None:
        return nn.Identity()
    if name not in NORMS:
        raise ValueError(f"norm_layer must be one of {list(NORMS)} or None, got {name!r}")
    if dims not in _BATCH:
        raise ValueError(f"dims must be 0, 1 or 2, got {dims!r}")
    return _BATCH[dims](channels) if name == "batch" else nn.GroupNorm(1, channels)
