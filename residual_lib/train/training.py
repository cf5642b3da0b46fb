"""What a training leaves behind."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from torch import nn


@dataclass(frozen=True)
class Training:
    """The record of one call of `residual_lib.train.train`.

    Attributes:
        history: a tidy table with the columns ``seed``, ``step``, ``metric`` and ``value``; see
            `residual_lib.train.train` for the metrics. A step counts the updates made before the
            measurement, so step 0 is the initialisation.
        models: the trained models on the CPU, in the order of the seeds, in evaluation mode; None
            for a seed that diverged or was interrupted.
        seeds: the seeds, in the order of `models`.
        diverged: seed -> step at which its loss was no longer a finite number.
        probes: the tables of the probes, one below the other, with the columns ``seed``, ``step``
            and ``probe`` in front; empty without probes.
        seconds: time on the clock, in seconds.
        device: where it was computed.
        interrupted: whether Ctrl-C ended it; what was recorded before is there.
    """

    history: pd.DataFrame
    models: list[nn.Module | None]
    seeds: list[int]
    diverged: dict[int, int]
    probes: pd.DataFrame
    seconds: float
    device: str
    interrupted: bool

    def __repr__(self) -> str:
        finished = sum(model is not None for model in self.models)
        parts = [f"{finished} of {len(self.seeds)} seeds finished"]
        parts += [f"seed {seed} diverged at step {step}" for seed, step in self.diverged.items()]
        parts += ["interrupted"] * self.interrupted
        return f"Training({'; '.join(parts)}; {self.seconds:.1f} s on {self.device})"
