"""The one training loop of the course."""

from __future__ import annotations

import inspect
import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.func import vmap
from torch.optim import lr_scheduler
from tqdm.auto import tqdm

from residual_lib import objective
from residual_lib.data import Data
from residual_lib.train.device import pick_device, random_state_kept
from residual_lib.train.stack import Stack, fastest_way
from residual_lib.train.training import Training

Probe = Callable[[nn.Module, tuple[Tensor, Tensor]], pd.DataFrame]

OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("constant", "one_cycle", "cosine")
SPLITS = ("train", "test")


def train(
    build: Callable[[], nn.Module],
    data: Data,
    seeds: Iterable[int] = range(5),
    *,
    steps: int = 400,
    batch_size: int = 64,
    optimizer: str = "sgd",
    lr: float = 0.1,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
    schedule: str | Callable[[int], float] = "one_cycle",
    warmup: int | None = None,
    clip_norm: float | None = None,
    augment: Callable[..., Any] | None = None,
    device: str = "auto",
    amp: bool = False,
    together: bool = True,
    record_every: int | None = None,
    probes: Mapping[str, Probe] | None = None,
    probe_every: int | None = None,
    progress: bool | Callable[[int], object] = True,
) -> Training:
    """Train one model a seed, all seeds at once, and record how it went.

    Each seed has its own initialisation and its own order of batches (a permutation of the
    training set after another, cut into full batches), and never sees the other seeds: trained
    together or one by one they give the same losses, to the rounding of float32. A model with
    dropout draws other masks if other seeds are trained beside it.

    Args:
        build: makes a model; called once a seed under ``torch.manual_seed(seed)``.
        data: what to learn; ``data.load(name)``.
        seeds: whole numbers, all different.
        steps: number of updates.
        batch_size: examples in a batch.
        optimizer: 'sgd' or 'adamw'.
        lr: learning rate; for a schedule, its highest.
        momentum: of 'sgd'; for 'adamw' it is beta_1 (beta_2 stays at 0.999).
        weight_decay: in units of 1 / lr, as PyTorch's optimisers take it.
        schedule: 'constant'; 'one_cycle' (Smith and Topin 2017, arXiv 1708.07120, as PyTorch's
            `OneCycleLR`: a cosine up from lr / 25 and one down to nearly 0; the momentum stays
            as it is); 'cosine' (Loshchilov and Hutter 2016, arXiv 1608.03983, eq. 5, one
            period: from lr down to 0); or a function of the step, from 0, that gives a factor
            for `lr`.
        warmup: steps in which the rate rises to `lr`. Default: 30 % of the steps for 'one_cycle',
            0 for the others, which rise in a straight line.
        clip_norm: longest gradient allowed, over all parameters of one seed; None for no limit.
        augment: changes each batch to learn from, on the device, with the seed's own generator
            there. With two arguments, ``augment(x, generator)`` gives other inputs, as
            `residual_lib.data.augment.crop_and_flip`; with three, ``augment(x, y, generator)``
            gives other inputs and targets, as `residual_lib.data.augment.elastic`.
        device: for `pick_device`: 'auto', 'cpu', 'cuda', 'mps'.
        amp: on cuda and the CPU: compute in bfloat16 where that is safe, keep the weights in
            float32. Faster where the processor computes in bfloat16 (convolutions on a CPU that
            does: about twice as fast), slower where it doesn't. (float16 would need a loss scale,
            which one seed's overflow sets for all seeds.)
        together: False trains one seed after the other.
        record_every: measure the loss and error on both splits before the first update, after
            every so many, and after the last. Default: after the last only. 0: never, which saves
            time where a split is much larger than what the steps see.
        probes: measurements by name, called with each seed's model and the first `batch_size`
            examples of the training set.
        probe_every: as `record_every`, for the probes.
        progress: True for a bar with steps/s and time left; or a function that is told, after
            each step, how many steps of one seed were made.

    Returns:
        A `Training`. Its history has the metrics ``batch_loss`` and ``batch_error`` at every step
        (on the batch that the step learns from, with that batch's statistics in BatchNorm, and
        with the weights of `data` if it has any) and, as
        `record_every` says, ``train_loss``, ``train_error``, ``test_loss`` and ``test_error`` (on
        the whole split, in evaluation mode: BatchNorm uses its running statistics, which lag
        behind the weights where these change fast). Losses are as in `residual_lib.objective`;
        errors are the fraction of wrong answers, 0 to 1, and absent for a regression.

    A seed whose loss is no longer finite is dropped, with a warning, and the others go on. Ctrl-C
    ends the training; what was recorded, and the seeds that had finished, are returned.

    Raises:
        TypeError, ValueError: an argument is wrong; the message names it and says what is allowed.
    """
    seeds = _checked_seeds(seeds)
    _check("steps", steps, 1, integer=True)
    _check("batch_size", batch_size, 1, len(data.x_train), integer=True)
    _check_choice("optimizer", optimizer, OPTIMIZERS)
    _check("lr", lr, 0)
    _check("momentum", momentum, 0, 1)
    _check("weight_decay", weight_decay, 0)
    if not callable(schedule):
        _check_choice("schedule", schedule, SCHEDULES)
    if warmup is not None:
        _check("warmup", warmup, 0, steps - 1, integer=True)
    if clip_norm is not None:
        _check("clip_norm", clip_norm, 0)
    for name, every, least in (("record_every", record_every, 0), ("probe_every", probe_every, 1)):
        if every is not None:
            _check(name, every, least, integer=True)
    if not callable(build) or isinstance(build, nn.Module):
        raise TypeError(f"build must be a function that makes a model, got {build!r}")
    place = pick_device(device)
    if amp and place.type not in ("cuda", "cpu"):
        raise ValueError(f"amp must be False on {place.type}: mixed precision is for cuda and cpu")
    both = augment is not None and _changes_targets(augment)
    if both and data.weights is not None:
        raise ValueError("augment must not change the targets of data with weights: they'd not fit")

    splits = {
        name: (getattr(data, f"x_{name}").to(place), getattr(data, f"y_{name}").to(place))
        for name in SPLITS
    }
    x_train, y_train = splits["train"]
    weights = None if data.weights is None else data.weights.to(place)
    probe_batch = data.x_train[:batch_size], data.y_train[:batch_size]
    autocast = torch.autocast(place.type, torch.bfloat16, enabled=amp)

    history: list[tuple[int, int, str, float]] = []
    tables: list[pd.DataFrame] = []
    models: dict[int, nn.Module] = {}
    diverged: dict[int, int] = {}
    interrupted = False
    started = time.perf_counter()

    def record(alive: list[int], step: int, **metrics: Tensor) -> None:
        for metric, values in metrics.items():
            history.extend(
                (seed, step, metric, value)
                for seed, value in zip(alive, values.tolist(), strict=True)
            )

    with random_state_kept(place), _ticker(progress, steps * len(seeds), place) as tick:
        try:
            built = {seed: _build(build, seed) for seed in seeds}
            if together:
                way = fastest_way(list(built.values()), place, x_train[:4])
            else:
                way = "one by one"
            for group in [[seed] for seed in seeds] if way == "one by one" else [seeds]:
                alive = list(group)
                stack = Stack([built[seed] for seed in group], place, way)
                update = _optimizer(optimizer, stack.weights, lr, momentum, weight_decay)
                rate = _schedule(schedule, update, steps, warmup)
                orders = {seed: _batches(len(x_train), batch_size, seed) for seed in group}
                # Another stream than that of the order of batches.
                noise = {s: torch.Generator(place).manual_seed(2**40 + s) for s in group}
                torch.manual_seed(group[0])  # for dropout

                for step in range(steps + 1):
                    if _due(step, steps, record_every):
                        for name, (x, y) in splits.items():
                            with autocast:
                                scores = _evaluate(stack, x, y)
                            record(alive, step, **{f"{name}_{k}": v for k, v in scores.items()})
                    if probes and _due(step, steps, probe_every):
                        for row, seed in enumerate(alive):
                            model = stack.unload(row, built[seed]).train()
                            for name, probe in probes.items():
                                with random_state_kept(place):
                                    table = probe(model, probe_batch)
                                tables.append(_labelled(table, seed=seed, step=step, probe=name))
                    if step == steps:
                        break

                    batch = torch.stack([next(orders[seed]) for seed in alive]).to(place)
                    x, y = x_train[batch], y_train[batch]
                    if augment is not None and both:
                        each = zip(alive, x, y, strict=True)
                        pairs = [augment(*one, noise[seed]) for seed, *one in each]
                        x, y = (torch.stack(parts) for parts in zip(*pairs, strict=True))
                    elif augment is not None:
                        alone = zip(alive, x, strict=True)
                        x = torch.stack([augment(inputs, noise[seed]) for seed, inputs in alone])
                    stack.train()
                    with autocast:
                        output = stack(x).float()
                        if weights is None:
                            losses = vmap(objective.loss)(output, y)
                        else:
                            losses = vmap(objective.weighted_loss)(output, y, weights[batch])
                    record(alive, step, batch_loss=losses.detach())
                    if data.task != "regression":
                        record(alive, step, batch_error=vmap(objective.error)(output, y))
                    # A seed's loss knows its own row only, so the sum's gradient is each one's own.
                    losses.sum().backward()

                    finite = torch.isfinite(losses)
                    if not finite.all():
                        lost = [
                            s for s, fine in zip(alive, finite.tolist(), strict=True) if not fine
                        ]
                        diverged.update(dict.fromkeys(lost, step))
                        alive = [seed for seed in alive if seed not in lost]
                        _report(lost, step, alive)
                        tick(len(lost) * (steps - step))
                        stack.keep(finite, update)
                        if not alive:
                            break
                    if clip_norm is not None:
                        _clip(stack.weights, clip_norm)
                    update.step()
                    update.zero_grad()
                    rate.step()
                    tick(len(alive))
                models |= {
                    seed: stack.unload(row, built[seed]).eval() for row, seed in enumerate(alive)
                }
        except KeyboardInterrupt:
            interrupted = True

    return Training(
        history=pd.DataFrame(history, columns=["seed", "step", "metric", "value"]),
        models=[models.get(seed) for seed in seeds],
        seeds=seeds,
        diverged=diverged,
        probes=pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(),
        seconds=time.perf_counter() - started,
        device=str(place),
        interrupted=interrupted,
    )


def evaluate(model: nn.Module, data: Data, split: str = "train") -> dict[str, float]:
    """Return the loss and error of one model on a whole split, in evaluation mode, on the CPU.

    Args:
        model: any module; it is left as it was.
        data: what it was trained on.
        split: 'train' or 'test'.

    Returns:
        ``{'loss': ..., 'error': ...}`` as in `train`; a regression has no error.

    Raises:
        ValueError: there is no such split.
    """
    _check_choice("split", split, SPLITS)
    x, y = getattr(data, f"x_{split}"), getattr(data, f"y_{split}")
    scores = _evaluate(Stack([model], torch.device("cpu"), "one by one"), x, y)
    return {name: value.item() for name, value in scores.items()}


@torch.no_grad()
def _evaluate(stack: Stack, x: Tensor, y: Tensor, chunk: int = 512) -> dict[str, Tensor]:
    """Mean loss and error of each model over all examples, ``(models,)`` each."""
    stack.train(False)
    sums: dict[str, Tensor] = {}
    total = objective.answers(y)
    for xs, ys in zip(x.split(chunk), y.split(chunk), strict=True):
        output = stack(xs.expand(len(stack), *xs.shape)).float()
        count = objective.answers(ys)
        if not count:
            continue
        scores = {"loss": vmap(objective.loss, in_dims=(0, None))(output, ys)}
        if not ys.is_floating_point():
            scores["error"] = vmap(objective.error, in_dims=(0, None))(output, ys)
        for name, value in scores.items():
            sums[name] = sums.get(name, 0) + value.double() * count / total
    return sums


def _build(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    torch.manual_seed(seed)
    model = build()
    if not isinstance(model, nn.Module):
        raise TypeError(f"build must return a torch.nn.Module, got {model!r}")
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("build must return a model with parameters to train, got one without")
    return model


def _batches(examples: int, batch_size: int, seed: int) -> Iterator[Tensor]:
    """Endless full batches of indices: each epoch a new permutation, its rest begins the next."""
    generator = torch.Generator().manual_seed(seed)
    rest = torch.empty(0, dtype=torch.long)
    while True:
        while len(rest) < batch_size:
            rest = torch.cat([rest, torch.randperm(examples, generator=generator)])
        yield rest[:batch_size]
        rest = rest[batch_size:]


def _optimizer(
    name: str, weights: Tensor, lr: float, momentum: float, weight_decay: float
) -> torch.optim.Optimizer:
    if name == "sgd":
        return torch.optim.SGD([weights], lr, momentum=momentum, weight_decay=weight_decay)
    return torch.optim.AdamW([weights], lr, betas=(momentum, 0.999), weight_decay=weight_decay)


def _schedule(
    name: str | Callable[[int], float],
    optimizer: torch.optim.Optimizer,
    steps: int,
    warmup: int | None,
) -> lr_scheduler.LRScheduler:
    default = 0.3 * steps if name == "one_cycle" else 0.0
    rise = default if warmup is None else float(warmup)

    def factor(step: int) -> float:
        if name == "one_cycle":
            top = rise - 1  # the step with the highest rate
            if step < top:
                return _cosine(1 / 25, 1, step / top)
            return _cosine(1, 1 / 25e4, (step - top) / (steps - 1 - top))
        if step < rise:
            return (step + 1) / (rise + 1)
        if callable(name):
            return name(step)
        return 1.0 if name == "constant" else _cosine(1, 0, (step - rise) / (steps - rise))

    return lr_scheduler.LambdaLR(optimizer, factor)


def _cosine(start: float, end: float, part: float) -> float:
    """From `start` at part 0 to `end` at part 1, flat at both."""
    return end + (start - end) * (1 + math.cos(math.pi * part)) / 2


@torch.no_grad()
def _clip(weights: Tensor, longest: float) -> None:
    """Shorten each seed's gradient to `longest`, as `torch.nn.utils.clip_grad_norm_` does."""
    assert weights.grad is not None
    norms = weights.grad.norm(dim=1, keepdim=True)
    weights.grad *= (longest / (norms + 1e-6)).clamp(max=1)


def _due(step: int, steps: int, every: int | None) -> bool:
    if every == 0:
        return False
    return step == steps or (every is not None and step % every == 0)


def _labelled(table: pd.DataFrame, **labels: Any) -> pd.DataFrame:
    for position, (name, value) in enumerate(labels.items()):
        table.insert(position, name, value)
    return table


def _report(lost: list[int], step: int, alive: list[int]) -> None:
    rest = f"seeds {alive} go on" if alive else "none is left, so training stops"
    warnings.warn(
        f"seeds {lost} diverged: their loss at step {step} isn't a finite number; {rest}",
        RuntimeWarning,
        stacklevel=3,
    )


@contextmanager
def _ticker(
    progress: bool | Callable[[int], object], total: int, device: torch.device
) -> Iterator[Callable[[int], object]]:
    """What to call with the number of steps just made."""
    if callable(progress):
        yield progress
        return
    with tqdm(total=total, unit="step", desc=f"train ({device})", disable=not progress) as bar:
        yield bar.update


def _check(
    name: str, value: object, low: float, high: float = math.inf, *, integer: bool = False
) -> None:
    kind = "a whole number" if integer else "a number"
    if isinstance(value, bool) or not isinstance(value, Integral if integer else Real):
        raise TypeError(f"{name} must be {kind}, got {value!r}")
    if not low <= float(value) <= high or math.isinf(value):
        reach = f"from {low} up" if high == math.inf else f"from {low} to {high}"
        raise ValueError(f"{name} must be {kind} {reach}, got {value!r}")


def _changes_targets(augment: Callable[..., Any]) -> bool:
    """Whether it takes inputs, targets and a generator, and not inputs and a generator."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(augment).parameters.values()
    return sum(p.kind in kinds and p.default is p.empty for p in parameters) == 3


def _check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")


def _checked_seeds(seeds: Iterable[int]) -> list[int]:
    if not isinstance(seeds, Iterable):
        raise TypeError(f"seeds must be several whole numbers, such as range(5), got {seeds!r}")
    seeds = list(seeds)
    for seed in seeds:
        _check("seeds", seed, 0, integer=True)
    if not seeds or len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds must be one or more different whole numbers, got {seeds}")
    return [int(seed) for seed in seeds]  # PyTorch takes no numpy integers
