"""Figures: what they show, and that a page can show them in light, dark and at 390 pixels."""

import itertools
import re

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.path import Path

from residual_lib import figures, svg
from residual_lib.statistics import bootstrap_interval

ALT = "Plain nets get worse with depth, residual nets don't."
LIGHT, DARK = "#ffffff", ("#121212", "#14181e", "#222832", "#1e1e1e")  # pages' backgrounds
INK_LIGHT, INK_DARK = "#222832", "#ced6dd"  # the theme's text colours


@pytest.fixture(scope="module")
def table():
    generator = np.random.default_rng(0)
    rows = [
        {"variant": variant, "depth": depth, "seed": seed, "value": (seed + 1) * depth * slope}
        for variant, slope in (("plain", 1.0), ("residual", 0.01))
        for depth in (8, 20, 32, 56)
        for seed in range(5)
    ]
    return pd.DataFrame(rows).sample(frac=1, random_state=generator.integers(99))


def markup(picture):
    return BeautifulSoup(picture._repr_html_(), "html.parser")


# ------------------------------------------------------------------------------------- the palette


def test_contrast_is_that_of_wcag():
    assert figures.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert figures.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("colour", svg.SERIES)
@pytest.mark.parametrize("ground", [LIGHT, *DARK])
def test_every_series_stands_out_from_every_page(colour, ground):
    assert figures.contrast(colour, ground) >= 3


def mixed(one, other, share):
    channels = [
        round(int(one[at : at + 2], 16) * share + int(other[at : at + 2], 16) * (1 - share))
        for at in (1, 3, 5)
    ]
    return "#" + "".join(f"{channel:02x}" for channel in channels)


@pytest.mark.parametrize("colour", svg.SERIES)
def test_names_in_a_series_colour_can_be_read(colour):
    share = svg.LABEL_SHARE
    assert figures.contrast(mixed(colour, INK_LIGHT, share), LIGHT) >= 4.5
    for ground in DARK:
        assert figures.contrast(mixed(colour, INK_DARK, share), ground) >= 4.5


# Machado, Oliveira and Fernandes 2009, severity 1: linear RGB as a colour-blind person sees it.
SIGHTS = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def seen(colour, sight):
    """CIELAB (D65) of a colour under one kind of sight."""
    rgb = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.asarray(SIGHTS[sight]) @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.asarray(to_xyz) @ linear / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHTS)
def test_colours_differ_for_everybody(sight):
    for one, other in itertools.combinations(svg.SERIES, 2):
        assert np.linalg.norm(seen(one, sight) - seen(other, sight)) > 16, (one, other)


def test_no_two_groups_look_alike_without_colour():
    looks = figures._looks([f"group {index}" for index in range(figures.MOST_GROUPS)])
    assert len({(look.colour, str(look.dash)) for look in looks}) == len(looks)
    assert len({(str(look.dash), look.marker) for look in looks}) == len(looks)
    with pytest.raises(ValueError, match="group has 13 values"):
        figures._looks(range(13))


def test_plain_and_residual_look_the_same_everywhere():
    both = figures._looks(["plain", "residual"])
    turned = figures._looks(["ReZero", "residual", "plain"])
    assert both == [turned[2], turned[1]]
    assert turned[0].colour not in {look.colour for look in both}


# -------------------------------------------------------------------------------------- the figures


def lines(figure):
    return {line.get_color(): line for line in figure.axes[0].lines}


def test_a_curve_is_the_mean_and_its_band_the_bootstrap_interval(table):
    figure = figures.curves(table, "depth", group="variant", order=["plain", "residual"])
    line = lines(figure)[svg.SERIES[figures.ALWAYS["plain"]]]
    assert list(line.get_xdata()) == [8, 20, 32, 56]
    assert line.get_ydata() == pytest.approx([3 * depth for depth in (8, 20, 32, 56)])
    band = figure.axes[0].patches[0].get_xy()
    low, high = bootstrap_interval(np.arange(1, 6) * 20.0)
    at_20 = sorted(y for x, y in band if x == 20)
    assert at_20 == pytest.approx([low, high])
    assert [text.get_text() for text in figure.texts] == ["value", "plain", "residual"]


def test_a_geometric_mean_averages_logarithms(table):
    figure = figures.curves(table, "depth", group="variant", geometric=True, log_y=True)
    line = lines(figure)[svg.SERIES[figures.ALWAYS["plain"]]]
    expected = np.exp(np.log(np.arange(1, 6)).mean()) * np.array([8, 20, 32, 56])
    assert line.get_ydata() == pytest.approx(expected)


def test_a_lost_seed_leaves_a_gap_and_a_lost_line_its_name(table):
    lost = table.copy()
    lost.loc[(lost.variant == "plain") & (lost.depth == 56) & (lost.seed == 2), "value"] = np.nan
    lost.loc[lost.variant == "residual", "value"] = np.inf
    figure = figures.curves(lost, "depth", group="variant", order=["plain", "residual"])
    plain = lines(figure)[svg.SERIES[figures.ALWAYS["plain"]]].get_ydata()
    assert list(np.isnan(plain)) == [False, False, False, True]
    assert figure.texts[-1].get_text() == "residual (none)"
    figures.show(figure, ALT)


def test_what_is_not_positive_is_left_out_of_a_logarithmic_axis(table):
    shifted = table[table.variant == "plain"].assign(value=lambda rows: rows.value - 30)
    figure = figures.curves(shifted, "depth", log_y=True)
    assert np.isnan(figure.axes[0].lines[0].get_ydata()[0])  # mean -6 at depth 8


def test_without_seeds_there_is_a_line_and_no_band(table):
    one = table[(table.seed == 0) & (table.variant == "plain")].drop(columns="seed")
    figure = figures.curves(one, "depth")
    assert list(figure.axes[0].lines[0].get_ydata()) == [8, 20, 32, 56]
    band = figure.axes[0].patches[0].get_xy()
    assert {y for x, y in band if x == 20} == {20}


def test_limits_names_and_own_axes_are_respected(table):
    figure, ax = figures.axes(xlabel="layers", ylabel="error", log_x=True, log_y=True)
    same = figures.curves(
        table, "depth", group="variant", ax=ax, names={"plain": "no skip"},
        xlim=(5, 100), ylim=(0.01, 1000),
    )  # fmt: skip
    assert same is figure
    assert (ax.get_xlim(), ax.get_ylim()) == ((5, 100), (0.01, 1000))
    assert {text.get_text() for text in figure.texts} == {"error", "no skip", "residual"}


def test_a_reversed_axis_names_lines_at_its_right_end(table):
    figure = figures.curves(
        table.assign(value=-table.value), "depth", group="variant", xlim=(60, 0), ylim=(-200, 0)
    )
    names = {text.get_text(): text.get_position()[1] for text in figure.texts}
    ax = figure.axes[0]
    high = ax.transData.transform((0, -24))[1] / (72 * figure.get_figheight())
    assert names["plain"] == pytest.approx(high, abs=0.02)  # its value at depth 8, not at 56


@given(
    st.lists(st.tuples(st.floats(0, 200), st.sampled_from([12.65, 25.3])), min_size=1, max_size=12)
)
@settings(max_examples=60, deadline=None)
def test_names_never_overlap_and_stay_in_order(labels):
    wanted, heights = zip(*labels, strict=True)
    places = figures.spread(wanted, heights, -5, 205)
    order = sorted(range(len(labels)), key=lambda index: places[index])
    for low, high in itertools.pairwise(order):
        assert places[high] - places[low] >= (heights[high] + heights[low]) / 2 - 1e-9
        assert wanted[low] <= wanted[high]
    if sum(heights) <= 210:
        assert all(
            place - height / 2 >= -5 - 1e-9 and place + height / 2 <= 205 + 1e-9
            for place, height in zip(places, heights, strict=True)
        )


def test_names_that_fit_stay_where_they_belong():
    assert figures.spread([10, 100, 50], [12, 12, 12], 0, 200) == [10, 100, 50]
    assert figures.spread([50, 50], [12, 12], 0, 200) == [44, 56]


def test_points_show_every_seed_the_mean_and_what_was_published(table):
    figure = figures.points(
        table[table.depth == 8], "variant", order=["residual", "plain"],
        published={"plain": 20.0}, names={"plain": "plain net"}, xlabel="error",
    )  # fmt: skip
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["residual", "plain net"]
    seeds, interval, mean, published = ax.lines[3:]
    assert sorted(seeds.get_xdata()) == [8, 16, 24, 32, 40]
    assert interval.get_xdata() == pytest.approx(bootstrap_interval(np.arange(1, 6) * 8.0))
    assert list(mean.get_xdata()) == [24]
    assert list(published.get_xdata()) == [20]
    assert [text.get_text() for text in figure.texts] == ["measured here", "published"]


def test_points_by_group_leave_out_what_is_not_there(table):
    part = table[(table.variant == "plain") | (table.depth == 8)]
    figure = figures.points(part, "depth", group="variant", log_x=True, geometric=True)
    assert len(figure.axes[0].lines) == 3 * 5
    assert {text.get_text() for text in figure.texts} == {"plain", "residual"}


def test_a_heat_map_writes_each_mean_in_its_cell(table):
    figure = figures.heatmap(
        table, "depth", "variant", order_y=["plain", "residual"], order_x=[20, 8], title="error"
    )
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["60", "24", "0.6", "0.24"]
    assert figure.texts[0].get_text() == "error by variant"


def test_a_logarithmic_heat_map_averages_logarithms_and_shows_gaps(table):
    some = table[(table.depth == 8) | (table.variant == "plain")].assign(
        value=lambda rows: 10.0 ** (rows.seed * 10 - 20) * rows.depth
    )
    figure = figures.heatmap(some, "depth", "variant", log=True, limits=(1e-3, 1e3))
    texts = {text.get_text() for text in figure.axes[0].texts}
    assert texts == {"8", "20", "32", "56", "–"}
    wide = figures.heatmap(
        some.assign(value=some.value * 1.234e-15, depth=some.depth + np.arange(len(some)) % 5),
        "depth", "variant", log=True,
    )  # fmt: skip
    assert any(re.fullmatch("10[⁻⁰-⁹¹²³]+", text.get_text()) for text in wide.axes[0].texts)


def test_a_histogram_counts(table):
    figure = figures.histogram(table, bins=[0, 1, 100, 1000], group="variant", order=["plain"])
    outline = figure.axes[0].patches[-1].get_data()
    expected, _ = np.histogram(table[table.variant == "plain"].value, [0, 1, 100, 1000])
    assert list(outline.values) == list(expected)
    log = figures.histogram(table, bins=10, log_x=True, density=True)
    assert np.diff(np.log(log.axes[0].patches[-1].get_data().edges)) == pytest.approx(
        np.full(10, np.log(280 / 0.08) / 10)
    )
    with pytest.raises(ValueError, match="no finite positive value"):
        figures.histogram(table.assign(value=-1.0), log_x=True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: figures.curves(t, "layer"), "x: no column 'layer'"),
        (lambda t: figures.curves(t, "depth", group="net"), "group: no column 'net'"),
        (lambda t: figures.curves(t, "depth"), "several rows for one seed and depth"),
        (lambda t: figures.curves(t, "depth", group="variant", order=["x"]), "order: 'x'"),
        (lambda t: figures.curves(t[:0], "depth"), "table has no rows"),
        (lambda t: figures.points(t, "variant"), "several rows for one seed"),
    ],
)
def test_wrong_tables_are_refused_with_the_reason(table, call, message):
    with pytest.raises(ValueError, match=message):
        call(table)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.25, "0.25"), (0, "0"), (-1.5, "−1.5"), (12345, "12345"), (2.5e-8, "2.5·10⁻⁸"),
        (float("nan"), "–"), (float("inf"), "∞"), (-float("inf"), "−∞"), (123456, "1.2·10⁵"),
    ],
)  # fmt: skip
def test_numbers_are_short(value, text):
    assert figures.short_number(value) == text


def test_a_mean_with_its_interval():
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    low, high = bootstrap_interval(values)
    assert figures.with_interval(values, 2) == f"3.00 [{low:.2f}, {high:.2f}]"
    assert figures.with_interval(-values, 0, unit=" %") == f"−3 % [−{high:.0f}, −{low:.0f}]"
    assert figures.with_interval([-0.04] * 5) == "0.0 [0.0, 0.0]"
    assert figures.with_interval([0.26] * 5, signed=True) == "+0.3 [+0.3, +0.3]"


def test_logarithmic_ticks_are_digits_or_powers():
    def ticks(low, high):
        _, ax = figures.axes(log_y=True)
        ax.set_ylim(low, high)
        return [ax.yaxis.get_major_formatter()(tick) for tick in (0.1, 100)]

    assert ticks(0.01, 1000) == ["0.1", "100"]
    assert ticks(1e-9, 1e9) == ["10⁻¹", "10²"]
    _, ax = figures.axes(log_x=True)
    ax.plot([0.2, 0.9], [1, 2])
    figures._limit(ax, None, None)
    low, high = ax.get_xlim()
    assert [tick for tick in ax.get_xticks() if low <= tick <= high] == pytest.approx([0.2, 0.5])


# -------------------------------------------------------------------------------------- on the page


@pytest.mark.parametrize(
    "alt", [None, "", "  ", 3, "curve.png", "figures/the training curve.SVG", "figure 1", "plot"]
)
def test_a_figure_needs_words(table, alt):
    with pytest.raises(ValueError, match="alt must say what the figure shows"):
        figures.show(figures.curves(table, "depth", group="variant"), alt=alt)


def test_only_figures_are_shown():
    with pytest.raises(TypeError, match="figure must be a matplotlib Figure, got str"):
        figures.show("curve", ALT)


def test_the_picture_scales_and_has_a_name(table):
    hostile = 'Errors "rise" <b>with</b> depth & so on'
    picture = figures.show(
        figures.curves(table, "depth", group="variant"), hostile, caption="Five seeds & more"
    )
    soup = markup(picture)
    element = soup.svg
    assert element["role"] == "img"
    assert element["aria-label"] == hostile
    assert element["viewbox"].split()[2:] == ["374.4", "237.6"]
    assert not element.has_attr("width")
    assert soup.figcaption.string == "Five seeds & more"
    assert repr(picture) == f"Picture: {hostile}"
    assert soup.b is None


def test_text_stays_readable_on_a_phone(table):
    # 390 pixels less the page's margins; the figure fills what is left.
    scale = 358 / (72 * figures.WIDTH)
    for figure in (
        figures.curves(table, "depth", group="variant"),
        figures.heatmap(table, "depth", "variant"),
        figures.points(table[table.depth == 8], "variant", published={"plain": 3}),
    ):
        text = figures.show(figure, ALT)._repr_html_()
        sizes = [float(size) for size in re.findall(r"font-size:([\d.]+)px", text)]
        assert sizes
        assert min(sizes) * scale > 9.5


def test_colours_come_from_the_page(table):
    text = figures.show(figures.curves(table, "depth", group="variant"), ALT).svg
    outside = re.sub(r"var\(--rl-\d,#[0-9a-f]{6}\)", "", text)
    assert "currentColor" in outside
    assert not re.findall(r"#[0-9a-f]{6}\b(?!\")", outside)
    assert re.search(r"<text[^>]*color-mix", text)


def test_nothing_is_loaded_and_no_font_is_named(table):
    text = figures.show(figures.curves(table, "depth", group="variant"), ALT)._repr_html_()
    for word in ("http", "DejaVu", "<?xml", "metadata", "<image", "<script"):
        assert word not in text


def test_ids_are_unique_on_a_page_and_references_resolve(table):
    pictures = [
        figures.show(figures.curves(table, "depth", group="variant"), ALT)._repr_html_()
        for _ in range(3)
    ] + [figures.show(figures.histogram(table), ALT)._repr_html_()]
    soup = BeautifulSoup("".join(pictures), "html.parser")
    ids = [element["id"] for element in soup.find_all(id=True)]
    assert len(ids) == len(set(ids)) > 4
    for picture in soup.find_all("svg"):
        own = {element["id"] for element in picture.find_all(id=True)}
        targets = set(re.findall(r"url\(#([^)]+)\)", str(picture)))
        targets |= {use["href"][1:] for use in picture.find_all("use")}
        assert targets <= own


def test_the_same_figure_gives_the_same_text(table):
    def text():
        return svg.serialise(figures.curves(table, "depth", group="variant"), "x")

    assert text() == text()


def test_figures_of_pyplot_are_closed(table):
    before = pyplot.get_fignums()
    figure, ax = pyplot.subplots()
    ax.plot([1, 2], label="$x^2$ and $10^{-3}$")
    ax.set_title("bold", fontweight="bold", fontstyle="italic")
    ax.legend()
    soup = markup(figures.show(figure, ALT))
    assert pyplot.get_fignums() == before
    bold = soup.find("text", string="bold")
    assert re.search("font-weight:(bold|700)", bold["style"])
    assert "font-style:italic" in bold["style"]


def test_fonts_keep_slant_weight_and_size_and_lose_their_family():
    # Matplotlib up to 3.10 writes the short form, later ones one declaration each.
    short = "font: italic 700 9.5px 'DejaVu Sans', Arial; fill: #24292f; opacity: 0.250000"
    expected = "font-style:italic;font-weight:700;font-size:9.5px;"
    assert svg._restyle(short, True) == expected + "fill:var(--rl-ink,currentColor);opacity:.25"
    long = "font-style: italic; font-weight: 700; font-size: 9.5px; font-family: 'DejaVu Sans'"
    assert svg._restyle(long, True) + ";" == expected
    assert svg._restyle("font: 400 11px Arial", True) == ""


def read_path(data):
    """Points of path data with M, l, q, c and z, by the SVG specification: absolute."""
    points, at, start, letter = [], np.zeros(2), np.zeros(2), ""
    tokens = re.findall(r"[A-Za-z]|-?(?:\d+\.\d+|\.\d+|\d+)", data)
    size = {"M": 2, "l": 2, "q": 4, "c": 6}
    while tokens:
        if tokens[0].isalpha():
            letter = tokens.pop(0)
        if letter == "z":
            at = start
            continue
        numbers = np.array([float(tokens.pop(0)) for _ in range(size[letter])]).reshape(-1, 2)
        numbers = numbers if letter == "M" else numbers + at
        at = numbers[-1]
        start = at if letter == "M" else start
        points.extend(numbers)
    return np.array(points)


@given(
    st.lists(st.tuples(st.floats(-500, 500), st.floats(-500, 500)), min_size=2, max_size=30),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_short_paths_stay_within_a_twentieth_of_a_point(points, closed):
    rounded = [f"{x:f} {y:f}" for x, y in points]
    data = "M " + " L ".join(rounded) + (" z M 1 2 L 3 4" if closed else "")
    expected = [*points, (1, 2), (3, 4)] if closed else points
    found = read_path(svg._relative(data))
    distinct = [expected[0]]
    for before, point in itertools.pairwise(expected):
        if np.any(np.round(np.multiply(before, 10)) != np.round(np.multiply(point, 10))):
            distinct.append(point)
    assert len(found) <= len(expected)
    for point in distinct:
        assert np.abs(found - point).max(axis=1).min() <= 0.0500001
    assert np.abs(found[-1] - expected[-1]).max() <= 0.0500001


def test_curved_and_closed_paths_keep_their_shape():
    figure = Figure(figsize=(2, 2), dpi=72)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 144), ylim=(0, 144))
    ax.axis("off")
    circle = Path.circle((70, 70), 50)
    ax.fill([10, 100, 60], [10, 10, 90], color=svg.SERIES[0])
    ax.add_patch(pyplot.matplotlib.patches.PathPatch(circle, color=svg.SERIES[1]))
    soup = BeautifulSoup(svg.serialise(figure, "x"), "html.parser")
    triangle, round_one = [path["d"] for path in soup.find_all("path") if "#" in str(path["style"])]
    assert triangle.endswith("z")
    expected = circle.vertices * [1, -1] + [0, 144]
    assert read_path(round_one)[:25] == pytest.approx(expected[:25], abs=0.051)


def test_pixels_of_an_image_stay_in_the_figure():
    fig, ax = figures.axes()
    ax.imshow(np.arange(16).reshape(4, 4), interpolation="none")
    svg = figures.show(fig, alt="Sixteen pixels, dark to bright.").svg
    (image,) = re.findall(r"<image[^>]*>", svg)
    assert 'href="data:image/png;base64,' in image
    assert "pixelated" in image
    assert "#ata:" not in svg
