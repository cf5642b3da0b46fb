"""Chapter 4: its counts against formulas, what a block sees against closed results."""

from __future__ import annotations

import pandas as pd
import pytest
import torch
from torch import nn

from residual_lib import experiments
from residual_lib.claims import projection_shortcuts as claims
from residual_lib.experiments import Settings
from residual_lib.experiments import projection_shortcuts as chapter
from residual_lib.models import create_model
from residual_lib.nn import PadShortcut, projection
from residual_lib.residual import Residual

# --- counts ----------------------------------------------------------------------------------


def test_flops_of_a_convolution_by_formula():
    """2 P k^2 C1 C2: a multiplication and an addition count as two."""
    conv = nn.Conv2d(3, 5, 3, stride=2, padding=1, bias=False)
    assert chapter.cost(conv, (3, 8, 8)) == {"parameters": 135, "flops": 2 * 16 * 135}


@pytest.mark.parametrize(
    ("model", "projections"),
    # Widths of the stages, times four in bottlenecks, and how often C projects where B doesn't.
    [("resnet18", {64: 2, 128: 1, 256: 1, 512: 1}), ("resnet34", {64: 3, 128: 3, 256: 5, 512: 2})],
)
def test_c_adds_a_projection_to_every_block_that_keeps_its_shape(model, projections):
    counts = {}
    for option in "BC":
        with torch.device("meta"):
            net = create_model(model, shortcut=option)
        counts[option] = chapter.cost(net, (3, 32, 32))["parameters"]
    added = sum(number * (width**2 + 2 * width) for width, number in projections.items())
    assert counts["C"] - counts["B"] == added


def test_the_cost_of_a_variant_is_a_row_a_metric():
    settings = Settings(profile={"size": 32}, device="cpu", progress=False)
    table = chapter.run_cost({"model": "resnet18", "shortcut": "B"}, [0], settings)
    values = table.set_index("metric")["value"]
    assert values["parameters"] == 11_689_512
    assert values["flops"] > 0


# --- sight -----------------------------------------------------------------------------------


def shortcut(option):
    if option == "A":
        return PadShortcut(3, 6, stride=2)
    return projection(3, 6, stride=2, norm_layer=None, average=option == "D").double()


@pytest.mark.parametrize(("option", "share"), [("A", 0.25), ("B", 0.25), ("D", 1.0)])
def test_energy_arrives_where_the_shortcut_reads(option, share):
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    arrived = chapter.energy(shortcut(option), x)
    assert arrived.shape == (6, 6)
    assert arrived.sum().item() == pytest.approx(1)
    assert (arrived > 0).double().mean().item() == share
    if share < 1:
        assert arrived[::2, ::2].sum().item() == pytest.approx(1)


@pytest.mark.parametrize("option", "ABD")
def test_every_shortcut_passes_a_quarter_of_the_directions(option):
    x = torch.randn(1, 3, 6, 6, dtype=torch.float64)
    assert chapter.rank_share(shortcut(option), x) == 0.25


def test_rank_of_known_maps():
    x = torch.randn(1, 2, 4, 4, dtype=torch.float64)
    assert chapter.rank_share(nn.Identity(), x) == 1
    assert chapter.rank_share(nn.PixelUnshuffle(2), x) == 1
    assert chapter.rank_share(lambda x: x.sum() * torch.ones(5, dtype=x.dtype), x) == 1 / 32


def test_a_strided_3x3_sends_one_ninth_to_the_grid():
    torch.manual_seed(0)
    conv = nn.Conv2d(16, 16, 3, stride=2, padding=1, bias=False).double()
    x = torch.randn(64, 16, 32, 32, dtype=torch.float64)
    on_grid = chapter.energy(conv, x)[::2, ::2].sum().item()
    assert on_grid == pytest.approx(1 / 9, rel=0.1)


def test_paths_of_a_block_add_up():
    model = create_model("small_resnet2d", blocks=(1, 1)).eval()
    block = model.stages[1][0]
    paths = chapter.paths_of(block)
    x = torch.rand(2, 8, 8, 8)
    torch.testing.assert_close(torch.relu(paths["block"](x)), block(x))
    torch.testing.assert_close(paths["block"](x), paths["shortcut"](x) + paths["branch"](x))


@pytest.mark.parametrize("kind", chapter.BLOCKS)
def test_sight_has_a_share_for_each_pixel_and_path(kind):
    settings = Settings(profile={"channels": 4, "batch": 2}, device="cpu", progress=False)
    params = {"block": kind, "shortcut": "B"}
    table = chapter.run_sight(params, [3, 4], settings)
    assert set(table["seed"]) == {3, 4}
    energy = table[table["metric"] == "energy"]
    assert len(energy) == 2 * 3 * 64
    assert energy.groupby(["seed", "path"])["value"].sum().to_numpy() == pytest.approx(1)
    again = chapter.run_sight(params, [4], settings)
    pd.testing.assert_frame_equal(again, table[table["seed"] == 4].reset_index(drop=True))


# --- the gradient through shortcuts ----------------------------------------------------------


def batch(channels=1):
    return torch.randn(4, channels, 12), torch.arange(4)


@pytest.mark.parametrize("option", "ABD")
def test_the_gain_is_one_inside_a_stage(option):
    model = create_model("small_resnet1d", blocks=(2, 2), shortcut=option)
    table = chapter.shortcut_gain(model, batch())
    gain = table[table["metric"] == "gain"].set_index("block")["value"]
    assert gain[[0, 1, 3]].tolist() == [1.0] * 3
    assert 0 < gain[2] < 1.5
    seen = table[table["metric"] == "seen"].set_index("block")["value"]
    assert seen.tolist() == [1, 1, 1 if option == "D" else 0.5, 1]


def test_the_gain_of_a_known_shortcut():
    """A shortcut that doubles, and one that passes half of two equal channels."""
    net = nn.Sequential(
        Residual(nn.Conv1d(1, 1, 1), shortcut=lambda x: 2 * x),
        Residual(nn.Conv1d(1, 2, 1), shortcut=lambda x: torch.cat([x, torch.zeros_like(x)], 1)),
        nn.Flatten(),
        nn.Linear(24, 4),
    )
    with torch.no_grad():
        net[3].weight[:, 12:] = net[3].weight[:, :12]  # both channels get the same gradient
    table = chapter.shortcut_gain(net, batch())
    gain = table[table["metric"] == "gain"]["value"].tolist()
    assert gain == pytest.approx([2.0, 0.5**0.5])


def test_a_plain_net_passes_nothing_by_the_shortcut():
    model = create_model("small_resnet1d", blocks=(1, 1), skip=False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    table = chapter.shortcut_gain(model, batch())
    assert (table["value"] == 0).all()
    after = model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


# --- training --------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["none", "D"])
def test_training_gives_every_metric(option):
    profile = {"blocks": 1, "width": 2, "batch": 8, "steps": 2, "examples": 10}
    settings = Settings(profile=profile, device="cpu", progress=False)
    table = chapter.run_options({"shortcut": option}, [0, 1], settings)
    metrics = {"train_error", "test_error", "gain", "seen"}
    assert set(table["metric"]) == metrics | ({"lesion"} if option == "D" else set())
    assert set(table["seed"]) == {0, 1}
    assert set(table.loc[table["metric"] == "gain", "step"]) == {0, 2}
    assert table["value"].between(0, 5).all()


# --- from table to numbers -------------------------------------------------------------------


def errors(**values):
    rows = [("test_error", 300, name, value) for name, value in values.items()]
    table = pd.DataFrame(rows, columns=["metric", "step", "variant", "value"])
    return table.assign(seed=0, block=float("nan"))


def test_statistics_of_errors():
    table = errors(none=0.4, A=0.13, B=0.1, C=0.07, D=0.1)
    assert claims.gain_of_skips(table)[0] == pytest.approx(0.3)
    assert claims.gain_against_choice(table)[0] == pytest.approx(0.24)
    assert claims.order_of_the_paper(table)[0] == pytest.approx(0.03)
    assert claims.order_of_the_paper(errors(none=1, A=0.1, B=0.2, C=0, D=0))[0] < 0


def blocks(metric, variant, values, step=300):
    table = pd.DataFrame({"block": range(6), "value": values})
    return table.assign(metric=metric, variant=variant, shortcut=variant, step=step, seed=0)


def test_statistics_by_block():
    table = pd.concat(
        [
            blocks("gain", "A", [1, 1, 1, 0.7, 1, 1], step=0),
            blocks("gain", "A", [1, 1, 1, 0.1, 1, 1]),
            blocks("lesion", "B", [0.9, 0.4, 0.4, 0.8, 0.2, 0.1]),
            blocks("lesion", "C", [0.9, 0.7, 0.7, 0.7, 0.6, 0.1]),
            blocks("lesion", "D", [0.9, 0.4, 0.4, 0.8, 0.2, 0.1]),
        ]
    )
    assert claims.loss_at_boundary(table)[0] == pytest.approx(0.3)
    assert claims.lesion_at_boundary(table)[0] == pytest.approx(0.5)
    assert claims.lesion_of_projections(table)[0] == pytest.approx(1 / 3)
    moved = claims.boundary_elsewhere(table)
    assert claims.loss_at_boundary(moved)[0] == pytest.approx(-0.3)
    assert claims.lesion_at_boundary(moved)[0] == pytest.approx(-0.1)
    assert claims.lesion_of_projections(claims.no_projections(table))[0] == pytest.approx(0)


def test_statistics_of_sight():
    rows = []
    for variant, values in {"basic-B": (1, 0, 0, 0), "basic-D": (0.25,) * 4}.items():
        for place, value in enumerate(values):
            rows.append(("energy", "block", variant, place // 2, place % 2, value))
        for path, value in (("shortcut", 0.25), ("block", 0.5)):
            rows.append(("rank", path, variant, -1, -1, value))
            rows.append(("rank", path, "basic-A", -1, -1, value))
    table = pd.DataFrame(rows, columns=["metric", "path", "variant", "row", "col", "value"])
    table = table.drop_duplicates().assign(seed=0)
    assert claims.seen_gain("block", "basic-D", "basic-B", table)[0] == 0.75
    assert claims.off_grid(table)[0] == 0.75
    assert claims.rank_gain(table)[0] == 0
    assert claims.largest_rank(table)[0] == 0.25
    assert claims.largest_rank(claims.blocks_for_shortcuts(table))[0] == 0.5


def test_the_price_of_c_is_a_difference_of_ratios():
    flops = {"resnet34-B": 100, "resnet34-C": 110, "resnet50-B": 10, "resnet50-C": 16}
    table = pd.DataFrame({"variant": flops.keys(), "value": flops.values()})
    assert claims.price_of_c(table.assign(metric="flops", seed=0)) == pytest.approx(0.5)


def test_the_boundary_of_the_claims_is_that_of_the_experiment():
    for profile in experiments.get("shortcut_options").profiles.values():
        assert profile["blocks"] == claims.BOUNDARY
