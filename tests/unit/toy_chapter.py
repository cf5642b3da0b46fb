"""A chapter's experiments in small, for the tests of the framework. Workers import it too."""

import time
from pathlib import Path

import numpy as np
import pandas as pd

from residual_lib.experiments import Experiment, mark_diverged


def run(params, seeds, settings):
    """Noise around the variant's level; some variants fail, sleep, diverge or count their runs."""
    if params.get("count"):
        with Path(params["count"]).open("a") as file:
            file.write(f"{sorted(seeds)}\n")
    if params.get("fail"):
        raise RuntimeError("this variant fails on purpose")
    time.sleep(params.get("sleep", 0.0))
    tables = []
    for seed in seeds:
        noise = np.random.default_rng(seed).normal(size=settings.profile["steps"])
        tables.append(
            pd.DataFrame(
                {
                    "seed": seed,
                    "step": np.arange(len(noise)),
                    "metric": "error",
                    "value": params["level"] + params.get("noise", 0.1) * noise,
                    "layer": "first",
                }
            )
        )
    table = pd.concat(tables, ignore_index=True)
    return mark_diverged(table, {seeds[-1]: 3} if params.get("diverge") else {})


def cheap(params):
    """Seconds that are not worth a second process."""
    return 0.1


def experiment(name="toy", chapter=1, **changes):
    """A small experiment, with any argument changed."""
    arguments = {
        "name": name,
        "chapter": chapter,
        "title": "A toy",
        "variants": {
            "plain": {"level": 1.0, "skip": False},
            "residual": {"level": 0.0, "skip": True},
        },
        "run": run,
        "profiles": {"quick": {"seeds": 5, "steps": 20}, "full": {"seeds": 6, "steps": 40}},
        "cost": cheap,
    }
    return Experiment(**{**arguments, **changes})


EXPERIMENTS = (experiment(),)
