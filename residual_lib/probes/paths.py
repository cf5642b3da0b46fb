"""Paths: a residual network as a collection of routes, and what gradient each length carries.

Veit, Wilber and Belongie 2016 (arXiv 1605.06431), sections 3 and 5: at every block a path takes
either the branch or the shortcut, so n blocks one after the other have 2^n paths, of which
binomial(n, k) pass k branches: that is a path's length here. By the chain rule the gradient is the
sum over all paths of the gradient that flows along each, with the forward pass left as it is.

The measurement cuts autograd's graph at every merge. What is left are short pieces between merges;
which piece leads to which is read from the graph, so nothing is assumed about how a model arranges
its blocks: nested, parallel, concatenated, plain and repeated ones come out right by themselves.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
import torch
from torch import Tensor, nn

from residual_lib.objective import loss
from residual_lib.probes.masking import blocks_of, check_names, entering, merging
from residual_lib.probes.scores import bar, check_count
from residual_lib.probes.tap import untouched
from residual_lib.residual import Merge

ORIGIN = 0  # the place where every path ends


def path_lengths(model: nn.Module, batch: tuple[Tensor, Tensor]) -> pd.DataFrame:
    """Count the paths of each length: binomial(n, k) for n blocks in a row.

    A plain network has a single path, as long as it has blocks.

    Args:
        model: any model made of `Residual`.
        batch: inputs and targets; two examples are enough.

    Returns:
        Columns ``length`` (number of branches passed), ``metric`` and ``value``: ``"paths"``, how
        many there are, and ``"share"`` of all, which sums to 1. Lengths without a path have no row.

    Raises:
        ValueError: the model has no block.
    """
    with untouched(model, training=False):
        counts = _Unravelled.of(model, (batch[0][:2], batch[1][:2])).counts()
    rows = []
    for length, count in counts.items():
        rows.append((length, "paths", float(count)))
        rows.append((length, "share", count / sum(counts.values())))
    return pd.DataFrame(rows, columns=["length", "metric", "value"])


def paths(
    model: nn.Module,
    batch: tuple[Tensor, Tensor],
    *,
    samples: int = 20,
    seed: int = 0,
    training: bool = False,
    progress: bool = True,
) -> pd.DataFrame:
    """Measure the gradient that paths of each length carry to the input (figure 6).

    Args:
        model: any model made of `Residual`.
        batch: inputs and targets; the loss is their mean. The gradient is taken at the inputs, or,
            where these are whole numbers (tokens), at what enters the first block.
        samples: of the paths of one length, how many are measured one by one: all where there are
            no more than that, else as many drawn at random, each with equal probability.
        seed: of the draws.
        training: whether BatchNorm uses the batch's statistics (True) or its running ones.
        progress: whether to show a bar.

    Returns:
        Columns ``length`` (number of branches passed), ``metric`` and ``value``. Metrics:

        - ``"paths"``, ``"share"``: as from `path_lengths` (figure 6a);
        - ``"path_gradient"``: mean L2 norm of one path's gradient, in units of loss per unit of
          input (figure 6b);
        - ``"gradient_share"``: paths times path_gradient, over the sum of that over all lengths
          (figure 6c). It adds norms, as if no two paths could cancel;
        - ``"total_gradient"``: L2 norm of the sum of all paths' gradients of this length, exact
          and without sampling, cancellation included;
        - ``"contribution"``: the part of the whole gradient that this sum makes up, by projection:
          <sum, gradient> / <gradient, gradient>. It is negative for lengths that pull the other
          way, and sums to 1.

    Raises:
        ValueError: the model has no block, or `samples` is below 1.
    """
    check_count("samples", samples)
    draw = random.Random(seed)
    rows: list[tuple[int, str, float]] = []
    with untouched(model, training=training):
        net = _Unravelled.of(model, batch)
        counts = net.counts()
        parts = net.by_length(progress)
        whole = torch.stack(list(parts.values())).sum(0)
        means = {}
        for length, count in bar(counts.items(), "paths", progress):
            if count <= samples:
                numbers: Sequence[int] = range(count)
            else:
                numbers = [draw.randrange(count) for _ in range(samples)]
            norms = [net.along(net.route(length, number)).norm().item() for number in numbers]
            means[length] = sum(norms) / len(norms)
    carried = sum(count * means[length] for length, count in counts.items())
    for length, count in counts.items():
        part = parts.get(length, torch.zeros_like(whole))
        found = {
            "paths": float(count),
            "share": count / sum(counts.values()),
            "path_gradient": means[length],
            "gradient_share": count * means[length] / carried if carried else float("nan"),
            "total_gradient": part.norm().item(),
            "contribution": (part * whole).sum().div((whole * whole).sum()).item(),
        }
        rows += [(length, metric, value) for metric, value in found.items()]
    return pd.DataFrame(rows, columns=["length", "metric", "value"])


def gradient_by_length(
    model: nn.Module,
    batch: tuple[Tensor, Tensor],
    *,
    training: bool = False,
    progress: bool = False,
) -> dict[int, Tensor]:
    """Return the sum of the gradients of all paths of each length; the sums add up to the gradient.

    One backward pass carries the sums for all lengths side by side: where it leaves a branch,
    every sum moves up by one length. So 2^n paths cost about n/2 ordinary backward passes.

    Args:
        model, batch, training, progress: as for `paths`.

    Returns:
        By length, ascending, a tensor of the shape of the inputs.

    Raises:
        ValueError: the model has no block.
    """
    with untouched(model, training=training):
        return _Unravelled.of(model, batch).by_length(progress)


def path_gradient(
    model: nn.Module,
    batch: tuple[Tensor, Tensor],
    through: Collection[str],
    *,
    training: bool = False,
) -> Tensor:
    """Return the gradient that flows through the branches named, and elsewhere the shortcuts.

    Args:
        model, batch, training: as for `paths`.
        through: names of blocks, see `residual_lib.residual.iter_residuals`.

    Returns:
        A tensor of the shape of the inputs; zeros where no path passes exactly these branches.

    Raises:
        ValueError: the model has no block of one of the names.
    """
    check_names(model, through)
    with untouched(model, training=training):
        return _Unravelled.of(model, batch).through(through)


@dataclass
class _Unravelled:
    """A forward pass whose graph is cut at every merge.

    Place 0 is the origin. The merge that runs as number j (from 0) has two places: 2j + 1 for its
    shortcut and 2j + 2 for its branch. At each place the graph is cut: `above` holds the leaf from
    which the pass went on, `below` the tensor that arrived. A path is a sequence of places that
    goes down from the loss to the origin.
    """

    value: Tensor
    above: list[Tensor]
    below: list[Tensor]
    names: list[str]

    @classmethod
    def of(cls, model: nn.Module, batch: tuple[Tensor, Tensor]) -> _Unravelled:
        above: list[Tensor] = []
        below: list[Tensor] = []
        names: list[str] = []

        def cutting(name: str, merge: Merge) -> Merge:
            def merge_leaves(shortcut: Tensor, branch: Tensor) -> Tensor:
                leaves = [part.detach().requires_grad_() for part in (shortcut, branch)]
                names.append(name)
                below.extend((shortcut, branch))
                above.extend(leaves)
                return merge(*leaves)

            return merge_leaves

        x, y = batch
        blocks = blocks_of(model)
        with merging(model, blocks, cutting):
            if x.is_floating_point():
                origin = x.detach().requires_grad_()
                value = loss(model(origin), y)
            else:
                with entering(blocks) as first:
                    value = loss(model(x), y)
                (origin,) = first
        return cls(value, [origin, *above], [origin, *below], names)

    def counts(self) -> dict[int, int]:
        """Number of paths by length."""
        return dict(sorted(self._ways[-1].items()))

    @cached_property
    def _leads(self) -> list[list[int]]:
        """For each place, and for the loss, the places to which the piece of graph below leads."""
        return [self._leads_to(place) for place in range(len(self.above) + 1)]

    @cached_property
    def _ways(self) -> list[Counter[int]]:
        """For each place, and for the loss, the number of ways down to the origin by length."""
        ways = [Counter({0: 1})]
        for place in range(1, len(self.above) + 1):
            total: Counter[int] = Counter()
            for other in self._leads[place]:
                for length, count in ways[other].items():
                    total[length + _step(place)] += count
            ways.append(total)
        return ways

    def route(self, length: int, number: int) -> list[int]:
        """Path `number` (from 0) of those of one length, as places from the top to the origin."""
        place, route = len(self.above), []
        while place != ORIGIN:
            length -= _step(place)
            for other in self._leads[place]:
                count = self._ways[other][length]
                if number < count:
                    break
                number -= count
            route.append(place := other)
        return route

    def along(self, route: Sequence[int]) -> Tensor:
        """Gradient at the origin that flows along one path."""
        gradient, place = torch.ones_like(self.value), len(self.above)
        for other in route:
            (gradient,) = self._backward(place, gradient, [other])  # type: ignore[assignment]
            place = other
        return gradient

    def through(self, names: Collection[str]) -> Tensor:
        """Gradient at the origin by way of the branches named and of the other shortcuts."""
        found: dict[int, Tensor] = {}
        self._spread(found, len(self.above), torch.ones_like(self.value))
        for merge in reversed(range(len(self.names))):
            place = 2 * merge + (2 if self.names[merge] in names else 1)
            if place in found:
                self._spread(found, place, found[place])
        return found.get(ORIGIN, torch.zeros_like(self.above[ORIGIN]))

    def by_length(self, progress: bool) -> dict[int, Tensor]:
        """Sum over the paths of each length of the gradient at the origin."""
        found: dict[int, dict[int, Tensor]] = {0: {}}  # by length, then by place
        self._spread(found[0], len(self.above), torch.ones_like(self.value))
        for merge in bar(reversed(range(len(self.names))), "merges", progress, len(self.names)):
            shortcut, branch = 2 * merge + 1, 2 * merge + 2
            for length in sorted(found):
                here = found[length]
                if shortcut in here:
                    self._spread(here, shortcut, here.pop(shortcut))
                if branch in here:
                    longer = found.setdefault(length + 1, {})
                    self._spread(longer, branch, here.pop(branch))
        origin = {length: here[ORIGIN] for length, here in found.items() if ORIGIN in here}
        return dict(sorted(origin.items())) or {0: torch.zeros_like(self.above[ORIGIN])}

    def _spread(self, found: dict[int, Tensor], place: int, gradient: Tensor) -> None:
        """Carry a gradient from one place to all places below, adding to what is there."""
        others = range(place)
        for other, part in zip(others, self._backward(place, gradient, others), strict=True):
            if part is not None:
                found[other] = found[other] + part if other in found else part

    def _leads_to(self, place: int) -> list[int]:
        others = range(place)
        parts = self._backward(place, torch.ones_like(self._arrived(place)), others)
        return [other for other, part in zip(others, parts, strict=True) if part is not None]

    def _backward(
        self, place: int, gradient: Tensor, others: Sequence[int]
    ) -> Sequence[Tensor | None]:
        arrived = self._arrived(place)
        if not others or not arrived.requires_grad:
            return [None] * len(others)
        leaves = [self.above[other] for other in others]
        return torch.autograd.grad(arrived, leaves, gradient, retain_graph=True, allow_unused=True)

    def _arrived(self, place: int) -> Tensor:
        return self.value if place == len(self.above) else self.below[place]


def _step(place: int) -> int:
    """By how much passing a place makes a path longer: a branch by 1."""
    return int(place != ORIGIN and place % 2 == 0)
