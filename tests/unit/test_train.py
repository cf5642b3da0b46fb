"""The training loop against hand-written PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from residual_lib.data import Data
from residual_lib.models import create_model
from residual_lib.train import Training, train


def make_data(*shape: int, examples: int = 200, classes: int = 3) -> Data:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(examples + 50, *shape, generator=generator)
    y = x.flatten(1)[:, :classes].argmax(1)
    return Data(x[50:], y[50:], x[:50], y[:50], "made up", classes, "classification")


VECTORS, SEQUENCES, IMAGES = make_data(6), make_data(2, 10), make_data(1, 5, 5)


def mlp() -> nn.Module:
    return create_model("residual_mlp", in_features=6, num_classes=3, width=8, depth=6)


def conv1d() -> nn.Module:
    return create_model("plain_conv1d", in_chans=2, num_classes=3, width=4, depth=6)


def conv2d() -> nn.Module:
    return create_model("residual_conv2d", in_chans=1, num_classes=3, width=4, depth=6)


def without_dropout() -> nn.Module:
    return nn.Sequential(
        nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0), nn.Linear(8, 3)
    )


MODELS = [
    pytest.param(mlp, VECTORS, id="mlp"),
    pytest.param(conv1d, SEQUENCES, id="conv1d with BatchNorm"),
    pytest.param(conv2d, IMAGES, id="conv2d with BatchNorm"),
    pytest.param(without_dropout, VECTORS, id="dropout off"),
]


def quiet(build: Callable[[], nn.Module], data: Data, seeds=range(3), **options) -> Training:
    return train(build, data, seeds, progress=False, **{"steps": 12, "batch_size": 32, **options})


def curve(training: Training, metric: str = "batch_loss") -> pd.DataFrame:
    """Step x seed."""
    rows = training.history[training.history.metric == metric]
    return rows.pivot(index="step", columns="seed", values="value")


@pytest.mark.parametrize(("build", "data"), MODELS)
def test_seeds_together_and_one_by_one_are_the_same(build, data):
    options = {"lr": 0.05, "record_every": 4}
    together = quiet(build, data, **options)
    one_by_one = quiet(build, data, together=False, **options)
    for metric in ("batch_loss", "train_loss", "test_loss"):
        np.testing.assert_allclose(
            curve(together, metric), curve(one_by_one, metric), rtol=2e-4, atol=1e-5
        )
    for a, b in zip(together.models, one_by_one.models, strict=True):
        for (name, p), q in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
            torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-4, msg=name)


def by_hand(
    build: Callable[[], nn.Module],
    data: Data,
    seed: int,
    steps: int,
    batch_size: int,
    make_optimizer,
    make_schedule,
    clip_norm=None,
) -> tuple[nn.Module, list[float]]:
    """What a reader would write for one seed."""
    torch.manual_seed(seed)
    model = build()
    optimizer = make_optimizer(model.parameters())
    schedule = make_schedule(optimizer)
    generator = torch.Generator().manual_seed(seed)
    epochs = [torch.randperm(len(data.x_train), generator=generator) for _ in range(10)]
    losses = []
    for batch in torch.cat(epochs).split(batch_size)[:steps]:
        loss = F.cross_entropy(model(data.x_train[batch]), data.y_train[batch])
        optimizer.zero_grad()
        loss.backward()
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return model.eval(), losses


@pytest.mark.parametrize(("build", "data"), MODELS)
@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_equals_a_loop_by_hand(build, data, clip_norm):
    training = quiet(build, data, seeds=[3, 8], lr=0.05, weight_decay=1e-3, clip_norm=clip_norm)
    for seed, model in zip(training.seeds, training.models, strict=True):
        other, losses = by_hand(
            build,
            data,
            seed,
            12,
            32,
            lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, weight_decay=1e-3),
            lambda o: torch.optim.lr_scheduler.OneCycleLR(
                o, 0.05, total_steps=12, cycle_momentum=False
            ),
            clip_norm,
        )
        np.testing.assert_allclose(curve(training)[seed], losses, rtol=2e-4)
        # Running statistics are in the state too.
        for (name, p), q in zip(
            model.state_dict().items(), other.state_dict().values(), strict=True
        ):
            torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-4, msg=name)


def test_a_schedule_may_be_a_function_of_the_step():
    """Halved every step, as by hand."""
    training = quiet(mlp, VECTORS, seeds=[3], lr=0.1, schedule=lambda step: 0.5**step)
    _, losses = by_hand(
        mlp,
        VECTORS,
        3,
        12,
        32,
        lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
        lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.5),
    )
    np.testing.assert_allclose(curve(training)[3], losses, rtol=2e-4)


def test_augmentation_is_the_seeds_own():
    """Together or alone, a seed draws the same noise, and what it learns from is changed."""

    def noisy(x, generator):
        return x + torch.randn(x.shape, generator=generator)

    together = quiet(mlp, VECTORS, seeds=[3, 8], augment=noisy)
    alone = quiet(mlp, VECTORS, seeds=[8], augment=noisy)
    np.testing.assert_allclose(curve(together)[8], curve(alone)[8], rtol=2e-4)
    clean = quiet(mlp, VECTORS, seeds=[8])
    assert not np.allclose(curve(clean)[8], curve(alone)[8], rtol=1e-2)
    zero = quiet(mlp, VECTORS, seeds=[8], augment=lambda x, generator: 0 * x)
    assert curve(zero)[8][0] == pytest.approx(np.log(3), abs=0.2)  # all inputs are one
