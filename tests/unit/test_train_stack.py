"""Many models as one: every way to call a stack against the models called by themselves."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor, nn

from residual_lib.nn import (
    DropPath,
    EfficientChannelAttention,
    LearnedScale,
    SqueezeExcitation,
)
from residual_lib.residual import Residual, concatenate
from residual_lib.train.stack import WAYS, Stack, fastest_way

CPU = torch.device("cpu")


def norms() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv1d(2, 4, 3, padding="same", groups=2), nn.GroupNorm(2, 4), nn.Tanh()),
        *(nn.Conv1d(4, 4, 2, stride=2, bias=False), nn.BatchNorm1d(4, affine=False), nn.ReLU()),
        *(nn.AvgPool1d(2), nn.Flatten(), nn.Linear(8, 5), nn.GELU()),
        *(nn.BatchNorm1d(5, track_running_stats=False), nn.Linear(5, 3, bias=False)),
    )


def images() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(2, 4, (3, 1), padding=(1, 0)), nn.BatchNorm2d(4)),
        *(Residual(nn.Conv2d(4, 4, 3, padding=1)), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3)),
    )


class Centred(nn.Module):
    """Mixes the channels in its own code: side by side it would mix the models."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x - x.mean(1, keepdim=True))


def widened() -> nn.Module:
    return nn.Sequential(Residual(nn.Linear(4, 4), merge=concatenate), nn.Linear(8, 3))


def nothing_learned() -> nn.Module:
    return nn.Sequential(Residual(nn.Tanh(), merge=concatenate), nn.Linear(8, 3))


def up_and_down() -> nn.Module:
    return nn.Sequential(
        *(nn.ConvTranspose1d(2, 4, 2, stride=2), nn.Conv1d(4, 2, 3, padding=1)),
        *(nn.Unflatten(2, (2, -1)), nn.ConvTranspose2d(2, 4, (1, 3), stride=(1, 2), groups=2)),
        *(Residual(nn.Conv2d(4, 2, 1), merge=concatenate), nn.Conv2d(6, 3, 1)),
    )


def scaled() -> nn.Module:
    scales = [
        *(LearnedScale(0.5), LearnedScale(0.1, 4)),
        *(SqueezeExcitation(4, reduction=2, dims=1), EfficientChannelAttention(4)),
    ]
    blocks = (Residual(nn.Conv1d(4, 4, 3, padding=1), scale=scale) for scale in scales)
    model = nn.Sequential(nn.Conv1d(2, 4, 1), *blocks, nn.Flatten(), nn.Linear(32, 3))
    for scale in scales[:2]:  # else all models have the same
        nn.init.normal_(scale.weight)
    return model


def tokens() -> nn.Module:
    return Residual(nn.Linear(4, 4), scale=LearnedScale(0.5, 4, axis=-1))


def dropping(per: str) -> nn.Module:
    return nn.Sequential(
        nn.Linear(2, 2, bias=False), Residual(nn.Linear(2, 2), scale=DropPath(0.5, per=per))
    )


def by_layer_norm() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))


def circular() -> nn.Module:
    return nn.Conv1d(2, 2, 3, padding=1, padding_mode="circular")


class Counted(nn.Module):
    """Looks at a number, which no map can do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) * (2 if x.sum().item() > 0 else 1)


class DropPathAlone(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Linear(4, 3), DropPath(0.5))


def averaged() -> nn.Module:
    """BatchNorm with a cumulative average reads its counter as a number."""
    return nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, momentum=None))


CASES = [
    pytest.param(norms, (2, 8), "side by side", id="norms"),
    pytest.param(images, (2, 4, 4), "side by side", id="images"),
    pytest.param(Centred, (4,), "mapped", id="own code mixes channels"),
    pytest.param(widened, (4,), "side by side", id="concatenation"),
    pytest.param(nothing_learned, (4,), "mapped", id="concatenation without a parameter inside"),
    pytest.param(up_and_down, (2, 4), "side by side", id="transposed convolutions"),
    pytest.param(scaled, (2, 8), "side by side", id="scales"),
    pytest.param(tokens, (4,), "mapped", id="channels on the last axis"),
    pytest.param(DropPathAlone, (4,), "mapped", id="drops outside of a block's slot"),
    pytest.param(by_layer_norm, (4,), "mapped", id="layer without a rule"),
    pytest.param(circular, (2, 8), "mapped", id="padding without a rule"),
    pytest.param(Counted, (4,), "one by one", id="data-dependent code"),
    pytest.param(averaged, (4,), "one by one", id="data-dependent code in training"),
]


def make(build, count=3) -> list[nn.Module]:
    models = []
    for seed in range(count):
        torch.manual_seed(seed)
        models.append(build())
    return models


@pytest.mark.parametrize(("build", "shape", "way"), CASES)
def test_the_fastest_way_that_is_right_is_taken(build, shape, way):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert fastest_way(make(build), CPU, torch.randn(4, *shape)) == way
    ours = [w for w in caught if "one by one" in str(w.message)]
    assert len(ours) == (way == "one by one")


def test_the_warning_says_why():
    with pytest.warns(UserWarning, match=r"one by one, since .*item\(\)"):
        fastest_way(make(Counted), CPU, torch.randn(4, 4))


def test_a_mistake_of_the_model_itself_is_raised():
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        fastest_way(make(lambda: nn.Linear(7, 3)), CPU, torch.randn(4, 4))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("build", "shape"),
    [
        *((norms, (2, 8)), (images, (2, 4, 4)), (widened, (4,)), (up_and_down, (2, 4))),
        (scaled, (2, 8)),
    ],
)
def test_outputs_gradients_and_running_statistics_are_each_models_own(build, shape, way, training):
    models = make(build)
    stack = Stack(models, CPU, way)
    stack.train(training)
    x = torch.randn(3, 16, *shape)
    output = stack(x)
    target = torch.randn_like(output)
    (output * target).sum().backward()
    for row, model in enumerate(models):
        model.train(training)
        expected = model(x[row])
        torch.testing.assert_close(output[row], expected, rtol=1e-4, atol=1e-4)
        (expected * target[row]).sum().backward()
        gradient = nn.utils.parameters_to_vector(p.grad for p in model.parameters())
        torch.testing.assert_close(stack.weights.grad[row], gradient, rtol=1e-3, atol=1e-3)
        for name, buffer in model.named_buffers():
            torch.testing.assert_close(stack.fixed[name][row], buffer, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("per", ["example", "batch"])
@pytest.mark.parametrize("way", WAYS)
def test_each_model_drops_branches_by_draws_of_its_own(way, per):
    """At equal weights and inputs, what differs between models and examples is the draw."""
    torch.manual_seed(0)
    models = [dropping(per)] * 40
    stack = Stack(models, CPU, way)
    output = stack(torch.ones(40, 20, 2)).detach()
    x = models[0][0](torch.ones(2)).detach()
    kept = x + 2 * models[0][1].branch(x).detach()
    dropped = torch.isclose(output, x).all(-1)
    assert torch.allclose(output[~dropped], kept)
    expected = 400 if per == "example" else 20 * 20
    assert dropped.sum() == pytest.approx(expected, abs=60 if per == "example" else 260)
    alike = (dropped == dropped[:, :1]).all(1)  # all examples of a model
    assert alike.all() if per == "batch" else alike.sum() < 2
    assert len(dropped[:, 0].unique()) == 2
    stack.train(False)
    torch.testing.assert_close(stack(torch.ones(40, 20, 2))[0, 0], (x + kept) / 2)


def test_unload_gives_each_row_back_and_leaves_frozen_parameters_alone():
    models = make(images)
    for model in models:
        model[0].weight.requires_grad_(False)
    stack = Stack(models, CPU, "side by side")
    frozen = models[1][0].weight.clone()
    trained = sum(p.numel() for p in models[0].parameters() if p.requires_grad)
    assert stack.weights.shape == (3, trained)
    with torch.no_grad():
        stack.weights[1] = torch.arange(trained, dtype=torch.float32)
    model = stack.unload(1, models[1])
    rest = nn.utils.parameters_to_vector(p for p in model.parameters() if p.requires_grad)
    assert rest.tolist() == list(range(trained))
    assert torch.equal(model[0].weight, frozen)


def test_dropping_models_keeps_the_others_and_their_momentum():
    stack = Stack(make(norms), CPU, "side by side")
    optimizer = torch.optim.AdamW([stack.weights])
    stack(torch.randn(3, 8, 2, 8)).sum().backward()
    optimizer.step()
    before = {
        "weights": stack.weights.detach().clone(),
        **{k: v.clone() for k, v in optimizer.state[stack.weights].items()},
    }
    stack.keep(torch.tensor([True, False, True]), optimizer)
    assert len(stack) == 2
    assert torch.equal(stack.weights, before["weights"][[0, 2]])
    state = optimizer.state[stack.weights]
    assert torch.equal(state["exp_avg"], before["exp_avg"][[0, 2]])
    assert torch.equal(state["step"], before["step"])
    assert stack(torch.randn(2, 8, 2, 8)).shape == (2, 8, 3)
