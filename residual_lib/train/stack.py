"""Many models of one architecture as one: a row of numbers a model.

A small network keeps a processor busy with overhead, not with arithmetic. So the seeds of an
experiment are trained together: `torch.func.vmap` turns the forward pass of one model into that of
all of them, and autograd and the optimiser never learn that there is more than one.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap


class Stack:
    """Models of one architecture, called and trained as one.

    Attributes:
        weights: ``(models, parameters)``, the leaf to be trained: row i holds every trainable
            parameter of model i, end to end. What is elementwise or by row (an optimiser, a
            clipped norm) therefore can't mix the models up.
        fixed: what isn't trained (buffers, frozen parameters) by name, ``(models, ...)`` each.
            BatchNorm updates its running statistics here, in place, a row a model.

    Args:
        models: at least one; all with the same parameters and buffers. They are left as they are
            until `unload` copies their rows back.
        device: where the rows live.
        mapped: True for one call of `vmap`; False calls the models one after the other.
    """

    def __init__(
        self, models: Sequence[nn.Module], device: torch.device, *, mapped: bool = True
    ) -> None:
        self.mapped = mapped
        # The template lends its code and its mode; its own numbers are never used.
        self.template = copy.deepcopy(models[0]).to("meta")
        trained = [name for name, p in models[0].named_parameters() if p.requires_grad]
        tensors = [{**dict(m.named_parameters()), **dict(m.named_buffers())} for m in models]
        stacked = {
            name: torch.stack([t[name].detach() for t in tensors]).to(device) for name in tensors[0]
        }
        self.shapes = {name: stacked[name].shape[1:] for name in trained}
        rows = [stacked.pop(name).flatten(1) for name in trained]
        self.weights = torch.cat(rows, dim=1).requires_grad_()
        self.fixed = stacked

    def __len__(self) -> int:
        return len(self.weights)

    def train(self, mode: bool = True) -> None:
        """Set the mode of all models: batch statistics and dropout, or not."""
        self.template.train(mode)

    def __call__(self, x: Tensor, *, shared: bool = False) -> Tensor:
        """Return the outputs ``(models, batch, ...)``.

        Args:
            x: inputs ``(models, batch, ...)``, or ``(batch, ...)`` if they are `shared` by all.
        """
        weights = self._by_name(self.weights)
        if self.mapped:
            call = vmap(
                self._call_one, in_dims=(0, 0, None if shared else 0), randomness="different"
            )
            return call(weights, self.fixed, x)
        outputs = [
            self._call_one(
                {name: t[i] for name, t in weights.items()},
                {name: t[i] for name, t in self.fixed.items()},
                x if shared else x[i],
            )
            for i in range(len(self))
        ]
        return torch.stack(outputs)

    def keep(self, which: Tensor, optimizer: torch.optim.Optimizer) -> None:
        """Drop the models for which ``which`` (models,) is False, with what belongs to them.

        The optimiser goes on with the same leaf: its gradient and its state lose the same rows.
        """
        rows = len(self)
        grad, self.weights.grad = self.weights.grad, None
        self.weights.data = self.weights.data[which]
        self.weights.grad = None if grad is None else grad[which]
        self.fixed = {name: t[which] for name, t in self.fixed.items()}
        state = optimizer.state[self.weights]
        for key, value in state.items():
            if isinstance(value, Tensor) and value.dim() and len(value) == rows:
                state[key] = value[which]

    @torch.no_grad()
    def unload(self, row: int, model: nn.Module) -> nn.Module:
        """Copy a row into `model`, which keeps its own device and mode, and return it."""
        values = {**self._by_name(self.weights), **self.fixed}
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            tensor.copy_(values[name][row])
        return model

    def _by_name(self, weights: Tensor) -> dict[str, Tensor]:
        """Views of the weights under their names, ``(models, *shape)`` each."""
        parts = weights.split([shape.numel() for shape in self.shapes.values()], dim=1)
        named = zip(self.shapes.items(), parts, strict=True)
        return {
            name: part.unflatten(1, shape) if shape else part[:, 0] for (name, shape), part in named
        }

    def _call_one(self, weights: dict[str, Tensor], fixed: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(self.template, (weights, fixed), (x,))
