"""Read what enters and leaves the parts of a model, without touching the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass
class Taps:
    """What passed the tapped parts, by qualified name, in the order in which the model ran them."""

    inputs: dict[str, Tensor] = field(default_factory=dict)
    outputs: dict[str, Tensor] = field(default_factory=dict)


@contextmanager
def tap(parts: dict[str, nn.Module]) -> Iterator[Taps]:
    """Record each part's first input and its output while the context is open."""
    taps = Taps()

    def record(name: str):  # type: ignore[no-untyped-def]
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            taps.inputs[name] = inputs[0]
            taps.outputs[name] = output

        return hook

    handles = [part.register_forward_hook(record(name)) for name, part in parts.items()]
    try:
        yield taps
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def runs_of(parts: Mapping[str, nn.Module]) -> Iterator[list[tuple[str, Tensor, Tensor]]]:
    """List name, first input and output of each part, each time that it has run."""
    runs: list[tuple[str, Tensor, Tensor]] = []

    def noting(name: str):  # type: ignore[no-untyped-def]
        def hook(part: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            runs.append((name, inputs[0], output))

        return hook

    handles = [part.register_forward_hook(noting(name)) for name, part in parts.items()]
    try:
        yield runs
    finally:
        for handle in handles:
            handle.remove()


def parts_of(model: nn.Module, kinds: tuple[type[nn.Module], ...]) -> dict[str, nn.Module]:
    """Return the parts of `model` that are of one of `kinds`, by qualified name.

    Raises:
        ValueError: there is none.
    """
    parts = {name: part for name, part in model.named_modules() if isinstance(part, kinds)}
    if not parts:
        raise ValueError(
            f"model must have a part of {[kind.__name__ for kind in kinds]}, got {type(model)}"
        )
    return parts


@contextmanager
def untouched(model: nn.Module, *, training: bool) -> Iterator[None]:
    """Run `model` in training or evaluation mode; put modes and buffers back at the end.

    Buffers, because BatchNorm moves its running statistics at every forward pass in training mode.
    """
    modes = {module: module.training for module in model.modules()}
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model.train(training)
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                buffer.copy_(buffers[name])
