"""Reading an experiment's table: a number of each variant, two compared, one in another's place.

What most claims need: a statistic that compares two variants by a metric that is there once a seed,
and a sabotage that lets one variant's measurements pass for another's.
"""

from __future__ import annotations

from typing import Any

import pandas as pd


def final(table: pd.DataFrame, metric: str = "test_error") -> pd.DataFrame:
    """A metric that each trial has once, such as the error after training: seeds x variants."""
    rows = table[table["metric"] == metric]
    return rows.pivot(index="seed", columns="variant", values="value")


def worse(variant: str, than: str, table: pd.DataFrame, metric: str = "test_error") -> pd.Series:
    """A metric of one variant minus that of another: of errors, by how much it is worse."""
    values = final(table, metric)
    return values[variant] - values[than]


def in_place(old: Any, new: Any, table: pd.DataFrame, column: str = "variant") -> pd.DataFrame:
    """The measurements of `new` in the place of those of `old`.

    Args:
        old, new: values of `column`. Where it isn't the variants' names, the variants of `new`
            take the names of those of `old`, in their order.
        table: an experiment's; left as it is.
        column: where the two differ: ``"variant"`` or a parameter or key.
    """
    copies = table[table[column] == new].assign(**{column: old})
    if column != "variant":
        names = table[table[column] == old]["variant"].unique()
        found = copies["variant"].unique()
        copies["variant"] = copies["variant"].map(dict(zip(found, names, strict=False)))
    return pd.concat([table[table[column] != old], copies], ignore_index=True)


def kind_in_place(old: str, new: str, table: pd.DataFrame) -> pd.DataFrame:
    """The measurements of each variant ``new-...`` in the place of those of ``old-...``.

    Variants of `old` that have no counterpart stay as they are.
    """
    names = table["variant"]
    begins = names.str.startswith(f"{new}-")
    copies = table[begins].assign(variant=old + names[begins].str[len(new) :])
    return pd.concat([table[~names.isin(copies["variant"])], copies], ignore_index=True)
