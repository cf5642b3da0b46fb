"""Measuring trials: units of work, on one process or on all cores."""

from __future__ import annotations

import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from joblib import Parallel, cpu_count, delayed
from tqdm.auto import tqdm

from residual_lib.experiments.framework import provenance
from residual_lib.experiments.framework.store import Store, Trial

if TYPE_CHECKING:
    from residual_lib.experiments.framework.experiment import Experiment

COLUMNS = ("seed", "step", "metric", "value")
# Starting a worker process costs about as much as importing torch.
STARTUP_SECONDS = 4.0


class TrialError(RuntimeError):
    """A variant could not be measured. The message names it and shows why."""


@dataclass(frozen=True)
class Settings:
    """What an experiment's `run` gets besides the variant's parameters and the seeds.

    Attributes:
        profile: the settings of the chosen profile, such as ``{"seeds": 5, "steps": 300}``.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:0"`` or ``"mps"``.
        progress: whether `run` may show a bar of its own. False under the framework's bar.
    """

    profile: Mapping[str, Any]
    device: str = "cpu"
    progress: bool = False


@dataclass(frozen=True)
class Unit:
    """One variant with all the seeds that it still lacks, which are trained together."""

    experiment: Experiment
    variant: str
    seeds: tuple[int, ...]
    profile: str
    seconds: float | None = None  # expected for all seeds, from earlier trials or a hint


@dataclass(frozen=True)
class Outcome:
    """What became of a unit."""

    unit: Unit
    seconds: float
    error: str | None = None  # the traceback

    @property
    def failure(self) -> str:
        """What failed, and why."""
        unit = self.unit
        return f"{unit.experiment.name}, variant {unit.variant!r} failed:\n{self.error}"


def measure(
    units: Iterable[Unit],
    store: Store,
    *,
    device: str = "auto",
    jobs: int | None = None,
    progress: bool = True,
) -> list[Outcome]:
    """Measure all units and store their trials; a unit that fails doesn't stop the others.

    Args:
        units: what to measure.
        store: where each trial goes when its unit is done.
        device: as `residual_lib.train.pick_device` takes it.
        jobs: processes, with one torch thread each on the CPU. Default: as many as there are
            cores, units and work for. One with a GPU, whose memory processes would fight over.
        progress: whether to show a bar with the time left.

    Raises:
        KeyboardInterrupt: on Ctrl-C. The units that are done are stored.
    """
    units = sorted(units, key=lambda unit: -_cost(unit))  # the longest first: no long tail
    device = _device(device)
    jobs = _jobs(units, device) if jobs is None else min(jobs, len(units))
    command = provenance.command()
    outcomes = []
    with _bar(units, progress) as bar:
        for outcome in _outcomes(units, store, device, jobs, command):
            outcomes.append(outcome)
            unit = outcome.unit
            done = f"{len(outcomes)}/{len(units)} variants, last {unit.variant}"
            bar.set_postfix_str(done, refresh=False)
            bar.update(_cost(unit))
    return outcomes


def _outcomes(
    units: list[Unit], store: Store, device: str, jobs: int, command: str
) -> Iterator[Outcome]:
    if jobs <= 1:
        with _one_thread():
            yield from (work(unit, store, device, command) for unit in units)
        return
    # loky starts fresh interpreters (no fork), keeps them for the next table, and kills them if
    # we are interrupted. It needs no `if __name__ == "__main__"` in the reader's script.
    keys = {id(unit): unit.experiment.code() for unit in units}
    tasks = (delayed(_work_in_worker)(u, store, device, command, keys[id(u)]) for u in units)
    pool = Parallel(
        n_jobs=jobs,
        backend="loky",
        batch_size=1,
        pre_dispatch="all",
        return_as="generator_unordered",
    )
    yield from pool(tasks)


@contextmanager
def _one_thread() -> Iterator[None]:
    """As in a worker: small networks lose more by sharing threads than they gain."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _work_in_worker(unit: Unit, store: Store, device: str, command: str, code: str) -> Outcome:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    torch.set_num_threads(1)
    if unit.experiment.code() != code:
        message = "The source has changed since this process read it: start it again.\n"
        return Outcome(unit, 0.0, message)
    return work(unit, store, device, command)


def work(unit: Unit, store: Store, device: str, command: str) -> Outcome:
    """Measure one unit here and store its trials."""
    experiment = unit.experiment
    settings = Settings(experiment.profiles[unit.profile], device)
    start = time.perf_counter()
    try:
        with interruptible():
            params = dict(experiment.variants[unit.variant])
            table = experiment.run(params, list(unit.seeds), settings)
        table = checked(table, unit)
        seconds = time.perf_counter() - start
        facts = {
            "versions": provenance.versions(),
            "device": provenance.device_name(device),
            "seconds": seconds / len(unit.seeds),
            "profile": unit.profile,
            "command": command,
            "date": provenance.now(),
        }
        for seed in unit.seeds:
            rows = table[table["seed"] == seed].reset_index(drop=True)
            path = experiment.trial_path(store, unit.variant, seed, unit.profile)
            store.write(path, Trial(rows, facts))
    except Exception:
        return Outcome(unit, time.perf_counter() - start, traceback.format_exc())
    return Outcome(unit, seconds)


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end if the code inside swallowed one.

    The training loop answers Ctrl-C by returning what it has. As a result that is honest, as a
    trial to be stored it would be half a trial.
    """
    seen = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def note(number: int, frame: Any) -> None:
        seen.set()
        before(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if seen.is_set():
        raise KeyboardInterrupt


def checked(table: Any, unit: Unit) -> pd.DataFrame:
    """The table that `run` returned, if it is what the store and the claims rely on."""
    name = f"run of {unit.experiment.name!r} for {unit.variant!r}"
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"{name} must return a pandas DataFrame, got {type(table).__name__}")
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise ValueError(f"{name} must return the columns {COLUMNS}, {missing} missing")
    taken = {"variant", *unit.experiment.variants[unit.variant]}
    if clash := sorted(taken & set(table.columns)):
        raise ValueError(f"{name} must not return the columns {clash}: they come from the variant")
    if not pd.api.types.is_numeric_dtype(table["value"]):
        raise TypeError(f"{name} must return numbers in 'value', got {table['value'].dtype}")
    if set(table["seed"]) != set(unit.seeds):
        raise ValueError(
            f"{name} must return rows for the seeds {sorted(unit.seeds)}, "
            f"got {sorted(set(table['seed']))}"
        )
    return table


def _device(name: str) -> str:
    from residual_lib.train import pick_device

    return str(pick_device(name))


def _jobs(units: list[Unit], device: str) -> int:
    """As many processes as pay: none besides this one where all is done in a few seconds."""
    expected = [unit.seconds for unit in units]
    known = sum(seconds for seconds in expected if seconds is not None)
    short = None not in expected and known < 2 * STARTUP_SECONDS
    return 1 if device != "cpu" or short else max(1, min(cpu_count(), len(units)))


def _cost(unit: Unit) -> float:
    return 1.0 if unit.seconds is None else max(unit.seconds, 1e-3)


def _bar(units: list[Unit], progress: bool) -> Any:
    total = sum(map(_cost, units))
    return tqdm(
        total=total,
        disable=not (progress and units),
        desc="measuring",
        bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
        # A log file is not a terminal: a line now and then is enough.
        mininterval=0.1 if sys.stderr.isatty() or "ipykernel" in sys.modules else 20,
        leave=False,
    )
