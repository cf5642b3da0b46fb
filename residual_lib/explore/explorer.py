"""One interactive figure with two faces: ipywidgets where a kernel runs, plain HTML elsewhere."""

from __future__ import annotations

import inspect
import itertools
import os
import re
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from matplotlib import pyplot
from matplotlib.figure import Figure
from tqdm.auto import tqdm

from residual_lib import figures
from residual_lib.explore import page
from residual_lib.explore.controls import Choice, Control, Slider, Toggle
from residual_lib.explore.frames import pack
from residual_lib.figures import MARK
from residual_lib.svg import serialise
from residual_lib.tables import Column, kept

MOST_FRAMES = 1000
MOST_RADIOS = 4
# "static" or "live"; the book's build sets it to static, so that nothing depends on guessing.
FACE = "RESIDUAL_LIB_EXPLORER"


class Frame(NamedTuple):
    """What an explorer shows in one state.

    Attributes:
        svg: the figure, whose ids begin with MARK until `figures.own_ids` replaces it.
        says: what it shows, in a sentence.
        tables: the numbers that it draws, see `residual_lib.tables`.
    """

    svg: str
    says: str
    tables: list[list[Column]]


class Explorer:
    """A figure and the controls that choose what it shows.

    As the last value of a cell it shows itself: in a notebook with ipywidgets that call `render`
    anew, on a built page with HTML inputs over frames drawn in advance. Sliders play. The numbers
    that a frame draws can be read as a table and saved, the frame too; on a page, a link leads to
    each state.

    Args:
        render: called with one value for each control, by name; returns a matplotlib figure.
            The same values must give the same figure. Keep the axes' limits fixed, so that
            frames compare and share more.
        controls: `Slider`, `Choice`, `Toggle`; all combinations are drawn, 1000 at most.
        title: heading of the explorer.
        alt: what a frame shows, in a sentence: a function called like `render`, or a text in
            which {name} stands for a control's value. It is read aloud when the frame changes.
        question: what the reader should find out with it; stands above the controls.
        answer: of the question, folded below the figure. Make its numbers from the data.
        caption: how it was measured, in small print below.

    Raises:
        TypeError: `render` or `alt` can't be called with the controls' names, or a control
            isn't one.
        ValueError: no control, two of one name, too many frames, an empty title or alt, a
            question without an answer or the reverse.
    """

    def __init__(
        self,
        render: Callable[..., Figure],
        controls: Sequence[Control],
        *,
        title: str,
        alt: str | Callable[..., str],
        question: str | None = None,
        answer: str | None = None,
        caption: str | None = None,
    ) -> None:
        self.controls = tuple(controls)
        for control in self.controls:
            if not isinstance(control, Control):
                raise TypeError(f"controls must be Slider, Choice or Toggle, got {control!r}")
        names = [control.name for control in self.controls]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"controls must be at least one, of different names, got {names}")
        self.count = 1
        for control in self.controls:
            self.count *= len(control.values)
        if self.count > MOST_FRAMES:
            raise ValueError(
                f"controls have {self.count} combinations; at most {MOST_FRAMES} can be drawn in "
                "advance: use fewer values"
            )
        if not isinstance(title, str) or not title.strip():
            raise ValueError(f"title must be a text, got {title!r}")
        _accepts("render", render, names)
        if isinstance(alt, str):
            figures.check_alt(alt)
            _fills(alt, names)
        else:
            _accepts("alt", alt, names)
        for name, text in (("question", question), ("answer", answer)):
            if text is not None and (not isinstance(text, str) or not text.strip()):
                raise ValueError(f"{name} must be a text, got {text!r}")
        if (question is None) != (answer is None):
            raise ValueError(f"question and answer go together, got {question!r} and {answer!r}")
        self.render, self.title, self.alt, self.caption = render, title, alt, caption
        self.question, self.answer = question, answer

    @property
    def start(self) -> dict[str, Any]:
        """The values of the frame that is shown first."""
        return {control.name: control.values[control.start] for control in self.controls}

    @property
    def name(self) -> str:
        """What links call the explorer: its title in small letters and hyphens."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-") or "explorer"

    def frame(self, **values: Any) -> Frame:
        """One frame.

        Args:
            values: one for each control.

        Raises:
            RuntimeError: `render` or `alt` failed, or returned something else; names the frame.
        """
        where = ", ".join(f"{name}={value!r}" for name, value in values.items())
        try:
            figure = self.render(**values)
            if not isinstance(figure, Figure):
                raise TypeError(f"returned {type(figure).__name__}, not a matplotlib figure")
            svg, tables = serialise(figure, MARK), kept(figure)
            pyplot.close(figure)
        except Exception as error:
            raise RuntimeError(f"render({where}) failed: {error}") from error
        try:
            if isinstance(self.alt, str):
                named = {
                    control.name: control.texts[control.values.index(values[control.name])]
                    for control in self.controls
                }
                sentence = figures.check_alt(self.alt.format(**named))
            else:
                sentence = figures.check_alt(self.alt(**values))
        except Exception as error:
            raise RuntimeError(f"alt({where}) failed: {error}") from error
        return Frame(svg, sentence, tables)

    @cached_property
    def _content(self) -> tuple[str, str]:
        """The static face with MARK for ids: what comes before the script, and the data in it."""
        every = itertools.product(*(control.values for control in self.controls))
        names = [control.name for control in self.controls]
        # No bar where a program runs the notebook: it would only stay in the page as an output.
        bar = tqdm(
            every,
            total=self.count,
            desc=self.title,
            unit="frame",
            leave=False,
            delay=3,
            disable=_in_kernel() and face() == "static",
        )
        frames = [self.frame(**dict(zip(names, values, strict=True))) for values in bar]
        parts, runs = pack([_named(frame.svg) for frame in frames])
        first = 0
        for control in self.controls:
            first = first * len(control.values) + control.start
        # Frames share columns, as that of steps: each is stored once, and a table is a list of
        # their places.
        places: dict[Column, int] = {}
        content = {
            "parts": parts,
            "runs": runs,
            "says": [frame.says for frame in frames],
            "names": names,
            "texts": [control.texts for control in self.controls],
            "keys": [control.keys for control in self.controls],
            "starts": [control.start for control in self.controls],
            "tables": [
                [[places.setdefault(column, len(places)) for column in table] for table in tables]
                for _, _, tables in frames
            ],
            "columns": list(places),
        }
        return self._body(frames[first], controls=True), page.data(content)

    def html(self) -> str:
        """The static face: all frames, self-contained HTML. Each call gives ids of its own."""
        body, content = self._content
        script = f"<script>{page.script('explorer.js')}</script>"
        return figures.own_ids(f"{body}{content}{script}</div>")

    def first_frame_html(self) -> str:
        """The first frame without controls, for where the live face can't be shown."""
        body = self._body(self.frame(**self.start), controls=False)
        return figures.own_ids(f"{body}</div>")

    def _body(self, frame: Frame, *, controls: bool) -> str:
        inputs, tools = "", ""
        if controls:
            answers = "; ".join(
                f"{control.label}: {', '.join(control.texts)}" for control in self.controls
            )
            inputs = (
                '<div class="rl-controls" hidden>'
                + "".join(_input(control) for control in self.controls)
                # Not <noscript>: some front ends drop scripts and still claim to run them.
                + '</div><p class="rl-without">Where scripts run, this figure answers to '
                f"{page.escape(answers)}.</p>"
            )
            tools = page.tools(self.title, with_data=bool(frame.tables))
        return (
            f'<div class="rl-explorer" role="group" aria-labelledby="{MARK}-title" '
            f'data-name="{self.name}" data-lm-suppress-shortcuts="true">{page.style()}'
            f'<p class="rl-title" id="{MARK}-title">{page.escape(self.title)}</p>'
            f"{page.paragraph('rl-asks', self.question)}{inputs}"
            f'<div class="rl-figure rl-frame">{_named(frame.svg)}</div>'
            f'<p class="rl-says" id="{MARK}-says" aria-live="polite">{page.escape(frame.says)}</p>'
            f"{tools}{page.folded('rl-answer', 'Answer', self.answer)}"
            f"{page.paragraph('rl-caption', self.caption)}"
        )

    def _repr_html_(self) -> str | None:
        # On Colab HTML beside a widget could be shown in its place.
        return (
            None if _on_colab() else self.html() if face() == "static" else self.first_frame_html()
        )

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Static: HTML with every frame. Live: a widget, and HTML with the first frame."""
        bundle: dict[str, Any] = {"text/plain": repr(self)}
        if face() == "live":
            from residual_lib.explore.live import live_view

            bundle["application/vnd.jupyter.widget-view+json"] = live_view(self)
        markup = self._repr_html_()
        if markup is not None:
            bundle["text/html"] = markup
        return bundle

    def __repr__(self) -> str:
        return f"Explorer: {self.title} ({self.count} frames)"


def face() -> str:
    """Which face a cell shows now, "live" or "static".

    RESIDUAL_LIB_EXPLORER decides if it is set. Otherwise: live where somebody sits before the
    kernel (JupyterLab, Notebook, VS Code, Colab), static where a program runs the notebook.

    Raises:
        ValueError: the environment variable has another value.
    """
    wish = os.environ.get(FACE, "").strip().lower()
    if wish in ("live", "static"):
        return wish
    if wish:
        raise ValueError(f"{FACE} must be 'live' or 'static', got {wish!r}")
    # Jupyter's server names the session to kernels that it starts for a person; nbclient,
    # which runs notebooks for the book and the tests, doesn't.
    attended = "JPY_SESSION_NAME" in os.environ or "VSCODE_PID" in os.environ
    return "live" if _in_kernel() and (attended or _on_colab()) else "static"


def _in_kernel() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


def _on_colab() -> bool:
    return "google.colab" in sys.modules


def _named(svg: str) -> str:
    return svg.replace("<svg ", f'<svg role="img" aria-labelledby="{MARK}-says" ', 1)


def _accepts(argument: str, function: Any, names: list[str]) -> None:
    if not callable(function):
        raise TypeError(f"{argument} must be a function, got {type(function).__name__}")
    try:
        inspect.signature(function).bind(**dict.fromkeys(names))
    except TypeError as error:
        raise TypeError(f"{argument} must accept {', '.join(names)}: {error}") from None


def _fills(alt: str, names: list[str]) -> None:
    try:
        filled = [alt.format(**dict.fromkeys(names, value)) for value in "ab"]
    except (KeyError, IndexError, ValueError) as error:
        raise ValueError(f"alt may use {{{'}, {'.join(names)}}}, got {alt!r}: {error!r}") from None
    if filled[0] == filled[1]:
        raise ValueError(
            f"alt says the same for every frame: name a control's value, as in {{{names[0]}}}, or "
            f"give a function; got {alt!r}"
        )


def _input(control: Control) -> str:
    """One control as HTML: the browser's own inputs, so that keyboards and screen readers work."""
    label, own = page.escape(control.label), f"{MARK}-{control.name}"
    texts = [page.escape(text) for text in control.texts]
    if isinstance(control, Slider):
        return (
            f'<div class="rl-control"><label for="{own}">{label}: '
            f'<span class="rl-value">{texts[control.start]}</span></label>'
            '<div class="rl-slide"><button type="button" class="rl-play" data-do="play" '
            f'aria-pressed="false" aria-label="Play {label}"></button>'
            f'<input type="range" id="{own}" min="0" max="{len(texts) - 1}" step="1" '
            f'value="{control.start}" aria-valuetext="{texts[control.start]}" autocomplete="off">'
            "</div></div>"
        )
    if isinstance(control, Toggle):
        checked = " checked" if control.start else ""
        return (
            f'<div class="rl-control rl-check"><label for="{own}">'
            f'<input type="checkbox" id="{own}" autocomplete="off"{checked}>{label}</label></div>'
        )
    assert isinstance(control, Choice)
    if len(texts) > MOST_RADIOS:
        options = "".join(
            f'<option value="{index}"{" selected" if index == control.start else ""}>{text}'
            "</option>"
            for index, text in enumerate(texts)
        )
        return (
            f'<div class="rl-control"><label for="{own}">{label}</label>'
            f'<select id="{own}" autocomplete="off">{options}</select></div>'
        )
    radios = "".join(
        f'<label for="{own}-{index}"><input type="radio" name="{own}" id="{own}-{index}" '
        f'value="{index}" autocomplete="off"{" checked" if index == control.start else ""}>'
        f"{text}</label>"
        for index, text in enumerate(texts)
    )
    return (
        f'<fieldset class="rl-control"><legend>{label}</legend>'
        f'<div class="rl-options">{radios}</div></fieldset>'
    )
