"""Chapter 13: its published tables, its counts against published ones, its towers."""

from __future__ import annotations

import warnings

import pandas as pd
import pytest
import torch

from residual_lib import published
from residual_lib.claims import what_it_made_possible as claims
from residual_lib.experiments import Settings
from residual_lib.experiments import what_it_made_possible as chapter
from residual_lib.experiments.projection_shortcuts import cost
from residual_lib.residual import add, iter_residuals

IMAGENET = published.read("imagenet")


def settings(**profile):
    return Settings(profile=profile, device="cpu", progress=False)


# --- published ------------------------------------------------------------------------------


def test_every_figure_has_a_source_and_a_protocol():
    assert IMAGENET["source"].notna().all()
    assert set(IMAGENET["protocol"]) == set(published.PROTOCOLS)
    assert set(IMAGENET["set"]) == {"validation", "test"}
    assert not IMAGENET.duplicated(["network", "protocol", "training"]).any()
    assert IMAGENET["top5"].dropna().between(2, 20).all()
    known = IMAGENET.dropna(subset=["top1", "top5"])
    assert (known["top1"] > known["top5"]).all()


def test_more_looks_never_cost_accuracy():
    """Within one network and training, by protocols of which one contains the other."""
    wide = IMAGENET.pivot_table(index=["network", "training"], columns="protocol", values="top5")
    for few, many in (("single crop", "10-crop"), ("10-crop", "multi-scale")):
        both = wide[[few, many]].dropna()
        assert len(both) >= 4
        assert (both[few] > both[many]).all()


def test_depth_records_name_their_source():
    records = published.read("depth")
    assert records["source"].notna().all()
    assert records["layers"].max() == 10_000


def test_an_unknown_table_is_refused():
    with pytest.raises(ValueError, match="name must be one of"):
        published.read("cifar")


def test_the_digest_follows_the_file():
    assert len({published.digest(name) for name in published.TABLES}) == 2


def test_protocols_repeat_the_published_figures_for_each_seed():
    table = chapter.run_protocols({"protocol": "10-crop"}, [0, 3], settings())
    assert set(table["seed"]) == {0, 3}
    entry = ("ResNet-152", "10-crop", "own")
    found = claims.error(table.assign(protocol="10-crop"), entry)
    assert found.to_dict() == {0: 5.71, 3: 5.71}


@pytest.mark.parametrize("entries", [claims.FAMOUS, *claims.LIKE_WITH_LIKE.values()])
def test_what_the_claims_compare_is_in_the_table(entries):
    keys = IMAGENET.set_index(["network", "protocol", "training"]).index
    assert all(entry in keys for entry in entries.values())
    if entries is not claims.FAMOUS:
        assert len({entry[1:] for entry in entries.values()}) == 1
    else:
        assert len({entry[1] for entry in entries.values()}) == 2


# --- counted --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "parameters", "macs"),
    [("vgg16", 138_357_544, 15.47), ("vgg19", 143_667_240, 19.6), ("resnet34", 21_797_672, 3.66)],
)
def test_parameters_and_multiply_adds_as_published(network, parameters, macs):
    counted = cost(chapter.build(network), (3, 224, 224))
    assert counted["parameters"] == parameters
    assert counted["flops"] / 2e9 == pytest.approx(macs, rel=2e-3)


@pytest.mark.parametrize(
    ("network", "parameters", "macs"),
    [("densenet121", 7.98, 2.83), ("densenet169", 14.15, 3.36), ("densenet201", 20.01, 4.29)],
)
def test_dense_nets_counted_as_in_other_code(network, parameters, macs):
    counted = cost(chapter.build(network), (3, 224, 224))
    assert counted["parameters"] / 1e6 == pytest.approx(parameters, abs=0.005)
    assert counted["flops"] / 2e9 == pytest.approx(macs, abs=0.005)


def test_the_papers_stride_gives_the_papers_multiply_adds():
    for network, wanted in claims.published_macs().items():
        counted = cost(chapter.build(network, "1x1"), (3, 224, 224))["flops"] / 2e9
        assert counted == pytest.approx(wanted, rel=0.01)
        assert cost(chapter.build(network), (3, 224, 224))["flops"] / 2e9 > 1.01 * wanted


def test_where_only_one_stride_is_there_are_no_other_counts():
    table = chapter.run_costs({"network": "densenet121"}, [0], settings(size=64))
    assert set(table["metric"]) == {"parameters", "macs"}


def test_seconds_are_measured_for_each_repetition():
    table = chapter.run_seconds({"network": "resnet18"}, [0, 1], settings(size=32))
    assert list(table["seed"]) == [0, 1]
    assert (table["value"] > 0).all()


# --- towers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", chapter.KINDS)
@pytest.mark.parametrize("depth", [4, 12])
def test_a_tower_is_as_deep_as_it_says(kind, depth):
    net = chapter.Tower(kind, depth, 8)
    layers = [part for part in net.modules() if isinstance(part, torch.nn.Linear)]
    assert len(layers) == depth
    assert net(torch.zeros(3, 64)).shape == (3, 10)
    assert all((block.merge is add) == (kind == "residual") for _, block in iter_residuals(net))


def test_residual_and_plain_towers_start_from_the_same_weights():
    nets = []
    for kind in ("residual", "plain"):
        torch.manual_seed(0)
        nets.append(chapter.Tower(kind, 12, 8).state_dict())
    assert all(torch.equal(one, other) for one, other in zip(*map(dict.values, nets), strict=True))


def test_near_the_identity_a_signal_passes_a_hundred_layers():
    torch.manual_seed(0)
    net = chapter.Tower("near the identity", 102, 8)
    h = net.lead(net.stem(torch.randn(50, 64)))
    assert (net.blocks(h) - h).norm() < 0.5 * h.norm()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("dense", 12, 8), "kind must be one of"), (("plain", 11, 8), "depth must be an even number")],
)
def test_wrong_towers_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        chapter.Tower(*arguments)


def test_a_small_run_has_what_the_claims_read():
    profile = {"width": 4, "batch": 16, "steps": 6, "window": 3}
    params = {"kind": "residual", "depth": 6}
    table = chapter.run_ladder(params, [0, 1], settings(**profile))
    assert set(table["metric"]) == {"train_error", "test_error", "curve", "gradient", "steps"}
    assert list(table.query("metric == 'curve' and seed == 0")["step"]) == [3, 6]
    assert (table.query("metric == 'steps'")["value"] == 6).all()


def test_a_seed_that_diverges_guesses():
    profile = {"width": 8, "batch": 32, "steps": 3, "window": 3}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        table = chapter.run_ladder({"kind": "plain", "depth": 1002}, [0], settings(**profile))
    assert (table.query("metric == 'test_error'")["value"] == 0.9).all()
    assert set(table.query("metric == 'diverged'")["seed"]) == {0}
    assert table.query("metric == 'steps'")["value"].item() == 1


# --- statistics -----------------------------------------------------------------------------


def tower_table(values):
    """A table with one seed: variant -> test error."""
    rows = [(name, 0, "test_error", value) for name, value in values.items()]
    return pd.DataFrame(rows, columns=["variant", "seed", "metric", "value"])


def test_differences_of_towers():
    table = tower_table({"residual-12": 0.2, "residual-1002": 0.7, "plain-1002": 0.9})
    assert claims.worse("residual-1002", "residual-12", table)[0] == pytest.approx(0.5)
    assert claims.below_guessing("residual-1002", table)[0] == pytest.approx(0.2)
    sabotaged = claims.in_place("residual-1002", "plain-1002", table)
    assert claims.below_guessing("residual-1002", sabotaged)[0] == pytest.approx(0)


def protocol_table():
    every = [
        chapter.run_protocols({"protocol": name}, [0], settings()).assign(protocol=name)
        for name in published.PROTOCOLS
    ]
    return pd.concat(every, ignore_index=True)


def test_gaps_by_hand():
    table = protocol_table()
    assert claims.gap(table, claims.FAMOUS)[0] == pytest.approx(9.0 - 4.49)
    left = claims.share_left("multi-scale", "ResNet-152", table)[0]
    assert left == pytest.approx((7.1 - 4.49) / (9.0 - 4.49))
    assert claims.protocol_against_depth(table)[0] == pytest.approx(0, abs=1e-9)
    assert claims.trainings_apart(table)[0] == pytest.approx(7.8 - 7.02)
    order = claims.deeper_with_the_order(table)[0]
    assert order == pytest.approx((21.8 - 21.3) - (20.7 - 21.1))
    assert claims.densenet_behind(table)[0] == pytest.approx(6.34 - 6.21)


def test_as_if_the_famous_figures_were_everybodys():
    table = claims.as_famous(protocol_table())
    for way in claims.LIKE_WITH_LIKE:
        assert claims.share_left(way, "ResNet-152", table)[0] == pytest.approx(1)
