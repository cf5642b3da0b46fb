"""Reinforcement learning of the plainest kind: an actor-critic on many environments at once.

The environments are gymnasium's, which is no dependency of the course: what needs it says how to
get it. Nothing is drawn on a display.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from residual_lib.train.stack import Stack, fastest_way

INSTALL = 'pip install "gymnasium>=1.0"'


@dataclass(frozen=True)
class Learning:
    """What `learn` gives.

    Attributes:
        history: columns ``seed, step, metric, value``; step counts the steps of one seed's
            environments together. ``return`` is the mean return of the episodes that ended since
            the record before; there is no row where none ended.
        policies: one for each seed, in evaluation mode.
        seeds: as they were given.
    """

    history: pd.DataFrame
    policies: list[nn.Module]
    seeds: list[int]


def lacks_gymnasium() -> str | None:
    """Say in words that gymnasium is missing, or return None where it is installed."""
    if find_spec("gymnasium") is not None:
        return None
    return f"the package gymnasium, which isn't installed: {INSTALL}"


def make_environments(name: str, count: int, seed: int) -> Any:
    """Return `count` environments of gymnasium that are stepped as one, seeded.

    Args:
        name: such as ``"CartPole-v1"``; the actions must be numbered.
        count: how many.
        seed: the same seed and actions give the same observations.

    Returns:
        gymnasium's vector environment, reset already. Where an episode ends, the next step begins
        another, whatever the action (gymnasium's mode 'next step').

    Raises:
        ImportError: gymnasium isn't installed; the message says how to get it.
        ValueError: `count` is below 1, or the environment's actions aren't numbered.
    """
    if missing := lacks_gymnasium():
        raise ImportError(f"reinforcement learning needs {missing}")
    import gymnasium

    if count < 1:
        raise ValueError(f"count must be a whole number above 0, got {count!r}")
    environments = gymnasium.make_vec(name, num_envs=count)
    if not hasattr(environments.single_action_space, "n"):
        space = environments.single_action_space
        raise ValueError(f"name must be of an environment with numbered actions, got {space}")
    environments.reset(seed=seed)
    return environments


def returns_to_go(
    rewards: Tensor, terminated: Tensor, truncated: Tensor, values: Tensor, discount: float
) -> Tensor:
    """What each step was worth: its reward and, discounted, those that followed.

    ``R_t = r_t + discount * R_{t+1}``, but an episode that terminates is worth nothing more, and
    one that is cut off, by the environment's limit or by the end of what was recorded, is worth
    what the value of its next observation says.

    Args:
        rewards: (T, ...).
        terminated: (T, ...), whether the episode ended there for good.
        truncated: (T, ...), whether it was cut off there.
        values: (T + 1, ...), of the observation before each step and of the last one.
        discount: 0 to 1.

    Returns:
        (T, ...).
    """
    ahead = values[-1]
    returns = []
    for t in reversed(range(len(rewards))):
        ahead = torch.where(truncated[t], values[t + 1], ahead)
        ahead = rewards[t] + discount * torch.where(terminated[t], 0, ahead)
        returns.append(ahead)
    return torch.stack(returns[::-1])


def policy_gradient_loss(logits: Tensor, actions: Tensor, advantages: Tensor) -> Tensor:
    """Minus advantage times log-probability of the action taken, for each step.

    Its gradient is, in expectation over actions of that policy, minus the gradient of the expected
    advantage (Williams 1992).

    Shapes: (..., actions), (...), (...) -> (...).
    """
    chosen = logits.log_softmax(-1).gather(-1, actions.unsqueeze(-1)).squeeze(-1)
    return -chosen * advantages.detach()


def choose(logits: Tensor, draws: Tensor) -> Tensor:
    """Actions with the probabilities of the softmax, from draws even on [0, 1).

    Shapes: (..., actions), (...) -> (...).
    """
    edges = logits.softmax(-1).cumsum(-1)[..., :-1]
    return (draws.unsqueeze(-1) >= edges).sum(-1)


def learn(
    build_policy: Callable[[], nn.Module],
    build_value: Callable[[], nn.Module],
    seeds: Iterable[int] = range(5),
    *,
    environment: str = "CartPole-v1",
    updates: int = 100,
    environments: int = 16,
    horizon: int = 32,
    discount: float = 0.99,
    lr: float = 3e-3,
    entropy: float = 0.01,
    clip_norm: float = 1.0,
    record_every: int = 10,
) -> Learning:
    """Learn a policy and a value for each seed, by an actor-critic (A2C).

    Again and again: `horizon` steps in all environments by the policy as it is; one step of Adam
    up the policy gradient, with advantage = return to go - value; one towards those returns for the
    value. Rates fall nearly to 0 in a straight line. (Mnih et al. 2016, arXiv 1602.01783, section
    4, with its workers in step.)

    Seeds are trained side by side, as in `residual_lib.train.train`, and each draws for itself. To
    the rounding they learn what they would learn alone; but in an environment that amplifies small
    differences rounding is enough for another course of things.

    Args:
        build_policy: makes a model (batch, observation) -> (batch, actions), called once a seed
            under ``torch.manual_seed(seed)``.
        build_value: makes a model (batch, observation) -> (batch, 1), likewise.
        seeds: whole numbers, all different.
        environment: see `make_environments`.
        updates: how many.
        environments: of each seed.
        horizon: steps in each between two updates.
        discount: of the next step's worth.
        lr: of both, at the start.
        entropy: weight of the policy's entropy, which keeps it from deciding too early.
        clip_norm: longest gradient allowed, of either.
        record_every: updates from one record to the next.

    Raises:
        ImportError, ValueError: see `make_environments`.
    """
    seeds = list(seeds)
    worlds = [make_environments(environment, environments, seed) for seed in seeds]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    observed = np.stack([world.reset(seed=s)[0] for s, world in zip(seeds, worlds, strict=True)])
    state = _tensor(observed)
    with torch.random.fork_rng(devices=[]):
        actor, critic = (
            _Trained(build, seeds, state[0][:4], lr, updates, clip_norm)
            for build in (build_policy, build_value)
        )
    # What follows an episode's end is no step of an episode: gymnasium begins another there.
    begins = torch.zeros(state.shape[:2], dtype=torch.bool)
    running = np.zeros(state.shape[:2])
    ended: list[list[float]] = [[] for _ in seeds]
    rows: list[tuple[int, int, str, float]] = []

    for update in range(1, updates + 1):
        steps: list[tuple[Tensor, ...]] = []
        for _ in range(horizon):
            draws = torch.stack([torch.rand(environments, generator=g) for g in generators])
            with torch.no_grad():
                actions = choose(actor(state), draws)
            taken = [w.step(a.numpy())[:4] for w, a in zip(worlds, actions, strict=True)]
            observed, gained, died, cut = (np.stack(part) for part in zip(*taken, strict=True))
            over = died | cut
            running += gained
            for row, place in zip(*np.nonzero(over), strict=True):
                ended[row].append(running[row, place])
            running[over] = 0
            step = [_tensor(gained), torch.tensor(died), torch.tensor(cut)]
            steps.append((state, actions, *step, ~begins))
            state, begins = _tensor(observed), torch.tensor(over)
        states, actions, rewards, terminated, truncated, counts = (
            torch.stack(part) for part in zip(*steps, strict=True)
        )
        # (T, seeds, environments, ...) -> (seeds, T * environments, ...), and back.
        seen = torch.cat((states, state[None])).transpose(0, 1).flatten(1, 2)
        values = critic(seen).squeeze(-1)
        by_step = values.detach().unflatten(1, (horizon + 1, -1)).transpose(0, 1)
        returns = returns_to_go(rewards, terminated, truncated, by_step, discount)
        returns, actions, weights = (
            part.transpose(0, 1).flatten(1) for part in (returns, actions, counts.float())
        )
        weights = weights / weights.sum(1, keepdim=True)
        values = values[:, : returns.shape[1]]
        logits = actor(seen[:, : returns.shape[1]])
        advantages = _standardised(returns - values.detach(), weights)
        shares = logits.softmax(-1)
        uncertainty = -(shares * logits.log_softmax(-1)).sum(-1)
        gains = policy_gradient_loss(logits, actions, advantages) - entropy * uncertainty
        actor.update((weights * gains).sum())
        critic.update((weights * F.smooth_l1_loss(values, returns, reduction="none")).sum())
        if update % record_every == 0 or update == updates:
            played = update * horizon * environments
            rows += [
                (seed, played, "return", float(np.mean(some)))
                for seed, some in zip(seeds, ended, strict=True)
                if some
            ]
            ended = [[] for _ in seeds]
    for world in worlds:
        world.close()
    history = pd.DataFrame(rows, columns=["seed", "step", "metric", "value"])
    return Learning(history, actor.models(), seeds)


@torch.no_grad()
def play(
    policy: nn.Module, *, environment: str = "CartPole-v1", episodes: int = 20, seed: int = 0
) -> list[float]:
    """Return the return of the first episode in each of so many environments.

    Actions are drawn from the policy. An episode lasts as long as the environment allows.

    Raises:
        ImportError, ValueError: see `make_environments`.
    """
    world = make_environments(environment, episodes, seed)
    generator = torch.Generator().manual_seed(seed)
    state, _ = world.reset(seed=seed)
    returns, playing = np.zeros(episodes), np.ones(episodes, dtype=bool)
    while playing.any():
        draws = torch.rand(episodes, generator=generator)
        actions = choose(policy(_tensor(state)), draws)
        state, rewards, terminated, truncated, _ = world.step(actions.numpy())
        returns += rewards * playing
        playing &= ~(terminated | truncated)
    world.close()
    return returns.tolist()


class _Trained:
    """One model a seed, called and trained as one, with Adam."""

    def __init__(
        self,
        build: Callable[[], nn.Module],
        seeds: list[int],
        example: Tensor,
        lr: float,
        updates: int,
        clip_norm: float,
    ) -> None:
        self.built = []
        for seed in seeds:
            torch.manual_seed(seed)
            self.built.append(build())
        way = fastest_way(self.built, torch.device("cpu"), example)
        self.stack = Stack(self.built, torch.device("cpu"), way)
        self.optimizer = torch.optim.Adam([self.stack.weights], lr)
        self.rate = torch.optim.lr_scheduler.LinearLR(
            self.optimizer, 1.0, 1e-3, total_iters=updates
        )
        self.clip_norm = clip_norm

    def __call__(self, x: Tensor) -> Tensor:
        return self.stack(x)

    def update(self, loss: Tensor) -> None:
        """One step down `loss`, a sum over seeds, each of which has its own gradient."""
        self.optimizer.zero_grad()
        loss.backward()
        gradient = self.stack.weights.grad
        assert gradient is not None
        norms = gradient.norm(dim=1, keepdim=True)
        gradient *= (self.clip_norm / (norms + 1e-6)).clamp(max=1)
        self.optimizer.step()
        self.rate.step()

    def models(self) -> list[nn.Module]:
        return [self.stack.unload(row, model).eval() for row, model in enumerate(self.built)]


def _standardised(numbers: Tensor, weights: Tensor) -> Tensor:
    """With mean 0 and standard deviation 1 in each row, by weights that sum to 1."""
    centred = numbers - (weights * numbers).sum(1, keepdim=True)
    spread = (weights * centred.square()).sum(1, keepdim=True).sqrt()
    return centred / (spread + 1e-6)


def _tensor(numbers: Any) -> Tensor:
    return torch.from_numpy(np.asarray(numbers, dtype=np.float32))
