"""Transformers: published counts, attention by hand, and PyTorch's own layers beside ours."""

import functools
import math

import pytest
import torch
from torch import nn

from residual_lib.data import Data
from residual_lib.data.masked import mask_tokens
from residual_lib.models import BERT, GPT, Transformer, create_model
from residual_lib.models.transformer import INITS
from residual_lib.nn import Attention, attending
from residual_lib.objective import IGNORED, loss
from residual_lib.residual import Residual, add, branch_only, iter_residuals
from residual_lib.train import evaluate, train
from residual_lib.train.stack import fastest_way

# Parameters of Hugging Face's GPT2LMHeadModel: the head's weights are the tokens' embeddings and
# are counted once.
GPT2 = {
    "gpt2": 124_439_808,
    "gpt2-medium": 354_823_168,
    "gpt2-large": 774_030_080,
    "gpt2-xl": 1_557_611_200,
}
# Hugging Face's BertModel, with its pooler and without a head for masked words.
BERTS = {"bert-base-uncased": 109_482_240, "bert-large-uncased": 335_141_888}
TINY = {"n_layer": 2, "n_head": 2, "n_embd": 8}
TINY_GPT = {"vocab_size": 11, "block_size": 7, **TINY}


def count(name, **options):
    with torch.device("meta"):
        model = create_model(name, **options)
    return sum(p.numel() for p in model.parameters())


def tokens(*shape, below=11, seed=0):
    return torch.randint(below, shape, generator=torch.Generator().manual_seed(seed))


def randomised(model, seed=0):
    """`model` in float64 with every parameter off its starting value."""
    generator = torch.Generator().manual_seed(seed)
    model = model.double()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return model


@pytest.mark.parametrize(("name", "published"), GPT2.items())
def test_counts_of_gpt2(name, published):
    assert count(name) == published


@pytest.mark.parametrize(("name", "published"), BERTS.items())
def test_counts_of_bert(name, published):
    assert count(name) == published


def test_count_of_bert_with_the_head_for_masked_words():
    """Hugging Face's BertForMaskedLM: no pooler; a layer, a norm, a bias for each word."""
    pooler = 768 * 768 + 768
    head = 768 * 768 + 768 + 2 * 768 + 30522
    assert count("bert-base-uncased", head="masked") == 109_482_240 - pooler + head == 109_514_298


@pytest.mark.parametrize(("bias", "mlp_ratio"), [(True, 4), (False, 2), (True, 0)])
def test_count_by_formula(bias, mlp_ratio):
    v, t, n, c = 13, 5, 3, 8
    norm = c + bias * c
    attention = 4 * c * c + bias * 4 * c
    mlp = 2 * mlp_ratio * c * c + bias * (mlp_ratio + 1) * c + norm if mlp_ratio else 0
    by_hand = (v + t) * c + n * (norm + attention + mlp) + norm
    options = {"vocab_size": v, "block_size": t, "n_layer": n, "n_head": 2, "n_embd": c}
    assert count("small_gpt", **options, bias=bias, mlp_ratio=mlp_ratio) == by_hand


def by_hand(layer, x, causal, keep):
    """Attention as in the paper: one head after the other, one query after the other."""
    d = x.shape[-1] // layer.n_head
    weights = layer.qkv.weight.chunk(3)
    biases = layer.qkv.bias.chunk(3) if layer.qkv.bias is not None else (0, 0, 0)
    q, k, v = (x @ w.T + b for w, b in zip(weights, biases, strict=True))
    rows = []
    for example in range(len(x)):
        heads = []
        for head in range(layer.n_head):
            mine = slice(head * d, (head + 1) * d)
            outputs = []
            for t in range(x.shape[1]):
                read = [
                    s
                    for s in range(x.shape[1])
                    if (not causal or s <= t) and (keep is None or keep[example, s])
                ]
                scores = torch.stack(
                    [q[example, t, mine] @ k[example, s, mine] / math.sqrt(d) for s in read]
                )
                share = scores.exp() / scores.exp().sum()
                outputs.append(
                    sum(w * v[example, s, mine] for w, s in zip(share, read, strict=True))
                )
            heads.append(torch.stack(outputs))
        rows.append(torch.cat(heads, 1))
    return layer.proj(torch.stack(rows))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_attention_by_hand(causal, padded, bias, dtype):
    torch.manual_seed(0)
    layer = Attention(12, 3, causal=causal, bias=bias).to(dtype)
    x = torch.randn(2, 5, 12, dtype=dtype, requires_grad=True)
    # The first position is kept, or a causal query would have nothing to read.
    keep = torch.tensor([[1, 1, 1, 0, 0], [1, 0, 1, 1, 1]]) if padded else None
    with attending(layer, attention_mask=keep):
        ours = layer(x)
    theirs = by_hand(layer, x, causal, keep)
    assert (ours - theirs).abs().max() < 1e-6
    target = torch.randn_like(ours)
    (gradient,) = torch.autograd.grad((ours * target).sum(), x)
    (expected,) = torch.autograd.grad((theirs * target).sum(), x)
    assert (gradient - expected).abs().max() < 1e-5
    assert layer.mask is None


def pytorchs(ours, norm_first, activation):
    """PyTorch's own stack with our weights."""
    theirs = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(
            12, 3, 48, 0.0, activation, batch_first=True, norm_first=norm_first
        ),
        2,
        norm=nn.LayerNorm(12) if norm_first else None,
        enable_nested_tensor=False,
    ).double()
    state = {}
    for i, layer in enumerate(ours.blocks):
        attn, mlp = layer.attn, layer.mlp
        parts = {
            "self_attn.in_proj_": attn.branch.attention.qkv,
            "self_attn.out_proj.": attn.branch.attention.proj,
            "linear1.": mlp.branch.fc,
            "linear2.": mlp.branch.proj,
            "norm1.": attn.branch.norm if norm_first else attn.after,
            "norm2.": mlp.branch.norm if norm_first else mlp.after,
        }
        for name, part in parts.items():
            state[f"layers.{i}.{name}weight"] = part.weight
            state[f"layers.{i}.{name}bias"] = part.bias
    if norm_first:
        state |= {"norm.weight": ours.norm.weight, "norm.bias": ours.norm.bias}
    theirs.load_state_dict(state)
    return theirs


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("pre_norm", [True, False])
def test_stacks_equal_pytorchs_own(pre_norm, causal, activation):
    options = {"pre_norm": pre_norm, "causal": causal, "activation": activation}
    ours = randomised(Transformer(2, 3, 12, **options))
    theirs = pytorchs(ours, pre_norm, activation)
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    mask = torch.ones(5, 5, dtype=torch.bool).triu(1) if causal else None
    torch.testing.assert_close(ours(x), theirs(x, mask=mask))
    if not causal:
        keep = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 1, 0]], dtype=torch.bool)
        padded = theirs(x, src_key_padding_mask=~keep)
        torch.testing.assert_close(ours(x, keep), padded)


def test_blocks_are_the_two_equations():
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    layer = randomised(Transformer(1, 3, 12)).blocks[0]
    attn, mlp = layer.attn.branch, layer.mlp.branch
    after = x + attn.attention(attn.norm(x))
    torch.testing.assert_close(layer.attn(x), after)
    expected = after + mlp.proj(torch.relu(mlp.fc(mlp.norm(after))))
    torch.testing.assert_close(layer(x), expected)
    layer = randomised(Transformer(1, 3, 12, pre_norm=False)).blocks[0]
    after = layer.attn.after(x + layer.attn.branch.attention(x))
    torch.testing.assert_close(layer.attn(x), after)
    mlp = layer.mlp
    expected = mlp.after(after + mlp.branch.proj(torch.relu(mlp.branch.fc(after))))
    torch.testing.assert_close(layer(x), expected)


def test_nothing_stands_on_the_stream_of_a_pre_norm_stack():
    """What leaves the last block is what entered the first, and the sum of the branches."""
    model = randomised(Transformer(3, 3, 12))
    x = torch.randn(2, 5, 12, dtype=torch.float64)
    total = h = x
    for _, block in iter_residuals(model):
        total = total + block.branch(h)
        h = block(h)
    torch.testing.assert_close(h, total)
    torch.testing.assert_close(model(x), model.norm(total))


@pytest.mark.parametrize("name", ["small_gpt", "small_bert", "transformer_encoder"])
def test_plain_differs_by_the_merge_alone(name):
    one, other = (create_model(name, n_layer=2, skip=skip) for skip in (False, True))
    assert list(one.state_dict()) == list(other.state_dict())
    assert {block.merge for _, block in iter_residuals(one)} == {branch_only}
    assert {block.merge for _, block in iter_residuals(other)} == {add}
    assert len(list(iter_residuals(one))) == 4
    assert all(block.label for _, block in iter_residuals(one))


def test_pure_attention_is_products_of_matrices():
    """Dong et al. 2021: no skip, no MLP, no norm; layer by layer P X W, P of rows that sum to 1."""
    model = randomised(Transformer(2, 1, 6, skip=False, mlp_ratio=0, norm_layer=None, bias=False))
    x = torch.randn(1, 4, 6, dtype=torch.float64)
    h = x[0]
    for _, block in iter_residuals(model):
        attention = block.branch.attention
        wq, wk, wv = attention.qkv.weight.chunk(3)
        p = ((h @ wq.T) @ (h @ wk.T).T / math.sqrt(6)).softmax(1)
        h = p @ h @ wv.T @ attention.proj.weight.T
    torch.testing.assert_close(model(x)[0], h)


def test_a_language_model_never_looks_ahead():
    model = randomised(GPT(**TINY_GPT))
    idx = tokens(2, 7)
    other = idx.clone()
    other[:, 4:] = (other[:, 4:] + 1) % 11
    one, two = model(idx), model(other)
    assert one.shape == (2, 11, 7)
    torch.testing.assert_close(one[..., :4], two[..., :4])
    assert not torch.isclose(one[..., 4:], two[..., 4:]).any(0).all()
    torch.testing.assert_close(model(idx[:, :3]), one[..., :3])


def test_a_masked_model_looks_both_ways_but_never_at_padding():
    model = randomised(BERT(**TINY_GPT))
    idx = tokens(2, 7)
    other = idx.clone()
    other[:, 5:] = (other[:, 5:] + 1) % 11
    assert not torch.isclose(model(idx)[..., 0], model(other)[..., 0]).all()
    keep = torch.ones(2, 7)
    keep[:, 5:] = 0
    one, two = model(idx, keep), model(other, keep)
    torch.testing.assert_close(one[..., :5], two[..., :5])
    torch.testing.assert_close(one[..., :5], model(idx[:, :5]))


def test_segments_are_told_apart():
    model = randomised(BERT(**TINY_GPT))
    idx = tokens(2, 7)
    assert torch.equal(model(idx), model(idx, token_type_ids=torch.zeros_like(idx)))
    assert not torch.allclose(model(idx), model(idx, token_type_ids=torch.ones_like(idx)))


def test_heads_of_bert():
    idx = tokens(2, 7)
    pooled = BERT(**TINY_GPT, head="pooler")
    assert pooled(idx).shape == (2, 8)
    assert pooled(idx).abs().max() <= 1
    masked = BERT(**TINY_GPT)
    with torch.no_grad():
        masked.head_bias[3] = 1e3
    assert (masked(idx).argmax(1) == 3).all()


def test_the_head_is_the_embedding():
    model = randomised(GPT(**TINY_GPT))
    hidden = torch.randn(2, 7, 8, dtype=torch.float64)
    logits = model.norm(hidden) @ model.tokens.weight.T
    torch.testing.assert_close(model.read_out(hidden).mT, logits)
    assert not any("head" in name for name in model.state_dict())


@pytest.mark.parametrize("pre_norm", [True, False])
def test_bert_and_gpt_take_either_order(pre_norm):
    for model in (GPT(**TINY_GPT, pre_norm=pre_norm), BERT(**TINY_GPT, pre_norm=pre_norm)):
        model(tokens(2, 7)).sum().backward()
        assert isinstance(model.norm, nn.LayerNorm if pre_norm else nn.Identity)
        for _, block in iter_residuals(model):
            assert (block.after is None) == pre_norm
            assert hasattr(block.branch, "norm") == pre_norm
        # The softmax doesn't notice what is added to all keys alike: their bias learns nothing.
        reached = {name for name, p in model.named_parameters() if p.grad.abs().sum() > 0}
        assert all("qkv.bias" in n for n, _ in model.named_parameters() if n not in reached)


def test_initialisation_of_gpt2():
    """Section 2.3 of Radford et al. 2019: branches end with weights 1 / sqrt(N) as large."""
    torch.manual_seed(0)
    model = GPT(500, 64, 8, 4, 64)
    for name, p in model.named_parameters():
        if name.endswith("bias"):
            assert (p == 0).all()
        elif "norm" in name:
            assert (p == 1).all()
        else:
            std = 0.02 / math.sqrt(16) if "proj" in name else 0.02
            assert p.std().item() == pytest.approx(std, rel=0.06), name
    bert = BERT(500, 64, 8, 4, 64)
    for name, p in bert.named_parameters():
        if p.ndim == 2 and "types" not in name:
            assert p.std().item() == pytest.approx(0.02, rel=0.06), name


@pytest.mark.parametrize(("init", "variance"), [("xavier", 1 / 64), ("he", 2 / 64)])
def test_other_laws_treat_queries_keys_and_values_apart(init, variance):
    """Glorot's 2 / (n_in + n_out) is 1 / n for a square matrix, not 1 / 2n for three in one."""
    torch.manual_seed(0)
    model = GPT(500, 64, 2, 4, 64, init=init)
    for part in model.blocks[0].attn.branch.attention.qkv.weight.chunk(3):
        assert part.var().item() == pytest.approx(variance, rel=0.1)
    assert model.tokens.weight.std().item() == pytest.approx(0.02, rel=0.06)


def test_every_initialisation_has_a_name():
    for init in INITS:
        assert create_model("small_gpt", n_layer=1, init=init)(tokens(1, 3)).isfinite().all()
    orthogonal = GPT(**TINY_GPT, init="orthogonal")
    for part in orthogonal.blocks[0].attn.branch.attention.qkv.weight.chunk(3):
        torch.testing.assert_close(part @ part.T, torch.eye(8))


def test_dropout_is_for_training_alone():
    torch.manual_seed(0)
    model = GPT(**TINY_GPT, dropout=0.5)
    idx = tokens(2, 7)
    assert not torch.equal(model(idx), model(idx))
    model.eval()
    assert torch.equal(model(idx), model(idx))
    drops = [m for m in model.modules() if isinstance(m, (nn.Dropout, Attention))]
    assert {m.p if isinstance(m, nn.Dropout) else m.dropout for m in drops} == {0.5}
    assert len(drops) == 1 + 2 * 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GPT(vocab_size=0), "vocab_size must be .* got 0"),
        (lambda: GPT(block_size=-1), "block_size must be .* got -1"),
        (lambda: GPT(n_layer=0), "n_layer must be .* got 0"),
        (lambda: GPT(n_embd=10, n_head=3), "n_head must divide n_embd 10, got 3"),
        (lambda: GPT(**TINY_GPT, dropout=1), "dropout must be from 0 to below 1, got 1"),
        (lambda: GPT(**TINY_GPT, mlp_ratio=-1), "mlp_ratio must be 0 or above, got -1"),
        (lambda: GPT(**TINY_GPT, activation="gulu"), "activation must be one of .* got 'gulu'"),
        (lambda: GPT(**TINY_GPT, norm_layer="batch"), "norm_layer must be 'layer' or None, got"),
        (lambda: GPT(**TINY_GPT, init="best"), "init must be one of .* got 'best'"),
        (lambda: BERT(**TINY_GPT, head="none"), "head must be one of .* got 'none'"),
        (lambda: BERT(type_vocab_size=0), "type_vocab_size must be .* got 0"),
        (lambda: GPT(**TINY_GPT)(tokens(2, 8)), r"idx must have 1 to 7 positions .* got 8"),
        (lambda: GPT(**TINY_GPT)(tokens(2, 0)), r"idx must have 1 to 7 positions .* got 0"),
        (lambda: GPT(**TINY_GPT)(tokens(7)), r"idx must be whole numbers .* of \(7,\)"),
        (lambda: BERT(**TINY_GPT)(torch.ones(2, 3)), "idx must be whole .* got torch.float"),
        (
            lambda: BERT(**TINY_GPT)(tokens(2, 3), torch.ones(2, 1, 3)),
            r"attention_mask must have the shape .* got \(2, 1, 3\)",
        ),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_name_fixes_what_it_says():
    with pytest.raises(TypeError, match="no option n_layer"):
        create_model("gpt2", n_layer=2)
    with pytest.raises(TypeError, match="no option pre_norm"):
        create_model("bert-base-uncased", pre_norm=True)
    assert isinstance(create_model("small_gpt", n_layer=1).blocks[0].attn, Residual)


@pytest.mark.parametrize("name", ["small_gpt", "small_bert"])
def test_many_seeds_train_as_one(name, recwarn):
    """Together the seeds learn what they learn alone; targets are (batch, positions)."""
    x, y = tokens(40, 7), tokens(40, 7, seed=1)
    data = Data(x, y, x[:9], y[:9], "noise", 11, "language")
    build = functools.partial(create_model, name, **TINY_GPT)
    assert fastest_way([build(), build()], torch.device("cpu"), x[:4]) == "mapped"

    def curves(together):
        training = train(
            build, data, [0, 1], steps=5, batch_size=16, optimizer="adamw", lr=1e-2,
            together=together, progress=False, device="cpu", record_every=5,
        )  # fmt: skip
        history = training.history.sort_values(["metric", "seed", "step"])
        return history["metric"].tolist(), history["value"].to_numpy()

    (names, one), (others, two) = curves(True), curves(False)
    assert names == others
    assert one == pytest.approx(two, rel=1e-4, abs=1e-6)
    assert not recwarn.list


def test_seeds_with_dropout_train_together(recwarn):
    x = tokens(40, 7)
    data = Data(x, x, x[:9], x[:9], "noise", 11, "language")
    build = functools.partial(GPT, **TINY_GPT, dropout=0.2)
    assert not train(
        build, data, [0, 1], steps=2, batch_size=16, progress=False, device="cpu"
    ).diverged
    assert not recwarn.list


def test_a_tiny_model_learns_to_count():
    """The next of 0, 1, ..., 10, 0, ... from any start is learnt to certainty within 60 steps."""
    x = (torch.arange(7) + torch.arange(44)[:, None]) % 11
    data = Data(x, (x + 1) % 11, x, (x + 1) % 11, "counting", 11, "language")
    training = train(
        functools.partial(GPT, **TINY_GPT), data, [0], steps=60, batch_size=22,
        optimizer="adamw", lr=0.03, progress=False, device="cpu",
    )  # fmt: skip
    last = training.history[training.history.metric == "test_error"]
    assert last.value.item() == 0


def test_what_isnt_asked_for_teaches_nothing():
    """Losses and errors of the loop, of batch and splits, are those of the hidden tokens alone."""
    x, few = tokens(60, 7, below=10), tokens(9, 7, below=10)
    plain = Data(x, x, few, few, "noise", 10, "language")
    holes = mask_tokens(plain, rate=0.3)
    # An uneven number of holes: the mean is over holes, not over windows.
    holes.y_test[:5] = IGNORED
    holes.y_test[5, :] = tokens(7, below=10)
    training = train(
        functools.partial(BERT, **TINY_GPT), holes, [0], steps=1, batch_size=60, lr=0,
        progress=False, device="cpu",
    )  # fmt: skip
    (model,) = training.models
    found = training.history.set_index("metric").value
    for x, y, split in (
        (holes.x_train, holes.y_train, "train"),
        (holes.x_test, holes.y_test, "test"),
    ):
        chosen = y != IGNORED
        logits = model(x).mT[chosen]
        expected = nn.functional.cross_entropy(logits, y[chosen]).item()
        wrong = (logits.argmax(1) != y[chosen]).float().mean().item()
        assert found[f"{split}_loss"] == pytest.approx(expected, rel=1e-5)
        assert found[f"{split}_error"] == pytest.approx(wrong)
    assert found["batch_loss"] == pytest.approx(found["train_loss"], rel=1e-5)


def test_chunks_with_few_holes_weigh_little():
    """Over more examples than fit one chunk, the mean is still over all answers."""
    x = tokens(1030, 7, below=10)
    y = x.clone()
    y[:, 1:] = IGNORED
    y[512:] = x[512:]
    data = Data(x, y, x, y, "noise", 10, "language")
    model = BERT(**TINY_GPT)
    measured = evaluate(model, data)
    assert measured["loss"] == pytest.approx(loss(model(x), y).item(), rel=1e-5)
