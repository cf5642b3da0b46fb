"""The engine against PyTorch: forward, loss, gradients, a hundred steps of SGD, for every option.

A quantity's difference is the largest one of its entries over the largest entry of PyTorch's own;
parameters and gradients are compared a tensor at a time, so that no layer hides behind a larger
one.
"""

from __future__ import annotations

import json
import math
from contextlib import nullcontext
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from conftest import decode, encode
from mirror import build
from torch import Tensor, nn

from residual_lib.objective import loss as objective
from residual_lib.probes import gradient_norms, identityness
from residual_lib.probes.masking import deleted

KINDS = ["plain", "residual", "preactivation", "rezero", "scaled"]
LIMIT = 1e-4
STEPS, ROWS, COUNT = 100, 16, 48

BASE: dict[str, Any] = {
    "kind": "residual",
    "inputs": 2,
    "outputs": 2,
    "regression": False,
    "depth": 8,
    "width": 8,
    "activation": "relu",
    "norm": "none",
    "factor": 0.5,
}


def case(group: str, init: str = "he", zero: bool = False, **options: Any) -> dict[str, Any]:
    """One network and its training; options that aren't of the network are of the training."""
    training = {"rate": 1e-3, "momentum": 0.9, "cut": []}
    training |= {name: options.pop(name) for name in training if name in options}
    return {"group": group, "init": init, "zero": zero, "spec": BASE | options, **training}


CASES = [
    *(
        case(f"kind {kind}", kind=kind, activation=activation, norm=norm)
        for kind, activation, norm in product(KINDS, ["relu", "tanh", "sigmoid"], ["none", "batch"])
    ),
    *(
        # The naive scheme's outputs are in the hundreds: a larger step diverges.
        case(f"init {init}", init, kind=kind, rate=1e-7 if init == "naive" else 1e-3)
        for init, kind in product(["naive", "xavier", "orthogonal"], ["plain", "residual"])
    ),
    *(
        case("zero-init", zero=True, kind=kind, norm=norm)
        for kind, norm in product(KINDS, ["none", "batch"])
    ),
    *(case("depth 2", kind=kind, depth=2) for kind in KINDS),
    case("depth 64", kind="plain", depth=64),
    *(case("depth 64", zero=True, kind=kind, depth=64, factor=0.9) for kind in KINDS[1:]),
    # Not the plain and the scaled kind: with so many norms even their first output differs between
    # PyTorch's own float32 and float64, by a third and by 1 %.
    *(
        case("depth 64", kind=kind, norm="batch", depth=64, zero=kind == "residual", rate=1e-5)
        for kind in ("residual", "preactivation", "rezero")
    ),
    *(case(f"width {width}", width=width, activation="tanh") for width in (2, 32)),
    *(
        case("regression", kind=kind, inputs=1, outputs=1, regression=True, init="xavier")
        for kind in KINDS
    ),
    case("ten classes", inputs=64, outputs=10, norm="batch"),
    case("momentum 0", momentum=0.0),
    *(case(f"factor {factor}", kind="scaled", factor=factor) for factor in (0.1, 0.9)),
    *(
        case("cut", kind=kind, norm=norm, cut=[0, 2])
        for kind, norm in product(KINDS, ["none", "batch"])
    ),
]


def pieces(vector: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    return np.split(vector, np.cumsum(sizes)[:-1])


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    assert ours.shape == theirs.shape
    assert np.isfinite(theirs).all()
    apart, size = (float(np.abs(v).max(initial=0)) for v in (ours - theirs, theirs))
    if apart == 0:
        return 0.0
    return apart / size if size else math.inf


def statistics(model: nn.Module) -> Tensor:
    """Running means and variances, in the order of the norms."""
    kept = [b for name, b in model.named_buffers() if "running" in name]
    return torch.cat(kept) if kept else torch.zeros(0)


def gradients(model: nn.Module) -> Tensor:
    """A branch that is cut has none; the engine's are 0."""
    return torch.cat(
        [(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in model.parameters()]
    )


def measure(case: dict[str, Any], seed: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The fixture for the engine, and what PyTorch makes of it."""
    spec = case["spec"]
    torch.manual_seed(seed)
    model = build(spec, case["init"], case["zero"])
    x = torch.randn(COUNT, spec["inputs"])
    # The first classes are the most frequent, or the head's gradient would cancel to rounding.
    classes = (spec["outputs"] * torch.rand(COUNT) ** 2).long()
    y = torch.sin(3 * x[:, :1]) if spec["regression"] else classes
    cut = [f"blocks.{index}" for index in case["cut"]]
    for name in cut:  # the engine skips such a branch, PyTorch runs it and drops the result
        for module in model.get_submodule(name).modules():
            if isinstance(module, nn.BatchNorm1d):
                module.momentum = 0.0
    fixture = {
        **{name: case[name] for name in ("spec", "rate", "momentum", "cut")},
        "parameters": encode(nn.utils.parameters_to_vector(model.parameters())),
        "x": encode(x),
        "y": encode(y.float().flatten()),
        "rows": ROWS,
        "steps": STEPS,
    }
    expected: dict[str, Tensor] = {}

    with deleted(model, cut) if cut else nullcontext():
        if not cut:  # the probes put stand-ins where a cut has put its own
            norms = gradient_norms(model, (x, y))
            wanted = norms.loc[norms["metric"] == "weight_gradient", "value"]
            expected["gradientNorms"] = torch.tensor(wanted.to_numpy())
            if spec["depth"] > 2:
                table = identityness(model, (x, y))
                wanted = table.loc[table["metric"] == "ratio", "value"]
                expected["ratios"] = torch.tensor(wanted.to_numpy())
        expected["output"] = model(x)
        value = objective(expected["output"], y)
        value.backward()
        expected["loss"] = value.reshape(1)
        expected["gradients"] = gradients(model)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.reset_running_stats()

        optimiser = torch.optim.SGD(model.parameters(), case["rate"], momentum=case["momentum"])
        losses = []
        for step in range(STEPS):
            rows = slice(step * ROWS % COUNT, step * ROWS % COUNT + ROWS)
            optimiser.zero_grad()
            value = objective(model(x[rows]), y[rows])
            value.backward()
            optimiser.step()
            losses.append(value.item())
        expected["losses"] = torch.tensor(losses)
        expected["parameters"] = nn.utils.parameters_to_vector(model.parameters())
        expected["statistics"] = statistics(model)
        model.eval()
        output = expected["outputAfter"] = model(x)
        tested = [objective(output, y)]
        if not spec["regression"]:
            tested.append((output.argmax(1) != y).float().mean())
        expected["tested"] = torch.stack(tested)
    sizes = [p.numel() for p in model.parameters()]
    kept = [b.numel() for name, b in model.named_buffers() if "running" in name]
    case["pieces"] = {"parameters": sizes, "gradients": sizes, "statistics": kept}
    return fixture, expected


@pytest.fixture(scope="module")
def results(node, tmp_path_factory):
    """PyTorch's and the engine's answers to every case: Node starts once."""
    torch.set_num_threads(1)
    measured = [measure(case, seed) for seed, case in enumerate(CASES)]
    fixtures, expected = zip(*measured, strict=True)
    path = tmp_path_factory.mktemp("playground") / "fixtures.json"
    path.write_text(json.dumps(fixtures))
    answers = json.loads(node("answer.js", path))
    return list(zip(expected, answers, strict=True))


def name(case: dict[str, Any]) -> str:
    spec = case["spec"]
    return "-".join(map(str, [case["group"], spec["kind"], spec["activation"], spec["norm"]]))


@pytest.mark.parametrize("index", range(len(CASES)), ids=[name(case) for case in CASES])
def test_engine_equals_pytorch(index, results, largest_differences):
    expected, answer = results[index]
    case = CASES[index]
    apart = {}
    for quantity, theirs in expected.items():
        ours, theirs = decode(answer[quantity]), theirs.detach().flatten().numpy()
        if quantity == "ratios":  # the probe has none where a ReLU has let nothing through
            ours, theirs = ours[np.isfinite(theirs)], theirs[np.isfinite(theirs)]
        sizes = case["pieces"].get(quantity) or [theirs.size]
        both = zip(pieces(ours, sizes), pieces(theirs, sizes), strict=True)
        apart[quantity] = max(difference(*pair) for pair in both)
    largest_differences(case["group"], apart)
    too_far = {quantity: f"{d:.1e}" for quantity, d in apart.items() if not d <= LIMIT}
    assert not too_far
