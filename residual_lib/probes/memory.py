"""How many bytes a training step holds: what autograd keeps, and the most at any moment.

Counted from shapes, tensor by tensor, not asked from the operating system: the numbers are the
same on every machine. A model and an input on the device ``"meta"`` have shapes and no numbers, so
that even a large network is counted in no time. Room that a kernel takes for itself isn't seen.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode


def kept_for_backward(model: nn.Module, x: Tensor) -> int:
    """Bytes that autograd holds between forward and backward pass, parameters and buffers aside.

    A tensor that several operations keep, or several views of one tensor, count once. The model
    runs once, in the mode it is in, with gradients.
    """
    storages: dict[int, torch.UntypedStorage] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        storages[_key(storage)] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = model(x)
    del output
    own = {_key(tensor.untyped_storage()) for tensor in _state(model)}
    return sum(storage.nbytes() for key, storage in storages.items() if key not in own)


def peak_memory(model: nn.Module, x: Tensor) -> int:
    """The most bytes at any moment of a forward and a backward pass, besides what was there before.

    The loss is the sum of the outputs. Gradients of the parameters count; input, parameters and
    buffers don't. Parameters' gradients are None at the end.
    """
    before = {_key(tensor.untyped_storage()) for tensor in (x, *_state(model))}
    with _Ledger(before) as ledger:
        model(x).sum().backward()
    for parameter in model.parameters():
        parameter.grad = None
    return ledger.most


@torch.no_grad()
def inference_memory(model: nn.Module, x: Tensor) -> int:
    """The most bytes at any moment of a forward pass in evaluation mode, besides what was there.

    Nothing is kept for a backward pass: what is there is what something still has to read. Input,
    parameters and buffers don't count. The model is left in the mode that it was in.
    """
    before = {_key(tensor.untyped_storage()) for tensor in (x, *_state(model))}
    modes = {part: part.training for part in model.modules()}
    try:
        with _Ledger(before) as ledger:
            model.eval()(x)
    finally:
        for part, mode in modes.items():
            part.training = mode
    return ledger.most


class _Ledger(TorchDispatchMode):
    """Counts the bytes of the storages that operations make, until they are let go."""

    def __init__(self, before: set[int]) -> None:
        super().__init__()
        self.before, self.now, self.most = before, 0, 0
        self.alive: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            storage = tensor.untyped_storage()
            key, size = _key(storage), storage.nbytes()
            if key in self.before or key in self.alive:
                continue
            self.alive.add(key)
            self.now += size
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self._let_go, key, size)
        return result

    def _let_go(self, key: int, size: int) -> None:
        self.alive.discard(key)
        self.now -= size


def _tensors(result: Any) -> Iterator[Tensor]:
    if isinstance(result, Tensor):
        yield result
    elif isinstance(result, (list, tuple)):
        for part in result:
            yield from _tensors(part)


def _state(model: nn.Module) -> Iterator[Tensor]:
    yield from model.parameters()
    yield from model.buffers()


def _key(storage: torch.UntypedStorage) -> int:
    return storage._cdata  # an address that storages without numbers have too
