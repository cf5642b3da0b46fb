"""Lesions against nets whose answer is known by hand."""

import numpy as np
import pandas as pd
import pytest
import torch
from probe_models import MODELS, make
from torch import nn

from residual_lib.models import create_model
from residual_lib.objective import loss
from residual_lib.probes import identityness, lesion, lesion_random, lesion_reorder
from residual_lib.probes.lesion import kendall_tau
from residual_lib.probes.masking import backward_through, deleted, swapped
from residual_lib.residual import Residual, branch_only, concatenate, iter_residuals


def times(factor, **slots):
    return Residual(lambda x: factor * x, **slots)


def chain(*factors):
    """y = (1 + a)(1 + b) ... x, for which every lesion has an answer."""
    return nn.Sequential(*(times(factor) for factor in factors))


TWO = torch.tensor([[2.0]]), torch.tensor([[0.0]])


def test_deleting_a_branch_by_hand():
    net = chain(1.0, 2.0, 3.0)  # 2 * 3 * 4 * 2 = 48
    table = lesion(net, TWO, progress=False)
    assert table.block.tolist() == ["", "0", "1", "2"]
    assert table["index"].tolist() == [-1, 0, 1, 2]
    assert table.value.tolist() == [48.0**2, 24.0**2, 16.0**2, 12.0**2]


def test_deleted_parts_of_each_merge():
    x = torch.tensor([[1.0, 2.0]])
    net = nn.Sequential(times(3.0, merge=concatenate))
    with deleted(net, ["0"]):
        assert net(x).tolist() == [[1.0, 2.0, 0.0, 0.0]]
    plain = nn.Sequential(times(3.0, merge=branch_only, after=nn.ReLU()))
    with deleted(plain, ["0"]):
        assert plain(-x).tolist() == [[0.0, 0.0]]  # the identity, then `after`
        assert plain(x).tolist() == x.tolist()
    assert plain(x).tolist() == [[3.0, 6.0]]
    gated = nn.Sequential(times(1.0, merge=lambda s, b: 0.5 * s + b, scale=lambda b: b + 1))
    with deleted(gated, ["0"]):
        assert gated(x).tolist() == [[0.5, 1.0]]  # the scale goes with its branch


def test_deleted_shortcuts_of_each_merge():
    x = torch.tensor([[1.0, 2.0]])
    for slots, left in (
        ({}, [3.0, 6.0]),
        ({"merge": concatenate}, [0.0, 0.0, 3.0, 6.0]),
        ({"merge": branch_only}, [3.0, 6.0]),
        ({"shortcut": lambda x: x + 1, "merge": lambda s, b: 0.5 * s + b}, [3.0, 6.0]),
        ({"after": lambda y: y + 1}, [4.0, 7.0]),
    ):
        net = nn.Sequential(times(3.0, **slots))
        with deleted(net, ["0"], "shortcut"):
            assert net(x).tolist() == [left]


def test_deleting_a_shortcut_by_hand():
    net = chain(1.0, 2.0, 3.0)  # 2 * 3 * 4 * 2 = 48, and without the skip 1, 2 or 3 instead
    table = lesion(net, TWO, path="shortcut", progress=False)
    assert table.value.tolist() == [48.0**2, 24.0**2, 32.0**2, 36.0**2]
    table = lesion_random(net, TWO, numbers=[3], draws=1, path="shortcut", progress=False)
    assert table.value.tolist() == [(1 * 2 * 3 * 2.0) ** 2]


@pytest.mark.parametrize("name", MODELS)
def test_skips_of_every_family_can_be_deleted(name):
    model, batch = make(name)
    model.eval()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    table = lesion(model, batch, path="shortcut", progress=False)
    losses = table[table.metric == "loss"].set_index("block").value
    for key, block in iter_residuals(model):
        assert (losses[key] == losses[""]) == (block.merge is branch_only), key
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[key]), key


def test_a_plain_block_that_changes_the_shape_cant_be_deleted():
    net = nn.Sequential(Residual(nn.Linear(2, 3), merge=branch_only))
    with pytest.raises(ValueError, match=r"0: a plain block from \(1, 2\) to \(1, 3\) can't"):
        lesion(net, (torch.ones(1, 2), torch.tensor([0])), progress=False)


def test_random_lesions_delete_what_they_say():
    factors = np.array([1.0, 2.0, 3.0, 4.0])
    table = lesion_random(chain(*factors), TWO, numbers=[0, 2, 4], draws=6, progress=False)
    assert table.deleted.value_counts().to_dict() == {0: 6, 2: 6, 4: 6}
    for row in table.itertuples():
        kept = np.ones(4, bool)
        kept[[int(index) for index in row.blocks.split()]] = False
        assert kept.sum() == 4 - row.deleted
        assert row.value == pytest.approx((2 * np.prod((1 + factors)[kept])) ** 2)
    assert table[table.deleted == 2].blocks.nunique() > 1
    again = lesion_random(chain(*factors), TWO, numbers=[0, 2, 4], draws=6, progress=False)
    assert table.equals(again)
    other = lesion_random(chain(*factors), TWO, numbers=[0, 2, 4], draws=6, seed=1, progress=False)
    assert not table.equals(other)
    assert sorted(lesion_random(chain(1, 1), TWO, draws=1, progress=False).deleted) == [0, 1, 2]


def test_lesions_of_some_blocks_are_those_of_all():
    torch.manual_seed(0)
    model = create_model("residual_mlp", in_features=6, num_classes=3, width=8, depth=6)
    batch = torch.randn(10, 6), torch.randint(3, (10,))
    every = lesion(model, batch, progress=False)
    name = every["block"].unique()[2]
    some = lesion(model, batch, blocks=[name], progress=False)
    expected = every[every["block"].isin(["", name])].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, expected)
    with pytest.raises(ValueError, match="names must be of iter_residuals"):
        lesion(model, batch, blocks=["nowhere"], progress=False)


def test_reordering_by_hand():
    # x + 1 and 2x don't commute: f(g(x)) tells the order. Branches: F = 1 and F = x.
    def plus_one():
        return Residual(torch.ones_like)

    def double():
        return Residual(lambda x: x)

    net = nn.Sequential(plus_one(), double())
    x = torch.tensor([[5.0]])
    assert net(x).item() == 12
    with swapped(net, {"0": "1", "1": "0"}):
        assert net(x).item() == 11
    assert net(x).item() == 12
    table = lesion_reorder(net, (x, torch.zeros(1, 1)), swaps=[0, 1, 2], draws=2, progress=False)
    expected = [(0, 1.0, 144.0)] * 2 + [(1, -1.0, 121.0)] * 2 + [(2, 1.0, 144.0)] * 2
    found = table[["swaps", "kendall_tau", "value"]].itertuples(index=False, name=None)
    assert list(found) == expected
    assert lesion_reorder(net, TWO, draws=1, progress=False).swaps.max() == 2


def test_swapping_takes_the_scale_along():
    net = nn.Sequential(times(1.0, scale=lambda b: 10 * b), times(2.0))
    with swapped(net, {"0": "1"}):
        assert net(torch.tensor([[1.0]])).item() == 3 * 3  # both blocks run the second's branch


def test_only_blocks_of_one_shape_and_level_change_places():
    model, batch = make("nested")
    # The outer block, its two inner ones and the last: no two take and give the same shapes at
    # one level.
    with pytest.raises(ValueError, match="two blocks of the same shapes"):
        lesion_reorder(model, batch, progress=False)
    model, batch = make("projected")
    table = lesion_reorder(model, batch, swaps=[1], draws=20, progress=False)
    assert set(table.kendall_tau) == {1 / 3}  # always the second and the third


def test_a_block_never_takes_the_place_of_one_inside_it():
    net = Residual(nn.Sequential(times(1.0), times(2.0)))
    table = lesion_reorder(net, TWO, swaps=[1], draws=10, progress=False)
    assert set(table.kendall_tau) == {1 / 3}  # of (outer, 0, 1) only 0 and 1 change places


def test_kendall_tau_is_that_of_the_textbook():
    from scipy.stats import kendalltau

    generator = np.random.default_rng(0)
    for size in (1, 2, 5, 9):
        order = generator.permutation(size)
        expected = kendalltau(np.arange(size), order).statistic if size > 1 else 1.0
        assert kendall_tau(order) == pytest.approx(expected)


@pytest.mark.parametrize("name", MODELS)
def test_lesions_of_every_family(name):
    model, batch = make(name)
    model.eval()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    slots = {key: dict(vars(block)) for key, block in iter_residuals(model)}
    table = lesion(model, batch, progress=False)
    with torch.no_grad():
        output = model(batch[0])
    intact = table[table["index"] == -1].set_index("metric").value
    assert intact["loss"] == pytest.approx(loss(output, batch[1]).item())
    answers = zip(output.argmax(1).flatten().tolist(), batch[1].flatten().tolist(), strict=True)
    assert intact["error"] == pytest.approx(np.mean([a != b for a, b in answers]))
    assert len(table) == 2 * (1 + len(slots))
    lesion_random(model, batch, draws=2, progress=False)
    identityness(model, batch)
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[key]), key
    for key, block in iter_residuals(model):
        after = vars(block)
        assert after.keys() == slots[key].keys()
        assert all(after[slot] is slots[key][slot] for slot in ("merge", "branch") if slot in after)
    with torch.no_grad():
        assert torch.equal(model(batch[0]), output)


def test_an_error_inside_puts_everything_back():
    net = chain(1.0)
    merge = net[0].merge

    def interrupted():
        with deleted(net, ["0"]):
            assert net[0].merge is not merge
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        interrupted()
    assert net[0].merge is merge


def test_identityness_by_hand():
    net = nn.Sequential(
        times(2.0), times(-0.5), times(1.0, merge=concatenate, scale=lambda b: 0.1 * b[:, :1])
    )
    x = torch.tensor([[3.0, 4.0], [6.0, 8.0]])
    table = identityness(net, (x, torch.zeros(2, 3)))
    found = table.set_index(["index", "metric"]).value
    assert found[0, "shortcut_norm"] == pytest.approx(7.5)
    assert found[0, "branch_norm"] == pytest.approx(15)
    assert (found[0, "ratio"], found[0, "cosine"]) == (pytest.approx(2), pytest.approx(1))
    assert (found[1, "ratio"], found[1, "cosine"]) == (pytest.approx(0.5), pytest.approx(-1))
    # shortcut 1.5 x = (4.5, 6), branch 0.45: ratio 0.45 / 7.5; shapes differ, so no cosine
    assert found[2, "ratio"] == pytest.approx(0.06)
    assert (2, "cosine") not in found.index
    assert table.layer.unique().tolist() == ["0", "1", "2"]


def test_identityness_during_training():
    from residual_lib import data
    from residual_lib.models import create_model
    from residual_lib.train import train

    training = train(
        lambda: create_model("residual_mlp", in_features=1, num_classes=1, width=4, depth=4),
        data.load("toy_regression"), seeds=[0], steps=2, lr=0.01, probe_every=1, progress=False,
        probes={"identityness": identityness},
    )  # fmt: skip
    ratios = training.probes.query("metric == 'ratio'")
    assert ratios.step.tolist() == [0, 1, 2]
    assert ratios.value.nunique() == 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lesion(nn.Linear(1, 1), TWO), "model must have a Residual in it, got Linear"),
        (lambda: lesion_random(chain(1), TWO, numbers=[2]), "numbers must be .* 0 to 1, got 2"),
        (lambda: lesion_random(chain(1), TWO, draws=0), "draws must be a whole number from 1 up"),
        (lambda: lesion_random(chain(1), TWO, draws=True), "draws must be .*, got True"),
        (lambda: lesion_reorder(chain(1, 1), TWO, swaps=[-1]), "swaps must be .*, got -1"),
        (lambda: deleted(chain(1), ["0"], "skip"), "path must be one of .* got 'skip'"),
        (lambda: lesion(chain(1), TWO, path="both"), "path must be one of .* got 'both'"),
        (lambda: deleted(chain(1), ["x"]).__enter__(), r"names must be .*\['0'\]; got \['x'\]"),
        (lambda: backward_through(chain(1), ["x"]), "names must be"),
        (lambda: swapped(chain(1), {"0": "x"}).__enter__(), "names must be"),
    ],
)
def test_wrong_arguments_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
