"""How trials came about: versions, device, seconds, profile, command, date."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from residual_lib import __version__


def versions() -> dict[str, str]:
    """Versions of what decides about numbers."""
    return {
        "residual_lib": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": version("numpy"),
    }


def device_name(device: str) -> str:
    """The device in words, such as ``'cpu (x86_64, 1 thread)'``."""
    if device.startswith("cuda"):
        return f"{device} ({torch.cuda.get_device_name(device)})"
    threads = torch.get_num_threads()
    return f"{device} ({platform.machine()}, {threads} thread{'s' * (threads > 1)})"


def command() -> str:
    """What was started, without this machine's folders."""
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        # Where the reader keeps data is no part of what was measured.
        arguments = [Path(a).name if os.path.isabs(a) else a for a in sys.argv[1:]]
        return shlex.join(["python", "-m", program.parent.name, *arguments])
    return "notebook" if "ipykernel" in sys.modules else program.name or "python"


def now() -> str:
    """Date and time, UTC, to the second. SOURCE_DATE_EPOCH stands in for the clock if set."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.fromtimestamp(int(fixed), timezone.utc) if fixed else None
    return (moment or datetime.now(timezone.utc)).strftime("%Y-%m-%dT%H:%M:%SZ")


def summary(trials: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the provenance of many trials says together."""

    def all_of(name: str) -> list[Any]:
        return sorted({str(trial[name]) for trial in trials})

    packages = sorted({name for trial in trials for name in trial["versions"]})
    dates = all_of("date")
    return {
        "trials": len(trials),
        "seconds": round(sum(trial["seconds"] for trial in trials), 3),
        "devices": all_of("device"),
        "commands": all_of("command"),
        "dates": [dates[0], dates[-1]] if dates else [],
        "versions": {
            package: sorted({trial["versions"][package] for trial in trials})
            for package in packages
        },
    }


def describe(table: pd.DataFrame | None) -> str:
    """One line on how a table of an experiment came about, for captions and notes.

    Args:
        table: what `Experiment.table` or `Experiment.recorded` returned. None, which is what
            `recorded` returns where nobody has made the run, gives ``'not recorded yet'``.

    Raises:
        ValueError: the table says nothing of where it comes from.
    """
    if table is None:
        return "not recorded yet"
    facts = table.attrs.get("provenance")
    if facts is None:
        raise ValueError("table must be one that Experiment.table() or recorded() returned")
    stored = facts.get("from_store")
    if facts.get("recorded"):
        origin = "recorded " + facts["dates"][-1][:10]
    elif not stored:
        origin = "measured now"
    elif stored == facts["trials"]:
        origin = f"from the store, measured {facts['dates'][-1][:10]}"
    else:
        origin = f"{stored} of {facts['trials']} trials from the store"
    diverged = sum(map(len, facts["diverged"].values()))
    return (
        f"{facts['experiment']} ({facts['profile']}): {facts['variants']} variants x "
        f"{len(facts['seeds'])} seeds, {facts['seconds']:.1f} s of computing on "
        f"{' and '.join(facts['devices'])}, torch {' and '.join(facts['versions']['torch'])}; "
        + origin
        + (f"; {diverged} diverged" if diverged else "")
    )
