"""Chapter 11: its counts against simulation, its noise and its batches against closed cases."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from residual_lib.claims import stochastic_depth as claims
from residual_lib.experiments import Settings
from residual_lib.experiments import stochastic_depth as chapter
from residual_lib.nn import DropPath
from residual_lib.residual import iter_residuals
from residual_lib.train import train


def settings(**profile):
    return Settings(profile=profile, device="cpu", progress=False)


# --- derived ----------------------------------------------------------------------------------


def test_the_depth_of_a_step_against_coins():
    survival = chapter.survivals(0.6, 12)
    chances = chapter.depth_distribution(survival)
    coins = np.random.default_rng(0).random((40_000, 12)) < survival
    seen = np.bincount(coins.sum(1), minlength=13) / len(coins)
    np.testing.assert_allclose(chances, seen, atol=0.012)  # five standard deviations
    number = np.arange(13)
    mean = (number * chances).sum()
    assert chances.sum() == pytest.approx(1)
    assert mean == pytest.approx(12 * 0.7)
    assert ((number - mean) ** 2 * chances).sum() == pytest.approx(
        (survival * (1 - survival)).sum()
    )


@pytest.mark.parametrize(
    ("above", "below", "derived"), [(20, 80, 2.07), (40, 80, 1.28), (10, 20, 2.54)]
)
def test_the_quotients_that_the_page_derives(above, below, derived):
    quotient = ((1 + 1 / above) / (1 + 1 / below)) ** 20
    assert quotient == pytest.approx(derived, abs=0.005)


@pytest.mark.parametrize("rescale", ["training", "evaluation"])
def test_moments_of_a_wide_stack(rescale):
    params = {"rate": 0.5, "rescale": rescale}
    profile = {"width": 256, "blocks": 4, "examples": 3000}
    table = chapter.run_moments(params, list(range(6)), settings(**profile))
    wide = table.pivot(index="seed", columns=["metric", "mode"], values="value").mean()
    p, variance = 0.5, 1 / 4
    factors = {
        "training": (1 + variance / p, 1 + variance),
        "evaluation": (1 + p * variance, 1 + p**2 * variance),
    }[rescale]
    assert wide["square", "training"] == pytest.approx(factors[0] ** 4, rel=0.1)
    assert wide["square", "evaluation"] == pytest.approx(factors[1] ** 4, rel=0.1)
    assert wide["mean", "training"] == pytest.approx(wide["mean", "evaluation"], rel=0.01)


# --- steps ------------------------------------------------------------------------------------


def test_flops_go_with_the_branches_that_are_computed():
    found = {}
    for name, params in chapter.STEPS.variants.items():
        table = chapter.run_steps(dict(params), [0], settings(steps=2, size=8))
        found[name] = table.groupby("metric")["value"].mean()
    assert found["none"]["branches"] == found["example"]["branches"] == 54
    assert found["none"]["forward"] == found["example"]["forward"]
    share = found["batch"]["branches"] / 54
    for part in ("forward", "backward"):
        assert found["batch"][part] / found["none"][part] == pytest.approx(share, abs=0.01)


def test_a_clock_has_a_row_for_each_pass():
    table = chapter.seconds_a_step(["none", "batch"], 0.5, rounds=2, depth=4, batch=2)
    assert len(table) == 2 * 2 * 2
    assert (table["seconds"] > 0).all()


# --- noise ------------------------------------------------------------------------------------


def test_without_drops_a_gradient_has_no_noise():
    profile = {"depth": 6, "width": 4, "draws": 3}
    params = {"per": "batch", "batch": 8, "rate": 0.0}
    table = chapter.run_noise(params, [0], settings(**profile)).set_index("metric")["value"]
    assert table["noise"] < 1e-9 * table["signal"]


@pytest.mark.parametrize("per", ["batch", "example"])
def test_the_noise_of_a_mean(per):
    """Alike parts: one coin is m times as noisy. Orthogonal ones: it is the same."""
    torch.manual_seed(0)
    drop, m = DropPath(0.5, per=per), 16
    for parts, expected in (
        (torch.ones(m, m), m if per == "batch" else 1),
        (m**0.5 * torch.eye(m), 1),
    ):
        means = torch.stack([drop(parts).mean(0) for _ in range(4000)])
        noise = (means - parts.mean(0)).square().sum(1).mean().item()
        assert noise == pytest.approx(expected, rel=0.1)  # (1 - p) / p is 1


# --- training ---------------------------------------------------------------------------------


def test_each_seed_has_images_of_its_own():
    digits = chapter.few_digits()
    assert digits.x_train.shape == (898, 4, 4, 4)
    x, y = chapter.own_examples(0, 50)
    again = chapter.own_examples(1, 50)[0]
    assert len({tuple(each.flatten().tolist()) for each in x}) > 48
    assert not torch.equal(x, again)
    batch = chapter.own_batches(50, 0.0)
    for seed in (0, 1):
        # As `train` seeds each seed's noise.
        generator = torch.Generator().manual_seed(2**40 + seed)
        drawn, labels = batch(torch.zeros(20, 4, 4, 4), torch.zeros(20), generator)
        own_x, own_y = chapter.own_examples(seed, 50)
        where = (drawn[:, None] == own_x).flatten(2).all(-1).float().argmax(1)
        assert torch.equal(own_x[where], drawn)
        assert torch.equal(own_y[where], labels)
        assert len(set(where.tolist())) >= 19
    x, wrong = chapter.own_examples(0, 50, 0.3)
    assert (wrong != y).sum() == 15
    assert wrong.max() < 10


def test_seeds_that_train_together_draw_for_themselves():
    """From the same weights and batches, they would otherwise stay alike."""

    def build():
        torch.manual_seed(5)
        return chapter.net(14, 4, 0.8)

    def same(x, y, generator):
        digits = chapter.few_digits()
        return digits.x_train[: len(x)], digits.y_train[: len(y)]

    training = train(
        build,
        chapter.few_digits(),
        [0, 1],
        steps=5,
        batch_size=16,
        augment=same,
        record_every=0,
        device="cpu",
        progress=False,
    )
    one, two = (model.state_dict()["head.weight"] for model in training.models)
    assert not torch.equal(one, two)


def test_a_forgotten_factor_makes_the_branch_larger():
    torch.manual_seed(0)
    model = chapter.net(6, 4, 0.5).eval()
    *_, (_, block) = iter_residuals(model)
    x = torch.rand(3, 4, 4, 4)
    kept = block(x)
    chapter.rescaled_(model, "training")
    forgotten = block(x)
    branch = block.branch(x)
    torch.testing.assert_close(kept, torch.relu(x + 0.5 * branch))
    torch.testing.assert_close(forgotten, torch.relu(x + branch))


def test_a_small_run_has_what_the_claims_read():
    profile = {"depth": 6, "width": 4, "steps": 2, "batch": 8, "lr": 0.1}
    params = {"examples": 20, "rate": 0.5, "per": "batch", "lesions": True, "wrong": 0.3}
    table = chapter.run_training(params, [0, 1], settings(**profile))
    names = {
        f"{where}_{what}" for where in ("test", "own", "forgotten") for what in ("loss", "error")
    }
    assert set(table["metric"]) == {*names, "lesion"}
    assert len(table[table["metric"] == "lesion"]) == 2 * (1 + 2)
    assert not table.duplicated(["seed", "metric", "block"]).any()


# --- statistics -------------------------------------------------------------------------------


def rows(metric, values):
    return pd.DataFrame(
        [(name, 0, metric, value) for name, value in values.items()],
        columns=["variant", "seed", "metric", "value"],
    )


def test_shares_and_differences():
    table = rows("forward", {"none": 200.0, "batch": 150.0, "example": 200.0})
    assert claims.saved("batch", "forward", table)[0] == 0.25
    assert claims.saved("example", "forward", table)[0] == 0
    table = rows("noise", {"batch-8": 3.0, "example-8": 2.0})
    assert claims.noisier(8, table)[0] == 1.5
    table = rows("test_error", {"100-0": 0.2, "100-0.3": 0.1, "100-0.5": 0.2, "100-0.8": 0.6})
    assert claims.with_drops(100, table)[0] == pytest.approx(0.1)
    assert claims.better("100-0.3", "100-0", table)[0] == pytest.approx(0.1)
    fit = rows("own_loss", {"898-0": 0.1, "898-0.3": 0.2, "898-0.5": 0.4, "898-0.8": 0.8})
    assert claims.harder_to_fit(fit)[0] == pytest.approx(2)


def test_what_forgetting_costs():
    table = pd.concat(
        [
            rows("test_loss", {"a": 0.5}),
            rows("forgotten_loss", {"a": 2.0}),
            rows("test_error", {"a": 0.1}),
            rows("forgotten_error", {"a": 0.15}),
        ]
    )
    assert claims.forgotten("a", table)[0] == pytest.approx(2)
    assert claims.forgotten_errors("a", table)[0] == pytest.approx(0.05)
    assert claims.forgotten_errors("a", claims.guessing(table))[0] == pytest.approx(0.8)


def test_the_late_branches_alone_are_compared():
    table = pd.concat(
        [
            rows("lesion", {name: value}).assign(block=block)
            for name, late in (("898-0", 0.5), ("898-0.5", 0.3))
            for block, value in enumerate([0.1, 0.9, 0.9, late, late, late, late], start=-1)
        ]
    )
    assert claims.milder(table)[0] == pytest.approx(0.2)


def test_steps_that_all_compute_the_same_have_no_spread():
    table = pd.DataFrame(
        {"seed": 0, "variant": "batch", "metric": "branches of a step"}, index=[0, 1]
    )
    table["value"] = [40.0, 44.0]
    assert claims.spread(table)[0] == pytest.approx(8**0.5)
    assert claims.spread(claims.the_same_each_step(table))[0] == 0
