"""Many models of one architecture as one: a row of numbers a model.

A small network keeps a processor busy with overhead, not with arithmetic. So the seeds of an
experiment are trained together: the forward pass of one model becomes that of all of them, and
autograd and the optimiser never learn that there is more than one.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from residual_lib.train.fold import apart, fold, side_by_side

#: How a stack can be called, the fastest first. 'side by side' is described in
#: `residual_lib.train.fold`; 'mapped' is `torch.func.vmap`; 'one by one' is a plain loop.
WAYS = ("side by side", "mapped", "one by one")


class Stack:
    """Models of one architecture, called and trained as one.

    Attributes:
        weights: ``(models, parameters)``, the leaf to be trained: row i holds every trainable
            parameter of model i, end to end. What is elementwise or by row (an optimiser, a
            clipped norm) therefore can't mix the models up.
        fixed: what isn't trained (buffers, frozen parameters) by name, ``(models, ...)`` each.
            BatchNorm updates its running statistics here, in place, a row a model.
        way: one of `WAYS`.

    Args:
        models: at least one; all with the same parameters and buffers. They are left as they are
            until `unload` copies their rows back.
        device: where the rows live.
        way: how to call them; see `fastest_way`.

    Raises:
        ValueError: the models can't be called that way.
    """

    def __init__(self, models: Sequence[nn.Module], device: torch.device, way: str) -> None:
        self.way = way
        _keep_freed_memory()
        # The template lends its code and its mode; its own numbers are never used.
        self.template = copy.deepcopy(models[0]).to("meta")
        if way == "side by side" and not fold(self.template):
            raise ValueError("a layer has no rule")
        # Looking for parameters that share a tensor costs a tenth of a step: look once.
        every = list(self.template.named_parameters(remove_duplicate=False))
        self.tied = len(every) > len(list(self.template.parameters()))
        parameters, buffers = stack_module_state(list(models))
        trained = {name: p.detach() for name, p in parameters.items() if p.requires_grad}
        frozen = {name: p for name, p in parameters.items() if not p.requires_grad}
        self.shapes = {name: p.shape[1:] for name, p in trained.items()}
        rows = torch.cat([p.flatten(1) for p in trained.values()], dim=1)
        self.weights = rows.to(device).requires_grad_()
        self.fixed = {name: t.to(device) for name, t in {**frozen, **buffers}.items()}

    def __len__(self) -> int:
        return len(self.weights)

    def train(self, mode: bool = True) -> None:
        """Set the mode of all models: batch statistics and dropout, or not."""
        if self.template.training is not mode:  # to walk through a deep network takes time
            self.template.train(mode)

    def __call__(self, x: Tensor) -> Tensor:
        """Inputs ``(models, batch, ...)`` -> outputs ``(models, batch, ...)``."""
        weights = self._by_name(self.weights)
        if self.way == "side by side":
            return apart(self._forward(weights, self.fixed, side_by_side(x)), len(self))
        if self.way == "mapped":
            with warnings.catch_warnings():
                # PyTorch maps the CPU's attention by a loop over the models, which is as good here.
                warnings.filterwarnings("ignore", "There is a performance drop")
                return vmap(self._forward, randomness="different")(weights, self.fixed, x)
        outputs = [
            self._forward(_row(weights, row), _row(self.fixed, row), x[row])
            for row in range(len(self))
        ]
        return torch.stack(outputs)

    def keep(self, which: Tensor, optimizer: torch.optim.Optimizer) -> None:
        """Drop the models for which ``which`` (models,) is False.

        Their gradients, and what `optimizer` remembers of them, go too.
        """
        old, new = self.weights, self.weights.detach()[which].requires_grad_()
        new.grad = None if old.grad is None else old.grad[which]
        optimizer.param_groups[0]["params"] = [new]
        optimizer.state[new] = {
            key: value[which] if value.shape == old.shape else value
            for key, value in optimizer.state.pop(old, {}).items()
        }
        self.weights = new
        self.fixed = {name: t[which] for name, t in self.fixed.items()}

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
        return {name: part.view(-1, *shape) for (name, shape), part in named}

    def _forward(self, weights: dict[str, Tensor], fixed: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(self.template, (weights, fixed), (x,), tie_weights=self.tied)


@torch.no_grad()
def fastest_way(models: Sequence[nn.Module], device: torch.device, x: Tensor) -> str:
    """Return the first of `WAYS` that gives the outputs that each model gives by itself.

    Args:
        models: as for `Stack`.
        x: a few inputs ``(batch, ...)``, on `device`, to try them on in evaluation mode.

    Warns:
        UserWarning: only 'one by one' is left; the warning says why.
    """
    alone = [Stack([model], device, "one by one") for model in models]
    for stack in alone:
        stack.train(False)
    # Each model sees other inputs, or those that are mixed up might pass for the right ones.
    own = torch.stack([x.roll(row, 0) for row in range(len(models))])
    if x.is_floating_point():
        signs = [(-1.0) ** row * (row + 1) for row in range(len(models))]
        own *= torch.tensor(signs, device=device).view(-1, *[1] * x.dim())
    expected = torch.cat([stack(own[row : row + 1]) for row, stack in enumerate(alone)])
    # Rounding is far below a thousandth of the scale; models that got mixed up are far above.
    scale = expected.nan_to_num(0, 0, 0).abs().max().item()
    for way in WAYS[:-1]:
        try:
            stack = Stack(models, device, way)
            stack.train(False)
            output = stack(own)
            stack.train()
            with torch.enable_grad():  # must be possible, but dropout forbids to compare
                stack(own).sum().backward()
        except Exception as error:  # a model may raise anything here
            reason = str(error).strip().partition("\n")[0]
        else:
            if output.shape == expected.shape and torch.allclose(
                output, expected, rtol=0, atol=1e-3 * scale, equal_nan=True
            ):
                return way
            reason = "outputs differ from those of the models one by one"
    warnings.warn(
        f"the seeds are trained one by one, since they can't be trained together: {reason}",
        stacklevel=3,
    )
    return WAYS[-1]


def _keep_freed_memory() -> None:
    """Have the C library keep what a step frees for the next step.

    Else glibc returns it to the system, and to get it again page by page takes a fifth of a step.
    It learns from the largest block freed so far, up to 32 MiB, and keeps twice as much. Nothing
    is written to this block, so it takes no memory; other C libraries don't mind it.
    """
    torch.empty(31 * 2**20, dtype=torch.uint8)


def _row(tensors: dict[str, Tensor], row: int) -> dict[str, Tensor]:
    return {name: tensor[row] for name, tensor in tensors.items()}
