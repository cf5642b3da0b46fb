"""What chapter 14 claims about policies of two depths that balance a pole."""

from __future__ import annotations

from functools import partial

import pandas as pd

from residual_lib.claims import Claim, above, below

CARTPOLE = "deep_rl"


def of(variant: str, metric: str, table: pd.DataFrame) -> pd.Series:
    """A metric of one policy: a number a seed."""
    rows = table[(table["variant"] == variant) & (table["metric"] == metric)]
    return rows.set_index("seed")["value"].sort_index()


def times(one: str, other: str, metric: str, table: pd.DataFrame) -> pd.Series:
    """A metric of one policy over that of another."""
    return of(one, metric, table) / of(other, metric, table)


def gained(variant: str, table: pd.DataFrame) -> pd.Series:
    """The return of the finished policy over that of the first episodes of its training."""
    rows = table[(table["variant"] == variant) & (table["metric"] == "return")]
    first = rows.sort_values("step").groupby("seed")["value"].first()
    return of(variant, "final_return", table) / first


def replaced(old: str, new: str, table: pd.DataFrame) -> pd.DataFrame:
    """The measurements of the policy `new` in the place of those of `old`."""
    copies = table[table["variant"] == new].assign(variant=old)
    return pd.concat([table[table["variant"] != old], copies], ignore_index=True)


CLAIMS = (
    Claim(
        id="14.20",
        statement=(
            "A policy of 4 layers learns to balance the pole: it ends with over twice the return "
            "of its first episodes."
        ),
        source="ours",
        experiment=CARTPOLE,
        statistic=partial(gained, "shallow"),
        holds_if=above(2),
        sabotage=partial(replaced, "shallow", "deep-plain"),
    ),
    Claim(
        id="14.21",
        statement=(
            "With the same steps a policy of 40 layers without skips ends with a return below 50 "
            "of 500."
        ),
        source="ours",
        experiment=CARTPOLE,
        statistic=partial(of, "deep-plain", "final_return"),
        holds_if=below(50),
        sabotage=partial(replaced, "deep-plain", "deep-residual"),
    ),
    Claim(
        id="14.22",
        statement="With a skip around every two of its layers it ends with over 1.5 times as much.",
        source="ours",
        experiment=CARTPOLE,
        statistic=partial(times, "deep-residual", "deep-plain", "final_return"),
        holds_if=above(1.5),
        sabotage=partial(replaced, "deep-residual", "deep-plain"),
    ),
)
