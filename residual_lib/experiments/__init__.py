"""Experiments: variants x seeds -> one tidy table, each trial measured once and stored.

One module a chapter lies beside this file and defines ``EXPERIMENTS``, a tuple of `Experiment`.

>>> from residual_lib import experiments
>>> table = experiments.get("degradation").table()
"""

from residual_lib.experiments.framework.experiment import (
    Experiment,
    diverged,
    mark_diverged,
    with_variant,
)
from residual_lib.experiments.framework.provenance import describe
from residual_lib.experiments.framework.registry import (
    chapter_number,
    chapters,
    get,
    list_experiments,
)
from residual_lib.experiments.framework.work import Settings, TrialError

__all__ = [
    "Experiment",
    "Settings",
    "TrialError",
    "chapter_number",
    "chapters",
    "describe",
    "diverged",
    "get",
    "list_experiments",
    "mark_diverged",
    "with_variant",
]
