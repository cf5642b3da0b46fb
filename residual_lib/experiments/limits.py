"""Chapter 15: where a skip gains nothing, what it costs, and what may stand in its place.

Six experiments: nets by depth with skips, without, and without but carefully initialised; RepVGG
against the same net without its branches; bytes at inference and in training; smoothing on a graph;
Euler's and Heun's method on an equation whose solution is known; and where their steps are stable.
"""

from __future__ import annotations

import copy
import itertools
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from residual_lib import data
from residual_lib.experiments import Experiment, Settings, mark_diverged
from residual_lib.experiments.degradation import folded as folded_pixels
from residual_lib.models import create_model
from residual_lib.models.repvgg import fold
from residual_lib.nn import Reversible, Scale, TailoredReLU, initialise_, tailored_slope
from residual_lib.probes.memory import inference_memory, kept_for_backward, peak_memory
from residual_lib.residual import Residual, branch_only, iter_residuals
from residual_lib.train import evaluate, train

COLUMNS = ["seed", "step", "metric", "value"]

# --- by depth: with a skip, without, and carefully initialised -----------------------------------

DEPTHS = (8, 16, 32, 64)
KINDS = ("plain", "residual", "tailored", "tanh")


def net(kind: str, depth: int, width: int = 64, inputs: int = 64) -> nn.Sequential:
    """A fully connected net without normalisation: a first layer, a layer a block, a head.

    A block is an activation and a linear layer; a net of `depth` layers has ``depth - 2`` of them.

    Args:
        kind: ``"plain"``: ReLU and He's weights, no skip; ``"residual"``: the same with skips, and
            branches times ``1 / sqrt(depth - 2)``; ``"residual, unscaled"``: branches times 1;
            ``"tailored"``: no skip, orthogonal weights, and a leaky rectifier whose slope is chosen
            for the depth; ``"tanh"``: no skip, orthogonal weights.
        depth: layers with weights.
        width: units in each.
        inputs: numbers in an example.

    Raises:
        ValueError: there is no such kind.
    """
    kinds = (*KINDS, "residual, unscaled")
    if kind not in kinds:
        raise ValueError(f"kind must be one of {list(kinds)}, got {kind!r}")
    blocks = depth - 2

    def activate() -> nn.Module:
        if kind == "tailored":
            return TailoredReLU(tailored_slope(depth - 1))
        return nn.Tanh() if kind == "tanh" else nn.ReLU()

    def block() -> Residual:
        branch = nn.Sequential(activate(), nn.Linear(width, width))
        if kind.startswith("residual"):
            return Residual(branch, scale=Scale(blocks**-0.5 if kind == "residual" else 1.0))
        return Residual(branch, merge=branch_only)

    model = nn.Sequential(
        nn.Sequential(nn.Flatten(), nn.Linear(inputs, width)),
        nn.Sequential(*(block() for _ in range(blocks))),
        nn.Sequential(activate(), nn.Linear(width, 10)),
    )
    careful = kind in ("tailored", "tanh")
    initialise_(model, "orthogonal" if careful else "he", activation="tanh" if careful else "relu")
    return model


def cosines(model: nn.Sequential, x: Tensor) -> list[float]:
    """The mean cosine of two examples' activations, in front of the first block and behind each."""
    found, h = [], model[0](x)
    for block in [nn.Identity(), *model[1].children()]:
        h = block(h)
        unit = h / h.norm(dim=1, keepdim=True)
        pairs = unit @ unit.T
        found.append(pairs[~torch.eye(len(h), dtype=torch.bool)].mean().item())
    return found


def in_half_steps(model: nn.Module) -> nn.Module:
    """Return a copy that goes through each block twice, each time with half of the branch.

    For steps of Euler's method along a smooth path that would change little.
    """
    halved = copy.deepcopy(model)
    for name, block in list(iter_residuals(halved)):
        parent, _, child = name.rpartition(".")
        half = copy.deepcopy(block)
        assert isinstance(half.scale, Scale)
        half.scale.factor /= 2
        setattr(halved.get_submodule(parent), child, nn.Sequential(half, half))
    return halved


def run_depths(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train one net on the digits.

    Metrics: ``"train_error"`` and ``"test_error"`` at the end; ``"cosine"`` before training, by
    ``layer`` (0: in front of the first block), for orthogonal inputs; for residual nets
    ``"half_steps"``, the test error of the trained net in half steps.
    """
    profile, digits = settings.profile, data.load("digits")
    build = partial(net, params["kind"], params["depth"], profile["width"])
    training = train(
        build,
        digits,
        seeds,
        steps=profile["steps"],
        batch_size=64,
        optimizer="adamw",
        lr=profile["lr"],
        device=settings.device,
        progress=settings.progress,
    )
    history = training.history
    rows = [history[history["metric"].isin(("train_error", "test_error"))]]
    for seed, model in zip(seeds, training.models, strict=True):
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(seed)
            start = build()
            start[0] = nn.Identity()  # the blocks' input is given: orthogonal and of mean square 1
            given = torch.linalg.qr(torch.randn(profile["width"], 8)).Q.T * profile["width"] ** 0.5
            values = cosines(start, given)
        layers = range(len(values))
        rows.append(
            pd.DataFrame({"seed": seed, "metric": "cosine", "layer": layers, "value": values})
        )
        if params["kind"].startswith("residual") and model is not None:
            error = evaluate(in_half_steps(model), digits, "test")["error"]
            rows.append(pd.DataFrame([(seed, 0, "half_steps", error)], columns=COLUMNS))
    table = pd.concat(rows, ignore_index=True)
    return mark_diverged(table.fillna({"step": 0}), training.diverged)


# --- RepVGG --------------------------------------------------------------------------------------


def run_branches(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train RepVGG on the digits with some of its branches, and fold it.

    Metrics: ``"train_error"``, ``"test_error"``; ``"difference"``, the largest between the logits
    of the trained net and those of the folded one, over the test set, over the largest logit;
    ``"folded_error"``; ``"parameters"`` and ``"folded_parameters"``.
    """
    profile = settings.profile
    digits = folded_pixels(data.load("digits"), profile["fold"])
    build = partial(
        create_model,
        "small_repvgg2d",
        in_chans=digits.x_train.shape[1],
        widths=(profile["width"],) * 2,
        num_blocks=(profile["blocks"],),
        branches=params["branches"],
    )
    training = train(
        build,
        digits,
        seeds,
        steps=profile["steps"],
        batch_size=32,
        optimizer="adamw",
        lr=profile["lr"],
        device=settings.device,
        progress=settings.progress,
    )
    history = training.history
    rows: list[tuple[Any, ...]] = []
    for seed, model in zip(seeds, training.models, strict=True):
        if model is None:
            continue
        folded = fold(model)
        with torch.no_grad():
            logits, again = model(digits.x_test), folded(digits.x_test)
        found = {
            "difference": ((logits - again).abs().max() / logits.abs().max()).item(),
            "folded_error": evaluate(folded, digits, "test")["error"],
            "parameters": sum(p.numel() for p in model.parameters()),
            "folded_parameters": sum(p.numel() for p in folded.parameters()),
        }
        rows += [(seed, profile["steps"], metric, value) for metric, value in found.items()]
    reached = history[history["metric"].isin(("train_error", "test_error"))]
    table = pd.concat([reached, pd.DataFrame(rows, columns=COLUMNS)], ignore_index=True)
    return mark_diverged(table, training.diverged)


# --- bytes ---------------------------------------------------------------------------------------


def chain(kind: str, layers: int, width: int, skip: bool) -> nn.Sequential:
    """Convolutions and ReLUs in place in one row, so that nothing holds a map but what reads it.

    Args:
        kind: ``"basic"``: 3x3 convolutions; ``"bottleneck"``: by threes, 1x1 to a quarter of the
            channels, 3x3, 1x1 back.
        layers: convolutions behind the first, in blocks of two or three.
        width: channels.
        skip: whether each block has one.
    """
    narrow = width // 4
    shapes = {
        "basic": [(width, width, 3), (width, width, 3)],
        "bottleneck": [(width, narrow, 1), (narrow, narrow, 3), (narrow, width, 1)],
    }[kind]

    def conv(inputs: int, outputs: int, size: int) -> nn.Conv2d:
        return nn.Conv2d(inputs, outputs, size, padding=size // 2)

    def act() -> nn.Module:
        return nn.ReLU(inplace=True)

    parts: list[nn.Module] = [conv(3, width, 3), act()]
    for _ in range(layers // len(shapes)):
        row = [part for shape in shapes for part in (conv(*shape), act())]
        parts += [Residual(nn.Sequential(*row[:-1]), after=row[-1])] if skip else row
    return nn.Sequential(*parts)


def coupled(blocks: int, width: int, recompute: bool) -> nn.Sequential:
    """A first convolution and reversible blocks: on each half BatchNorm, ReLU, convolution."""

    def part() -> nn.Sequential:
        half = width // 2
        return nn.Sequential(
            nn.BatchNorm2d(half), nn.ReLU(), nn.Conv2d(half, half, 3, padding=1, bias=False)
        )

    pairs = [(part(), part()) for _ in range(blocks)]
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1, bias=False), Reversible(pairs, recompute=recompute)
    )


def run_inference(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """The most bytes in a forward pass, in feature maps of the first layer. No seed matters.

    Metric ``"maps"``, by ``layers``: convolutions behind the first one.
    """
    profile, rows = settings.profile, []
    width, size = profile["width"], profile["size"]
    for layers in profile["layers"]:
        with torch.device("meta"):  # shapes without numbers
            model = chain(params["block"], layers, width, params["skip"])
            x = torch.empty(1, 3, size, size)
        maps = inference_memory(model, x) / (4 * width * size**2)
        rows += [(seed, 0, "maps", maps, layers) for seed in seeds]
    return pd.DataFrame(rows, columns=[*COLUMNS, "layers"])


class Flops(TorchDispatchMode):
    """Counts what PyTorch's counter counts, operation by operation.

    `FlopCounterMode` also notes in which module, with hooks that a backward pass inside another
    can't have.
    """

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        counted = flop_registry.get(func._overloadpacket)
        if counted is not None:
            self.total += counted(*args, **(kwargs or {}), out_val=result)
        return result


def run_training_memory(
    params: dict[str, Any], seeds: list[int], settings: Settings
) -> pd.DataFrame:
    """Bytes and FLOPs of a training step of reversible blocks. No seed matters.

    Metrics ``"kept"``, ``"peak"`` and ``"flops"``, by ``blocks``.
    """
    profile, rows = settings.profile, []
    for blocks in profile["blocks"]:
        with torch.device("meta"):
            model = coupled(blocks, profile["width"], params["recompute"])
            x = torch.empty(profile["batch"], 3, profile["size"], profile["size"])
        with Flops() as counter:
            model(x).sum().backward()
        found = {
            "kept": kept_for_backward(model, x),
            "peak": peak_memory(model, x),
            "flops": counter.total,
        }
        for (metric, value), seed in itertools.product(found.items(), seeds):
            rows.append((seed, 0, metric, value, blocks))
    return pd.DataFrame(rows, columns=[*COLUMNS, "blocks"])


# --- smoothing on a graph ------------------------------------------------------------------------


def graph(groups: int, size: int, within: float, between: float, seed: int) -> Tensor:
    """P = D^-1 (A + I) of a random graph of groups: means over a node and its neighbours.

    Two nodes of a group are joined with probability `within`, others with `between`; a ring through
    all nodes makes sure that the graph is connected. In double precision.
    """
    generator = torch.Generator().manual_seed(seed)
    nodes = groups * size
    group = torch.arange(nodes) // size
    chance = torch.where(group[:, None] == group, within, between)
    joined = (torch.rand(nodes, nodes, generator=generator) < chance).double().triu(1)
    ring = torch.eye(nodes, dtype=torch.float64).roll(1, 1)
    adjacency = ((joined + joined.T + ring + ring.T) > 0).double()
    adjacency.fill_diagonal_(1)
    return adjacency / adjacency.sum(1, keepdim=True)


def second_eigenvalue(operator: Tensor) -> float:
    """The second largest size of an eigenvalue of P."""
    return torch.linalg.eigvals(operator).abs().sort(descending=True).values[1].item()


def propagated(operator: Tensor, x: Tensor, kind: str, layers: int) -> list[Tensor]:
    """The features (..., nodes, channels) after 0, 1, ..., `layers` layers.

    A layer is P x (``"plain"``), (x + P x) / 2 (``"skip"``), or 0.9 P x + 0.1 x_0
    (``"initial"``, Gasteiger et al. 2019 and Chen et al. 2020).
    """
    found = [x]
    for _ in range(layers):
        h = operator @ found[-1]
        if kind == "skip":
            h = (found[-1] + h) / 2
        elif kind == "initial":
            h = 0.9 * h + 0.1 * x
        elif kind != "plain":
            raise ValueError(f"kind must be 'plain', 'skip' or 'initial', got {kind!r}")
        found.append(h)
    return found


def spread(operator: Tensor, h: Tensor) -> float:
    """How far the nodes are from being alike: the root of the weighted mean square of what is left
    when the weighted mean is taken out. Weights: degrees, for which P is symmetric."""
    degree = 1 / operator.diagonal()
    weight = (degree / degree.sum())[:, None]
    rest = h - (weight * h).sum(-2, keepdim=True)
    return (weight * rest.square()).sum(-2).mean().sqrt().item()


def run_smoothing(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Propagate noisy labels over a graph of groups, and read them off with a linear head.

    In each example each group has one of the classes; a node's features say which, with noise.
    Metrics, by ``layer``: ``"spread"`` over that at the start, ``"test_error"`` of a ridge
    regression on the nodes' features; and ``"eigenvalue"``, the second of P.
    """
    profile, rows = settings.profile, []
    for seed in seeds:
        operator = graph(profile["groups"], profile["size"], 0.4, profile["between"], seed)
        generator = torch.Generator().manual_seed(seed)
        classes = torch.randint(
            profile["classes"], (2 * profile["examples"], profile["groups"]), generator=generator
        )
        y = classes.repeat_interleave(profile["size"], dim=1)
        clean = nn.functional.one_hot(y, profile["classes"]).double()
        noise = torch.randn(clean.shape, generator=generator, dtype=torch.float64)
        layers = propagated(
            operator, clean + profile["noise"] * noise, params["kind"], profile["layers"]
        )
        start = spread(operator, layers[0])
        rows.append((seed, 0, "eigenvalue", second_eigenvalue(operator), np.nan))
        for layer, h in enumerate(layers):
            rows.append((seed, 0, "spread", spread(operator, h) / start, layer))
            rows.append((seed, 0, "test_error", head_error(h, y, profile["examples"]), layer))
    return pd.DataFrame(rows, columns=[*COLUMNS, "layer"])


def head_error(h: Tensor, y: Tensor, examples: int, ridge: float = 1e-2) -> float:
    """The test error of a linear head on each node's features, fitted to the first `examples`.

    Least squares on the classes' indicators with a penalty of `ridge` times the squared weights,
    in the place of weight decay.
    """
    ones = torch.ones_like(h[..., :1])
    inputs = torch.cat((h, ones), -1)
    x, target = inputs[:examples].flatten(0, 1), y[:examples].flatten()
    penalty = ridge * torch.eye(x.shape[1], dtype=x.dtype)
    indicators = nn.functional.one_hot(target, h.shape[-1]).double()
    weights = torch.linalg.solve(x.T @ x / len(x) + penalty, x.T @ indicators / len(x))
    answers = (inputs[examples:] @ weights).argmax(-1)
    return (answers != y[examples:]).double().mean().item()


# --- steps along a flow --------------------------------------------------------------------------


def euler(f: Any, x: Tensor, step: float, steps: int) -> list[Tensor]:
    """x + h f(x), again and again: the residual block."""
    path = [x]
    for _ in range(steps):
        path.append(path[-1] + step * f(path[-1]))
    return path


def heun(f: Any, x: Tensor, step: float, steps: int) -> list[Tensor]:
    """x + h (f(x) + f(x + h f(x))) / 2: a residual block whose branch looks ahead."""
    path = [x]
    for _ in range(steps):
        h = path[-1]
        slope = f(h)
        path.append(h + step * (slope + f(h + step * slope)) / 2)
    return path


METHODS = {"euler": euler, "heun": heun}


def run_order(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Error at time 2 of x' = A x, by ``steps``; A is a random rotation that decays a little."""
    profile, rows = settings.profile, []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        random = torch.randn(4, 4, generator=generator, dtype=torch.float64)
        matrix = random - random.T - 0.2 * torch.eye(4, dtype=torch.float64)
        x = torch.randn(4, generator=generator, dtype=torch.float64)
        exact = torch.linalg.matrix_exp(2 * matrix) @ x
        for steps in profile["steps"]:
            end = METHODS[params["method"]](lambda h, A=matrix: A @ h, x, 2 / steps, steps)[-1]
            rows.append((seed, 0, "error", ((end - exact).norm() / x.norm()).item(), steps))
    return pd.DataFrame(rows, columns=[*COLUMNS, "steps"])


# --- the experiments -----------------------------------------------------------------------------

WITHOUT = Experiment(
    name="without_skips",
    chapter=15,
    title="Fully connected nets on the digits: depth x skip, plain, careful initialisation",
    variants={
        **{
            f"{kind}-{depth}": {"kind": kind, "depth": depth}
            for kind in KINDS
            for depth in (DEPTHS if kind != "tanh" else DEPTHS[-1:])
        },
        **{
            f"residual, unscaled-{depth}": {"kind": "residual, unscaled", "depth": depth}
            for depth in DEPTHS[:2]
        },
    },
    run=run_depths,
    profiles={
        "quick": {"seeds": 5, "steps": 150, "width": 64, "lr": 1e-3},
        "full": {"seeds": 20, "steps": 3000, "width": 256, "lr": 3e-4},
    },
    cost=lambda params: 0.06 * params["depth"],
)

BRANCHES = Experiment(
    name="folded_branches",
    chapter=15,
    title="RepVGG on the digits, with its branches and without, then folded",
    variants={
        "both": {"branches": ["identity", "1x1"]},
        "identity": {"branches": ["identity"]},
        "none": {"branches": []},
    },
    run=run_branches,
    profiles={
        "quick": {"seeds": 5, "fold": 2, "steps": 100, "width": 8, "blocks": 18, "lr": 0.03},
        "full": {"seeds": 10, "fold": 1, "steps": 2000, "width": 16, "blocks": 26, "lr": 0.01},
    },
    cost=lambda params: 3.0 + 2.0 * len(params["branches"]),
)

INFERENCE = Experiment(
    name="inference_memory",
    chapter=15,
    title="The most bytes in a forward pass, with and without skips",
    variants={
        f"{block}, {'skip' if skip else 'no skip'}": {"block": block, "skip": skip}
        for block, skip in itertools.product(("basic", "bottleneck"), (False, True))
    },
    run=run_inference,
    profiles={"quick": {"seeds": 5, "width": 16, "size": 64, "layers": [6, 12, 24, 48]}},
)

REVERSIBLE = Experiment(
    name="reversible_memory",
    chapter=15,
    title="Bytes and FLOPs of a training step: reversible blocks, kept or recomputed",
    variants={
        "kept": {"recompute": False},
        "recomputed": {"recompute": True},
    },
    run=run_training_memory,
    profiles={
        "quick": {"seeds": 5, "width": 32, "size": 32, "batch": 64, "blocks": [4, 8, 16, 32]}
    },
)

SMOOTHING = Experiment(
    name="over_smoothing",
    chapter=15,
    title="Averages over neighbours, again and again: plain, with a skip, with the start mixed in",
    variants={kind: {"kind": kind} for kind in ("plain", "skip", "initial")},
    run=run_smoothing,
    profiles={
        "quick": {
            "seeds": 5,
            "groups": 4,
            "size": 12,
            "between": 0.03,
            "classes": 4,
            "noise": 2.0,
            "examples": 100,
            "layers": 64,
        }
    },
)

ORDER = Experiment(
    name="order_of_steps",
    chapter=15,
    title="Error of Euler's and Heun's method by the number of steps",
    variants={method: {"method": method} for method in METHODS},
    run=run_order,
    profiles={"quick": {"seeds": 5, "steps": [4, 8, 16, 32, 64, 128, 256, 512]}},
)

EXPERIMENTS = (WITHOUT, BRANCHES, INFERENCE, REVERSIBLE, SMOOTHING, ORDER)
