"""Chapter 8: what the skips of a U-Net carry, on cells that touch, and on real sections."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from residual_lib import data as sets
from residual_lib import objective, segmentation
from residual_lib.data import Data, isbi
from residual_lib.experiments import Experiment, Settings, mark_diverged
from residual_lib.models import create_model
from residual_lib.probes.masking import deleted, merging
from residual_lib.train import train

COLUMNS = ["seed", "step", "metric", "case", "value"]

# --- cells: which skips, and how they are joined -----------------------------------------------

LEVELS = 3
SHIFT = 2  # pixels by which a skip is moved after training
NOISES = (0.15, 0.4, 0.8)  # of the test images; the nets have learned with the first


def build(params: dict[str, Any], width: int) -> nn.Module:
    """The net of a variant: its ``skips`` are the levels that have theirs, such as "0 1"."""
    skips = tuple(int(level) for level in params["skips"].split())
    return create_model("unet", width=width, depth=LEVELS, skips=skips, merge=params["merge"])


def level_name(level: int) -> str:
    """The qualified name of a level's block in a `UNet`, 0 being the finest."""
    return ".branch.".join(["level.skip", *["level.skip"] * level])


def moved(model: nn.Module, level: int, by: int) -> AbstractContextManager[None]:
    """Let the skip of a level bring each pixel what lies `by` pixels to its left."""
    return merging(
        model,
        [level_name(level)],
        lambda name, merge: lambda shortcut, branch: merge(shortcut.roll(by, -1), branch),
    )


@torch.no_grad()
def masks(model: nn.Module, x: Tensor) -> NDArray[Any]:
    """The pixels that the model takes for cells, ``(N, H, W)``."""
    return np.asarray(model(x).argmax(1).numpy() == 1)


def scores(predicted: NDArray[Any], truth: NDArray[Any]) -> dict[str, float]:
    """Means over the images: the five measures of `residual_lib.segmentation`.

    ``"thin"`` is the recall of what is thin *outside* the cells: the gaps between them.
    """
    pairs = list(zip(predicted, truth, strict=True))
    return {
        "iou": np.mean([segmentation.iou(p, t) for p, t in pairs]),
        "boundary": np.mean([segmentation.boundary_f_score(p, t) for p, t in pairs]),
        "thin": np.nanmean([segmentation.thin_recall(~p, ~t) for p, t in pairs]),
        "pixel_error": np.mean(predicted != truth),
        "rand": np.mean([segmentation.rand_score(p, t) for p, t in pairs]),
    }


def gradient_at_first_layer(model: nn.Module, cells: Data, examples: int = 64) -> float:
    """Norm of the loss's gradient in the first convolution, before training."""
    model.train()
    loss = objective.loss(model(cells.x_train[:examples]), cells.y_train[:examples])
    first = model.get_parameter("level.encode.layer1.weight")
    (gradient,) = torch.autograd.grad(loss, first)
    return float(gradient.norm())


def run_cells(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train one net, and measure `scores` on the test images (``case`` "intact") and where

    the test images have more noise ("noise 0.4"), the skip of a level is deleted ("without skip
    0"), all below the finest level is deleted ("only skip 0"), or the finest skip is moved by
    `SHIFT` pixels ("moved"; "moved truth": against the truth moved as well). ``"train_error"`` and
    ``"test_error"``: share of wrong pixels. ``"gradient"``: see `gradient_at_first_layer`.
    """
    profile = settings.profile
    options = {key: profile[key] for key in ("train_images", "test_images")}
    cells = sets.load("cells", weights=params["weights"], **options)
    net = partial(build, params, profile["width"])
    steps = profile["steps"] * params["times"]
    training = train(
        net,
        cells,
        seeds,
        steps=steps,
        batch_size=profile["batch"],
        optimizer="adamw",
        lr=profile["lr"],
        device=settings.device,
        progress=settings.progress,
    )
    history = training.history
    kept = history[history["metric"].isin(("train_error", "test_error"))].assign(case="intact")
    noisy = {noise: sets.load("cells", test_noise=noise, **options).x_test for noise in NOISES}
    x, truth = cells.x_test, cells.y_test.numpy() == 1
    rows = []
    for seed, model in zip(training.seeds, training.models, strict=True):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            norm = gradient_at_first_layer(net(), cells)
        rows.append((seed, 0, "gradient", "intact", norm))
        if model is None:
            continue
        cases = {"intact": (masks(model, x), truth)}
        for noise in NOISES[1:]:
            cases[f"noise {noise}"] = masks(model, noisy[noise]), truth
        levels = [int(level) for level in params["skips"].split()]
        for level in levels:
            with deleted(model, [level_name(level)], path="shortcut"):
                cases[f"without skip {level}"] = masks(model, x), truth
        if 0 in levels:
            with deleted(model, [level_name(0)], path="branch"):
                cases["only skip 0"] = masks(model, x), truth
            with moved(model, 0, SHIFT):
                there = masks(model, x)
            # The columns that came round from the other side don't count.
            cases["moved"] = there[..., SHIFT:], truth[..., SHIFT:]
            cases["moved truth"] = there[..., SHIFT:], truth[..., :-SHIFT]
        rows += [
            (seed, steps, metric, case, float(value))
            for case, (predicted, right) in cases.items()
            for metric, value in scores(predicted, right).items()
        ]
    table = pd.concat([kept, pd.DataFrame(rows, columns=COLUMNS)], ignore_index=True)
    return mark_diverged(table[COLUMNS], training.diverged)


def variant(
    skips: str, merge: str = "concatenate", weights: bool = False, times: int = 1
) -> dict[str, Any]:
    """Parameters of `run_cells`."""
    return {"skips": skips, "merge": merge, "weights": weights, "times": times}


VARIANTS = {
    "none": variant(""),
    "one": variant("0"),
    "two": variant("0 1"),
    "all": variant("0 1 2"),
    "one, added": variant("0", "add"),
    "two, added": variant("0 1", "add"),
    "all, added": variant("0 1 2", "add"),
    "coarsest": variant("2"),
    "all, weighted": variant("0 1 2", weights=True),
    "none, longer": variant("", times=3),
}

# --- where a skip hurts: it hands the noise on -------------------------------------------------


def add_noise(
    x: Tensor, y: Tensor, generator: torch.Generator, *, noise: float
) -> tuple[Tensor, Tensor]:
    """Fresh noise on the images, and the same noisy images to be given back."""
    seen = x + noise * torch.randn(x.shape, generator=generator, device=x.device)
    return seen, seen


def run_copy(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train a net to give back the noisy image that it sees.

    On test images: ``"to_clean"``, the mean squared distance of its output from the image without
    noise, and ``"to_noisy"``, from what it saw, both in units of the variance of the noise.
    """
    profile, noise = settings.profile, settings.profile["noise"]
    options = {key: profile[key] for key in ("train_images", "test_images")}
    cells = sets.load("cells", noise=0, **options)
    clean = Data(
        *(cells.x_train, cells.x_train, cells.x_test, cells.x_test),
        name="cells given back",
        num_classes=0,
        task="regression",
    )
    skips = tuple(int(level) for level in params["skips"].split())
    training = train(
        partial(
            create_model, "unet", num_classes=1, width=profile["width"], depth=LEVELS, skips=skips
        ),
        clean,
        seeds,
        steps=profile["steps"],
        batch_size=profile["batch"],
        optimizer="adamw",
        lr=profile["lr"],
        augment=partial(add_noise, noise=noise),
        device=settings.device,
        progress=settings.progress,
    )
    rows = []
    for seed, model in zip(training.seeds, training.models, strict=True):
        if model is None:
            continue
        generator = torch.Generator().manual_seed(seed)
        seen, _ = add_noise(cells.x_test, cells.x_test, generator, noise=noise)
        with torch.no_grad():
            output = model(seen)
        for metric, target in {"to_clean": cells.x_test, "to_noisy": seen}.items():
            distance = float((output - target).square().mean()) / noise**2
            rows.append((seed, profile["steps"], metric, "intact", distance))
    return mark_diverged(pd.DataFrame(rows, columns=COLUMNS), training.diverged)


# --- real sections, with the reader's own copy -------------------------------------------------

#: The folder with the sections: an environment variable, for the processes that share the work.
FOLDER = "RESIDUAL_LIB_ISBI"
WINDOW = 128  # pixels of each test image whose masks are recorded, of seed 0
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


def lacks_isbi() -> str | None:
    """What the run on real sections lacks here."""
    folder = os.environ.get(FOLDER)
    if folder is None or not isbi.pairs(folder):
        return f"--data FOLDER with image_NN.png and label_NN.png of ISBI 2012, got {folder!r}"
    return None


def run_isbi(params: dict[str, Any], seeds: list[int], settings: Settings) -> pd.DataFrame:
    """Train on all but four sections, and measure on these four, ``image`` by ``image``.

    ``"iou"`` of the membranes, ``"boundary"`` (F-score, 2 pixels), ``"thin"`` (recall of membrane
    thinner than 5 pixels), ``"pixel_error"`` and ``"rand"``, all with cells where their probability
    is above 1/2; ``"rand_chosen"`` where it is above the ``"threshold"`` that is best on the
    training images. Of seed 0, in words of 32 pixels, ``index`` by ``index``: the upper left window
    of the ``"mask"`` with 1/2, of the ``"mask_chosen"``, and of the ``"truth"``, all inside cells.
    """
    profile = settings.profile
    data = isbi.load(os.environ[FOLDER])
    training = train(
        partial(
            create_model,
            "unet",
            width=profile["width"],
            depth=profile["depth"],
            skips=None if params["skips"] else (),
        ),
        data,
        seeds,
        steps=profile["steps"],
        batch_size=profile["batch"],
        optimizer="adamw",
        lr=profile["lr"],
        augment=partial(isbi.crop_and_bend, size=profile["crop"]),
        device=settings.device,
        amp=profile["amp"],
        together=False,  # one such network fills a processor on its own
        progress=settings.progress,
    )
    rows = [
        (seed, step, metric, "", 0, value)
        for seed, step, metric, value in training.history.itertuples(index=False)
        if metric != "batch_error" and (metric != "batch_loss" or step % 10 == 0)
    ]
    end, first = profile["steps"], len(data.x_train)
    for seed, model in zip(training.seeds, training.models, strict=True):
        if model is None:
            continue
        learned = list(zip(probabilities(model, data.x_train), data.y_train.numpy(), strict=True))
        scores = [
            np.mean([segmentation.rand_score(p > threshold, y == 1) for p, y in learned])
            for threshold in THRESHOLDS
        ]
        threshold = THRESHOLDS[int(np.argmax(scores))]
        rows.append((seed, end, "threshold", "", 0, threshold))
        unseen = zip(probabilities(model, data.x_test), data.y_test.numpy(), strict=True)
        for number, (p, y) in enumerate(unseen, start=first):
            inside, chosen, truth = p > 0.5, p > threshold, y == 1
            found = {
                "iou": segmentation.iou(~inside, ~truth),
                "boundary": segmentation.boundary_f_score(inside, truth, tolerance=2),
                "thin": segmentation.thin_recall(~inside, ~truth, width=5),
                "pixel_error": segmentation.pixel_error(inside, truth),
                "rand": segmentation.rand_score(inside, truth),
                "rand_chosen": segmentation.rand_score(chosen, truth),
            }
            image = f"section {number}"
            rows += [(seed, end, name, image, 0, value) for name, value in found.items()]
            masks = {"mask": inside, "mask_chosen": chosen, "truth": truth} if seed == 0 else {}
            for name, mask in masks.items():
                words = isbi.pack_rows(np.ascontiguousarray(mask[:WINDOW, :WINDOW]))
                rows += [(seed, end, name, image, i, word) for i, word in enumerate(words)]
    columns = ["seed", "step", "metric", "image", "index", "value"]
    return mark_diverged(pd.DataFrame(rows, columns=columns), training.diverged)


@torch.no_grad()
def probabilities(model: nn.Module, x: Tensor) -> NDArray[Any]:
    """What the model gives the second class, for each pixel of each image ``(N, H, W)``."""
    # One image after the other: a whole section takes much memory.
    return np.concatenate([model(image[None]).softmax(1)[:, 1].numpy() for image in x])


SMALL = {"seeds": 5, "width": 8, "train_images": 128, "test_images": 40}
LARGE = {"seeds": 20, "width": 32, "train_images": 2000, "test_images": 500}

EXPERIMENTS = (
    Experiment(
        name="skips_of_a_unet",
        chapter=8,
        title="Touching cells: no skip, some, all, concatenated and added",
        variants=VARIANTS,
        run=run_cells,
        profiles={
            "quick": {
                **SMALL,
                "steps": 100,
                "batch": 2,
                "lr": 0.02,
            },
            "full": {
                **LARGE,
                "steps": 2000,
                "batch": 16,
                "lr": 0.005,
            },
        },
        cost=lambda params: 6.0 * params["times"],
    ),
    Experiment(
        name="noise_copied",
        chapter=8,
        title="A net that is asked for the noisy image that it sees",
        variants={"none": {"skips": ""}, "all": {"skips": "0 1 2"}},
        run=run_copy,
        profiles={
            "quick": {
                **SMALL,
                "steps": 64,
                "batch": 4,
                "lr": 0.01,
                "noise": 2.0,
            },
            "full": {
                **LARGE,
                "steps": 1000,
                "batch": 16,
                "lr": 0.005,
                "noise": 2.0,
            },
        },
        cost=lambda params: 5.0,
    ),
    Experiment(
        name="isbi",
        chapter=8,
        title="Sections of nerve tissue (ISBI 2012), with and without skips",
        variants={"with skips": {"skips": True}, "without skips": {"skips": False}},
        run=run_isbi,
        profiles={
            # Whether it runs at all; the numbers mean nothing.
            "quick": {
                "seeds": 5,
                "width": 4,
                "depth": 2,
                "steps": 3,
                "batch": 1,
                "crop": 64,
                "lr": 0.002,
                "amp": False,
            },
            "evening": {
                "seeds": 5,
                "width": 16,
                "depth": 4,
                "steps": 400,
                "batch": 1,
                "crop": 256,
                "lr": 0.002,
                "amp": True,
            },
        },
        lacks=lacks_isbi,
    ),
)
