"""DenseNets: published counts, the papers' formulas, and what recomputing keeps and changes."""

import functools
from itertools import accumulate, pairwise

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.profiler import ProfilerActivity, profile

from residual_lib.data import Data
from residual_lib.models import DenseNet, create_model, list_models
from residual_lib.nn import Recomputed, concatenate_pieces
from residual_lib.probes import (
    activation_statistics,
    gradient_norms,
    identityness,
    jacobian_by_depth,
    lesion,
    paths,
)
from residual_lib.probes.masking import deleted
from residual_lib.probes.memory import kept_for_backward, peak_memory
from residual_lib.residual import Residual, concatenate, iter_residuals
from residual_lib.train import train
from residual_lib.train.stack import WAYS, Stack, fastest_way

CPU = torch.device("cpu")
# torchvision's documented `num_params`.
TORCHVISION = {
    "densenet121": 7_978_856,
    "densenet161": 28_681_000,
    "densenet169": 14_149_480,
    "densenet201": 20_013_928,
}
# Huang et al. 2017, Table 2, in millions, as printed.
HUANG_2017 = {
    "densenet_40_12_cifar": "1.0",
    "densenet_100_12_cifar": "7.0",
    "densenet_100_24_cifar": "27.2",
    "densenet_bc_100_12_cifar": "0.8",
    "densenet_bc_250_24_cifar": "15.3",
    "densenet_bc_190_40_cifar": "25.6",
}
DENSENETS = list_models("*densenet*")
SMALL = {
    "in_chans": 2,
    "num_classes": 5,
    "growth_rate": 3,
    "block_config": (2, 3),
    "stem": "cifar",
}


@functools.cache
def without_numbers(name):
    with torch.device("meta"):
        return create_model(name)


def count(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(("name", "published"), TORCHVISION.items())
def test_counts_of_torchvision(name, published):
    assert count(without_numbers(name)) == published


@pytest.mark.parametrize(("name", "published"), HUANG_2017.items())
def test_counts_of_huang_2017(name, published):
    assert f"{count(without_numbers(name)) / 1e6:.1f}" == published


@given(
    growth=st.integers(1, 6),
    links=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    bottleneck=st.one_of(st.none(), st.integers(1, 4)),
    dims=st.sampled_from([1, 2]),
)
@settings(deadline=None, max_examples=25)
def test_counts_by_formula(growth, links, bottleneck, dims):
    """Layer by layer: weights of each convolution, scale and shift of each normalisation."""
    taps, channels = 3**dims, 7
    by_hand = taps * 2 * channels
    for block, number in enumerate(links):
        for _ in range(number):
            by_hand += 2 * channels  # normalisation
            if bottleneck is None:
                by_hand += taps * channels * growth
            else:
                inner = bottleneck * growth
                by_hand += channels * inner + 2 * inner + taps * inner * growth
            channels += growth
        if block < len(links) - 1:
            by_hand += 2 * channels + channels * (channels // 2)
            channels //= 2
    by_hand += 2 * channels + 5 * channels + 5
    options = {"growth_rate": growth, "block_config": links, "bn_size": bottleneck, "dims": dims}
    assert count(DenseNet(**{**SMALL, **options, "num_init_features": 7})) == by_hand


@pytest.mark.parametrize("name", DENSENETS)
def test_the_name_counts_the_layers_with_weights(name):
    model = without_numbers(name)
    layers = [m for m in model.modules() if isinstance(m, (nn.Conv1d, nn.Conv2d, nn.Linear))]
    depth = name.removeprefix("densenet").removeprefix("_").removeprefix("bc_").partition("_")[0]
    # Three blocks of three links, two layers each, two transitions, the first layer and the head.
    assert len(layers) == (22 if name.startswith("small") else int(depth))


@pytest.mark.parametrize("name", DENSENETS)
def test_every_link_is_a_concatenation(name):
    blocks = [block for _, block in iter_residuals(without_numbers(name))]
    assert {block.merge for block in blocks} == {concatenate}
    assert all(block.label and block.shortcut is None for block in blocks)


def test_a_link_reads_all_before_it_and_adds_its_own():
    """Eq. 2 written out, with a bottleneck: H is norm, ReLU, 1x1, norm, ReLU, 3x3."""
    torch.manual_seed(0)
    model = DenseNet(**{**SMALL, "block_config": (3,)}).double()
    links = model.stages[0].links
    x0 = torch.randn(4, 6, 5, 5, dtype=torch.float64)
    features = [x0]
    for link in links:
        h, before = link.branch, torch.cat(features, 1)
        inner = h.layer1(torch.relu(h.norm1(before)))
        features.append(h.layer2(torch.relu(h.norm2(inner))))
        assert h.layer1.kernel_size == (1, 1)
        assert h.layer2.kernel_size == (3, 3)
    assert [f.shape[1] for f in features] == [6, 3, 3, 3]
    torch.testing.assert_close(links(x0), torch.cat(features, 1))


def test_transition_and_head_written_out():
    model = DenseNet(**{**SMALL, "bn_size": None}).double().eval()
    x = torch.randn(2, 2, 9, 9, dtype=torch.float64)
    stage, last = model.stages
    h = stage.links(model.stem(x))
    assert h.shape == (2, 6 + 2 * 3, 9, 9)
    t = stage.transition
    halved = torch.nn.functional.avg_pool2d(t.layer(torch.relu(t.norm(h))), 2)
    assert halved.shape == (2, 6, 4, 4)
    h = torch.relu(model.final.norm(last.links(halved)))
    torch.testing.assert_close(model(x), model.head(h.mean((2, 3))))
    assert not hasattr(last, "transition")


@pytest.mark.parametrize(
    ("name", "size", "stem", "last"),
    [
        ("densenet121", 64, 16, 2),
        ("densenet_40_12_cifar", 32, 32, 8),
        ("small_densenet2d", 8, 8, 2),
    ],
)
def test_shapes(name, size, stem, last):
    model = create_model(name, num_classes=7)
    x = torch.randn(1, next(model.parameters()).shape[1], size, size)
    model.eval()
    h = model.stem(x)
    assert h.shape[2:] == (stem, stem)
    assert model.stages(h).shape[2:] == (last, last)
    assert model(x).shape == (1, 7)


@pytest.mark.parametrize("norm_layer", [None, "layer", "batch"])
@pytest.mark.parametrize("stem", ["imagenet", "cifar"])
@pytest.mark.parametrize("dims", [1, 2])
def test_everything_learns(dims, stem, norm_layer):
    model = DenseNet(**{**SMALL, "stem": stem}, dims=dims, norm_layer=norm_layer, drop_rate=0.1)
    model(torch.randn(3, 2, *(17,) * dims)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_dropout_follows_every_convolution_but_the_first():
    model = DenseNet(**SMALL, drop_rate=0.2)
    parts = list(model.modules())
    drops = [m for m in parts if isinstance(m, nn.Dropout)]
    convolutions = [m for m in parts if isinstance(m, nn.Conv2d)]
    assert len(drops) == len(convolutions) - 1
    assert {m.p for m in drops} == {0.2}
    assert not any(isinstance(m, nn.Dropout) for m in DenseNet(**SMALL).modules())


@pytest.mark.parametrize("memory_efficient", [False, True])
def test_lesion_of_a_link_zeroes_its_features_for_all_that_read_them(memory_efficient):
    torch.manual_seed(0)
    options = {"block_config": (3,), "memory_efficient": memory_efficient}
    model = DenseNet(**{**SMALL, **options}).double().eval()
    x = torch.randn(4, 2, 5, 5, dtype=torch.float64)
    features = [model.stem(x)]
    for number, link in enumerate(model.stages[0].links):
        new = link.branch(torch.cat(features, 1))
        features.append(0 * new if number == 1 else new)
    h = torch.cat(features, 1)
    expected = model.head(torch.relu(model.final.norm(h)).mean((2, 3)))
    with deleted(model, ["stages.0.links.1"]):
        torch.testing.assert_close(model(x), expected)


@pytest.mark.parametrize(
    "probe", [gradient_norms, identityness, activation_statistics, lesion, paths, jacobian_by_depth]
)
def test_probes_find_the_same_whether_links_are_recomputed_or_not(probe):
    batch = torch.randn(6, 2, 5, 5), torch.arange(6) % 5
    tables = []
    for memory_efficient in (False, True):
        torch.manual_seed(0)
        options = {"block_config": (2, 2), "memory_efficient": memory_efficient}
        model = DenseNet(**{**SMALL, **options})
        tables.append(probe(model, batch))
        assert all(p.grad is None for p in model.parameters())
    pd.testing.assert_frame_equal(*tables)


# --- memory ---------------------------------------------------------------------------------


def one_block(links, memory_efficient, bn_size=4):
    torch.manual_seed(0)
    return DenseNet(
        **{**SMALL, "block_config": (links,), "bn_size": bn_size},
        memory_efficient=memory_efficient,
    )


def most_at_once(model, x):
    """Bytes held at the worst moment of a forward and a backward pass, as the allocator counts.

    On one thread: each takes room of its own for convolutions.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model(x).sum().backward()  # from now on each parameter has its gradient
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
            model(x).sum().backward()
    finally:
        torch.set_num_threads(threads)
    events = profiled.profiler.kineto_results.events()
    changes = [event.nbytes() for event in events if event.name() == "[memory]"]
    return max(accumulate(changes))


@pytest.mark.parametrize("bn_size", [4, None])
def test_memory_grows_in_a_straight_line_and_not_with_the_square(bn_size):
    x, depths = torch.randn(2, 2, 16, 16), (8, 16, 24, 32)
    kept = {
        mode: [kept_for_backward(one_block(links, mode, bn_size), x) for links in depths]
        for mode in (True, False)
    }
    steps = {mode: [b - a for a, b in pairwise(values)] for mode, values in kept.items()}
    # Evenly spaced depths: a straight line has equal steps, a parabola steps that grow evenly.
    assert steps[True][0] == steps[True][1] == steps[True][2]
    curvature = [b - a for a, b in pairwise(steps[False])]
    assert curvature[0] == curvature[1] > 0
    # A link adds its k channels once, and the last normalisation and the activation read them.
    positions = 4 * 2 * 16 * 16
    assert steps[True][0] == pytest.approx(8 * 3 * 3 * positions, rel=0.01)
    # Each of the others keeps all channels so far, before and after normalisation.
    assert curvature[0] == pytest.approx(2 * 8 * 8 * 3 * positions, rel=0.01)


@pytest.mark.parametrize("memory_efficient", [False, True])
def test_the_counted_peak_is_that_of_the_allocator(memory_efficient):
    """To what convolutions take for themselves, which a count of tensors doesn't see: how much
    that is depends on the processor, here a tenth where little else is held."""
    x, model = torch.randn(2, 2, 16, 16), one_block(16, memory_efficient)
    assert peak_memory(model, x) == pytest.approx(most_at_once(model, x), rel=0.25)


def test_so_does_the_peak_of_a_whole_training_step():
    """What is computed anew is there for one link at a time."""
    x, depths = torch.randn(2, 2, 16, 16), (16, 24, 32, 40)
    steps = {
        mode: [
            b - a for a, b in pairwise(most_at_once(one_block(links, mode), x) for links in depths)
        ]
        for mode in (True, False)
    }
    # To a few percent: how much room a convolution takes for itself depends on the processor.
    assert steps[True] == pytest.approx([steps[True][0]] * 3, rel=0.1)
    assert steps[False][2] > 1.5 * steps[False][0] > 3 * steps[True][2]


def outcome(memory_efficient, training=True, **options):
    torch.manual_seed(0)
    model = DenseNet(**SMALL, memory_efficient=memory_efficient, **options).train(training)
    x = torch.randn(4, 2, 9, 9, requires_grad=True)
    for _ in range(2):  # so that the second pass starts from running statistics of its own
        output = model(x)
        output.square().sum().backward()
    gradients = [x.grad, *(p.grad for p in model.parameters())]
    return output, gradients, dict(model.named_buffers())


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "options", [{}, {"bn_size": None}, {"drop_rate": 0.3}, {"norm_layer": "layer"}]
)
def test_recomputing_changes_no_output_gradient_or_statistic(options, training):
    """Bit for bit: the same kernels run on the same numbers, and statistics move once."""
    output, gradients, buffers = outcome(False, training, **options)
    again, same_gradients, same_buffers = outcome(True, training, **options)
    assert torch.equal(output, again)
    assert all(map(torch.equal, gradients, same_gradients))
    assert list(buffers) == list(same_buffers)
    assert all(map(torch.equal, buffers.values(), same_buffers.values()))
    counters = [b for name, b in same_buffers.items() if name.endswith("num_batches_tracked")]
    assert {int(counter) for counter in counters} == ({2 * training} if counters else set())


def test_recomputing_has_the_same_weights_under_the_same_names():
    torch.manual_seed(0)
    one = create_model("small_densenet1d").state_dict()
    torch.manual_seed(0)
    other = create_model("small_densenet1d", memory_efficient=True).state_dict()
    assert list(one) == list(other)
    assert all(map(torch.equal, one.values(), other.values()))


def test_recomputed_runs_its_parts_once_more_at_the_backward_pass():
    calls = []

    class Counted(nn.Linear):
        def forward(self, x):
            calls.append(torch.is_grad_enabled())
            return super().forward(x)

    block = Residual(Recomputed(Counted(3, 2), nn.Tanh()), merge=concatenate_pieces)
    with torch.no_grad():
        block(torch.randn(2, 3))
    assert calls == [False]
    output = block(torch.randn(2, 3))
    assert calls == [False, True]
    output.sum().backward()
    assert calls == [False, True, True]


def test_the_second_run_is_in_the_mode_of_the_first():
    gradients = []
    for memory_efficient in (False, True):
        torch.manual_seed(0)
        model = DenseNet(**SMALL, memory_efficient=memory_efficient)
        output = model(torch.randn(4, 2, 5, 5)).square().sum()
        model.eval()
        output.backward()
        assert not any(part.training for part in model.modules())
        gradients.append([p.grad for p in model.parameters()])
    assert all(map(torch.equal, *gradients))


def test_a_result_remembers_its_pieces_until_something_is_done_to_it():
    a, b, c = torch.randn(2, 3), torch.randn(2, 1), torch.randn(2, 2)
    joined = concatenate_pieces(concatenate_pieces(a, b), c)
    assert torch.equal(joined, torch.cat([a, b, c], 1))
    assert [piece is other for piece, other in zip(joined.pieces, (a, b, c), strict=True)]
    changed = concatenate_pieces(2 * concatenate_pieces(a, b), c)
    assert [piece.shape[1] for piece in changed.pieces] == [4, 2]


def test_something_between_two_links_costs_memory_but_changes_nothing():
    def build(branch, merge):
        torch.manual_seed(0)
        return nn.Sequential(
            Residual(branch(nn.Linear(3, 2), nn.Tanh()), merge=merge, after=nn.Tanh()),
            Residual(branch(nn.Linear(5, 2), nn.Tanh()), merge=merge),
            Residual(branch(nn.Sigmoid()), merge=merge),
        )

    x = torch.randn(4, 3)
    models = build(nn.Sequential, concatenate), build(Recomputed, concatenate_pieces)
    for model in models:
        model(x).square().sum().backward()
    for one, other in zip(*(model.parameters() for model in models), strict=True):
        assert torch.equal(one.grad, other.grad)


# --- seeds together -------------------------------------------------------------------------

OPTIONS = [
    {},
    {"bn_size": None, "compression": 1.0},
    {"memory_efficient": True},
    {"norm_layer": "layer"},
]


def build_small(dims, **options):
    return create_model(f"small_densenet{dims}d", block_config=(2, 2), growth_rate=3, **options)


@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("options", OPTIONS)
def test_many_seeds_train_as_one(options, dims, recwarn):
    """A concatenation joins each model's own channels, so that seeds never mix."""
    torch.manual_seed(0)
    x, y = torch.randn(40, 1, *(8,) * dims), torch.arange(40) % 10
    data = Data(x, y, x, y, "noise", 10, "classification")
    build = functools.partial(build_small, dims, **options)
    assert fastest_way([build(), build()], CPU, x[:4]) == "side by side"

    def curves(together):
        training = train(
            build, data, [0, 1], steps=4, batch_size=16, together=together, progress=False,
            device="cpu",
        )  # fmt: skip
        history = training.history[training.history["metric"] == "batch_loss"]
        return history.sort_values(["seed", "step"])["value"].to_numpy()

    assert curves(True) == pytest.approx(curves(False), rel=1e-3)
    assert not recwarn.list


@pytest.mark.parametrize(
    ("way", "memory_efficient"),
    # Checkpoints can't be mapped, see the test below.
    [*((way, False) for way in WAYS), ("side by side", True), ("one by one", True)],
)
def test_outputs_gradients_and_statistics_are_each_models_own(way, memory_efficient):
    models = []
    for seed in range(3):
        torch.manual_seed(seed)
        models.append(build_small(1, memory_efficient=memory_efficient).double())
    stack = Stack(models, CPU, way)
    x = torch.randn(3, 8, 1, 12, dtype=torch.float64)
    output = stack(x)
    output.square().sum().backward()
    for row, model in enumerate(models):
        expected = model(x[row])
        torch.testing.assert_close(output[row], expected)
        expected.square().sum().backward()
        gradient = nn.utils.parameters_to_vector(p.grad for p in model.parameters())
        torch.testing.assert_close(stack.weights.grad[row], gradient)
        for name, buffer in model.named_buffers():
            torch.testing.assert_close(stack.fixed[name][row], buffer)


def test_what_cant_be_mapped_backwards_is_trained_one_by_one():
    """Side by side this mixes models up, and `vmap` can't recompute: both are noticed in time."""

    class Unruly(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = build_small(1, memory_efficient=True)

        def forward(self, x):
            return self.net(x).flip(1)

    with pytest.warns(UserWarning, match="one by one"):
        assert fastest_way([Unruly(), Unruly()], CPU, torch.randn(4, 1, 12)) == "one by one"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"block_config": ()}, "block_config must be"),
        ({"block_config": (1, 0)}, "block_config must be a whole number above 0, got 0"),
        ({"growth_rate": 0}, "growth_rate must be .* got 0"),
        ({"num_init_features": 0}, "num_init_features must be .* got 0"),
        ({"bn_size": 0}, "bn_size must be .* got 0"),
        ({"compression": 0}, "compression must be above 0 and at most 1, got 0"),
        ({"compression": 1.5}, "compression must be .* got 1.5"),
        ({"compression": 0.01, "block_config": (1, 1)}, "compression times channels must be"),
        ({"drop_rate": 1}, "drop_rate must be .* got 1"),
        ({"stem": "deep"}, "stem must be one of .* got 'deep'"),
        ({"dims": 3}, "dims must be 1 or 2, got 3"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        DenseNet(**options)


def test_registered_names_take_what_their_name_leaves_open():
    assert create_model("densenet_40_12_cifar", num_classes=3).head.out_features == 3
    with pytest.raises(TypeError, match="no option growth_rate"):
        create_model("densenet_bc_100_12_cifar", growth_rate=24)
