"""The landing page's explorer: training error by step and depth, with and without the skip."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from residual_lib import figures
from residual_lib.explore import Explorer, Slider, Toggle
from residual_lib.statistics import bootstrap_interval

NAMES = {False: "plain", True: "with the skip"}


def explorer(table: pd.DataFrame) -> Explorer:
    """Make the explorer from the table of the experiment 'degradation'."""
    percent = table.assign(value=100 * table["value"].astype(float))
    curves = percent[percent["metric"] == "batch_error"]
    reached = percent[percent["metric"] == "train_error"]
    depths = sorted(int(depth) for depth in table["depth"].unique())
    steps = (0, int(curves["step"].max()))

    def render(depth: int, skip: bool) -> Figure:
        figure, ax = figures.axes(
            height=2.7, xlabel="training step", ylabel="error on training batches, %"
        )
        shown = [False, True] if skip else [False]
        figures.curves(
            curves[(curves["depth"] == depth) & curves["skip"].isin(shown)],
            "step",
            group="skip",
            order=shown,
            names=NAMES,
            xlabel="training step",
            ylabel="error on training batches, %",
            xlim=steps,
            ylim=(0, 100),
            ax=ax,
        )
        return figure

    def alt(depth: int, skip: bool) -> str:
        ends = []
        for choice in [False, True] if skip else [False]:
            rows = reached[(reached["depth"] == depth) & (reached["skip"] == choice)]
            ends.append(f"{NAMES[choice]} {_mean(rows)}")
        return f"{depth} layers, training error at the end: {'; '.join(ends)}."

    ends = {
        skip: reached[reached["skip"] == skip].groupby("depth")["value"].mean() for skip in NAMES
    }
    seeds = table["seed"].nunique()
    return Explorer(
        render,
        [
            Slider("depth", depths, label="depth", unit="layers"),
            Toggle("skip", label="add the skip"),
        ],
        title="Does a deeper network train?",
        alt=alt,
        question="What does depth do to the training error of a plain net, and what does the skip?",
        answer=(
            f"The plain net has {_percent(ends[False][depths[0]])} % with {depths[0]} layers and "
            f"{_percent(ends[False][depths[-1]])} % with {depths[-1]}: it can't use its depth. "
            f"With the skip, {depths[-1]} layers have {_percent(ends[True][depths[-1]])} %."
        ),
        caption=(
            "MNIST-1D, measured when this page was built: "
            f"mean of {seeds} seeds, 95 % bootstrap interval."
        ),
    )


def _mean(rows: pd.DataFrame) -> str:
    """'68 % [61, 72]': mean and interval over seeds."""
    low, high = bootstrap_interval(rows["value"])
    return f"{_percent(rows['value'].mean())} % [{_percent(low)}, {_percent(high)}]"


def _percent(value: float) -> str:
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
