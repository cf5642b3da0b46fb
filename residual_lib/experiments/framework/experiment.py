"""An experiment: a grid of trials, each independent, each measured once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from residual_lib.experiments.framework import provenance, recorded
from residual_lib.experiments.framework.sources import source_hash
from residual_lib.experiments.framework.store import Store, Trial, label_of
from residual_lib.experiments.framework.work import COLUMNS, Settings, TrialError, Unit, measure

Key = tuple[str, int]  # a trial of an experiment: variant and seed
Run = Callable[[dict[str, Any], list[int], Settings], pd.DataFrame]


@dataclass(frozen=True)
class Experiment:
    """Variants x seeds -> one tidy table.

    Args:
        name: how `experiments.get` and the claims call it, such as ``'degradation'``.
        chapter: the chapter's number.
        title: what is measured, in words.
        variants: name -> parameters for `run`. They become columns of the table.
        run: ``run(params, seeds, settings)`` measures one variant with several seeds and returns
            the columns ``seed, step, metric, value`` and, where needed, more key columns such as
            ``layer``. A function at the top level of a module. A seed whose training diverges
            is marked by a row, see `mark_diverged`.
        profiles: name -> settings for `run`, with ``seeds``, the number of seeds, in each. There
            is a ``'quick'``.
        cost: expected seconds of a variant, all seeds together, from its parameters. Only for
            the order of work while no earlier trial tells.
        lacks: says in words what it takes to run that isn't here, such as a folder of images;
            None where all is here. Such an experiment runs only where it is asked for.

    Raises:
        TypeError, ValueError: an argument is wrong; the message names it.
    """

    name: str
    chapter: int
    title: str
    variants: Mapping[str, Mapping[str, Any]]
    run: Run
    profiles: Mapping[str, Mapping[str, Any]]
    cost: Callable[[Mapping[str, Any]], float] | None = None
    lacks: Callable[[], str | None] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.replace("-", "_").isidentifier():
            raise ValueError(f"name must be a word such as 'degradation', got {self.name!r}")
        if not self.variants:
            raise ValueError("variants must have at least one variant, got none")
        for variant, params in self.variants.items():
            if clash := sorted({"variant", *COLUMNS} & set(params)):
                raise ValueError(f"variants[{variant!r}] must not name a parameter {clash}")
            _must_be_json(f"variants[{variant!r}]", params)
        if "quick" not in self.profiles:
            raise ValueError(f"profiles must have 'quick', got {sorted(self.profiles)}")
        for profile, settings in self.profiles.items():
            seeds = settings.get("seeds")
            if not profile.isidentifier() or not isinstance(seeds, int) or seeds < 1:
                raise ValueError(
                    f"profiles[{profile!r}] must have 'seeds', a number from 1, got {seeds!r}"
                )
            _must_be_json(f"profiles[{profile!r}]", settings)
        qualified = getattr(self.run, "__qualname__", "<unnamed>")
        if "<" in qualified:
            raise TypeError(f"run must be a function at the top level of a module, got {self.run}")

    def table(
        self,
        profile: str = "quick",
        seeds: int | Iterable[int] | None = None,
        fresh: bool = False,
        jobs: int | None = None,
        device: str = "auto",
        progress: bool = True,
    ) -> pd.DataFrame:
        """Return every trial's rows; trials that the store lacks are measured first.

        Args:
            profile: one of `profiles`.
            seeds: how many, or which. Default: as many as the profile says.
            fresh: measure every trial anew.
            jobs: processes. Default: as many as there are cores, where that is faster.
            device: for `residual_lib.train.pick_device`.
            progress: show a bar while measuring, and a line on what was measured at the end.

        Returns:
            Columns ``variant``, each parameter of the variants (missing where a variant has no
            such parameter), ``seed, step, metric, value`` and those that `run` adds; rows in the
            order of variants and seeds. ``.attrs["provenance"]`` says how it came about;
            ``"seconds"`` there is the computing time of its trials, stored or not.

        Raises:
            ValueError: there is no such profile, the seeds are none, or the experiment lacks what
                it takes to run.
            TrialError: a variant can't be measured. The trials of the others are stored.
        """
        wanted = self.seeds(profile, seeds)
        if jobs is not None and jobs < 1:
            raise ValueError(f"jobs must be at least 1, got {jobs}")
        store, start = Store(), time.perf_counter()
        trials = {} if fresh else self.stored(store, profile, wanted)
        found = len(trials)
        units = self.units(store, profile, wanted, trials)
        if units:
            if missing := self.lacks and self.lacks():
                raise ValueError(f"{self.name} needs {missing}")
            outcomes = measure(units, store, device=device, jobs=jobs, progress=progress)
            if failures := [outcome.failure for outcome in outcomes if outcome.error]:
                raise TrialError("\n".join(failures))
            trials |= self.stored(store, profile, wanted, but=trials)
        table = self.joined(trials, profile, wanted)
        facts = table.attrs["provenance"]
        facts |= {"from_store": found, "wall_seconds": time.perf_counter() - start}
        if progress:
            print(provenance.describe(table))
        return table

    def at_hand(self, profile: str = "quick", progress: bool = True) -> pd.DataFrame:
        """Return `table(profile)`; where it lacks what it takes to run, the recorded run, if any.

        Which it is, ``.attrs["provenance"]`` says: a recorded one has ``"recorded"`` there.

        Raises:
            ValueError, TrialError: as `table`.
        """
        if self.lacks and self.lacks() and (kept := self.recorded()) is not None:
            return kept
        return self.table(profile, progress=progress)

    def recorded(self) -> pd.DataFrame | None:
        """The table of a recorded larger run that comes with the course, or None."""
        return recorded.read(self.name)

    def seeds(self, profile: str = "quick", seeds: int | Iterable[int] | None = None) -> list[int]:
        """The seeds that `table` uses for these arguments."""
        if profile not in self.profiles:
            raise ValueError(
                f"profile of {self.name} must be one of {sorted(self.profiles)}, got {profile!r}"
            )
        if seeds is None:
            seeds = int(self.profiles[profile]["seeds"])
        wanted = range(seeds) if isinstance(seeds, int) else dict.fromkeys(seeds)
        if not wanted:
            raise ValueError(f"seeds must be a number from 1 or some seeds, got {seeds!r}")
        return [int(seed) for seed in wanted]

    def code(self) -> str:
        """The hash of the code that a trial depends on."""
        return source_hash(self.run.__module__)

    def trial_path(self, store: Store, variant: str, seed: int, profile: str) -> Path:
        """Where the trial is, or will be, stored."""
        params = dict(self.variants[variant])
        settings = {key: v for key, v in self.profiles[profile].items() if key != "seeds"}
        function = self.run.__qualname__
        key = {
            "code": self.code(),
            "run": function,
            "params": params,
            "seed": seed,
            "settings": settings,
            "torch": torch.__version__,
        }
        return store.path(self._group, label_of(function, params, profile, seed), key)

    def stored(
        self, store: Store, profile: str, seeds: list[int], but: Iterable[Key] = ()
    ) -> dict[Key, Trial]:
        """The trials that the store has, by (variant, seed), besides those in `but`."""
        found = {}
        for variant in self.variants:
            for seed in seeds:
                if (variant, seed) in but:
                    continue
                trial = store.read(self.trial_path(store, variant, seed, profile))
                if trial is not None:
                    found[variant, seed] = trial
        return found

    def units(
        self, store: Store, profile: str, seeds: list[int], done: Iterable[Key]
    ) -> list[Unit]:
        """The work that is left: for each variant the seeds that are not done."""
        units = []
        for variant, params in self.variants.items():
            missing = tuple(seed for seed in seeds if (variant, seed) not in done)
            if missing:
                label = label_of(self.run.__qualname__, params, profile, missing[0])
                earlier = store.earlier(self._group, label)
                if earlier:
                    expected = earlier["seconds"] * len(missing)
                else:
                    expected = self.cost(params) if self.cost else None
                units.append(Unit(self, variant, missing, profile, expected))
        return units

    def joined(self, trials: Mapping[Key, Trial], profile: str, seeds: list[int]) -> pd.DataFrame:
        """One table of all trials."""
        order = [(variant, seed) for variant in self.variants for seed in seeds]
        parts = [trials[key].table for key in order]
        rows = pd.concat(parts, ignore_index=True)
        which = np.repeat(np.arange(len(order)), [len(part) for part in parts])
        names = np.array([variant for variant, _ in order], dtype=object)[which]
        keys = with_variant(names, self.variants)
        table = pd.concat([keys, rows], axis=1)
        facts = provenance.summary([trials[key].provenance for key in order])
        table.attrs["provenance"] = {
            "experiment": self.name,
            "chapter": self.chapter,
            "profile": profile,
            "settings": dict(self.profiles[profile]),
            "variants": len(self.variants),
            "seeds": seeds,
            "diverged": diverged(table),
            **facts,
        }
        return table

    @property
    def _group(self) -> str:
        return self.run.__module__.rpartition(".")[2]


def with_variant(
    names: np.ndarray[Any, Any], variants: Mapping[str, Mapping[str, Any]]
) -> pd.DataFrame:
    """The column ``variant`` with these names, and the parameters that belong to each."""
    grid = pd.DataFrame([dict(params) for params in variants.values()])
    grid.insert(0, "variant", list(variants))
    codes = pd.Index(grid["variant"]).get_indexer(names)
    return grid.take(codes).reset_index(drop=True)


def mark_diverged(table: pd.DataFrame, diverged: Mapping[int, int]) -> pd.DataFrame:
    """Return `table` with a row of the metric ``'diverged'`` for each seed that diverged.

    Args:
        table: with the columns ``seed, step, metric, value``.
        diverged: seed -> step at which it diverged, as `residual_lib.train.Training.diverged`.
    """
    rows = [
        {"seed": seed, "step": step, "metric": "diverged", "value": 1.0}
        for seed, step in diverged.items()
    ]
    return pd.concat([table, pd.DataFrame(rows)], ignore_index=True) if rows else table


def diverged(table: pd.DataFrame) -> dict[str, list[int]]:
    """Variant -> the seeds whose training diverged."""
    marked = table.loc[table["metric"] == "diverged", ["variant", "seed"]].drop_duplicates()
    return {
        str(variant): sorted(int(seed) for seed in seeds)
        for variant, seeds in marked.groupby("variant", sort=False)["seed"]
    }


def _must_be_json(name: str, value: Any) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must hold numbers, texts, True, False or None: {error}") from None
