"""Bootstrap intervals against plain resampling, and at the edges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from residual_lib.statistics import bootstrap_interval


def by_plain_resampling(values, level=0.95, resamples=20_000, seed=7):
    generator = np.random.default_rng(seed)
    means = generator.choice(values, size=(resamples, len(values))).mean(axis=1)
    return np.quantile(means, [(1 - level) / 2, (1 + level) / 2])


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_it_agrees_with_plain_resampling(level):
    values = np.random.default_rng(1).normal(size=12)
    expected = by_plain_resampling(values, level)
    assert bootstrap_interval(values, level) == pytest.approx(expected, abs=0.02)


def test_two_seeds_give_the_exact_distribution():
    # Means 0, 0.5 and 1 with probabilities 1/4, 1/2, 1/4.
    assert bootstrap_interval([0.0, 1.0], level=0.95) == (0.0, 1.0)
    assert bootstrap_interval([0.0, 1.0], level=0.40) == (0.5, 0.5)


def test_coverage_with_five_normal_seeds_is_what_the_docstring_says():
    samples = np.random.default_rng(3).normal(size=(5, 4000))
    low, high = bootstrap_interval(samples)
    assert np.mean((low <= 0) & (high >= 0)) == pytest.approx(0.83, abs=0.02)


def test_columns_are_independent_and_deterministic():
    table = np.random.default_rng(2).normal(size=(5, 3, 4))
    low, high = bootstrap_interval(table)
    assert low.shape == high.shape == (3, 4)
    one = bootstrap_interval(table[:, 1, 2])
    assert one == (low[1, 2], high[1, 2]) == bootstrap_interval(table[:, 1, 2])
    assert isinstance(one[0], float)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8),
    st.floats(0.1, 10),
    st.floats(-1e3, 1e3),
)
def test_it_moves_and_stretches_with_the_values(values, factor, shift):
    values = np.asarray(values)
    low, high = bootstrap_interval(values, resamples=500)
    assert values.min() <= low <= high <= values.max()
    moved = bootstrap_interval(values * factor + shift, resamples=500)
    tolerance = 1e-9 * (np.abs(values).max() * factor + abs(shift) + 1)
    assert moved == pytest.approx((low * factor + shift, high * factor + shift), abs=tolerance)


def test_equal_values_have_no_width():
    assert bootstrap_interval([0.1] * 3) == (0.1, 0.1)


@pytest.mark.parametrize("values", [[1.0, np.nan, 2.0], [1.0], [np.inf, -np.inf, 0.0]])
def test_what_has_no_interval_gives_nan(values):
    low, high = bootstrap_interval(values)
    assert np.isnan(low)
    assert np.isnan(high)


def test_a_seed_that_diverged_makes_the_upper_end_infinite():
    low, high = bootstrap_interval([1.0, 2.0, np.inf, 1.5, 1.2])
    assert np.isfinite(low)
    assert high == np.inf
    low, high = bootstrap_interval([1.0, 2.0, -np.inf, 1.5, 1.2])
    assert low == -np.inf
    assert np.isfinite(high)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"values": []}, "values"),
        ({"values": 3.0}, "values"),
        ({"values": [1, 2], "level": 1.0}, "level"),
        ({"values": [1, 2], "resamples": 0}, "resamples"),
    ],
)
def test_wrong_arguments_are_named(arguments, name):
    with pytest.raises(ValueError, match=name):
        bootstrap_interval(**arguments)
