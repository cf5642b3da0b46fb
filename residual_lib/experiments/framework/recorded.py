"""Recorded runs: tables too expensive to measure again, in the repository as data."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd

from residual_lib.experiments.framework.store import write_whole

FOLDER = Path(__file__).resolve().parents[1] / "recorded"
PASSING = ("from_store", "wall_seconds")  # true of one call, not of the measurement


def write(table: pd.DataFrame) -> Path:
    """Record `table` and its provenance. The same table gives the same bytes."""
    facts: dict[str, Any] = {
        key: value for key, value in table.attrs["provenance"].items() if key not in PASSING
    }
    text = table.to_csv(index=False, lineterminator="\n").encode()
    facts["sha256"] = hashlib.sha256(text).hexdigest()
    path = FOLDER / f"{facts['experiment']}.csv.gz"
    write_whole(path, gzip.compress(text, mtime=0))
    document = json.dumps(facts, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    write_whole(_facts_path(path), document.encode())
    return path


def read(name: str) -> pd.DataFrame | None:
    """The recorded table of the experiment `name`; None where nobody has made the run.

    Raises:
        ValueError: the table is not the one that its provenance describes.
    """
    path = FOLDER / f"{name}.csv.gz"
    if not path.is_file():
        return None
    facts = json.loads(_facts_path(path).read_text(encoding="utf-8"))
    text = gzip.decompress(path.read_bytes())
    if hashlib.sha256(text).hexdigest() != facts.pop("sha256"):
        raise ValueError(f"{path.name} is not the table that {_facts_path(path).name} describes")
    # As text first: not every version of pandas reads a number to its last bit.
    table = pd.read_csv(io.BytesIO(text), dtype={"value": str}).astype({"value": float})
    table.attrs["provenance"] = {**facts, "recorded": True}
    return table


def _facts_path(path: Path) -> Path:
    return path.with_suffix("").with_suffix(".json")
