"""CIFAR-10 with the reader's own copy of it: residual and plain networks, two recipes.

    python -m residual_lib run cifar --data FOLDER

It belongs to no one chapter (number 0), and it runs where it is asked for and nowhere else: no
image is downloaded or shipped. What is learnt from JPEGs is an experiment of its own, so that it
is never taken for a result on CIFAR-10.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from torch import Tensor, nn

from residual_lib import checkpoints
from residual_lib.data import cifar
from residual_lib.data.augment import crop_and_flip
from residual_lib.experiments import Experiment, Settings, mark_diverged
from residual_lib.experiments.framework.store import Store
from residual_lib.models import create_model
from residual_lib.probes import identityness, lesion
from residual_lib.residual import Residual, branch_only, iter_residuals

#: The folder with the images: an environment variable, for the processes that share the work.
FOLDER = "RESIDUAL_LIB_CIFAR"
LABELS = {"cifar10": "CIFAR-10", "cifar10_jpeg": "CIFAR-10, JPEG"}


def drops(step: int, *, steps: int, warmup: int) -> float:
    """He et al. 2015, section 4.2: a tenth after 32k of 64k steps, a hundredth after 48k.

    With 110 layers they begin with a tenth of the rate until the training error is below 80 %,
    'about 400 iterations'. Here it is so many, whatever the error.
    """
    if step < warmup:
        return 0.1
    return 1.0 if step < steps // 2 else 0.1 if step < 3 * steps // 4 else 0.01


def recipe(name: str, model: str, steps: int) -> dict[str, Any]:
    """Arguments of `residual_lib.train.train`.

    ``"paper"``: He et al. 2015, section 4.2: rate 0.1 with two drops, momentum 0.9, weight decay
    0.0001. ``"modern"``: a straight rise over 5 % of the steps and a cosine down to 0 instead of
    the drops (Loshchilov and Hutter 2016), weight decay 0.0005. Both have batches of 128, shifts
    and mirror images.

    Raises:
        ValueError: there is no such recipe.
    """
    if name == "paper":
        deep = "110" in model
        schedule: str | Callable[[int], float]
        schedule = partial(drops, steps=steps, warmup=min(400, steps // 160) if deep else 0)
        return {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4, "schedule": schedule}
    if name == "modern":
        warmup = max(1, steps // 20)
        rise = {"schedule": "cosine", "warmup": warmup}
        return {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4, **rise}
    raise ValueError(f"recipe must be 'paper' or 'modern', got {name!r}")


def run(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train one network with one recipe, and keep the weights: see `weights_path`.

    Beside the training's metrics the table has, with the block's name in ``layer``,
    ``branch_over_shortcut`` at the steps of `record_every` (`residual_lib.probes.identityness`,
    on a batch) and ``error_without`` at the end (`residual_lib.probes.lesion`: the test error of
    the first ``lesion_images`` once the block's branch is deleted; layer ``"intact"``: none is).
    """
    from residual_lib.train import train

    profile, name = settings.profile, params["model"]
    data = cifar.load(
        os.environ[FOLDER],
        normalise="pixel" if params["recipe"] == "paper" else "channel",
        train_images=profile.get("train_images"),
        test_images=profile.get("test_images"),
    )
    if data.name != params["data"]:
        raise ValueError(f"{FOLDER} must be a folder of {params['data']}, got {data.name}")
    training = train(
        partial(create_model, name),
        data,
        seeds,
        steps=profile["steps"],
        batch_size=profile["batch"],
        **recipe(params["recipe"], name, profile["steps"]),
        augment=crop_and_flip,
        record_every=profile["record_every"],
        probes={"identityness": identityness},
        probe_every=profile["record_every"],
        device=settings.device,
        amp=profile.get("amp", settings.device.startswith("cuda")),
        together=False,  # these networks fill a processor on their own
        progress=settings.progress,
    )
    history = training.history  # with two numbers for each of up to 64,000 steps: left out
    history = history[~history["metric"].isin(("batch_loss", "batch_error"))]
    ratios = training.probes[training.probes["metric"] == "ratio"]
    tables = [history, ratios.assign(metric="branch_over_shortcut")]
    for seed, model in zip(training.seeds, training.models, strict=True):
        if model is not None:
            checkpoints.save(model, weights_path(params, seed, profile["steps"]))
            count = profile["lesion_images"]
            errors = _lesions(model, (data.x_test[:count], data.y_test[:count]))
            tables.append(errors.assign(seed=seed, step=profile["steps"]))
    columns = ["seed", "step", "layer", "metric", "value"]
    table = pd.concat(tables, ignore_index=True).reindex(columns=columns)
    return mark_diverged(table.fillna({"layer": ""}), training.diverged)


def _lesions(model: nn.Module, batch: tuple[Tensor, Tensor]) -> pd.DataFrame:
    """The error without each block's branch, where what is left fits together."""
    # In a plain network nothing can stand in for a block that changes the shape: its stride is 2.
    fixed = [name for name, block in iter_residuals(model) if not _changes_shape(block)]
    table = lesion(model, batch, blocks=fixed, progress=False)
    errors = table[table["metric"] == "error"]
    layer = errors["block"].where(errors["block"] != "", "intact")
    return errors.assign(layer=layer, metric="error_without")


def _changes_shape(block: Residual) -> bool:
    return block.merge is branch_only and any(
        isinstance(layer, nn.Conv2d) and layer.stride != (1, 1) for layer in block.modules()
    )


def weights_path(params: dict[str, Any], seed: int, steps: int) -> Path:
    """Where the weights of a trial are, for `residual_lib.checkpoints.load`: beside the store."""
    label = "-".join(str(params[key]) for key in ("data", "model", "recipe"))
    label = label.replace(", ", "_").replace(" ", "_")
    return Store().root / "weights" / f"{label}-{steps}-{seed}.safetensors"


def lacks_cifar10() -> str | None:
    """What the experiments on the official files lack here."""
    return _lacks(jpeg=False)


def lacks_cifar10_jpeg() -> str | None:
    """What the experiments on mosaics lack here."""
    return _lacks(jpeg=True)


def _lacks(jpeg: bool) -> str | None:
    wanted = "mosaics" if jpeg else "the official files"
    folder = os.environ.get(FOLDER)
    if folder is None:
        return f"--data FOLDER, a folder with CIFAR-10 as {wanted}"
    found = cifar.form(folder)
    if found is None:
        return f"a folder with CIFAR-10 as {wanted}, got {folder!r}"
    if (found == "mosaics") != jpeg:
        return f"{wanted}, got the other form of CIFAR-10"
    return None


def _variants(data: str, models: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """The plain networks are there to be compared with the paper's: they have its recipe alone."""
    return {
        f"{model.removesuffix('_cifar')}-{name}": {"model": model, "recipe": name, "data": data}
        for model in models
        for name in ("paper", "modern")
        if name == "paper" or not model.startswith("plain")
    }


def _experiment(key: str, depth: str, models: tuple[str, ...], **more: Any) -> Experiment:
    label = LABELS[key]
    return Experiment(
        name=f"{key}_{depth}",
        chapter=0,
        title=f"{label}: {', '.join(model.removesuffix('_cifar') for model in models)}",
        variants=_variants(label, models),
        run=run,
        profiles={"quick": QUICK, "full": FULL, **more},
        cost=lambda params: float("".join(filter(str.isdigit, params["model"]))),
        lacks=lacks_cifar10_jpeg if "jpeg" in key else lacks_cifar10,
    )


# Whether it runs at all; the numbers mean nothing.
QUICK = {
    "seeds": 5,
    "steps": 10,
    "batch": 16,
    "train_images": 256,
    "test_images": 128,
    "record_every": 5,
    "lesion_images": 64,
}
# An evening of two cores that compute in bfloat16: 10 epochs, where the paper has 164.
EVENING = {
    "seeds": 5,
    "steps": 3_900,
    "batch": 128,
    "record_every": 780,
    "lesion_images": 2_500,
    "amp": True,
}
# The paper's 64,000 steps.
FULL = {
    "seeds": 5,
    "steps": 64_000,
    "batch": 128,
    "record_every": 3_200,
    "lesion_images": 10_000,
}
SHALLOW = ("resnet20_cifar", "plain20_cifar")
DEEP = ("resnet56_cifar", "plain56_cifar", "resnet110_cifar")

EXPERIMENTS = tuple(
    experiment
    for key in LABELS
    for experiment in (
        _experiment(key, "shallow", SHALLOW, evening=EVENING),
        _experiment(key, "deep", DEEP),
    )
)
