"""The actor-critic: its gradient against the exact one, returns by formula, seeds, no gymnasium."""

import builtins
import functools
import importlib.util

import numpy as np
import pytest
import torch
from torch import nn

from residual_lib import reinforcement
from residual_lib.claims import deep_rl as claims
from residual_lib.experiments import Settings, get
from residual_lib.experiments import deep_rl as chapter
from residual_lib.experiments.framework import recorded
from residual_lib.models import create_model
from residual_lib.reinforcement import (
    choose,
    lacks_gymnasium,
    learn,
    make_environments,
    play,
    policy_gradient_loss,
    returns_to_go,
)
from residual_lib.residual import add, branch_only, iter_residuals

TINY = {"updates": 3, "environments": 4, "horizon": 8, "record_every": 1}


def policy():
    return create_model("residual_mlp", in_features=4, num_classes=2, depth=4, width=8)


def value():
    return create_model("plain_mlp", in_features=4, num_classes=1, depth=2, width=8)


@pytest.fixture
def no_gymnasium(monkeypatch):
    real = importlib.util.find_spec

    def find(name, *rest):
        return None if name == "gymnasium" else real(name, *rest)

    monkeypatch.setattr(reinforcement, "find_spec", find)
    imported = builtins.__import__

    def refuse(name, *rest, **options):
        assert name != "gymnasium"
        return imported(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)


def test_the_gradient_is_exact_in_expectation():
    """A bandit with arms of worth w: weighted by their probabilities, the actions' gradients sum
    to that of the expected worth, which is p_a (w_a - mean) for the logit of arm a."""
    logits = torch.tensor([0.3, -0.8], dtype=torch.float64, requires_grad=True)
    worth = torch.tensor([1.0, 3.0], dtype=torch.float64)
    p = logits.detach().softmax(0)
    for baseline in (0.0, 2.5):  # which doesn't change the expectation
        losses = policy_gradient_loss(logits.expand(2, 2), torch.arange(2), worth - baseline)
        (found,) = torch.autograd.grad((p * losses).sum(), logits, retain_graph=True)
        torch.testing.assert_close(-found, p * (worth - (p * worth).sum()))
    (exact,) = torch.autograd.grad((logits.softmax(0) * worth).sum(), logits)
    torch.testing.assert_close(-found, exact)


def test_sampled_gradients_have_that_mean():
    generator = torch.Generator().manual_seed(0)
    logits = torch.tensor([0.3, -0.8, 0.1], requires_grad=True)
    worth = torch.tensor([1.0, 3.0, -2.0])
    actions = choose(logits.detach().expand(40_000, 3), torch.rand(40_000, generator=generator))
    losses = policy_gradient_loss(logits.expand(40_000, 3), actions, worth[actions])
    (found,) = torch.autograd.grad(losses.mean(), logits)
    (exact,) = torch.autograd.grad((logits.softmax(0) * worth).sum(), logits)
    torch.testing.assert_close(-found, exact, atol=0.03, rtol=0)


def test_actions_have_the_probabilities_of_the_softmax():
    logits = torch.tensor([0.2, 0.5, 0.3]).log()
    draws = (torch.arange(1000) + 0.5) / 1000
    counts = torch.bincount(choose(logits.expand(1000, 3), draws), minlength=3)
    assert counts.tolist() == [200, 500, 300]


def test_returns_to_go_by_formula():
    """Environment 0 goes on, 1 terminates at step 1, 2 is cut off at step 1."""
    rewards = torch.tensor([[1.0, 1, 1], [2, 2, 2], [4, 4, 4]])
    no = torch.zeros(3, 3, dtype=torch.bool)
    terminated, truncated = no.clone(), no.clone()
    terminated[1, 1] = truncated[1, 2] = True
    values = torch.tensor([[9.0] * 3, [9.0] * 3, [10.0, 10, 10], [20.0, 20, 20]])
    g = 0.5
    last = 4 + g * 20
    expected = [
        [1 + g * (2 + g * last), 1 + g * 2, 1 + g * (2 + g * 10)],
        [2 + g * last, 2, 2 + g * 10],
        [last] * 3,
    ]
    found = returns_to_go(rewards, terminated, truncated, values, g)
    torch.testing.assert_close(found, torch.tensor(expected))


def test_environments_are_gymnasiums_own_and_seeded():
    import gymnasium

    ours = make_environments("CartPole-v1", 3, seed=7)
    theirs = gymnasium.make_vec("CartPole-v1", num_envs=3)
    theirs.reset(seed=7)
    for _ in range(40):
        actions = np.array([0, 1, 1])
        for one, other in zip(ours.step(actions)[:4], theirs.step(actions)[:4], strict=True):
            np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="name must be of an environment with numbered actions"):
        make_environments("Pendulum-v1", 2, seed=0)
    with pytest.raises(ValueError, match="count must be a whole number above 0, got 0"):
        make_environments("CartPole-v1", 0, seed=0)


def test_a_seed_learns_the_same_again():
    state = torch.get_rng_state()
    one, other = (learn(policy, value, [3], **TINY) for _ in range(2))
    assert one.history.equals(other.history)
    for a, b in zip(one.policies[0].parameters(), other.policies[0].parameters(), strict=True):
        assert torch.equal(a, b)
    assert play(one.policies[0], episodes=3, seed=1) == play(other.policies[0], episodes=3, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    third = learn(policy, value, [4], **TINY)
    assert not one.history["value"].equals(third.history["value"])


def test_seeds_learn_side_by_side_what_they_learn_alone():
    """As long as it takes for rounding to grow, that is: one update here."""
    options = {**TINY, "updates": 1}
    together = learn(policy, value, [3, 4], **options)
    for row, seed in enumerate(together.seeds):
        alone = learn(policy, value, [seed], **options).policies[0]
        for a, b in zip(alone.parameters(), together.policies[row].parameters(), strict=True):
            torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


def test_returns_are_counted_in_whole_episodes():
    """A pole that is always pushed one way falls after 8 to 10 steps (a fixed policy)."""

    class Left(nn.Module):
        def forward(self, x):
            return torch.tensor([50.0, -50.0]).expand(len(x), 2)

    returns = play(Left(), episodes=20, seed=0)
    assert set(returns) <= {8.0, 9.0, 10.0, 11.0}
    learnt = learn(policy, value, [0], **{**TINY, "updates": 30})
    assert learnt.history["value"].between(8, 500).all()
    assert learnt.history["step"].max() == 30 * 4 * 8


def test_a_shallow_policy_learns():
    learnt = learn(
        functools.partial(chapter.policy, {"depth": 4, "skip": False}, 32),
        chapter.value, [0], updates=30, environments=16, horizon=16,
    )  # fmt: skip
    first, *_, last = learnt.history["value"]
    assert last > 1.5 * first


def test_without_gymnasium_it_says_how_to_get_it(no_gymnasium):
    assert "pip install" in lacks_gymnasium()
    for call in (
        lambda: make_environments("CartPole-v1", 1, 0),
        lambda: learn(policy, value, [0]),
        lambda: play(policy()),
    ):
        with pytest.raises(ImportError, match=r"needs the package gymnasium, .*pip install"):
            call()


def test_without_gymnasium_the_recorded_run_stands_in(no_gymnasium, monkeypatch, tmp_path):
    monkeypatch.setenv("RESIDUAL_LIB_STORE", str(tmp_path))
    experiment = get("deep_rl")
    table = experiment.at_hand()
    assert table.attrs["provenance"]["recorded"]
    assert set(table["variant"]) == set(experiment.variants)
    monkeypatch.setattr(recorded, "FOLDER", tmp_path)
    with pytest.raises(ValueError, match="deep_rl needs the package gymnasium"):
        experiment.at_hand()


def test_with_gymnasium_it_is_measured():
    assert lacks_gymnasium() is None  # site and tests have it: requirements.txt


@pytest.mark.parametrize("name", chapter.DEEP_RL.variants)
def test_policies_differ_by_the_merge_alone_and_begin_even(name):
    params = chapter.DEEP_RL.variants[name]
    torch.manual_seed(0)
    model = chapter.policy(params, 8)
    assert {b.merge for _, b in iter_residuals(model)} == {add if params["skip"] else branch_only}
    assert len(list(iter_residuals(model))) == (params["depth"] - 2) // 2
    assert torch.equal(model(torch.randn(5, 4)), torch.zeros(5, 2))


def test_a_whole_small_run():
    profile = {**chapter.DEEP_RL.profiles["quick"], "updates": 20, "episodes": 2}
    table = chapter.run({"depth": 4, "skip": True}, [0, 1], Settings(profile=profile))
    metrics = table.groupby("metric").seed.count()
    assert metrics["final_return"] == metrics["late_return"] == 2
    assert table["value"].between(8, 500).all()


def test_claims_are_about_the_experiment():
    assert {claim.experiment for claim in claims.CLAIMS} == {"deep_rl"}
    assert all(claim.id.startswith("14.2") for claim in claims.CLAIMS)
