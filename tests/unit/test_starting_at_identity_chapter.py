"""Chapter 10: the starts that models take by name, its stacks against formulas, its helpers."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from residual_lib.claims import starting_at_identity as claims
from residual_lib.experiments import Settings
from residual_lib.experiments import starting_at_identity as chapter
from residual_lib.models import create_model
from residual_lib.models.transformer import deep_norm_constants
from residual_lib.nn import SCALES, LearnedScale, Scale, create_scale
from residual_lib.nn.attention import Attention
from residual_lib.residual import iter_residuals


def blocks_of(model):
    return [block for _, block in iter_residuals(model)]


def tiny(**options):
    return create_model("small_gpt", n_layer=3, n_head=2, n_embd=8, block_size=6, **options)


# --- scales by name -------------------------------------------------------------------------


def test_no_name_is_no_scale():
    assert create_scale(None, blocks=3, channels=4) is None


def test_rezero_is_one_number_at_zero():
    scale = create_scale("rezero", blocks=3, channels=4)
    assert isinstance(scale, LearnedScale)
    assert scale.weight.tolist() == [0]


def test_layer_scale_is_a_number_a_channel():
    """As timm's module of that name, x * gamma along the last axis."""
    scale = create_scale("layer_scale", blocks=3, channels=4, axis=-1)
    x = torch.randn(2, 5, 4)
    torch.testing.assert_close(scale(x), x * (0.1 * torch.ones(4)))
    assert sum(p.numel() for p in scale.parameters()) == 4


def test_depth_scale():
    scale = create_scale("depth", blocks=16, channels=4)
    assert isinstance(scale, Scale)
    assert scale.factor == 0.25


def test_an_unknown_scale_is_refused():
    with pytest.raises(ValueError, match=r"scale must be one of .*'rezero'.*, got 'zero'"):
        create_scale("zero", blocks=3, channels=4)


# --- models that take them ------------------------------------------------------------------


@pytest.mark.parametrize("start", [{"scale": "rezero"}, {"zero_init_residual": True}])
@pytest.mark.parametrize("norm", [None, "batch"])
@pytest.mark.parametrize(
    ("name", "shape"), [("residual_mlp", (5, 64)), ("residual_conv1d", (5, 1, 20))]
)
def test_blocks_start_as_the_identity(name, shape, norm, start):
    torch.manual_seed(0)
    net = create_model(name, depth=8, width=6, norm_layer=norm, **start)
    h = net.stem(torch.randn(shape))
    assert torch.equal(net.blocks(h), h)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", ["residual_mlp", "residual_conv2d"])
def test_every_block_has_the_scale(name, scale):
    blocks = blocks_of(create_model(name, depth=12, width=6, scale=scale))
    made = create_scale(scale, blocks=5, channels=6)
    assert len(blocks) == 5
    assert all(repr(block.scale) == repr(made) for block in blocks)


@pytest.mark.parametrize("name", ["small_gpt", "small_bert", "transformer_encoder"])
def test_transformers_count_two_blocks_a_layer(name):
    model = create_model(name, n_layer=3, n_head=2, n_embd=8, scale="depth")
    assert {block.scale.factor for block in blocks_of(model)} == {6**-0.5}
    model = create_model(name, n_layer=3, n_head=2, n_embd=8, scale="layer_scale")
    assert {block.scale.axis for block in blocks_of(model)} == {-1}


@pytest.mark.parametrize("norm", [None, "layer"])
def test_a_rezero_transformer_starts_as_the_identity(norm):
    model = tiny(scale="rezero", norm_layer=norm)
    x = torch.randn(2, 6, 8)
    assert torch.equal(model.blocks(x), x)
    assert sum(p.numel() for p in model.parameters()) == 6 + sum(
        p.numel() for p in tiny(norm_layer=norm).parameters()
    )


@pytest.mark.parametrize("options", [{"scale": "rezero"}, {"zero_init_residual": True}])
def test_a_plain_net_takes_no_such_start(options):
    (name,) = options
    with pytest.raises(ValueError, match=f"{name} needs skip=True"):
        create_model("plain_mlp", **options)


def test_no_start_leaves_a_model_as_it_was():
    torch.manual_seed(0)
    before = create_model("residual_mlp", depth=6).state_dict()
    torch.manual_seed(0)
    after = create_model("residual_mlp", depth=6, scale=None, zero_init_residual=False)
    assert all(torch.equal(before[name], value) for name, value in after.state_dict().items())


# --- DeepNorm -------------------------------------------------------------------------------


@pytest.mark.parametrize("layers", [1, 12, 100])
def test_deep_norms_constants(layers):
    """Wang et al. 2022, Table 1. Their condition is 2 N (v^2 + w^2) / alpha^2 = 1, v = w = beta."""
    alpha, beta = deep_norm_constants(layers)
    assert alpha == pytest.approx(math.sqrt(math.sqrt(2 * layers)))
    assert 2 * layers * (beta**2 + beta**2) / alpha**2 == pytest.approx(1)
    assert beta / alpha == pytest.approx((2 * 2 * layers) ** -0.5)


def test_a_deep_norm_block_by_hand():
    model = tiny(pre_norm=False, deep_norm=True, init="xavier")
    alpha, _ = deep_norm_constants(3)
    x = torch.randn(2, 6, 8)
    for block in blocks_of(model):
        expected = F.layer_norm(alpha * x + block.branch(x), (8,))
        torch.testing.assert_close(block(x), expected)


def test_deep_norm_shrinks_all_but_queries_and_keys():
    weights = []
    for deep_norm in (False, True):
        torch.manual_seed(0)
        weights.append(tiny(pre_norm=False, deep_norm=deep_norm, init="xavier").state_dict())
    _, beta = deep_norm_constants(3)
    for name, plain in weights[0].items():
        factor = torch.ones_like(plain)
        if name.endswith("qkv.weight"):
            factor[16:] = beta
        elif name.startswith("blocks") and plain.ndim == 2:
            factor *= beta
        torch.testing.assert_close(weights[1][name], factor * plain)


def test_deep_norm_belongs_behind_the_sum():
    with pytest.raises(ValueError, match="deep_norm needs pre_norm=False"):
        tiny(deep_norm=True)
    with pytest.raises(ValueError, match="deep_norm needs skip=True"):
        tiny(deep_norm=True, pre_norm=False, skip=False)


# --- the experiments ------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["depth", "half", "layer_scale", "rezero", "sum"])
def test_a_stack_grows_as_derived(scheme):
    torch.manual_seed(0)
    alpha = {"depth": 8**-0.5, "half": 16**-0.5, "layer_scale": 0.1, "rezero": 0.0, "sum": 1.0}
    model, x = chapter.stack(scheme, 8, 1024), torch.randn(64, 1024)
    with torch.no_grad():
        grown = (model(x).square().mean() / x.square().mean()).item()
    assert grown == pytest.approx(claims.growth(alpha[scheme], 8), rel=0.1)


def test_an_unknown_stack_is_refused():
    with pytest.raises(ValueError, match="scheme must be one of"):
        chapter.stack("zero", 8, 4)


def test_rezeros_singular_values_are_all_one():
    settings = Settings(
        profile={"signal_width": 16, "width": 8, "batch": 4, "examples": 2},
        device="cpu",
        progress=False,
    )
    table = chapter.run_start({"scheme": "rezero", "blocks": 4}, [0, 1], settings)
    values = table[table["metric"] == "singular_value"]
    assert len(values) == 2 * 8
    assert values["value"].tolist() == pytest.approx([1.0] * 16)


def test_scales_are_read_in_the_order_of_blocks():
    model = create_model("residual_mlp", depth=8, width=4, scale="layer_scale")
    with torch.no_grad():
        for number, block in enumerate(blocks_of(model), start=1):
            block.scale.weight.copy_(number * torch.tensor([1.0, -1.0, 1.0, -1.0]))
    table = chapter.scales(model, (torch.zeros(0), torch.zeros(0)))
    assert table["index"].tolist() == [1, 2, 3]
    assert table["value"].tolist() == [1, 2, 3]
    assert chapter.scales(create_model("residual_mlp", depth=8), (None, None)).empty


def test_embeddings_have_the_size_asked_for():
    torch.manual_seed(0)
    model = chapter.character_model("rezero", 2, 64, 2, 64, 0.5)
    stds = [part.weight.std().item() for part in model.modules() if isinstance(part, nn.Embedding)]
    assert stds == pytest.approx([0.5, 0.5], rel=0.05)
    assert sum(isinstance(part, Attention) for part in model.modules()) == 2


# --- the claims' helpers --------------------------------------------------------------------


def curve(variant, values, seed=0):
    steps = [10 * (number + 1) for number in range(len(values))]
    return pd.DataFrame(
        {"variant": variant, "seed": seed, "step": steps, "metric": "loss", "value": values}
    )


def test_a_ratio_of_steps():
    table = pd.concat([curve("slow-1", [4.0, 3, 2.2, 1.8]), curve("fast-1", [3.0, 1.9, 1.5, 1.0])])
    assert claims.last(table, "slow-1")[0] == 2
    assert claims.ratio_of_steps("fast-1", "slow-1", table)[0] == 2
    assert claims.ratio_of_steps("slow-1", "fast-1", table)[0] == 1
    assert claims.lower("fast-1", "slow-1", table)[0] == pytest.approx(0.75)


def test_who_diverged_is_the_worst():
    table = pd.concat([curve("one-1", [2.0, 1.0, 0.5]), curve("one-1", [2.0], seed=1)])
    assert claims.last(table, "one-1").tolist() == [0.75, np.inf]
    assert claims.worst_moment("one-1", table).tolist() == pytest.approx([0, 30])


def test_alphas_by_part():
    table = pd.DataFrame(
        {
            "variant": "net-1",
            "seed": 0,
            "step": 10,
            "metric": "alpha",
            "index": range(1, 7),
            "value": [0.1, 0.4, 0.1, 0.3, 0.1, 0.2],
        }
    )
    assert claims.mlp_over_attention("net-1", table)[0] == pytest.approx(3)
    assert claims.early_over_late("net-1", table)[0] == pytest.approx(2)
    assert claims.sum_of_squares("net-1", table)[0] == pytest.approx(0.32)
    assert claims.mlp_over_attention("net-1", claims.alike(table))[0] == pytest.approx(1)
    assert claims.sum_of_squares("net-1", claims.tenfold(table))[0] == pytest.approx(32)


def test_one_in_the_place_of_another():
    table = pd.concat([curve("depth-8", [1.0]), curve("sum-8", [9.0]), curve("sum-4", [5.0])])
    swapped = claims.kind_in_place("depth", "sum", table).set_index("variant")["value"]
    assert swapped.to_dict() == {"depth-8": 9, "depth-4": 5, "sum-8": 9, "sum-4": 5}
