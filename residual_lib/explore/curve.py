"""The curve that a reader draws before seeing it: its axes, and what was measured on them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from residual_lib import figures
from residual_lib.explore import page
from residual_lib.figures import MARK, short_number
from residual_lib.svg import INK, serialise

# On a phone of 390 pixels the picture is 358 wide: seven columns of 44 pixels, a finger's width.
FEWEST, MOST = 3, 7

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Axes on which the reader draws: a point for each x, which goes up and down.

    The points stand evenly spaced whatever their x, as categories do, so that each has room for
    a finger.

    Attributes:
        x: 3 to 7 numbers, rising: depths, layers, steps.
        y: (smallest, largest) value that can be drawn; positive on a logarithmic axis.
        xlabel: text of the horizontal axis.
        ylabel: text of the vertical axis, without its unit.
        point: what a point is called, with {} for its x: "{} layers", "block {}".
        log_y: logarithmic vertical axis.

    Raises:
        ValueError: x or y out of order, not finite or too many, a label that is empty, or a
            `point` without {}.
    """

    x: Sequence[float]
    y: tuple[float, float]
    xlabel: str
    ylabel: str
    point: str = "{}"
    log_y: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "x", _rising("x", self.x))
        if not FEWEST <= len(self.x) <= MOST:
            raise ValueError(f"x must be {FEWEST} to {MOST} numbers, got {len(self.x)}")
        object.__setattr__(self, "y", _rising("y", self.y))
        if len(self.y) != 2:
            raise ValueError(f"y must be (smallest, largest), got {self.y!r}")
        if self.log_y and self.y[0] <= 0:
            raise ValueError(f"y must be positive on a logarithmic axis, got {self.y!r}")
        for name in ("xlabel", "ylabel"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name).strip():
                raise ValueError(f"{name} must be a text, got {getattr(self, name)!r}")
        if not isinstance(self.point, str) or self.point.count("{}") != 1:
            raise ValueError(f"point must be a text with one {{}} for x, got {self.point!r}")

    @property
    def ticks(self) -> list[str]:
        """Texts of the x values."""
        return [short_number(x) for x in self.x]

    @property
    def names(self) -> list[str]:
        """What the points are called."""
        return [self.point.replace("{}", tick) for tick in self.ticks]

    def described(self, unit: str) -> dict[str, Any]:
        """The axes as data, for the page and for whoever reads an exported prediction."""
        return {
            "names": self.names,
            "ticks": self.ticks,
            "low": self.y[0],
            "high": self.y[1],
            "log": self.log_y,
            "unit": unit,
            "xlabel": self.xlabel,
            "ylabel": self.ylabel,
        }

    def values(self, name: str, given: ArrayLike) -> Floats:
        """One finite number for each x, or a ValueError."""
        try:
            values = np.asarray(given, dtype=np.float64)
        except (TypeError, ValueError):
            raise ValueError(f"{name} must be numbers, got {given!r}") from None
        if values.shape != (len(self.x),) or not np.isfinite(values).all():
            raise ValueError(
                f"{name} must be {len(self.x)} finite numbers, one for each x, got {given!r}"
            )
        if self.log_y and (values <= 0).any():
            raise ValueError(f"{name} must be positive on a logarithmic axis, got {given!r}")
        return values


def picture(
    curve: Curve,
    unit: str,
    measured: Floats | None = None,
    band: tuple[Floats, Floats] | None = None,
) -> tuple[str, dict[str, Any]]:
    """The axes, with what was measured or empty, and where a script finds its points on them.

    Args:
        curve: the axes.
        unit: of the values, with its space.
        measured: a value for each x, drawn as a line.
        band: ends of their 95 % intervals.

    Returns:
        (svg, places): the drawing with MARK for ids, and in its units `at`, the points' places
        from the left, and `bottom` and `top`, those of the smallest and largest value.
    """
    figure, ax = axes_of(curve.described(unit))
    at = np.arange(len(curve.x))
    if measured is not None:
        if band is not None:
            low, high = (np.clip(end, *curve.y) for end in band)
            edge = np.concatenate([low, high[::-1]])
            ax.fill(np.concatenate([at, at[::-1]]), edge, color=INK, alpha=0.2, linewidth=0)
        ax.plot(at, measured, color=INK, marker="o")
    height = 72 * figure.get_figheight()
    left, bottom = ax.transData.transform([(each, curve.y[0]) for each in at]).T
    top = ax.transData.transform((0, curve.y[1]))[1]
    places = {
        "at": [round(float(each), 1) for each in left],
        "bottom": round(float(height - bottom[0]), 1),
        "top": round(float(height - top), 1),
    }
    return serialise(figure, MARK), places


@figures.styled
def axes_of(described: dict[str, Any]) -> Any:
    """(figure, axes) in the book's style for axes as `Curve.described` gives them."""
    label = (
        f"{described['ylabel']},{described['unit']}" if described["unit"] else described["ylabel"]
    )
    figure, ax = figures.axes(
        height=2.9, xlabel=described["xlabel"], ylabel=label, log_y=described["log"]
    )
    count = len(described["ticks"])
    ax.set_xlim(-0.5, count - 0.5)
    ax.set_ylim(described["low"], described["high"])
    ax.set_xticks(range(count), labels=described["ticks"])
    ax.tick_params(axis="x", pad=10)  # clear of a handle that is all the way down
    return figure, ax


def numbers(curve: Curve, unit: str, measured: Floats, band: tuple[Floats, Floats] | None) -> str:
    """The values as a folded table, with a column that a script fills with the reader's own."""
    rows = []
    for index, name in enumerate(curve.names):
        cells = [f"{short_number(float(measured[index]))}{unit}"]
        if band is not None:
            low, high = (short_number(float(end[index])) for end in band)
            cells.append(f"{low} to {high}{unit}")
        found = "".join(f"<td>{page.escape(cell)}</td>" for cell in cells)
        rows.append(
            f'<tr><th scope="row">{page.escape(name)}</th><td class="rl-own">–</td>{found}</tr>'
        )
    heads = ["you", "measured", *(["95 % interval"] if band is not None else [])]
    columns = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return (
        '<details class="rl-numbers"><summary>The numbers</summary><table><thead><tr>'
        f'<th scope="col">at</th>{columns}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></details>"
    )


def _rising(name: str, given: Any) -> tuple[float, ...]:
    try:
        numbers = tuple(float(each) for each in given)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers, got {given!r}") from None
    finite = all(math.isfinite(each) for each in numbers)
    if not finite or any(b <= a for a, b in itertools.pairwise(numbers)):
        raise ValueError(f"{name} must be finite numbers, rising, got {given!r}")
    return numbers
