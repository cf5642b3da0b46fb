"""Heads, streams, lenses and rank: against weights set to 0, chains by hand and formulas."""

import math

import pandas as pd
import pytest
import torch
from probe_models import MODELS, make
from torch import nn

from residual_lib.models import BERT, Transformer
from residual_lib.nn import Attention
from residual_lib.objective import IGNORED, loss
from residual_lib.probes import (
    activation_statistics,
    gradient_norms,
    lesion,
    lesion_heads,
    lesion_reorder,
    logit_lens,
    logit_lens_positions,
    rank_collapse,
    residual_stream,
)
from residual_lib.probes.masking import silenced
from residual_lib.residual import Residual, concatenate, iter_residuals

TOKENWISE = ("gpt", "post_norm_gpt", "plain_gpt", "bert")


def test_silenced_channels_by_hand():
    layer = nn.Linear(3, 1, bias=False)
    nn.init.ones_(layer.weight)
    x = torch.tensor([[1.0, 10.0, 100.0]])
    with silenced(layer, slice(1, 2)):
        assert layer(x).item() == 101
    assert layer(x).item() == 111
    assert x.tolist() == [[1.0, 10.0, 100.0]]
    convolution = nn.Conv1d(2, 1, 1, bias=False)
    nn.init.ones_(convolution.weight)
    with silenced(convolution, slice(0, 1), axis=1):
        assert convolution(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])).tolist() == [[[3.0, 4.0]]]


@pytest.mark.parametrize("name", TOKENWISE)
def test_a_head_is_deleted_by_its_rows_of_the_last_layer(name):
    model, batch = make(name)
    model.eval()
    table = lesion_heads(model, batch, progress=False)
    losses = table[table.metric == "loss"].set_index(["index", "head"]).value
    assert losses[-1, -1] == pytest.approx(loss(model(batch[0]), batch[1]).item())
    attentions = [m for m in model.modules() if isinstance(m, Attention)]
    assert len(losses) == 1 + 2 * len(attentions)
    for index, attention in enumerate(attentions):
        for head in range(2):
            kept = attention.proj.weight.detach().clone()
            with torch.no_grad():  # 6 channels in 2 heads of 3
                attention.proj.weight[:, 3 * head : 3 * head + 3] = 0
            expected = loss(model(batch[0]), batch[1]).item()
            with torch.no_grad():
                attention.proj.weight.copy_(kept)
            assert losses[index, head] == pytest.approx(expected, rel=1e-12)
    assert losses.nunique() == len(losses)


def test_a_lonely_head_is_the_whole_branch():
    model, batch = make("gpt")
    for attention in (m for m in model.modules() if isinstance(m, Attention)):
        attention.n_head = 1
        nn.init.zeros_(attention.proj.bias)
    heads = lesion_heads(model, batch, progress=False)
    blocks = lesion(model, batch, blocks=["blocks.0.attn", "blocks.1.attn"], progress=False)
    assert heads.value.tolist() == pytest.approx(blocks.value.tolist())


def test_heads_of_some_layers_are_those_of_all():
    model, batch = make("bert")
    every = lesion_heads(model, batch, progress=False)
    name = "blocks.1.attn.branch.attention"
    some = lesion_heads(model, batch, layers=[name], progress=False)
    expected = every[every.layer.isin(["", name])].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, expected)
    with pytest.raises(ValueError, match=r"layers must be of \['blocks.0.*got \['nowhere'\]"):
        lesion_heads(model, batch, layers=["nowhere"], progress=False)
    with pytest.raises(ValueError, match=r"model must have a part of \['Attention'\]"):
        lesion_heads(*make("stack"), progress=False)


@pytest.mark.parametrize("part", ["attn", "mlp"])
def test_a_block_of_gpt_is_deleted_by_name(part):
    """As if its last layer had only zeros."""
    model, batch = make("gpt")
    table = lesion(model, batch, blocks=[f"blocks.1.{part}"], progress=False)
    measured = table[(table["index"] >= 0) & (table.metric == "loss")].value.item()
    branch = model.get_submodule(f"blocks.1.{part}.branch")
    last = branch.attention.proj if part == "attn" else branch.proj
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    assert measured == pytest.approx(loss(model(batch[0]), batch[1]).item())


@pytest.mark.parametrize("name", TOKENWISE)
def test_blocks_of_transformers_change_places(name):
    model, batch = make(name)
    table = lesion_reorder(model, batch, swaps=[0, 1], draws=8, progress=False)
    intact = table[(table.swaps == 0) & (table.metric == "loss")].value
    assert intact.nunique() == 1
    # Four blocks of one shape: attentions and MLPs change places with each other as well.
    assert table[table.swaps == 1].kendall_tau.nunique() > 1
    assert (table[(table.swaps == 1) & (table.metric == "loss")].value != intact.iloc[0]).all()


def times(factor, **slots):
    return Residual(lambda x: factor * x, **slots)


def test_stream_by_hand():
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    net = nn.Sequential(times(1.0), Residual(lambda x: x @ turn.T), times(1.0, merge=concatenate))
    x = torch.tensor([[3.0, 4.0], [6.0, 8.0]])
    table = residual_stream(net, (x, torch.zeros(2)))
    assert table.layer.unique().tolist() == ["", "0", "1", "2"]
    found = table.set_index(["depth", "metric"]).value
    assert found[0, "norm"] == pytest.approx(7.5)
    assert found[1, "norm"] == pytest.approx(15)
    assert (found[1, "growth"], found[1, "cosine"]) == (pytest.approx(2), pytest.approx(1))
    # x + Rx, with R a right angle: longer by sqrt 2, turned by half of it.
    assert found[2, "growth"] == pytest.approx(math.sqrt(2))
    assert found[2, "cosine"] == pytest.approx(math.sqrt(0.5))
    # (x, x): sqrt 2 as long; of other shape, so there is no angle.
    assert found[3, "norm"] == pytest.approx(30)
    assert (3, "cosine") not in found.index
    assert set(table[table.depth == 0].metric) == {"norm"}


def test_channels_of_the_stream_stand_where_it_is_said():
    net = nn.Sequential(times(1.0))
    x = torch.tensor([[[3.0, 0.0], [4.0, 1.0]]])  # (batch, channels, positions)
    table = residual_stream(net, (x, torch.zeros(1)), axis=1)
    assert table.value[0] == pytest.approx((5 + 1) / 2)
    assert residual_stream(net, (x, torch.zeros(1))).value[0] == pytest.approx((3 + 17**0.5) / 2)


def test_stream_of_gpt_is_what_passes_its_blocks():
    model, batch = make("gpt")
    table = residual_stream(model, batch).set_index(["layer", "metric"]).value
    h = model.tokens(batch[0]) + model.positions.weight
    assert table["", "norm"] == pytest.approx(h.norm(dim=-1).mean().item())
    for name, block in iter_residuals(model):
        h, before = block(h), h
        assert table[name, "norm"] == pytest.approx(h.norm(dim=-1).mean().item())
        cosine = (h * before).sum(-1) / (h.norm(dim=-1) * before.norm(dim=-1))
        assert table[name, "cosine"] == pytest.approx(cosine.mean().item())


def through(*outputs):
    """A net whose stream is these tensors, one after the other."""
    return nn.Sequential(*(Residual(lambda x, y=y: y - x) for y in outputs))


def ranks(*outputs):
    batch = outputs[0], torch.zeros(len(outputs[0]))
    return rank_collapse(through(*outputs), batch).set_index(["depth", "metric"]).value


def test_distance_to_rank_one_by_formula():
    x = torch.randn(4, 5, 3, dtype=torch.float64)
    found = ranks(x)
    energy = (x**2).sum((1, 2))
    common = 5 * (x.mean(1) ** 2).sum(1)  # of 1 mean^T
    assert found[0, "frobenius"] == pytest.approx((1 - common / energy).sqrt().mean().item())
    rest = x - x.mean(1, keepdim=True)

    def composite(m):
        columns = m.abs().sum(1).max(1).values
        lines = m.abs().sum(2).max(1).values
        return (columns * lines).sqrt()

    expected = (composite(rest) / composite(x)).mean().item()
    assert found[0, "composite"] == pytest.approx(expected)
    # No other vector leaves less in the Frobenius norm.
    for _ in range(20):
        other = x - x.mean(1, keepdim=True) - 0.1 * torch.randn(4, 1, 3, dtype=torch.float64)
        assert ((other**2).sum((1, 2)).sqrt() >= (rest**2).sum((1, 2)).sqrt()).all()


def test_distance_to_rank_one_at_its_ends():
    alike = torch.randn(2, 1, 3, dtype=torch.float64).expand(2, 4, 3)
    opposite = torch.tensor([[[1.0, 2.0], [-1.0, -2.0]]], dtype=torch.float64)
    assert ranks(alike)[0, "frobenius"] == pytest.approx(0, abs=1e-12)
    assert ranks(opposite)[0, "frobenius"] == pytest.approx(1)
    assert ranks(opposite)[0, "composite"] == pytest.approx(1)
    # Rank one as a matrix isn't enough: the rows must be equal.
    rows = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)[None, :, None] * torch.ones(1, 1, 2)
    assert ranks(rows)[0, "frobenius"] == pytest.approx(math.sqrt(1 - 3 * 2**2 / 14))


def test_attention_alone_collapses_and_a_skip_prevents_it():
    """Dong et al. 2021, section 2 and figure 2."""
    torch.manual_seed(0)
    x = torch.randn(4, 16, 32, dtype=torch.float64)

    def last(**options):
        model = Transformer(8, 4, 32, mlp_ratio=0, norm_layer=None, bias=False, **options)
        table = rank_collapse(model.double(), (x, torch.zeros(4)))
        assert table.depth.max() == 8
        return table[table.metric == "frobenius"].value.iloc[-1]

    assert last(skip=False) < 1e-4
    assert last(skip=True) > 0.3


def test_rank_needs_positions():
    with pytest.raises(ValueError, match=r"\(batch, positions, channels\), but the first has"):
        rank_collapse(*make("stack"))


@pytest.mark.parametrize("name", TOKENWISE)
def test_the_lens_at_its_two_ends(name):
    model, batch = make(name)
    x, y = batch
    found = logit_lens(model, batch).set_index(["depth", "metric"]).value
    logits = model(x)
    assert found[4, "loss"] == pytest.approx(loss(logits, y).item())
    assert found[4, "agreement"] == 1
    assert found[4, "divergence"] == pytest.approx(0, abs=1e-12)
    assert found[4, "error"] == pytest.approx((logits.argmax(1) != y).double().mean().item())
    entered = []
    _, first = next(iter_residuals(model))
    handle = first.register_forward_pre_hook(lambda block, inputs: entered.extend(inputs))
    model(x)
    handle.remove()
    early = model.read_out(entered[0])
    assert found[0, "loss"] == pytest.approx(loss(early, y).item())
    p, q = logits.softmax(1), early.softmax(1)
    assert found[0, "divergence"] == pytest.approx((p * (p / q).log()).sum(1).mean().item())
    same = (early.argmax(1) == logits.argmax(1)).double().mean().item()
    assert found[0, "agreement"] == pytest.approx(same)


def test_the_lens_at_every_position():
    model, (x, y) = make("gpt")
    y = y.clone()
    y[1, 2] = IGNORED
    table = logit_lens_positions(model, (x, y), examples=2)
    assert len(table) == 5 * 4 * 2 * 4  # depths, metrics, examples, positions
    found = table.set_index(["depth", "example", "position", "metric"]).value.sort_index()
    shares = model(x).softmax(1)
    for example in range(2):
        for t in range(4):
            here = found[4, example, t]
            column = shares[example, :, t]
            assert here["token"] == column.argmax().item()
            assert here["probability"] == pytest.approx(column.max().item())
            if (example, t) == (1, 2):
                assert here[["target_probability", "target_rank"]].isna().all()
            else:
                right = column[y[example, t]]
                assert here["target_probability"] == pytest.approx(right.item())
                assert here["target_rank"] == (column > right).sum().item()
    assert set(table.layer) == {"", *(name for name, _ in iter_residuals(model))}


def test_a_lens_needs_something_to_read_with():
    model, batch = make("stack")
    with pytest.raises(ValueError, match=r"model must have a read_out, .* got Sequential"):
        logit_lens(model, batch)
    pooled = BERT(3, 4, 1, 2, 6, head="pooler").double()
    batch = make("bert")[1]
    with pytest.raises(ValueError, match=r"read out logits .* got \(8, 6\)"):
        logit_lens(pooled, batch)
    with pytest.raises(ValueError, match=r"examples must be 1 to 8 .* got 9"):
        logit_lens_positions(make("gpt")[0], batch, examples=9)


@pytest.mark.parametrize("name", MODELS)
def test_the_stream_of_every_family(name):
    model, batch = make(name)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    table = residual_stream(model, batch, axis=1)
    runs = len(table[table.metric == "norm"]) - 1
    assert runs == (3 if name == "repeated" else len(list(iter_residuals(model))))
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[key]), key
    assert model.training


@pytest.mark.parametrize("name", TOKENWISE)
def test_no_trace_is_left_in_a_transformer(name):
    model, batch = make(name)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    for probe in (logit_lens, logit_lens_positions, rank_collapse, residual_stream):
        probe(model, batch)
    lesion_heads(model, batch, progress=False)
    gradient_norms(model, batch)
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[key]), key
    assert model.training
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_gradient_norms_of_gpt_equal_backward():
    model, batch = make("gpt")
    table = gradient_norms(model, batch).set_index(["layer", "metric"]).value
    loss(model(batch[0]), batch[1]).backward()
    layers = [name for name, m in model.named_modules() if isinstance(m, nn.Linear)]
    assert len(layers) == 8
    for name in layers:
        gradient = model.get_submodule(name).weight.grad.norm().item()
        assert table[name, "weight_gradient"] == pytest.approx(gradient)


def test_dead_units_of_a_transformer_are_channels_and_not_positions():
    torch.manual_seed(0)
    model = Transformer(1, 2, 4, activation="relu")
    with torch.no_grad():
        model.blocks[0].mlp.branch.fc.bias[:4] = -1e3  # of 16
    batch = torch.randn(8, 5, 4), torch.zeros(8)
    table = activation_statistics(model, batch, axis=-1).set_index("metric").value
    assert table["dead_fraction"] == 0.25
    assert activation_statistics(model, batch).set_index("metric").value["dead_fraction"] == 0
