"""Filling the store with the trials of many experiments at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from residual_lib.experiments.framework import registry
from residual_lib.experiments.framework.experiment import Experiment, Key
from residual_lib.experiments.framework.registry import list_experiments
from residual_lib.experiments.framework.store import Store, Trial
from residual_lib.experiments.framework.work import Outcome, Unit, measure


@dataclass(frozen=True)
class Line:
    """What became of one experiment."""

    experiment: str
    trials: int
    stored: int
    run: int
    diverged: int
    failed: int
    seconds: float  # of computing, over all its trials, whenever that was


@dataclass(frozen=True)
class Report:
    """What `fill` did."""

    experiments: list[Experiment]
    lines: list[Line]
    failures: list[str]
    skipped: list[str]
    store: Store

    def text(self) -> str:
        """A table, one line an experiment."""
        if not self.lines and not self.skipped:
            return "no experiments yet"
        heads = ("experiment", "trials", "from store", "run", "diverged", "failed", "seconds")
        rows = [
            (x.experiment, x.trials, x.stored, x.run, x.diverged, x.failed, f"{x.seconds:.1f}")
            for x in self.lines
        ]
        sums = [sum(getattr(x, name) for x in self.lines) for name in _SUMMED]
        rows.append(("all", *sums[:-1], f"{sums[-1]:.1f}"))
        texts = [[str(cell) for cell in row] for row in (heads, *rows)]
        widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
        lines = [
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])])
            for row in texts
        ]
        lines.append("seconds: of computing, as recorded with each trial")
        return "\n".join([*lines, *self.skipped])


_SUMMED = ("trials", "stored", "run", "diverged", "failed", "seconds")


def selected(names: Sequence[int | str]) -> list[Experiment]:
    """The experiments of these chapters, or of these names; of none, all that lack nothing here.

    Where a chapter and an experiment have one name, it stands for the chapter.

    Raises:
        ValueError: there is no such chapter, and no such experiment.
    """
    if not names:
        return [x for x in list_experiments() if not (x.lacks and x.lacks())]
    by_name = {experiment.name: [experiment] for experiment in list_experiments()}
    chapters = {module.__name__.rpartition(".")[2] for module in registry.chapters().values()}
    found = []
    for name in names:
        alone = by_name.get(str(name)) if str(name) not in chapters else None
        found += alone or list_experiments(name)
    return list({experiment.name: experiment for experiment in found}.values())


def fill(
    experiments: Sequence[Experiment],
    *,
    profile: str = "quick",
    seeds: int | None = None,
    fresh: bool = False,
    jobs: int | None = None,
    device: str = "auto",
    progress: bool = True,
) -> Report:
    """Measure every trial of `experiments` that the store lacks, all in one pool.

    Arguments are those of `Experiment.table`. An experiment without this profile, or that lacks
    what it takes to run, is skipped, and the report says so.

    Raises:
        ValueError: no experiment has this profile, or all of them lack something.
    """
    lacking = {x.name: missing for x in experiments if x.lacks and (missing := x.lacks())}
    if experiments and len(lacking) == len(experiments):
        raise ValueError("; ".join(f"{name} needs {what}" for name, what in lacking.items()))
    without = [f"{name} needs {what}: skipped" for name, what in lacking.items()]
    experiments = [x for x in experiments if x.name not in lacking]
    having = [experiment for experiment in experiments if profile in experiment.profiles]
    skipped = [
        f"{experiment.name} has no profile {profile!r}: skipped"
        for experiment in experiments
        if profile not in experiment.profiles
    ]
    if experiments and not having:
        known = sorted({name for experiment in experiments for name in experiment.profiles})
        raise ValueError(f"profile must be one of {known}, got {profile!r}")
    store = Store()
    before: dict[str, dict[Key, Trial]] = {}
    units: list[Unit] = []
    planned: set[Path] = set()
    for experiment in having:
        wanted = experiment.seeds(profile, seeds)
        found = {} if fresh else experiment.stored(store, profile, wanted)
        before[experiment.name] = found
        # A trial that two experiments share is measured once, for the first of them.
        done = set(found)
        for variant in experiment.variants:
            for seed in wanted:
                path = experiment.trial_path(store, variant, seed, profile)
                if path in planned:
                    done.add((variant, seed))
                planned.add(path)
        units += experiment.units(store, profile, wanted, done)
    outcomes = []
    if units:
        outcomes = measure(units, store, device=device, jobs=jobs, progress=progress)
    lines = [
        _line(experiment, store, profile, seeds, before[experiment.name], outcomes)
        for experiment in having
    ]
    failures = [outcome.failure for outcome in outcomes if outcome.error]
    return Report(having, lines, failures, skipped + without, store)


def _line(
    experiment: Experiment,
    store: Store,
    profile: str,
    seeds: int | None,
    before: dict[Key, Trial],
    outcomes: list[Outcome],
) -> Line:
    wanted = experiment.seeds(profile, seeds)
    own = [outcome for outcome in outcomes if outcome.unit.experiment.name == experiment.name]
    failed = sum(len(outcome.unit.seeds) for outcome in own if outcome.error)
    run = sum(len(outcome.unit.seeds) for outcome in own) - failed
    trials = before | experiment.stored(store, profile, wanted, but=before)
    return Line(
        experiment=experiment.name,
        trials=len(experiment.variants) * len(wanted),
        stored=len(trials) - run,
        run=run,
        diverged=sum("diverged" in set(trial.table["metric"]) for trial in trials.values()),
        failed=failed,
        seconds=sum(trial.provenance["seconds"] for trial in trials.values()),
    )
