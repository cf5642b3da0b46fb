"""The decision table: which skip, where the norm, which scale, for which net; a line a row.

Every row names the claims that it rests on. A row is added as one line of `ROWS`; a test looks up
its claims, and `table` says how they were judged.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from residual_lib import claims


class Row(NamedTuple):
    """A piece of advice.

    Attributes:
        family: which nets, and what for.
        depth: for which depth.
        skip: which skip.
        norm: where the normalisation.
        scale: what the branch is multiplied by.
        drop: how often a branch is left out in training.
        rests_on: ids of the claims that back the row.
    """

    family: str
    depth: str
    skip: str
    norm: str
    scale: str
    drop: str
    rests_on: tuple[str, ...]


ANY = "any"
NONE = "none"
ROWS = (
    Row("any", "up to 8", "none needed", "BatchNorm, or a good start", "1", "0", ("2.5", "15.1")),
    Row("convolutions", "20 to 56", "identity", "in the branch", "1", "0", ("2.3", "2.4", "5.19")),
    Row("convolutions", "110", "identity", "before the layers", "1", "0", ("5.18",)),
    Row("change of shape", ANY, "1×1, after an average", "behind it", "1", "0", ("4.1", "4.7")),
    Row("same shape", ANY, "identity, no factor", "not on it", "1", "0", ("5.13", "6.34")),
    Row("few steps", "8 to 18", "identity", "in the branch", "1", "0, not 0.5", ("11.20", "11.21")),
    Row("time to save", "110", "identity", "in the branch", "1", "0.5 a batch", ("11.1", "11.3")),
    Row("no norm", "32", "identity", NONE, "learned from 0", "0", ("6.10", "10.10", "10.11")),
    Row("no norm", "64", "identity", NONE, "1/√blocks", "0", ("15.2", "15.9")),
    Row("no skip allowed", "64", NONE, NONE, "tailored rectifier", "0", ("15.4", "15.5")),
    Row("few parameters", ANY, "concatenate", "before the layers", "1", "0", ("7.6", "7.9")),
    Row("outlines", ANY, "U-Net's finest", "in the levels", "1", "0", ("8.1", "8.5")),
    Row("noisy images", ANY, "not the finest", "in the levels", "1", "0", ("8.20", "8.22")),
    Row("Transformer", "6", "identity", "either, low rate", "1", "0", ("9.13",)),
    Row("Transformer", "24", "identity", "pre-LN", "1", "0", ("9.10", "9.11", "9.15")),
    Row("Transformer", "12, no norm", "identity", NONE, "from 0", "0", ("10.20", "10.22", "10.24")),
    Row("graph", "few", "to the first features", NONE, "0.9, start 0.1", "0", ("15.19", "15.21")),
    Row("inference", ANY, "fold it away", "folded too", "1", "0", ("15.7", "15.8", "15.10")),
    Row("training memory", "many", "reversible", "in the branch", "1", "0", ("15.12", "15.13")),
)


def table() -> pd.DataFrame:
    """The rows, with the claims that each rests on.

    Raises:
        ValueError: a row names a claim that there isn't.
    """
    for row in ROWS:
        for id in row.rests_on:
            claims.get(id)
    frame = pd.DataFrame(ROWS, columns=list(Row._fields))
    frame["rests_on"] = frame["rests_on"].map(", ".join)
    heads = {"family": "net", "drop": "drop rate", "rests_on": "claims"}
    return frame.rename(columns=heads).set_index("net").rename_axis(index=None, columns="net")
