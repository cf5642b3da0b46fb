"""Figures from papers that several chapters compare, as small tables with their sources.

`imagenet`: top-1 and top-5 error in percent, each with the protocol that it was measured by.
`depth`: how deep, with what skips, and what "works" meant.

Each row names the table or the authors' repository that has the figure. Figures whose source could
not be read are not here.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

TABLES = ("imagenet", "depth")
#: Protocols of `imagenet`, from the cheapest look at an image to the dearest.
PROTOCOLS = ("single crop", "crop of 320", "10-crop", "single-scale", "multi-scale", "ensemble")


def read(name: str) -> pd.DataFrame:
    """One of the tables; what a source doesn't say is missing.

    Args:
        name: ``"imagenet"`` or ``"depth"``.

    Raises:
        ValueError: there is no such table.
    """
    return pd.read_csv(_path(name), keep_default_na=False, na_values=[""])


def digest(name: str) -> str:
    """A short hash of a table, for the settings of an experiment that reads it."""
    return hashlib.sha256(_path(name).read_bytes()).hexdigest()[:12]


def _path(name: str) -> Path:
    if name not in TABLES:
        raise ValueError(f"name must be one of {list(TABLES)}, got {name!r}")
    return Path(__file__).parent / f"{name}.csv"
