"""The numbers beside a figure: what each kind of figure hands over, and how a page writes them."""

import numpy as np
import pandas as pd
import pytest

from residual_lib import figures
from residual_lib.statistics import bootstrap_interval
from residual_lib.tables import keep, kept, rows


@pytest.fixture
def table():
    return pd.DataFrame(
        [
            {"net": net, "step": step, "seed": seed, "value": (seed + 1) * step * slope}
            for net, slope in (("plain", 1.0), ("residual", 0.01))
            for step in (10, 20)
            for seed in range(5)
        ]
    )


def only(figure):
    (columns,) = kept(figure)
    return rows(columns)


def test_curves_hand_over_means_and_intervals(table):
    figure = figures.curves(
        table, "step", group="net", names={"plain": "Plain"}, xlabel="training step", ylabel="error"
    )
    found = only(figure)
    assert found[0] == ("net", "training step", "error", "95 % from", "95 % to")
    assert len(found) == 1 + 4
    low, high = bootstrap_interval(10.0 * np.arange(1, 6))
    assert found[1] == ("Plain", "10", "30", f"{low:.4g}", f"{high:.4g}")
    assert found[4][:3] == ("residual", "20", "0.6")


def test_without_seeds_there_is_no_interval(table):
    one = table[(table["seed"] == 0) & (table["net"] == "plain")]
    assert only(figures.curves(one, "step")) == [("step", "value"), ("10", "10"), ("20", "20")]


def test_points_hand_over_the_published_number(table):
    late = table[table["step"] == 20]
    found = only(figures.points(late, "net", published={"plain": 61.5}, xlabel="error"))
    assert found[0] == ("net", "error", "95 % from", "95 % to", "published")
    assert (found[1][0], found[1][1], found[1][4]) == ("plain", "60", "61.5")
    assert found[2][4] == ""


def test_a_heatmap_hands_over_its_cells(table):
    found = only(figures.heatmap(table, "step", "net"))
    assert found == [
        ("net \\ step", "10", "20"), ("plain", "30", "60"), ("residual", "0.3", "0.6")
    ]  # fmt: skip
    same = only(figures.heatmap(table[table["seed"] == 0], "step", "net", log=True))
    assert same[1:] == [("plain", "10", "20"), ("residual", "0.1", "0.2")]


def test_a_histogram_hands_over_its_counts(table):
    found = only(figures.histogram(table, group="net", bins=[0, 50, 100]))
    assert found == [
        ("net", "from", "to", "count"),
        ("plain", "0", "50", "6"), ("plain", "50", "100", "4"),
        ("residual", "0", "50", "10"), ("residual", "50", "100", "0"),
    ]  # fmt: skip
    assert only(figures.histogram(table, bins=2, ylabel="runs"))[0] == ("from", "to", "runs")


def test_numbers_are_short_and_whole_ones_exact():
    figure, _ = figures.axes()
    values = [64001, 1 / 3, 7.01234e-31, np.nan, np.inf, -np.inf, np.int64(3), True, "a"]
    keep(figure, pd.DataFrame({"x": pd.Series(values, dtype=object)}))
    (((head, *cells),),) = kept(figure)
    assert head == "x"
    assert cells == [64001, 0.3333, 7.012e-31, None, "∞", "−∞", 3, "True", "a"]


def test_a_figure_of_two_panels_keeps_two_tables():
    figure, _ = figures.axes()
    assert kept(figure) == []
    keep(figure, pd.DataFrame({"a": [1]}))
    keep(figure, pd.DataFrame({"b": [2]}))
    assert kept(figure) == [[("a", 1)], [("b", 2)]]


def test_wrong_arguments_are_refused():
    figure, ax = figures.axes()
    with pytest.raises(TypeError, match="figure must be a matplotlib Figure, got Axes"):
        keep(ax, pd.DataFrame())
    with pytest.raises(TypeError, match="table must be a DataFrame, got list"):
        keep(figure, [1])
