"""Tidy table to figure, in one style for the whole book; no torch in here.

Every function takes a tidy table (one row a measurement) and returns a matplotlib figure; `show`
puts it on the page as an inline SVG that follows the page's colours. Lines are means over seeds
and bands their 95 % bootstrap intervals. Names stand at the ends of their lines. A figure is
5.2 x 3.3 inches with 11-point text: still readable when a phone shows it 358 pixels wide.
"""

from __future__ import annotations

import hashlib
import html
import itertools
import math
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import Any, TypeVar

import matplotlib as mpl
import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath
from matplotlib.ticker import Formatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from residual_lib.statistics import bootstrap_interval
from residual_lib.svg import INK, SERIES, serialise
from residual_lib.tables import keep as keep  # figures.keep, for what is drawn by hand

WIDTH, HEIGHT = 5.2, 3.3  # inches
FONT = 11.0  # points
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.2, 1.6)), (0, (7, 2, 1.5, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P")
# The two that the whole course compares look the same in every figure.
ALWAYS = {"residual": 0, "plain": 1}
MOST_GROUPS = 12
MARK = "\ue000"  # stands for the prefix of ids until a figure is shown

STYLE: Any = {
    "font.size": FONT,
    "axes.titlesize": FONT,
    "axes.labelsize": FONT,
    "xtick.labelsize": FONT,
    "ytick.labelsize": FONT,
    "legend.fontsize": FONT,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "grid.alpha": 0.15,
    "grid.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.linewidth": 0.8,
    "xtick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "xtick.major.pad": 5,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "axes.prop_cycle": cycler(color=list(SERIES)),
    "legend.frameon": False,
    "mathtext.default": "regular",
}

CSS = (
    ".rl-figure{max-width:35rem;margin:1rem 0}"
    ".rl-figure svg{display:block;width:100%;height:auto;max-width:none}"
    ".rl-figure.rl-figure figcaption{font-size:.9em;font-weight:400;margin-top:.4rem;color:inherit;"
    "text-align:left}"
    # The theme puts HTML outputs on a light ground in dark mode; these follow the page instead.
    "html[data-theme=dark] .bd-content div.cell_output .text_html.text_html:has(.rl-figure)"
    "{background:none;color:inherit;padding:0}"
    "@media print{.rl-figure{color:#000;break-inside:avoid}}"
)


# ---------------------------------------------------------------------------------------- showing


@dataclass(frozen=True)
class Picture:
    """What `show` returns: an SVG with a name, for a notebook or a page.

    Attributes:
        svg: the `<svg>` element, with ids of its own.
        alt: what the figure shows, in words.
        caption: text below the figure, or None.
    """

    svg: str
    alt: str
    caption: str | None = None

    def _repr_html_(self) -> str:
        named = self.svg.replace("<svg ", f'<svg role="img" aria-label="{_quote(self.alt)}" ', 1)
        below = f"<figcaption>{html.escape(self.caption)}</figcaption>" if self.caption else ""
        return f'<figure class="rl-figure"><style>{CSS}</style>{named}{below}</figure>'

    def __repr__(self) -> str:
        return f"Picture: {self.alt}"


def show(figure: Figure, alt: str, caption: str | None = None) -> Picture:
    """Put a figure on the page and close it.

    Args:
        figure: a matplotlib figure, from here or of your own.
        alt: what the figure shows: the finding in a sentence, for who can't see it.
        caption: text below the figure.

    Returns:
        A picture that a notebook shows when it is a cell's last value.

    Raises:
        TypeError: `figure` isn't a figure.
        ValueError: `alt` is missing, or says as little as a file name.
    """
    alt = check_alt(alt)
    return Picture(picture_svg(figure), alt, caption)


def check_alt(alt: object) -> str:
    """The alternative text, or a ValueError that says what is wrong with it."""
    rule = "alt must say what the figure shows, in a sentence"
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(f"{rule}: got {alt!r}")
    text = " ".join(alt.split())
    if re.search(r"\.(png|svg|jpe?g|gif|webp|pdf)$", text, re.IGNORECASE) or text.count(" ") < 2:
        raise ValueError(f"{rule}: got {text!r}, which names it and tells nothing")
    return text


_times_shown: Counter[str] = Counter()


def picture_svg(figure: Figure) -> str:
    """The figure as `<svg>` text with ids that no other figure has; the figure is closed."""
    if not isinstance(figure, Figure):
        raise TypeError(f"figure must be a matplotlib Figure, got {type(figure).__name__}")
    text = serialise(figure, MARK)
    pyplot.close(figure)
    return own_ids(text)


def own_ids(content: str) -> str:
    """HTML in which MARK begins every id, with a prefix in its place that no other HTML has.

    The prefix is made from the content, and a number if the same content is shown again. A number
    alone would begin at 1 with each start of the kernel and meet figures that the page still holds.
    """
    prefix = "rl" + hashlib.sha256(content.encode()).hexdigest()[:6]
    _times_shown[prefix] += 1
    if _times_shown[prefix] > 1:
        prefix += f"-{_times_shown[prefix]}"
    return content.replace(MARK, prefix)


def _quote(text: str) -> str:
    return html.escape(text, quote=True)


# ------------------------------------------------------------------------------------------- axes


Draw = TypeVar("Draw", bound=Callable[..., Any])


def styled(draw: Draw) -> Draw:
    """The function with the book's style in force while it draws: a decorator for your own."""

    @wraps(draw)
    def inner(*arguments: Any, **named: Any) -> Any:
        with mpl.rc_context(STYLE):
            return draw(*arguments, **named)

    return inner  # type: ignore[return-value]


@styled
def axes(
    width: float = WIDTH,
    height: float = HEIGHT,
    *,
    xlabel: str = "",
    ylabel: str = "",
    log_x: bool = False,
    log_y: bool = False,
) -> tuple[Figure, Axes]:
    """An empty figure in the book's style, for what the functions below don't draw.

    Args:
        width: inches; more than 5.2 makes text hard to read on a phone.
        height: inches.
        xlabel: below the axis.
        ylabel: above the axis at the left, so that nobody has to turn their head.
        log_x: logarithmic horizontal axis.
        log_y: logarithmic vertical axis.

    Returns:
        (figure, axes)
    """
    figure = Figure(figsize=(width, height), dpi=72)
    ax = figure.add_subplot()
    ax.grid(axis="x", visible=False)
    ax.set_xlabel(xlabel)
    if ylabel:
        figure.text(3 / (72 * width), 1 - 3 / (72 * height), ylabel, ha="left", va="top")
    _set_margins(figure, top=28 if ylabel else 12, bottom=42 if xlabel else 26)
    if log_x:
        _make_log(ax, "x")
    if log_y:
        _make_log(ax, "y")
    else:
        ax.yaxis.set_major_locator(MaxNLocator(6))
    return figure, ax


def _set_margins(figure: Figure, **points: float) -> None:
    """Margins in points; those not named stay."""
    sides = figure.subplotpars
    across, up = 72 * figure.get_figwidth(), 72 * figure.get_figheight()
    given = {"left": 48.0, "right": 12.0, **points} if "left" not in points else points
    figure.subplots_adjust(
        left=given["left"] / across,
        right=1 - given.get("right", (1 - sides.right) * across) / across,
        bottom=given.get("bottom", sides.bottom * up) / up,
        top=1 - given.get("top", (1 - sides.top) * up) / up,
    )


def _make_log(ax: Axes, which: str) -> None:
    axis = ax.xaxis if which == "x" else ax.yaxis
    (ax.set_xscale if which == "x" else ax.set_yscale)("log")
    axis.set_major_locator(LogLocator(numticks=7))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(_LogTicks())


class _LogTicks(Formatter):
    """0.01, 1, 100 where the whole axis can be written so, else powers of ten."""

    def __call__(self, value: float, pos: int | None = None) -> str:
        low, high = sorted(self.axis.get_view_interval())  # type: ignore[union-attr]
        in_digits = low >= 1e-3 and high <= 1e5
        return f"{value:g}" if in_digits else power_of_ten(round(math.log10(value)))


def power_of_ten(exponent: int) -> str:
    """10⁻⁶ for -6, in plain characters: the page's font draws it and a reader can say it."""
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def short_number(value: float) -> str:
    """Two or three significant digits, with a power of ten where that is shorter."""
    if not math.isfinite(value):
        return "–" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        exponent = math.floor(math.log10(abs(value)))
        return f"{value / 10.0**exponent:.1f}·{power_of_ten(exponent)}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−") if abs(value) < 1000 else f"{value:.0f}"


def with_interval(
    values: ArrayLike, digits: int = 1, *, unit: str = "", signed: bool = False
) -> str:
    """The mean over seeds and its 95 % bootstrap interval, such as ``"24.3 % [20.1, 28.3]"``.

    Args:
        values: one a seed.
        digits: behind the point.
        unit: behind the mean, such as ``" %"``.
        signed: whether numbers above 0 have a plus.
    """
    numbers = np.asarray(values, dtype=float)
    shown = (float(numbers.mean()), *bootstrap_interval(numbers))
    rounded = (round(float(x), digits) + 0.0 for x in shown)  # no minus before a zero
    form = f"{'+' if signed else ''}.{digits}f"
    mean, low, high = (format(x, form).replace("-", "−") for x in rounded)
    return f"{mean}{unit} [{low}, {high}]"


# ---------------------------------------------------------------------------------------- figures


@styled
def curves(
    table: pd.DataFrame,
    x: str,
    y: str = "value",
    group: str | None = None,
    *,
    over: str = "seed",
    xlabel: str | None = None,
    ylabel: str | None = None,
    log_x: bool = False,
    log_y: bool = False,
    geometric: bool = False,
    order: Sequence[Hashable] | None = None,
    names: Mapping[Any, str] | None = None,
    xlim: tuple[float, float] | None = None,
    ylim: tuple[float, float] | None = None,
    markers: bool | None = None,
    ax: Axes | None = None,
) -> Figure:
    """A line a group: the mean over seeds, with its 95 % bootstrap interval as a band.

    Args:
        table: tidy; one row for each seed, group and x.
        x: column of the horizontal axis (depth, step, layer), numbers.
        y: column of the values.
        group: column that parts the lines; None for a single line.
        over: column of the seeds. A table without it has lines and no bands.
        xlabel, ylabel: texts of the axes; the column names by default.
        log_x, log_y: logarithmic axes. Values that aren't positive aren't drawn there.
        geometric: average the logarithms, as suits gradient norms over many powers of ten.
        order: groups to draw, in this order; default: all, as they come.
        names: texts to write at the lines instead of the groups' values.
        xlim, ylim: limits of the axes. Fix them in an explorer, so that frames compare.
        markers: mark the points; default: where there are at most 12.
        ax: axes to draw in, instead of new ones.

    Returns:
        The figure. A seed that is missing or NaN at some x leaves a gap there.

    Raises:
        ValueError: a column is missing, a group unknown, or two rows claim the same seed and x.
    """
    groups = _groups(table, group, order, {"x": x, "y": y})
    across, upward = x if xlabel is None else xlabel, y if ylabel is None else ylabel
    figure, ax = _start(ax, across, upward)
    if log_x:
        _make_log(ax, "x")
    if log_y:
        _make_log(ax, "y")
    ends, drawn = [], []
    for (value, rows), look in zip(groups.items(), _looks(groups), strict=True):
        at, mean, low, high = _summary(rows, x, y, over, geometric)
        name = (names or {}).get(value, str(value))
        drawn.append(_numbers({group: name, across: at}, upward, mean, low, high))
        few = len(at) <= 12 if markers is None else markers
        ax.fill(
            np.concatenate([at, at[::-1]]),
            _drawable(np.concatenate([low, high[::-1]]), log_y, mean),
            color=look.colour,
            alpha=0.2,
            linewidth=0,
        )
        line = _drawable(mean, log_y)
        ax.plot(
            at,
            line,
            color=look.colour,
            linestyle=look.dash,
            marker=look.marker,
            markevery=1 if few else (len(at) // 12, max(1, len(at) // 6)),
        )
        seen = np.flatnonzero(np.isfinite(line))
        last = -1 if xlim is None or xlim[0] < xlim[1] else 0  # whichever is drawn at the right
        end = (at[seen[last]], line[seen[last]]) if len(seen) else None
        ends.append(_End(name, look.colour, end))
    keep(figure, pd.concat(drawn, ignore_index=True).dropna(axis="columns", how="all"))
    _limit(ax, xlim, ylim)
    if group is not None:
        _label_ends(ax, ends)
    if xlim is None:
        _tick_at(ax, sorted(set(table[x])))
    return figure


@styled
def points(
    table: pd.DataFrame,
    category: str,
    y: str = "value",
    group: str | None = None,
    *,
    published: Mapping[Any, float] | None = None,
    over: str = "seed",
    xlabel: str | None = None,
    log_x: bool = False,
    geometric: bool = False,
    order: Sequence[Hashable] | None = None,
    names: Mapping[Any, str] | None = None,
    xlim: tuple[float, float] | None = None,
    published_name: str = "published",
    measured_name: str = "measured here",
) -> Figure:
    """A row a category: the mean with its 95 % interval, every seed as a faint dot.

    Args:
        table: tidy; one row for each seed, category and group.
        category: column of the rows.
        y: column of the values, drawn along the horizontal axis.
        group: column that parts the marks within a row.
        published: category -> the paper's number, drawn beside as an open diamond.
        over: column of the seeds.
        xlabel: text of the axis; the column's name by default.
        log_x: logarithmic axis.
        geometric: average the logarithms.
        order: categories from top to bottom; default: all, as they come.
        names: texts for categories and groups instead of their values.
        xlim: limits of the axis.
        published_name, measured_name: texts of the key.

    Returns:
        The figure; its height follows the number of rows.

    Raises:
        ValueError: a column is missing, a category unknown, or two rows claim the same seed.
    """
    rows = _groups(table, category, order, {"y": y})
    parts = list(_groups(table, group, None, {})) if group is not None else [None]
    looks = dict(zip(parts, _looks(parts), strict=True))
    text = {value: textwrap.fill((names or {}).get(value, str(value)), 20) for value in rows}
    each = 15 + 13 * len(parts)
    keyed = group is not None or published is not None
    height = (len(rows) * each + 44 + (24 if keyed else 8)) / 72
    figure, ax = axes(height=height, xlabel=y if xlabel is None else xlabel, log_x=log_x)
    left = max(text_width(part) for label in text.values() for part in label.split("\n")) + 12
    _set_margins(figure, left=left, right=14, top=26 if keyed else 8)
    drawn = []
    for index, (value, all_rows) in enumerate(rows.items()):
        for place, part in enumerate(parts):
            some = all_rows if group is None else all_rows[all_rows[group] == part]
            if some.empty:
                continue
            at = index + 0.26 * (place - (len(parts) - 1) / 2)
            numbers = _one_point(ax, at, some, y, over, geometric, looks[part])
            called = {None: None, **(names or {})}
            of = {category: called.get(value, str(value)), group: called.get(part, str(part))}
            drawn.append(_numbers(of, y if xlabel is None else xlabel, *numbers))
            drawn[-1][published_name] = (published or {}).get(value, np.nan)
        if published is not None and value in published:
            ax.plot(published[value], index, "D", color=INK, markerfacecolor="none", markersize=7)
    keep(figure, pd.concat(drawn, ignore_index=True).dropna(axis="columns", how="all"))
    ax.grid(axis="x", visible=True)
    ax.grid(axis="y", visible=False)
    ax.set_yticks(range(len(text)), list(text.values()))
    ax.set_ylim(len(rows) - 0.5, -0.5)
    _limit(ax, xlim, None)
    if keyed:
        key = {
            measured_name if part is None else (names or {}).get(part, str(part)): (
                looks[part].marker,
                looks[part].colour,
                looks[part].colour,
            )
            for part in parts
        }
        if published is not None:
            key[published_name] = ("D", INK, "none")
        _key(figure, key)
    return figure


@styled
def heatmap(
    table: pd.DataFrame,
    x: str,
    y: str,
    value: str = "value",
    *,
    over: str = "seed",
    log: bool = False,
    xlabel: str | None = None,
    ylabel: str | None = None,
    title: str = "",
    order_x: Sequence[Hashable] | None = None,
    order_y: Sequence[Hashable] | None = None,
    limits: tuple[float, float] | None = None,
    write: Callable[[float], str] = short_number,
) -> Figure:
    """A cell for each pair of x and y, coloured by the mean over seeds, which is written in it.

    Args:
        table: tidy; several rows a cell are averaged (seeds).
        x: column of the columns.
        y: column of the rows.
        value: column of the values.
        over: column of the seeds, only named to say what is averaged.
        log: colour by the logarithm, and average logarithms.
        xlabel, ylabel: texts of the axes; the column names by default.
        title: what the numbers are.
        order_x, order_y: values to draw, in order; default: all, as they come.
        limits: values at the two ends of the colour scale; default: the smallest and largest.
        write: number -> text of a cell; a text too wide for it gives way to the power of ten.

    Returns:
        The figure; its height follows the number of rows.

    Raises:
        ValueError: a column is missing or a value unknown.
    """
    columns = list(_groups(table, x, order_x, {"value": value}))
    rows = list(_groups(table, y, order_y, {}))
    kept = table.assign(**{value: np.log10(table[value])} if log else {})
    means = kept.groupby([y, x], sort=False)[value].mean().unstack(x)
    cells = means.reindex(index=rows, columns=columns).to_numpy(dtype=np.float64)
    ends = np.log10(limits) if limits and log else limits
    heads = [f"{y if ylabel is None else ylabel} \\ {x if xlabel is None else xlabel}", *columns]
    numbers = 10.0**cells if log else cells
    finite = cells[np.isfinite(cells)]
    low, high = ends if ends is not None else (finite.min(), finite.max())
    figure, ax = axes(height=(len(rows) * 25 + 76) / 72, xlabel=x if xlabel is None else xlabel)
    left = max(text_width(str(row)) for row in rows) + 12
    _set_margins(figure, left=left, right=6, top=32, bottom=44)
    keep(figure, pd.DataFrame(np.c_[np.array(rows, dtype=object), numbers], columns=heads))
    heading = f"{title} by {y if ylabel is None else ylabel}" if title else (ylabel or y)
    figure.text(3 / (72 * WIDTH), 1 - 3 / (72 * figure.get_figheight()), heading, va="top")
    across = ax.get_window_extent().width / len(columns)
    scale = mpl.colors.Normalize(low, high if high > low else low + 1, clip=True)
    colours = mpl.colormaps["cividis"]
    for i, j in np.ndindex(cells.shape):
        number = float(cells[i, j])
        colour = mpl.colors.to_hex(colours(scale(number))) if np.isfinite(number) else "none"
        ax.fill([j, j + 1, j + 1, j], [i, i, i + 1, i + 1], facecolor=colour, linewidth=0)
        # Black that the page's text colour doesn't replace: the cell's ground stays as it is.
        ink = INK if colour == "none" else ("#010101" if luminance(colour) > 0.18 else "#ffffff")
        amount = 10.0**number if log else number
        text = write(amount)
        if text_width(text, 10) > across - 4 and "10" in text:
            text = power_of_ten(round(math.log10(abs(amount))))
        ax.text(j + 0.5, i + 0.5, text, ha="center", va="center", color=ink, fontsize=10)
    ax.grid(visible=False)
    ax.spines["bottom"].set_visible(False)
    ax.set_xticks(np.arange(len(columns)) + 0.5, [str(column) for column in columns])
    ax.set_yticks(np.arange(len(rows)) + 0.5, [str(row) for row in rows])
    ax.set(xlim=(0, len(columns)), ylim=(len(rows), 0))
    return figure


@styled
def histogram(
    table: pd.DataFrame,
    y: str = "value",
    group: str | None = None,
    *,
    bins: int | Sequence[float] = 30,
    log_x: bool = False,
    density: bool = False,
    xlabel: str | None = None,
    ylabel: str | None = None,
    order: Sequence[Hashable] | None = None,
    names: Mapping[Any, str] | None = None,
    xlim: tuple[float, float] | None = None,
    ylim: tuple[float, float] | None = None,
) -> Figure:
    """How often which value occurs, an outline a group, the same bins for all.

    Args:
        table: tidy; one row a value.
        y: column of the values.
        group: column that parts the outlines.
        bins: how many, or their edges. On a logarithmic axis they are equally wide there.
        log_x: logarithmic axis; values that aren't positive are left out.
        density: areas of 1 instead of counts.
        xlabel: text of the axis; the column's name by default.
        ylabel: default: "count", or "density".
        order, names: as in `curves`.
        xlim, ylim: limits of the axes.

    Returns:
        The figure.

    Raises:
        ValueError: a column is missing, a group unknown, or no value can be drawn.
    """
    groups = _groups(table, group, order, {"y": y})
    values = {
        name: _drawable(rows[y].to_numpy(dtype=np.float64), log_x) for name, rows in groups.items()
    }
    everything = np.concatenate([each[np.isfinite(each)] for each in values.values()])
    if not len(everything):
        raise ValueError(f"y: column {y!r} has no finite{' positive' if log_x else ''} value")
    if isinstance(bins, int):
        low, high = xlim or (everything.min(), everything.max())
        edges = np.geomspace(low, high, bins + 1) if log_x else np.linspace(low, high, bins + 1)
    else:
        edges = np.asarray(bins, dtype=np.float64)
    counted = "density" if density else "count"
    figure, ax = axes(
        xlabel=y if xlabel is None else xlabel,
        ylabel="" if group is not None else (ylabel or counted),
        log_x=log_x,
    )
    looks = _looks(groups)
    shown = [(names or {}).get(value, str(value)) for value in groups]
    bins_of = {"from": edges[:-1], "to": edges[1:]}
    drawn = []
    for name, each, look in zip(shown, values.values(), looks, strict=True):
        heights, _ = np.histogram(each[np.isfinite(each)], edges, density=density)
        of = {} if group is None else {group: name}
        drawn.append(pd.DataFrame({**of, **bins_of, ylabel or counted: heights}))
        ax.stairs(heights, edges, color=look.colour, alpha=0.2, fill=True, linewidth=0)
        ax.stairs(heights, edges, color=look.colour, linestyle=look.dash, linewidth=1.8)
    keep(figure, pd.concat(drawn, ignore_index=True))
    _limit(ax, xlim, ylim)
    if group is not None:
        _set_margins(figure, top=28)
        lines = {
            name: (look.dash, look.colour, "none") for name, look in zip(shown, looks, strict=True)
        }
        _key(figure, lines)
    return figure


# ---------------------------------------------------------------------------------------- helpers


@dataclass(frozen=True)
class _Look:
    colour: str
    dash: Any
    marker: str


@dataclass(frozen=True)
class _End:
    """Where a line ends (data coordinates; None if nothing of it can be drawn), and its name."""

    name: str
    colour: str
    at: tuple[float, float] | None


def _looks(groups: Sequence[Any] | Mapping[Any, Any]) -> list[_Look]:
    """Colour, dash and marker for each group: any two differ in at least two of them."""
    if len(groups) > MOST_GROUPS:
        raise ValueError(f"group has {len(groups)} values; more than {MOST_GROUPS} look alike")
    taken = {ALWAYS[value] for value in groups if value in ALWAYS}
    free = (number for number in itertools.count() if number not in taken)
    numbers = [ALWAYS[value] if value in ALWAYS else next(free) for value in groups]
    return [
        _Look(
            SERIES[number % len(SERIES)],
            DASHES[(number + number // len(SERIES)) % len(DASHES)],
            MARKERS[number % len(MARKERS)],
        )
        for number in numbers
    ]


def _groups(
    table: pd.DataFrame,
    column: str | None,
    order: Sequence[Hashable] | None,
    needed: Mapping[str, str],
) -> dict[Any, pd.DataFrame]:
    """The table's rows by the values of one column, after checking that the columns exist."""
    if table.empty:
        raise ValueError("table has no rows")
    for argument, name in {**needed, **({"group": column} if column is not None else {})}.items():
        if name not in table.columns:
            raise ValueError(
                f"{argument}: no column {name!r} in the table; it has {', '.join(table.columns)}"
            )
    if column is None:
        return {None: table}
    found = list(dict.fromkeys(table[column]))
    for value in order or ():
        if value not in found:
            raise ValueError(f"order: {value!r} isn't in column {column!r}; it has {found}")
    return {value: table[table[column] == value] for value in (found if order is None else order)}


def _summary(
    rows: pd.DataFrame, x: str, y: str, over: str, geometric: bool
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Places, means and interval ends along x; without seeds the interval is NaN."""
    seeds = rows[over] if over in rows.columns else pd.Series(0, index=rows.index)
    keyed = rows.assign(**{over: seeds})
    if keyed.duplicated([over, x]).any():
        raise ValueError(
            f"table has several rows for one {over} and {x}: choose one metric, or name the "
            "column that tells them apart as group"
        )
    wide = keyed.pivot(index=over, columns=x, values=y).sort_index(axis=1)
    mean, low, high = _mean_and_interval(wide.to_numpy(dtype=np.float64), geometric)
    return wide.columns.to_numpy(), mean, low, high


def _mean_and_interval(
    values: ArrayLike, geometric: bool
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Mean over the first axis and its interval; geometric: of the logarithms."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        table = np.log(values) if geometric else np.asarray(values, dtype=np.float64)
        found = (table.mean(axis=0), *bootstrap_interval(table))
        mean, low, high = (np.exp(each) for each in found) if geometric else found
    return mean, low, high


def _one_point(
    ax: Axes, at: float, rows: pd.DataFrame, y: str, over: str, geometric: bool, look: _Look
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    if over in rows.columns and rows.duplicated([over]).any():
        raise ValueError(f"table has several rows for one {over} and category: choose one metric")
    values = rows[y].to_numpy(dtype=np.float64)
    mean, low, high = _mean_and_interval(values, geometric)
    ax.plot(
        values, np.full(len(values), at), "o", color=look.colour, alpha=0.35, markersize=3, mew=0
    )
    ax.plot([low, high], [at, at], color=look.colour, linewidth=1.8, solid_capstyle="butt")
    ax.plot(mean, at, look.marker, color=look.colour, markersize=6.5)
    return mean, low, high


def _numbers(
    of: Mapping[Any, Any],
    name: str,
    mean: NDArray[Any],
    low: NDArray[Any],
    high: NDArray[Any],
) -> pd.DataFrame:
    """What is drawn of one group, for `keep`: which, the mean, and the ends of its interval."""
    which = {head: values for head, values in of.items() if head is not None}
    ends = {name: mean, "95 % from": low, "95 % to": high}
    return pd.DataFrame({**which, **{head: np.atleast_1d(each) for head, each in ends.items()}})


def _drawable(
    values: NDArray[Any], log: bool, otherwise: NDArray[Any] | None = None
) -> NDArray[Any]:
    """Values with NaN where they can't be drawn; a band collapses onto its line there."""
    can = np.isfinite(values) & ((values > 0) | (not log))
    if otherwise is None:
        return np.where(can, values, np.nan)
    line = _drawable(np.concatenate([otherwise, otherwise[::-1]]), log)
    return np.where(can, values, line)


def _start(ax: Axes | None, xlabel: str, ylabel: str) -> tuple[Figure, Axes]:
    if ax is None:
        return axes(xlabel=xlabel, ylabel=ylabel)
    figure = ax.get_figure(root=True) if mpl.__version_info__ >= (3, 10) else ax.get_figure()
    assert isinstance(figure, Figure)
    return figure, ax


def _limit(ax: Axes, xlim: tuple[float, float] | None, ylim: tuple[float, float] | None) -> None:
    if xlim is not None:
        ax.set_xlim(*xlim)
    if ylim is not None:
        ax.set_ylim(*ylim)
    ax.autoscale_view()
    for axis in (ax.xaxis, ax.yaxis):
        low, high = sorted(axis.get_view_interval())
        if axis.get_scale() == "log" and high < 100 * low:
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))


def _tick_at(ax: Axes, values: Sequence[float]) -> None:
    """Ticks where the measurements are, if these are few and apart; at round numbers otherwise."""
    places = ax.transData.transform([(value, 1) for value in values])[:, 0]
    if len(values) <= 8 and (np.diff(np.sort(places)) > 22).all():
        ax.set_xticks(values, [f"{value:g}" for value in values])
    elif ax.get_xscale() == "linear" and all(float(value).is_integer() for value in values):
        ax.xaxis.set_major_locator(MaxNLocator(7, integer=True))


def _key(figure: Figure, entries: Mapping[str, tuple[Any, str, str]]) -> None:
    """A line above the axes that says which mark is which: symbol and word, left to right."""
    across, up = 72 * figure.get_figwidth(), 72 * figure.get_figheight()
    at = 4.0
    for name, (symbol, colour, face) in entries.items():
        is_marker = symbol in MARKERS
        figure.add_artist(
            mpl.lines.Line2D(
                [(at + 6) / across] if is_marker else [at / across, (at + 18) / across],
                [1 - 10 / up] * (1 if is_marker else 2),
                color=colour,
                marker=symbol if is_marker else "",
                linestyle="none" if is_marker else symbol,
                markerfacecolor=face,
                markersize=6.5,
                linewidth=1.8,
            )
        )
        at += 16 if is_marker else 23
        figure.text(at / across, 1 - 10 / up, name, va="center_baseline", color=INK, fontsize=FONT)
        at += text_width(name) + 14


def _label_ends(ax: Axes, ends: Sequence[_End]) -> None:
    """Write each name beside its line's end, moved apart where they would touch."""
    figure, _ = _start(ax, "", "")
    texts = [textwrap.fill(end.name, 18, break_long_words=False) for end in ends]
    lines = [text.split("\n") for text in texts]
    widest = max(text_width(line) for parts in lines for line in parts)
    _set_margins(figure, left=_left(figure), right=widest + 18)
    box = ax.get_window_extent()
    bottom, top = box.y0, box.y1
    marks = [None if end.at is None else ax.transData.transform(np.asarray(end.at)) for end in ends]
    wanted = [bottom if mark is None else float(np.clip(mark[1], bottom, top)) for mark in marks]
    heights = [1.15 * FONT * len(parts) for parts in lines]
    places = spread(wanted, heights, bottom - FONT / 2, top + FONT / 2)
    across, up = 72 * figure.get_figwidth(), 72 * figure.get_figheight()
    for end, text, mark, place, want in zip(ends, texts, marks, places, wanted, strict=True):
        # A line that ends early is named where it ends, in the free space behind it.
        early = mark is not None and mark[0] < box.x1 - 36
        at = 10 + (float(mark[0]) if early and mark is not None else box.x1)
        if mark is not None and abs(place - want) > 3:
            figure.add_artist(
                mpl.lines.Line2D(
                    np.array([min(at - 6, mark[0] + 4), at - 2]) / across,
                    np.array([want, place]) / up,
                    color=end.colour,
                    linewidth=0.8,
                    alpha=0.6,
                )
            )
        figure.text(
            at / across,
            place / up,
            text if mark is not None else f"{text} (none)",
            color=end.colour,
            va="center_baseline" if "\n" not in text else "center",
            linespacing=1.05,
            fontsize=FONT,
        )


def _left(figure: Figure) -> float:
    return figure.subplotpars.left * 72 * figure.get_figwidth()


def spread(
    wanted: Sequence[float], heights: Sequence[float], low: float, high: float
) -> list[float]:
    """Places for labels as near as possible to where they belong, without overlap.

    Args:
        wanted: centre of each label.
        heights: height of each label.
        low, high: range that the labels should stay in.

    Returns:
        A centre for each label, in the order of `wanted`. If they don't fit, they stand close
        from `low` upwards.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    # Neighbours that touch become a block, placed where its members move least; until none touch.
    blocks: list[tuple[list[int], float, float]] = []  # members, bottom, height
    for index in order:
        members, total = [index], heights[index]
        bottom = _bottom(members, wanted, heights, low, high)
        while blocks and blocks[-1][1] + blocks[-1][2] > bottom:
            before, _, height = blocks.pop()
            members, total = before + members, total + height
            bottom = _bottom(members, wanted, heights, low, high)
        blocks.append((members, bottom, total))
    places = [0.0] * len(wanted)
    for members, bottom, _ in blocks:
        for index in members:
            places[index] = bottom + heights[index] / 2
            bottom += heights[index]
    return places


def _bottom(
    members: list[int],
    wanted: Sequence[float],
    heights: Sequence[float],
    low: float,
    high: float,
) -> float:
    offset, best = 0.0, 0.0
    for index in members:
        best += wanted[index] - (offset + heights[index] / 2)
        offset += heights[index]
    return max(low, min(best / len(members), high - offset))


@lru_cache(maxsize=2048)
def text_width(text: str, size: float = FONT) -> float:
    """Width of a line of text in points, in DejaVu Sans, which is wider than pages' fonts."""
    if not text.strip():
        return 0.0
    return float(TextPath((0, 0), text, size=size, prop=FontProperties()).get_extents().width)


def luminance(colour: str) -> float:
    """Relative luminance of a colour, 0 to 1 (WCAG 2.2)."""
    channels = np.asarray(mpl.colors.to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
