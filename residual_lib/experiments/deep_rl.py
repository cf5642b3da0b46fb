"""Chapter 14, on reinforcement learning: a cart balances a pole, by policies of two depths.

It needs gymnasium, which is no dependency of the course. Where that isn't installed, the recorded
run stands in. The chapter's own module lists the experiment, so `EXPERIMENTS` is empty here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from residual_lib.experiments import Experiment, Settings
from residual_lib.models import create_model
from residual_lib.reinforcement import lacks_gymnasium, learn, play

ENVIRONMENT = "CartPole-v1"  # a reward of 1 a step, at most 500
OBSERVED, ACTIONS = 4, 2
#: Of the environments in which the finished policies play, so that none is met in training.
EXAMINATION = 10**6


def policy(params: Mapping[str, Any], width: int) -> nn.Module:
    """A fully connected net whose last layer is 0 at first, so that either action is as likely."""
    model = create_model(
        "residual_mlp" if params["skip"] else "plain_mlp",
        in_features=OBSERVED,
        num_classes=ACTIONS,
        depth=params["depth"],
        width=width,
        norm_layer="layer",
    )
    assert isinstance(model.head, nn.Linear)
    nn.init.zeros_(model.head.weight)
    return model


def value() -> nn.Module:
    """What judges the observations: the same shallow net whatever the policy."""
    return create_model(
        "plain_mlp",
        in_features=OBSERVED,
        num_classes=1,
        depth=4,
        width=32,
        activation="tanh",
        init="xavier",
    )


def run(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Learn, then play: ``return`` during training, ``final_return`` of the finished policy.

    ``late_return`` is the mean of the returns that are recorded in the second half of training.
    """
    profile = settings.profile
    learnt = learn(
        partial(policy, params, profile["width"]),
        value,
        seeds,
        environment=ENVIRONMENT,
        updates=profile["updates"],
        environments=profile["environments"],
        horizon=profile["horizon"],
        lr=profile["lr"],
    )
    history = learnt.history
    end = profile["updates"] * profile["environments"] * profile["horizon"]
    late = history[history["step"] > end / 2].groupby("seed")["value"].mean()
    rows = []
    for seed, model in zip(learnt.seeds, learnt.policies, strict=True):
        returns = play(
            model,
            environment=ENVIRONMENT,
            episodes=profile["episodes"],
            seed=EXAMINATION + seed,
        )
        rows += [
            {"seed": seed, "step": end, "metric": "final_return", "value": float(np.mean(returns))},
            {"seed": seed, "step": end, "metric": "late_return", "value": float(late[seed])},
        ]
    return pd.concat([history, pd.DataFrame(rows)], ignore_index=True)


DEPTH = 40
TRAINING = {"width": 32, "updates": 60, "environments": 32, "horizon": 16, "lr": 3e-3}
DEEP_RL = Experiment(
    name="deep_rl",
    chapter=14,
    title="A cart balances a pole: a shallow policy, a deep one, a deep one with skips",
    variants={
        "shallow": {"depth": 4, "skip": False},
        "deep-plain": {"depth": DEPTH, "skip": False},
        "deep-residual": {"depth": DEPTH, "skip": True},
    },
    run=run,
    # The recorded run has more seeds and plays longer; it stands in where gymnasium is missing, so
    # that it is trained as the quick one is.
    profiles={
        "quick": {"seeds": 5, "episodes": 20, **TRAINING},
        "full": {"seeds": 20, "episodes": 100, **TRAINING},
    },
    cost=lambda params: params["depth"] / 5,
    lacks=lacks_gymnasium,
)

EXPERIMENTS: tuple[Experiment, ...] = ()
