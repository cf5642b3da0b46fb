"""Parts by name, against the formulas that define them."""

import math

import pytest
import torch
from torch import nn

from residual_lib.nn import ACTIVATIONS, create_activation, create_norm, initialise_


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("identity", lambda x: x),
        ("sigmoid", lambda x: 1 / (1 + torch.exp(-x))),
        ("tanh", lambda x: (torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x))),
        ("relu", lambda x: x * (x > 0)),
        ("leaky_relu", lambda x: torch.where(x > 0, x, 0.01 * x)),
        ("gelu", lambda x: x * (1 + torch.erf(x / math.sqrt(2))) / 2),
        ("silu", lambda x: x / (1 + torch.exp(-x))),
    ],
)
def test_activation_is_its_formula(name, formula):
    x = torch.linspace(-3, 3, 13, dtype=torch.float64)
    torch.testing.assert_close(create_activation(name)(x), formula(x))
    assert name in ACTIVATIONS


@pytest.mark.parametrize("shape", [(16, 6), (16, 6, 5), (16, 6, 4, 3)])
def test_norms_standardise_what_they_say(shape):
    x = 3 + 2 * torch.randn(shape, generator=torch.Generator().manual_seed(0))
    dims = len(shape) - 2
    over_examples = create_norm("batch", 6, dims=dims)(x).transpose(0, 1).flatten(1)
    over_channels = create_norm("layer", 6, dims=dims)(x).flatten(1)
    for rows in (over_examples, over_channels):
        torch.testing.assert_close(rows.mean(1), torch.zeros(len(rows)), atol=1e-5, rtol=0)
        torch.testing.assert_close(
            rows.var(1, correction=0), torch.ones(len(rows)), atol=1e-3, rtol=0
        )
    assert create_norm(None, 6, dims=dims)(x) is x


def test_layer_norm_of_vectors_is_pytorchs():
    x = torch.randn(4, 6)
    torch.testing.assert_close(create_norm("layer", 6)(x), nn.LayerNorm(6)(x))


@pytest.mark.parametrize(
    ("scheme", "variance"),
    [("naive", 1.0), ("xavier", 2 / (300 + 500)), ("he", 2 / 300)],
)
def test_scheme_has_its_variance(scheme, variance):
    torch.manual_seed(0)
    layer = initialise_(nn.Linear(300, 500), scheme)
    assert layer.weight.var().item() == pytest.approx(variance, rel=0.02)
    assert layer.weight.mean().item() == pytest.approx(0, abs=5 * math.sqrt(variance / 150_000))
    assert not layer.bias.any()


def test_fan_in_of_a_convolution_counts_the_kernel():
    torch.manual_seed(0)
    layer = initialise_(nn.Conv2d(32, 64, 3), "he")
    assert layer.weight.var().item() == pytest.approx(2 / (32 * 9), rel=0.05)


@pytest.mark.parametrize("scheme", ["naive", "xavier", "he"])
def test_each_output_of_a_transposed_convolution_meets_one_position(scheme):
    """With a stride as long as the kernel it is a linear layer for each place in the kernel."""
    torch.manual_seed(0)
    layer = initialise_(nn.ConvTranspose2d(100, 60, 2, stride=2), scheme)
    linear = initialise_(nn.Linear(100, 60), scheme)
    for place in layer.weight.flatten(2).unbind(-1):
        assert place.var().item() == pytest.approx(linear.weight.var().item(), rel=0.05)
    assert not layer.bias.any()
    x = torch.randn(8, 100, 5, 5)
    if scheme == "he":  # keeps the scale of rectified signals
        assert layer(x.relu()).var().item() == pytest.approx(1, rel=0.1)


def test_transposed_convolution_can_be_orthogonal():
    layer = initialise_(nn.ConvTranspose1d(6, 6, 2, stride=2), "orthogonal", activation="tanh")
    for place in layer.weight.unbind(-1):
        torch.testing.assert_close(place @ place.T, torch.eye(6), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("activation", "gain"), [("relu", math.sqrt(2)), ("tanh", 1.0)])
def test_orthogonal_has_equal_singular_values(activation, gain):
    layer = initialise_(nn.Linear(20, 20), "orthogonal", activation=activation)
    values = torch.linalg.svdvals(layer.weight)
    torch.testing.assert_close(values, torch.full((20,), gain))


def test_default_leaves_pytorchs_draw():
    layer = nn.Linear(5, 5)
    before = layer.weight.clone(), layer.bias.clone()
    initialise_(layer, "default")
    assert torch.equal(before[0], layer.weight)
    assert torch.equal(before[1], layer.bias)


def test_layers_without_bias_are_initialised_too():
    layer = initialise_(nn.Linear(4, 4, bias=False), "orthogonal", activation="tanh")
    torch.testing.assert_close(layer.weight @ layer.weight.T, torch.eye(4), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: create_activation("rleu"), "activation must be one of .* got 'rleu'"),
        (lambda: create_norm("instance", 4), "norm_layer must be one of .* got 'instance'"),
        (lambda: create_norm("batch", 4, dims=3), "dims must be 0, 1 or 2, got 3"),
        (lambda: initialise_(nn.Linear(2, 2), "hee"), "init must be one of .* got 'hee'"),
    ],
)
def test_wrong_names_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
