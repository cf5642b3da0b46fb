"""Where to compute."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_KINDS = ("cuda", "mps", "cpu")


def pick_device(name: str | torch.device = "auto") -> torch.device:
    """Return the device of that name, or for 'auto' the best there is: cuda, then mps, then cpu.

    Raises:
        ValueError: there is no such device here; the message says which there are.
    """
    here = [kind for kind in _KINDS if _is_here(kind)]
    if name == "auto":
        return torch.device(here[0])
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError):
        device = None
    if device is None or device.type not in here or (device.index or 0) >= _count(device.type):
        raise ValueError(f"device must be 'auto' or one of {here} here, got {str(name)!r}")
    return device


def _is_here(kind: str) -> bool:
    if kind == "cuda":
        return torch.cuda.is_available()
    return kind == "cpu" or torch.backends.mps.is_available()


def _count(kind: str) -> int:
    return torch.cuda.device_count() if kind == "cuda" else 1


@contextmanager
def random_state_kept(device: torch.device) -> Iterator[None]:
    """Give PyTorch's random generators back as they were, that of `device` included."""
    on_device = {"cuda": torch.cuda, "mps": torch.mps}.get(device.type)
    state = torch.get_rng_state(), on_device and on_device.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(state[0])
        if on_device:
            on_device.set_rng_state(state[1])
