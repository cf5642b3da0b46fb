"""The landing page's explorer: training error by step and depth, with and without the skip."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from residual_lib import figures
from residual_lib.explore import Explorer, Slider, Toggle
from residual_lib.statistics import bootstrap_interval

NAMES = {False: "plain", True: "with the skip"}


def explorer(table: pd.DataFrame) -> Explorer:
    """Args: table of the experiment 'degradation', its columns depth, skip, seed, step, metric."""
    error = table[table["metric"] == "train_error"].dropna(subset=["depth", "skip"])
    error = error.assign(value=100 * error["value"].astype(float), skip=error["skip"].astype(bool))
    depths = sorted(int(depth) for depth in error["depth"].unique())
    steps = (0, int(error["step"].max()))

    def at(depth: int, skip: bool) -> pd.DataFrame:
        return error[(error["depth"] == depth) & (error["skip"] == skip)]

    def render(depth: int, skip: bool) -> Figure:
        figure, ax = figures.axes(height=2.7, xlabel="training step", ylabel="training error, %")
        shown = [False, True] if skip else [False]
        figures.curves(
            pd.concat([at(depth, choice) for choice in shown]),
            "step",
            group="skip",
            order=shown,
            names=NAMES,
            xlabel="training step",
            ylabel="training error, %",
            xlim=steps,
            ylim=(0, 100),
            ax=ax,
        )
        return figure

    def alt(depth: int, skip: bool) -> str:
        return f"{depth} layers, training error at the end: " + "; ".join(
            f"{NAMES[choice]} {_end(at(depth, choice))}"
            for choice in ([False, True] if skip else [False])
        )

    seeds = error["seed"].nunique()
    return Explorer(
        render,
        [
            Slider("depth", depths, label="depth", unit="layers"),
            Toggle("skip", label="add the skip"),
        ],
        title="Does a deeper network train?",
        alt=alt,
        caption=(
            f"Measured when this page was built: mean of {seeds} seeds, 95 % bootstrap interval."
        ),
    )


def _end(rows: pd.DataFrame) -> str:
    """'68 % [61, 72]': mean and interval over seeds at the last step."""
    last = rows[rows["step"] == rows["step"].max()]["value"].to_numpy()
    low, high = bootstrap_interval(last)
    return f"{_percent(last.mean())} % [{_percent(low)}, {_percent(high)}]"


def _percent(value: float) -> str:
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
