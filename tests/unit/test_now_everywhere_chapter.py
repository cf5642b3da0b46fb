"""Chapter 14: its models' parts against closed cases, its statistics against made-up tables."""

from __future__ import annotations

import copy
import math

import pandas as pd
import pytest
import torch
from torch import nn

from residual_lib.claims import now_everywhere as claims
from residual_lib.data.base import Data
from residual_lib.experiments import Settings
from residual_lib.experiments import now_everywhere as chapter
from residual_lib.residual import iter_residuals

PROFILE = chapter.FIVE_FIELDS.profiles["quick"]


def settings(**profile):
    return Settings(profile=profile, device="cpu", progress=False)


# --- the fields ------------------------------------------------------------------------------


@pytest.mark.parametrize("field", chapter.FIELDS)
def test_with_and_without_skips_the_same_weights(field):
    states = []
    for skip in (True, False):
        torch.manual_seed(0)
        states.append(chapter.model_of(field, skip, PROFILE).state_dict())
    assert list(states[0]) == list(states[1])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize("field", chapter.FIELDS)
def test_a_plain_net_has_no_skip_left(field):
    """With every branch at zero nothing of the input is left, but for the plain net's biases."""
    model = chapter.model_of(field, False, PROFILE).eval()
    x = chapter.task(field, PROFILE).x_test[:4]
    with torch.no_grad():
        for _, block in iter_residuals(model):
            for part in block.branch.modules():
                if isinstance(part, nn.Linear | nn.Conv1d):
                    part.weight.zero_()
        out = model(x)
    torch.testing.assert_close(out[:1].expand_as(out), out)


def test_a_guess_by_frequency():
    y = torch.tensor([0, 0, 0, 1])
    task = Data(y[:, None], y, y[:2, None], torch.tensor([0, 1]), "x", 2, "classification")
    assert chapter.guess(task) == pytest.approx(-(math.log(4 / 6) + math.log(2 / 6)) / 2)


def test_a_small_run_has_what_the_claims_read():
    profile = copy.deepcopy(PROFILE)
    profile["steps"] = dict.fromkeys(chapter.FIELDS, 10)
    table = chapter.run_fields({"field": "gpt", "skip": True}, [0, 1], settings(**profile))
    assert set(table["metric"]) == {
        *("loss", "test_loss", "test_error", "guess", "gradient_first", "gradient_last")
    }
    assert set(table["seed"]) == {0, 1}


# --- the denoiser ----------------------------------------------------------------------------


def test_noise_grows_from_none_to_all():
    points, noise = chapter.noised(4000, 0)
    early, late = points[:, 2] < 0.02, points[:, 2] > 0.98
    assert (points[early, :2].norm(dim=1) < 2.2).all()
    torch.testing.assert_close(points[late, :2], noise[late], atol=0.1, rtol=0)


def test_the_denoiser_is_told_the_time_or_not():
    points, _ = chapter.noised(8, 0)
    later = points.clone()
    later[:, 2] += 0.1
    for timed in (True, False):
        torch.manual_seed(0)
        net = chapter.Denoiser(2, 8, timed=timed)
        assert torch.equal(net(points), net(later)) != timed


# --- streams ---------------------------------------------------------------------------------


@pytest.mark.parametrize("streams", [2, 3])
def test_streams_start_as_a_residual_net(streams):
    torch.manual_seed(0)
    one, more = (chapter.StreamMLP(n, 5, 8, in_features=6) for n in (1, streams))
    state = {name.replace("branch.", "branch.inner."): t for name, t in one.state_dict().items()}
    more.load_state_dict(state, strict=False)
    x = torch.randn(4, 6)
    torch.testing.assert_close(one(x), more(x))


def test_the_forward_looks_run_with_several_seeds():
    profile = {**chapter.FORWARD.profiles["quick"], "steps": 10, "blocks": 2, "points": 400}
    for look in ("denoiser", "hyper"):
        table = chapter.run_forward({"look": look}, [0, 1], settings(**profile))
        assert {"loss", "test_loss"} <= set(table["metric"])


# --- statistics ------------------------------------------------------------------------------


def made_up(plain: float, skip: float) -> pd.DataFrame:
    rows = []
    for field in chapter.FIELDS:
        for kind, loss in (("plain", plain), ("skip", skip)):
            name = f"{field}-{kind}"
            rows += [(name, 0, "guess", 3.0), (name, 0, "test_loss", loss)]
    return pd.DataFrame(rows, columns=["variant", "seed", "metric", "value"])


def test_left_is_a_share_of_what_was_learnt():
    assert claims.left("gpt", made_up(plain=2.5, skip=1.0))[0] == pytest.approx(0.25)
    assert claims.left("gpt", made_up(plain=3.0, skip=1.0))[0] == 0
    whole = claims.skips_for_all(made_up(plain=3.0, skip=1.0))
    assert claims.left("gpt", whole)[0] == 1


def test_the_least_gradient_of_the_nets_without_skips():
    rows = [("gpt-plain", 4.0), ("bert-plain", 2.0), ("gpt-skip", 0.1)]
    table = pd.DataFrame(rows, columns=["variant", "value"]).assign(seed=0)
    both = [table.assign(metric="gradient_first")]
    both.append(table.assign(metric="gradient_last", value=8.0))
    assert claims.least_first_over_last(pd.concat(both))[0] == 0.25
    assert claims.least_first_over_last(claims.vanished(pd.concat(both)))[0] == 0
