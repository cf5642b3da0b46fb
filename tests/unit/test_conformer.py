"""The Conformer: published count, relative attention by hand, its four residual blocks."""

import functools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from residual_lib.data import Data
from residual_lib.models import Conformer, create_model
from residual_lib.models.conformer import DepthwiseOverFrames, conformer_block, transducer_decoder
from residual_lib.models.transformer import INITS
from residual_lib.nn import RelativeAttention, attending
from residual_lib.nn.relative_attention import by_distance, distance_encodings
from residual_lib.residual import add, branch_only, iter_residuals
from residual_lib.train import train
from residual_lib.train.stack import fastest_way

TINY = {"in_chans": 5, "num_classes": 3, "n_layer": 2, "n_head": 2, "n_embd": 8, "kernel_size": 3}


def count(model):
    return sum(p.numel() for p in model.parameters())


def without_numbers(name, **options):
    with torch.device("meta"):
        return create_model(name, **options)


def randomised(model, seed=0):
    """`model` in float64 with every parameter off its starting value."""
    generator = torch.Generator().manual_seed(seed)
    model = model.double()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return model


def block_by_formula(c, kernel, ratio):
    norm = 2 * c
    mlp = norm + 2 * ratio * c * c + ratio * c + c
    attention = norm + 5 * c * c + 4 * c + 2 * c  # with the distances' layer, and u and v
    convolution = norm + 2 * c * c + 2 * c + kernel * c + norm + c * c + c
    return 2 * mlp + attention + convolution + norm


def test_count_of_the_encoder_by_formula():
    model = without_numbers("conformer_s")
    c, bands = 144, 80
    stem = 9 * c + c + 9 * c * c + c + c * bands // 4 * c + c
    assert count(model.blocks[0]) == block_by_formula(c, 32, 4) == 506_736
    assert count(model.stem) == stem == 603_072
    assert count(model) == stem + 16 * 506_736 == 8_710_848
    assert count(without_numbers("conformer_s", skip=False)) == 8_710_848


@pytest.mark.parametrize("word_pieces", [1000, 1024])
def test_count_of_the_whole_recogniser_as_published(word_pieces):
    """Table 1 of Gulati et al. 2020: 10.3 M, whichever number '1k word pieces' stands for."""
    with torch.device("meta"):
        decoder = transducer_decoder(vocab_size=word_pieces)
    v, u = word_pieces, 320
    label = v * u + 4 * u * (2 * u + 2)
    joint = 144 * u + u + u * u + u * (v + 1) + v + 1
    assert (count(decoder["label"]), count(decoder["joint"])) == (label, joint)
    encoder = count(without_numbers("conformer_s"))
    assert f"{(encoder + label + joint) / 1e6:.1f}" == "10.3"
    # Neither the encoder alone nor encoder and decoder without the joint would match.
    assert f"{encoder / 1e6:.1f}, {(encoder + label) / 1e6:.1f}" == "8.7, 9.9"


def test_scores_are_moved_by_distance():
    for positions in (1, 2, 5):
        distances = torch.arange(positions - 1, -positions, -1)
        scores = torch.stack([100 * i + distances for i in range(positions)])
        i = torch.arange(positions)
        expected = 100 * i[:, None] + i[:, None] - i
        assert torch.equal(by_distance(scores.expand(2, 3, -1, -1))[1, 2], expected)


def test_encodings_of_distances():
    found = distance_encodings(4, torch.zeros(1, 6, dtype=torch.float64))
    assert found.shape == (7, 6)
    for row, distance in enumerate(range(3, -4, -1)):
        for i in range(3):
            angle = distance / 10000 ** (2 * i / 6)
            assert found[row, i].item() == pytest.approx(math.sin(angle))
            assert found[row, 3 + i].item() == pytest.approx(math.cos(angle))


def by_hand(layer, x, keep=None):
    """Transformer-XL's formula: one head, one query and one key after the other."""
    d = x.shape[-1] // layer.n_head
    q, k, v = layer.qkv(x).chunk(3, -1)
    rows = torch.zeros_like(x)
    for example in range(len(x)):
        for head in range(layer.n_head):
            mine = slice(head * d, (head + 1) * d)
            u, w = layer.content_bias[head, 0], layer.distance_bias[head, 0]
            for i in range(x.shape[1]):
                scores = {}
                for j in range(x.shape[1]):
                    if keep is not None and not keep[example, j]:
                        continue
                    rates = 10000 ** (-torch.arange(0, x.shape[-1], 2) / x.shape[-1])
                    angles = (i - j) * rates.double()
                    r = layer.distance(torch.cat((angles.sin(), angles.cos())))[mine]
                    query = q[example, i, mine]
                    scores[j] = ((query + u) @ k[example, j, mine] + (query + w) @ r) / d**0.5
                total = sum(s.exp() for s in scores.values())
                for j, score in scores.items():
                    rows[example, i, mine] += score.exp() / total * v[example, j, mine]
    return layer.proj(rows)


@pytest.mark.parametrize("positions", [1, 2, 5])
@pytest.mark.parametrize("padded", [False, True])
def test_relative_attention_by_hand(positions, padded):
    layer = randomised(RelativeAttention(6, 3))
    x = torch.randn(2, positions, 6, dtype=torch.float64)
    keep = torch.ones(2, positions, dtype=torch.bool)
    keep[1, positions // 2 + 1 :] = not padded
    with attending(layer, attention_mask=keep if padded else None):
        found = layer(x)
    torch.testing.assert_close(found, by_hand(layer, x, keep), rtol=1e-6, atol=1e-6)


def test_relative_attention_knows_no_places():
    """The same four frames give the same, wherever they stand; but before isn't behind."""
    layer = randomised(RelativeAttention(8, 2))
    frames = torch.randn(1, 4, 8, dtype=torch.float64)
    for start in (0, 2, 5):
        x, keep = torch.randn(1, 9, 8, dtype=torch.float64), torch.zeros(1, 9)
        x[:, start : start + 4], keep[:, start : start + 4] = frames, 1
        with attending(layer, attention_mask=keep):
            found = layer(x)[:, start : start + 4]
        torch.testing.assert_close(found, layer(frames))
    pulse = torch.zeros(1, 9, 8, dtype=torch.float64)
    pulse[0, 4] = 1
    assert not torch.allclose(layer(pulse)[0, 3], layer(pulse)[0, 5])


def test_a_block_is_the_four_equations():
    block = randomised(conformer_block(8, 2, kernel_size=4)).train()
    x = torch.randn(2, 5, 8, dtype=torch.float64)

    def mlp(part, h):
        return part.proj(F.silu(part.fc(part.norm(h))))

    a = x + mlp(block.mlp1.branch, x) / 2
    b = a + block.attn.branch.attention(block.attn.branch.norm(a))
    part = block.conv.branch
    gated, gate = part.fc(part.norm(b)).chunk(2, -1)
    h = F.pad((gated * torch.sigmoid(gate)).mT, (1, 2))  # 4 frames: one behind, two ahead
    depthwise = part.depthwise
    h = F.conv1d(h, depthwise.layer.weight, groups=8)
    h = F.batch_norm(h, None, None, depthwise.norm.weight, depthwise.norm.bias, training=True)
    c = b + part.proj(F.silu(h.mT))
    y = block.mlp2.after(c + mlp(block.mlp2.branch, c) / 2)
    torch.testing.assert_close(block(x), y)
    assert [name for name, _ in iter_residuals(block)] == ["mlp1", "attn", "conv", "mlp2"]


@pytest.mark.parametrize("size", [1, 4, 7])
def test_the_convolution_keeps_the_frames(size):
    layer = DepthwiseOverFrames(3, size).eval()
    x = torch.zeros(1, 12, 3)
    x[0, 6] = 1
    reached = (layer(x) - layer(torch.zeros_like(x))).abs().sum(-1)[0].nonzero().flatten()
    assert layer(x).shape == x.shape
    assert reached.tolist() == list(range(6 - size // 2, 6 + (size - 1) // 2 + 1))


def test_a_class_for_each_frame_or_a_vector():
    x = torch.randn(2, 5, 9)
    assert create_model("small_conformer", **TINY)(x).shape == (2, 3, 9)
    assert create_model("small_conformer", **{**TINY, "num_classes": None})(x).shape == (2, 8, 9)
    long = torch.randn(2, 80, 33)
    small = Conformer(80, None, 1, 2, 8, kernel_size=32)
    assert small(long).shape == (2, 8, 9)


def test_padding_is_not_attended_to():
    model = randomised(Conformer(**TINY, subsample=False)).eval()
    for block in model.blocks:
        block.conv.merge = lambda shortcut, branch: shortcut
    x = torch.randn(2, 5, 7, dtype=torch.float64)
    keep = torch.ones(2, 7)
    keep[:, 5:] = 0
    torch.testing.assert_close(model(x, keep)[..., :5], model(x[..., :5]))


def test_plain_differs_by_the_merge_alone():
    one, other = (create_model("small_conformer", skip=skip) for skip in (False, True))
    assert list(one.state_dict()) == list(other.state_dict())
    assert {block.merge for _, block in iter_residuals(one)} == {branch_only}
    assert {block.merge for _, block in iter_residuals(other)} == {add}
    assert len(list(iter_residuals(one))) == 8
    for model in (one, other):
        model(torch.randn(2, 20, 6)).square().sum().backward()
        assert all(p.grad is not None for p in model.parameters())


def test_every_initialisation_has_a_name():
    for init in INITS:
        assert Conformer(**TINY, init=init)(torch.randn(2, 5, 16)).isfinite().all()


def test_seeds_learn_frames_together(recwarn):
    """Framewise labels: what two seeds learn together they learn alone."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 5, 6, generator=generator)
    y = x[:, :3].argmax(1)
    data = Data(x, y, x[:9], y[:9], "frames", 3, "framewise")
    build = functools.partial(create_model, "small_conformer", **TINY)
    assert fastest_way([build(), build()], torch.device("cpu"), x[:4]) == "mapped"

    def history(together, steps):
        table = train(
            build, data, [0, 1], steps=steps, batch_size=16, optimizer="adamw", lr=0.01,
            together=together, progress=False, device="cpu",
        ).history  # fmt: skip
        return table.sort_values(["metric", "seed", "step"]).set_index("metric").value

    assert history(True, 3).to_numpy() == pytest.approx(history(False, 3).to_numpy(), rel=1e-3)
    assert history(True, 60)["train_error"].max() < 0.1
    assert not recwarn.list


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"in_chans": 0}, "in_chans must be .* got 0"),
        ({"num_classes": 0}, "num_classes must be .* got 0"),
        ({"n_layer": 0}, "n_layer must be .* got 0"),
        ({"n_head": 3}, "n_head must divide n_embd 8, got 3"),
        ({"n_embd": 7, "n_head": 1}, "n_embd must be even .* got 7"),
        ({"kernel_size": 0}, "kernel_size must be .* got 0"),
        ({"mlp_ratio": 0}, "mlp_ratio must be above 0, got 0"),
        ({"dropout": 1.0}, "dropout must be from 0 to below 1|dropout probability"),
        ({"init": "best"}, "init must be one of .* got 'best'"),
        ({"activation": "gulu"}, "activation must be one of"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Conformer(**{**TINY, **options})


def test_conformer_s_is_what_its_name_says():
    with pytest.raises(TypeError, match="no option n_layer"):
        create_model("conformer_s", n_layer=2)
    assert isinstance(without_numbers("conformer_s").head, nn.Identity)
