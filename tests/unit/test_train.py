"""The training loop against hand-written PyTorch."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from residual_lib.data import Data
from residual_lib.models import create_model
from residual_lib.train import Training, evaluate, loop, pick_device, train


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


def test_what_is_not_recorded_changes_nothing():
    usual, never = (quiet(mlp, VECTORS, range(2), record_every=every) for every in (None, 0))
    batches = usual.history[usual.history["metric"].str.startswith("batch")]
    pd.testing.assert_frame_equal(batches.reset_index(drop=True), never.history)
    for one, other in zip(usual.models, never.models, strict=True):
        assert all(map(torch.equal, one.parameters(), other.parameters()))


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


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, 0.02, momentum=0.8, weight_decay=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, 0.02, betas=(0.8, 0.999), weight_decay=0.01),
}
cosine = torch.optim.lr_scheduler.CosineAnnealingLR
constant = torch.optim.lr_scheduler.ConstantLR
SCHEDULES = [
    ("constant", None, lambda o: constant(o, factor=1.0)),
    ("cosine", None, lambda o: cosine(o, T_max=12)),
    (
        "one_cycle",
        6,
        lambda o: torch.optim.lr_scheduler.OneCycleLR(
            o, 0.02, total_steps=12, pct_start=0.5, cycle_momentum=False
        ),
    ),
    (
        "cosine",
        4,
        lambda o: torch.optim.lr_scheduler.SequentialLR(
            o,
            [torch.optim.lr_scheduler.LinearLR(o, 0.2, total_iters=4), cosine(o, T_max=8)],
            milestones=[4],
        ),
    ),
]


@pytest.mark.filterwarnings("ignore:The epoch parameter")  # PyTorch's SequentialLR about itself
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("schedule", "warmup", "by_torch"), SCHEDULES)
def test_optimisers_and_schedules_are_those_of_torch(optimizer, schedule, warmup, by_torch):
    options = {"optimizer": optimizer, "schedule": schedule, "warmup": warmup}
    training = quiet(mlp, VECTORS, [5], lr=0.02, momentum=0.8, weight_decay=0.01, **options)
    _, losses = by_hand(mlp, VECTORS, 5, 12, 32, OPTIMIZERS[optimizer], by_torch)
    np.testing.assert_allclose(curve(training)[5], losses, rtol=1e-3)


@pytest.mark.parametrize("schedule", ["constant", "one_cycle", "cosine"])
@pytest.mark.parametrize(("steps", "warmup"), [(1, None), (1, 0), (2, 1), (3, 0), (5, 4)])
def test_short_schedules(schedule, steps, warmup):
    training = quiet(mlp, VECTORS, [0], steps=steps, warmup=warmup, schedule=schedule)
    assert len(curve(training)) == steps


class Explodes(nn.Module):
    """Its loss becomes infinite, by its own weights, at the third step if it was built to."""

    def __init__(self, explodes: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.ReLU(), nn.Flatten())
        self.head = nn.Linear(32, 3)
        if explodes:
            nn.init.constant_(self.head.weight, 3e37)

    def forward(self, x):
        return self.head(self.body(x))


def sometimes_explodes() -> nn.Module:
    return Explodes(explodes=torch.initial_seed() in (1, 4))


def test_a_seed_that_diverges_is_dropped_and_the_others_do_not_notice():
    with pytest.warns(RuntimeWarning, match=r"seeds \[1, 4\] diverged.*step 0.*\[0, 2, 3\] go on"):
        training = quiet(sometimes_explodes, SEQUENCES, range(5), record_every=6)
    without = quiet(sometimes_explodes, SEQUENCES, [0, 2, 3], record_every=6)
    assert training.diverged == {1: 0, 4: 0}
    assert [model is None for model in training.models] == [False, True, False, False, True]
    for metric in ("batch_loss", "train_loss", "test_error"):
        np.testing.assert_allclose(
            curve(training, metric)[[0, 2, 3]], curve(without, metric), rtol=1e-5, err_msg=metric
        )
    assert training.history[training.history.seed == 1].step.max() == 0
    assert "seed 4 diverged at step 0" in repr(training)


@pytest.mark.filterwarnings("ignore:.*go on")
def test_divergence_in_the_midst_of_training():
    # A rate far too high for any of them: the loss of a linear regression grows without end.
    data = Data(
        torch.randn(64, 2),
        torch.randn(64, 1),
        *[torch.randn(8, k) for k in (2, 1)],
        "made up",
        0,
        "regression",
    )
    with pytest.warns(RuntimeWarning, match="none is left, so training stops"):
        training = quiet(
            lambda: nn.Linear(2, 1), data, range(2), lr=100.0, steps=400, schedule="constant"
        )
    assert all(0 < step < 100 for step in training.diverged.values())
    assert len(training.diverged) == 2
    for seed, step in training.diverged.items():
        losses = curve(training)[seed]
        assert np.isfinite(losses.loc[: step - 1]).all()
        assert not np.isfinite(losses.loc[step])


def test_all_seeds_diverged_one_by_one():
    with pytest.warns(RuntimeWarning, match="diverged"):
        training = quiet(sometimes_explodes, SEQUENCES, [1, 2, 4], together=False)
    assert training.diverged == {1: 0, 4: 0}
    assert [model is None for model in training.models] == [True, False, True]


@pytest.mark.parametrize("together", [True, False])
def test_ctrl_c_keeps_what_was_recorded_and_finished(together):
    made = 0

    def stop_after(steps: int) -> None:
        nonlocal made
        made += steps
        if made >= 18:
            raise KeyboardInterrupt

    training = train(
        mlp, VECTORS, range(3), steps=12, batch_size=32, together=together, progress=stop_after
    )
    assert training.interrupted
    assert "interrupted" in repr(training)
    finished = [model is not None for model in training.models]
    if together:  # 3 seeds x 6 steps
        assert finished == [False, False, False]
        assert len(curve(training)) == 6
    else:  # the first seed has all of its 12
        assert finished == [True, False, False]
        assert curve(training)[0].notna().sum() == 12
        model = training.models[0]
        last = training.history.query("seed == 0 and metric == 'train_loss'").value.item()
        assert evaluate(model, VECTORS)["loss"] == pytest.approx(last, rel=1e-5)


class Counted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, x):
        return self.layer(x) * (2 if x.sum().item() > 0 else 1)


def test_a_model_that_cannot_be_mapped_is_trained_one_by_one_with_one_warning():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        training = quiet(Counted, VECTORS)
    assert [str(w.message) for w in caught if "one by one" in str(w.message)] == [
        str(caught[0].message)
    ]
    pd.testing.assert_frame_equal(curve(training), curve(quiet(Counted, VECTORS, together=False)))


def test_the_same_seed_gives_the_same_numbers_and_the_global_generator_is_left_alone():
    torch.manual_seed(77)
    expected = torch.rand(3)
    torch.manual_seed(77)
    first = quiet(lambda: nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3)), VECTORS)
    assert torch.equal(torch.rand(3), expected)
    torch.rand(11)
    again = quiet(lambda: nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3)), VECTORS)
    pd.testing.assert_frame_equal(first.history, again.history)


def test_seeds_differ_in_initialisation_and_in_order():
    training = quiet(mlp, VECTORS, steps=1)
    assert curve(training).loc[0].nunique() == 3
    same = quiet(
        lambda: nn.Linear(6, 3).requires_grad_() if torch.manual_seed(0) else None, VECTORS
    )
    assert curve(same).loc[0].nunique() == 3  # one initialisation, three batches


def test_measurements_come_when_they_are_due_and_are_right():
    shown = []

    def norm(model, batch):
        assert [len(part) for part in batch] == [32, 32]
        torch.rand(1)  # must not change the training
        shown.append(model)
        size = nn.utils.parameters_to_vector(model.parameters()).norm().item()
        return pd.DataFrame({"metric": ["norm"], "value": [size]})

    def noisy() -> nn.Module:
        return nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.5), nn.Linear(8, 3))

    options = {"record_every": 5, "probe_every": 6}
    training = quiet(noisy, VECTORS, range(2), probes={"size": norm}, **options)
    assert sorted(curve(training, "test_loss").index) == [0, 5, 10, 12]
    assert list(training.probes.columns) == ["seed", "step", "probe", "metric", "value"]
    assert sorted(set(training.probes.step)) == [0, 6, 12]
    torch.manual_seed(1)
    start = nn.utils.parameters_to_vector(noisy().parameters()).norm().item()
    assert training.probes.query("seed == 1 and step == 0").value.item() == pytest.approx(start)
    pd.testing.assert_frame_equal(
        training.history, quiet(noisy, VECTORS, range(2), record_every=5).history
    )
    for seed, model in zip(training.seeds, training.models, strict=True):
        for split in ("train", "test"):
            x, y = getattr(VECTORS, f"x_{split}"), getattr(VECTORS, f"y_{split}")
            with torch.no_grad():
                output = model(x)
            expected = {
                "loss": F.cross_entropy(output, y).item(),
                "error": (output.argmax(1) != y).float().mean().item(),
            }
            assert evaluate(model, VECTORS, split) == pytest.approx(expected, rel=1e-5)
            for metric, value in expected.items():
                last = curve(training, f"{split}_{metric}")[seed].iloc[-1]
                assert last == pytest.approx(value, rel=1e-5)


def test_seeds_may_be_numpy_integers():
    pd.testing.assert_frame_equal(
        quiet(mlp, VECTORS, np.arange(2)).history, quiet(mlp, VECTORS, [0, 1]).history
    )


def test_by_default_only_the_end_is_evaluated():
    training = quiet(mlp, VECTORS)
    assert list(curve(training, "train_error").index) == [12]
    assert list(curve(training).index) == list(range(12))
    assert training.probes.empty
    assert not training.models[0].training


def test_evaluation_in_parts_of_unequal_size_weighs_every_example_the_same():
    data = make_data(6, examples=1300)
    model = nn.Linear(6, 3)
    with torch.no_grad():
        expected = F.cross_entropy(model(data.x_train), data.y_train).item()
    assert evaluate(model, data)["loss"] == pytest.approx(expected, rel=1e-6)


def test_regression_and_language():
    x = torch.linspace(-1, 1, 64).unsqueeze(1)
    line = Data(x, 2 * x, x[::4], 2 * x[::4], "line", 0, "regression")
    training = quiet(lambda: nn.Linear(1, 1), line, steps=200, lr=0.1, momentum=0.5)
    assert set(training.history.metric) == {"batch_loss", "train_loss", "test_loss"}
    assert curve(training, "test_loss").to_numpy().max() < 1e-6
    assert set(evaluate(training.models[0], line)) == {"loss"}

    class Bigram(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(5, 5)

        def forward(self, tokens):
            return self.table(tokens).movedim(-1, 1)

    tokens = torch.arange(40).remainder(5).expand(50, 40)
    text = Data(
        tokens[:, :-1], tokens[:, 1:], tokens[:9, :-1], tokens[:9, 1:], "abc", 5, "language"
    )
    training = quiet(Bigram, text, steps=60, lr=5.0)
    assert curve(training, "test_error").to_numpy().max() == 0


@pytest.mark.parametrize(
    ("argument", "value", "error"),
    [
        ("steps", 0, ValueError),
        ("steps", 1.5, TypeError),
        ("batch_size", 0, ValueError),
        ("batch_size", 1000, ValueError),
        ("optimizer", "adam", ValueError),
        ("schedule", "linear", ValueError),
        ("warmup", 12, ValueError),
        ("lr", -1, ValueError),
        ("lr", float("nan"), ValueError),
        ("lr", "big", TypeError),
        ("momentum", 1.5, ValueError),
        ("weight_decay", -0.1, ValueError),
        ("clip_norm", -1, ValueError),
        ("device", "abacus", ValueError),
        ("record_every", -1, ValueError),
        ("probe_every", 0, ValueError),
        ("seeds", [], ValueError),
        ("seeds", 5, TypeError),
        ("seeds", [1, 1], ValueError),
        ("seeds", [-1], ValueError),
        ("build", mlp(), TypeError),
        ("build", lambda: 3, TypeError),
        ("build", nn.ReLU, ValueError),
    ],
)
def test_wrong_arguments_are_named(argument, value, error):
    options = {"build": mlp, "data": VECTORS, "device": "cpu", argument: value}
    with pytest.raises(error, match=rf"^{argument} must"):
        quiet(**options)


def test_half_precision_on_the_cpu_stays_near_the_whole_one():
    """bfloat16 has 8 bits of precision; weights and losses stay in float32."""
    runs = {amp: quiet(mlp, VECTORS, [0], steps=5, device="cpu", amp=amp) for amp in (False, True)}
    losses = {amp: run.history.query("metric == 'batch_loss'") for amp, run in runs.items()}
    whole, half = (losses[amp]["value"].to_numpy() for amp in (False, True))
    np.testing.assert_allclose(half, whole, rtol=0.1)
    assert not np.allclose(half, whole, rtol=1e-4)
    assert {p.dtype for p in runs[True].models[0].parameters()} == {torch.float32}


def test_half_precision_is_refused_where_it_does_not_work(monkeypatch):
    monkeypatch.setattr(loop, "pick_device", lambda name: torch.device("mps"))
    with pytest.raises(ValueError, match="amp must be False on mps"):
        quiet(mlp, VECTORS, device="mps", amp=True)


def test_evaluate_names_a_wrong_split():
    with pytest.raises(ValueError, match="split must be one of train, test, got 'dev'"):
        evaluate(mlp(), VECTORS, "dev")


def test_devices():
    assert pick_device("cpu") == torch.device("cpu")
    here = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    best = next((kind for kind, there in here.items() if there), "cpu")
    assert pick_device("auto").type == best
    for wrong in ("abacus", "cpu:7", "meta", 3.5):
        with pytest.raises(ValueError, match="device must be 'auto' or one of"):
            pick_device(wrong)


def test_the_bar_counts_every_step_of_every_seed(capsys):
    train(mlp, VECTORS, range(2), steps=5, batch_size=32)
    assert "10/10" in capsys.readouterr().err


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


# --- targets that change, and weights ----------------------------------------------------------


def squares(weights=None):
    """Images of noise; a pixel is of class 1 where it is above 0."""
    x = torch.randn(24, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long()
    parts = (x[:16], y[:16], x[16:], y[16:])
    return Data(*parts, "squares", 2, "segmentation", ("low", "high"), weights)


def pixel_net():
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))


def test_augmentation_may_change_inputs_and_targets():
    def turned(x, y, generator):
        turns = int(torch.randint(4, (), generator=generator))
        return torch.rot90(x, turns, (2, 3)), torch.rot90(y, turns, (1, 2))

    together = quiet(pixel_net, squares(), seeds=[3, 8], batch_size=16, augment=turned)
    alone = quiet(pixel_net, squares(), seeds=[8], batch_size=16, augment=turned)
    np.testing.assert_allclose(curve(together)[8], curve(alone)[8], rtol=2e-4)
    # Where the classes are exchanged, the loss is that of a net with exchanged outputs.
    swapped = quiet(
        pixel_net, squares(), seeds=[8], batch_size=16, augment=lambda x, y, generator: (x, 1 - y)
    )
    same = quiet(
        pixel_net, squares(), seeds=[8], batch_size=16, augment=lambda x, y, generator: (x, y)
    )
    plain = quiet(pixel_net, squares(), seeds=[8], batch_size=16)
    np.testing.assert_allclose(curve(same)[8], curve(plain)[8], rtol=1e-6)
    assert not np.allclose(curve(swapped)[8], curve(plain)[8], rtol=1e-3)


def test_options_that_an_augmentation_has_are_no_targets():
    def scaled(x, generator, *, by=1.0):
        return by * x

    plain = quiet(pixel_net, squares(), seeds=[8], batch_size=16)
    np.testing.assert_allclose(
        curve(quiet(pixel_net, squares(), seeds=[8], batch_size=16, augment=scaled))[8],
        curve(plain)[8],
    )
    halved = quiet(pixel_net, squares(), seeds=[8], batch_size=16, augment=partial(scaled, by=0.5))
    assert not np.allclose(curve(halved)[8], curve(plain)[8], rtol=1e-3)


def test_weights_of_the_data_weigh_the_loss():
    plain = quiet(pixel_net, squares(), seeds=[3, 8], batch_size=16)
    ones = quiet(pixel_net, squares(torch.ones(16, 6, 6)), seeds=[3, 8], batch_size=16)
    for seed in (3, 8):
        np.testing.assert_allclose(curve(ones)[seed], curve(plain)[seed], rtol=1e-5)
    weights = torch.rand(16, 6, 6, generator=torch.Generator().manual_seed(1))
    together = quiet(pixel_net, squares(weights), seeds=[3, 8], batch_size=16)
    alone = quiet(pixel_net, squares(weights), seeds=[8], batch_size=16)
    np.testing.assert_allclose(curve(together)[8], curve(alone)[8], rtol=2e-4)
    # The first step, whose batch is the whole set, by hand.
    torch.manual_seed(8)
    model, whole = pixel_net(), squares(weights)
    each = F.cross_entropy(model(whole.x_train), whole.y_train, reduction="none")
    assert curve(alone)[8][0] == pytest.approx((each * weights).mean().item(), rel=1e-5)
    with pytest.raises(ValueError, match="augment must not change the targets of data with"):
        quiet(pixel_net, whole, seeds=[8], augment=lambda x, y, generator: (x, y), batch_size=16)
